/* mien_bench_run: times whole steps of a program, and, profiled, every node of it. */
#include "api/api.h"
#include "base/mem.h"
#include "bench/bench_int.h"
#include "task/lsd.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BENCH_UNTIMED 2

mien_status bench_subject_create(bench_subject *s, const mien_bench_options *o, backend *b)
{
    s->is_mtl = o->kind != MIEN_BENCH_PLAIN;
    if (s->is_mtl)
        return bench_mtl_create(&s->mtl, o, b, api_activation_type(b, o->compute));
    s->is_training = o->what == MIEN_BENCH_TRAIN;
    optimizer_attr adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    model_spec spec = {.task = task_lsd.name,
                       .arch = o->arch,
                       .classes = lsd_classes,
                       .class_count = LSD_CLASSES,
                       .image_size = o->image_size,
                       .mean = {0.5f, 0.5f, 0.5f},
                       .std = {0.25f, 0.25f, 0.25f},
                       .kind = o->is_deviation ? MODEL_DEVIATION : MODEL_PLAIN};
    TRY(model_create(&s->model, &spec));
    TRY(model_init(s->model, 1, s->is_training));
    int64_t size = model_spec_of(s->model)->image_size;
    s->image_bytes = (size_t)o->batch * (size_t)(size * size * 3);
    TRY(mem_zalloc(&s->images, s->image_bytes)); /* of which bench_fill leaves a few bytes */
    TRY(mem_alloc(&s->labels, o->batch));
    const dtype type = api_activation_type(b, o->compute);
    if (!s->is_training && b->side_by_side) {
        TRY(mem_alloc(&s->probabilities, o->batch * LSD_CLASSES));
        return lanes_create(&s->lanes, s->model, o->batch, type, b);
    }
    model_graph_options options = {.batch = o->batch, .activation_type = type};
    if (!s->is_training)
        return model_program(&s->program, &s->io, s->model, &options, b, NULL);
    s->loss = (class_loss){.label_smoothing = 0.2f, .has_class_weights = o->is_deviation};
    const model_ending ending = class_loss_ending(&s->loss);
    options.is_training = true;
    options.ending = &ending;
    options.optimizer = &adam;
    TRY(model_program(&s->program, &s->io, s->model, &options, b, NULL));
    if (o->is_deviation)
        TRY(program_write(s->program, s->loss.class_weights, (const float[LSD_CLASSES]){1, 3, 5, 1, 1, 1}));
    return MIEN_OK;
}

void bench_subject_clear(bench_subject *s)
{
    bench_mtl_clear(&s->mtl);
    program_free(s->program);
    lanes_free(s->lanes);
    mem_free(s->images);
    mem_free(s->labels);
    mem_free(s->probabilities);
    model_free(s->model);
}

program *bench_subject_program(const bench_subject *s)
{
    return s->lanes ? lanes_program(s->lanes, 0) : s->is_mtl ? s->mtl.program : s->program;
}

/* Batches that a step computes. */
static int batches_of(const bench_subject *s)
{
    return s->is_mtl ? s->mtl.draws : 1;
}

void bench_fill(uint8_t *images, size_t bytes, rng *r)
{
    for (size_t i = 0; i + 4 <= bytes; i += 4) {
        uint32_t word = rng_u32(r);
        memcpy(images + i, &word, 4);
    }
}

void bench_subject_fill(bench_subject *s, const mien_bench_options *o, uint32_t step)
{
    if (s->is_mtl) {
        bench_mtl_fill(&s->mtl, step);
        return;
    }
    rng r = rng_at(1, 0, step, RNG_BENCH);
    bench_fill(s->images, s->image_bytes, &r);
    for (int i = 0; i < o->batch; i++)
        s->labels[i] = (int32_t)rng_below(&r, LSD_CLASSES);
}

mien_status bench_subject_step(bench_subject *s, const mien_bench_options *o, uint32_t step)
{
    if (s->is_mtl)
        return bench_mtl_step(&s->mtl, step);
    if (s->lanes)
        return lanes_run(s->lanes, s->images, o->batch, s->probabilities, NULL);
    TRY(program_stage(s->program, s->io.images, s->images));
    TRY(program_take(s->program, s->io.images));
    if (s->is_training) {
        TRY(program_write(s->program, s->loss.labels, s->labels));
        TRY(program_set_step(s->program, &(step_params){.lr = 1e-5f, .step = step + 1, .seed = 1}));
    }
    return program_run(s->program);
}

