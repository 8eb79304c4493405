/* The same training steps, from the same weights, on several devices or in several precisions, each beside the first:
 *     bench_steps NETWORK SIZE BATCH STEPS DEVICE:PRECISION...
 * NETWORK is an architecture, alone or with +deviation, +smm or +baseline; SIZE 0 its own. DEVICE is cpu, cuda, or
 * cuda-plain (our plain kernels alone); PRECISION f32 or bf16. A line of JSON for each side but the first: how far
 * losses and gradient norms of all steps, the gradients of the first, and the way that parameters and running
 * statistics went in all of them, are from the first side's, relative to it. Adam divides gradients by their size, so
 * that a gradient which is nothing but rounding moves its weight as far as any other: of ways, only their length and
 * rough direction can be asked for. */
#include "backend/cpu/cpu.h"
#include "backend/cuda/cuda.h"
#include "base/mem.h"
#include "base/str.h"
#include "bench/bench_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 1000 };

static const struct {
    const char *end;
    bool is_deviation;
    mien_bench_kind kind;
} ends[] = {
    {"+deviation", true, MIEN_BENCH_PLAIN}, {"+smm", false, MIEN_BENCH_SMM}, {"+baseline", false, MIEN_BENCH_BASELINE}};

static const struct {
    const char *name;
    bool is_cuda, is_plain;
} devices[] = {{"cpu", false, false}, {"cuda", true, false}, {"cuda-plain", true, true}};

/* What one side's steps were. */
typedef struct {
    char isa[32];
    double *losses, *norms; /* [steps]; a loss is the sum of all of a step's last batch */
    size_t gradient_count, value_count;
    float *gradients; /* [gradient_count] of the first step */
    float *way;       /* [value_count] where the parameters went from where they began */
    size_t planned_bytes;
    double seconds;
    /* Relative to the first side's: gradients, and ways of trained parameters and of running statistics. */
    double gradients_off, way_off, statistics_off;
    char worst[128]; /* the tensor with the largest part in the first */
} side;

static void side_clear(side *s)
{
    mem_free(s->losses);
    mem_free(s->norms);
    mem_free(s->gradients);
    mem_free(s->way);
}

