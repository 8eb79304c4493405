/* A run: what its members share is settled once, then they train one after another. */
#include "train/train.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/member.h"
#include "train/normalise.h"
#include "train/pictures.h"
#include "train/run_ensemble.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const train_options *options;
    const recipe *recipe;
    source_list data; /* the options', or the recipe's */
    run_folder folder;
    run_sets sets;
    init_file inits[RECIPE_MAX_MODELS]; /* of each member */
    run_log *log;
    progress *progress;
    run_facts facts;
    bool has_earlier;   /* facts of an earlier call were found */
    run_facts earlier;  /* ... and are these */
    uint64_t used_hash; /* of the recipe that the run was begun with, or last gone on with */
} run_state;

/* --- what members share ------------------------------------------------------------------------------------------- */

static mien_status hash_recipe(uint64_t *out, const recipe *r)
{
    str text = {0};
    mien_status st = recipe_print(r, &text);
    if (st == MIEN_OK)
        *out = hash_bytes(HASH_BEGIN, text.text, text.length);
    str_free(&text);
    return st;
}

/* Of recipe.yaml as it stands: a build whose recipes had fewer keys wrote it, and hashed what it wrote. */
static mien_status hash_recipe_file(uint64_t *out, const char *run)
{
    char path[RUN_PATH_BYTES], *text;
    size_t length;
    TRY(run_file(path, run, "recipe.yaml"));
    TRY(file_read(&text, &length, path, 0));
    *out = hash_bytes(HASH_BEGIN, text, length);
    mem_free(text);
    return MIEN_OK;
}

/* Any member's checkpoint says what the run was begun with. */
static mien_status find_earlier(run_state *run)
{
    const int stages = run->recipe->stage_count;
    for (int i = 0; i < run->recipe->model_count * stages && !run->has_earlier; i++) {
        char name[RUN_NAME_BYTES], path[RUN_PATH_BYTES];
        train_state state;
        run_member_name(name, run->recipe, i / stages);
        TRY(run_path(path, run->options->out, name, run->recipe->stages[i % stages].name, "last.ckpt"));
        if (!file_exists(path))
            continue;
        TRY(checkpoint_load(path, &state, NULL, false));
        run->earlier = state.facts;
        run->has_earlier = true;
    }
    return MIEN_OK;
}

/* The precision a run was begun in is kept: `auto` means that one, and asking for the other is refused. */
static mien_status settle_precision(run_state *run)
{
    const backend *b = run->options->backend;
    run_facts *f = &run->facts;
    TRY(precision_resolve(&f->precision, run->options->precision, b));
    snprintf(f->device, sizeof f->device, "%s", b->name);
    snprintf(f->isa, sizeof f->isa, "%s", b->isa(b));
    f->threads = b->threads(b);
    if (!run->has_earlier)
        return MIEN_OK;
    const run_facts *e = &run->earlier;
    if (e->precision == DTYPE_BF16 && !b->computes_bf16(b))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: begun in bf16 (%s), which this machine does not compute in (%s)",
                         run->options->out, e->isa, f->isa);
    if (run->options->precision != PRECISION_AUTO && e->precision != f->precision)
        return mien_fail(MIEN_ERR_ARG, "%s: begun in another precision (%s, wanted %s)", run->options->out,
                         dtype_name(f->precision), dtype_name(e->precision));
    f->precision = e->precision;
    if (strcmp(e->device, f->device) != 0)
        log_notice("%s: begun on %s (%s), goes on on %s (%s): bits may differ", run->options->out, e->device, e->isa,
                   f->device, f->isa);
    else if (strcmp(e->isa, f->isa) != 0 || e->threads != f->threads)
        log_notice("%s: begun on %s with %d threads, goes on on %s with %d: bits may differ", run->options->out, e->isa,
                   e->threads, f->isa, f->threads);
    return MIEN_OK;
}

/* Checkpoints belong to what recipe.yaml says, or means (who edited it may have changed no value), or, where a call
 * that gave more epochs was killed, to what is said now. */
static mien_status check_recipe(run_state *run)
{
    const uint64_t begun = run->earlier.recipe_hash, now = run->facts.recipe_hash;
    uint64_t meant = now;
    run->used_hash = now;
    if (run->folder.is_used) {
        TRY(hash_recipe_file(&run->used_hash, run->options->out));
        TRY(hash_recipe(&meant, run->folder.used));
    }
    if (begun != now && begun == meant)
        run->used_hash = meant;
    if (begun != now && begun != run->used_hash)
        return mien_fail(MIEN_ERR_ARG, "%s: recipe.yaml is not the one that its checkpoints were trained with",
                         run->options->out);
    return MIEN_OK;
}

