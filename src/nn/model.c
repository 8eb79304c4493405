/* A model is described anew for each use (size, batch, training or not), and its graph is thrown away where only the
 * parameters were wanted: the description is the one place that says what parameters there are. Its file carries the
 * spec as JSON beside the tensors. */
#include "nn/model.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "nn/deviation.h"
#include "nn/import.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { MODEL_MAX_SIZE = 1024 };

static const char *const variant_names[] = {[VARIANT_TORCHVISION] = "torchvision", [VARIANT_TENSORFLOW] = "tensorflow"};
enum { VARIANT_COUNT = sizeof variant_names / sizeof variant_names[0] };
static const char *const kind_names[] = {[MODEL_PLAIN] = "plain", [MODEL_DEVIATION] = "deviation"};
enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };

struct model {
    arena *arena; /* the spec's strings */
    model_spec spec;
    const architecture *arch;
    param_store *params;
};

/* --- describing --------------------------------------------------------------------------------------------------- */

/* Training ends: loss against labels, with the probabilities it computes on the way. */
static mien_status describe_loss(graph *g, model_io *io, const model *m, const model_graph_options *o)
{
    int64_t batch = o->batch, classes = m->spec.class_count;
    TRY(graph_input(g, &io->labels, "labels", o->has_soft_targets ? DTYPE_F32 : DTYPE_I32,
                    o->has_soft_targets ? shape_of(2, batch, classes) : shape_of(1, batch)));
    if (o->has_class_weights)
        TRY(graph_input(g, &io->class_weights, "class_weights", DTYPE_F32, shape_of(1, (int64_t)m->spec.class_count)));
    TRY(op_cross_entropy(g, &io->loss, &io->probabilities, "loss", io->logits, io->labels, io->class_weights,
                         o->label_smoothing));
    graph_mark_output(g, io->loss);
    return MIEN_OK;
}

/* The frozen copy comes first: all it computes is gone before the other copy begins to save for its gradient. */
static mien_status describe_identity(net *n, model_io *io, const model *m, const model_graph_options *o, value_id x)
{
    if (o->part == MODEL_WITHOUT_IDENTITY)
        return graph_input(n->g, &io->identity, "identity", o->activation_type,
                           shape_of(2, (int64_t)o->batch, (int64_t)m->arch->feature_dim));
    io->identity = deviation_identity(n, m->arch, x);
    TRY(n->status);
    if (o->part == MODEL_IDENTITY)
        graph_mark_output(n->g, io->identity);
    return MIEN_OK;
}

static mien_status describe(graph *g, model_io *io, model *m, const model_graph_options *o)
{
    int64_t size = m->spec.image_size;
    value_id x = NO_VALUE;
    TRY(graph_input(g, &io->images, "images", DTYPE_U8, shape_of(4, (int64_t)o->batch, size, size, (int64_t)3)));
    TRY(op_normalise(g, &x, "normalise", io->images, m->spec.mean, m->spec.std));
    net n = {.g = g, .params = m->params, .status = MIEN_OK, .variant = m->spec.variant};
    if (m->spec.kind == MODEL_DEVIATION) {
        TRY(describe_identity(&n, io, m, o, x));
        if (o->part == MODEL_IDENTITY)
            return MIEN_OK;
        io->features = deviation_features(&n, m->arch, x, io->identity);
        io->logits = deviation_head(&n, io->features, m->spec.class_count);
    } else {
        io->features = m->arch->features(&n, x);
        io->logits = m->arch->head(&n, io->features, m->spec.class_count);
    }
    TRY(n.status);
    if (o->is_training)
        TRY(describe_loss(g, io, m, o));
    else
        TRY(op_softmax(g, &io->probabilities, "softmax", io->logits));
    graph_mark_output(g, io->logits);
    graph_mark_output(g, io->probabilities);
    return MIEN_OK;
}

mien_status model_describe(graph **out, model_io *io, model *m, const model_graph_options *options)
{
    *io = (model_io){NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE};
    graph *g = NULL;
    TRY(graph_create(&g, options->activation_type, options->is_training));
    mien_status st = describe(g, io, m, options);
    if (st != MIEN_OK) {
        graph_free(g);
        return mien_fail_in(st, "%s", m->spec.arch);
    }
    *out = g;
    return MIEN_OK;
}

