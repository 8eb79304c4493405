/* Every operator case on the CUDA backend's kernels, compiled for an emulator: the plain kernels, and the fast ones. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/fakes.h"
#include "backend/ops_tests.h"

static bool is_plain;

static int backend_open(void **state)
{
    backend *b = NULL;
    assert_ok(backend_cuda_create(&b, &(cuda_options){.is_plain = is_plain}));
    *state = b;
    return 0;
}

static int backend_close(void **state)
{
    backend *b = *state;
    b->free(b);
    assert_int_equal(emulated_block_count(), 0);
    assert_int_equal(fake_counts.live, 0);
    return 0;
}

int main(int argc, char **argv)
{
    ops_only = argc > 1 ? argv[1] : "";
    const struct CMUnitTest all[] = {
        cmocka_unit_test(ops__forward_f32__is_reference),
        cmocka_unit_test(ops__training_f32__is_reference),
        cmocka_unit_test(ops__forward_bf16__is_reference),
        cmocka_unit_test(ops__training_bf16__is_reference),
        cmocka_unit_test(ops__one_weight_off__is_noticed),
        cmocka_unit_test(ops__optimizers__are_reference),
        cmocka_unit_test(ops__accumulated_batches__are_reference),
        cmocka_unit_test(ops__nan_gradient__changes_nothing),
        cmocka_unit_test(ops__twice__same_bits),
    };
    int failed = 0;
    for (int plain = 1; plain >= 0; plain--) {
        is_plain = plain;
        printf("%s kernels\n", plain ? "plain" : "fast");
        failed += cmocka_run_group_tests(all, backend_open, backend_close);
    }
    return failed;
}
