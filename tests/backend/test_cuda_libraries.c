/* What the CUDA backend does with the libraries that it finds, and without: which engine, how many calls, who serves
 * what is refused. The faked libraries check every call by themselves (backend/cuda/fakes.h). */
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/fakes.h"
#include "backend/ops_tests.h"

#include <stdio.h>

static char notices[4096];

static void keep_notice(void *payload, int level, const char *line)
{
    (void)payload;
    (void)level;
    const size_t used = strlen(notices);
    snprintf(notices + used, sizeof notices - used, "%s\n", line);
}

static int is_told(const char *text)
{
    int count = 0;
    for (const char *at = notices; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* What case `name` did on a backend that met `setting`: it agreed with the reference, and left nothing behind. */
static fake_count run_case(fake_setting setting, cuda_options options, const char *name, dtype type, case_mode mode)
{
    backend *b = NULL;
    const fake_count before = fake_counts;
    fake = setting;
    notices[0] = 0;
    mien_set_log(keep_notice, NULL);
    assert_ok(backend_cuda_create(&b, &options));
    assert_true(case_agrees(b, find_case(name), type, mode, false));
    b->free(b);
    mien_set_log(NULL, NULL);
    fake = (fake_setting){0};
    fake_count did = fake_counts;
    assert_int_equal(did.live, 0);
    assert_int_equal(emulated_block_count(), 0);
    did.convolutions -= before.convolutions;
    did.graphs -= before.graphs;
    did.products -= before.products;
    did.epilogues -= before.epilogues;
    for (int i = 0; i < FAKE_ENGINES; i++)
        did.engines[i] -= before.engines[i];
    return did;
}

static const cuda_options usual;

static void libraries__both_there__do_the_work(void **state)
{
    (void)state;
    fake_count did = run_case((fake_setting){0}, usual, "conv2d/3x3_bias", DTYPE_BF16, CASE_TRAINING);
    assert_true(did.convolutions >= 3); /* forward and both gradients */
    assert_true(did.graphs >= 1);
    assert_int_equal(is_told("cuDNN 9.19.0"), 1);
    assert_int_equal(is_told("cuBLASLt 13.1.0"), 1);
    did = run_case((fake_setting){0}, usual, "linear/bias", DTYPE_F32, CASE_TRAINING);
    assert_int_equal(did.convolutions, 0);
    assert_true(did.products >= 3);
    assert_true(did.epilogues >= 2); /* a bias, and its gradient */
}

static void libraries__plain_backend__opens_none(void **state)
{
    (void)state;
    const fake_count did =
        run_case((fake_setting){0}, (cuda_options){.is_plain = true}, "conv2d/3x3_bias", DTYPE_F32, CASE_TRAINING);
    assert_int_equal(did.convolutions + did.products, 0);
    assert_string_equal(notices, "");
}

/* Each is told once, and everything is computed all the same. */
static void libraries__not_usable__own_kernels_serve(void **state)
{
    (void)state;
    static const struct {
        fake_setting setting;
        const char *told[2];
    } rows[] = {
        {{.is_dnn_absent = true, .is_lt_absent = true},
         {"cuDNN: libcudnn.so.9 not found", "cuBLASLt: libcublasLt.so.13 not found"}},
        {{.dnn_version = 8907, .lt_version = 111103},
         {"cuDNN: version not known (found 8907, wanted 9)", "cuBLASLt: version too old (found 111103"}},
        {{.is_without_gpu = true}, {"cuDNN: CUDNN_STATUS_NOT_INITIALIZED", "cuBLASLt: failed"}},
        {{.missing = "cudnnBackendExecute", .is_lt_absent = true},
         {"cuDNN: libcudnn.so.9 has no cudnnBackendExecute", "cuBLASLt"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const fake_count did = run_case(rows[i].setting, usual, "conv2d/3x3_bias", DTYPE_F32, CASE_TRAINING);
        assert_int_equal(did.convolutions + did.products, 0);
        assert_int_equal(is_told(rows[i].told[0]), 1);
        assert_int_equal(is_told(rows[i].told[1]), 1);
        assert_int_equal(is_told("kernels of ours compute"), 2);
    }
}

static void libraries__plan_refused__plain_kernel_serves(void **state)
{
    (void)state;
    const fake_count did = run_case((fake_setting){.refuses_plans = true, .refuses_products = true}, usual,
                                    "conv2d/3x3_bias", DTYPE_BF16, CASE_TRAINING);
    assert_int_equal(did.convolutions + did.products, 0);
    assert_int_equal(is_told("conv: cuDNN: no engine: a kernel of ours does it"), 1);
}

/* Pictures come a few at a time where there is no room for all, the last with some before it again. */
static void libraries__attention__goes_in_parts(void **state)
{
    (void)state;
    static const struct {
        size_t bytes; /* a picture takes 22,304 of them forward and 40,256 backward; there are three */
        int forward, backward;
    } rows[] = {{0, 1, 1}, {100000, 1, 2}, {60000, 2, 3}, {1, 3, 3}};
    int runs = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int forward = emulated_launches("attention_softmax"),
                  backward = emulated_launches("attention_softmax_dx");
        const cuda_options options = {.attention_bytes = rows[i].bytes};
        const fake_count did = run_case((fake_setting){0}, options, "attention/wide_head", DTYPE_BF16, CASE_TRAINING);
        const int forwards = emulated_launches("attention_softmax") - forward;
        const int backwards = emulated_launches("attention_softmax_dx") - backward;
        runs = i == 0 ? forwards : runs;
        assert_true(runs > 0);
        assert_int_equal(forwards, runs * rows[i].forward);
        assert_int_equal(backwards, runs * rows[i].backward);
        assert_true(did.products >= 2 * forwards + 5 * backwards);
    }
}

static void libraries__attention_refused__plain_kernel_serves(void **state)
{
    (void)state;
    const int plain = emulated_launches("attention_dkv");
    const fake_count did =
        run_case((fake_setting){.refuses_products = true}, usual, "attention/wide_head", DTYPE_BF16, CASE_TRAINING);
    assert_int_equal(did.products, 0);
    assert_true(emulated_launches("attention_dkv") > plain);
    assert_int_equal(is_told("y:dx: cuBLASLt: algorithm: "), 1);
}

/* Where a library does not take along what follows, a kernel of ours does it behind the library's. */
static void libraries__epilogue_refused__is_a_step_of_ours(void **state)
{
    (void)state;
    const int epilogues = emulated_launches("epilogue"), sums = emulated_launches("column_sum");
    fake_count did =
        run_case((fake_setting){.refuses_epilogues = true}, usual, "conv2d/3x3_bias", DTYPE_F32, CASE_FORWARD);
    assert_true(did.convolutions >= 1);
    assert_int_equal(did.graphs, 0);
    assert_true(emulated_launches("epilogue") > epilogues);
    did = run_case((fake_setting){.refuses_epilogues = true}, usual, "linear/bias", DTYPE_F32, CASE_TRAINING);
    assert_true(did.products >= 1);
    assert_int_equal(did.epilogues, 0);
    assert_true(emulated_launches("column_sum") > sums);
    did = run_case((fake_setting){.refuses_epilogues = true}, usual, "group_linear/rows", DTYPE_BF16, CASE_TRAINING);
    assert_true(did.products >= 1);
    assert_int_equal(did.epilogues, 0);
}

static void libraries__engines__are_as_the_options_want(void **state)
{
    (void)state;
    static const struct {
        dtype type;
        cuda_options options;
        int engine;
    } rows[] = {
        {DTYPE_BF16, {0}, FAKE_TENSOR_CORE},
        {DTYPE_BF16, {.is_loose = true}, FAKE_LOOSE},
        {DTYPE_F32, {0}, FAKE_EXACT},
        {DTYPE_F32, {.is_tf32 = true}, FAKE_TENSOR_CORE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const fake_count did =
            run_case((fake_setting){0}, rows[i].options, "conv2d/3x3_bias", rows[i].type, CASE_TRAINING);
        assert_true(did.convolutions > 0);
        assert_int_equal(did.engines[rows[i].engine], did.convolutions);
    }
}

/* Weights as cuDNN takes them are made once for forward and its data gradient: training launches as many as forward. */
static void libraries__packed_weights__are_shared(void **state)
{
    (void)state;
    const int first = emulated_launches("pack");
    (void)run_case((fake_setting){0}, usual, "conv2d/3x3_bias", DTYPE_F32, CASE_FORWARD);
    const int second = emulated_launches("pack");
    (void)run_case((fake_setting){0}, usual, "conv2d/3x3_bias", DTYPE_F32, CASE_TRAINING);
    assert_true(second > first);
    assert_int_equal(emulated_launches("pack") - second, second - first);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        cmocka_unit_test(libraries__both_there__do_the_work),
        cmocka_unit_test(libraries__plain_backend__opens_none),
        cmocka_unit_test(libraries__not_usable__own_kernels_serve),
        cmocka_unit_test(libraries__plan_refused__plain_kernel_serves),
        cmocka_unit_test(libraries__attention__goes_in_parts),
        cmocka_unit_test(libraries__attention_refused__plain_kernel_serves),
        cmocka_unit_test(libraries__epilogue_refused__is_a_step_of_ours),
        cmocka_unit_test(libraries__engines__are_as_the_options_want),
        cmocka_unit_test(libraries__packed_weights__are_shared),
    };
    return cmocka_run_group_tests(all, NULL, NULL);
}
