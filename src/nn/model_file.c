/* A model's file: its spec as JSON under one key, beside the tensors under their own names. The version counts what a
 * reader of before would misunderstand; an unknown one is refused. */
#include "nn/model_int.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const variant_names[] = {[VARIANT_TORCHVISION] = "torchvision", [VARIANT_TENSORFLOW] = "tensorflow"};
enum { VARIANT_COUNT = sizeof variant_names / sizeof variant_names[0] };
static const char *const kind_names[] = {
    [MODEL_PLAIN] = "plain", [MODEL_DEVIATION] = "deviation", [MODEL_SMM] = "smm", [MODEL_BASELINE] = "baseline"};
enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };
static const char *const ensemble_names[] = {[SMM_MEAN_SOFTMAX] = "softmax", [SMM_MEAN_LOGITS] = "logits"};
enum { ENSEMBLE_COUNT = sizeof ensemble_names / sizeof ensemble_names[0] };
const char *model_kind_name(model_kind kind)
{
    return kind_names[kind];
}

/* The index of `name` among `names`; MIEN_ERR_UNSUPPORTED where it is none. */
static mien_status read_word(int *out, const char *what, const char *name, const char *const *names, int count,
                             const char *where)
{
    char known[64];
    for (int k = 0; k < count; k++)
        if (strcmp(name, names[k]) == 0) {
            *out = k;
            return MIEN_OK;
        }
    str_join_words(known, sizeof known, names, count);
    return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %s %.32s (wanted %s)", where, what, name, known);
}

const char *model_variant_name(model_variant variant)
{
    return variant_names[variant];
}

mien_status model_variant_read(model_variant *out, const json_t *root, const char *where)
{
    const char *name;
    int index;
    *out = VARIANT_TORCHVISION;
    if (!json_object_get(root, "variant"))
        return MIEN_OK;
    TRY(json_get_string(&name, root, "variant", where));
    TRY(read_word(&index, "variant", name, variant_names, VARIANT_COUNT, where));
    *out = (model_variant)index;
    return MIEN_OK;
}

/* *root = what the file says of a model of ours; NULL: it is none. The caller's. */
static mien_status parse_own(json_t **root, const tensor_file *f, const char *path)
{
    const char *text = tensor_file_meta(f, "mien");
    *root = NULL;
    return text ? json_parse(root, text, strlen(text), path) : MIEN_OK;
}

mien_status model_adopt_variant(model *m, const tensor_file *f, const char *path)
{
    json_t *root;
    mien_status st;
    TRY(parse_own(&root, f, path));
    if (!root)
        return MIEN_OK;
    TRY_OUT(model_variant_read(&m->spec.variant, root, path));
    st = model_check_spec(&m->spec, m->arch);
out:
    json_decref(root);
    return st;
}

/* --- the file ------------------------------------------------------------------------------------------------------
 */

static json_t *float_array(const float *v, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_real((double)v[i]));
    return array;
}

static json_t *text_array(const char *const *texts, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_string(texts[i]));
    return array;
}

/* A model of one class head says its classes, as models always have; any other says its heads too, and so does one with
 * a temperature. */
static bool is_of_classes_alone(const model_spec *spec)
{
    return spec->head_count == 1 && spec->heads[0].kind == HEAD_CLASS && spec->heads[0].temperature == 0 &&
           strcmp(spec->heads[0].name, HEAD_EXPRESSION) == 0;
}

/* NULL where the classes say it all. */
static json_t *head_array(const model_spec *spec)
{
    if (is_of_classes_alone(spec))
        return NULL;
    json_t *array = json_array();
    for (int h = 0; h < spec->head_count; h++) {
        const model_head *at = &spec->heads[h];
        json_array_append_new(array,
                              json_pack("{s:s, s:s, s:s?, s:s?, s:o, s:o*, s:o*}", "name", at->name, "kind",
                                        head_kind_name(at->kind), "loss", at->loss, "metric", at->metric, "columns",
                                        text_array(at->columns, at->size), "thresholds",
                                        at->thresholds ? float_array(at->thresholds, at->size) : NULL, "temperature",
                                        at->temperature != 0 ? json_real((double)at->temperature) : NULL));
    }
    return array;
}

/* {} of a kind that has none. */
static json_t *option_object(const model_spec *spec)
{
    if (spec->kind == MODEL_SMM)
        return json_pack("{s:s, s:b, s:s}", "map", spec->smm.map, "orthogonal", (int)spec->smm.is_orthogonal,
                         "expr_ensemble", ensemble_names[spec->smm.ensemble]);
    return spec->kind == MODEL_BASELINE ? json_pack("{s:s}", "map", spec->smm.map) : json_object();
}

