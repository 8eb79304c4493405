/* mien_train: a recipe and a set, handed to the training room. */
#include "train/train.h"
#include "api/drawn.h"
#include "base/mem.h"

#include <string.h>

/* What a run's drawn sets need while it trains. */
typedef struct {
    drawn_source **at; /* [count] */
    int count;
} drawn_list;

static mien_status draw_source(task_source *s, drawn_list *drawn, const char *face, const recipe *r, bool is_selecting)
{
    if (s->images || s->fallback)
        return mien_fail(MIEN_ERR_ARG, "%s: drawn pictures lie in no folder (found %s)", s->path,
                         s->images ? s->images : s->fallback);
    TRY(api_drawn_source_open(&drawn->at[drawn->count], s->path, face, r));
    s->maker = api_drawn_source_maker(drawn->at[drawn->count++], is_selecting);
    return MIEN_OK;
}

static mien_status draw_sources(task_source *sources, int count, drawn_list *drawn, const char *face, const recipe *r,
                                bool is_selecting)
{
    for (int i = 0; i < count; i++)
        if (api_is_drawn(sources[i].path))
            TRY(draw_source(&sources[i], drawn, face, r, is_selecting));
    return MIEN_OK;
}

/* The recipe's own sets, where no others are given, since some may be drawn. */
static mien_status take_sets(task_source **data, int *count, const recipe *r)
{
    if (*count || !r->data.sets.count)
        return MIEN_OK;
    mem_free(*data);
    *data = NULL;
    TRY(mem_alloc(data, r->data.sets.count));
    memcpy(*data, r->data.sets.at, (size_t)r->data.sets.count * sizeof **data);
    *count = r->data.sets.count;
    return MIEN_OK;
}

mien_status mien_train(const mien_train_options *given)
{
    mien_train_options o;
    mien_compute compute;
    TRY(api_need(given, "mien_train", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_TRAIN, "mien_train"));
    TRY(api_compute(&compute, o.compute, "mien_train"));
    TRY(api_need(o.out, "mien_train", "out"));
    if (o.setting_count < 0 || (o.setting_count && !o.settings))
        return mien_fail(MIEN_ERR_ARG, "mien_train: settings: %d of them (wanted an array of that many)",
                         o.setting_count);
    recipe *r = NULL;
    backend *b = NULL;
    task_source *data = NULL, *validation = NULL;
    int data_count = 0, validation_count = 0;
    drawn_list drawn = {0};
    mien_status st = MIEN_OK;
    progress p = api_progress(&compute);
    TRY_OUT(api_sources(&data, &data_count, o.data, o.sources, o.source_count, false, "mien_train", "sources"));
    TRY_OUT(api_sources(&validation, &validation_count, o.validation, o.validation_sources, o.validation_source_count,
                        false, "mien_train", "validation_sources"));
    TRY_OUT(recipe_load(&r, task_all, o.recipe, o.settings, o.setting_count));
    TRY_OUT(take_sets(&data, &data_count, r));
    TRY_OUT(mem_zalloc(&drawn.at, data_count + validation_count + 1));
    TRY_OUT(draw_sources(data, data_count, &drawn, o.face, r, false));
    TRY_OUT(draw_sources(validation, validation_count, &drawn, o.face, r, true));
    TRY_OUT(api_backend(&b, &compute));
    TRY_OUT(train_run(&(train_options){.recipe = r,
                                       .data = {data, data_count},
                                       .validation = {validation, validation_count},
                                       .out = o.out,
                                       .is_resumed = o.is_resumed != 0,
                                       .is_strict = o.is_strict != 0,
                                       .precision = api_precision(&compute),
                                       .backend = b,
                                       .loader_threads = api_threads(&compute),
                                       .progress = &p}));
out:
    api_backend_free(b);
    for (int i = 0; i < drawn.count; i++)
        api_drawn_source_free(drawn.at[i]);
    mem_free(drawn.at);
    recipe_free(r);
    mem_free(data);
    mem_free(validation);
    return st;
}

mien_status mien_recipe_reference(char **out)
{
    TRY(api_need(out, "mien_recipe_reference", "out"));
    str text = {0};
    mien_status st = recipe_reference(&text, task_all);
    if (st != MIEN_OK) {
        str_free(&text);
        return st;
    }
    *out = text.text;
    return MIEN_OK;
}
