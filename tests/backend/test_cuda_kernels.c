/* What the operator cases cannot see of the CUDA backend's plain kernels: that dropout drops what the CPU drops, that
 * arenas of many chunks move as others do and to the same bits on every size of device; and that the emulator, which
 * all this stands on, notices kernels that are wrong. */
#include "backend/cpu/cpu.h"
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/emulator.h"
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/losses.h"
#include "backend/cuda/kernel/update.h"
#include "graph/compare.h"
#include "graph/op.h"
#include "graph/params.h"
#include "graph/program.h"
#include "graph/reference_backend.h"
#include "testing.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>

static backend *new_cuda(int processors)
{
    backend *b = NULL;
    emulated.processors = processors;
    assert_ok(backend_cuda_create(&b, &(cuda_options){.is_plain = true}));
    emulated.processors = 0;
    return b;
}

static void close_cuda(backend *b)
{
    b->free(b);
    assert_int_equal(emulated_block_count(), 0);
}

/* --- dropout ------------------------------------------------------------------------------------------------------ */
/* What the second random node of a graph leaves of ones, of x's shape and type, into y [shape_count(s)]. */
static void drop_ones(float *y, backend *b, dtype type, const shape *s, bool is_path, const step_params *step)
{
    const int64_t count = shape_count(s);
    graph *g = NULL;
    program *p = NULL;
    value_id x = NO_VALUE, first = NO_VALUE, second = NO_VALUE;
    void *own = malloc((size_t)count * dtype_bytes(type)); /* in x's type */
    assert_non_null(own);
    assert_ok(graph_create(&g, type, true));
    assert_ok(graph_input(g, &x, "x", type, *s));
    assert_ok(op_dropout(g, &first, "first", x, 0.5f, is_path));
    assert_ok(op_dropout(g, &second, "second", x, 0.3f, is_path));
    graph_mark_output(g, second);
    assert_ok(program_create(&p, g, b, &(param_memory){0}));
    for (int64_t i = 0; i < count; i++)
        if (type == DTYPE_BF16)
            ((uint16_t *)own)[i] = bf16_from_f32(1);
        else
            ((float *)own)[i] = 1;
    assert_ok(program_write(p, x, own));
    assert_ok(program_set_step(p, step));
    assert_ok(program_run(p));
    assert_ok(program_read(p, second, own));
    for (int64_t i = 0; i < count; i++)
        y[i] = type == DTYPE_BF16 ? bf16_to_f32(((uint16_t *)own)[i]) : ((float *)own)[i];
    program_free(p);
    free(own);
}

/* The CPU computes in f32 always: not every one has bf16. */
static void check_dropout(dtype type, shape s, bool is_path)
{
    const int64_t count = shape_count(&s);
    float *ours = malloc((size_t)count * sizeof *ours), *cpus = malloc((size_t)count * sizeof *cpus);
    backend *cuda = new_cuda(2), *cpu = NULL;
    int64_t places[2] = {0}; /* of what is dropped, summed */
    assert_non_null(ours);
    assert_non_null(cpus);
    assert_ok(backend_cpu_create(&cpu, NULL));
    for (uint32_t i = 0; i < 2; i++) {
        const step_params step = {.step = 3 + i, .seed = 0x123456789abcdef0u};
        drop_ones(ours, cuda, type, &s, is_path, &step);
        drop_ones(cpus, cpu, DTYPE_F32, &s, is_path, &step);
        for (int64_t k = 0; k < count; k++) {
            assert_true(ours[k] == (type == DTYPE_BF16 ? bf16_to_f32(bf16_from_f32(cpus[k])) : cpus[k]));
            places[i] += ours[k] == 0 ? k : 0;
        }
    }
    assert_true(places[0] != places[1]); /* another step drops others */
    cpu->free(cpu);
    close_cuda(cuda);
    free(ours);
    free(cpus);
}

