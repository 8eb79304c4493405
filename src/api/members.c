/* From what users name, model files and run folders, to the members of an ensemble, or of one for each task. */
#include "api/api.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/ensemble_file.h"
#include "infer/scores.h"
#include "nn/model.h"
#include "train/run.h"

#include <string.h>

typedef struct {
    arena *texts;
    ensemble_source *sources;
    int count, capacity;
} member_list;

/* weight 0: 1 */
static mien_status add_source(member_list *list, const char *path, const char *name, bool counts, double weight)
{
    if (list->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 8;
        size_t bytes = sizeof *list->sources;
        TRY(mem_resize_bytes((void **)&list->sources, bytes * (size_t)list->capacity, bytes * (size_t)capacity));
        list->capacity = capacity;
    }
    char *copy = NULL;
    TRY(arena_strdup(list->texts, &copy, path));
    list->sources[list->count++] = (ensemble_source){.path = copy, .name = name, .counts = counts, .weight = weight};
    return MIEN_OK;
}

static mien_status add_run(member_list *list, const char *path, bool all_stages)
{
    run_model *models = NULL;
    int count = 0;
    TRY(run_models(&models, &count, path));
    mien_status st = MIEN_OK;
    for (int i = 0; i < count; i++) {
        char *name = NULL;
        if (!all_stages && !models[i].is_last)
            continue;
        TRY_OUT(arena_printf(list->texts, &name, "%s-%s", models[i].name, models[i].stage));
        TRY_OUT(add_source(list, models[i].path, name, models[i].is_last, 0));
    }
out:
    mem_free(models);
    return st;
}

static mien_status fail_scores(const char *path)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: scores of one set (wanted a model, which answers for any picture)", path);
}

/* Its members count together as much as one model beside them. */
static mien_status add_ensemble(member_list *list, const char *path)
{
    ensemble_file f;
    TRY(ensemble_file_read(&f, path));
    mien_status st = MIEN_OK;
    for (int i = 0; st == MIEN_OK && i < f.count; i++)
        st = scores_is_file(f.members[i].path) ? fail_scores(f.members[i].path)
                                               : add_source(list, f.members[i].path, NULL, true, f.members[i].weight);
    ensemble_file_free(&f);
    return st;
}

static mien_status add_path(member_list *list, const char *path, bool all_stages)
{
    if (run_is_folder(path))
        return add_run(list, path, all_stages);
    if (file_is_folder(path))
        return mien_fail(MIEN_ERR_FORMAT, "%s: a folder, and no run (wanted a model file or a run folder)", path);
    if (scores_is_file(path) && !all_stages)
        return fail_scores(path);
    if (ensemble_file_is(path))
        return add_ensemble(list, path);
    return add_source(list, path, NULL, true, 0);
}

static void free_list(member_list *list)
{
    mem_free(list->sources);
    arena_free(list->texts);
}

static mien_status list_paths(member_list *out, const char *const *paths, int count, bool all_stages)
{
    member_list list = {0};
    mien_status st = arena_create(&list.texts, 0);
    for (int i = 0; st == MIEN_OK && i < count; i++)
        st = add_path(&list, paths[i], all_stages);
    if (st != MIEN_OK) {
        free_list(&list);
        return st;
    }
    *out = list;
    return MIEN_OK;
}

mien_status api_ensemble_open(ensemble **out, const char *const *paths, int count, bool all_stages, backend *b,
                              precision_kind precision)
{
    member_list list;
    ensemble_options options = {.precision = precision};
    TRY(list_paths(&list, paths, count, all_stages));
    mien_status st = ensemble_open(out, list.sources, list.count, b, &options);
    free_list(&list);
    return st;
}

/* --- several tasks ------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *names[API_MAX_TASKS]; /* [count] each task once, in order */
    int count;
    int *of; /* [sources] the task of each source */
} task_list;

static int find_task(const task_list *tasks, const char *name)
{
    int i = 0;
    while (i < tasks->count && strcmp(tasks->names[i], name) != 0)
        i++;
    return i;
}

static mien_status note_task(task_list *tasks, const member_list *list, int source)
{
    char *name, *copy = NULL;
    const char *path = list->sources[source].path;
    TRY(model_file_task(&name, path));
    mien_status st = arena_strdup(list->texts, &copy, name);
    mem_free(name);
    TRY(st);
    tasks->of[source] = find_task(tasks, copy);
    if (tasks->of[source] == API_MAX_TASKS)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: task %s beside %d others (wanted at most %d together)", path, copy,
                         tasks->count, API_MAX_TASKS);
    if (tasks->of[source] == tasks->count)
        tasks->names[tasks->count++] = copy;
    return MIEN_OK;
}

static mien_status open_task(ensemble **out, const member_list *list, const task_list *tasks, int task, backend *b,
                             const ensemble_options *options)
{
    ensemble_source *own;
    int count = 0;
    TRY(mem_alloc(&own, list->count));
    for (int i = 0; i < list->count; i++)
        if (tasks->of[i] == task)
            own[count++] = list->sources[i];
    mien_status st = ensemble_open(out, own, count, b, options);
    mem_free(own);
    return st;
}

/* places [count]: the tasks in the order of their columns. */
static void order_tasks(int places[API_MAX_TASKS], const task_list *tasks)
{
    const int last = find_task(tasks, task_all[0]->name);
    int count = 0;
    for (int i = 0; i < tasks->count; i++)
        if (i != last)
            places[count++] = i;
    if (count < tasks->count)
        places[count] = last;
}

mien_status api_ensembles_open(ensemble *out[API_MAX_TASKS], int *out_count, const char *const *paths, int count,
                               backend *b, const ensemble_options *options)
{
    mien_status st;
    member_list list;
    task_list tasks = {0};
    ensemble *opened[API_MAX_TASKS] = {NULL};
    int places[API_MAX_TASKS];
    TRY(list_paths(&list, paths, count, false));
    TRY_OUT(mem_alloc(&tasks.of, list.count));
    for (int i = 0; i < list.count; i++)
        TRY_OUT(note_task(&tasks, &list, i));
    order_tasks(places, &tasks);
    for (int i = 0; i < tasks.count; i++)
        TRY_OUT(open_task(&opened[i], &list, &tasks, places[i], b, options));
    for (int i = 0; i < tasks.count; i++) {
        out[i] = opened[i];
        opened[i] = NULL;
    }
    *out_count = tasks.count;
out:
    for (int i = 0; i < API_MAX_TASKS; i++)
        ensemble_free(opened[i]);
    mem_free(tasks.of);
    free_list(&list);
    return st;
}
