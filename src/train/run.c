/* A run's models are those with a file `done` beside them, in the order of its own recipe: a folder says itself what it
 * holds, and nothing is searched. */
#include "train/run.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/run_folder.h"

#include <stdio.h>

bool run_is_folder(const char *path)
{
    char recipe_path[RUN_PATH_BYTES];
    return run_file(recipe_path, path, "recipe.yaml") == MIEN_OK && file_is_folder(path) && file_exists(recipe_path);
}

/* Adds the finished stages of one member. */
static mien_status add_member(run_model *models, int *count, const char *path, const recipe *r, int member)
{
    char name[RUN_NAME_BYTES], done[RUN_PATH_BYTES], best[RUN_PATH_BYTES];
    int last = -1;
    run_member_name(name, r, member);
    for (int s = 0; s < r->stage_count; s++) {
        TRY(run_path(done, path, name, r->stages[s].name, "done"));
        TRY(run_path(best, path, name, r->stages[s].name, "best.safetensors"));
        if (!file_exists(done))
            continue;
        last = (*count)++;
        run_model *m = &models[last];
        m->task = r->task;
        snprintf(m->name, sizeof m->name, "%s", name);
        snprintf(m->stage, sizeof m->stage, "%s", r->stages[s].name);
        if ((size_t)snprintf(m->path, sizeof m->path, "%s", best) >= sizeof m->path)
            return mien_fail(MIEN_ERR_ARG, "%.100s...: path too long", best);
    }
    if (last >= 0)
        models[last].is_last = true;
    return MIEN_OK;
}

mien_status run_models(run_model **out, int *out_count, const char *path)
{
    mien_status st;
    char recipe_path[RUN_PATH_BYTES];
    recipe *r = NULL;
    run_model *models = NULL;
    int count = 0;
    TRY(run_file(recipe_path, path, "recipe.yaml"));
    TRY_OUT(recipe_load(&r, task_all, recipe_path, NULL, 0));
    TRY_OUT(mem_zalloc(&models, (size_t)r->model_count * (size_t)r->stage_count));
    for (int i = 0; i < r->model_count; i++)
        TRY_OUT(add_member(models, &count, path, r, i));
    if (count == 0) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no model of this run is finished (wanted one; --resume goes on with it)",
                       path);
        goto out;
    }
    *out = models;
    *out_count = count;
    models = NULL;
out:
    mem_free(models);
    recipe_free(r);
    return st;
}
