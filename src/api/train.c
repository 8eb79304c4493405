/* mien_train: a recipe and a set, handed to the training room. */
#include "train/train.h"
#include "api/api.h"

mien_status mien_train(const mien_train_options *given)
{
    mien_train_options o;
    mien_compute compute;
    TRY(api_need(given, "mien_train", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_TRAIN, "mien_train"));
    TRY(api_compute(&compute, o.compute, "mien_train"));
    TRY(api_need(o.data, "mien_train", "data"));
    TRY(api_need(o.out, "mien_train", "out"));
    if (o.setting_count < 0 || (o.setting_count && !o.settings))
        return mien_fail(MIEN_ERR_ARG, "mien_train: settings: %d of them (wanted an array of that many)",
                         o.setting_count);
    recipe *r = NULL;
    backend *b = NULL;
    mien_status st = MIEN_OK;
    progress p = api_progress(&compute);
    TRY_OUT(recipe_load(&r, task_all, o.recipe, o.settings, o.setting_count));
    TRY_OUT(api_backend(&b, &compute));
    TRY_OUT(train_run(&(train_options){.recipe = r,
                                       .data = o.data,
                                       .validation = o.validation,
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
