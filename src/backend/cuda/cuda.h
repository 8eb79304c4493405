/* The CUDA backend: cuDNN's and cuBLASLt's kernels where they are there and fast, our own where they have none. */
#ifndef BACKEND_CUDA_CUDA_H
#define BACKEND_CUDA_CUDA_H

#include "graph/backend.h"

typedef struct {
    int index;              /* of the device, as CUDA counts them */
    bool is_plain;          /* every operator by its plain kernel: what the fast ones are compared with */
    bool is_loose;          /* kernels whose bits differ from run to run are allowed where they are faster */
    bool is_tf32;           /* products of f32 may be computed in TF32 */
    size_t attention_bytes; /* at most so much lies between attention's products, or one picture's; 0: 192 MiB */
} cuda_options;

bool backend_cuda_is_built(void);
/* A backend for any number of graphs, used by any thread, one at a time; free it (backend->free) after their programs.
 * options may be NULL. Errors, each naming "device": MIEN_ERR_UNSUPPORTED in a build without CUDA, without a driver,
 * with one that is too old, without a device, or without the one of that index. */
MIEN_MUST_USE mien_status backend_cuda_create(backend **out, const cuda_options *options);

#endif
