/* Recipes and sets of the multi-task task, as trainings and evaluations open them. */
#include "task/mtl_kit.h"

recipe *mtl_recipe(const char *const *settings)
{
    enum { MAX_SETTINGS = 16 };
    const char *all[MAX_SETTINGS] = {"task=mtl", "models=[efficientnet_b0]", "image_size=32"};
    recipe *r;
    int count = 3;
    for (; *settings; settings++) {
        assert_true(count < MAX_SETTINGS);
        all[count++] = *settings;
    }
    assert_ok(recipe_load(&r, task_all, NULL, all, count));
    return r;
}

mien_status mtl_try_open(task_set **out, task_set **validation, const task_source *sources, int count, const recipe *r,
                         bool is_training)
{
    const task_values values = r ? recipe_values(r, 0) : (task_values){0};
    return task_mtl.open(out, validation,
                         &(task_set_options){.sources = sources,
                                             .source_count = count,
                                             .heads = r ? r->heads : mtl_heads,
                                             .head_count = r ? r->head_count : MTL_HEADS,
                                             .values = r ? &values : NULL,
                                             .is_training = is_training});
}

task_set *mtl_open_one(const char *path, const recipe *r, bool is_training)
{
    task_set *set;
    assert_ok(mtl_try_open(&set, NULL, &(task_source){.path = path}, 1, r, is_training));
    return set;
}
