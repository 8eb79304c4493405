/* The multi-task step as `mien train` takes it: the model, heads, draws, losses and optimizer of the task's recipe. Its
 * annotations are made for the purpose and know everything; no picture of theirs is ever read, pixels are random. */
#include "task/mtl.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/bench_int.h"
#include "train/recipe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 64, CLASSES = 8, UNITS = 12 };

/* --- annotations -------------------------------------------------------------------------------------------------- */

/* The challenge's 16 fields a row. */
static mien_status write_annotations(const char *path)
{
    str text = {0};
    mien_status st = MIEN_OK;
    TRY_OUT(str_append(&text, "image,valence,arousal,expression,aus\n"));
    for (int i = 0; i < ROWS; i++) {
        rng r = rng_at(2, 0, (uint64_t)i, RNG_BENCH);
        const double valence = (double)rng_range(&r, -1, 1), arousal = (double)rng_range(&r, -1, 1);
        TRY_OUT(str_printf(&text, "%d.jpg,%.4f,%.4f,%d", i, valence, arousal, i % CLASSES));
        for (int k = 0; k < UNITS; k++)
            TRY_OUT(str_printf(&text, ",%d", (i + k) % 3 == 0));
        TRY_OUT(str_append(&text, "\n"));
    }
    st = file_write_all(path, text.text, text.length);
out:
    str_free(&text);
    return st;
}

static mien_status open_set(bench_mtl *b)
{
    const recipe *r = b->recipe;
    const task_values values = recipe_values(r, 0);
    char folder[1024], path[1100];
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/mien-bench-XXXXXX", root && *root ? root : "/tmp");
    if (!mkdtemp(folder))
        return file_fail(folder, "cannot be made", errno);
    snprintf(path, sizeof path, "%s/faces.txt", folder);
    const task_source source = {.path = path};
    const task_set_options options = {.sources = &source,
                                      .source_count = 1,
                                      .heads = r->heads,
                                      .head_count = r->head_count,
                                      .values = &values,
                                      .is_training = true};
    mien_status st = write_annotations(path);
    if (st == MIEN_OK)
        st = r->task->open(&b->set, NULL, &options);
    unlink(path);
    rmdir(folder);
    return st;
}

