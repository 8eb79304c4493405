/* mien_train: a recipe and a set, handed to the training room. */
#include "train/train.h"
#include "api/api.h"

mien_status mien_train(const mien_train_options *options)
{
    TRY(api_need(options, "mien_train", "options"));
    TRY(api_need(options->data, "mien_train", "data"));
    TRY(api_need(options->out, "mien_train", "out"));
    if (options->setting_count < 0 || (options->setting_count && !options->settings))
        return mien_fail(MIEN_ERR_ARG, "mien_train: settings: %d of them (wanted an array of that many)",
                         options->setting_count);
    recipe *r = NULL;
    backend *b = NULL;
    mien_status st = MIEN_OK;
    progress p = api_progress(&options->compute);
    TRY_OUT(recipe_load(&r, task_all, options->recipe, options->settings, options->setting_count));
    TRY_OUT(api_backend(&b, &options->compute));
    TRY_OUT(train_run(&(train_options){.recipe = r,
                                       .data = options->data,
                                       .validation = options->validation,
                                       .out = options->out,
                                       .is_resumed = options->is_resumed != 0,
                                       .is_strict = options->is_strict != 0,
                                       .precision = api_precision(&options->compute),
                                       .backend = b,
                                       .loader_threads = api_threads(&options->compute),
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