static mien_status open_backend(backend **out, const char *what, const mien_compute *compute)
{
    const char *colon = strchr(what, ':');
    for (size_t i = 0; colon && i < sizeof devices / sizeof *devices; i++)
        if (strlen(devices[i].name) == (size_t)(colon - what) &&
            !strncmp(what, devices[i].name, (size_t)(colon - what))) {
            if (devices[i].is_cuda)
                TRY(backend_cuda_create(out, &(cuda_options){.is_plain = devices[i].is_plain}));
            else
                TRY(backend_cpu_create(out, NULL));
            if (compute->precision == MIEN_PRECISION_BF16 && !(*out)->computes_bf16(*out)) {
                (*out)->free(*out);
                return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: does not compute in bf16", what);
            }
            return MIEN_OK;
        }
    return mien_fail(MIEN_ERR_ARG, "%s: no device (wanted cpu, cuda or cuda-plain, then :f32 or :bf16)", what);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

/* The parameters as programs left them. */
static mien_status fetch_values(float *dst, param_store *params)
{
    st_tensor *tensors = NULL;
    size_t count = 0;
    TRY(param_store_tensors(params, &tensors, &count)); /* which brings them here */
    mem_free(tensors);
    memcpy(dst, param_store_memory(params)->values, param_store_memory(params)->count * sizeof *dst);
    return MIEN_OK;
}

/* What the first step left: gradients of its batch, of a multi-task step the sums of all batches. */
static mien_status fetch_gradients(side *s, param_store *params, backend *b, bool are_sums)
{
    const param_memory *placed = NULL;
    TRY(param_store_place(params, &placed, b)); /* they are: it tells where */
    s->gradient_count = placed->trained_count;
    TRY(mem_alloc(&s->gradients, s->gradient_count));
    return b->download(b, s->gradients, are_sums ? placed->sums : placed->grads, s->gradient_count * sizeof(float));
}

static mien_status take_steps(side *s, bench_subject *subject, const mien_bench_options *o, backend *b, int steps)
{
    const bool is_mtl = subject->is_mtl;
    param_store *params = model_params(is_mtl ? subject->mtl.model : subject->model);
    program *p = bench_subject_program(subject);
    const model_io *io = is_mtl ? &subject->mtl.io : &subject->io;
    mien_status st = MIEN_OK;
    float *begin = NULL;
    s->value_count = param_store_memory(params)->count;
    TRY(mem_alloc(&begin, s->value_count));
    TRY_OUT(mem_alloc(&s->way, s->value_count));
    TRY_OUT(mem_zalloc(&s->losses, steps));
    TRY_OUT(mem_alloc(&s->norms, steps));
    TRY_OUT(fetch_values(begin, params));
    for (int i = 0; i < steps; i++) {
        bench_subject_fill(subject, o, (uint32_t)i);
        const int64_t start = clock_ns();
        step_params step;
        TRY_OUT(bench_subject_step(subject, o, (uint32_t)i));
        TRY_OUT(bench_subject_wait(subject));
        for (int l = 0; l < io->loss_count; l++) {
            float loss;
            TRY_OUT(program_read(p, io->losses[l].value, &loss));
            s->losses[i] += (double)loss;
        }
        TRY_OUT(program_get_step(&step, p));
        if (step.is_nonfinite)
            TRY_OUT(mien_fail(MIEN_ERR_INTERNAL, "step %d: a gradient is not finite", i + 1));
        s->norms[i] = (double)step.gradient_norm;
        s->seconds += (double)(clock_ns() - start) * 1e-9;
        if (i == 0)
            TRY_OUT(fetch_gradients(s, params, b, is_mtl));
    }
    TRY_OUT(fetch_values(s->way, params));
    for (size_t i = 0; i < s->value_count; i++)
        s->way[i] -= begin[i];
    s->planned_bytes = program_memory_used(p).planned_bytes;
out:
    mem_free(begin);
    return st;
}

/* Slices of one kind of two arenas: how far they are apart, relative to the norm of the second's. *worst: the one with
 * the largest part in it; may be NULL. */
static double distance(const float *got, const float *wanted, const param_store *params, slice_kind kind,
                       const char **worst)
{
    double all_off = 0, norm = 0, most = -1;
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *slice = param_store_at(params, i);
        double off = 0;
        if (slice->kind != kind || (kind == SLICE_PARAMETER && !slice->is_trainable))
            continue;
        for (size_t k = slice->offset; k < slice->offset + slice->count; k++) {
            const double d = (double)got[k] - (double)wanted[k];
            off += d * d;
            norm += (double)wanted[k] * (double)wanted[k];
        }
        all_off += off;
        if (off > most && worst)
            *worst = slice->name;
        most = fmax(most, off);
    }
    return sqrt(all_off / (norm > 0 ? norm : 1));
}

static void measure(side *s, const side *first, const param_store *params)
{
    const char *worst = "";
    s->gradients_off = distance(s->gradients, first->gradients, params, SLICE_PARAMETER, &worst);
    s->way_off = distance(s->way, first->way, params, SLICE_PARAMETER, NULL);
    s->statistics_off = distance(s->way, first->way, params, SLICE_BUFFER, NULL);
    snprintf(s->worst, sizeof s->worst, "%s", worst);
}

