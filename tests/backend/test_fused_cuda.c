/* The fast kernels are what serves the shapes they are for: a path that nothing takes would pass every other test. That
 * they are right the operator cases tell (test_ops_cuda.c). */
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "backend/ops_tests.h"

typedef struct {
    const char *case_name, *op, *implementation; /* of every node of `op` */
} wanted_kernel;

static const wanted_kernel wanted_kernels[] = {
    {"batch_norm/silu", "batch_norm", "cuda:fused_bn_sums_bf16"},
    {"batch_norm/silu", "batch_norm_dx", "cuda:fused_bn_dx_sums_bf16"},
    {"batch_norm/running", "batch_norm", "cuda:fused_bn_apply_bf16"},
    {"batch_norm/running", "batch_norm_dx", "cuda:fused_bn_dx_sums_bf16"},
    {"conv2d/depthwise_3x3", "conv2d", "cuda:fused_depthwise_3_bf16"},
    {"conv2d/depthwise_3x3", "conv2d_dx", "cuda:fused_depthwise_3_bf16"},
    {"conv2d/depthwise_3x3", "conv2d_dw", "cuda:fused_depthwise_dw_3_bf16"},
    {"conv2d/depthwise_5x5_stride2", "conv2d", "cuda:fused_depthwise_5_bf16"},
    {"conv2d/depthwise_5x5_stride2", "conv2d_dx", "cuda:fused_depthwise_dx_5_bf16"},
    {"conv2d/depthwise_5x5_stride2", "conv2d_dw", "cuda:fused_depthwise_dw_5_bf16"},
    {"layer_norm/tokens", "layer_norm", "cuda:fused_layer_norm_bf16"},
    {"layer_norm/tokens", "layer_norm_dx", "cuda:fused_layer_norm_dx_bf16"},
    {"add/eights", "add", "cuda:fused_add_bf16"},
    {"add/eights", "activation", "cuda:fused_activation_bf16"},
    {"add/eights", "activation_dx", "cuda:fused_activation_dx_bf16"},
    {"mul/eights", "mul", "cuda:fused_mul_bf16"},
    {"mul/eights", "cast", "cuda:fused_convert"},
    {"multiply/eights", "multiply", "cuda:fused_multiply_bf16"},
    {"normalise/eights", "normalise", "cuda:fused_normalise"},
    {"scale/one_pixel", "global_mean", "cuda:fused_map_sum_bf16"},
    {"scale/one_pixel", "global_mean_dx", "cuda:fused_map_scale_bf16"},
    {"scale/one_pixel", "scale", "cuda:fused_map_scale_bf16"},
    {"scale/one_pixel", "scale_dx", "cuda:fused_map_scale_bf16"},
    {"scale/one_pixel", "scale_ds", "cuda:fused_map_sum_bf16"},
    {"attention/wide_head_first_alone", "attention", "cublaslt:attention:bf16"},
    {"attention/wide_head_first_alone", "attention_dx", "cublaslt:attention:bf16"},
    {"pool/max_odd", "pool", "cuda:fused_pool_bf16"},
    {"pool/max_odd", "pool_dx", "cuda:fused_pool_dx_bf16"},
    /* and not where rows are no eights */
    {"batch_norm/relu", "batch_norm", "cuda:batch_moments"},
    {"pool/max_ceil", "pool", "cuda:pool"},
    {"attention/two_heads", "attention", "cuda:attention"},
};

static bool is_served_as_wanted(backend *b, const wanted_kernel *w)
{
    side s = {0};
    int found = 0;
    bool is_fine = true;
    side_open(&s, b, find_case(w->case_name), DTYPE_BF16, CASE_TRAINING);
    for (int i = 0; i < program_timing_count(s.p); i++) {
        const program_timing t = program_timing_at(s.p, i);
        if (strcmp(t.op, w->op) != 0)
            continue;
        found++;
        if (strcmp(t.implementation, w->implementation) != 0) {
            print_error("%s: %s: %s (wanted %s)\n", w->case_name, t.node, t.implementation, w->implementation);
            is_fine = false;
        }
    }
    if (!found)
        print_error("%s: no %s\n", w->case_name, w->op);
    side_close(&s);
    return is_fine && found > 0;
}

static void fused__shapes_of_networks__are_served(void **state)
{
    backend *b = NULL;
    int failed = 0;
    (void)state;
    assert_ok(backend_cuda_create(&b, NULL));
    for (size_t i = 0; i < sizeof wanted_kernels / sizeof *wanted_kernels; i++)
        failed += !is_served_as_wanted(b, &wanted_kernels[i]);
    b->free(b);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(fused__shapes_of_networks__are_served)};
    return cmocka_run_group_tests(all, NULL, NULL);
}
