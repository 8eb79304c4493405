/* Products of matrices by plain kernels of ours: linear, group_linear, matmul, orthogonal. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_products_rules[] = {{0}};
