/* An ensemble as one ONNX graph: members that want the same input share it, and the means of their answers, one a head,
 * are the last nodes. What the file says of itself (heads, normalisation, sizes) is gathered here as one JSON document.
 */
#include "infer/export.h"

#include "base/mem.h"
#include "format/tensor_file.h"
#include "graph/op.h"
#include "nn/model.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { MEMBER_NAME_BYTES = 64, INPUT_NAME_BYTES = 48 };

/* A member as the file has it. Names follow from what members are and in which order, not from what their files are
 * called, so that the same models give the same bytes. */
typedef struct {
    model *model;
    json_t *about; /* what the model file's metadata says, which model_load has checked */
    graph *graph;
    model_io io;
    value_id outputs[MODEL_MAX_HEADS]; /* of the heads as the ensemble has them */
    char name[MEMBER_NAME_BYTES];      /* "resnet50", "resnet50.2" for the second one */
    char prefix[MEMBER_NAME_BYTES + 1];
    int group; /* which input it reads */
} export_member;

typedef struct {
    const model_spec *spec; /* of its first member */
    char name[INPUT_NAME_BYTES];
} export_input;

typedef struct {
    onnx_form form;
    int count, input_count;
    export_member *members;               /* [count] */
    export_input *inputs;                 /* [count] */
    const model_head *heads;              /* the ensemble's */
    const char *outputs[MODEL_MAX_HEADS]; /* [head_count] what they are called in the file */
    int head_count;
} export_work;

static mien_status read_about(json_t **out, const char *path)
{
    tensor_file *f = NULL;
    TRY(tensor_file_open(&f, path));
    const char *text = tensor_file_meta(f, "mien");
    mien_status st = text ? json_parse(out, text, strlen(text), path)
                          : mien_fail(MIEN_ERR_FORMAT, "%s: changed while it was read", path);
    tensor_file_close(f);
    return st;
}

/* --- naming ------------------------------------------------------------------------------------------------------- */

static void name_member(export_work *w, int index)
{
    export_member *m = &w->members[index];
    const char *arch = model_spec_of(m->model)->arch;
    int same = 1;
    for (int i = 0; i < index; i++)
        same += !strcmp(model_spec_of(w->members[i].model)->arch, arch);
    snprintf(m->name, sizeof m->name, same > 1 ? "%.40s.%d" : "%.40s", arch, same);
    if (w->count > 1)
        snprintf(m->prefix, sizeof m->prefix, "%s/", m->name);
}

/* Do both take the same input? Raw pictures have been normalised outside, for whom it may concern. */
static bool is_shared(onnx_form form, const model_spec *a, const model_spec *b)
{
    return a->image_size == b->image_size &&
           (form != ONNX_RAW || (!memcmp(a->mean, b->mean, sizeof a->mean) && !memcmp(a->std, b->std, sizeof a->std)));
}

static void find_input(export_work *w, export_member *m)
{
    const model_spec *spec = model_spec_of(m->model);
    for (m->group = 0; m->group < w->input_count; m->group++)
        if (is_shared(w->form, w->inputs[m->group].spec, spec))
            return;
    w->inputs[w->input_count++].spec = spec;
}

/* "images"; of several "images_224", "images_299", and "images_224_2" where the size alone does not tell. */
static void name_inputs(export_work *w)
{
    for (int i = 0; i < w->input_count; i++) {
        int size = w->inputs[i].spec->image_size, same = 1;
        for (int j = 0; j < i; j++)
            same += w->inputs[j].spec->image_size == size;
        snprintf(w->inputs[i].name, INPUT_NAME_BYTES,
                 w->input_count == 1 ? "images"
                 : same == 1         ? "images_%d"
                                     : "images_%d_%d",
                 size, same);
    }
}

/* A head of classes alone has always been "probabilities". */
static bool is_of_classes_alone(const export_work *w)
{
    return w->head_count == 1 && w->heads[0].kind == HEAD_CLASS;
}

