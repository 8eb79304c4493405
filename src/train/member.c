/* The loop. Whatever decides a number is in train_state, the parameters or the optimizer's arenas, and all of it is in
 * last.ckpt; streams of random numbers are named by seed, epoch and step. So a run that was killed replays from its
 * checkpoint what an uninterrupted one computes, writing the same files again on the way. */
#include "train/member.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "graph/program.h"
#include "train/frozen.h"
#include "train/mix.h"
#include "train/normalise.h"
#include "train/schedule.h"
#include "train/validate.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A killed run loses at most this, and an epoch shorter than that is not worth a checkpoint of its own. */
static const double checkpoint_every_s = 120, checkpoint_pause_s = 15;
enum { STEP_LINES_PER_EPOCH = 10, NAMED_FILES = 4, WHAT_BYTES = 160 };

typedef struct {
    const member_options *options;
    const recipe *recipe;
    const recipe_stage *stage;
    char name[RUN_NAME_BYTES];
    char last_path[RUN_PATH_BYTES], best_path[RUN_PATH_BYTES], csv_path[RUN_PATH_BYTES], done_path[RUN_PATH_BYTES];
    const char *init;                 /* "" = from scratch */
    char stage1_path[RUN_PATH_BYTES]; /* its best model, which stage 2 may begin with */
    bool is_deviation;                /* stage 2 */
    uint64_t seed;
    bool is_resumed; /* there was a last.ckpt */
    model *model;
    param_store *params; /* the model's */
    program *program;
    model_io io;
    loader *loader;
    uint8_t *mixed_images; /* a mixed batch and its targets; NULL: batches are not mixed */
    float *mixed_targets;
    step_params step; /* of the last step */
    frozen *frozen;   /* keeps the frozen copy's features; NULL: the program computes them each step, or has none */
    bool keeps_validation; /* the validator does */
    validator *validator;
    int64_t batches, total_steps; /* in an epoch, in the whole stage */
    size_t batch_bytes;           /* of pictures */
    train_state state;
    int64_t saved_ns;
} member;

bool member_has_state2(const recipe_stage *stage)
{
    return stage->optimizer.name != OPTIMIZER_SGD;
}

/* --- setting up --------------------------------------------------------------------------------------------------- */

