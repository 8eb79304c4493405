/* Training on the CUDA backend, its kernels compiled for an emulator: what a run leaves is near what the CPU's leaves,
 * the same bits where it was stopped and went on, and either device goes on with what the other began. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "format/safetensors.h"
#include "train/checkpoint.h"
#include "train/run_kit.h"

#include <math.h>

static int enter(void **state)
{
    int rc = temp_folder_enter(state);
    kit_make_set("faces", 2, 1);
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

/* A step of two pictures and a validation of two, then as many of stage 2: the emulator takes a second for each. */
static kit_run two_stages(const char *out, backend *b)
{
    return (kit_run){.data = "faces",
                     .out = out,
                     .settings = {"stage1={batch: 2, epochs: 1, lr: 0.001}",
                                  "stage2={enabled: true, batch: 2, epochs: 1}", "data.val_share=0.5"},
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

/* Trained numbers of one file beside those of another: how far they are apart, relative to how large they are. */
static double distance(const char *run, const char *wanted, const char *file)
{
    char a[PATH_MAX], b[PATH_MAX];
    st_file *got, *want;
    double apart = 0, size = 0;
    snprintf(a, sizeof a, "%s/efficientnet_b0-%s", run, file);
    snprintf(b, sizeof b, "%s/efficientnet_b0-%s", wanted, file);
    assert_ok(st_open(&got, a));
    assert_ok(st_open(&want, b));
    for (size_t i = 0; i < st_count(want); i++) {
        const st_tensor *t = st_at(want, i), *u = st_find(got, t->name);
        assert_non_null(u);
        for (size_t k = 0; t->dtype == ST_F32 && k < t->bytes / sizeof(float); k++) {
            double x = (double)((const float *)t->data)[k], y = (double)((const float *)u->data)[k];
            apart += (x - y) * (x - y);
            size += x * x;
        }
    }
    st_close(got);
    st_close(want);
    return sqrt(apart / size);
}

static void assert_says_device(const char *run, const char *stage, const char *wanted)
{
    char path[PATH_MAX];
    train_state at;
    snprintf(path, sizeof path, "%s/efficientnet_b0-%s/last.ckpt", run, stage);
    assert_ok(checkpoint_load(path, &at, NULL, false));
    assert_string_equal(at.facts.device, wanted);
}

static void count_notices(void *payload, int level, const char *line)
{
    (void)level;
    *(int *)payload += strstr(line, ": bits may differ") != NULL;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void cuda__stopped_and_gone_on__leaves_the_same_bits(void **state)
{
    (void)state;
    backend *b = open_device();
    kit_run run = two_stages("device", b);
    assert_ok(kit_train(&run));
    assert_true(emulated_runs() > 0);
    assert_says_device("device", "stage1", "cuda");
    char *log = kit_read("device/log.jsonl", NULL);
    assert_non_null(strstr(log, "\"waiting\":"));
    mem_free(log);
    run = two_stages("stopped", b);
    run.cancel_after = 2; /* the step is done */
    assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
    run.is_resumed = true;
    run.cancel_after = 0;
    assert_ok(kit_train(&run));
    assert_same_run("stopped", "device");
    close_device(b);
}

/* Adam's first step moves every number by the learning rate, whichever way its gradient points: where that is next to
 * nothing the devices need not agree. */
static void cuda__beside_the_cpu__is_near(void **state)
{
    (void)state;
    kit_run run = two_stages("cpu", NULL);
    assert_ok(kit_train(&run));
    assert_says_device("cpu", "stage1", "cpu");
    assert_true(distance("device", "cpu", "stage1/last.ckpt") < 1e-3);
    assert_true(distance("device", "cpu", "stage2/last.ckpt") < 1e-3);
}

/* One begins and the other goes on, with a notice each time. */
static void cuda__gone_on_with_elsewhere__says_so_and_is_near(void **state)
{
    (void)state;
    int notices = 0;
    backend *b = open_device();
    mien_set_log(count_notices, &notices);
    for (int begins_here = 0; begins_here < 2; begins_here++) {
        kit_run run = two_stages(begins_here ? "to-cpu" : "to-device", begins_here ? b : NULL);
        run.cancel_after = 3; /* stage 1 is over but for its end */
        assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
        assert_int_equal(notices, begins_here);
        run.is_resumed = true;
        run.cancel_after = 0;
        run.backend = begins_here ? NULL : b;
        assert_ok(kit_train(&run));
        assert_int_equal(notices, begins_here + 1);
        assert_true(distance(run.out, "cpu", "stage2/last.ckpt") < 1e-3);
        assert_says_device(run.out, "stage2", begins_here ? "cpu" : "cuda");
    }
    mien_set_log(NULL, NULL);
    close_device(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuda__stopped_and_gone_on__leaves_the_same_bits),
        cmocka_unit_test(cuda__beside_the_cpu__is_near),
        cmocka_unit_test(cuda__gone_on_with_elsewhere__says_so_and_is_near),
    };
    return cmocka_run_group_tests(tests, enter, temp_folder_leave);
}
