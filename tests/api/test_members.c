/* What users name as models, and which members that makes. */
#include "testing.h"

#include "api/api.h"
#include "train/run_kit.h"

static backend *cpu;

static int enter(void **state)
{
    if (temp_folder_enter(state) != 0)
        return 1;
    mien_compute compute;
    mien_compute_init(&compute);
    assert_ok(api_backend(&cpu, &compute));
    kit_make_set("faces", 6, 5);
    return 0;
}

static int leave(void **state)
{
    api_backend_free(cpu);
    return temp_folder_leave(state);
}

/* A run folder stands for its finished members; they mix with model files. */
static void members__run_folder__is_its_members(void **state)
{
    (void)state;
    assert_ok(kit_train(&(kit_run){
        .data = "faces", .out = "run", .settings = {"models=[efficientnet_b0, efficientnet_b0]", "stage1.epochs=1"}}));
    const char *const paths[] = {"run", "run/efficientnet_b0-stage1/best.safetensors"};
    ensemble *e = NULL;
    assert_ok(api_ensemble_open(&e, paths, 2, false, cpu, PRECISION_AUTO));
    assert_int_equal(ensemble_member_count(e), 3);
    assert_string_equal(ensemble_member_name(e, 0), "efficientnet_b0-stage1");
    assert_string_equal(ensemble_member_name(e, 1), "efficientnet_b0.2-stage1");
    assert_string_equal(ensemble_member_name(e, 2), "efficientnet_b0-stage1#2");
    assert_true(ensemble_member_counts(e, 0) && ensemble_member_counts(e, 2));
    ensemble_free(e);
}

static void members__folder_that_is_no_run__is_told(void **state)
{
    (void)state;
    const char *const paths[] = {"faces"};
    ensemble *e = NULL;
    assert_failure(api_ensemble_open(&e, paths, 1, false, cpu, PRECISION_AUTO), MIEN_ERR_FORMAT,
                   "faces: a folder, and no run");
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members__run_folder__is_its_members),
        cmocka_unit_test(members__folder_that_is_no_run__is_told),
    };
    return cmocka_run_group_tests_name("members", tests, enter, leave);
}