/* Members draw from streams of their own; the first from the recipe's (a step of splitmix64 for the others). */
static uint64_t member_seed(uint64_t seed, int index)
{
    if (index == 0)
        return seed;
    uint64_t z = seed + (uint64_t)index * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static mien_status name_paths(member *m)
{
    const char *run = m->options->options->out, *stage = m->options->stage_name;
    run_member_name(m->name, m->recipe, m->options->index);
    TRY(run_path(m->last_path, run, m->name, stage, "last.ckpt"));
    TRY(run_path(m->best_path, run, m->name, stage, "best.safetensors"));
    TRY(run_path(m->stage1_path, run, m->name, recipe_stage_name(0), "best.safetensors"));
    TRY(run_path(m->csv_path, run, m->name, stage, "validation.csv"));
    return run_path(m->done_path, run, m->name, stage, "done");
}

static mien_status create_model(member *m)
{
    const char *classes[RECIPE_MAX_CLASSES];
    for (int c = 0; c < m->recipe->class_count; c++)
        classes[c] = m->recipe->classes[c];
    model_spec spec = {.task = m->recipe->task,
                       .arch = m->recipe->models[m->options->index],
                       .classes = classes,
                       .class_count = m->recipe->class_count,
                       .image_size = m->recipe->image_size,
                       .variant = m->state.variant,
                       .kind = m->is_deviation ? MODEL_DEVIATION : MODEL_PLAIN};
    memcpy(spec.mean, m->state.facts.mean, sizeof spec.mean);
    memcpy(spec.std, m->state.facts.std, sizeof spec.std);
    TRY(model_create(&m->model, &spec));
    if (!m->is_resumed && m->init[0])
        TRY(model_adopt_variant(m->model, m->init));
    m->state.variant = model_spec_of(m->model)->variant;
    m->params = model_params(m->model);
    TRY(model_init(m->model, m->seed, true));
    if (m->is_resumed)
        TRY(checkpoint_load(m->last_path, &m->state, m->params, member_has_state2(m->stage)));
    else if (m->init[0])
        TRY(model_load_backbone(m->model, m->init));
    if (m->stage->freeze) {
        param_store_set_trainable(m->params, "", false);
        param_store_set_trainable(m->params, model_head_prefix(m->model), true);
    }
    int size = model_spec_of(m->model)->image_size;
    m->batch_bytes = (size_t)m->stage->batch * (size_t)size * (size_t)size * 3;
    return MIEN_OK;
}

/* Is every picture the same whenever it comes up? */
static bool pictures_are_fixed(const recipe *r)
{
    const augment_options *a = &r->augment;
    const bool is_redrawn = r->data.balance == BALANCE_RANDAUGMENT && r->randaugment.resample;
    return !a->flip && a->crop == 0 && a->jitter == 0 && a->grey == 0 && a->low_resolution == 0 && a->blur == 0 &&
           a->noise == 0 && !is_redrawn && !mix_is_on(&r->mix);
}

/* Takes what features of the plan's items need from what is left, where that is enough. */
static bool take_room(size_t *left, const member *m, const balance_plan *plan)
{
    size_t bytes = frozen_bytes(m->model, m->options->facts.precision, plan->total);
    if (bytes > *left)
        return false;
    *left -= bytes;
    return true;
}

/* Validation always shows the same pictures, training only without random augmentation. */
static mien_status create_frozen(member *m)
{
    const train_options *o = m->options->options;
    const material *set = m->options->material;
    size_t left = o->feature_limit ? o->feature_limit : TRAIN_FEATURE_LIMIT;
    if (!m->is_deviation)
        return MIEN_OK;
    m->keeps_validation = take_room(&left, m, &set->validation);
    if (!pictures_are_fixed(m->recipe) || !take_room(&left, m, &set->train))
        return MIEN_OK;
    return frozen_create(&m->frozen, m->model, o->backend, m->options->facts.precision, m->stage->batch,
                         set->train.total);
}

static mien_status create_program(member *m)
{
    const optimizer_attr optimizer = {.kind = m->stage->optimizer.name,
                                      .beta1 = 0.9f,
                                      .beta2 = 0.999f,
                                      .eps = 1e-8f,
                                      .momentum = m->stage->optimizer.momentum,
                                      .weight_decay = m->stage->optimizer.weight_decay};
    const model_graph_options graph_options = {.batch = m->stage->batch,
                                               .activation_type = m->options->facts.precision,
                                               .part = m->frozen ? MODEL_WITHOUT_IDENTITY : MODEL_WHOLE,
                                               .is_training = true,
                                               .label_smoothing = m->stage->label_smoothing,
                                               .has_class_weights = m->stage->class_weight_count > 0,
                                               .has_soft_targets = mix_is_on(&m->recipe->mix),
                                               .optimizer = &optimizer};
    graph *g;
    const param_memory *params;
    TRY(param_store_place(m->params, &params, m->options->options->backend));
    TRY(model_graph(&g, &m->io, m->model, &graph_options));
    TRY(program_create(&m->program, g, m->options->options->backend, params));
    if (m->stage->class_weight_count > 0)
        TRY(program_write(m->program, m->io.class_weights, m->stage->class_weights));
    if (mix_is_on(&m->recipe->mix)) {
        TRY(mem_alloc(&m->mixed_images, m->batch_bytes));
        TRY(mem_alloc(&m->mixed_targets, m->stage->batch * m->recipe->class_count));
    }
    return MIEN_OK;
}

static mien_status create_loaders(member *m)
{
    const train_options *o = m->options->options;
    const loader_options training = {.plan = &m->options->material->train,
                                     .batch = m->stage->batch,
                                     .image_size = model_spec_of(m->model)->image_size,
                                     .threads = o->loader_threads,
                                     .is_shuffled = true,
                                     .seed = m->seed,
                                     .randaugment_of = LOADER_RANDAUGMENT_COPIES,
                                     .randaugment = m->recipe->randaugment.options,
                                     .is_resampled = m->recipe->randaugment.resample,
                                     .augment = m->recipe->augment,
                                     .max_bad_share = m->recipe->data.max_bad_share};
    const validator_options validation = {.model = m->model,
                                          .plan = &m->options->material->validation,
                                          .backend = o->backend,
                                          .precision = m->options->facts.precision,
                                          .batch = m->stage->batch,
                                          .loader_threads = o->loader_threads,
                                          .max_bad_share = m->recipe->data.max_bad_share,
                                          .keeps_features = m->keeps_validation};
    TRY(loader_create(&m->loader, &training));
    m->batches = loader_batches(m->loader);
    m->total_steps = m->batches * m->stage->epochs;
    return validator_create(&m->validator, &validation);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static mien_status save(member *m)
{
    TRY(run_log_sync(m->options->log));
    TRY(checkpoint_save(m->last_path, &m->state, m->params, member_has_state2(m->stage)));
    m->saved_ns = clock_ns();
    return MIEN_OK;
}

static double seconds_since(int64_t ns)
{
    return (double)(clock_ns() - ns) * 1e-9;
}

static mien_status log_start(member *m)
{
    const run_facts *f = &m->options->facts;
    json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:i}", "event", "start", "member", m->name, "stage",
                             m->options->stage_name, "arch", model_spec_of(m->model)->arch, "parameters",
                             (json_int_t)param_store_parameter_count(m->params), "precision", dtype_name(f->precision),
                             "isa", f->isa, "threads", f->threads);
    if (m->is_deviation)
        json_object_set_new(line, "cached_features", json_boolean(m->frozen != NULL));
    return run_log_write(m->options->log, line);
}