mien_status model_graph(graph **out, model_io *io, model *m, const model_graph_options *options)
{
    graph *g = NULL;
    mien_status st = MIEN_OK;
    TRY(model_describe(&g, io, m, options));
    TRY_OUT(graph_fuse(g));
    if (options->is_training)
        TRY_OUT(graph_differentiate(g, &(graph_loss){io->loss, 1}, 1, NO_VALUE, NULL));
    if (options->is_training && options->optimizer) {
        optimizer_attr update = *options->optimizer;
        update.loss = io->loss;
        TRY_OUT(op_optimizer(g, "optimizer", &update));
    }
    *out = g;
    g = NULL;
out:
    graph_free(g);
    return st;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static mien_status copy_spec(model *m, const model_spec *spec)
{
    m->spec = *spec;
    char *text = NULL;
    TRY(arena_strdup(m->arena, &text, spec->task));
    m->spec.task = text;
    m->spec.arch = m->arch->name;
    const char **classes = NULL;
    TRY(arena_alloc(m->arena, &classes, spec->class_count));
    for (int c = 0; c < spec->class_count; c++) {
        TRY(arena_strdup(m->arena, &text, spec->classes[c]));
        classes[c] = text;
    }
    m->spec.classes = classes;
    if (m->spec.image_size == 0)
        m->spec.image_size = m->arch->default_size;
    return MIEN_OK;
}

static mien_status check_spec(const model_spec *spec, const architecture *arch)
{
    if (!arch) {
        char names[256];
        architecture_names(names, sizeof names);
        return mien_fail(MIEN_ERR_UNSUPPORTED, "arch: unknown architecture %.64s (wanted %s)", spec->arch, names);
    }
    if (spec->image_size && (spec->image_size < arch->min_size || spec->image_size > MODEL_MAX_SIZE))
        return mien_fail(MIEN_ERR_ARG, "image_size: %d (wanted %d to %d for %s)", spec->image_size, arch->min_size,
                         MODEL_MAX_SIZE, arch->name);
    if (arch->size_step && spec->image_size % arch->size_step != 0)
        return mien_fail(MIEN_ERR_ARG, "image_size: %d (wanted a multiple of %d for %s)", spec->image_size,
                         arch->size_step, arch->name);
    if (spec->class_count < 1)
        return mien_fail(MIEN_ERR_ARG, "classes: %d (wanted at least 1)", spec->class_count);
    if (spec->variant == VARIANT_TENSORFLOW && !arch->has_tensorflow)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "variant: tensorflow (wanted torchvision for %s)", arch->name);
    for (int c = 0; c < 3; c++)
        if (!isfinite(spec->mean[c]) || !isfinite(spec->std[c]) || spec->std[c] <= 0)
            return mien_fail(MIEN_ERR_ARG, "normalisation: mean %g, std %g of channel %d (wanted finite, std above 0)",
                             (double)spec->mean[c], (double)spec->std[c], c);
    return MIEN_OK;
}

/* A description declares the parameters; its graph has served its purpose then. What trains is declared before what is
 * frozen, so that gradients and the optimizer's state end where it does. */
static mien_status declare(model *m)
{
    static const model_part parts[] = {MODEL_WITHOUT_IDENTITY, MODEL_WHOLE};
    for (int i = m->spec.kind == MODEL_PLAIN; i < 2; i++) {
        graph *g = NULL;
        model_io io;
        TRY(model_describe(&g, &io, m,
                           &(model_graph_options){.batch = 1, .activation_type = DTYPE_F32, .part = parts[i]}));
        graph_free(g);
    }
    if (m->spec.kind == MODEL_DEVIATION)
        param_store_set_trainable(m->params, DEVIATION_IDENTITY, false);
    return MIEN_OK;
}

mien_status model_create(model **out, const model_spec *spec)
{
    mien_status st = MIEN_OK;
    const architecture *arch = architecture_find(spec->arch);
    TRY(check_spec(spec, arch));
    model *m = NULL;
    TRY(mem_zalloc(&m, 1));
    m->arch = arch;
    TRY_OUT(arena_create(&m->arena, 0));
    TRY_OUT(copy_spec(m, spec));
    TRY_OUT(param_store_create(&m->params));
    TRY_OUT(declare(m));
    *out = m;
    m = NULL;
out:
    model_free(m);
    return st;
}

void model_free(model *m)
{
    if (!m)
        return;
    param_store_free(m->params);
    arena_free(m->arena);
    mem_free(m);
}

const model_spec *model_spec_of(const model *m)
{
    return &m->spec;
}
const architecture *model_architecture(const model *m)
{
    return m->arch;
}
param_store *model_params(model *m)
{
    return m->params;
}

const char *model_head_prefix(const model *m)
{
    return m->spec.kind == MODEL_DEVIATION ? DEVIATION_HEAD : m->arch->head_prefix;
}

