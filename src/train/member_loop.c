/* The loop: batches into the program, steps, epochs. A step allocates nothing of ours.
 *
 * The next batch is fetched, and brought on its way to a device, between a run and the first look at what it left:
 * where runs are not over when they return, both go on side by side. */
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

static mien_status fail_nonfinite(const member *m, double loss)
{
    const picture_source *source = m->options->sets->training->pictures->source;
    const int count = m->stage->batch;
    str files = {0};
    int named = count < NAMED_FILES ? count : NAMED_FILES;
    mien_status st = MIEN_OK;
    for (int i = 0; i < named; i++) {
        char name[PICTURE_NAME_BYTES];
        TRY_OUT(source->name(source, m->shown[i].picture, name, sizeof name));
        TRY_OUT(str_printf(&files, "%s%.200s", i ? ", " : "", name));
    }
    if (count > named)
        TRY_OUT(str_printf(&files, " and %d more", count - named));
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

/* The batch as it is, or mixed: what its rows show, and its pictures on their way into the program. */
static mien_status bring(member *m, int draw)
{
    const loader_batch *batch = &m->batch;
    const int size = model_spec_of(m->model)->image_size;
    if (m->mixed) {
        mix_plan plan =
            mix_draw(&m->recipe->mix, size, member_draw_seed(m, draw), (uint32_t)m->state.epoch, batch->index);
        mix_batch(m->mixed, m->rows, &plan, batch, size);
    } else {
        for (int i = 0; i < batch->count; i++)
            m->rows[i] = (task_row){batch->pictures[i], batch->pictures[i], 1, batch->is_mirrored[i]};
    }
    m->is_brought = true;
    return program_stage(m->program, m->io.images, m->mixed ? m->mixed : batch->images);
}

/* The next batch of a draw, which may have to be waited for. */
static mien_status fetch(member *m, int draw)
{
    const int64_t before = clock_ns();
    mien_status st = loader_next(m->loaders[draw], &m->batch);
    m->waited_s += member_seconds_since(before);
    return st;
}

/* What comes after `draw` of this step, if anything does in this epoch. A picture that fails is told by the step that
 * it belongs to: the loader says it again then. */
static mien_status bring_next(member *m, int draw)
{
    const bool ends_step = draw + 1 == m->draw_count;
    const int next = ends_step ? 0 : draw + 1;
    if ((ends_step && m->state.batch + 1 == m->batches) || fetch(m, next) != MIEN_OK)
        return MIEN_OK;
    return bring(m, next);
}

/* The batch that was brought, into the program's inputs; the task knows what each row's targets are. */
static mien_status fill_inputs(member *m, int draw)
{
    if (!m->is_brought) {
        TRY(fetch(m, draw));
        TRY(bring(m, draw));
    }
    m->is_brought = false;
    TRY(program_take(m->program, m->io.images));
    TRY(m->task->fill(&m->ending, m->program, model_spec_of(m->model), m->options->sets->training, draw, m->rows,
                      m->batch.count));
    task_row *shown = m->rows;
    m->rows = m->shown;
    m->shown = shown;
    return m->features ? feature_cache_fill(m->features, m->program, m->io.identity, &m->batch) : MIEN_OK;
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
static mien_status run_draw(member *m, int draw)
{
    m->step = (step_params){.lr = schedule_lr(m->stage, m->state.step, m->total_steps),
                            .step = (uint32_t)(m->state.step + 1),
                            .seed = member_draw_seed(m, draw)};
    TRY(fill_inputs(m, draw));
    TRY(program_set_step(m->program, &m->step));
    if (m->draw_count == 1)
        return program_run(m->program);
    TRY(program_run_gradients(m->program, draw == 0));
    return draw + 1 == m->draw_count ? program_run_update(m->program) : MIEN_OK;
}

static mien_status run_step(member *m)
{
    double loss = 0;
    for (int d = 0; d < m->draw_count; d++) {
        TRY(run_draw(m, d));
        TRY(bring_next(m, d));
        TRY(add_loss(&loss, m));
        if (!m->is_deviation) /* its batch norms count nothing: running statistics stay */
            param_store_count_batch(m->params);
    }
    TRY(program_get_step(&m->step, m->program));
    if (m->step.is_nonfinite || !isfinite(loss))
        return fail_nonfinite(m, loss);
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

/* Where a device computes, or pictures are made, what they cost beside the steps is worth knowing: the share of this
 * call's part of the epoch that was spent waiting for them; -1 elsewhere. */
static double waiting_share(const member *m)
{
    const double seconds = member_seconds_since(m->epoch_begun_ns);
    const bool is_told =
        m->options->options->backend->memory || m->options->sets->training->pictures->source->is_renewed;
    return is_told && seconds > 0 ? m->waited_s / seconds : -1;
}

/* "loss 0.693, 12% waiting for pictures" */
static void print_note(char *dst, size_t bytes, const member *m)
{
    const double share = waiting_share(m);
    int length = snprintf(dst, bytes, "loss %.3f", m->state.loss_sum / (double)m->state.batch);
    if (share >= 0)
        snprintf(dst + length, bytes - (size_t)length, ", %.0f%% waiting for pictures", 100 * share);
}

/* Trains from state.batch to the epoch's end. */
static mien_status run_batches(member *m)
{
    char what[WHAT_BYTES], note[80] = "";
    int64_t batch_count = m->stage->batch;
    double earlier_s = m->state.epoch_seconds;
    m->epoch_begun_ns = clock_ns();
    m->waited_s = 0;
    m->is_brought = false;
    what_text(what, m, "epoch");
    if (m->task->renew)
        TRY(m->task->renew(m->options->sets->training, (uint32_t)m->state.epoch));
    for (int d = 0; m->state.batch < m->batches && d < m->draw_count; d++)
        TRY(loader_start(m->loaders[d], (uint32_t)m->state.epoch, m->state.batch));
    for (;;) {
        if (progress_tell(m->options->progress, what, m->state.batch * batch_count, m->batches * batch_count,
                          note[0] ? note : NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "interrupted");
        if (m->state.batch == m->batches) {
            m->waiting = waiting_share(m);
            return MIEN_OK;
        }
        double before = m->state.loss_sum;
        TRY(run_step(m));
        m->state.epoch_seconds = earlier_s + member_seconds_since(m->epoch_begun_ns);
        print_note(note, sizeof note, m);
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
    if (m->waiting >= 0)
        json_object_set_new(line, "waiting", json_real(m->waiting));
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
