/* Products of matrices by cuBLASLt. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_cublas_rules[] = {{0}};
