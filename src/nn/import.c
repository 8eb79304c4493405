/* A file is recognised by its tensors alone: names are translated to ours (import_names.c), and its architecture is the
 * first whose parameters, the head aside, are all there. A head of as many classes is taken, any other is drawn anew.
 */
#include "nn/import.h"

#include "base/log.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

enum { HEAD_SEED = 1 }; /* of a fresh head: the same import gives the same bytes */

/* The classifier's weight [classes, feature_dim] among the model's slices. */
static const param_slice *head_weight(model *m)
{
    const param_store *params = model_params(m);
    const char *prefix = model_architecture(m)->head_prefix;
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *s = param_store_at(params, i);
        if (s->shape.rank == 2 && str_starts(s->name, prefix))
            return s;
    }
    return NULL;
}

/* The file's classifier, where it has one that fits, gets the name of ours. *out_classes: its outputs, else 0. */
static mien_status name_head(int *out_classes, tensor_file *f, model *m, const import_naming *naming, const char *path)
{
    const import_head head = import_find_head(f, naming->arch);
    const char *own = head_weight(m)->name;
    char from[512], to[64];
    TRY(import_check_head(&head, naming->arch, path));
    *out_classes = head.is_one ? (int)head.linear->dims[0] : 0;
    if (!head.is_one || strcmp(head.linear->name, own) == 0)
        return MIEN_OK;
    snprintf(from, sizeof from, "%.*s", (int)(strlen(head.linear->name) - strlen("weight")), head.linear->name);
    snprintf(to, sizeof to, "%.*s", (int)(strlen(own) - strlen("weight")), own);
    import_naming named = *naming;
    named.head = from;
    named.own_head = to;
    return import_rename(f, &named);
}

/* Fills m from the file. */
static mien_status load(model *m, tensor_file *f, const char *path, const import_options *o)
{
    const architecture *arch = model_architecture(m);
    const import_naming naming = {.arch = arch, .ignored = o->ignored, .ignored_count = o->ignored_count};
    int wanted = model_spec_of(m)->class_count, found;
    TRY(import_rename(f, &naming));
    TRY(name_head(&found, f, m, &naming, path));
    bool is_kept = found == wanted;
    const char *skipped[5] = {IMPORT_IGNORED};
    int count = 1;
    if (!is_kept)
        skipped[count++] = arch->head_prefix;
    for (int i = 0; i < 2; i++)
        if (arch->ignored[i])
            skipped[count++] = arch->ignored[i];
    TRY(param_store_load(model_params(m), f, path, skipped));
    if (!is_kept && found > 0)
        log_notice("%s: its head of %d classes is replaced by a fresh one of %d", path, found, wanted);
    else if (!is_kept)
        log_notice("%s: has no head %s*; it gets a fresh one of %d classes", path, arch->head_prefix, wanted);
    return MIEN_OK;
}

/* A beginning that no name has is a slip of the pen. */
static mien_status check_ignored(const tensor_file *f, const architecture *arch, const import_options *o,
                                 const char *path)
{
    for (int k = 0; k < o->ignored_count; k++) {
        bool is_met = false;
        for (size_t i = 0; i < tensor_file_count(f) && !is_met; i++)
            is_met = import_is_ignored(arch, o->ignored[k], tensor_file_at(f, i)->name);
        if (!is_met)
            return mien_fail(MIEN_ERR_ARG, "%s: no tensor's name begins with %s, which is to be ignored", path,
                             o->ignored[k]);
    }
    return MIEN_OK;
}

/* A file of ours says itself what it is: *spec takes what the options leave open. */
static mien_status take_own_spec(model_spec *spec, const model *own, const import_options *o, const char *path)
{
    const model_spec *s = model_spec_of(own);
    if (strcmp(s->arch, spec->arch) != 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: is a model of %s (wanted %s)", path, s->arch, spec->arch);
    if (s->kind != MODEL_PLAIN)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: is a model of kind %s (wanted plain)", path,
                         model_kind_name(s->kind));
    spec->task = s->task;
    spec->variant = s->variant;
    if (!o->classes) {
        spec->classes = s->classes;
        spec->class_count = s->class_count;
    }
    if (!o->mean)
        memcpy(spec->mean, s->mean, sizeof spec->mean);
    if (!o->std)
        memcpy(spec->std, s->std, sizeof spec->std);
    if (!o->image_size)
        spec->image_size = s->image_size;
    return MIEN_OK;
}

