/* What of a graph its kernels see: the few attributes that they are given whole, and the parameters of a step. Apart
 * from op.h because every kernel is compiled once for each instruction set: a new operator shall not recompile them. */
#ifndef GRAPH_ATTR_H
#define GRAPH_ATTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int value_id; /* a value of a graph (graph.h) */

typedef enum { ACT_NONE, ACT_RELU, ACT_SILU, ACT_SIGMOID, ACT_GELU, ACT_RELU6, ACT_CLIP, ACT_COUNT } activation_kind;

/* Is its derivative 0 or 1, and told by its value? */
static inline bool activation_is_clipped(activation_kind kind)
{
    return kind == ACT_RELU || kind == ACT_RELU6;
}

/* Of op_pool: count_pad: an average divides by the whole window; is_ceil: PyTorch's ceil mode. */
typedef struct {
    int window[2], stride[2], pad[2];
    bool is_ceil, count_pad, is_max;
} pool_attr;

/* Of op_optimizer. */
typedef enum { OPTIMIZER_ADAM, OPTIMIZER_SGD, OPTIMIZER_ADAMW } optimizer_kind;
typedef struct {
    size_t offset, count; /* elements of the arenas */
} param_range;
typedef struct {
    optimizer_kind kind;
    float beta1, beta2, eps, momentum, weight_decay;
    const param_range *ranges; /* adjacent trainable slices merged; in the arena */
    int range_count;
    value_id loss;
    bool is_summed; /* the gradients are those of op_accumulate; filled in by op_optimizer */
} optimizer_attr;

/* Of op_accumulate. */
typedef struct {
    const param_range *ranges; /* as the optimizer's */
    int range_count;
    bool is_first; /* the sums begin with this batch */
} accumulate_attr;

/* What changes from step to step: lives in a buffer, never in kernel arguments. */
typedef struct {
    float lr;
    uint32_t step; /* 1 for the first */
    uint64_t seed;
    int32_t is_nonfinite; /* set by the optimizer node: loss or gradients not finite, parameters unchanged */
    float gradient_norm;  /* written by the optimizer node */
} step_params;

#endif