mien_status model_init(model *m, uint64_t seed, bool with_gradients)
{
    TRY(param_store_alloc(m->params, with_gradients));
    param_store_init(m->params, seed);
    if (m->spec.kind == MODEL_DEVIATION)
        param_store_copy(m->params, DEVIATION_IDENTITY, DEVIATION_FACE);
    return MIEN_OK;
}

void model_set_normalisation(model *m, const float mean[3], const float std[3])
{
    memcpy(m->spec.mean, mean, sizeof m->spec.mean);
    memcpy(m->spec.std, std, sizeof m->spec.std);
}

mien_status model_load_backbone(model *m, const char *path)
{
    tensor_file *f = NULL;
    TRY(tensor_file_open(&f, path));
    const char *const skipped[] = {m->arch->head_prefix, m->arch->ignored[0], m->arch->ignored[1], NULL};
    const bool is_deviation = m->spec.kind == MODEL_DEVIATION;
    if (tensor_file_choice(f))
        log_notice("%s: %s", path, tensor_file_choice(f));
    if (!tensor_file_meta(f, "mien"))
        import_tell_variant(path, m->arch, m->spec.variant);
    mien_status st = import_rename(f, &(import_naming){.arch = m->arch});
    if (st == MIEN_OK)
        st = param_store_load_under(m->params, is_deviation ? DEVIATION_FACE : "", f, path, skipped);
    tensor_file_close(f);
    TRY(st);
    if (is_deviation)
        param_store_copy(m->params, DEVIATION_IDENTITY, DEVIATION_FACE);
    return MIEN_OK;
}

const char *model_variant_name(model_variant variant)
{
    return variant_names[variant];
}

mien_status model_variant_read(model_variant *out, const json_t *root, const char *where)
{
    const char *name;
    char known[64];
    *out = VARIANT_TORCHVISION;
    if (!json_object_get(root, "variant"))
        return MIEN_OK;
    TRY(json_get_string(&name, root, "variant", where));
    for (int v = 0; v < VARIANT_COUNT; v++)
        if (strcmp(name, variant_names[v]) == 0) {
            *out = (model_variant)v;
            return MIEN_OK;
        }
    str_join_words(known, sizeof known, variant_names, VARIANT_COUNT);
    return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: variant %.32s (wanted %s)", where, name, known);
}

mien_status model_adopt_variant(model *m, const char *path)
{
    tensor_file *f = NULL;
    json_t *root = NULL;
    mien_status st = MIEN_OK;
    TRY(tensor_file_open(&f, path));
    const char *text = tensor_file_meta(f, "mien");
    if (text) {
        TRY_OUT(json_parse(&root, text, strlen(text), path));
        TRY_OUT(model_variant_read(&m->spec.variant, root, path));
        st = check_spec(&m->spec, m->arch);
    }
out:
    json_decref(root);
    tensor_file_close(f);
    return st;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static json_t *float_array(const float *v, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_real((double)v[i]));
    return array;
}

mien_status model_metadata(const model *m, char **out, const char *metrics_json)
{
    const model_spec *spec = &m->spec;
    mien_status st = MIEN_OK;
    json_t *metrics = NULL, *root = NULL;
    if (metrics_json)
        TRY(json_parse(&metrics, metrics_json, strlen(metrics_json), "metrics"));
    json_t *classes = json_array();
    for (int c = 0; c < spec->class_count; c++)
        json_array_append_new(classes, json_string(spec->classes[c]));
    root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:{}, s:o, s:i, s:o, s:o, s:n, s:o?}", "version", MODEL_FORMAT_VERSION,
                     "task", spec->task, "arch", spec->arch, "variant", model_variant_name(spec->variant), "kind",
                     kind_names[spec->kind], "options", "classes", classes, "image_size", spec->image_size, "mean",
                     float_array(spec->mean, 3), "std", float_array(spec->std, 3), "licence", "metrics", metrics);
    metrics = NULL; /* root's now */
    TRY_OUT(json_check(root));
    TRY_OUT(json_print(out, root));
out:
    json_decref(metrics);
    json_decref(root);
    return st;
}

mien_status model_save(model *m, const char *path, const char *metrics_json)
{
    mien_status st = MIEN_OK;
    st_tensor *tensors = NULL;
    size_t count = 0;
    char *text = NULL;
    TRY_OUT(model_metadata(m, &text, metrics_json));
    TRY_OUT(param_store_tensors(m->params, &tensors, &count));
    TRY_OUT(st_write(path, tensors, count, &(st_metadata){"mien", text}, 1));
out:
    mem_free(tensors);
    mem_free(text);
    return st;
}

