/* Devices as callers of mien.h meet them, on an emulated one: what is refused and how, what fits, and sessions that ask
 * from several threads. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/fakes.h"
#include "base/thread.h"
#include "graph/program.h"
#include "infer/saved_model.h"
#include "mien_bench.h"
#include "testing.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SIZE = 32, PICTURES = 3, COLUMNS = 4, PICTURE_BYTES = SIZE * SIZE * 3, THREADS = 3, MIB = 1 << 20 };

static uint8_t pictures[PICTURES * PICTURE_BYTES];

static int enter(void **state)
{
    if (temp_folder_enter(state) != 0)
        return 1;
    save_model("a.safetensors", SIZE, 1);
    draw_noise(pictures, PICTURES, SIZE);
    return 0;
}

static mien_status open_on(mien_model **out, const char *name)
{
    const char *const path = "a.safetensors";
    mien_compute compute;
    mien_compute_init(&compute);
    compute.device = name;
    compute.precision = MIEN_PRECISION_F32;
    compute.threads = 2;
    return mien_model_open(out, &path, 1, &compute);
}

static mien_status graph_on(char **out, const char *name, mien_precision precision)
{
    mien_graph_options o;
    mien_compute compute;
    mien_graph_options_init(&o);
    mien_compute_init(&compute);
    compute.device = name;
    compute.precision = precision;
    o.compute = &compute;
    return mien_graph_text(out, "small", &o);
}

/* --- names and refusals ------------------------------------------------------------------------------------------- */

static void device__name__is_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"gpu", "", "CUDA", "cuda:", "cuda:-1", "cuda:1x", "cuda: 1", "cuda:1000"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        mien_model *m = NULL;
        assert_failure(mien_device_check(wrong[i]), MIEN_ERR_ARG, "(wanted cpu, cuda or cuda:N)");
        assert_failure(open_on(&m, wrong[i]), MIEN_ERR_ARG, "(wanted cpu, cuda or cuda:N)");
    }
    assert_failure(mien_device_check(NULL), MIEN_ERR_ARG, "device: missing");
    assert_ok(mien_device_check("cpu"));
    assert_ok(mien_device_check("cuda"));
    assert_ok(mien_device_check("cuda:15"));
    assert_string_equal(mien_device(0), "cpu");
    assert_string_equal(mien_device(1), "cuda");
    assert_null(mien_device(2));
    assert_null(mien_device(-1));
}

/* What a real device's opening says (backend/cuda/device.c) comes through as it is. */
static void device__that_is_not_there__is_refused(void **state)
{
    (void)state;
    mien_model *m = NULL;
    char *text = NULL;
    emulated = (emulated_machine){.count = 2};
    assert_failure(open_on(&m, "cuda:2"), MIEN_ERR_UNSUPPORTED, "device: cuda:2 (found 2, wanted 0 to 1)");
    assert_ok(graph_on(&text, "cuda:1", MIEN_PRECISION_AUTO));
    mien_text_free(text);
    emulated = (emulated_machine){.refusal = "no CUDA driver on this machine"};
    assert_failure(open_on(&m, "cuda"), MIEN_ERR_UNSUPPORTED, "device: no CUDA driver on this machine");
    emulated = (emulated_machine){0};
    assert_null(m);
}

static void device__precision__is_what_it_computes_in(void **state)
{
    (void)state;
    char *text = NULL;
    assert_ok(graph_on(&text, "cuda", MIEN_PRECISION_AUTO));
    assert_non_null(strstr(text, "prepared by the cuda backend for sm_90"));
    assert_non_null(strstr(text, "bf16"));
    mien_text_free(text);
    emulated = (emulated_machine){.capability = 75};
    assert_ok(graph_on(&text, "cuda", MIEN_PRECISION_AUTO));
    assert_null(strstr(text, "bf16"));
    mien_text_free(text);
    assert_failure(graph_on(&text, "cuda", MIEN_PRECISION_BF16), MIEN_ERR_UNSUPPORTED, "bf16 (sm_75");
    emulated = (emulated_machine){0};
    assert_int_equal(emulated_block_count(), 0);
}

