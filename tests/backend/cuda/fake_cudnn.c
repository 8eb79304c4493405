/* cuDNN's backend interface: every descriptor keeps its attributes, which the tables below say types and counts of.
 * What graphs engines serve is what cuDNN 9.19 was seen to answer for an H100 (src/backend/cuda/cudnn_graph.c). */
#include "backend/cuda/fake_cudnn.h"
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/fakes.h"

#include <stdlib.h>
#include <string.h>

/* --- descriptors -------------------------------------------------------------------------------------------------- */
typedef struct {
    int name, type, least, most; /* counts; least 0: may be left out */
} rule;

enum { MAX_ATTRIBUTES = 8 };
typedef struct {
    int type;
    rule rules[MAX_ATTRIBUTES];
} descriptor_kind;

#define OPERATION(direction, a, b, c)                                                                                  \
    {                                                                                                                  \
        {DNN_ATTR_OPERATION_CONVOLUTION_##direction##_ALPHA, DNN_TYPE_FLOAT, 1, 1},                                    \
            {DNN_ATTR_OPERATION_CONVOLUTION_##direction##_BETA, DNN_TYPE_FLOAT, 1, 1},                                 \
            {DNN_ATTR_OPERATION_CONVOLUTION_##direction##_CONV_DESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},               \
            {DNN_ATTR_OPERATION_CONVOLUTION_##direction##_##a, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},                     \
            {DNN_ATTR_OPERATION_CONVOLUTION_##direction##_##b, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},                     \
            {DNN_ATTR_OPERATION_CONVOLUTION_##direction##_##c, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},                     \
        {                                                                                                              \
            0                                                                                                          \
        }                                                                                                              \
    }

static const descriptor_kind kinds[] = {
    {DNN_BACKEND_TENSOR_DESCRIPTOR,
     {{DNN_ATTR_TENSOR_DATA_TYPE, DNN_TYPE_DATA_TYPE, 1, 1},
      {DNN_ATTR_TENSOR_DIMENSIONS, DNN_TYPE_INT64, 4, 4},
      {DNN_ATTR_TENSOR_STRIDES, DNN_TYPE_INT64, 4, 4},
      {DNN_ATTR_TENSOR_UNIQUE_ID, DNN_TYPE_INT64, 1, 1},
      {DNN_ATTR_TENSOR_BYTE_ALIGNMENT, DNN_TYPE_INT64, 1, 1},
      {DNN_ATTR_TENSOR_IS_VIRTUAL, DNN_TYPE_BOOLEAN, 0, 1},
      {0}}},
    {DNN_BACKEND_CONVOLUTION_DESCRIPTOR,
     {{DNN_ATTR_CONVOLUTION_SPATIAL_DIMS, DNN_TYPE_INT64, 1, 1},
      {DNN_ATTR_CONVOLUTION_COMP_TYPE, DNN_TYPE_DATA_TYPE, 1, 1},
      {DNN_ATTR_CONVOLUTION_CONV_MODE, DNN_TYPE_CONVOLUTION_MODE, 1, 1},
      {DNN_ATTR_CONVOLUTION_PRE_PADDINGS, DNN_TYPE_INT64, 2, 2},
      {DNN_ATTR_CONVOLUTION_POST_PADDINGS, DNN_TYPE_INT64, 2, 2},
      {DNN_ATTR_CONVOLUTION_DILATIONS, DNN_TYPE_INT64, 2, 2},
      {DNN_ATTR_CONVOLUTION_FILTER_STRIDES, DNN_TYPE_INT64, 2, 2},
      {0}}},
    {DNN_BACKEND_POINTWISE_DESCRIPTOR,
     {{DNN_ATTR_POINTWISE_MODE, DNN_TYPE_POINTWISE_MODE, 1, 1},
      {DNN_ATTR_POINTWISE_MATH_PREC, DNN_TYPE_DATA_TYPE, 1, 1},
      {0}}},
    {DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, OPERATION(FORWARD, X, W, Y)},
    {DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, OPERATION(BWD_DATA, DX, W, DY)},
    {DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, OPERATION(BWD_FILTER, X, DW, DY)},
    {DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
     {{DNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},
      {DNN_ATTR_OPERATION_POINTWISE_XDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},
      {DNN_ATTR_OPERATION_POINTWISE_BDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 0, 1},
      {DNN_ATTR_OPERATION_POINTWISE_YDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},
      {0}}},
    {DNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR,
     {{DNN_ATTR_OPERATIONGRAPH_HANDLE, DNN_TYPE_HANDLE, 1, 1},
      {DNN_ATTR_OPERATIONGRAPH_OPS, DNN_TYPE_BACKEND_DESCRIPTOR, 1, FAKE_MAX_OPERATIONS},
      {0}}},
    {DNN_BACKEND_ENGINEHEUR_DESCRIPTOR,
     {{DNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},
      {DNN_ATTR_ENGINEHEUR_MODE, DNN_TYPE_HEUR_MODE, 1, 1},
      {0}}},
    {DNN_BACKEND_ENGINECFG_DESCRIPTOR, {{0}}},
    {DNN_BACKEND_ENGINE_DESCRIPTOR, {{0}}},
    {DNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
     {{DNN_ATTR_EXECUTION_PLAN_HANDLE, DNN_TYPE_HANDLE, 1, 1},
      {DNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, DNN_TYPE_BACKEND_DESCRIPTOR, 1, 1},
      {0}}},
    {DNN_BACKEND_VARIANT_PACK_DESCRIPTOR,
     {{DNN_ATTR_VARIANT_PACK_UNIQUE_IDS, DNN_TYPE_INT64, 1, FAKE_MAX_OPERANDS},
      {DNN_ATTR_VARIANT_PACK_DATA_POINTERS, DNN_TYPE_VOID_PTR, 1, FAKE_MAX_OPERANDS},
      {DNN_ATTR_VARIANT_PACK_WORKSPACE, DNN_TYPE_VOID_PTR, 1, 1},
      {0}}},
};

enum { ELEMENT_BYTES = 8, MAX_ELEMENTS = FAKE_MAX_OPERANDS };
typedef struct {
    int64_t count; /* 0: not set */
    union {
        int number;
        float real;
        bool flag;
        int64_t integers[MAX_ELEMENTS];
        void *pointers[MAX_ELEMENTS];
    } value;
} attribute;

struct fake_descriptor {
    uint32_t magic;
    const descriptor_kind *kind;
    bool is_final;
    attribute attributes[MAX_ATTRIBUTES];
    const struct fake_descriptor *graph; /* of engines and their configurations */
    int engine;
};
typedef struct fake_descriptor descriptor;

enum { MAGIC = 0xd35c, HANDLE_MAGIC = 0x4a11 };
typedef struct {
    uint32_t magic;
    const void *stream;
} handle;

static descriptor *check(const void *object, const char *what)
{
    const descriptor *d = object;
    if (!d || d->magic != MAGIC)
        fake_die("%s: no descriptor, or one that was destroyed", what);
    return (descriptor *)d;
}

static const handle *check_handle(const void *object, const char *what)
{
    if (!object || ((const handle *)object)->magic != HANDLE_MAGIC)
        fake_die("%s: no handle, or one that was destroyed", what);
    return object;
}

static int find(const descriptor *d, int name)
{
    int i = 0;
    while (d->kind->rules[i].most && d->kind->rules[i].name != name)
        i++;
    return d->kind->rules[i].most ? i : -1;
}

static const attribute *get(const descriptor *d, int name)
{
    int i = find(d, name);
    return i < 0 || d->attributes[i].count == 0 ? NULL : &d->attributes[i];
}

static const descriptor *get_descriptor(const descriptor *d, int name)
{
    const attribute *a = get(d, name);
    return a ? check(a->value.pointers[0], "a descriptor's part") : NULL;
}

static size_t bytes_of(int type)
{
    switch (type) {
    case DNN_TYPE_BOOLEAN:
        return sizeof(bool);
    case DNN_TYPE_INT64:
        return sizeof(int64_t);
    case DNN_TYPE_HANDLE:
    case DNN_TYPE_VOID_PTR:
    case DNN_TYPE_BACKEND_DESCRIPTOR:
        return sizeof(void *);
    default:
        return sizeof(int);
    }
}

/* --- the interface ------------------------------------------------------------------------------------------------ */
static size_t get_version(void)
{
    return fake.dnn_version ? (size_t)fake.dnn_version : 91900;
}

static const char *get_error_string(int status)
{
    return status >= DNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_NOT_INITIALIZED";
}

static int create(dnn_handle *out)
{
    if (fake.is_without_gpu)
        return DNN_STATUS_NOT_INITIALIZED;
    handle *h = calloc(1, sizeof *h);
    if (!h)
        fake_die("no memory");
    h->magic = HANDLE_MAGIC;
    fake_counts.live++;
    *out = h;
    return DNN_STATUS_SUCCESS;
}

static int destroy(dnn_handle object)
{
    handle *h = (handle *)check_handle(object, "cudnnDestroy");
    h->magic = 0;
    free(h);
    fake_counts.live--;
    return DNN_STATUS_SUCCESS;
}

static int set_stream(dnn_handle object, const void *stream)
{
    ((handle *)check_handle(object, "cudnnSetStream"))->stream = stream;
    return DNN_STATUS_SUCCESS;
}

static int create_descriptor(int type, dnn_descriptor *out)
{
    size_t i = 0;
    fake_not_while_capturing("cudnnBackendCreateDescriptor");
    while (i < sizeof kinds / sizeof *kinds && kinds[i].type != type)
        i++;
    descriptor *d = calloc(1, sizeof *d);
    if (i == sizeof kinds / sizeof *kinds || !d)
        fake_die("cudnnBackendCreateDescriptor: type %d", type);
    d->magic = MAGIC;
    d->kind = &kinds[i];
    d->engine = -1;
    fake_counts.live++;
    *out = d;
    return DNN_STATUS_SUCCESS;
}

static int destroy_descriptor(dnn_descriptor object)
{
    descriptor *d = check(object, "cudnnBackendDestroyDescriptor");
    fake_not_while_capturing("cudnnBackendDestroyDescriptor");
    d->magic = 0;
    free(d);
    fake_counts.live--;
    return DNN_STATUS_SUCCESS;
}

static int set_attribute(dnn_descriptor object, int name, int type, int64_t count, const void *elements)
{
    static const char what[] = "cudnnBackendSetAttribute";
    descriptor *d = check(object, what);
    const int i = find(d, name);
    fake_not_while_capturing(what);
    if (d->is_final)
        fake_die("%s: %d of a descriptor that is final", what, name);
    if (i < 0)
        fake_die("%s: a descriptor of type %d has no attribute %d", what, d->kind->type, name);
    const rule *r = &d->kind->rules[i];
    if (type != r->type || count < 1 || count > r->most || count < r->least || !elements)
        fake_die("%s: attribute %d: %d of type %d (wanted %d to %d of type %d)", what, name, (int)count, type, r->least,
                 r->most, r->type);
    if (type == DNN_TYPE_BACKEND_DESCRIPTOR)
        for (int64_t k = 0; k < count; k++)
            if (!check(((void *const *)elements)[k], what)->is_final)
                fake_die("%s: attribute %d: a descriptor that is not final", what, name);
    if (type == DNN_TYPE_HANDLE)
        (void)check_handle(*(void *const *)elements, what);
    d->attributes[i].count = count;
    memcpy(&d->attributes[i].value, elements, (size_t)count * bytes_of(type));
    return DNN_STATUS_SUCCESS;
}

/* --- what descriptors mean ---------------------------------------------------------------------------------------- */
static fake_tensor tensor_of(const descriptor *d)
{
    fake_tensor t = {.type = get(d, DNN_ATTR_TENSOR_DATA_TYPE)->value.number,
                     .uid = get(d, DNN_ATTR_TENSOR_UNIQUE_ID)->value.integers[0],
                     .alignment = get(d, DNN_ATTR_TENSOR_BYTE_ALIGNMENT)->value.integers[0]};
    const attribute *is_virtual = get(d, DNN_ATTR_TENSOR_IS_VIRTUAL);
    memcpy(t.dim, get(d, DNN_ATTR_TENSOR_DIMENSIONS)->value.integers, sizeof t.dim);
    memcpy(t.stride, get(d, DNN_ATTR_TENSOR_STRIDES)->value.integers, sizeof t.stride);
    t.is_virtual = is_virtual && is_virtual->value.flag;
    return t;
}

static void tensor_part(fake_tensor *out, const descriptor *d, int name)
{
    const descriptor *part = get_descriptor(d, name);
    if (!part || part->kind->type != DNN_BACKEND_TENSOR_DESCRIPTOR)
        fake_die("attribute %d of an operation is no tensor", name);
    *out = tensor_of(part);
}

static void convolution_of(fake_operation *out, const descriptor *d)
{
    static const int names[][4] = {
        {DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
         DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
        {DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
         DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
        {DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
         DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY}};
    const int k = out->type - DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
    const int *n = names[k == 0 ? 0 : k == 2 ? 1 : 2], first = 700 + 6 * (k == 0 ? 0 : k == 2 ? 1 : 2);
    const descriptor *conv = get_descriptor(d, first + 2);
    if (n[0] != out->type || conv->kind->type != DNN_BACKEND_CONVOLUTION_DESCRIPTOR || get(d, first)->value.real != 1 ||
        get(d, first + 1)->value.real != 0)
        fake_die("a convolution of another kind, or with alpha and beta not 1 and 0");
    tensor_part(&out->x, d, n[1]);
    tensor_part(&out->w, d, n[2]);
    tensor_part(&out->y, d, n[3]);
    memcpy(out->stride, get(conv, DNN_ATTR_CONVOLUTION_FILTER_STRIDES)->value.integers, sizeof out->stride);
    memcpy(out->dilation, get(conv, DNN_ATTR_CONVOLUTION_DILATIONS)->value.integers, sizeof out->dilation);
    memcpy(out->before, get(conv, DNN_ATTR_CONVOLUTION_PRE_PADDINGS)->value.integers, sizeof out->before);
    memcpy(out->after, get(conv, DNN_ATTR_CONVOLUTION_POST_PADDINGS)->value.integers, sizeof out->after);
    for (int i = 0; i < 2; i++) {
        const int64_t reach = (out->w.dim[2 + i] - 1) * out->dilation[i] + 1;
        const int64_t wanted = (out->x.dim[2 + i] + out->before[i] + out->after[i] - reach) / out->stride[i] + 1;
        if (out->y.dim[2 + i] != wanted)
            fake_die("a convolution to %d positions (wanted %d)", (int)out->y.dim[2 + i], (int)wanted);
    }
    if (out->x.dim[0] != out->y.dim[0] || out->x.dim[1] != out->w.dim[1] || out->y.dim[1] != out->w.dim[0])
        fake_die("a convolution whose tensors do not fit each other");
}

static fake_operation operation_of(const descriptor *d)
{
    fake_operation out = {.type = d->kind->type};
    if (out.type != DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR) {
        convolution_of(&out, d);
        return out;
    }
    out.mode =
        get(get_descriptor(d, DNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR), DNN_ATTR_POINTWISE_MODE)->value.number;
    tensor_part(&out.x, d, DNN_ATTR_OPERATION_POINTWISE_XDESC);
    tensor_part(&out.y, d, DNN_ATTR_OPERATION_POINTWISE_YDESC);
    out.has_b = get(d, DNN_ATTR_OPERATION_POINTWISE_BDESC) != NULL;
    if (out.has_b)
        tensor_part(&out.w, d, DNN_ATTR_OPERATION_POINTWISE_BDESC);
    if (out.has_b != (out.mode == DNN_POINTWISE_ADD))
        fake_die("pointwise mode %d with the operands of another", out.mode);
    return out;
}

static void program_of(fake_program *out, const descriptor *graph)
{
    const attribute *operations = get(graph, DNN_ATTR_OPERATIONGRAPH_OPS);
    *out = (fake_program){.count = (int)operations->count};
    for (int i = 0; i < out->count; i++)
        out->operations[i] = operation_of(check(operations->value.pointers[i], "an operation"));
}

/* Tensors by the name of one id are one tensor, what an operation reads from another was written before, and a virtual
 * tensor is both written and read. */
static void check_flow(const fake_program *p)
{
    for (int i = 0; i < p->count; i++) {
        const fake_operation *o = &p->operations[i];
        bool is_written = false;
        for (int k = 0; k < i; k++)
            is_written = is_written || p->operations[k].y.uid == o->x.uid;
        if (i > 0 && (!is_written || !o->x.is_virtual))
            fake_die("operation %d reads what none before it leaves", i);
        if (o->y.is_virtual != (i + 1 < p->count))
            fake_die("operation %d of %d leaves a tensor that is %s", i, p->count,
                     o->y.is_virtual ? "virtual" : "not virtual");
    }
}

/* --- engines ------------------------------------------------------------------------------------------------------ */
typedef struct {
    int notes[3], note_count, behaviour[1], behaviour_count;
    bool is_for_fallback, refuses;
    int64_t workspace;
} engine;

static const engine engines[FAKE_ENGINES] = {
    [FAKE_LOOSE] = {.notes = {DNN_NUMERICAL_NOTE_TENSOR_CORE, DNN_NUMERICAL_NOTE_NONDETERMINISTIC}, .note_count = 2},
    [FAKE_COMPILING] = {.notes = {DNN_NUMERICAL_NOTE_TENSOR_CORE},
                        .note_count = 1,
                        .behaviour = {DNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION},
                        .behaviour_count = 1},
    [FAKE_WINOGRAD] = {.notes = {DNN_NUMERICAL_NOTE_WINOGRAD}, .note_count = 1},
    [FAKE_REFUSING] = {.notes = {DNN_NUMERICAL_NOTE_TENSOR_CORE}, .note_count = 1, .refuses = true},
    [FAKE_TENSOR_CORE] = {.notes = {DNN_NUMERICAL_NOTE_TENSOR_CORE}, .note_count = 1, .workspace = 5000},
    [FAKE_REDUCED] = {.notes = {DNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION},
                      .note_count = 1,
                      .is_for_fallback = true},
    [FAKE_LARGE] = {.is_for_fallback = true, .workspace = (int64_t)1 << 40},
    [FAKE_EXACT] = {.is_for_fallback = true, .workspace = 131},
};

static bool is_half(const fake_tensor *t)
{
    return t->type == DNN_DATA_BFLOAT16;
}

/* Is there a compiled engine for this graph? */
static bool has_engines(const fake_program *p)
{
    const fake_operation *first = &p->operations[0];
    const bool half = is_half(&first->x);
    int stage = 0; /* of residual, bias, activation */
    if (first->type == DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR || is_half(&first->w) != half ||
        (p->count == 1 && is_half(&first->y) != half))
        return false;
    if (p->count > 1 && (fake.refuses_epilogues || first->type != DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR))
        return false;
    for (int i = 1; i < p->count; i++) {
        const fake_operation *o = &p->operations[i];
        const int wanted = o->mode == DNN_POINTWISE_RELU_FWD ? 3 : o->w.dim[0] == 1 && o->w.dim[2] == 1 ? 2 : 1;
        if (wanted <= stage || (o->mode != DNN_POINTWISE_ADD && o->mode != DNN_POINTWISE_RELU_FWD) ||
            (o->has_b && is_half(&o->w) != half))
            return false;
        stage = wanted;
    }
    return true;
}

static int give_configs(const descriptor *heuristics, int64_t requested, int64_t *count, dnn_descriptor *out)
{
    const descriptor *graph = get_descriptor(heuristics, DNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    const bool is_fallback = get(heuristics, DNN_ATTR_ENGINEHEUR_MODE)->value.number == DNN_HEUR_MODE_FALLBACK;
    fake_program p;
    program_of(&p, graph);
    *count = 0;
    for (int e = 0; e < FAKE_ENGINES && has_engines(&p); e++)
        if (engines[e].is_for_fallback == is_fallback && *count < requested) {
            descriptor *config = check(out[(*count)++], "a configuration to fill in");
            if (config->kind->type != DNN_BACKEND_ENGINECFG_DESCRIPTOR)
                fake_die("configurations asked into descriptors of type %d", config->kind->type);
            config->engine = e;
            config->graph = graph;
            config->is_final = true;
        }
    return DNN_STATUS_SUCCESS;
}

static int give_notes(const int *notes, int note_count, int64_t requested, int64_t *count, int *out)
{
    *count = note_count;
    for (int i = 0; i < note_count && i < requested; i++)
        out[i] = notes[i];
    return DNN_STATUS_SUCCESS;
}

static const descriptor *config_of(const descriptor *plan)
{
    return get_descriptor(plan, DNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
}

static int get_attribute(dnn_descriptor object, int name, int type, int64_t requested, int64_t *count, void *elements)
{
    static const char what[] = "cudnnBackendGetAttribute";
    const descriptor *d = check(object, what);
    fake_not_while_capturing(what);
    if (!d->is_final)
        fake_die("%s: %d of a descriptor that is not final", what, name);
    if (name == DNN_ATTR_ENGINEHEUR_RESULTS && d->kind->type == DNN_BACKEND_ENGINEHEUR_DESCRIPTOR &&
        type == DNN_TYPE_BACKEND_DESCRIPTOR)
        return give_configs(d, requested, count, elements);
    if (name == DNN_ATTR_ENGINECFG_ENGINE && d->kind->type == DNN_BACKEND_ENGINECFG_DESCRIPTOR &&
        type == DNN_TYPE_BACKEND_DESCRIPTOR && requested == 1) {
        descriptor *e = check(*(dnn_descriptor *)elements, what);
        if (e->kind->type != DNN_BACKEND_ENGINE_DESCRIPTOR)
            fake_die("%s: an engine into a descriptor of type %d", what, e->kind->type);
        e->engine = d->engine;
        e->is_final = true;
        *count = 1;
        return DNN_STATUS_SUCCESS;
    }
    if (name == DNN_ATTR_ENGINE_NUMERICAL_NOTE && d->kind->type == DNN_BACKEND_ENGINE_DESCRIPTOR &&
        type == DNN_TYPE_NUMERICAL_NOTE)
        return give_notes(engines[d->engine].notes, engines[d->engine].note_count, requested, count, elements);
    if (name == DNN_ATTR_ENGINE_BEHAVIOR_NOTE && d->kind->type == DNN_BACKEND_ENGINE_DESCRIPTOR &&
        type == DNN_TYPE_BEHAVIOR_NOTE)
        return give_notes(engines[d->engine].behaviour, engines[d->engine].behaviour_count, requested, count, elements);
    if (name == DNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && d->kind->type == DNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
        type == DNN_TYPE_INT64 && requested == 1) {
        *(int64_t *)elements = engines[config_of(d)->engine].workspace;
        *count = 1;
        return DNN_STATUS_SUCCESS;
    }
    fake_die("%s: a descriptor of type %d does not give attribute %d as type %d", what, d->kind->type, name, type);
}

static int finalize(dnn_descriptor object)
{
    descriptor *d = check(object, "cudnnBackendFinalize");
    fake_not_while_capturing("cudnnBackendFinalize");
    if (d->is_final)
        fake_die("cudnnBackendFinalize: twice");
    for (int i = 0; d->kind->rules[i].most; i++)
        if (d->attributes[i].count < d->kind->rules[i].least)
            fake_die("cudnnBackendFinalize: a descriptor of type %d without attribute %d", d->kind->type,
                     d->kind->rules[i].name);
    d->is_final = true;
    if (d->kind->type >= DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR &&
        d->kind->type <= DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
        (void)operation_of(d);
    if (d->kind->type == DNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {
        fake_program p;
        program_of(&p, d);
        check_flow(&p);
    }
    if (d->kind->type == DNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR &&
        (fake.refuses_plans || engines[config_of(d)->engine].refuses)) {
        d->is_final = false;
        return DNN_STATUS_NOT_SUPPORTED;
    }
    return DNN_STATUS_SUCCESS;
}

/* --- work --------------------------------------------------------------------------------------------------------- */
static void place(fake_tensor *t, const descriptor *pack, bool *used)
{
    const attribute *ids = get(pack, DNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const attribute *addresses = get(pack, DNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    if (ids->count != addresses->count)
        fake_die("%d ids and %d addresses", (int)ids->count, (int)addresses->count);
    for (int64_t i = 0; i < ids->count && !t->is_virtual; i++)
        if (ids->value.integers[i] == t->uid) {
            t->at = addresses->value.pointers[i];
            used[i] = true;
        }
    if (!t->is_virtual && (!t->at || (uintptr_t)t->at % (uintptr_t)t->alignment))
        fake_die("tensor %d at %p (wanted %d bytes aligned)", (int)t->uid, t->at, (int)t->alignment);
}

static int execute(dnn_handle object, dnn_descriptor plan_object, dnn_descriptor pack_object)
{
    static const char what[] = "cudnnBackendExecute";
    const handle *h = check_handle(object, what);
    const descriptor *plan = check(plan_object, what), *pack = check(pack_object, what);
    const attribute *workspace = get(pack, DNN_ATTR_VARIANT_PACK_WORKSPACE);
    bool used[FAKE_MAX_OPERANDS] = {0};
    fake_program p;
    if (!plan->is_final || !pack->is_final || plan->kind->type != DNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
        pack->kind->type != DNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
        fake_die("%s: no plan, or no variant pack, that is final", what);
    const descriptor *config = config_of(plan);
    program_of(&p, check(config->graph, "a plan's graph"));
    for (int i = 0; i < p.count; i++) {
        fake_operation *o = &p.operations[i];
        place(&o->x, pack, used);
        place(&o->y, pack, used);
        if (o->has_b || o->type != DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
            place(&o->w, pack, used);
    }
    for (int64_t i = 0; i < get(pack, DNN_ATTR_VARIANT_PACK_UNIQUE_IDS)->count; i++)
        if (!used[i])
            fake_die("%s: an address for a tensor that the graph has not", what);
    p.workspace = workspace->value.pointers[0];
    p.workspace_bytes = (size_t)engines[config->engine].workspace;
    if (p.workspace_bytes && (!p.workspace || (uintptr_t)p.workspace % 256))
        fake_die("%s: workspace at %p", what, p.workspace);
    fake_counts.convolutions++;
    fake_counts.graphs += p.count > 1;
    fake_counts.engines[config->engine]++;
    emulated_call(h->stream, fake_program_run, &p, sizeof p);
    return DNN_STATUS_SUCCESS;
}

#define ROW(name, function)                                                                                            \
    {                                                                                                                  \
        name, (void (*)(void))function                                                                                 \
    }
const fake_symbol fake_dnn_symbols[] = {ROW("cudnnGetVersion", get_version),
                                        ROW("cudnnGetErrorString", get_error_string),
                                        ROW("cudnnCreate", create),
                                        ROW("cudnnDestroy", destroy),
                                        ROW("cudnnSetStream", set_stream),
                                        ROW("cudnnBackendCreateDescriptor", create_descriptor),
                                        ROW("cudnnBackendDestroyDescriptor", destroy_descriptor),
                                        ROW("cudnnBackendFinalize", finalize),
                                        ROW("cudnnBackendSetAttribute", set_attribute),
                                        ROW("cudnnBackendGetAttribute", get_attribute),
                                        ROW("cudnnBackendExecute", execute),
                                        {0}};
