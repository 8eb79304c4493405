/* The interface that backends implement. The graph meets a backend only as a pointer.
 *
 * prepare sees the whole graph, claims every node with a kernel, and may insert nodes (weight packing, layout changes)
 * whose operators are its own. Kernels learn addresses once (bind) and then run without looking anything up, allocating
 * or locking. */
#ifndef GRAPH_BACKEND_H
#define GRAPH_BACKEND_H

#include "graph/graph.h"
#include "graph/op.h"

/* The arenas of a parameter store; element offsets are those of VALUE_PARAM. grads, state1, state2 NULL where nothing
 * trains, sums NULL where no gradients of several batches are summed. */
typedef struct {
    float *values, *grads, *sums;
    float *state1, *state2; /* Adam: first and second moments; SGD: momentum buffer, NULL */
    size_t count;           /* elements of values */
    size_t trained_count;   /* of the others, which end with the last slice that trains */
} param_memory;

typedef struct {
    void *const *inputs;  /* by the node's inputs; NULL for NO_VALUE */
    void *const *outputs; /* likewise */
    void *scratch;        /* kernel->scratch_bytes, 64-byte aligned, shared with other nodes; NULL where 0 */
    const param_memory *params;
} kernel_io;

typedef struct kernel kernel;
struct kernel {
    mien_status (*bind)(kernel *k, const kernel_io *io); /* once, at finalise (again if the params move) */
    mien_status (*run)(kernel *k);
    void (*free)(kernel *k);
    size_t scratch_bytes;
    const char *implementation; /* "brgconv:avx512_core_bf16", "mien:avx2"; borrowed from the kernel */
    double bytes_moved;         /* of one run: operands read and written once */
};

/* Kernels in a row as one thing to run. */
typedef struct captured captured;
struct captured {
    mien_status (*run)(captured *c);
    void (*free)(captured *c);
};

/* How processes that train together add up: buffer [count] f32, in the backend's memory, becomes the sum of all
 * processes' buffers, the same bits in each. A backend is given it when it is made and calls it from the kernels of
 * all-reduce nodes (there are none yet); fn NULL: one process. */
typedef struct {
    mien_status (*fn)(void *context, float *buffer, size_t count);
    void *context;
} all_reduce;

/* Of a memory that is counted, in bytes. */
typedef struct {
    size_t total, free;
    size_t peak; /* the most that was taken at once since the backend was made */
} backend_room;

typedef struct backend backend;
struct backend {
    const char *name;                     /* "cpu" */
    const char *device;                   /* what that is, for people: "cpu", "NVIDIA H100 80GB HBM3" */
    const char *(*isa)(const backend *b); /* "avx512_bf16" */
    bool (*computes_bf16)(const backend *b);
    int (*threads)(const backend *b);
    /* Fills kernels[node id] for every node in order that is not removed; the array grows with insertions: prepare
     * allocates it in the graph's arena. On failure frees what it made. */
    mien_status (*prepare)(backend *b, graph *g, kernel ***out_kernels);
    /* Whose memory its blocks are: NULL, the caller's own; else a name for it, and backends of one memory may use each
     * other's blocks. Blocks are 64-byte aligned; an address within one is its own plus an offset. They are filled and
     * read by kernels and by these calls, which come behind runs that are on their way. */
    const void *memory;
    mien_status (*alloc)(backend *b, void **out, size_t bytes);
    void (*dealloc)(backend *b, void *block);
    mien_status (*upload)(backend *b, void *dst, const void *src, size_t bytes);
    mien_status (*download)(backend *b, void *dst, const void *src, size_t bytes);
    mien_status (*clear)(backend *b, void *dst, size_t bytes); /* to zero bytes */
    /* Optional (NULL: nobody counts). */
    mien_status (*room)(backend *b, backend_room *out);
    /* Optional, both or none (NULL: runs are over when they return, and there is nothing to do beside them). stage
     * begins to bring bytes to the backend while runs are on their way, which do not see them; src is the caller's
     * again when it returns. take puts what was staged last at dst, behind those runs and before all later ones. */
    mien_status (*stage)(backend *b, const void *src, size_t bytes);
    mien_status (*take)(backend *b, void *dst);
    /* Optional (NULL: runs are over when they return). Returns when all runs are over, with what failed in them. */
    mien_status (*wait)(backend *b);
    /* What follows is optional, both or none: NULL where all threads of a program are the device's, so that a batch is
     * always computed whole, and programs in turn. */
    /* A backend that prepares and runs for one thread, borrowed from b; several threads may run programs of it at once.
     * b itself where it is such a one. */
    backend *(*one_thread)(backend *b);
    /* body(context, part) for each part of 0..parts-1, side by side on the threads of b, in no order; returns when all
     * are done, the first failure. Bodies run programs of one_thread(b), never of b. */
    mien_status (*side_by_side)(backend *b, int parts, mien_status (*body)(void *context, int part), void *context);
    /* Optional (NULL: a program runs its kernels one after another). Makes one thing of a run of these bound kernels,
     * in their order; whatever changes from run to run lies in their memory. *out stays NULL where b rather would not.
     * It is freed before the kernels. */
    mien_status (*capture)(backend *b, captured **out, kernel *const *kernels, int count);
    void (*free)(backend *b);
};

#endif
