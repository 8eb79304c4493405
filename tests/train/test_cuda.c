/* Training on the CUDA backend, its kernels compiled for an emulator: what a run leaves is the same
 * bits where it was stopped and went on. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "train/run_kit.h"

static int enter(void **state)
{
    int rc = temp_folder_enter(state);
    kit_make_set("faces", 3, 1);
    return rc;
}

static backend *open_device(void)
{
    backend *b = NULL;
    assert_ok(backend_cuda_create(&b, NULL));
    return b;
}

static void close_device(backend *b)
{
    b->free(b);
    assert_int_equal(emulated_block_count(), 0);
}

/* Two steps of two pictures and a validation, then as many of stage 2: the emulator takes a second for each. */
static kit_run two_stages(const char *out, backend *b)
{
    return (kit_run){.data = "faces",
                     .out = out,
                     .settings = {"stage1={batch: 2, epochs: 1, lr: 0.001}",
                                  "stage2={enabled: true, batch: 2, epochs: 1}", "data.val_share=0.4"},
                     .precision = PRECISION_F32,
                     .backend = b};
}

static void assert_same_run(const char *run, const char *wanted)
{
    static const char *const files[] = {"last.ckpt", "best.safetensors", "validation.csv", "done"};
    char a[PATH_MAX], b[PATH_MAX];
    for (int stage = 1; stage <= 2; stage++)
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            snprintf(a, sizeof a, "%s/efficientnet_b0-stage%d/%s", wanted, stage, files[i]);
            snprintf(b, sizeof b, "%s/efficientnet_b0-stage%d/%s", run, stage, files[i]);
            kit_assert_same_file(a, b);
        }
}

static void cuda__stopped_and_gone_on__leaves_the_same_bits(void **state)
{
    (void)state;
    backend *b = open_device();
    kit_run run = two_stages("device", b);
    assert_ok(kit_train(&run));
    assert_true(emulated_runs() > 0);
    run = two_stages("stopped", b);
    run.cancel_after = 2; /* the step is done */
    assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
    run.is_resumed = true;
    run.cancel_after = 0;
    assert_ok(kit_train(&run));
    assert_same_run("stopped", "device");
    close_device(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuda__stopped_and_gone_on__leaves_the_same_bits),
    };
    return cmocka_run_group_tests(tests, enter, temp_folder_leave);
}
