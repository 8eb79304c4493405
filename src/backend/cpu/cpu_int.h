/* What the files of this backend share: the backend itself, kernels as short lists of steps, and prepare's state. */
#ifndef BACKEND_CPU_CPU_INT_H
#define BACKEND_CPU_CPU_INT_H

#include "backend/cpu/cpu.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/kernel/table.h"
#include "backend/cpu/openmp.h"
#include "backend/prepare.h"
#include "graph/group.h"

#include <oneapi/dnnl/dnnl.h>

typedef struct cpu_backend cpu_backend;
struct cpu_backend {
    backend base;
    isa isa;
    int threads;
    team *team;  /* of that many */
    team *alone; /* of one: who has entered it makes primitives for one thread */
    const kernel_table *own;
    all_reduce reduce; /* for the kernels of all-reduce nodes, when there are such */
    dnnl_engine_t engine;
    cpu_backend *single; /* the same with `alone` for its team; NULL in that one itself */
};

/* --- kernels as steps --------------------------------------------------------------------------------------------- */
/* A kernel is one to six steps, each a function of ours on an argument struct, a oneDNN primitive, or parts: kernels
 * that threads run side by side. */
enum { CPU_MAX_STEPS = 6, CPU_MAX_ARGS = 14 };
typedef struct cpu_kernel cpu_kernel;
/* A part's operands lie so many bytes behind the node's; its scratch is the whole kernel's. */
typedef struct {
    cpu_kernel *kernel;
    size_t input_offset[2], output_offset;
} cpu_part;
typedef struct {
    kernel_fn *fn;   /* NULL: a primitive or parts */
    void *args;      /* owned copy */
    cpu_part *parts; /* NULL: none; owned */
    int part_count;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t exec[CPU_MAX_ARGS]; /* memories owned */
    binding bindings[CPU_MAX_ARGS];
    int binding_count;
} cpu_step;
struct cpu_kernel {
    kernel base;
    const cpu_backend *b;
    dnnl_stream_t stream; /* NULL until a primitive needs it */
    int step_count;
    cpu_step steps[CPU_MAX_STEPS];
    char implementation[96];
};

/* An empty kernel; cpu_kernel_free, or base.free, releases it. Its name is that of the own table until it gets a
 * primitive. */
MIEN_MUST_USE mien_status cpu_kernel_create(cpu_kernel **out, const cpu_backend *b);
void cpu_kernel_free(cpu_kernel *k); /* NULL is a no-op */
/* Reserves scratch and returns its offset, 64-byte aligned. */
size_t cpu_kernel_scratch(cpu_kernel *k, size_t bytes);
MIEN_MUST_USE mien_status cpu_kernel_add_own(cpu_kernel *k, kernel_fn *fn, const void *args, size_t args_bytes,
                                             const binding *bindings, int count);
/* src, laid out as `from` says, into dst, laid out as `to`; the bindings' `at` is set here. is_main as above. */
MIEN_MUST_USE mien_status cpu_kernel_add_reorder(cpu_kernel *k, const_dnnl_memory_desc_t from, binding src,
                                                 const_dnnl_memory_desc_t to, binding dst, bool is_main);
/* A step of `count` parts, at most as many as threads; the kernel owns them from now on (also on failure) and takes the
 * first one's name. */
MIEN_MUST_USE mien_status cpu_kernel_add_parts(cpu_kernel *k, cpu_part *parts, int count);
void cpu_parts_free(cpu_part *parts, int count); /* NULL is a no-op */
/* One binding more for the step added last, where the node has that operand. */
void cpu_kernel_bind(cpu_kernel *k, binding one);
/* The primitive of `pd` (borrowed), its scratchpad in the kernel's scratch. mds[i] describes binding i. The kernel
 * takes the implementation's name unless an earlier primitive gave it one and is_main is false. */
MIEN_MUST_USE mien_status cpu_kernel_add_primitive(cpu_kernel *k, const_dnnl_primitive_desc_t pd,
                                                   const binding *bindings, const const_dnnl_memory_desc_t *mds,
                                                   int count, bool is_main);

/* The failure of a oneDNN call: what it lacked where that can be told (memory, an instruction set), else
 * MIEN_ERR_INTERNAL "oneDNN: what: status". */
mien_status onednn_fail(const char *what, dnnl_status_t status);
/* Is there so much memory as making one node's kernels may take? oneDNN itself crashes where some of its own requests
 * fail. Errors: MIEN_ERR_NOMEM. */
MIEN_MUST_USE mien_status onednn_check_memory(void);
#define TRY_DNNL(what, call)                                                                                           \
    do {                                                                                                               \
        dnnl_status_t dnnl_st_ = (call);                                                                               \
        if (dnnl_st_ != dnnl_success) {                                                                                \
            st = onednn_fail((what), dnnl_st_);                                                                        \
            goto out;                                                                                                  \
        }                                                                                                              \
    } while (0)

