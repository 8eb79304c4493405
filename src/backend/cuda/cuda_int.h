/* What the files of this backend share: the backend itself, kernels as short lists of steps, and prepare's state. */
#ifndef BACKEND_CUDA_CUDA_INT_H
#define BACKEND_CUDA_CUDA_INT_H

#include "backend/cuda/cuda.h"
#include "backend/cuda/device.h"
#include "backend/cuda/kernel/pointwise.h"
#include "backend/cuda/library.h"
#include "backend/prepare.h"

typedef struct {
    backend base;
    device *device;
    cuda_libraries *libraries; /* NULL: every operator by its plain kernel */
    cuda_options options;
    char isa[32];                     /* "sm_90", and what was asked of it: "sm_90+fast+tf32" */
    size_t free_at_first, least_free; /* bytes of the device's memory */
} cuda_backend;

/* --- kernels as steps --------------------------------------------------------------------------------------------- */
enum { CUDA_MAX_STEPS = 6, CUDA_MAX_BINDINGS = 16 };

/* A library's part of a kernel. Its operands are filled in at bind: operands[binding.at]. */
typedef struct cuda_call cuda_call;
struct cuda_call {
    mien_status (*bind)(cuda_call *c); /* may be NULL; called when the operands are there, again when they change */
    mien_status (*run)(cuda_call *c, device *d);
    void (*free)(cuda_call *c);
    void *operands[CUDA_MAX_BINDINGS];
};

typedef struct {
    const device_kernel *kernel; /* one of ours; NULL: a call */
    device_grid grid;
    void *args;      /* owned copy */
    cuda_call *call; /* owned */
    binding bindings[CUDA_MAX_BINDINGS];
    int binding_count;
} cuda_step;

typedef struct {
    kernel base;
    cuda_backend *b;
    int step_count;
    cuda_step steps[CUDA_MAX_STEPS];
    void *kept; /* device memory of its own, or NULL */
    char implementation[96];
} cuda_kernel;

/* An empty kernel; it is freed by base.free. Its name is that of its first step, "cuda:add", until a call names it. */
MIEN_MUST_USE mien_status cuda_kernel_create(cuda_kernel **out, cuda_backend *b);
/* Reserves scratch and returns its offset, 256-byte aligned as libraries like it. */
size_t cuda_kernel_scratch(cuda_kernel *k, size_t bytes);
/* *out = device memory of the kernel's own, one block at most, that holds a copy of the host's data: what a kernel
 * reads that is no operand. */
MIEN_MUST_USE mien_status cuda_kernel_keep(cuda_kernel *k, const void **out, const void *data, size_t bytes);
MIEN_MUST_USE mien_status cuda_kernel_add_own(cuda_kernel *k, const device_kernel *fn, device_grid grid,
                                              const void *args, size_t args_bytes, const binding *bindings, int count);
/* The kernel owns the call from now on (also on failure), and takes `name`. */
MIEN_MUST_USE mien_status cuda_kernel_add_call(cuda_kernel *k, cuda_call *call, const char *name,
                                               const binding *bindings, int count);

/* Runs what libraries do of a bound kernel, for them to load and take what they want before a run is captured. What its
 * outputs hold then is nothing. */
MIEN_MUST_USE mien_status cuda_kernel_warm_up(const cuda_kernel *k);

/* Grids: a thread an element, at most as many as fill the device several times over; a block a row. */
device_grid grid_of_elements(const cuda_backend *b, int64_t count);
device_grid grid_of_rows(const cuda_backend *b, int64_t rows, int threads);

/* --- prepare ------------------------------------------------------------------------------------------------------ */
typedef struct {
    cuda_backend *b;
    graph *g;
    kernel_list kernels;
} cuda_prepare;

/* Node n runs k, which the prepare owns from now on (also on failure). */
MIEN_MUST_USE mien_status cuda_set(cuda_prepare *p, node_id n, cuda_kernel *k);
/* A kernel of one own step for node n. */
MIEN_MUST_USE mien_status cuda_own(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid,
                                   const void *args, size_t args_bytes, const binding *bindings, int count);

/* A library's file failed to make node n's kernel with st and a message: told, and left to the next rule
 * (MIEN_ERR_UNSUPPORTED), but where there was no memory. MIEN_OK stays. */
MIEN_MUST_USE mien_status cuda_refused(cuda_prepare *p, node_id n, mien_status st);

/* --- around libraries' calls (weights.c) -------------------------------------------------------------------------- */
/* w [o, c, ..] f32 as [o, .., c] in `type`, by a node of ours before node `before`; w itself where that is the same.
 * One such copy serves all nodes after it. */
MIEN_MUST_USE mien_status cuda_pack(cuda_prepare *p, value_id *out, node_id before, value_id w, dtype type);
/* A bias f32 [o] in `type`. */
MIEN_MUST_USE mien_status cuda_pack_bias(cuda_prepare *p, value_id *out, node_id before, value_id bias, dtype type);
/* Weights and bias of a convolution, with the batch norm that is folded into it (bias: NO_VALUE where it has neither).
 */
MIEN_MUST_USE mien_status cuda_pack_convolution(cuda_prepare *p, value_id *w, value_id *bias, node_id conv, dtype type);
/* What a library may take for granted of an address of v. */
int64_t cuda_alignment(const graph_value *v);
/* Scratch for a library: what is bound as FROM_SCRATCH at the offset given, cuda_workspace_at aligns. */
size_t cuda_workspace(cuda_kernel *k, size_t bytes);
void *cuda_workspace_at(void *address);

/* One function an operator: makes the node's kernel. A fast one that does not serve the node answers
 * MIEN_ERR_UNSUPPORTED, and the next is asked, at last the plain one. */
typedef mien_status cuda_prepare_fn(cuda_prepare *p, node_id n);
typedef struct {
    const op_def *op;
    cuda_prepare_fn *prepare;
} cuda_rule;

/* A pool's kernel, and its gradient's, by one of ours of which a thread makes `width` channels of a pixel. */
MIEN_MUST_USE mien_status cuda_pool(cuda_prepare *p, node_id n, const device_kernel *fn, int width);
MIEN_MUST_USE mien_status cuda_pool_dx(cuda_prepare *p, node_id n, const device_kernel *fn, int width);

/* What plain and fast kernels of some operators have in common: all but the kernel and its grid. a and b are inputs 0
 * and 1, y output 0; options: kind, shift, factor. */
MIEN_MUST_USE mien_status cuda_pointwise(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid,
                                         int inputs, const pointwise_args *options);
/* Input 0 in output 0's type. */
MIEN_MUST_USE mien_status cuda_convert(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid);
MIEN_MUST_USE mien_status cuda_layer_norm(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid);
/* A thread makes `width` numbers. */
MIEN_MUST_USE mien_status cuda_normalise(cuda_prepare *p, node_id n, const device_kernel *fn, int width);

/* The operators of each file; the last row is empty. */
extern const cuda_rule cuda_pointwise_rules[], cuda_movement_rules[], cuda_losses_rules[], cuda_update_rules[],
    cuda_convolution_rules[], cuda_products_rules[], cuda_norms_rules[], cuda_pools_rules[], cuda_tokens_rules[],
    cuda_regions_rules[];
extern const cuda_rule cuda_cudnn_rules[], cuda_cublas_rules[], cuda_fused_rules[], cuda_attention_rules[];

#endif