static void dropout__elements_and_samples__are_the_cpus(void **state)
{
    (void)state;
    check_dropout(DTYPE_F32, shape_of(2, (int64_t)3, (int64_t)3001), false);
    check_dropout(DTYPE_BF16, shape_of(2, (int64_t)5, (int64_t)33), false);
    check_dropout(DTYPE_F32, shape_of(4, (int64_t)41, (int64_t)3, (int64_t)3, (int64_t)29), true);
}

/* --- arenas ------------------------------------------------------------------------------------------------------- */
/* Two parameters of more chunks than one processor takes at a time, the last of one element, and numbers between them
 * that nothing may touch. */
enum { FIRST = 9 * 4096 + 1, GAP = 100, SECOND = 4097, SECOND_AT = FIRST + GAP, COUNT = SECOND_AT + SECOND };

typedef struct {
    graph *g;
    value_id x[2];
    value_id loss;
    float values[COUNT], grads[COUNT], sums[COUNT], state1[COUNT], state2[COUNT];
    step_params step;
} training;

/* loss = mean of (x w - t)^2, t = 0 */
static value_id add_loss(training *t, int which, const char *name, size_t offset, int64_t count)
{
    const shape s = shape_of(2, (int64_t)1, count);
    const regression_attr squared = {.kind = REGRESSION_SQUARED};
    value_id w = NO_VALUE, target = NO_VALUE, y = NO_VALUE, loss = NO_VALUE;
    char text[32];
    snprintf(text, sizeof text, "%s.w", name);
    assert_ok(graph_param(t->g, &w, text, s, offset, true));
    snprintf(text, sizeof text, "%s.x", name);
    assert_ok(graph_input(t->g, &t->x[which], text, DTYPE_F32, s));
    snprintf(text, sizeof text, "%s.t", name);
    assert_ok(graph_input(t->g, &target, text, DTYPE_F32, s));
    snprintf(text, sizeof text, "%s.y", name);
    assert_ok(op_mul(t->g, &y, text, t->x[which], w));
    assert_ok(op_regression(t->g, &loss, name, y, target, NO_VALUE, &squared));
    return loss;
}

static float number_at(int64_t i, int64_t use)
{
    return (float)((i * 37 + use * 11) % 101 - 50) * 0.02f;
}

static void write_batch(const training *t, program *p, int batch)
{
    float x[FIRST];
    for (int which = 0; which < 2; which++) {
        for (int64_t i = 0; i < FIRST; i++)
            x[i] = 30 * number_at(i, batch + 7 * which);
        assert_ok(program_write(p, t->x[which], x));
    }
}

/* Three steps of two batches each. */
static void train(training *t, backend *b, const optimizer_attr *attr)
{
    const param_memory host = {t->values, t->grads, t->sums, t->state1, t->state2, COUNT, COUNT};
    optimizer_attr full = *attr;
    param_place place = {0};
    program *p = NULL;
    memset(t, 0, sizeof *t);
    for (int64_t i = 0; i < COUNT; i++)
        t->values[i] = number_at(i, 3);
    assert_ok(graph_create(&t->g, DTYPE_F32, true));
    const graph_loss losses[] = {{add_loss(t, 0, "a", 0, FIRST), 1}, {add_loss(t, 1, "b", SECOND_AT, SECOND), 0.5f}};
    assert_ok(graph_differentiate(t->g, losses, 2, NO_VALUE, NULL));
    assert_ok(op_total(t->g, &full.loss, "loss", losses, 2));
    assert_ok(op_accumulate(t->g, "sums", full.loss));
    assert_ok(op_optimizer(t->g, "update", &full));
    assert_ok(params_place(&place, b, &host));
    assert_ok(program_create(&p, t->g, b, &place.memory));
    for (uint32_t step = 1; step <= 3; step++) {
        assert_ok(program_set_step(p, &(step_params){.lr = 0.01f, .step = step}));
        for (int batch = 0; batch < 2; batch++) {
            write_batch(t, p, batch + 2 * (int)step);
            assert_ok(program_run_gradients(p, batch == 0));
        }
        assert_ok(program_run_update(p));
    }
    assert_ok(program_get_step(&t->step, p));
    assert_ok(params_download(&place, &host));
    program_free(p);
    params_leave(&place);
}

