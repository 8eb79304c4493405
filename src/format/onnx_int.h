/* A graph in ONNX's messages, as it is put together. A translation is a chain of calls, so failure is sticky (as in
 * nn/layer.h): after the first one every function does nothing and gives NULL, and onnx_write looks at `status`. */
#ifndef FORMAT_ONNX_INT_H
#define FORMAT_ONNX_INT_H

#include "format/onnx.h"
#include "format/onnx.pb-c.h"

typedef struct {
    arena *arena; /* all of the below */
    mien_status status;
    Onnx__GraphProto *graph;
    onnx_form form;
    const onnx_member *member; /* the one that is being translated */
    const char **names;        /* [values of its graph]: what they are called in the file; NULL: not used yet */
    const graph_node *node;    /* of its graph, the one that is being translated */
} onnx_build;

/* --- onnx_build.c ------------------------------------------------------------------------------------------------- */
/* The value's name; a parameter becomes an initializer the first time. NULL for NO_VALUE. */
const char *onnx_name(onnx_build *b, value_id v);
/* Of the current node's input, and of its first output. */
const char *onnx_in(onnx_build *b, int index);
const shape *onnx_in_shape(const onnx_build *b, int index);
const shape *onnx_out_shape(const onnx_build *b);

/* Appends OP(inputs) for the current node and gives its output's name: the node's own, or, where `part` is not NULL,
 * "NODE:part". inputs end with NULL. */
const char *onnx_emit(onnx_build *b, const char *op, const char *part, const char *const *inputs);
#define ONNX_INPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* Attributes of what was emitted last. */
void onnx_set_int(onnx_build *b, const char *name, int64_t value);
void onnx_set_float(onnx_build *b, const char *name, float value);
void onnx_set_ints(onnx_build *b, const char *name, int count, const int64_t *values);
#define ONNX_SET_INTS(b, name, ...)                                                                                    \
    onnx_set_ints(b, name, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
/* Small constants "NODE:part": f32 [count] (count 0: a scalar), and i64 likewise. */
const char *onnx_floats(onnx_build *b, const char *part, int count, const float *values);
const char *onnx_ints(onnx_build *b, const char *part, int count, const int64_t *values);
#define ONNX_INTS(b, part, ...)                                                                                        \
    onnx_ints(b, part, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
/* The current node's output is no node's: an initializer f32 of its shape. `data` outlives the file; onnx_room is room
 * for so many numbers that does, or NULL. */
void onnx_constant(onnx_build *b, const float *data);
void *onnx_room(onnx_build *b, int64_t count, size_t element_bytes);
/* The constant f32 [count, 1] of a one and zeros behind it. */
const char *onnx_first(onnx_build *b, const char *part, int64_t count);
/* An input or output of the file, f32 or u8, of these dimensions behind `batch`. */
void onnx_add_input(onnx_build *b, const char *name, Onnx__TensorProto__DataType type, int rank, const int64_t *dims);
void onnx_add_output(onnx_build *b, const char *name, int rank, const int64_t *dims);
/* In how many places that was made which is called so. */
int onnx_count_makers(const onnx_build *b, const char *name);
/* A node of no member: name = the mean of the values, which end with NULL. */
void onnx_add_mean(onnx_build *b, const char *name, const char *const *values);

/* --- onnx_ops.c --------------------------------------------------------------------------------------------------- */
/* The current node, whatever it is. */
void onnx_translate(onnx_build *b);

#endif