/* Where to begin: at the checkpoint, or with nothing. (Weights follow once there is a model.) */
static mien_status find_state(member *m)
{
    m->is_resumed = file_exists(m->last_path);
    if (m->is_resumed)
        return checkpoint_load(m->last_path, &m->state, NULL, false);
    m->state = (train_state){.facts = m->options->facts, .best_score = -INFINITY};
    if (m->recipe->data.normalise == NORMALISE_INIT)
        return normalise_of_init(m->state.facts.mean, m->state.facts.std,
                                 architecture_find(m->recipe->models[m->options->index]), m->init);
    return MIEN_OK;
}

/* A stage that was done has been given more epochs. */
static mien_status reopen(const member *m)
{
    return unlink(m->done_path) == 0 || errno == ENOENT ? MIEN_OK : file_fail(m->done_path, "cannot remove", errno);
}

static mien_status begin(member *m)
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
    return save(m); /* so that there is a good checkpoint from the first step on */
}

/* --- an epoch ----------------------------------------------------------------------------------------------------- */

static mien_status fail_nonfinite(const member *m, const loader_batch *batch, double loss)
{
    str files = {0};
    int named = batch->count < NAMED_FILES ? batch->count : NAMED_FILES;
    mien_status st = MIEN_OK;
    for (int i = 0; i < named; i++) {
        char name[DATASET_NAME_BYTES];
        TRY_OUT(dataset_name(m->options->material->train_set, batch->pictures[i], name, sizeof name));
        TRY_OUT(str_printf(&files, "%s%.200s", i ? ", " : "", name));
    }
    if (batch->count > named)
        TRY_OUT(str_printf(&files, " and %d more", batch->count - named));
    st = mien_fail(MIEN_ERR_FORMAT,
                   "%s %s: epoch %d, step %" PRId64 ": %s not finite (batch: %s; a lower %s.lr may help)", m->name,
                   m->options->stage_name, m->state.epoch + 1, m->state.step + 1,
                   isfinite(loss) ? "a gradient is" : "loss is", files.text, m->options->stage_name);
out:
    str_free(&files);
    return st;
}

/* The batch as it is, or mixed, into the program's inputs. */
static mien_status fill_inputs(member *m, const loader_batch *batch)
{
    const model_spec *spec = model_spec_of(m->model);
    const void *images = batch->images, *labels = batch->labels;
    if (m->mixed_images) {
        mix_plan plan = mix_draw(&m->recipe->mix, spec->image_size, m->seed, (uint32_t)m->state.epoch, m->state.batch);
        mix_batch(m->mixed_images, m->mixed_targets, &plan, batch, spec->image_size, spec->class_count);
        images = m->mixed_images;
        labels = m->mixed_targets;
    }
    TRY(program_write(m->program, m->io.images, images));
    TRY(program_write(m->program, m->io.labels, labels));
    return m->frozen ? frozen_fill(m->frozen, m->program, m->io.identity, batch) : MIEN_OK;
}