static void check_update(const optimizer_attr *attr)
{
    static const tolerance tol = {.relative = 2e-5, .absolute = 2e-6};
    static training small, large, wanted;
    backend *one = new_cuda(1), *five = new_cuda(5), *plain = NULL;
    assert_ok(reference_backend_create(&plain, REFERENCE_STORED));
    train(&small, one, attr);
    train(&large, five, attr);
    train(&wanted, plain, attr);
    assert_true(compare_floats("values", large.values, wanted.values, COUNT, tol));
    assert_true(compare_floats("state 1", large.state1, wanted.state1, COUNT, tol));
    assert_true(compare_floats("state 2", large.state2, wanted.state2, COUNT, tol));
    assert_true(compare_floats("norm", &large.step.gradient_norm, &wanted.step.gradient_norm, 1, tol));
    assert_memory_equal(small.values, large.values, sizeof large.values);
    assert_memory_equal(&small.step, &large.step, sizeof large.step);
    for (int i = FIRST; i < SECOND_AT; i++)
        assert_true(large.values[i] == number_at(i, 3));
    assert_true(large.values[COUNT - 1] != number_at(COUNT - 1, 3));
    plain->free(plain);
    one->free(one);
    close_cuda(five);
}

static void update__many_chunks__is_reference(void **state)
{
    (void)state;
    check_update(&(optimizer_attr){.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-6f});
    check_update(&(optimizer_attr){.kind = OPTIMIZER_SGD, .momentum = 0.9f, .weight_decay = 0.1f});
}

/* The gradients are finite: the loss alone says that the sums are to be NaN. */
static void accumulate__infinite_loss__leaves_nan(void **state)
{
    static const param_range chunks[] = {{1, 3}, {5, 2}};
    const float grads[] = {1, 2, 3, 4, 5, 6, 7, 8}, loss = INFINITY;
    float sums[] = {10, 10, 10, 10, 10, 10, 10, 10};
    const float wanted[] = {10, NAN, 13, 14, 10, 16, 17, 10};
    const accumulate_args args = {.chunks = chunks, .chunk_count = 2, .grads = grads, .loss = &loss, .sums = sums};
    (void)state;
    emulator_run(&kernel_accumulate, 1, 32, &args);
    for (int i = 0; i < 8; i++)
        assert_true(sums[i] == wanted[i] || (isnan(sums[i]) && isnan(wanted[i])));
}

/* A class that cannot be costs the others nothing. */
static void cross_entropy__minus_infinity__of_another_class(void **state)
{
    const float x[] = {0, -INFINITY, 0};
    const int32_t labels[] = {2};
    float y[3];
    double loss;
    const classes_args args = {.x = x, .labels = labels, .y = y, .row_losses = &loss, .n = 1, .c = 3};
    (void)state;
    emulator_run(&kernel_class_losses, 1, 32, &args);
    assert_true(fabs(loss - log(2)) < 1e-12);
    assert_true(y[1] == 0);
}

/* More operands than a kernel has room for are told, not cut. */
static void concat_and_total__of_sixteen__are_refused(void **state)
{
    enum { PARTS = 16 };
    backend *b = new_cuda(2);
    (void)state;
    for (int is_total = 0; is_total < 2; is_total++) {
        value_id x = NO_VALUE, y = NO_VALUE, parts[PARTS];
        graph_loss losses[PARTS];
        graph *g = NULL;
        program *p = NULL;
        assert_ok(graph_create(&g, DTYPE_F32, true));
        assert_ok(graph_input(g, &x, "x", DTYPE_F32, is_total ? shape_of(0) : shape_of(2, (int64_t)2, (int64_t)3)));
        for (int i = 0; i < PARTS; i++) {
            parts[i] = x;
            losses[i] = (graph_loss){x, 1};
        }
        assert_ok(is_total ? op_total(g, &y, "sum", losses, PARTS) : op_concat(g, &y, "sum", parts, PARTS));
        graph_mark_output(g, y);
        assert_failure(program_create(&p, g, b, &(param_memory){0}), MIEN_ERR_ARG,
                       is_total ? "sum: 16 losses (wanted at most 15)" : "sum: 16 parts (wanted at most 15)");
    }
    close_cuda(b);
}