/* An operator that a backend has no kernel for: a build that is older than a network, or a device that lacks it. */
static void device__operator_that_it_lacks__is_named(void **state)
{
    (void)state;
    static const op_def unheard_of = {.name = "unheard_of"};
    backend *b = NULL;
    program *p = NULL;
    graph *g = NULL;
    value_id x, y;
    const param_memory none = {0};
    assert_ok(backend_cuda_create(&b, NULL));
    assert_ok(graph_create(&g, DTYPE_F32, false));
    assert_ok(graph_input(g, &x, "x", DTYPE_F32, shape_of(1, (int64_t)4)));
    assert_ok(op_activation(g, &y, "odd", x, ACT_RELU));
    graph_mark_output(g, y);
    for (node_id n = 0; n < graph_node_count(g); n++)
        graph_node_at(g, n)->op = &unheard_of;
    assert_failure(program_create(&p, g, b, &none), MIEN_ERR_UNSUPPORTED, "odd: CUDA has no kernel for unheard_of");
    b->free(b);
    assert_int_equal(emulated_block_count(), 0);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* Its options, of f32; compute is theirs. */
static mien_bench_options bench_options(mien_compute *compute, mien_bench_what what, int batch)
{
    mien_bench_options o;
    mien_bench_options_init(&o);
    mien_compute_init(compute);
    compute->device = "cuda";
    compute->precision = MIEN_PRECISION_F32;
    o.compute = compute;
    o.what = what;
    o.arch = "efficientnet_b0";
    o.image_size = SIZE;
    o.batch = batch;
    return o;
}

static mien_status bench_batch(mien_bench **out, mien_bench_what what, int batch)
{
    mien_compute compute;
    const mien_bench_options o = bench_options(&compute, what, batch);
    return mien_bench_run(out, &o);
}

/* A program for one batch more than the one that is told to fit is refused too, and that one is not. */
static void device__too_little_memory__says_what_fits(void **state)
{
    (void)state;
    mien_bench *b = NULL;
    char wanted[64];
    emulated = (emulated_machine){.total_bytes = 120 * MIB};
    assert_failure(bench_batch(&b, MIEN_BENCH_TRAIN, 512), MIEN_ERR_NOMEM, "batch 512: the program takes ");
    assert_non_null(strstr(mien_error(), "of emulated GPU (found "));
    const char *told = strstr(mien_error(), "the largest batch that fits is ");
    assert_non_null(told);
    const int fits = atoi(told + strlen("the largest batch that fits is "));
    assert_in_range(fits, 2, 511);
    assert_failure(bench_batch(&b, MIEN_BENCH_TRAIN, fits + 1), MIEN_ERR_NOMEM, "the largest batch that fits is ");
    snprintf(wanted, sizeof wanted, "that fits is %d)", fits);
    assert_non_null(strstr(mien_error(), wanted));
    emulated = (emulated_machine){.total_bytes = 63 * MIB};
    assert_failure(bench_batch(&b, MIEN_BENCH_TRAIN, 2), MIEN_ERR_NOMEM, "a batch of 2 takes ");
    emulated = (emulated_machine){.total_bytes = 16 * MIB};
    assert_failure(bench_batch(&b, MIEN_BENCH_TRAIN, 2), MIEN_ERR_NOMEM, "parameters: device: out of memory (found ");
    emulated = (emulated_machine){0};
    assert_int_equal(emulated_block_count(), 0);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

typedef struct {
    mien_model *model;
    float wanted[PICTURES * COLUMNS];
    atomic_int wrong;
} crowd;

static mien_status ask(float *row, mien_model *m, int threads)
{
    mien_session *s = NULL;
    mien_session_options o;
    mien_pictures p;
    mien_session_options_init(&o);
    mien_pictures_init(&p, pictures, PICTURES, SIZE, SIZE);
    o.threads = threads;
    o.batch = PICTURES;
    TRY(mien_session_open(&s, m, &o));
    mien_status st = mien_predict_pictures(row, (size_t)PICTURES * COLUMNS, s, &p);
    mien_session_free(s);
    return st;
}

static mien_status open_and_ask(void *context, int index)
{
    crowd *c = context;
    float got[PICTURES * COLUMNS];
    TRY(ask(got, c->model, index)); /* 0, 1 and 2 threads: a device computes for all in turn */
    if (memcmp(got, c->wanted, sizeof got) != 0)
        atomic_fetch_add(&c->wrong, 1);
    return MIEN_OK;
}

static void device__sessions_on_several_threads__answer_as_the_cpu_does(void **state)
{
    (void)state;
    crowd c = {0};
    mien_model *cpu = NULL;
    thread_group *group = NULL;
    float near[PICTURES * COLUMNS];
    assert_ok(open_on(&cpu, "cpu"));
    assert_ok(open_on(&c.model, "cuda"));
    assert_ok(ask(near, cpu, 0));
    assert_ok(ask(c.wanted, c.model, 0));
    for (int i = 0; i < PICTURES * COLUMNS; i++)
        assert_true(c.wanted[i] - near[i] < 1e-3f && near[i] - c.wanted[i] < 1e-3f);
    assert_true(memcmp(c.wanted, c.wanted + COLUMNS, COLUMNS * sizeof(float)) != 0); /* pictures matter */
    assert_ok(thread_group_start(&group, THREADS, open_and_ask, &c));
    assert_ok(thread_group_join(group));
    assert_int_equal(c.wrong, 0);
    mien_model_free(c.model);
    mien_model_free(cpu);
    assert_int_equal(emulated_block_count(), 0);
}

static void device__bench__names_it(void **state)
{
    (void)state;
    mien_bench *b = NULL;
    const int runs = emulated_runs();
    assert_ok(bench_batch(&b, MIEN_BENCH_INFER, 1));
    const mien_bench_result *r = mien_bench_result_of(b);
    assert_string_equal(r->device, "emulated GPU");
    assert_string_equal(r->isa, "sm_90");
    assert_true(r->peak_device_bytes > r->planned_bytes);
    assert_true(emulated_runs() >= runs + 7);
    mien_bench_free(b);
    assert_int_equal(emulated_block_count(), 0);
}

/* However many steps there are: one wait before them and one behind. */
static int waits_of(mien_bench_what what, mien_bench_kind kind, int steps)
{
    mien_bench *b = NULL;
    mien_compute compute;
    mien_bench_options o = bench_options(&compute, what, 2);
    const int before = emulated_waits(), runs = emulated_runs();
    o.kind = kind;
    o.steps = steps;
    assert_ok(mien_bench_run(&b, &o));
    assert_true(emulated_runs() >= runs + steps);
    mien_bench_free(b);
    return emulated_waits() - before;
}

static void device__bench__waits_once(void **state)
{
    (void)state;
    emulated = (emulated_machine){.is_idle = true};
    assert_int_equal(waits_of(MIEN_BENCH_TRAIN, MIEN_BENCH_PLAIN, 5), waits_of(MIEN_BENCH_TRAIN, MIEN_BENCH_PLAIN, 9));
    assert_int_equal(waits_of(MIEN_BENCH_INFER, MIEN_BENCH_PLAIN, 5), waits_of(MIEN_BENCH_INFER, MIEN_BENCH_PLAIN, 9));
    assert_int_equal(waits_of(MIEN_BENCH_TRAIN, MIEN_BENCH_SMM, 5), waits_of(MIEN_BENCH_TRAIN, MIEN_BENCH_SMM, 9));
    emulated = (emulated_machine){0};
}

/* What libraries are asked for: exact and the same each time, but where the caller wants it otherwise. */
static void device__fast_and_tf32__are_asked_of_libraries(void **state)
{
    (void)state;
    static const struct {
        mien_precision precision;
        int is_fast, is_tf32, engine;
        const char *isa;
    } rows[] = {{MIEN_PRECISION_F32, 0, 0, FAKE_EXACT, "sm_90"},
                {MIEN_PRECISION_F32, 0, 1, FAKE_TENSOR_CORE, "sm_90+tf32"},
                {MIEN_PRECISION_BF16, 0, 0, FAKE_TENSOR_CORE, "sm_90"},
                {MIEN_PRECISION_BF16, 1, 0, FAKE_LOOSE, "sm_90+fast"},
                {MIEN_PRECISION_F32, 1, 1, FAKE_LOOSE, "sm_90+fast+tf32"}};
    emulated = (emulated_machine){.is_idle = true};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mien_bench *b = NULL;
        mien_compute compute;
        const mien_bench_options o = bench_options(&compute, MIEN_BENCH_TRAIN, 2);
        const fake_count before = fake_counts;
        compute.precision = rows[i].precision;
        compute.is_fast = rows[i].is_fast;
        compute.is_tf32 = rows[i].is_tf32;
        assert_ok(mien_bench_run(&b, &o));
        assert_string_equal(mien_bench_result_of(b)->isa, rows[i].isa);
        mien_bench_free(b);
        const int convolutions = fake_counts.convolutions - before.convolutions,
                  products = fake_counts.products - before.products,
                  tf32_products = fake_counts.tf32_products - before.tf32_products;
        assert_true(convolutions > 0 && products > 0);
        assert_int_equal(fake_counts.engines[rows[i].engine] - before.engines[rows[i].engine], convolutions);
        assert_int_equal(tf32_products > 0, rows[i].is_tf32); /* the head is f32's in a network of bf16 too */
    }
    emulated = (emulated_machine){0};
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(device__name__is_checked),
        cmocka_unit_test(device__that_is_not_there__is_refused),
        cmocka_unit_test(device__precision__is_what_it_computes_in),
        cmocka_unit_test(device__operator_that_it_lacks__is_named),
        cmocka_unit_test(device__too_little_memory__says_what_fits),
        cmocka_unit_test(device__sessions_on_several_threads__answer_as_the_cpu_does),
        cmocka_unit_test(device__bench__names_it),
        cmocka_unit_test(device__bench__waits_once),
        cmocka_unit_test(device__fast_and_tf32__are_asked_of_libraries),
    };
    return cmocka_run_group_tests(tests, enter, temp_folder_leave);
}