static mien_status read_triple(float out[3], const json_t *root, const char *key, const char *where)
{
    json_t *array = NULL;
    TRY(json_get_array(&array, root, key, where));
    if (json_array_size(array) != 3)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %zu numbers (wanted 3)", where, key, json_array_size(array));
    for (size_t i = 0; i < 3; i++) {
        json_t *v = json_array_get(array, i);
        if (!json_is_number(v))
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not numbers", where, key);
        out[i] = (float)json_number_value(v);
    }
    return MIEN_OK;
}

/* *out: the names, borrowed from root, in an array for mem_free. */
static mien_status read_classes(const char ***out, int *count, const json_t *root, const char *where)
{
    const char **names = NULL;
    json_t *array = NULL;
    TRY(json_get_array(&array, root, "classes", where));
    size_t n = json_array_size(array);
    if (n < 1 || n > INT_MAX)
        return mien_fail(MIEN_ERR_FORMAT, "%s: classes: %zu (wanted 1 to %d)", where, n, INT_MAX);
    TRY(mem_alloc(&names, n));
    for (size_t i = 0; i < n; i++) {
        names[i] = json_string_value(json_array_get(array, i));
        if (!names[i] || !*names[i]) {
            mem_free(names);
            return mien_fail(MIEN_ERR_FORMAT, "%s: classes: entry %zu is not a name", where, i);
        }
    }
    *out = names;
    *count = (int)n;
    return MIEN_OK;
}

static mien_status read_kind(model_kind *out, const char *name, const char *where)
{
    char known[64];
    for (int k = 0; k < KIND_COUNT; k++)
        if (strcmp(name, kind_names[k]) == 0) {
            *out = (model_kind)k;
            return MIEN_OK;
        }
    str_join_words(known, sizeof known, kind_names, KIND_COUNT);
    return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: kind %.32s (wanted %s)", where, name, known);
}

/* The spec in a model file's metadata; strings borrowed from root, class names put into `classes`. */
static mien_status read_spec(model_spec *spec, const char ***classes, const json_t *root, const char *where)
{
    int64_t version = 0, size = 0;
    const char *kind = NULL;
    TRY(json_get_int(&version, root, "version", where));
    if (version != MODEL_FORMAT_VERSION)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: version %lld (wanted %d)", where, (long long)version,
                         MODEL_FORMAT_VERSION);
    TRY(json_get_string(&kind, root, "kind", where));
    TRY(read_kind(&spec->kind, kind, where));
    TRY(json_get_string(&spec->task, root, "task", where));
    TRY(json_get_string(&spec->arch, root, "arch", where));
    TRY(model_variant_read(&spec->variant, root, where));
    TRY(json_get_int(&size, root, "image_size", where));
    if (size < 1 || size > MODEL_MAX_SIZE)
        return mien_fail(MIEN_ERR_FORMAT, "%s: image_size: %lld (wanted at most %d)", where, (long long)size,
                         MODEL_MAX_SIZE);
    spec->image_size = (int)size;
    TRY(read_triple(spec->mean, root, "mean", where));
    TRY(read_triple(spec->std, root, "std", where));
    TRY(read_classes(classes, &spec->class_count, root, where));
    spec->classes = *classes;
    return MIEN_OK;
}

mien_status model_load(model **out, const char *path)
{
    mien_status st = MIEN_OK;
    tensor_file *f = NULL;
    json_t *root = NULL;
    model *m = NULL;
    const char **classes = NULL;
    model_spec spec = {0};
    str where = {0};
    TRY(tensor_file_open(&f, path));
    const char *text = tensor_file_meta(f, "mien");
    if (!text) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: not a mien model (no \"mien\" in its metadata)", path);
        goto out;
    }
    TRY_OUT(str_printf(&where, "%s: metadata", path));
    TRY_OUT(json_parse(&root, text, strlen(text), where.text));
    TRY_OUT(read_spec(&spec, &classes, root, where.text));
    st = model_create(&m, &spec);
    if (st != MIEN_OK) {
        st = mien_fail_in(st, "%s", where.text);
        goto out;
    }
    TRY_OUT(param_store_alloc(m->params, false));
    TRY_OUT(param_store_load(m->params, f, path, NULL));
    *out = m;
    m = NULL;
out:
    model_free(m);
    json_decref(root);
    mem_free(classes);
    str_free(&where);
    tensor_file_close(f);
    return st;
}