/* Weights are counted over all of it. */
static mien_status settle(const bench_mtl *b)
{
    subset all = {0};
    epoch_plan plan = {0};
    mien_status st;
    TRY_OUT(subset_all(&all, b->set->pictures));
    TRY_OUT(epoch_plan_create(&plan, b->set->pictures, &all, false));
    st = b->recipe->task->settle(&b->ending, b->program, model_spec_of(b->model), b->set, &plan);
out:
    epoch_plan_free(&plan);
    subset_free(&all);
    return st;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static mien_status read_recipe(recipe **out, const mien_bench_options *o)
{
    char models[64], kind[32], batch[32], size[32];
    const char *const settings[] = {"task=mtl", models, kind, batch, size};
    snprintf(models, sizeof models, "models=[%.40s]", o->arch);
    snprintf(kind, sizeof kind, "mtl.kind=%s", o->kind == MIEN_BENCH_SMM ? "smm" : "baseline");
    snprintf(batch, sizeof batch, "mtl.batch=%d", o->batch);
    snprintf(size, sizeof size, "image_size=%d", o->image_size);
    return recipe_load(out, task_all, NULL, settings, 5);
}

static mien_status create_model(bench_mtl *b)
{
    const recipe *r = b->recipe;
    const task_values values = recipe_values(r, 0);
    model_spec spec = {.task = r->task->name,
                       .arch = r->models[0],
                       .heads = r->heads,
                       .head_count = r->head_count,
                       .image_size = r->image_size};
    memcpy(spec.mean, r->data.mean, sizeof spec.mean);
    memcpy(spec.std, r->data.std, sizeof spec.std);
    TRY(r->task->specify(&spec, &values));
    TRY(model_create(&b->model, &spec));
    return model_init(b->model, 1, true);
}

static mien_status create_program(bench_mtl *b, backend *on, dtype type)
{
    const recipe_stage *stage = &b->recipe->stages[0];
    const optimizer_attr optimizer = {.kind = stage->optimizer.name,
                                      .momentum = stage->optimizer.momentum,
                                      .weight_decay = stage->optimizer.weight_decay};
    b->ending = (task_ending){.task = b->recipe->task, .values = recipe_values(b->recipe, 0)};
    const model_ending ending = task_ending_of(&b->ending);
    const model_graph_options options = {.batch = stage->batch,
                                         .activation_type = type,
                                         .is_training = true,
                                         .ending = &ending,
                                         .sums_batches = true,
                                         .optimizer = &optimizer};
    TRY(param_store_alloc_sums(model_params(b->model)));
    TRY(model_program(&b->program, &b->io, b->model, &options, on, NULL));
    TRY(mem_alloc((char **)&b->ending.targets, b->ending.targets_bytes));
    return settle(b);
}

mien_status bench_mtl_create(bench_mtl *b, const mien_bench_options *o, backend *on, dtype type)
{
    task_draw draws[TASK_MAX_DRAWS];
    TRY(read_recipe(&b->recipe, o));
    const task_values values = recipe_values(b->recipe, 0);
    b->draws = b->recipe->task->draws(draws, &values, b->recipe->heads, b->recipe->head_count);
    TRY(open_set(b));
    TRY(create_model(b));
    TRY(create_program(b, on, type));
    const size_t size = (size_t)model_spec_of(b->model)->image_size;
    b->image_bytes = (size_t)o->batch * size * size * 3;
    TRY(mem_alloc(&b->rows, b->draws * o->batch));
    return mem_zalloc(&b->images, (size_t)b->draws * b->image_bytes);
}

void bench_mtl_clear(bench_mtl *b)
{
    mem_free(b->ending.targets);
    mem_free(b->rows);
    mem_free(b->images);
    program_free(b->program);
    model_free(b->model);
    if (b->set)
        b->recipe->task->close(b->set);
    recipe_free(b->recipe);
}

/* --- the step ----------------------------------------------------------------------------------------------------- */

void bench_mtl_fill(bench_mtl *b, uint32_t step)
{
    const int batch = b->recipe->stages[0].batch;
    for (int d = 0; d < b->draws; d++) {
        rng r = rng_at(1, (uint32_t)d, step, RNG_BENCH);
        bench_fill(b->images + (size_t)d * b->image_bytes, b->image_bytes, &r);
        for (int i = 0; i < batch; i++) {
            const int64_t picture = rng_below(&r, ROWS);
            b->rows[d * batch + i] = (task_row){picture, picture, 1, false};
        }
    }
}

static mien_status stage(bench_mtl *b, int draw)
{
    return draw < b->draws ? program_stage(b->program, b->io.images, b->images + (size_t)draw * b->image_bytes)
                           : MIEN_OK;
}

/* A batch of each draw, forward and backward, then the update. Draws but the first are brought beside the one before.
 */
mien_status bench_mtl_step(bench_mtl *b, uint32_t step)
{
    const recipe_stage *first = &b->recipe->stages[0];
    TRY(stage(b, 0));
    for (int d = 0; d < b->draws; d++) {
        TRY(program_take(b->program, b->io.images));
        TRY(b->recipe->task->fill(&b->ending, b->program, model_spec_of(b->model), b->set, d,
                                  b->rows + d * first->batch, first->batch));
        TRY(program_set_step(b->program, &(step_params){.lr = first->lr, .step = step + 1, .seed = (uint64_t)d + 1}));
        TRY(program_run_gradients(b->program, d == 0));
        TRY(stage(b, d + 1));
    }
    return program_run_update(b->program);
}