/* --- prepare ------------------------------------------------------------------------------------------------------ */
typedef struct {
    cpu_backend *b;
    graph *g;
    kernel_list kernels;
} cpu_prepare;

/* Node n runs k, which the prepare owns from now on (also on failure). */
MIEN_MUST_USE mien_status prepare_set(cpu_prepare *p, node_id n, cpu_kernel *k);
/* A kernel of one own step for node n. */
MIEN_MUST_USE mien_status prepare_own(cpu_prepare *p, node_id n, kernel_fn *fn, const void *args, size_t args_bytes,
                                      const binding *bindings, int count, size_t scratch_bytes);

/* Inserts before node `before` a node that lays parameter `w` out as md `to` (from md `from`, which lies over the f32
 * values as stored), and gives its output. `suffix` ends the node's name. */
MIEN_MUST_USE mien_status pack_insert(cpu_prepare *p, value_id *out, node_id before, value_id w,
                                      const_dnnl_memory_desc_t from, const_dnnl_memory_desc_t to, const char *suffix);
/* The same for a folded convolution, whose weights, bias, gamma, beta, mean and variance are the inputs of `before`
 * from `first` on: weights and bias with the statistics multiplied in. The node's inputs are rewired to the packed
 * values. */
typedef struct {
    const_dnnl_memory_desc_t from, to; /* to NULL: f32 in a layout of our own */
    int64_t panel;                     /* then: [o / panel, .., panel]; 0: [.., o], depthwise ones [taps, c] */
    const char *suffix;                /* NULL: "pack" */
} pack_form;
MIEN_MUST_USE mien_status pack_insert_folded(cpu_prepare *p, node_id before, int first, float eps,
                                             const pack_form *form);
/* Weights [o, ..] as [.., o] f32: depthwise ones [c, 1, kh, kw] as [kh kw, c]. */
MIEN_MUST_USE mien_status pack_insert_transposed(cpu_prepare *p, value_id *out, node_id before, value_id w);

/* One function an operator: makes the node's kernel. */
typedef mien_status prepare_fn(cpu_prepare *p, node_id n);
prepare_fn normalise_prepare, conv2d_prepare, conv2d_dx_prepare, conv2d_dw_prepare, linear_prepare, linear_dx_prepare,
    linear_dw_prepare, batch_norm_prepare, batch_norm_dx_prepare, activation_prepare, activation_dx_prepare,
    add_prepare, add_db_prepare, sub_prepare, scale_prepare, scale_dx_prepare, scale_ds_prepare, concat_prepare,
    slice_prepare, pool_prepare, pool_dx_prepare, global_mean_prepare, global_mean_dx_prepare, dropout_prepare,
    softmax_prepare, cross_entropy_prepare, cross_entropy_dx_prepare, optimizer_prepare, layer_norm_prepare,
    layer_norm_dx_prepare, attention_prepare, attention_dx_prepare, tokens_prepare, tokens_dx_prepare,
    first_token_prepare, first_token_dx_prepare, multiply_prepare, contribute_prepare, accumulate_prepare, mul_prepare,
    matmul_prepare, constant_prepare, cast_prepare, reshape_prepare, transpose_prepare, slice_dx_prepare,
    repeat_prepare, repeat_dx_prepare, softmax_dx_prepare, regression_prepare, regression_dx_prepare,
    binary_cross_entropy_prepare, binary_cross_entropy_dx_prepare, ccc_prepare, ccc_dx_prepare, total_prepare,
    group_linear_prepare, group_linear_dx_prepare, group_linear_dw_prepare, roi_embed_prepare, roi_embed_dx_prepare,
    orthogonal_prepare, orthogonal_dx_prepare;
/* Depthwise convolutions, which conv2d's functions hand on. */
bool conv2d_is_depthwise(const conv2d_attr *attr, const shape *x, const shape *w);
prepare_fn depthwise_prepare, depthwise_dx_prepare, depthwise_dw_prepare;
/* 1x1 convolutions that are ours, likewise. */
bool conv1x1_is_folded_f32(graph *g, node_id n); /* can it be? */
bool conv1x1_is_own(graph *g, node_id n);
prepare_fn conv1x1_prepare;
/* Are rows so few that the product of linear node n is our own kernel's, which takes weights as they lie? */
bool linear_is_small(graph *g, node_id n);

/* Groups (graph/group.h). */
group_match excite_match;
extern const op_def excite_def;
prepare_fn excite_prepare;
group_match bottleneck_match;
extern const op_def bottleneck_def;
prepare_fn bottleneck_prepare;

#endif
