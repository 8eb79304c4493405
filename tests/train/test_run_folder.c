/* Who may write into a run folder, and when: one at a time, with its own recipe, and again after a kill. */
#include "train/run_folder.h"

#include "base/file.h"
#include "base/mem.h"
#include "testing.h"
#include "train/run.h"

#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

static recipe *make_recipe(const char *setting)
{
    recipe *r;
    assert_ok(recipe_load(&r, task_all, NULL, &setting, 1));
    return r;
}

static void touch(const char *path)
{
    assert_ok(file_write_all(path, "", 0));
}

static void run_folder__names__count_repeats(void **state)
{
    (void)state;
    recipe *r = make_recipe("models=[resnet50, efficientnet_b0, resnet50, resnet50]");
    char name[RUN_NAME_BYTES], path[RUN_PATH_BYTES];
    const char *const wanted[] = {"resnet50", "efficientnet_b0", "resnet50.2", "resnet50.3"};
    for (int i = 0; i < 4; i++) {
        run_member_name(name, r, i);
        assert_string_equal(name, wanted[i]);
    }
    assert_ok(run_path(path, "run", name, "stage1", "last.ckpt"));
    assert_string_equal(path, "run/resnet50.3-stage1/last.ckpt");
    recipe_free(r);
}

static void run_folder__second_writer__is_refused(void **state)
{
    (void)state;
    recipe *r = make_recipe("seed=1");
    run_folder first, second;
    assert_ok(run_folder_open(&first, "locked", r, false));
    assert_failure(run_folder_open(&second, "locked", r, false), MIEN_ERR_ARG, "locked: locked: another run");
    assert_failure(run_folder_open(&second, "locked", r, true), MIEN_ERR_ARG, "locked: locked: another run");
    run_folder_close(&first);
    assert_ok(run_folder_open(&second, "locked", r, false));
    run_folder_close(&second);
    recipe_free(r);
}

