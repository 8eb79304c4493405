/* The loop: batches into the program, steps, epochs. A step allocates nothing of ours. */
#include "train/member_int.h"

#include "base/log.h"
#include "train/mix.h"
#include "train/schedule.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* A killed run loses at most this, and an epoch shorter than that is not worth a checkpoint of its own. */
static const double checkpoint_every_s = 120, checkpoint_pause_s = 15;
enum { STEP_LINES_PER_EPOCH = 10, NAMED_FILES = 4, WHAT_BYTES = 160 };

/* --- a step ------------------------------------------------------------------------------------------------------- */

static mien_status fail_nonfinite(const member *m, const loader_batch *batch, double loss)
{
    const picture_source *source = m->options->sets->training->pictures->source;
    str files = {0};
    int named = batch->count < NAMED_FILES ? batch->count : NAMED_FILES;
    mien_status st = MIEN_OK;
    for (int i = 0; i < named; i++) {
        char name[PICTURE_NAME_BYTES];
        TRY_OUT(source->name(source, batch->pictures[i], name, sizeof name));
        TRY_OUT(str_printf(&files, "%s%.200s", i ? ", " : "", name));
    }
    if (batch->count > named)
        TRY_OUT(str_printf(&files, " and %d more", batch->count - named));
    st = mien_fail(MIEN_ERR_FORMAT,
                   "%s %s: epoch %d, step %" PRId64 ": %s not finite (batch: %s; a lower %s.lr may help)", m->name,
                   m->stage->name, m->state.epoch + 1, m->state.step + 1, isfinite(loss) ? "a gradient is" : "loss is",
                   files.text, m->stage->name);
out:
    str_free(&files);
    return st;
}

uint64_t member_draw_seed(const member *m, int draw)
{
    return m->seed ^ ((uint64_t)draw * 0xD1B54A32D192ED03u);
}

/* The batch as it is, or mixed, into the program's inputs; the task knows what each row's targets are. */
static mien_status fill_inputs(member *m, const loader_batch *batch, int draw)
{
    const model_spec *spec = model_spec_of(m->model);
    if (m->mixed) {
        mix_plan plan = mix_draw(&m->recipe->mix, spec->image_size, member_draw_seed(m, draw), (uint32_t)m->state.epoch,
                                 m->state.batch);
        mix_batch(m->mixed, m->rows, &plan, batch, spec->image_size);
    } else {
        for (int i = 0; i < batch->count; i++)
            m->rows[i] = (task_row){batch->pictures[i], batch->pictures[i], 1, batch->is_mirrored[i]};
    }
    TRY(program_write(m->program, m->io.images, m->mixed ? m->mixed : batch->images));
    TRY(m->task->fill(&m->ending, m->program, spec, m->options->sets->training, draw, m->rows, batch->count));
    return m->features ? feature_cache_fill(m->features, m->program, m->io.identity, batch) : MIEN_OK;
}

static mien_status add_loss(double *loss, member *m)
{
    for (int i = 0; i < m->io.loss_count; i++) {
        float term;
        TRY(program_read(m->program, m->io.losses[i].value, &term));
        *loss += (double)m->io.losses[i].weight * (double)term;
    }
    return MIEN_OK;
}

/* Forward, backward and, of the last batch, the update. */
static mien_status run_draw(member *m, const loader_batch *batch, int draw)
{
    m->step = (step_params){.lr = schedule_lr(m->stage, m->state.step, m->total_steps),
                            .step = (uint32_t)(m->state.step + 1),
                            .seed = member_draw_seed(m, draw)};
    TRY(fill_inputs(m, batch, draw));
    TRY(program_set_step(m->program, &m->step));
    if (m->draw_count == 1)
        return program_run(m->program);
    TRY(program_run_gradients(m->program, draw == 0));
    return draw + 1 == m->draw_count ? program_run_update(m->program) : MIEN_OK;
}

static mien_status run_step(member *m)
{
    double loss = 0;
    loader_batch batch;
    for (int d = 0; d < m->draw_count; d++) {
        TRY(loader_next(m->loaders[d], &batch));
        TRY(run_draw(m, &batch, d));
        TRY(add_loss(&loss, m));
        if (!m->is_deviation) /* its batch norms count nothing: running statistics stay */
            param_store_count_batch(m->params);
    }
    TRY(program_get_step(&m->step, m->program));
    if (m->step.is_nonfinite || !isfinite(loss))
        return fail_nonfinite(m, &batch, loss);
    m->state.loss_sum += loss;
    m->state.step++;
    m->state.batch++;
    return MIEN_OK;
}