/* More epochs, or more keys: all checkpoints become the new recipe's before recipe.yaml does. */
static mien_status take_recipe_over(const run_state *run)
{
    const int stages = run->recipe->stage_count;
    const bool is_another = run->has_earlier && run->used_hash != run->facts.recipe_hash;
    for (int i = 0; is_another && i < run->recipe->model_count * stages; i++) {
        char name[RUN_NAME_BYTES], path[RUN_PATH_BYTES];
        run_member_name(name, run->recipe, i / stages);
        TRY(run_path(path, run->options->out, name, run->recipe->stages[i % stages].name, "last.ckpt"));
        if (file_exists(path))
            TRY(checkpoint_change_recipe(path, run->used_hash, run->facts.recipe_hash));
    }
    return MIEN_OK;
}

static mien_status settle_data(run_state *run)
{
    run->facts.data_hash = run->sets.hash;
    TRY(hash_recipe(&run->facts.recipe_hash, run->recipe));
    if (!run->has_earlier)
        return MIEN_OK;
    if (run->earlier.data_hash != run->facts.data_hash)
        return mien_fail(MIEN_ERR_ARG, "%s: not the pictures that %s was begun with (names or labels differ)",
                         run->data.at[0].path, run->options->out);
    TRY(check_recipe(run));
    return pictures_compare(&run->sets, run->options->out, run->data.at[0].path);
}

/* Statistics cost a pass over all pictures, so a run that goes on takes those it has. */
static mien_status settle_normalisation(run_state *run)
{
    const recipe *r = run->recipe;
    if (!run->has_earlier || r->data.normalise != NORMALISE_DATASET)
        return normalise_of_run(run->facts.mean, run->facts.std, r, &run->sets, run->options->loader_threads,
                                run->progress);
    memcpy(run->facts.mean, run->earlier.mean, sizeof run->facts.mean);
    memcpy(run->facts.std, run->earlier.std, sizeof run->facts.std);
    return MIEN_OK;
}

/* Init files are needed long after the pictures have been measured: what is not there is told before. */
static mien_status open_inits(run_state *run)
{
    for (int i = 0; i < run->recipe->model_count; i++)
        if (run->inits[i].path[0])
            TRY(tensor_file_open(&run->inits[i].tensors, run->inits[i].path));
    return MIEN_OK;
}

/* --- what is finished --------------------------------------------------------------------------------------------- */

/* A member's stage that is `done`, unless the recipe has been given more epochs since. (Whoever deleted the checkpoint
 * wants no more of them.) */
static mien_status find_finished(bool *out, const run_state *run, const char *member, int stage)
{
    const recipe_stage *s = &run->recipe->stages[stage];
    char path[RUN_PATH_BYTES];
    train_state state;
    TRY(run_path(path, run->options->out, member, s->name, "done"));
    *out = file_exists(path);
    TRY(run_path(path, run->options->out, member, s->name, "last.ckpt"));
    if (!*out || !file_exists(path))
        return MIEN_OK;
    TRY(checkpoint_load(path, &state, NULL, false));
    *out = train_state_is_over(&state, s);
    return MIEN_OK;
}

/* --- log ---------------------------------------------------------------------------------------------------------- */

static mien_status mark_stage(run_log_mark *out, const run_state *run, const char *member, int stage)
{
    char path[RUN_PATH_BYTES];
    train_state state = {0};
    *out = (run_log_mark){.member = member, .stage = run->recipe->stages[stage].name};
    TRY(find_finished(&out->is_finished, run, member, stage));
    TRY(run_path(path, run->options->out, member, out->stage, "last.ckpt"));
    out->has_checkpoint = file_exists(path);
    if (!out->is_finished && out->has_checkpoint)
        TRY(checkpoint_load(path, &state, NULL, false));
    out->step = state.step;
    out->epochs = state.epoch;
    return MIEN_OK;
}

