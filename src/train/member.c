/* Setting a stage up. Whatever decides a number is in train_state, the parameters or the optimizer's arenas, and all of
 * it is in last.ckpt; streams of random numbers are named by seed, epoch and step. So a run that was killed replays
 * from its checkpoint what an uninterrupted one computes, writing the same files again on the way. */
#include "train/member_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/mix.h"

#include <string.h>

bool member_has_state2(const recipe_stage *stage)
{
    return stage->optimizer.name != OPTIMIZER_SGD;
}

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

static mien_status create_model(member *m)
{
    model_spec spec = {.task = m->task->name,
                       .arch = m->recipe->models[m->options->index],
                       .heads = m->recipe->heads,
                       .head_count = m->recipe->head_count,
                       .image_size = m->recipe->image_size,
                       .variant = m->state.variant,
                       .kind = m->stage->kind};
    const bool is_begun = !m->is_resumed && m->init->tensors;
    const task_values values = recipe_values(m->recipe, m->options->stage);
    if (m->task->specify)
        TRY(m->task->specify(&spec, &values));
    memcpy(spec.mean, m->state.facts.mean, sizeof spec.mean);
    memcpy(spec.std, m->state.facts.std, sizeof spec.std);
    TRY(model_create(&m->model, &spec));
    if (is_begun)
        TRY(model_adopt_variant(m->model, m->init->tensors, m->init->path));
    m->state.variant = model_spec_of(m->model)->variant;
    m->params = model_params(m->model);
    TRY(model_init(m->model, m->seed, true));
    if (m->is_resumed)
        TRY(checkpoint_load(m->last_path, &m->state, m->params, member_has_state2(m->stage)));
    else if (is_begun)
        TRY(model_load_backbone(m->model, m->init->tensors, m->init->path));
    if (m->stage->freeze)
        model_freeze_backbone(m->model);
    int size = model_spec_of(m->model)->image_size;
    m->batch_bytes = (size_t)m->stage->batch * (size_t)size * (size_t)size * 3;
    return MIEN_OK;
}

/* Is every picture the same whenever it comes up? */
static bool pictures_are_fixed(const recipe *r, const picture_source *source)
{
    const augment_options *a = &r->augment;
    const bool is_redrawn = r->data.balance == BALANCE_RANDAUGMENT && r->randaugment.resample;
    return !source->is_renewed && a->zoom <= 1 && a->hue == 0 && !a->flip && a->crop == 0 && a->jitter == 0 &&
           a->grey == 0 && a->low_resolution == 0 && a->blur == 0 && a->noise == 0 && !is_redrawn &&
           !mix_is_on(&r->mix);
}

/* Takes what features of the plan's items need from what is left, where that is enough. */
static bool take_room(size_t *left, const member *m, const epoch_plan *plan)
{
    size_t bytes = feature_cache_bytes(m->model, m->options->facts.precision, plan->total);
    if (bytes > *left)
        return false;
    *left -= bytes;
    return true;
}

/* Validation always shows the same pictures, training only without random augmentation. */
static mien_status create_feature_cache(member *m)
{
    const train_options *o = m->options->options;
    const run_sets *sets = m->options->sets;
    size_t left = o->feature_limit ? o->feature_limit : TRAIN_FEATURE_LIMIT;
    if (!m->is_deviation)
        return MIEN_OK;
    m->keeps_validation = take_room(&left, m, &sets->select);
    if (m->draw_count > 1 || !pictures_are_fixed(m->recipe, sets->training->pictures->source) ||
        !take_room(&left, m, &sets->train))
        return MIEN_OK;
    return feature_cache_create(&m->features, m->model, o->backend, m->options->facts.precision, m->stage->batch,
                                sets->train.total);
}

