/* Training where the backend's memory is not the caller's: files hold what the CPU's run leaves, to the bit, also where
 * a run that was stopped goes on from its checkpoint, and whether steps are captured or not. */
#include "backend/apart_backend.h"
#include "train/run_kit.h"

static int enter(void **state)
{
    int rc = temp_folder_enter(state);
    kit_make_set("faces", 8, 1);
    return rc;
}

static backend *make_apart(bool captures)
{
    backend *cpu = NULL, *b = NULL;
    assert_ok(backend_cpu_create(&cpu, &(cpu_options){.threads = 2}));
    assert_ok(apart_backend_create(&b, cpu, captures));
    return b;
}

/* device: where its checkpoints say that they were made; NULL: as the wanted ones do. */
static void assert_same_run(const char *run, const char *wanted, bool has_stage2, const char *device)
{
    static const char *const files[] = {"last.ckpt", "best.safetensors", "validation.csv", "done"};
    char a[PATH_MAX], b[PATH_MAX], said[64];
    for (int stage = 1; stage <= 1 + has_stage2; stage++)
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            snprintf(a, sizeof a, "%s/efficientnet_b0-stage%d/%s", wanted, stage, files[i]);
            snprintf(b, sizeof b, "%s/efficientnet_b0-stage%d/%s", run, stage, files[i]);
            if (i == 0 && device) {
                snprintf(said, sizeof said, "\"device\":\"%s\"", device);
                kit_forge(b, said, "\"device\":\"cpu\"");
            }
            kit_assert_same_file(a, b);
        }
}

/* 2 epochs of 3 steps with a validation each, then as many of stage 2, whose frozen features are kept. */
static kit_run two_stages(const char *out)
{
    return (kit_run){
        .data = "faces",
        .out = out,
        .settings = {"stage2.enabled=true", "augment={flip: false, crop: 0}", "stage2.class_weights=[1, 3]"}};
}

static void apart__stopped_and_gone_on__is_the_cpus_run(void **state)
{
    (void)state;
    kit_run run = two_stages("whole");
    assert_ok(kit_train(&run));
    for (int captures = 0; captures < 2; captures++) {
        run = two_stages(captures ? "captured" : "apart");
        run.backend = make_apart(captures);
        run.cancel_after = 3;
        assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
        run.is_resumed = true;
        run.cancel_after = 0;
        assert_ok(kit_train(&run));
        assert_int_equal(apart_captured_runs(run.backend) > 0, captures);
        assert_int_equal(apart_block_count(run.backend), 0);
        run.backend->free(run.backend);
        assert_same_run(run.out, "whole", true, "apart");
    }
}

/* Mixed batches have soft targets and buffers of their own. */
static void apart__mixed_batches__are_the_cpus_run(void **state)
{
    (void)state;
    kit_run run = {.data = "faces", .out = "mixed", .settings = {"augment.mixup=0.2", "augment.cutmix=1"}};
    assert_ok(kit_train(&run));
    run.out = "mixed-apart";
    run.backend = make_apart(true);
    assert_ok(kit_train(&run));
    run.backend->free(run.backend);
    assert_same_run("mixed-apart", "mixed", false, "apart");
}

/* One device begins, the other goes on. */
static void apart__gone_on_with_on_the_cpu__is_the_cpus_run(void **state)
{
    (void)state;
    kit_run run = two_stages("passed-on");
    run.backend = make_apart(true);
    run.cancel_after = 4;
    assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
    run.backend->free(run.backend);
    run.backend = NULL;
    run.is_resumed = true;
    run.cancel_after = 0;
    assert_ok(kit_train(&run));
    assert_same_run("passed-on", "whole", true, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apart__stopped_and_gone_on__is_the_cpus_run),
        cmocka_unit_test(apart__mixed_batches__are_the_cpus_run),
        cmocka_unit_test(apart__gone_on_with_on_the_cpu__is_the_cpus_run),
    };
    return cmocka_run_group_tests(tests, enter, temp_folder_leave);
}