static mien_status base_spec(model_spec *spec, const import_options *o)
{
    const import_name *name = import_name_find(o->arch);
    if (!name) {
        char known[256];
        import_names(known, sizeof known);
        return mien_fail(MIEN_ERR_UNSUPPORTED, "arch: unknown architecture %.64s (wanted %s)", o->arch, known);
    }
    const architecture *arch = architecture_find(name->arch);
    *spec = (model_spec){.task = o->task,
                         .arch = name->arch,
                         .classes = o->classes ? o->classes : o->default_classes,
                         .class_count = o->classes ? o->class_count : o->default_class_count,
                         .image_size = o->image_size,
                         .variant = name->variant};
    bool has_own = name->std[0] > 0;
    memcpy(spec->mean, o->mean ? o->mean : has_own ? name->mean : arch->mean, sizeof spec->mean);
    memcpy(spec->std, o->std ? o->std : has_own ? name->std : arch->std, sizeof spec->std);
    return MIEN_OK;
}

void import_tell_variant(const char *path, const architecture *arch, model_variant variant)
{
    if (!arch->is_timms)
        return;
    if (variant == VARIANT_TENSORFLOW)
        log_notice("%s: read as tf_%s (its tensors do not tell it from %s, which pads symmetrically)", path, arch->name,
                   arch->name);
    else
        log_notice("%s: read as %s (its tensors do not tell it from tf_%s, TensorFlow's, which mien import knows)",
                   path, arch->name, arch->name);
}

mien_status import_model(model **out, const char *path, const import_options *options)
{
    mien_status st;
    tensor_file *f = NULL;
    model *own = NULL, *m = NULL;
    model_spec spec;
    TRY(base_spec(&spec, options));
    TRY(tensor_file_open(&f, path));
    if (tensor_file_meta(f, "mien")) {
        TRY_OUT(model_load(&own, path));
        TRY_OUT(take_own_spec(&spec, own, options, path));
    } else {
        import_tell_variant(path, architecture_find(spec.arch), spec.variant);
    }
    TRY_OUT(model_create(&m, &spec));
    TRY_OUT(model_init(m, HEAD_SEED, false));
    if (tensor_file_choice(f))
        log_notice("%s: %s", path, tensor_file_choice(f));
    TRY_OUT(check_ignored(f, model_architecture(m), options, path));
    TRY_OUT(load(m, f, path, options));
    *out = m;
    m = NULL;
out:
    model_free(m);
    model_free(own);
    tensor_file_close(f);
    return st;
}

/* Whether the file's tensors, the head aside, are those of arch. */
static mien_status fits(bool *out, int *out_classes, tensor_file *f, const architecture *arch)
{
    static const char *const one_class[] = {"any"};
    const char *const skipped[] = {arch->head_prefix, NULL};
    model *m = NULL;
    model_spec spec = {.task = "", .arch = arch->name, .classes = one_class, .class_count = 1, .std = {1, 1, 1}};
    TRY(model_create(&m, &spec));
    mien_status st = import_rename(f, &(import_naming){.arch = arch});
    *out = st == MIEN_OK && param_store_is_in(model_params(m), f, skipped);
    const import_head head = import_find_head(f, arch);
    *out_classes = head.is_one ? (int)head.linear->dims[0] : 0;
    model_free(m);
    return st == MIEN_ERR_FORMAT ? MIEN_OK : st; /* two tensors that arch would call the same are not its */
}

mien_status import_recognise(import_guess *out, tensor_file *f)
{
    const architecture *arch;
    bool is_known = false;
    int classes = 0;
    for (int i = 0; (arch = architecture_at(i)); i++) {
        TRY(fits(&is_known, &classes, f, arch));
        if (is_known)
            break;
    }
    *out = (import_guess){arch, classes};
    return MIEN_OK;
}