/* --- the emulator ------------------------------------------------------------------------------------------------- */
typedef struct {
    float *y;
} wrong_args;

TEAM_KERNEL(some_miss_the_barrier, wrong_args)
{
    if (threadIdx.x < 40)
        barrier();
    a.y[threadIdx.x] = 1;
}

TEAM_KERNEL(some_miss_the_shuffle, wrong_args)
{
    float v = 1;
    if (threadIdx.x != 33)
        v = shuffle_xor(v, 1);
    a.y[threadIdx.x] = v;
}

TEAM_KERNEL(shuffles_across_warps, wrong_args)
{
    a.y[threadIdx.x] = shuffle_xor(1, 32);
}

KERNEL(meets_alone, wrong_args)
{
    barrier();
    a.y[threadIdx.x] = 1;
}

TEAM_KERNEL(reads_what_was_never_written, wrong_args)
{
    SHARED(float, numbers, 64);
    if (threadIdx.x % 2 == 0)
        numbers[threadIdx.x] = 1;
    barrier();
    a.y[threadIdx.x] = numbers[threadIdx.x];
}

/* Runs it in a process of its own, which says `text` and aborts. */
static void check_dies(const device_kernel *wrong, const char *text)
{
    char said[512];
    int channel[2], status = 0;
    assert_int_equal(pipe(channel), 0);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        float y[64];
        (void)dup2(channel[1], STDERR_FILENO);
        close(channel[1]);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka's would go on with the next test */
        emulator_run(wrong, 1, 64, &(wrong_args){y});
        _exit(0);
    }
    close(channel[1]);
    ssize_t bytes = 0, got;
    while ((got = read(channel[0], said + bytes, sizeof said - 1 - (size_t)bytes)) > 0)
        bytes += got;
    said[bytes] = '\0';
    close(channel[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (!strstr(said, text))
        fail_msg("said \"%s\" (wanted %s)", said, text);
}

static void emulator__threads_that_do_not_meet__abort(void **state)
{
    (void)state;
    check_dies(&kernel_some_miss_the_barrier, "some_miss_the_barrier: block 0");
    check_dies(&kernel_some_miss_the_shuffle, "some_miss_the_shuffle: block 0");
    check_dies(&kernel_shuffles_across_warps, "across warps");
    check_dies(&kernel_meets_alone, "whose threads do not meet");
}

static void emulator__unwritten_memory__is_nan(void **state)
{
    float y[64], *fresh = NULL;
    backend *b = new_cuda(2);
    (void)state;
    emulator_run(&kernel_reads_what_was_never_written, 1, 64, &(wrong_args){y});
    for (int i = 0; i < 64; i++)
        assert_true(i % 2 ? isnan(y[i]) : y[i] == 1);
    assert_ok(b->alloc(b, (void **)&fresh, sizeof y));
    assert_ok(b->download(b, y, fresh, sizeof y));
    for (int i = 0; i < 64; i++)
        assert_true(isnan(y[i]));
    b->dealloc(b, fresh);
    close_cuda(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dropout__elements_and_samples__are_the_cpus),
        cmocka_unit_test(update__many_chunks__is_reference),
        cmocka_unit_test(accumulate__infinite_loss__leaves_nan),
        cmocka_unit_test(cross_entropy__minus_infinity__of_another_class),
        cmocka_unit_test(concat_and_total__of_sixteen__are_refused),
        cmocka_unit_test(emulator__threads_that_do_not_meet__abort),
        cmocka_unit_test(emulator__unwritten_memory__is_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
