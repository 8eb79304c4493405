/* mien_import: the options, checked and handed over, and the model written. */
#include "nn/import.h"

#include "api/api.h"

const char *mien_import_name(int index)
{
    const import_name *name = import_name_at(index);
    return name ? name->name : NULL;
}

mien_status mien_import(const mien_import_options *options)
{
    static const char *const basic[] = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"};
    TRY(api_need(options, "mien_import", "options"));
    TRY(api_need(options->weights, "mien_import", "weights"));
    TRY(api_need(options->arch, "mien_import", "arch"));
    TRY(api_need(options->out, "mien_import", "out"));
    for (int c = 0; options->classes && c < options->class_count; c++)
        TRY(api_need(options->classes[c], "mien_import", "classes"));
    for (int i = 0; i < options->ignored_count; i++)
        TRY(api_need(options->ignored ? options->ignored[i] : NULL, "mien_import", "ignored"));
    model *m = NULL;
    TRY(import_model(&m, options->weights,
                     &(import_options){.arch = options->arch,
                                       .classes = options->classes,
                                       .class_count = options->class_count,
                                       .default_classes = basic,
                                       .default_class_count = sizeof basic / sizeof basic[0],
                                       .mean = options->mean,
                                       .std = options->std,
                                       .image_size = options->image_size,
                                       .ignored = options->ignored,
                                       .ignored_count = options->ignored_count}));
    mien_status st = model_save(m, options->out, NULL);
    model_free(m);
    return st;
}