static mien_status run_side(side *s, const side *first, const char *what, const mien_bench_options *given, int steps)
{
    mien_status st = MIEN_OK;
    bench_subject subject = {0};
    backend *b = NULL;
    mien_compute compute;
    mien_bench_options o = *given;
    mien_compute_init(&compute);
    compute.precision = str_ends(what, ":bf16") ? MIEN_PRECISION_BF16 : MIEN_PRECISION_F32;
    o.compute = &compute;
    TRY_OUT(open_backend(&b, what, &compute));
    snprintf(s->isa, sizeof s->isa, "%s", b->isa(b));
    TRY_OUT(bench_subject_create(&subject, &o, b));
    TRY_OUT(take_steps(s, &subject, &o, b, steps));
    if (first)
        measure(s, first, model_params(subject.is_mtl ? subject.mtl.model : subject.model));
out:
    bench_subject_clear(&subject);
    if (b)
        b->free(b);
    return mien_fail_in(st, "%s", what);
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

/* The largest of all steps. */
static double largest(const double *got, const double *wanted, int steps)
{
    double most = 0;
    for (int i = 0; i < steps; i++)
        most = fmax(most, fabs(got[i] - wanted[i]) / fmax(fabs(wanted[i]), 1e-30));
    return most;
}

static void tell(const char *network, const char *what, const char *first_what, const side *s, const side *first,
                 int steps)
{
    printf("{\"network\": \"%s\", \"side\": \"%s\", \"isa\": \"%s\", \"beside\": \"%s\", \"steps\": %d, ", network,
           what, s->isa, first_what, steps);
    printf("\"loss\": %.3g, \"gradient_norm\": %.3g, \"gradients\": %.3g, \"worst_gradient\": \"%s\", \"way\": %.3g, "
           "\"statistics\": %.3g, ",
           largest(s->losses, first->losses, steps), largest(s->norms, first->norms, steps), s->gradients_off, s->worst,
           s->way_off, s->statistics_off);
    printf("\"first_loss\": %.9g, \"last_loss\": %.9g, \"wanted_last_loss\": %.9g, \"planned_bytes\": %zu, "
           "\"seconds\": %.3f}\n",
           s->losses[0], s->losses[steps - 1], first->losses[steps - 1], s->planned_bytes, s->seconds);
    fflush(stdout);
}

/* "resnet50+smm": into arch without the end, which options tell. */
static void read_network(char arch[64], mien_bench_options *o, const char *network)
{
    snprintf(arch, 64, "%s", network);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(arch, ends[i].end)) {
            arch[strlen(arch) - strlen(ends[i].end)] = '\0';
            o->is_deviation = ends[i].is_deviation;
            o->kind = ends[i].kind;
            return;
        }
}

static mien_status run_all(int argc, char **argv)
{
    mien_status st = MIEN_OK;
    char arch[64];
    side first = {0}, other = {0};
    mien_bench_options o;
    mien_bench_options_init(&o);
    o.what = MIEN_BENCH_TRAIN;
    read_network(arch, &o, argv[1]);
    o.arch = arch;
    o.image_size = atoi(argv[2]);
    o.batch = atoi(argv[3]);
    const int steps = atoi(argv[4]);
    if (o.image_size < 0 || o.batch < 1 || steps < 1 || steps > MAX_STEPS)
        return mien_fail(MIEN_ERR_ARG, "size %d, batch %d, steps %d (wanted at least 0, 1, 1)", o.image_size, o.batch,
                         steps);
    TRY_OUT(run_side(&first, NULL, argv[5], &o, steps));
    for (int i = 6; i < argc; i++) {
        side_clear(&other);
        other = (side){0};
        TRY_OUT(run_side(&other, &first, argv[i], &o, steps));
        tell(argv[1], argv[i], argv[5], &other, &first, steps);
    }
out:
    side_clear(&first);
    side_clear(&other);
    return st;
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "bench_steps: wrong usage (wanted NETWORK SIZE BATCH STEPS DEVICE:PRECISION "
                        "DEVICE:PRECISION...)\n");
        return 2;
    }
    if (run_all(argc, argv) != MIEN_OK) {
        fprintf(stderr, "bench_steps: %s\n", mien_error());
        return 1;
    }
    return 0;
}