static mien_status create_program(member *m)
{
    const optimizer_attr optimizer = {.kind = m->stage->optimizer.name,
                                      .beta1 = 0.9f,
                                      .beta2 = 0.999f,
                                      .eps = 1e-8f,
                                      .momentum = m->stage->optimizer.momentum,
                                      .weight_decay = m->stage->optimizer.weight_decay};
    m->ending = (task_ending){
        .task = m->task, .values = recipe_values(m->recipe, m->options->stage), .is_mixed = mix_is_on(&m->recipe->mix)};
    const model_ending ending = task_ending_of(&m->ending);
    const model_graph_options graph_options = {.batch = m->stage->batch,
                                               .activation_type = m->options->facts.precision,
                                               .part = m->features ? MODEL_WITHOUT_IDENTITY : MODEL_WHOLE,
                                               .is_training = true,
                                               .ending = &ending,
                                               .sums_batches = m->draw_count > 1,
                                               .optimizer = &optimizer};
    if (m->draw_count > 1)
        TRY(param_store_alloc_sums(m->params));
    TRY(model_program(&m->program, &m->io, m->model, &graph_options, m->options->options->backend, NULL));
    TRY(mem_alloc((char **)&m->ending.targets, m->ending.targets_bytes));
    TRY(mem_alloc(&m->rows, m->stage->batch));
    TRY(mem_alloc(&m->shown, m->stage->batch));
    if (m->ending.is_mixed)
        TRY(mem_alloc(&m->mixed, m->batch_bytes));
    if (!m->task->settle)
        return MIEN_OK;
    const run_sets *sets = m->options->sets;
    return m->task->settle(&m->ending, m->program, model_spec_of(m->model), sets->training, &sets->train);
}

static mien_status create_loaders(member *m)
{
    const train_options *o = m->options->options;
    const run_sets *sets = m->options->sets;
    loader_options training = {.batch = m->stage->batch,
                               .image_size = model_spec_of(m->model)->image_size,
                               .threads = o->loader_threads,
                               .is_shuffled = true,
                               .randaugment_of = LOADER_RANDAUGMENT_COPIES,
                               .randaugment = m->recipe->randaugment.options,
                               .is_resampled = m->recipe->randaugment.resample,
                               .augment = m->recipe->augment,
                               .max_bad_share = m->recipe->data.max_bad_share};
    const validator_options validation = {.model = m->model,
                                          .task = m->task,
                                          .set = run_sets_selecting(sets),
                                          .plan = &sets->select,
                                          .backend = o->backend,
                                          .precision = m->options->facts.precision,
                                          .batch = m->stage->batch,
                                          .loader_threads = o->loader_threads,
                                          .max_bad_share = m->recipe->data.max_bad_share,
                                          .keeps_features = m->keeps_validation};
    for (int d = 0; d < m->draw_count; d++) {
        training.plan = sets->draws[d];
        training.seed = member_draw_seed(m, d);
        TRY(loader_create(&m->loaders[d], &training));
    }
    m->batches = loader_batches(m->loaders[0]); /* of the others too: all draws have equally many pictures */
    m->total_steps = m->batches * m->stage->epochs;
    return validator_create(&m->validator, &validation);
}

/* A fresh model that begins with a file opens it here, once: normalisation, variant and weights come of it. */
static mien_status open_init(member *m)
{
    if (m->is_deviation && m->stage->init == STAGE_INIT_STAGE1) {
        m->stage1.path = m->stage1_path;
        m->init = &m->stage1;
    }
    if (!m->init->path[0] || m->init->tensors || file_exists(m->last_path))
        return MIEN_OK;
    return tensor_file_open(&m->init->tensors, m->init->path);
}

static mien_status run(member *m)
{
    char folder[RUN_PATH_BYTES];
    TRY(member_name_paths(m));
    TRY(run_path(folder, m->options->options->out, m->name, m->stage->name, NULL));
    TRY(file_make_folders(folder));
    TRY(open_init(m));
    TRY(member_find_state(m));
    TRY(create_model(m));
    tensor_file_close(m->stage1.tensors);
    m->stage1.tensors = NULL;
    TRY(create_feature_cache(m));
    TRY(create_loaders(m));
    TRY(member_begin(m));
    TRY(create_program(m));
    TRY(member_run_epochs(m));
    return member_finish(m);
}

mien_status member_train(const member_options *options)
{
    member *m = NULL;
    TRY(mem_zalloc(&m, 1));
    m->options = options;
    m->recipe = options->options->recipe;
    m->task = m->recipe->task;
    m->stage = &m->recipe->stages[options->stage];
    m->is_deviation = m->stage->kind == MODEL_DEVIATION;
    m->init = options->init;
    m->draw_count = options->sets->draw_count;
    m->seed = member_seed(m->recipe->seed, options->index);
    mien_status st = run(m);
    validator_free(m->validator);
    for (int d = 0; d < m->draw_count; d++)
        loader_free(m->loaders[d]);
    feature_cache_free(m->features);
    tensor_file_close(m->stage1.tensors);
    mem_free(m->ending.targets);
    mem_free(m->rows);
    mem_free(m->shown);
    mem_free(m->mixed);
    program_free(m->program);
    model_free(m->model);
    mem_free(m);
    return st;
}
