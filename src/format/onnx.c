/* The file around the nodes: inputs, outputs, metadata, and how it reaches the disk. protobuf-c hands a message over in
 * pieces, and weights as they lie; it ignores what becomes of them, so the buffer remembers the first failure. */
#include "format/onnx_int.h"

#include "base/file.h"

#include <string.h>

enum { IR_VERSION = 8 };

/* --- members ------------------------------------------------------------------------------------------------------ */

/* images [n, h, w, 3] */
static void add_input_once(onnx_build *b, const char *name, const shape *images)
{
    const int64_t h = images->dim[1], w = images->dim[2];
    for (size_t i = 0; i < b->graph->n_input; i++)
        if (!strcmp(b->graph->input[i]->name, name))
            return;
    if (b->form == ONNX_RAW)
        onnx_add_input(b, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 3, (int64_t[]){3, h, w});
    else
        onnx_add_input(b, name,
                       b->form == ONNX_UINT8 ? ONNX__TENSOR_PROTO__DATA_TYPE__UINT8
                                             : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
                       3, (int64_t[]){h, w, 3});
}

/* Translates a member; values[i]: what its output i is called, which is as in the file where there is no other
 * member. */
static void add_member(onnx_build *b, const onnx_file *file, const onnx_member *m, const char **values)
{
    graph *g = m->graph;
    if (b->status != MIEN_OK)
        return;
    b->member = m;
    b->status = arena_alloc(b->arena, &b->names, graph_value_count(g));
    if (b->status != MIEN_OK)
        return;
    b->names[m->images] = m->input;
    for (int i = 0; i < file->output_count && file->member_count == 1; i++)
        b->names[m->outputs[i]] = file->outputs[i];
    add_input_once(b, m->input, &graph_value_at(g, m->images)->shape);
    for (int i = 0; i < graph_order_count(g) && b->status == MIEN_OK; i++) {
        b->node = graph_node_at(g, graph_order_at(g, i));
        onnx_translate(b);
    }
    for (int i = 0; i < file->output_count; i++)
        values[i] = onnx_name(b, m->outputs[i]);
}

/* values [member_count, output_count] */
static void add_output(onnx_build *b, const onnx_file *file, int index, const char *const *values)
{
    const onnx_member *first = &file->members[0];
    const char **all = NULL, *name = file->outputs[index];
    if (b->status == MIEN_OK)
        b->status = arena_alloc(b->arena, &all, file->member_count + 1); /* ends with NULL */
    if (b->status != MIEN_OK)
        return;
    for (int m = 0; m < file->member_count; m++)
        all[m] = values[m * file->output_count + index];
    if (file->member_count > 1)
        onnx_add_mean(b, name, all);
    onnx_add_output(b, name, 1, &graph_value_at(first->graph, first->outputs[index])->shape.dim[1]);
    if (b->status == MIEN_OK && onnx_count_makers(b, name) != 1)
        b->status = mien_fail(MIEN_ERR_UNSUPPORTED, "output %s: something else in the file is called so", name);
}

static void describe(onnx_build *b, const onnx_file *file)
{
    const char **values = NULL;
    b->status = arena_alloc(b->arena, &values, file->member_count * file->output_count);
    if (b->status != MIEN_OK)
        return;
    for (int m = 0; m < file->member_count; m++)
        add_member(b, file, &file->members[m], values + m * file->output_count);
    for (int i = 0; i < file->output_count; i++)
        add_output(b, file, i, values);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

typedef struct {
    ProtobufCBuffer base; /* first: protobuf-c knows this part alone */
    file_writer *to;
    mien_status status;
} piece_writer;

static void write_piece(ProtobufCBuffer *buffer, size_t count, const uint8_t *bytes)
{
    piece_writer *w = (piece_writer *)buffer;
    if (w->status == MIEN_OK)
        w->status = file_write_bytes(w->to, bytes, count);
}

static mien_status write_model(const char *path, const Onnx__ModelProto *model)
{
    const size_t bytes = protobuf_c_message_get_packed_size(&model->base);
    if (bytes > INT32_MAX)
        return mien_fail(MIEN_ERR_UNSUPPORTED,
                         "%s: %zu bytes (wanted at most %d, which is all that ONNX's encoding holds)", path, bytes,
                         INT32_MAX);
    piece_writer w = {.base = {write_piece}};
    TRY(file_write_open(&w.to, path));
    protobuf_c_message_pack_to_buffer(&model->base, &w.base);
    if (w.status != MIEN_OK) {
        file_write_abort(w.to);
        return w.status;
    }
    return file_write_commit(w.to);
}

static mien_status copy_properties(Onnx__StringStringEntryProto ***out, arena *a, const onnx_file *file)
{
    Onnx__StringStringEntryProto *entries, **pointers;
    TRY(arena_alloc(a, &entries, file->property_count));
    TRY(arena_alloc(a, &pointers, file->property_count));
    for (int i = 0; i < file->property_count; i++) {
        onnx__string_string_entry_proto__init(&entries[i]);
        entries[i].key = (char *)file->properties[i].key;
        entries[i].value = (char *)file->properties[i].value;
        pointers[i] = &entries[i];
    }
    *out = pointers;
    return MIEN_OK;
}

mien_status onnx_write(const char *path, const onnx_file *file)
{
    mien_status st = MIEN_OK;
    Onnx__GraphProto graph_message = ONNX__GRAPH_PROTO__INIT;
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT, *opsets[] = {&opset};
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    onnx_build b = {.graph = &graph_message, .form = file->form};
    TRY(arena_create(&b.arena, 0));
    TRY_OUT(copy_properties(&model.metadata_props, b.arena, file));
    describe(&b, file);
    TRY_OUT(b.status);
    graph_message.name = (char *)file->name;
    opset.domain = ""; /* ONNX's own */
    opset.has_version = true;
    opset.version = ONNX_OPSET;
    model.has_ir_version = true;
    model.ir_version = IR_VERSION;
    model.producer_name = "mien";
    model.producer_version = MIEN_VERSION;
    model.graph = &graph_message;
    model.opset_import = opsets;
    model.n_opset_import = 1;
    model.n_metadata_props = (size_t)file->property_count;
    st = write_model(path, &model);
out:
    arena_free(b.arena);
    return st;
}