static mien_status run_step(member *m, const loader_batch *batch)
{
    float loss;
    m->step = (step_params){.lr = schedule_lr(m->stage, m->state.step, m->total_steps),
                            .step = (uint32_t)(m->state.step + 1),
                            .seed = m->seed};
    TRY(fill_inputs(m, batch));
    TRY(program_set_step(m->program, &m->step));
    TRY(program_run(m->program));
    TRY(program_read(m->program, m->io.loss, &loss));
    TRY(program_get_step(&m->step, m->program));
    if (m->step.is_nonfinite || !isfinite(loss))
        return fail_nonfinite(m, batch, (double)loss);
    if (!m->is_deviation) /* its batch norms count nothing: running statistics stay */
        param_store_count_batch(m->params);
    m->state.loss_sum += (double)loss;
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
                                   m->options->stage_name, "epoch", m->state.epoch + 1, "step",
                                   (json_int_t)m->state.step, "loss", loss, "lr", (double)m->step.lr));
}

/* "efficientnet_b0 stage1 epoch 3/20" */
static const char *what_text(char dst[WHAT_BYTES], const member *m, const char *doing)
{
    snprintf(dst, WHAT_BYTES, "%s %s %s %d/%d", m->name, m->options->stage_name, doing, m->state.epoch + 1,
             m->stage->epochs);
    return dst;
}