static void name_outputs(export_work *w)
{
    for (int h = 0; h < w->head_count; h++)
        w->outputs[h] = is_of_classes_alone(w) ? "probabilities" : w->heads[h].name;
}

/* --- what the file says of itself --------------------------------------------------------------------------------- */

static const char *const form_names[] = {[ONNX_UINT8] = "uint8", [ONNX_FLOAT] = "float", [ONNX_RAW] = "raw"};
static const char *const form_texts[] = {
    [ONNX_UINT8] = "RGB pictures resized to the input's size (bilinear, antialiased), uint8 0 to 255, [batch, height, "
                   "width, 3]; normalisation is inside",
    [ONNX_FLOAT] = "RGB pictures resized to the input's size (bilinear, antialiased), float32 0 to 255, [batch, "
                   "height, width, 3]; normalisation is inside",
    [ONNX_RAW] = "RGB pictures resized to the input's size (bilinear, antialiased), float32 (value / 255 - mean) / "
                 "std, [batch, 3, height, width]",
};

static json_t *text_or_null(const json_t *value)
{
    return json_is_string(value) ? json_string(json_string_value(value)) : json_null();
}

static json_t *describe_member(const export_work *w, const export_member *m)
{
    const model_spec *spec = model_spec_of(m->model);
    return json_pack("{s:s, s:s, s:s, s:s, s:O, s:O, s:O, s:O, s:o}", "name", m->name, "input",
                     w->inputs[m->group].name, "arch", spec->arch, "variant", model_variant_name(spec->variant), "kind",
                     json_object_get(m->about, "kind"), "image_size", json_object_get(m->about, "image_size"), "mean",
                     json_object_get(m->about, "mean"), "std", json_object_get(m->about, "std"), "licence",
                     text_or_null(json_object_get(m->about, "licence")));
}

/* The value where all members have the same, else a list of theirs. */
static json_t *common_value(const export_work *w, const char *key)
{
    json_t *all = json_array(), *first = json_object_get(w->members[0].about, key);
    bool is_common = true;
    for (int i = 0; i < w->count; i++) {
        json_t *value = json_object_get(w->members[i].about, key);
        is_common = is_common && json_equal(first, value);
        json_array_append(all, value ? value : json_null());
    }
    if (!is_common)
        return all;
    json_decref(all);
    return first ? json_incref(first) : json_null();
}

static json_t *describe_columns(const model_head *h)
{
    json_t *columns = json_array();
    for (int i = 0; i < h->size; i++)
        json_array_append_new(columns, json_string(h->columns[i]));
    return columns;
}

static json_t *describe_heads(const export_work *w)
{
    json_t *heads = json_array();
    for (int h = 0; h < w->head_count; h++) {
        const model_head *at = &w->heads[h];
        json_t *head = json_pack("{s:s, s:s, s:o}", "name", at->name, "kind", head_kind_name(at->kind), "columns",
                                 describe_columns(at));
        json_t *thresholds = json_array();
        for (int i = 0; at->kind == HEAD_BINARIES && i < at->size; i++)
            json_array_append_new(thresholds, json_real(at->thresholds ? (double)at->thresholds[i] : 0.5));
        if (json_array_size(thresholds))
            json_object_set(head, "thresholds", thresholds);
        json_decref(thresholds);
        json_array_append_new(heads, head);
    }
    return heads;
}

static mien_status describe_metadata(json_t **out, const export_work *w)
{
    const model_spec *spec = model_spec_of(w->members[0].model);
    json_t *classes = json_array(), *members = json_array(), *licence = common_value(w, "licence");
    for (int c = 0; c < spec->class_count; c++)
        json_array_append_new(classes, json_string(spec->classes[c]));
    for (int i = 0; i < w->count; i++)
        json_array_append_new(members, describe_member(w, &w->members[i]));
    if (json_is_null(licence)) {
        json_decref(licence);
        licence = json_string("not stated");
    }
    *out = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:s}", "task", spec->task, "kind",
                     w->count > 1 ? json_string("ensemble") : common_value(w, "kind"), "arch", common_value(w, "arch"),
                     "classes", classes, "image_size", common_value(w, "image_size"), "mean", common_value(w, "mean"),
                     "std", common_value(w, "std"), "input", form_names[w->form], "input_description",
                     form_texts[w->form], "licence", licence, "members", members, "mien_version", MIEN_VERSION);
    if (*out && !is_of_classes_alone(w))
        json_object_set_new(*out, "heads", describe_heads(w));
    return json_check(*out);
}

