/* What a stage leaves behind, in the order that a kill at any moment allows for: the log before the checkpoint that
 * counts on it, the best model before the checkpoint that says so. */
#include "train/member_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/normalise.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

double member_seconds_since(int64_t ns)
{
    return (double)(clock_ns() - ns) * 1e-9;
}

mien_status member_name_paths(member *m)
{
    const char *run = m->options->options->out, *stage = m->stage->name;
    run_member_name(m->name, m->recipe, m->options->index);
    TRY(run_path(m->last_path, run, m->name, stage, "last.ckpt"));
    TRY(run_path(m->best_path, run, m->name, stage, "best.safetensors"));
    TRY(run_path(m->stage1_path, run, m->name, m->recipe->stages[0].name, "best.safetensors"));
    TRY(run_path(m->csv_path, run, m->name, stage, "validation.csv"));
    return run_path(m->done_path, run, m->name, stage, "done");
}

/* --- beginning ---------------------------------------------------------------------------------------------------- */

mien_status member_find_state(member *m)
{
    m->is_resumed = file_exists(m->last_path);
    if (m->is_resumed)
        return checkpoint_load(m->last_path, &m->state, NULL, false);
    m->state = (train_state){.facts = m->options->facts, .best_worth = -INFINITY};
    if (m->recipe->data.normalise == NORMALISE_INIT)
        return normalise_of_init(m->state.facts.mean, m->state.facts.std,
                                 architecture_find(m->recipe->models[m->options->index]), m->init->tensors,
                                 m->init->path);
    return MIEN_OK;
}

static mien_status log_start(member *m)
{
    const run_facts *f = &m->options->facts;
    json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:i}", "event", "start", "member", m->name, "stage",
                             m->stage->name, "arch", model_spec_of(m->model)->arch, "parameters",
                             (json_int_t)param_store_parameter_count(m->params), "precision", dtype_name(f->precision),
                             "isa", f->isa, "threads", f->threads);
    if (m->is_deviation)
        json_object_set_new(line, "cached_features", json_boolean(m->features != NULL));
    return run_log_write(m->options->log, line);
}

/* A stage that was done has been given more epochs. */
static mien_status reopen(const member *m)
{
    return unlink(m->done_path) == 0 || errno == ENOENT ? MIEN_OK : file_fail(m->done_path, "cannot remove", errno);
}

mien_status member_begin(member *m)
{
    if (m->is_resumed && (m->state.epoch > m->stage->epochs || m->state.batch > m->batches))
        return mien_fail(MIEN_ERR_FORMAT, "%s: epoch %d, batch %" PRId64 " (wanted at most %d and %" PRId64 ")",
                         m->last_path, m->state.epoch, m->state.batch, m->stage->epochs, m->batches);
    m->state.facts.threads = m->options->facts.threads; /* where it runs now */
    memcpy(m->state.facts.isa, m->options->facts.isa, sizeof m->state.facts.isa);
    m->saved_ns = clock_ns();
    if (m->is_resumed)
        return reopen(m);
    TRY(log_start(m));
    return member_save(m);
}

/* --- on the way --------------------------------------------------------------------------------------------------- */

mien_status member_save(member *m)
{
    TRY(run_log_sync(m->options->log));
    TRY(checkpoint_save(m->last_path, &m->state, m->params, member_has_state2(m->stage)));
    m->saved_ns = clock_ns();
    return MIEN_OK;
}

static mien_status save_best(member *m)
{
    json_t *root = NULL;
    char *text = NULL;
    mien_status st;
    const task_values values = recipe_values(m->recipe, m->options->stage);
    TRY_OUT(validator_keep(m->validator, m->model, &values));
    root = json_pack("{s:i, s:s, s:o}", "epoch", m->state.best_epoch, "select", m->task->select[m->stage->select],
                     "validation", m->task->metrics(validator_report(m->validator)));
    TRY_OUT(json_check(root));
    TRY_OUT(json_print(&text, root));
    TRY_OUT(model_save(m->model, m->best_path, text));
    TRY_OUT(validator_write_csv(m->validator, m->csv_path));
out:
    json_decref(root);
    mem_free(text);
    return st;
}

mien_status member_select(member *m)
{
    const task_report *report = validator_report(m->validator);
    const char *by = m->task->select[m->stage->select], *lower = m->task->lower_is_better;
    const task_score *score = task_report_find(report, by);
    if (!score)
        return run_sets_cannot_tell(run_sets_selecting(m->options->sets), by, m->stage->name);
    double worth = lower && strcmp(by, lower) == 0 ? -score->value : score->value;
    if (!(worth > m->state.best_worth)) {
        m->state.bad_epochs++;
        return MIEN_OK;
    }
    m->state.best_worth = worth;
    m->state.best_epoch = m->state.epoch + 1;
    m->state.best_count = report->score_count;
    memcpy(m->state.best, report->scores, sizeof m->state.best);
    m->state.bad_epochs = 0;
    return save_best(m);
}

mien_status member_finish(member *m)
{
    const train_state *s = &m->state;
    json_t *line = json_pack("{s:s, s:s, s:s, s:i, s:i}", "event", "done", "member", m->name, "stage", m->stage->name,
                             "epochs", s->epoch, "best_epoch", s->best_epoch);
    run_log_add_scores(line, s->best, s->best_count);
    TRY(run_log_write(m->options->log, line));
    TRY(member_save(m));
    char text[64];
    int length = snprintf(text, sizeof text, "best epoch %d of %d\n", s->best_epoch, s->epoch);
    return file_write_all(m->done_path, text, (size_t)length);
}
