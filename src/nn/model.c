/* A model is described anew for each use (size, batch, training or not), and its graph is thrown away where only the
 * parameters were wanted: the description is the one place that says what parameters there are. */
#include "nn/model_int.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "nn/deviation.h"
#include "nn/import.h"
#include "nn/smm_emotionnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool model_is_over_map(model_kind kind)
{
    return kind == MODEL_SMM || kind == MODEL_BASELINE;
}

/* --- describing --------------------------------------------------------------------------------------------------- */

const model_io model_io_none = {.images = NO_VALUE,
                                .heads = {{NO_VALUE, NO_VALUE},
                                          {NO_VALUE, NO_VALUE},
                                          {NO_VALUE, NO_VALUE},
                                          {NO_VALUE, NO_VALUE},
                                          {NO_VALUE, NO_VALUE},
                                          {NO_VALUE, NO_VALUE},
                                          {NO_VALUE, NO_VALUE},
                                          {NO_VALUE, NO_VALUE}},
                                .features = NO_VALUE,
                                .identity = NO_VALUE};
_Static_assert(MODEL_MAX_HEADS == 8, "model_io_none has a row for each head");

/* Each head's logits from the features. One head is the architecture's own classifier, under its published names;
 * several stand side by side, each a linear layer with torch.nn.Linear's default draws. */
static void describe_heads(net *n, model_io *io, const model *m)
{
    const model_spec *spec = &m->spec;
    io->head_count = spec->head_count;
    for (int h = 0; h < spec->head_count; h++) {
        const int size = spec->heads[h].size;
        if (spec->kind == MODEL_DEVIATION) {
            io->heads[h].logits = deviation_head(n, io->features, size);
        } else if (spec->head_count == 1) {
            io->heads[h].logits = m->arch->head(n, io->features, size);
        } else {
            const float bound = 1.0f / sqrtf((float)m->arch->feature_dim);
            char name[96];
            snprintf(name, sizeof name, "%s%s", m->arch->head_prefix, spec->heads[h].name);
            io->heads[h].logits = net_linear(n, name, io->features, (linear_spec){size, bound, bound, 2, true});
        }
    }
}

/* The network that a spec over a feature map is of; its heads are given ones. */
static smm_spec smm_of(const model_spec *spec, const architecture *arch)
{
    return (smm_spec){.arch = arch,
                      .map = spec->smm.map,
                      .is_baseline = spec->kind == MODEL_BASELINE,
                      .is_orthogonal = spec->smm.is_orthogonal,
                      .ensemble = spec->smm.ensemble,
                      .heads = spec->heads,
                      .head_count = spec->head_count};
}

static void describe_over_map(net *n, model_io *io, const model *m, value_id x)
{
    const smm_spec spec = smm_of(&m->spec, m->arch);
    smm_output out[MODEL_MAX_HEADS];
    smm_emotionnet(n, out, &spec, x);
    io->head_count = spec.head_count;
    for (int h = 0; h < spec.head_count && n->status == MIEN_OK; h++) {
        io->heads[h].logits = out[h].logits;
        io->heads[h].output = out[h].output;
    }
}

/* What a head says: its logits as probabilities, or as they are. */
static mien_status describe_output(graph *g, value_id *out, const model_head *h, value_id logits, bool is_only)
{
    char name[96], scaled[112];
    if (h->kind == HEAD_REGRESSION) {
        *out = logits;
        return MIEN_OK;
    }
    const char *op = h->kind == HEAD_CLASS ? "softmax" : "sigmoid";
    snprintf(name, sizeof name, "%s%s%s", is_only ? "" : h->name, is_only ? "" : ".", op);
    if (h->kind == HEAD_BINARIES)
        return op_activation(g, out, name, logits, ACT_SIGMOID);
    snprintf(scaled, sizeof scaled, "%s.temperature", name);
    if (h->temperature != 0)
        TRY(op_multiply(g, &logits, scaled, logits, 1 / h->temperature));
    return op_softmax(g, out, name, logits);
}

/* Outputs that a loss or the network gave by the way are not computed twice; networks over a feature map give all that
 * are wanted. */
static mien_status describe_outputs(graph *g, model_io *io, const model_spec *spec)
{
    for (int h = 0; h < spec->head_count; h++) {
        if (io->heads[h].output == NO_VALUE && !model_is_over_map(spec->kind))
            TRY(describe_output(g, &io->heads[h].output, &spec->heads[h], io->heads[h].logits, spec->head_count == 1));
        graph_mark_output(g, io->heads[h].logits);
        if (io->heads[h].output != NO_VALUE)
            graph_mark_output(g, io->heads[h].output);
    }
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
        describe_heads(&n, io, m);
    } else if (model_is_over_map(m->spec.kind)) {
        describe_over_map(&n, io, m, x);
    } else {
        io->features = m->arch->features(&n, x);
        describe_heads(&n, io, m);
    }
    TRY(n.status);
    if (o->is_training)
        TRY(o->ending->describe(o->ending->context, g, io, &m->spec, o->batch));
    return describe_outputs(g, io, &m->spec);
}