mien_status bench_subject_wait(bench_subject *s)
{
    return program_wait(bench_subject_program(s));
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

static mien_status tell_step(progress *p, const mien_bench_options *o, int done)
{
    if (progress_tell(p, "bench", done, BENCH_UNTIMED + o->steps, NULL))
        return mien_fail(MIEN_ERR_CANCELLED, "bench: interrupted");
    return MIEN_OK;
}

/* Steps one at a time, each of a fresh batch: *out = the median's seconds. */
static mien_status time_each(double *out, bench_subject *s, const mien_bench_options *o)
{
    double *seconds = NULL;
    mien_status st = MIEN_OK;
    progress p = api_progress(o->compute);
    TRY(mem_alloc(&seconds, o->steps));
    for (int i = 0; i < BENCH_UNTIMED + o->steps; i++) {
        if (o->is_profiled && i == BENCH_UNTIMED)
            program_profile(bench_subject_program(s), true);
        bench_subject_fill(s, o, (uint32_t)i);
        int64_t start = clock_ns();
        TRY_OUT(bench_subject_step(s, o, (uint32_t)i));
        TRY_OUT(bench_subject_wait(s));
        if (i >= BENCH_UNTIMED)
            seconds[i - BENCH_UNTIMED] = (double)(clock_ns() - start) * 1e-9;
        TRY_OUT(tell_step(&p, o, i + 1));
    }
    *out = median(seconds, o->steps);
out:
    mem_free(seconds);
    return st;
}

/* What a device is asked for: steps put into its stream one behind the other, of one batch that is brought anew each
 * time, and one wait. *out = a step's share of the seconds. */
static mien_status time_span(double *out, bench_subject *s, const mien_bench_options *o)
{
    progress p = api_progress(o->compute);
    int64_t start = 0;
    bench_subject_fill(s, o, 0);
    for (int i = 0; i < BENCH_UNTIMED + o->steps; i++) {
        if (i == BENCH_UNTIMED) {
            TRY(bench_subject_wait(s));
            start = clock_ns();
        }
        TRY(bench_subject_step(s, o, (uint32_t)i));
        TRY(tell_step(&p, o, i + 1));
    }
    TRY(bench_subject_wait(s));
    *out = (double)(clock_ns() - start) * 1e-9 / o->steps;
    return MIEN_OK;
}

static mien_status time_steps(mien_bench *bench, bench_subject *s, const mien_bench_options *o, const backend *b)
{
    const bool is_span = b->wait && !o->is_profiled;
    double step = 0;
    TRY(is_span ? time_span(&step, s, o) : time_each(&step, s, o));
    bench->result.ms = 1e3 * step;
    bench->result.images_per_s = (double)(o->batch * batches_of(s)) / step;
    return MIEN_OK;
}

/* --- profile ------------------------------------------------------------------------------------------------------ */

static mien_bench_row *find_row(mien_bench *b, const char *op, const char *implementation)
{
    for (int i = 0; i < b->row_count; i++)
        if (!strcmp(b->rows[i].group, op) && !strcmp(b->rows[i].implementation, implementation))
            return &b->rows[i];
    return NULL;
}

static int compare_rows(const void *a, const void *b)
{
    const mien_bench_row *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

/* A lane takes its share of a batch one tile after another, beside the others: its share's seconds are the step's. */
static mien_status collect_rows(mien_bench *b, const program *p)
{
    const double tiles = (double)b->result.batch / b->result.tile, turns = tiles / b->result.lanes;
    int count = program_timing_count(p);
    TRY(mem_zalloc(&b->rows, count));
    for (int i = 0; i < count; i++) {
        program_timing t = program_timing_at(p, i);
        const char *implementation = t.implementation ? t.implementation : "";
        mien_bench_row *row = find_row(b, t.op, implementation);
        if (!row) {
            char *group = NULL, *name = NULL; /* the program goes, the row stays */
            TRY(arena_strdup(b->texts, &group, t.op));
            TRY(arena_strdup(b->texts, &name, implementation));
            row = &b->rows[b->row_count++];
            *row = (mien_bench_row){.group = group, .implementation = name};
        }
        row->nodes++;
        row->seconds += t.seconds * turns;
        row->flops += t.flops * tiles;
        row->bytes += t.bytes * tiles;
    }
    qsort(b->rows, (size_t)b->row_count, sizeof *b->rows, compare_rows);
    return MIEN_OK;
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

static void take_account(mien_bench_result *r, const bench_subject *s)
{
    const program *told = bench_subject_program(s);
    double flops = 0;
    for (int i = 0; i < program_timing_count(told); i++)
        flops += program_timing_at(told, i).flops;
    r->flops_per_s = flops * r->batch / r->tile * batches_of(s) / (1e-3 * r->ms);
    program_memory memory = program_memory_used(told); /* every lane's */
    r->planned_bytes = (int64_t)memory.planned_bytes * r->lanes;
    r->sum_bytes = (int64_t)memory.sum_bytes * r->lanes;
    r->size = model_spec_of(s->is_mtl ? s->mtl.model : s->model)->image_size;
}

static mien_status bench_program(mien_bench *bench, const mien_bench_options *o)
{
    mien_status st = MIEN_OK;
    bench_subject s = {0};
    backend *b = NULL;
    TRY(api_backend(&b, o->compute));
    TRY_OUT(bench_subject_create(&s, o, b));
    TRY_OUT(time_steps(bench, &s, o, b));
    mien_bench_result *r = &bench->result;
    r->lanes = s.lanes ? lanes_count(s.lanes) : 1;
    r->tile = s.lanes ? lanes_tile(s.lanes) : o->batch;
    if (o->is_profiled)
        TRY_OUT(collect_rows(bench, bench_subject_program(&s)));
    take_account(r, &s);
    char *device = NULL, *isa = NULL; /* the backend goes, these stay */
    TRY_OUT(arena_strdup(bench->texts, &device, b->device));
    TRY_OUT(arena_strdup(bench->texts, &isa, b->isa(b)));
    r->device = device;
    r->isa = isa;
    if (b->room) {
        backend_room room;
        TRY_OUT(b->room(b, &room));
        r->peak_device_bytes = (int64_t)room.peak;
    }
    r->threads = b->threads(b);
    r->precision = api_activation_type(b, o->compute) == DTYPE_BF16 ? "bf16" : "f32";
out:
    bench_subject_clear(&s);
    api_backend_free(b);
    return st;
}

mien_status mien_bench_run(mien_bench **out, const mien_bench_options *given)
{
    TRY(api_need(out, "mien_bench_run", "out"));
    mien_bench_options o;
    mien_compute compute;
    TRY(api_need(given, "mien_bench_run", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_BENCH, "mien_bench_run"));
    TRY(api_compute(&compute, o.compute, "mien_bench_run"));
    o.compute = &compute;
    if (o.batch < 1 || o.image_size < 0 || o.steps < 5)
        return mien_fail(MIEN_ERR_ARG, "mien_bench_run: batch %d, size %d, steps %d (wanted at least 1, 0, 5)", o.batch,
                         o.image_size, o.steps);
    if (o.what != MIEN_BENCH_DATA)
        TRY(api_need(o.arch, "mien_bench_run", "arch"));
    if (o.kind != MIEN_BENCH_PLAIN && (o.what != MIEN_BENCH_TRAIN || o.is_deviation))
        return mien_fail(MIEN_ERR_ARG, "mien_bench_run: kind of another step (wanted training, no deviation module)");
    mien_status st = MIEN_OK;
    mien_bench *b = NULL;
    TRY(mem_zalloc(&b, 1));
    TRY_OUT(arena_create(&b->texts, 0));
    b->result = (mien_bench_result){.batch = o.batch, .isa = mien_isa(), .precision = "f32", .device = "cpu"};
    TRY_OUT(o.what == MIEN_BENCH_DATA ? bench_data(&b->result, &o) : bench_program(b, &o));
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    b->result.peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024;
    *out = b;
    b = NULL;
out:
    mien_bench_free(b);
    return st;
}

void mien_bench_free(mien_bench *b)
{
    if (!b)
        return;
    mem_free(b->rows);
    arena_free(b->texts);
    mem_free(b);
}

const mien_bench_result *mien_bench_result_of(const mien_bench *b)
{
    return b ? &b->result : NULL;
}

int mien_bench_row_count(const mien_bench *b)
{
    return b ? b->row_count : 0;
}

const mien_bench_row *mien_bench_row_at(const mien_bench *b, int index)
{
    return index >= 0 && index < mien_bench_row_count(b) ? &b->rows[index] : NULL;
}