/* An input or output as people ask for it: {"name", "type", "shape"} */
static json_t *describe_value(const char *name, const char *type, json_t *dims)
{
    return json_pack("{s:s, s:s, s:o}", "name", name, "type", type, "shape", dims);
}

static json_t *describe_inputs(const export_work *w)
{
    json_t *inputs = json_array();
    for (int i = 0; i < w->input_count; i++) {
        int size = w->inputs[i].spec->image_size;
        json_t *dims = w->form == ONNX_RAW ? json_pack("[s, i, i, i]", "batch", 3, size, size)
                                           : json_pack("[s, i, i, i]", "batch", size, size, 3);
        json_array_append_new(inputs,
                              describe_value(w->inputs[i].name, w->form == ONNX_UINT8 ? "uint8" : "float32", dims));
    }
    return inputs;
}

static json_t *describe_output(const export_work *w, int head)
{
    return describe_value(w->outputs[head], "float32", json_pack("[s, i]", "batch", w->heads[head].size));
}

static mien_status describe_file(json_t **out, const export_work *w, json_t *metadata)
{
    json_t *outputs = json_array();
    for (int h = 0; h < w->head_count; h++) {
        json_t *output = describe_output(w, h);
        json_object_set_new(output, "columns", describe_columns(&w->heads[h]));
        json_array_append_new(outputs, output);
    }
    *out = json_pack("{s:s, s:i, s:o, s:o*, s:o, s:O}", "format", "onnx", "opset", ONNX_OPSET, "inputs",
                     describe_inputs(w), "output", w->head_count == 1 ? describe_output(w, 0) : NULL, "outputs",
                     outputs, "metadata", metadata);
    return json_check(*out);
}

/* --- ONNX --------------------------------------------------------------------------------------------------------- */

static void work_free(export_work *w)
{
    for (int i = 0; w->members && i < w->count; i++) {
        graph_free(w->members[i].graph);
        json_decref(w->members[i].about);
    }
    mem_free(w->members);
    mem_free(w->inputs);
}

/* Every member's outputs in the order of the ensemble's heads, each times `share`: what their mean is made of. */
static mien_status find_outputs(export_member *m, const export_work *w, const char *path, double share)
{
    const model_spec *spec = model_spec_of(m->model);
    char name[96];
    for (int h = 0, at; h < w->head_count; h++) {
        TRY(head_find(&at, spec->heads, spec->head_count, w->heads[h].name, path));
        m->outputs[h] = m->io.heads[at].output;
        snprintf(name, sizeof name, "%.80s.weight", w->heads[h].name);
        if (share != 1)
            TRY(op_multiply(m->graph, &m->outputs[h], name, m->outputs[h], (float)share));
    }
    return MIEN_OK;
}

static mien_status prepare(export_work *w, const ensemble *e)
{
    double weights = 0;
    w->count = ensemble_member_count(e);
    for (int i = 0; i < w->count; i++)
        weights += ensemble_member_weight(e, i);
    w->heads = ensemble_heads(e, &w->head_count);
    TRY(mem_zalloc(&w->members, w->count));
    TRY(mem_zalloc(&w->inputs, w->count));
    for (int i = 0; i < w->count; i++) {
        export_member *m = &w->members[i];
        m->model = ensemble_model(e, i);
        assert(m->model);
        TRY(read_about(&m->about, ensemble_member_path(e, i)));
        TRY(model_describe(&m->graph, &m->io, m->model,
                           &(model_graph_options){.batch = 1, .activation_type = DTYPE_F32}));
        TRY(find_outputs(m, w, ensemble_member_path(e, i), ensemble_member_weight(e, i) * w->count / weights));
        name_member(w, i);
        find_input(w, m);
    }
    name_inputs(w);
    name_outputs(w);
    return MIEN_OK;
}

