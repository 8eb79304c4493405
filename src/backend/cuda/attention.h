/* What attention's files share. */
#ifndef BACKEND_CUDA_ATTENTION_H
#define BACKEND_CUDA_ATTENTION_H

#include "backend/cuda/cuda_int.h"
#include "backend/cuda/kernel/attention.h"

attention_size cuda_attention_size(const attention_attr *attr, const graph_value *qkv);

#endif