mien_status model_metadata(const model *m, char **out, const char *metrics_json)
{
    const model_spec *spec = &m->spec;
    mien_status st = MIEN_OK;
    json_t *metrics = NULL, *root = NULL;
    if (metrics_json)
        TRY(json_parse(&metrics, metrics_json, strlen(metrics_json), "metrics"));
    root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o*, s:i, s:o, s:o, s:n, s:o?}", "version",
                     MODEL_FORMAT_VERSION, "task", spec->task, "arch", spec->arch, "variant",
                     model_variant_name(spec->variant), "kind", kind_names[spec->kind], "options", option_object(spec),
                     "classes", text_array(spec->classes, spec->class_count), "heads", head_array(spec), "image_size",
                     spec->image_size, "mean", float_array(spec->mean, 3), "std", float_array(spec->std, 3), "licence",
                     "metrics", metrics);
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

/* *out [*count], an array of the arena's. */
static mien_status read_texts(const char *const **out, int *count, arena *texts, const json_t *root, const char *key,
                              const char *where)
{
    json_t *array = NULL;
    const char **names = NULL;
    TRY(json_get_array(&array, root, key, where));
    size_t n = json_array_size(array);
    if (n < 1 || n > INT_MAX)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %zu (wanted 1 to %d)", where, key, n, INT_MAX);
    TRY(arena_alloc(texts, &names, n));
    for (size_t i = 0; i < n; i++) {
        names[i] = json_string_value(json_array_get(array, i));
        if (!names[i] || !*names[i])
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: entry %zu is not a name", where, key, i);
    }
    *out = names;
    *count = (int)n;
    return MIEN_OK;
}

/* `head`'s thresholds, where its object has any; their values are checked where the model is made. */
static mien_status read_thresholds(model_head *head, arena *numbers, const json_t *root, const char *where)
{
    json_t *array = NULL;
    float *values = NULL;
    if (!json_object_get(root, "thresholds"))
        return MIEN_OK;
    TRY(json_get_array(&array, root, "thresholds", where));
    if (json_array_size(array) != (size_t)head->size)
        return mien_fail(MIEN_ERR_FORMAT, "%s: thresholds: %zu numbers (wanted %d)", where, json_array_size(array),
                         head->size);
    TRY(arena_alloc(numbers, &values, head->size));
    for (int i = 0; i < head->size; i++) {
        const json_t *v = json_array_get(array, (size_t)i);
        if (!json_is_number(v))
            return mien_fail(MIEN_ERR_FORMAT, "%s: thresholds: entry %d is not a number", where, i);
        values[i] = (float)json_number_value(v);
    }
    head->thresholds = values;
    return MIEN_OK;
}

static mien_status read_temperature(model_head *head, const json_t *root, const char *where)
{
    const json_t *value = json_object_get(root, "temperature");
    if (!value)
        return MIEN_OK;
    if (!json_is_number(value) || !((float)json_number_value(value) > 0))
        return mien_fail(MIEN_ERR_FORMAT, "%s: temperature: not a number above 0", where);
    head->temperature = (float)json_number_value(value);
    return MIEN_OK;
}

static mien_status read_head(model_head *out, arena *texts, const json_t *root, const char *where)
{
    const char *kind;
    *out = (model_head){0};
    TRY(json_get_string(&out->name, root, "name", where));
    TRY(json_get_string(&kind, root, "kind", where));
    TRY(head_kind_read(&out->kind, kind, where));
    out->loss = json_string_value(json_object_get(root, "loss"));
    out->metric = json_string_value(json_object_get(root, "metric"));
    TRY(read_texts(&out->columns, &out->size, texts, root, "columns", where));
    TRY(read_temperature(out, root, where));
    return read_thresholds(out, texts, root, where);
}

/* A file without heads, of before there were any, has the one class head. */
static mien_status read_heads(model_spec *spec, arena *texts, const json_t *root, const char *where)
{
    json_t *array = NULL;
    model_head *heads = NULL;
    char place[96];
    if (!json_object_get(root, "heads"))
        return read_texts(&spec->classes, &spec->class_count, texts, root, "classes", where);
    TRY(json_get_array(&array, root, "heads", where));
    size_t count = json_array_size(array);
    if (count < 1 || count > MODEL_MAX_HEADS)
        return mien_fail(MIEN_ERR_FORMAT, "%s: heads: %zu (wanted 1 to %d)", where, count, MODEL_MAX_HEADS);
    TRY(arena_alloc(texts, &heads, count));
    for (size_t h = 0; h < count; h++) {
        snprintf(place, sizeof place, "heads: entry %zu", h);
        mien_status st = read_head(&heads[h], texts, json_array_get(array, h), place);
        if (st != MIEN_OK)
            return mien_fail_in(st, "%s", where);
    }
    spec->heads = heads;
    spec->head_count = (int)count;
    return MIEN_OK;
}

