/* cuDNN's operation graphs, as the files that describe them meet them. */
#ifndef BACKEND_CUDA_CUDNN_INT_H
#define BACKEND_CUDA_CUDNN_INT_H

#include "backend/cuda/cuda_int.h"

enum { DNN_MAX_DESCRIPTORS = 24, DNN_MAX_OPERATIONS = 4, DNN_MAX_OPERANDS = 6, DNN_WORKSPACE = DNN_MAX_OPERANDS };

/* A graph while it is described: it owns its descriptors. {.l = ...} is an empty one. */
typedef struct {
    const cuda_libraries *l;
    dnn_descriptor owned[DNN_MAX_DESCRIPTORS];
    int owned_count;
    dnn_descriptor operations[DNN_MAX_OPERATIONS];
    int operation_count;
    int64_t ids[DNN_MAX_OPERANDS]; /* of tensors that are operands of the call: their number + 1 */
    int operand_count;
    int virtual_count;
} dnn_graph;
void dnn_graph_free(dnn_graph *g); /* leaves an empty one */

/* n, c, h, w; in memory n, h, w, c without gaps. Of weights: o, c, kh, kw as o, kh, kw, c. */
typedef struct {
    int64_t dim[4];
} dnn_dims;
enum { DNN_VIRTUAL = -1 };
/* Operand number `operand` of the call, aligned to so many bytes, or, where it is DNN_VIRTUAL, what passes from one
 * operation to the next, in f32. */
MIEN_MUST_USE mien_status dnn_tensor(dnn_graph *g, dnn_descriptor *out, int operand, dtype type, dnn_dims dims,
                                     int64_t alignment);

typedef enum { DNN_FORWARD, DNN_DATA_GRADIENT, DNN_WEIGHT_GRADIENT } dnn_direction;
/* x, w, y: tensors, or the gradients of them that `direction` reads and writes. */
MIEN_MUST_USE mien_status dnn_convolution(dnn_graph *g, dnn_direction direction, const conv2d_attr *attr,
                                          dnn_descriptor x, dnn_descriptor w, dnn_descriptor y);
MIEN_MUST_USE mien_status dnn_add(dnn_graph *g, dnn_descriptor a, dnn_descriptor b, dnn_descriptor y);
/* MIEN_ERR_UNSUPPORTED for an activation that cuDNN's compiled kernels do not end with. */
MIEN_MUST_USE mien_status dnn_activation(dnn_graph *g, activation_kind kind, dnn_descriptor x, dnn_descriptor y);

/* Chooses an engine for the graph and plans it: a call whose operands are the graph's, and, where workspace_bytes is
 * not 0, DNN_WORKSPACE. It takes the graph's descriptors (g is empty then, also on failure). MIEN_ERR_UNSUPPORTED where
 * no engine serves it as `options` want. */
MIEN_MUST_USE mien_status dnn_plan(cuda_call **out, size_t *workspace_bytes, dnn_graph *g, dtype type,
                                   const cuda_options *options);

#endif