mien_status model_describe(graph **out, model_io *io, model *m, const model_graph_options *options)
{
    *io = model_io_none;
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

mien_status model_differentiate(graph *g, value_id *loss, const model_io *io)
{
    *loss = io->losses[0].value;
    if (io->loss_count > 1)
        TRY(op_total(g, loss, "total", io->losses, io->loss_count));
    return graph_differentiate(g, io->losses, io->loss_count, NO_VALUE, NULL);
}

mien_status model_graph(graph **out, model_io *io, model *m, const model_graph_options *options)
{
    graph *g = NULL;
    value_id loss = NO_VALUE;
    mien_status st = MIEN_OK;
    TRY(model_describe(&g, io, m, options));
    TRY_OUT(graph_fuse(g));
    if (options->is_training)
        TRY_OUT(model_differentiate(g, &loss, io));
    if (options->is_training && options->sums_batches)
        TRY_OUT(op_accumulate(g, "accumulate", loss));
    if (options->is_training && options->optimizer) {
        optimizer_attr update = *options->optimizer;
        update.loss = loss;
        TRY_OUT(op_optimizer(g, "optimizer", &update));
    }
    *out = g;
    g = NULL;
out:
    graph_free(g);
    return st;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static mien_status copy_text(model *m, const char **dst, const char *text)
{
    char *copy = NULL;
    if (text)
        TRY(arena_strdup(m->arena, &copy, text));
    *dst = copy;
    return MIEN_OK;
}

static mien_status copy_thresholds(model *m, model_head *dst, const float *values)
{
    float *copy = NULL;
    if (values) {
        TRY(arena_alloc(m->arena, &copy, dst->size));
        memcpy(copy, values, (size_t)dst->size * sizeof *copy);
    }
    dst->thresholds = copy;
    return MIEN_OK;
}

static mien_status copy_head(model *m, model_head *dst, const model_head *src)
{
    const char **columns = NULL;
    *dst = *src;
    TRY(copy_text(m, &dst->name, src->name));
    TRY(copy_text(m, &dst->loss, src->loss));
    TRY(copy_text(m, &dst->metric, src->metric));
    TRY(copy_thresholds(m, dst, src->thresholds));
    TRY(arena_alloc(m->arena, &columns, src->size));
    for (int i = 0; i < src->size; i++)
        TRY(copy_text(m, &columns[i], src->columns[i]));
    dst->columns = columns;
    return MIEN_OK;
}

static model_head class_head(const model_spec *spec)
{
    return (model_head){
        .name = HEAD_EXPRESSION, .kind = HEAD_CLASS, .size = spec->class_count, .columns = spec->classes};
}

static mien_status copy_heads(model *m, const model_spec *spec)
{
    const model_head only = class_head(spec), *given = spec->head_count ? spec->heads : &only;
    model_head *heads = NULL;
    m->spec.head_count = spec->head_count ? spec->head_count : 1;
    m->spec.classes = NULL;
    m->spec.class_count = 0;
    TRY(arena_alloc(m->arena, &heads, m->spec.head_count));
    for (int h = m->spec.head_count - 1; h >= 0; h--) {
        TRY(copy_head(m, &heads[h], &given[h]));
        if (heads[h].kind != HEAD_CLASS)
            continue;
        m->spec.classes = heads[h].columns;
        m->spec.class_count = heads[h].size;
    }
    m->heads = heads;
    m->spec.heads = heads;
    return MIEN_OK;
}

static mien_status copy_spec(model *m, const model_spec *spec)
{
    m->spec = *spec;
    char *text = NULL;
    TRY(arena_strdup(m->arena, &text, spec->task));
    m->spec.task = text;
    m->spec.arch = m->arch->name;
    TRY(copy_heads(m, spec));
    if (model_is_over_map(spec->kind)) {
        const feature_map *map = NULL;
        TRY(architecture_map(&map, m->arch, spec->smm.map));
        m->spec.smm.map = map->name;
    }
    if (m->spec.image_size == 0)
        m->spec.image_size = m->arch->default_size;
    return MIEN_OK;
}

static mien_status check_thresholds(const model_head *h, const float *values)
{
    if (values && h->kind != HEAD_BINARIES)
        return mien_fail(MIEN_ERR_ARG, "heads: %.32s: thresholds of a head of kind %s (wanted binaries)", h->name,
                         head_kind_name(h->kind));
    for (int i = 0; values && i < h->size; i++)
        if (!(values[i] >= 0 && values[i] <= 1))
            return mien_fail(MIEN_ERR_ARG, "heads: %.32s: threshold %g of output %d (wanted 0 to 1)", h->name,
                             (double)values[i], i);
    return MIEN_OK;
}

/* Regions of SMM-EmotionNet are averaged as probabilities: there are no logits to divide. */
static mien_status check_temperature(const model_spec *spec, const model_head *h, float value)
{
    if (value != 0 && (h->kind != HEAD_CLASS || model_is_over_map(spec->kind)))
        return mien_fail(MIEN_ERR_ARG,
                         "heads: %.32s: temperature of a head of kind %s in a model of kind %s (wanted "
                         "class, in plain or deviation)",
                         h->name, head_kind_name(h->kind), model_kind_name(spec->kind));
    if (value != 0 && !(value >= HEAD_MIN_TEMPERATURE && value <= HEAD_MAX_TEMPERATURE))
        return mien_fail(MIEN_ERR_ARG, "heads: %.32s: temperature %g (wanted %g to %g)", h->name, (double)value,
                         (double)HEAD_MIN_TEMPERATURE, (double)HEAD_MAX_TEMPERATURE);
    return MIEN_OK;
}

static mien_status check_heads(const model_spec *spec)
{
    if (spec->head_count < 0 || spec->head_count > MODEL_MAX_HEADS)
        return mien_fail(MIEN_ERR_ARG, "heads: %d (wanted 1 to %d)", spec->head_count, MODEL_MAX_HEADS);
    if (spec->head_count > 1 && spec->kind == MODEL_DEVIATION)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "heads: %d (wanted 1 in a deviation module)", spec->head_count);
    if (spec->head_count == 0 && spec->class_count < 1)
        return mien_fail(MIEN_ERR_ARG, "classes: %d (wanted at least 1)", spec->class_count);
    for (int h = 0; h < spec->head_count; h++) {
        const model_head *at = &spec->heads[h];
        if (at->size < 1)
            return mien_fail(MIEN_ERR_ARG, "heads: %.32s: %d outputs (wanted at least 1)", at->name, at->size);
        TRY(check_thresholds(at, at->thresholds));
        TRY(check_temperature(spec, at, at->temperature));
        for (int i = 0; i < h; i++)
            if (strcmp(spec->heads[i].name, at->name) == 0)
                return mien_fail(MIEN_ERR_ARG, "heads: %.32s twice", at->name);
    }
    return MIEN_OK;
}

static mien_status check_over_map(const model_spec *spec, const architecture *arch)
{
    const model_head only = class_head(spec);
    smm_spec smm = smm_of(spec, arch);
    if (spec->head_count == 0) {
        smm.heads = &only;
        smm.head_count = 1;
    }
    if (smm.is_baseline && (smm.is_orthogonal || smm.ensemble != SMM_MEAN_SOFTMAX))
        return mien_fail(MIEN_ERR_ARG,
                         "options: orthogonal or expr_ensemble of a baseline (wanted neither: it has no regions)");
    return smm_check(&smm);
}

mien_status model_check_spec(const model_spec *spec, const architecture *arch)
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
    TRY(check_heads(spec));
    if (model_is_over_map(spec->kind))
        TRY(check_over_map(spec, arch));
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
    for (int i = m->spec.kind != MODEL_DEVIATION; i < 2; i++) {
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
    TRY(model_check_spec(spec, arch));
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

bool model_clips(const model *m, int head)
{
    return model_is_over_map(m->spec.kind) && smm_clips(&m->spec.heads[head]);
}

const char *model_head_prefix(const model *m)
{
    if (model_is_over_map(m->spec.kind))
        return SMM_HEADS;
    return m->spec.kind == MODEL_DEVIATION ? DEVIATION_HEAD : m->arch->head_prefix;
}

void model_freeze_backbone(model *m)
{
    if (model_is_over_map(m->spec.kind)) {
        param_store_set_trainable(m->params, SMM_BACKBONE, false);
        return;
    }
    param_store_set_trainable(m->params, "", false);
    param_store_set_trainable(m->params, model_head_prefix(m), true);
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

mien_status model_set_thresholds(model *m, int head, const float *values)
{
    TRY(check_thresholds(&m->heads[head], values));
    return copy_thresholds(m, &m->heads[head], values);
}

mien_status model_set_temperature(model *m, int head, float value)
{
    TRY(check_temperature(&m->spec, &m->heads[head], value));
    m->heads[head].temperature = value;
    return MIEN_OK;
}

mien_status model_load_backbone(model *m, tensor_file *f, const char *path)
{
    const char *const skipped[] = {IMPORT_IGNORED, m->arch->head_prefix, m->arch->ignored[0], m->arch->ignored[1],
                                   NULL};
    const bool is_deviation = m->spec.kind == MODEL_DEVIATION;
    model_kind from;
    TRY(model_kind_of_file(&from, f, path));
    const import_naming naming = {.arch = m->arch, .only = model_is_over_map(from) ? SMM_BACKBONE : NULL};
    if (tensor_file_choice(f))
        log_notice("%s: %s", path, tensor_file_choice(f));
    if (!tensor_file_meta(f, "mien"))
        import_tell_variant(path, m->arch, m->spec.variant);
    TRY(import_rename(f, &naming));
    if (model_is_over_map(m->spec.kind)) {
        const smm_spec spec = smm_of(&m->spec, m->arch);
        return smm_load_backbone(m->params, &spec, f, path);
    }
    TRY(param_store_load_under(m->params, is_deviation ? DEVIATION_FACE : "", f, path, skipped));
    if (is_deviation)
        param_store_copy(m->params, DEVIATION_IDENTITY, DEVIATION_FACE);
    return MIEN_OK;
}