static mien_status log_step(member *m, double loss)
{
    int64_t every = m->batches > STEP_LINES_PER_EPOCH ? m->batches / STEP_LINES_PER_EPOCH : 1;
    if (m->state.batch % every != 0)
        return MIEN_OK;
    return run_log_write(m->options->log,
                         json_pack("{s:s, s:s, s:s, s:i, s:I, s:f, s:f}", "event", "step", "member", m->name, "stage",
                                   m->stage->name, "epoch", m->state.epoch + 1, "step", (json_int_t)m->state.step,
                                   "loss", loss, "lr", (double)m->step.lr));
}

/* --- an epoch ----------------------------------------------------------------------------------------------------- */

/* "efficientnet_b0 stage1 epoch 3/20" */
static const char *what_text(char dst[WHAT_BYTES], const member *m, const char *doing)
{
    snprintf(dst, WHAT_BYTES, "%s %s %s %d/%d", m->name, m->stage->name, doing, m->state.epoch + 1, m->stage->epochs);
    return dst;
}

/* Trains from state.batch to the epoch's end. */
static mien_status run_batches(member *m)
{
    char what[WHAT_BYTES], note[48] = "";
    int64_t batch_count = m->stage->batch, begin_ns = clock_ns();
    double earlier_s = m->state.epoch_seconds;
    what_text(what, m, "epoch");
    for (int d = 0; m->state.batch < m->batches && d < m->draw_count; d++)
        TRY(loader_start(m->loaders[d], (uint32_t)m->state.epoch, m->state.batch));
    for (;;) {
        if (progress_tell(m->options->progress, what, m->state.batch * batch_count, m->batches * batch_count,
                          note[0] ? note : NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "interrupted");
        if (m->state.batch == m->batches)
            return MIEN_OK;
        double before = m->state.loss_sum;
        TRY(run_step(m));
        m->state.epoch_seconds = earlier_s + member_seconds_since(begin_ns);
        snprintf(note, sizeof note, "loss %.3f", m->state.loss_sum / (double)m->state.batch);
        TRY(log_step(m, m->state.loss_sum - before));
        if (member_seconds_since(m->saved_ns) > checkpoint_every_s)
            TRY(member_save(m));
    }
}

static mien_status log_epoch(member *m)
{
    const task_report *report = validator_report(m->validator);
    double seconds = m->state.epoch_seconds, pictures = (double)(m->batches * m->stage->batch * m->draw_count);
    json_t *line = json_pack("{s:s, s:s, s:s, s:i, s:I, s:f}", "event", "epoch", "member", m->name, "stage",
                             m->stage->name, "epoch", m->state.epoch + 1, "step", (json_int_t)m->state.step,
                             "train_loss", m->state.loss_sum / (double)m->batches);
    run_log_add_scores(line, report->scores, report->score_count);
    json_object_set_new(line, "lr", json_real((double)schedule_lr(m->stage, m->state.step - 1, m->total_steps)));
    json_object_set_new(line, "images_per_s", json_real(seconds > 0 ? pictures / seconds : 0.0));
    json_object_set_new(line, "seconds", json_real(seconds));
    return run_log_write(m->options->log, line);
}

static mien_status run_epoch(member *m)
{
    char what[WHAT_BYTES];
    TRY(run_batches(m));
    TRY(validator_run(m->validator, m->options->progress, what_text(what, m, "validation")));
    TRY(member_select(m));
    TRY(log_epoch(m));
    m->state.epoch++;
    m->state.batch = 0;
    m->state.loss_sum = m->state.epoch_seconds = 0;
    if (member_seconds_since(m->saved_ns) > checkpoint_pause_s)
        TRY(member_save(m));
    return MIEN_OK;
}

mien_status member_run_epochs(member *m)
{
    while (!train_state_is_over(&m->state, m->stage)) {
        mien_status st = run_epoch(m);
        if (st == MIEN_ERR_CANCELLED) {
            TRY(member_save(m));
            return mien_fail(MIEN_ERR_CANCELLED, "%s: interrupted in epoch %d of %s (saved; --resume goes on)",
                             m->options->options->out, m->state.epoch + 1, m->name);
        }
        TRY(st);
    }
    return MIEN_OK;
}