/* texts [count]: owned values of the metadata, those that are no texts as JSON. */
static mien_status print_properties(onnx_property *properties, char **texts, json_t *metadata)
{
    const char *key;
    json_t *value;
    int i = 0;
    json_object_foreach(metadata, key, value)
    {
        TRY(json_is_string(value) ? mem_strdup(&texts[i], json_string_value(value)) : json_print(&texts[i], value));
        properties[i] = (onnx_property){key, texts[i]};
        i++;
    }
    return MIEN_OK;
}

static mien_status write(const export_work *w, const char *path, json_t *metadata)
{
    mien_status st;
    const int property_count = (int)json_object_size(metadata);
    onnx_member *members = NULL;
    onnx_property *properties = NULL;
    char **texts = NULL;
    TRY_OUT(mem_zalloc(&members, w->count));
    TRY_OUT(mem_zalloc(&properties, property_count));
    TRY_OUT(mem_zalloc(&texts, property_count));
    TRY_OUT(print_properties(properties, texts, metadata));
    for (int i = 0; i < w->count; i++) {
        const export_member *m = &w->members[i];
        members[i] = (onnx_member){.graph = m->graph,
                                   .images = m->io.images,
                                   .outputs = m->outputs,
                                   .values = param_store_memory(model_params(m->model))->values,
                                   .input = w->inputs[m->group].name,
                                   .prefix = m->prefix};
    }
    st = onnx_write(path, &(onnx_file){.name = w->count > 1 ? "ensemble" : w->members[0].name,
                                       .form = w->form,
                                       .members = members,
                                       .member_count = w->count,
                                       .outputs = w->outputs,
                                       .output_count = w->head_count,
                                       .properties = properties,
                                       .property_count = property_count});
out:
    for (int i = 0; texts && i < property_count; i++)
        mem_free(texts[i]);
    mem_free(texts);
    mem_free(properties);
    mem_free(members);
    return st;
}

mien_status export_onnx(json_t **out, const ensemble *e, const char *path, onnx_form form)
{
    mien_status st;
    export_work w = {.form = form};
    json_t *metadata = NULL, *report = NULL;
    TRY_OUT(prepare(&w, e));
    TRY_OUT(describe_metadata(&metadata, &w));
    TRY_OUT(describe_file(&report, &w, metadata));
    TRY_OUT(write(&w, path, metadata));
    *out = report;
    report = NULL;
out:
    json_decref(report);
    json_decref(metadata);
    work_free(&w);
    return st;
}

/* --- safetensors -------------------------------------------------------------------------------------------------- */

mien_status export_safetensors(json_t **out, const ensemble *e, const char *path)
{
    mien_status st;
    json_t *about = NULL, *report = NULL;
    char *text = NULL;
    st_tensor *tensors = NULL;
    size_t count = 0;
    if (ensemble_member_count(e) != 1)
        return mien_fail(MIEN_ERR_ARG, "%s: %d models (wanted one: an ensemble has no state dict, only ONNX holds it)",
                         path, ensemble_member_count(e));
    TRY_OUT(read_about(&about, ensemble_member_path(e, 0)));
    TRY_OUT(json_print(&text, about));
    TRY_OUT(param_store_tensors(model_params(ensemble_model(e, 0)), &tensors, &count));
    report = json_pack("{s:s, s:I, s:O}", "format", "safetensors", "tensors", (json_int_t)count, "metadata", about);
    TRY_OUT(json_check(report));
    TRY_OUT(st_write(path, tensors, count, (const st_metadata[]){{"format", "pt"}, {"mien", text}}, 2));
    *out = report;
    report = NULL;
out:
    json_decref(report);
    json_decref(about);
    mem_free(text);
    mem_free(tensors);
    return st;
}
