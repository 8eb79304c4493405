/* What the faked cuDNN reads off a graph's descriptors, and computes. */
#ifndef TESTS_BACKEND_CUDA_FAKE_CUDNN_H
#define TESTS_BACKEND_CUDA_FAKE_CUDNN_H

#include "backend/cuda/cudnn_abi.h"

#include <stdbool.h>

enum { FAKE_MAX_OPERATIONS = 4, FAKE_MAX_OPERANDS = 8 };

typedef struct {
    int type;
    int64_t dim[4], stride[4]; /* n, c, h, w; of weights o, c, kh, kw */
    int64_t uid, alignment;
    bool is_virtual;
    void *at;
} fake_tensor;

typedef struct {
    int type;            /* of descriptor */
    fake_tensor x, w, y; /* of pointwise ones: w is the second operand, where has_b */
    int64_t stride[2], dilation[2], before[2], after[2];
    int mode;
    bool has_b;
} fake_operation;

typedef struct {
    fake_operation operations[FAKE_MAX_OPERATIONS];
    int count;
    void *workspace;
    size_t workspace_bytes;
} fake_program;

/* args: a fake_program whose tensors have their addresses. */
void fake_program_run(const void *args);

#endif