static mien_status open_log(run_state *run)
{
    char path[RUN_PATH_BYTES], names[RECIPE_MAX_MODELS][RUN_NAME_BYTES];
    run_log_mark marks[RECIPE_MAX_MODELS * TASK_MAX_STAGES];
    const int stages = run->recipe->stage_count, count = run->recipe->model_count * stages;
    for (int i = 0; i < count; i++) {
        char *name = names[i / stages];
        run_member_name(name, run->recipe, i / stages);
        TRY(mark_stage(&marks[i], run, name, i % stages));
    }
    TRY(run_file(path, run->options->out, "log.jsonl"));
    return run_log_open(&run->log, path, marks, count);
}

static json_t *triple(const float x[3])
{
    return json_pack("[f, f, f]", (double)x[0], (double)x[1], (double)x[2]);
}

static mien_status log_data(run_state *run)
{
    const run_sets *sets = &run->sets;
    json_t *line = json_pack("{s:s, s:I, s:I}", "event", "data", "train", (json_int_t)sets->kept.count, "validation",
                             (json_int_t)sets->held.count);
    if (run->recipe->task->account) {
        json_t *account = run->recipe->task->account(sets->training, &sets->train);
        json_object_update(line, account);
        json_decref(account);
    }
    if (run->recipe->data.normalise != NORMALISE_INIT) { /* else its members' model files say it */
        json_object_set_new(line, "mean", triple(run->facts.mean));
        json_object_set_new(line, "std", triple(run->facts.std));
    }
    return run_log_write(run->log, line);
}

/* --- members ------------------------------------------------------------------------------------------------------ */

static mien_status train_stage(run_state *run, int index, int stage)
{
    char name[RUN_NAME_BYTES];
    bool is_finished;
    run_member_name(name, run->recipe, index);
    TRY(find_finished(&is_finished, run, name, stage));
    if (is_finished || !run->recipe->stages[stage].enabled)
        return MIEN_OK;
    member_options options = {.options = run->options,
                              .stage = stage,
                              .init = &run->inits[index],
                              .sets = &run->sets,
                              .log = run->log,
                              .progress = run->progress,
                              .facts = run->facts,
                              .index = index};
    return member_train(&options);
}

static void close_init(init_file *init)
{
    tensor_file_close(init->tensors);
    init->tensors = NULL;
}

static bool is_of_classes(const recipe *r)
{
    return r->head_count == 1 && r->heads[0].kind == HEAD_CLASS;
}

static mien_status train(run_state *run)
{
    const train_options *o = run->options;
    if (run->data.count == 0)
        return mien_fail(MIEN_ERR_ARG, "data.sets: none to train on (wanted some, or --data)");
    TRY(run_folder_open(&run->folder, o->out, run->recipe, o->is_resumed));
    TRY(find_earlier(run));
    if (!run->has_earlier)
        TRY(open_inits(run));
    TRY(settle_precision(run));
    TRY(run_sets_open(&run->sets, run->recipe, &run->data, &o->validation, o->is_strict));
    TRY(settle_data(run));
    mien_status st = settle_normalisation(run);
    if (st == MIEN_ERR_CANCELLED)
        return mien_fail(st, "%s: interrupted before the first step (--resume starts it again)", o->out);
    TRY(st);
    TRY(take_recipe_over(run));
    TRY(run_folder_begin(&run->folder, run->recipe));
    if (!run->has_earlier || !pictures_are_known(o->out))
        TRY(pictures_write(&run->sets, o->out));
    TRY(open_log(run));
    if (run_log_is_empty(run->log))
        TRY(log_data(run));
    for (int i = 0; i < run->recipe->model_count; i++) {
        for (int stage = 0; stage < run->recipe->stage_count; stage++)
            TRY(train_stage(run, i, stage));
        close_init(&run->inits[i]);
    }
    return is_of_classes(run->recipe) && run->recipe->model_count > 1 ? run_ensemble_fit(o->out) : MIEN_OK;
}

mien_status train_run(const train_options *options)
{
    progress silent = {0};
    run_state run = {.options = options,
                     .recipe = options->recipe,
                     .data = options->data.count ? options->data : options->recipe->data.sets,
                     .folder = {.lock = -1},
                     .progress = options->progress ? options->progress : &silent};
    for (int i = 0; i < run.recipe->model_count; i++)
        run.inits[i].path = run.recipe->init[i];
    mien_status st = train(&run);
    for (int i = 0; i < run.recipe->model_count; i++)
        close_init(&run.inits[i]);
    run_log_close(run.log);
    run_sets_close(&run.sets);
    run_folder_close(&run.folder);
    return st;
}
