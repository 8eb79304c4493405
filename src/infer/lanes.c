/* All lanes have their constants (packed weights) in common, also with lanes that are made beside them. */
#include "infer/lanes.h"

#include "base/mem.h"
#include "graph/plan.h"

#include <stdatomic.h>
#include <string.h>

struct lanes {
    program **programs; /* [count] */
    int count, batch, tile;
    model_io io; /* of every program */
    model *model;
    dtype activation_type;
    backend *backend;
    size_t image_bytes;
    int sizes[MODEL_MAX_HEADS], width; /* of each head, and together */
    float *parts;                      /* [count, tile, width] of several heads; NULL: there is one */
};

/* --- how many pictures at a time ---------------------------------------------------------------------------------- */

/* Pictures whose activations take as many bytes as the weights do: fewer would read more weights than activations. */
static mien_status tile_for_cache(int *out, model *m, dtype activation_type)
{
    graph *g = NULL;
    model_io io;
    plan p;
    TRY(model_graph(&g, &io, m, &(model_graph_options){.batch = 1, .activation_type = activation_type}));
    mien_status st = plan_make(&p, g, 0);
    if (st == MIEN_OK) {
        size_t weights = param_store_memory(model_params(m))->count * dtype_bytes(activation_type);
        size_t tile = weights / (p.block_bytes ? p.block_bytes : 1);
        *out = tile < 1 ? 1 : tile > 1024 ? 1024 : (int)tile;
    }
    graph_free(g);
    return st;
}

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

/* Pictures that the busiest of `threads` lanes computes. */
static int longest_share(int batch, int tile, int threads)
{
    return divide_up(divide_up(batch, tile), threads) * tile;
}

/* The most pictures at a time, `most` or fewer, that end soonest. */
static int choose_tile(int batch, int most, int threads)
{
    int best = 1;
    for (int tile = 2; tile <= most && tile <= batch; tile++)
        if (longest_share(batch, tile, threads) <= longest_share(batch, best, threads))
            best = tile;
    return best;
}

/* Sets tile and count. Lanes of which more than a quarter would be idle do worse than one program on all threads, and a
 * device has no caller's threads to divide. */