/* Trains from state.batch to the epoch's end. */
static mien_status run_batches(member *m)
{
    char what[WHAT_BYTES], note[48] = "";
    int64_t batch_count = m->stage->batch, begin_ns = clock_ns();
    double earlier_s = m->state.epoch_seconds;
    what_text(what, m, "epoch");
    if (m->state.batch < m->batches)
        TRY(loader_start(m->loader, (uint32_t)m->state.epoch, m->state.batch));
    for (;;) {
        if (progress_tell(m->options->progress, what, m->state.batch * batch_count, m->batches * batch_count,
                          note[0] ? note : NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "interrupted");
        if (m->state.batch == m->batches)
            return MIEN_OK;
        loader_batch batch;
        double before = m->state.loss_sum;
        TRY(loader_next(m->loader, &batch));
        TRY(run_step(m, &batch));
        m->state.epoch_seconds = earlier_s + seconds_since(begin_ns);
        snprintf(note, sizeof note, "loss %.3f", m->state.loss_sum / (double)m->state.batch);
        TRY(log_step(m, m->state.loss_sum - before));
        if (seconds_since(m->saved_ns) > checkpoint_every_s)
            TRY(save(m));
    }
}

/* The best so far is written before the checkpoint that says so: a kill between the two replays the epoch. */
static mien_status save_best(member *m)
{
    json_t *metrics = NULL, *root = NULL;
    char *text = NULL;
    mien_status st;
    TRY_OUT(validator_metrics(m->validator, &metrics));
    root = json_pack("{s:i, s:s, s:o}", "epoch", m->state.best_epoch, "select",
                     m->stage->select == SELECT_LOSS ? "loss" : "macro_f1", "validation", metrics);
    metrics = NULL; /* root's now */
    TRY_OUT(json_check(root));
    TRY_OUT(json_print(&text, root));
    TRY_OUT(model_save(m->model, m->best_path, text));
    TRY_OUT(validator_write_csv(m->validator, m->csv_path));
out:
    json_decref(metrics);
    json_decref(root);
    mem_free(text);
    return st;
}

static mien_status select_best(member *m, const validation_score *score)
{
    double worth = m->stage->select == SELECT_LOSS ? -score->loss : score->macro_f1;
    if (!(worth > m->state.best_score)) {
        m->state.bad_epochs++;
        return MIEN_OK;
    }
    m->state.best_score = worth;
    m->state.best_epoch = m->state.epoch + 1;
    m->state.best_val_loss = score->loss;
    m->state.best_macro_f1 = score->macro_f1;
    m->state.best_accuracy = score->accuracy;
    m->state.bad_epochs = 0;
    return save_best(m);
}

static mien_status log_epoch(member *m, const validation_score *score)
{
    double seconds = m->state.epoch_seconds, pictures = (double)(m->batches * m->stage->batch);
    return run_log_write(m->options->log,
                         json_pack("{s:s, s:s, s:s, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "event", "epoch",
                                   "member", m->name, "stage", m->options->stage_name, "epoch", m->state.epoch + 1,
                                   "step", (json_int_t)m->state.step, "train_loss",
                                   m->state.loss_sum / (double)m->batches, "val_loss", score->loss, "val_macro_f1",
                                   score->macro_f1, "val_accuracy", score->accuracy, "lr",
                                   (double)schedule_lr(m->stage, m->state.step - 1, m->total_steps), "images_per_s",
                                   seconds > 0 ? pictures / seconds : 0.0, "seconds", seconds));
}

static mien_status run_epoch(member *m)
{
    char what[WHAT_BYTES];
    validation_score score;
    TRY(run_batches(m));
    TRY(validator_run(m->validator, &score, m->options->progress, what_text(what, m, "validation")));
    TRY(select_best(m, &score));
    TRY(log_epoch(m, &score));
    m->state.epoch++;
    m->state.batch = 0;
    m->state.loss_sum = m->state.epoch_seconds = 0;
    if (seconds_since(m->saved_ns) > checkpoint_pause_s)
        TRY(save(m));
    return MIEN_OK;
}

/* An interrupted run is saved where it stands: between two steps. */
static mien_status run_epochs(member *m)
{
    while (!train_state_is_over(&m->state, m->stage)) {
        mien_status st = run_epoch(m);
        if (st == MIEN_ERR_CANCELLED) {
            TRY(save(m));
            return mien_fail(MIEN_ERR_CANCELLED, "%s: interrupted in epoch %d of %s (saved; --resume goes on)",
                             m->options->options->out, m->state.epoch + 1, m->name);
        }
        TRY(st);
    }
    return MIEN_OK;
}

static mien_status finish(member *m)
{
    const train_state *s = &m->state;
    TRY(run_log_write(m->options->log,
                      json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:f, s:f}", "event", "done", "member", m->name, "stage",
                                m->options->stage_name, "epochs", s->epoch, "best_epoch", s->best_epoch, "val_loss",
                                s->best_val_loss, "val_macro_f1", s->best_macro_f1, "val_accuracy", s->best_accuracy)));
    TRY(save(m));
    char text[64];
    int length = snprintf(text, sizeof text, "best epoch %d of %d\n", s->best_epoch, s->epoch);
    return file_write_all(m->done_path, text, (size_t)length);
}

static mien_status run(member *m)
{
    char folder[RUN_PATH_BYTES];
    TRY(name_paths(m));
    if (m->is_deviation && m->stage->init == STAGE_INIT_STAGE1)
        m->init = m->stage1_path;
    TRY(run_path(folder, m->options->options->out, m->name, m->options->stage_name, NULL));
    TRY(file_make_folders(folder));
    TRY(find_state(m));
    TRY(create_model(m));
    TRY(create_frozen(m));
    TRY(create_loaders(m));
    TRY(begin(m));
    TRY(create_program(m));
    TRY(run_epochs(m));
    return finish(m);
}

mien_status member_train(const member_options *options)
{
    member *m = NULL;
    TRY(mem_zalloc(&m, 1));
    m->options = options;
    m->recipe = options->options->recipe;
    m->stage = options->stage;
    m->is_deviation = options->stage == &m->recipe->stage2;
    m->init = m->recipe->init[options->index];
    m->seed = member_seed(m->recipe->seed, options->index);
    mien_status st = run(m);
    validator_free(m->validator);
    loader_free(m->loader);
    frozen_free(m->frozen);
    mem_free(m->mixed_images);
    mem_free(m->mixed_targets);
    program_free(m->program);
    model_free(m->model);
    mem_free(m);
    return st;
}