/* A killed run leaves no stale lock. */
static void run_folder__killed_writer__lets_go(void **state)
{
    (void)state;
    recipe *r = make_recipe("seed=1");
    run_folder f;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (run_folder_open(&f, "killed", r, false) != MIEN_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_failure(run_folder_open(&f, "killed", r, false), MIEN_ERR_ARG, "killed: locked");
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_ok(run_folder_open(&f, "killed", r, false));
    run_folder_close(&f);
    close(ready[0]);
    close(ready[1]);
    recipe_free(r);
}

static void run_folder__used__needs_resume_and_its_recipe(void **state)
{
    (void)state;
    recipe *r = make_recipe("stage1.lr=0.5"), *other = make_recipe("stage1.lr=0.25");
    run_folder f;
    assert_ok(run_folder_open(&f, "used", r, true)); /* --resume on an empty folder starts */
    assert_false(f.is_used);
    assert_ok(run_folder_begin(&f, r));
    run_folder_close(&f);
    assert_true(run_is_folder("used"));
    assert_failure(run_folder_open(&f, "used", r, false), MIEN_ERR_ARG, "used: holds a run (wanted --resume");
    assert_failure(run_folder_open(&f, "used", other, true), MIEN_ERR_ARG,
                   "used: run with another recipe: stage1.lr: 0.25 (wanted 0.5)");
    assert_ok(run_folder_open(&f, "used", r, true));
    assert_true(f.is_used);
    run_folder_close(&f);
    assert_ok(file_write_all("used/recipe.yaml", "task: dance\n", 12));
    assert_failure(run_folder_open(&f, "used", r, true), MIEN_ERR_FORMAT, "used/recipe.yaml: line 1: task");
    recipe_free(r);
    recipe_free(other);
}

static void run_folder__more_epochs__where_nothing_depends_on_their_number(void **state)
{
    (void)state;
    static const char *const steady[] = {"models=[resnet50]", "stage1={epochs: 2, schedule: {name: constant}}",
                                         "stage2={epochs: 2, schedule: {t_max: 9}, init: stage1}"};
    recipe *r, *longer;
    run_folder f;
    assert_ok(recipe_load(&r, task_all, NULL, steady, 3));
    assert_ok(recipe_load(&longer, task_all, NULL, steady, 3));
    longer->stages[0].epochs = longer->stages[1].epochs = 3;
    assert_ok(run_folder_open(&f, "steady", r, true));
    assert_ok(run_folder_begin(&f, r));
    run_folder_close(&f);
    assert_ok(run_folder_open(&f, "steady", longer, true));
    assert_int_equal(f.used->stages[0].epochs, 2);
    run_folder_close(&f);
    longer->stages[0].epochs = 1;
    assert_failure(run_folder_open(&f, "steady", longer, true), MIEN_ERR_ARG, "recipe: stage1.epochs: 1 (wanted 2)");
    longer->stages[0].epochs = 3;
    longer->seed++;
    assert_failure(run_folder_open(&f, "steady", longer, true), MIEN_ERR_ARG, "another recipe: seed");
    longer->seed--;

    assert_ok(file_make_folders("steady/resnet50-stage2"));
    touch("steady/resnet50-stage2/last.ckpt");
    assert_failure(run_folder_open(&f, "steady", longer, true), MIEN_ERR_ARG,
                   "stage1.epochs: 3 (wanted 2: stage2 has begun with what it gave)");
    longer->stages[0].epochs = 2;
    assert_ok(run_folder_open(&f, "steady", longer, true));
    run_folder_close(&f);

    recipe_free(r);
    recipe_free(longer);
    r = make_recipe("stage1={epochs: 2, schedule: {name: cosine}}");
    longer = make_recipe("stage1={epochs: 2, schedule: {name: cosine}}");
    longer->stages[0].epochs = 3;
    assert_ok(run_folder_open(&f, "falling", r, true));
    assert_ok(run_folder_begin(&f, r));
    run_folder_close(&f);
    assert_failure(run_folder_open(&f, "falling", longer, true), MIEN_ERR_ARG,
                   "stage1.epochs: 3 (wanted 2: its learning rate falls to the end of the run");
    recipe_free(r);
    recipe_free(longer);
}

static void run_folder__litter__is_nothing(void **state)
{
    (void)state;
    recipe *r = make_recipe("seed=1");
    run_folder f;
    assert_ok(file_make_folders("shown"));
    touch("shown/.DS_Store");
    touch("shown/Thumbs.db");
    assert_ok(run_folder_open(&f, "shown", r, false));
    run_folder_close(&f);
    recipe_free(r);
}

static void run_folder__other_folders__are_left_alone(void **state)
{
    (void)state;
    recipe *r = make_recipe("seed=1");
    run_folder f;
    assert_ok(file_make_folders("photos"));
    touch("photos/me.jpg");
    assert_failure(run_folder_open(&f, "photos", r, false), MIEN_ERR_ARG, "photos: not empty, and no run");
    assert_failure(run_folder_open(&f, "photos", r, true), MIEN_ERR_ARG, "photos: not empty, and no run");
    touch("file");
    assert_failure(run_folder_open(&f, "file", r, false), MIEN_ERR_IO, "file");
    assert_false(run_is_folder("photos"));
    assert_false(run_is_folder("nowhere"));
    recipe_free(r);
}

static void run_models__finished_ones__are_listed(void **state)
{
    (void)state;
    recipe *r = make_recipe("models=[resnet50, efficientnet_b0, resnet50]");
    run_folder f;
    run_model *models;
    int count;
    assert_ok(run_folder_open(&f, "run", r, false));
    assert_ok(run_folder_begin(&f, r));
    assert_failure(run_models(&models, &count, "run"), MIEN_ERR_FORMAT, "run: no model of this run is finished");
    assert_ok(file_make_folders("run/resnet50-stage1"));
    assert_ok(file_make_folders("run/resnet50.2-stage1"));
    assert_ok(file_make_folders("run/efficientnet_b0-stage1"));
    touch("run/resnet50-stage1/done");
    touch("run/resnet50.2-stage1/done");
    assert_ok(run_models(&models, &count, "run"));
    assert_int_equal(count, 2);
    assert_string_equal(models[0].name, "resnet50");
    assert_string_equal(models[1].name, "resnet50.2");
    assert_string_equal(models[1].stage, "stage1");
    assert_string_equal(models[1].path, "run/resnet50.2-stage1/best.safetensors");
    assert_true(models[0].is_last && models[1].is_last);
    mem_free(models);
    run_folder_close(&f);
    recipe_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_folder__names__count_repeats),
        cmocka_unit_test(run_folder__second_writer__is_refused),
        cmocka_unit_test(run_folder__killed_writer__lets_go),
        cmocka_unit_test(run_folder__used__needs_resume_and_its_recipe),
        cmocka_unit_test(run_folder__more_epochs__where_nothing_depends_on_their_number),
        cmocka_unit_test(run_folder__litter__is_nothing),
        cmocka_unit_test(run_folder__other_folders__are_left_alone),
        cmocka_unit_test(run_models__finished_ones__are_listed),
    };
    return cmocka_run_group_tests_name("run_folder", tests, temp_folder_enter, temp_folder_leave);
}