static mien_status read_kind(model_kind *out, const json_t *root, const char *where)
{
    const char *kind;
    int index;
    TRY(json_get_string(&kind, root, "kind", where));
    TRY(read_word(&index, "kind", kind, kind_names, KIND_COUNT, where));
    *out = (model_kind)index;
    return MIEN_OK;
}

mien_status model_kind_of_file(model_kind *out, const tensor_file *f, const char *path)
{
    json_t *root;
    *out = MODEL_PLAIN;
    TRY(parse_own(&root, f, path));
    mien_status st = root ? read_kind(out, root, path) : MIEN_OK;
    json_decref(root);
    return st;
}

/* Of networks over a feature map. What no reader knows may change what the network says, so it is refused. */
static mien_status read_options(smm_options *out, model_kind kind, const json_t *options)
{
    static const char where[] = "options";
    const json_t *orthogonal = json_object_get(options, "orthogonal");
    const size_t known = kind == MODEL_SMM ? 3 : 1;
    const char *ensemble;
    int index;
    if (!json_is_object(options))
        return mien_fail(MIEN_ERR_FORMAT, "%s: missing or not an object", where);
    if (json_object_size(options) > known)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %zu (wanted %s)", where, json_object_size(options),
                         kind == MODEL_SMM ? "map, orthogonal and expr_ensemble" : "map alone");
    TRY(json_get_string(&out->map, options, "map", where));
    if (kind == MODEL_BASELINE)
        return MIEN_OK;
    if (!json_is_boolean(orthogonal))
        return mien_fail(MIEN_ERR_FORMAT, "%s: orthogonal: missing or neither true nor false", where);
    out->is_orthogonal = json_is_true(orthogonal);
    TRY(json_get_string(&ensemble, options, "expr_ensemble", where));
    TRY(read_word(&index, "expr_ensemble", ensemble, ensemble_names, ENSEMBLE_COUNT, where));
    out->ensemble = (smm_ensemble)index;
    return MIEN_OK;
}

/* The spec in a model file's metadata; strings borrowed from root, lists put into `texts`. */
static mien_status read_spec(model_spec *spec, arena *texts, const json_t *root, const char *where)
{
    int64_t version = 0, size = 0;
    TRY(json_get_int(&version, root, "version", where));
    if (version != MODEL_FORMAT_VERSION)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: version %lld (wanted %d)", where, (long long)version,
                         MODEL_FORMAT_VERSION);
    TRY(read_kind(&spec->kind, root, where));
    if (model_is_over_map(spec->kind)) {
        mien_status st = read_options(&spec->smm, spec->kind, json_object_get(root, "options"));
        if (st != MIEN_OK)
            return mien_fail_in(st, "%s", where);
    }
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
    return read_heads(spec, texts, root, where);
}

/* where: "PATH: metadata" */
static mien_status read_metadata(json_t **out, str *where, const tensor_file *f, const char *path)
{
    const char *text = tensor_file_meta(f, "mien");
    if (!text)
        return mien_fail(MIEN_ERR_FORMAT, "%s: not a mien model (no \"mien\" in its metadata)", path);
    TRY(str_printf(where, "%s: metadata", path));
    return json_parse(out, text, strlen(text), where->text);
}

mien_status model_file_task(char **out, const char *path)
{
    mien_status st;
    tensor_file *f = NULL;
    json_t *root = NULL;
    const char *task;
    str where = {0};
    TRY(tensor_file_open(&f, path));
    TRY_OUT(read_metadata(&root, &where, f, path));
    TRY_OUT(json_get_string(&task, root, "task", where.text));
    TRY_OUT(mem_strdup(out, task));
out:
    json_decref(root);
    str_free(&where);
    tensor_file_close(f);
    return st;
}

mien_status model_load(model **out, const char *path)
{
    mien_status st = MIEN_OK;
    tensor_file *f = NULL;
    json_t *root = NULL;
    model *m = NULL;
    arena *texts = NULL;
    model_spec spec = {0};
    str where = {0};
    TRY(tensor_file_open(&f, path));
    TRY_OUT(read_metadata(&root, &where, f, path));
    TRY_OUT(arena_create(&texts, 0));
    TRY_OUT(read_spec(&spec, texts, root, where.text));
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
    arena_free(texts);
    str_free(&where);
    tensor_file_close(f);
    return st;
}
