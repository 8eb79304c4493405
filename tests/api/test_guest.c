/* A library is a guest in its caller's process: what the caller has told OpenMP stays told, whatever we compute. */
#include "testing.h"

#include "api/api.h"
#include "train/run_kit.h"

#include <dlfcn.h>

/* libgomp's own, which oneDNN has brought into the process: not those that libmien hides. */
static void *gomp(const char *name)
{
    void *library = dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (!library) {
        print_message("skipped: no libgomp in this process\n");
        skip();
    }
    void *found = dlsym(library, name);
    assert_non_null(found);
    return found;
}

static void call(const char *name, int value)
{
    void (*set)(int);
    *(void **)&set = gomp(name);
    set(value);
}

static int ask(const char *name)
{
    int (*get)(void);
    *(void **)&get = gomp(name);
    return get();
}

static void guest__openmp_settings__are_the_callers_after_every_call(void **state)
{
    (void)state;
    call("omp_set_num_threads", 3);
    call("omp_set_dynamic", 1);
    call("omp_set_max_active_levels", 2);
    kit_make_set("faces", 6, 5);
    assert_ok(kit_train(
        &(kit_run){.data = "faces", .out = "run", .settings = {"models=[efficientnet_b0]", "stage1.epochs=1"}}));
    const char *const paths[] = {"run"};
    mien_evaluation *e = NULL;
    assert_ok(mien_evaluate(&e, paths, 1, "faces", NULL));
    mien_evaluation_free(e);
    assert_int_equal(ask("omp_get_max_threads"), 3);
    assert_int_equal(ask("omp_get_dynamic"), 1);
    assert_int_equal(ask("omp_get_max_active_levels"), 2);
    assert_int_equal(ask("omp_in_parallel"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest__openmp_settings__are_the_callers_after_every_call),
    };
    return cmocka_run_group_tests_name("guest", tests, temp_folder_enter, temp_folder_leave);
}
