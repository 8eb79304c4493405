/* mien_train: a recipe and a set, handed to the training room. */
#include "train/train.h"
#include "api/api.h"
#include "base/mem.h"

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
    int data_count, validation_count;
    mien_status st = MIEN_OK;
    progress p = api_progress(&compute);
    TRY_OUT(api_sources(&data, &data_count, o.data, o.sources, o.source_count, false, "mien_train", "sources"));
    TRY_OUT(api_sources(&validation, &validation_count, o.validation, o.validation_sources, o.validation_source_count,
                        false, "mien_train", "validation_sources"));
    TRY_OUT(recipe_load(&r, task_all, o.recipe, o.settings, o.setting_count));
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