static mien_status divide(lanes *l)
{
    const int threads = l->backend->threads(l->backend);
    l->count = 1;
    l->tile = l->batch;
    if (l->batch == 1 || !l->backend->side_by_side)
        return MIEN_OK;
    int most = 1;
    TRY(tile_for_cache(&most, l->model, l->activation_type));
    const int tile = choose_tile(l->batch, most, threads), share = longest_share(l->batch, tile, threads);
    if (4 * (int64_t)l->batch < 3 * (int64_t)threads * share)
        return MIEN_OK;
    const int tiles = divide_up(l->batch, tile);
    l->count = tiles < threads ? tiles : threads;
    l->tile = tile;
    return MIEN_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* Beside those of `other`, or beside the first of these. */
static mien_status create_programs(lanes *l, const lanes *other)
{
    backend *b = l->count > 1 ? l->backend->one_thread(l->backend) : l->backend;
    const model_graph_options options = {.batch = l->tile, .activation_type = l->activation_type};
    TRY(mem_zalloc(&l->programs, l->count));
    for (int i = 0; i < l->count; i++) {
        const program *beside = other ? other->programs[0] : l->programs[0];
        TRY(model_program(&l->programs[i], &l->io, l->model, &options, b, beside));
    }
    return MIEN_OK;
}

static mien_status create(lanes **out, model *m, int batch, dtype activation_type, backend *b, const lanes *other)
{
    mien_status st;
    const model_spec *spec = model_spec_of(m);
    lanes *l = NULL;
    TRY(mem_zalloc(&l, 1));
    l->batch = batch;
    l->model = m;
    l->activation_type = activation_type;
    l->backend = b;
    l->image_bytes = (size_t)spec->image_size * (size_t)spec->image_size * 3;
    for (int h = 0; h < spec->head_count; h++) {
        l->sizes[h] = spec->heads[h].size;
        l->width += l->sizes[h];
    }
    TRY_OUT(divide(l));
    TRY_OUT(create_programs(l, other));
    if (spec->head_count > 1)
        TRY_OUT(mem_alloc(&l->parts, l->count * l->tile * l->width));
    *out = l;
    l = NULL;
out:
    lanes_free(l);
    return st;
}

mien_status lanes_create(lanes **out, model *m, int batch, dtype activation_type, backend *b)
{
    return create(out, m, batch, activation_type, b, NULL);
}

mien_status lanes_create_beside(lanes **out, const lanes *other, backend *b)
{
    return create(out, other->model, other->batch, other->activation_type, b, other);
}

void lanes_free(lanes *l)
{
    if (!l)
        return;
    for (int i = 0; l->programs && i < l->count; i++)
        program_free(l->programs[i]);
    mem_free(l->programs);
    mem_free(l->parts);
    mem_free(l);
}

int lanes_batch(const lanes *l)
{
    return l->batch;
}

int lanes_count(const lanes *l)
{
    return l->count;
}

int lanes_tile(const lanes *l)
{
    return l->tile;
}

program *lanes_program(const lanes *l, int lane)
{
    return l->programs[lane];
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* What the lanes of a run share. */
typedef struct {
    lanes *lanes;
    const uint8_t *images;
    float *answers, *logits; /* logits NULL: nobody asks */
    int count;
    atomic_int next; /* tile to take */
    atomic_bool is_failed;
} batch_run;

/* dst [rows, width]: of each picture its heads' values, one after the other. part: room for the widest head's rows. */
static mien_status read_heads(const lanes *l, program *p, const value_id *values, int rows, float *dst, float *part)
{
    if (l->io.head_count == 1)
        return program_read_rows(p, values[0], 0, rows, dst);
    for (int h = 0, at = 0; h < l->io.head_count; at += l->sizes[h++]) {
        TRY(program_read_rows(p, values[h], 0, rows, part));
        for (int row = 0; row < rows; row++)
            memcpy(dst + (size_t)row * (size_t)l->width + at, part + (size_t)row * (size_t)l->sizes[h],
                   (size_t)l->sizes[h] * sizeof *part);
    }
    return MIEN_OK;
}

static mien_status read_answers(const batch_run *run, program *p, size_t first, int rows, float *part)
{
    const lanes *l = run->lanes;
    const size_t at = first * (size_t)l->width;
    value_id outputs[MODEL_MAX_HEADS], logits[MODEL_MAX_HEADS];
    for (int h = 0; h < l->io.head_count; h++) {
        outputs[h] = l->io.heads[h].output;
        logits[h] = l->io.heads[h].logits;
    }
    TRY(read_heads(l, p, outputs, rows, run->answers + at, part));
    return run->logits ? read_heads(l, p, logits, rows, run->logits + at, part) : MIEN_OK;
}

/* Rows of the program behind the last picture keep what they held: no row reads another. */
static mien_status run_tile(const batch_run *run, int lane, int begin)
{
    const lanes *l = run->lanes;
    const size_t first = (size_t)begin;
    program *p = l->programs[lane];
    float *part = l->parts ? l->parts + (size_t)lane * (size_t)l->tile * (size_t)l->width : NULL;
    const int rows = run->count - begin < l->tile ? run->count - begin : l->tile;
    TRY(program_write_rows(p, l->io.images, 0, rows, run->images + first * l->image_bytes));
    TRY(program_run(p));
    return read_answers(run, p, first, rows, part);
}

static mien_status run_lane(void *context, int lane)
{
    batch_run *run = context;
    const lanes *l = run->lanes;
    while (!atomic_load(&run->is_failed)) {
        const int64_t begin = (int64_t)atomic_fetch_add(&run->next, 1) * l->tile;
        if (begin >= run->count)
            break;
        mien_status st = run_tile(run, lane, (int)begin);
        if (st != MIEN_OK) {
            atomic_store(&run->is_failed, true); /* the others need not go on */
            return st;
        }
    }
    return MIEN_OK;
}

mien_status lanes_run(lanes *l, const uint8_t *images, int count, float *answers, float *logits)
{
    batch_run run = {.lanes = l, .images = images, .answers = answers, .logits = logits, .count = count};
    return l->count > 1 ? l->backend->side_by_side(l->backend, l->count, run_lane, &run) : run_lane(&run, 0);
}
