/* mien_import: the options, checked and handed over, and the model written. */
#include "nn/import.h"

#include "api/api.h"
#include "task/task.h"

const char *mien_import_name(int index)
{
    const import_name *name = import_name_at(index);
    return name ? name->name : NULL;
}

mien_status mien_import(const mien_import_options *given)
{
    const task_def *task = task_all[0];
    const model_head *basic = &task->challenge_heads[0];
    mien_import_options o;
    TRY(api_need(given, "mien_import", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_IMPORT, "mien_import"));
    TRY(api_need(o.weights, "mien_import", "weights"));
    TRY(api_need(o.arch, "mien_import", "arch"));
    TRY(api_need(o.out, "mien_import", "out"));
    for (int c = 0; o.classes && c < o.class_count; c++)
        TRY(api_need(o.classes[c], "mien_import", "classes"));
    for (int i = 0; i < o.ignored_count; i++)
        TRY(api_need(o.ignored ? o.ignored[i] : NULL, "mien_import", "ignored"));
    model *m = NULL;
    TRY(import_model(&m, o.weights,
                     &(import_options){.arch = o.arch,
                                       .classes = o.classes,
                                       .class_count = o.class_count,
                                       .task = task->name,
                                       .default_classes = basic->columns,
                                       .default_class_count = basic->size,
                                       .mean = o.mean,
                                       .std = o.std,
                                       .image_size = o.image_size,
                                       .ignored = o.ignored,
                                       .ignored_count = o.ignored_count}));
    mien_status st = model_save(m, o.out, NULL);
    model_free(m);
    return st;
}
