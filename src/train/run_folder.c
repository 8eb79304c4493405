/* The writer's lock is held by the operating system and vanishes with the process: no stale lock after a kill. A folder
 * is begun by writing its recipe, which is also what a resumed run is compared with. */
#include "train/run_folder.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* A hidden name: a folder that holds nothing else counts as empty. */
static const char lock_name[] = ".lock";
static const char recipe_name[] = "recipe.yaml";

void run_member_name(char dst[RUN_NAME_BYTES], const recipe *r, int member)
{
    int nth = 1;
    for (int i = 0; i < member; i++)
        nth += strcmp(r->models[i], r->models[member]) == 0;
    if (nth == 1)
        snprintf(dst, RUN_NAME_BYTES, "%s", r->models[member]);
    else
        snprintf(dst, RUN_NAME_BYTES, "%s.%d", r->models[member], nth);
}

mien_status run_path(char dst[RUN_PATH_BYTES], const char *run, const char *member, const char *stage, const char *file)
{
    int length = snprintf(dst, RUN_PATH_BYTES, "%s/%s-%s%s%s", run, member, stage, file ? "/" : "", file ? file : "");
    if (length < 0 || length >= RUN_PATH_BYTES)
        return mien_fail(MIEN_ERR_ARG, "%.100s...: path too long", run);
    return MIEN_OK;
}

mien_status run_file(char dst[RUN_PATH_BYTES], const char *run, const char *file)
{
    int length = snprintf(dst, RUN_PATH_BYTES, "%s/%s", run, file);
    if (length < 0 || length >= RUN_PATH_BYTES)
        return mien_fail(MIEN_ERR_ARG, "%.100s...: path too long", run);
    return MIEN_OK;
}

static mien_status lock(run_folder *f)
{
    char path[RUN_PATH_BYTES];
    TRY(run_file(path, f->path, lock_name));
    f->lock = file_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
    if (f->lock < 0)
        return file_fail(path, "cannot create", errno);
    if (flock(f->lock, LOCK_EX | LOCK_NB) == 0)
        return MIEN_OK;
    if (errno == EWOULDBLOCK)
        return mien_fail(MIEN_ERR_ARG, "%s: locked: another run is writing into it", f->path);
    return file_fail(path, "cannot lock", errno);
}

/* Anything of the user's in it? The lock, hidden, is ours. */
static mien_status is_occupied(bool *out, const char *path)
{
    char **names;
    size_t count;
    TRY(file_list(&names, &count, path));
    *out = false;
    for (size_t i = 0; i < count; i++)
        *out |= !file_is_litter(names[i]);
    file_list_free(names, count);
    return MIEN_OK;
}

/* Has this stage of any member begun? */
static bool has_begun(const run_folder *f, int stage)
{
    for (int i = 0; i < f->used->model_count; i++) {
        char name[RUN_NAME_BYTES], path[RUN_PATH_BYTES];
        run_member_name(name, f->used, i);
        if (run_path(path, f->path, name, f->used->stages[stage].name, "last.ckpt") == MIEN_OK && file_exists(path))
            return true;
    }
    return false;
}

/* Why a stage cannot have more epochs than it began with, into dst; false: it can. */
static bool may_not_have_more(char *dst, size_t bytes, const run_folder *f, int stage)
{
    const recipe *used = f->used;
    if (!recipe_may_go_on(&used->stages[stage])) {
        snprintf(dst, bytes,
                 "its learning rate falls to the end of the run: begin another one, or one whose schedule is "
                 "constant or has a t_max");
        return true;
    }
    for (int s = 1; stage == 0 && s < used->stage_count; s++)
        if (used->stages[s].enabled && used->stages[s].kind == MODEL_DEVIATION &&
            used->stages[s].init == STAGE_INIT_STAGE1 && has_begun(f, s)) {
            snprintf(dst, bytes, "%s has begun with what it gave", used->stages[s].name);
            return true;
        }
    return false;
}

/* A stage that asks for more epochs is no difference where it may have them. */
static mien_status compare_recipe(run_folder *f, const char *recipe_path, const recipe *r)
{
    char difference[512], why[256];
    int had[TASK_MAX_STAGES];
    TRY(recipe_load(&f->used, r->tasks, recipe_path, NULL, 0));
    const int stages = f->used->task == r->task ? r->stage_count : 0;
    for (int s = 0; s < stages; s++) {
        int more = r->stages[s].epochs;
        had[s] = f->used->stages[s].epochs;
        if (more > had[s] && may_not_have_more(why, sizeof why, f, s))
            return mien_fail(MIEN_ERR_ARG, "%s: run with another recipe: %s.epochs: %d (wanted %d: %s)", f->path,
                             r->stages[s].name, more, had[s], why);
    }
    for (int s = 0; s < stages; s++)
        if (r->stages[s].epochs > had[s])
            f->used->stages[s].epochs = r->stages[s].epochs;
    const bool is_different = recipe_difference(f->used, r, difference, sizeof difference);
    for (int s = 0; s < stages; s++)
        f->used->stages[s].epochs = had[s];
    if (is_different)
        return mien_fail(MIEN_ERR_ARG, "%s: run with another recipe: %s", f->path, difference);
    return MIEN_OK;
}

static mien_status check(run_folder *f, const recipe *r, bool is_resumed)
{
    char path[RUN_PATH_BYTES];
    bool occupied;
    TRY(run_file(path, f->path, recipe_name));
    f->is_used = file_exists(path);
    if (f->is_used && !is_resumed)
        return mien_fail(MIEN_ERR_ARG, "%s: holds a run (wanted --resume, or another folder)", f->path);
    if (f->is_used)
        return compare_recipe(f, path, r);
    TRY(is_occupied(&occupied, f->path));
    if (occupied)
        return mien_fail(MIEN_ERR_ARG, "%s: not empty, and no run (wanted a new or empty folder)", f->path);
    return MIEN_OK;
}

mien_status run_folder_open(run_folder *out, const char *path, const recipe *r, bool is_resumed)
{
    run_folder f = {.path = path, .lock = -1};
    TRY(file_make_folders(path));
    mien_status st = lock(&f);
    if (st == MIEN_OK)
        st = check(&f, r, is_resumed);
    if (st != MIEN_OK) {
        run_folder_close(&f);
        return st;
    }
    *out = f;
    return MIEN_OK;
}

mien_status run_folder_begin(run_folder *f, const recipe *r)
{
    char path[RUN_PATH_BYTES];
    str text = {0};
    TRY(run_file(path, f->path, recipe_name));
    mien_status st = recipe_print(r, &text);
    if (st == MIEN_OK)
        st = file_write_all(path, text.text, text.length);
    str_free(&text);
    return st;
}

void run_folder_close(run_folder *f)
{
    if (f->lock >= 0)
        close(f->lock);
    f->lock = -1;
    recipe_free(f->used);
    f->used = NULL;
}
