/* From what users name, model files and run folders, to the members of an ensemble. */
#include "api/api.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "infer/scores.h"
#include "train/run.h"

typedef struct {
    arena *texts;
    ensemble_source *sources;
    int count, capacity;
} member_list;

static mien_status add_source(member_list *list, const char *path, const char *name, bool counts)
{
    if (list->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 8;
        size_t bytes = sizeof *list->sources;
        TRY(mem_resize_bytes((void **)&list->sources, bytes * (size_t)list->capacity, bytes * (size_t)capacity));
        list->capacity = capacity;
    }
    char *copy = NULL;
    TRY(arena_strdup(list->texts, &copy, path));
    list->sources[list->count++] = (ensemble_source){.path = copy, .name = name, .counts = counts};
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
        TRY_OUT(add_source(list, models[i].path, name, models[i].is_last));
    }
out:
    mem_free(models);
    return st;
}

static mien_status add_path(member_list *list, const char *path, bool all_stages)
{
    if (run_is_folder(path))
        return add_run(list, path, all_stages);
    if (file_is_folder(path))
        return mien_fail(MIEN_ERR_FORMAT, "%s: a folder, and no run (wanted a model file or a run folder)", path);
    if (scores_is_file(path) && !all_stages)
        return mien_fail(MIEN_ERR_FORMAT, "%s: scores of one set (wanted a model, which answers for any picture)",
                         path);
    return add_source(list, path, NULL, true);
}

mien_status api_ensemble_open(ensemble **out, const char *const *paths, int count, bool all_stages, backend *b,
                              precision_kind precision)
{
    member_list list = {0};
    ensemble_options options = {.precision = precision};
    mien_status st = arena_create(&list.texts, 0);
    for (int i = 0; st == MIEN_OK && i < count; i++)
        st = add_path(&list, paths[i], all_stages);
    if (st == MIEN_OK)
        st = ensemble_open(out, list.sources, list.count, b, &options);
    mem_free(list.sources);
    arena_free(list.texts);
    return st;
}
