/* Fast kernels of our own for what is bound by memory. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_fused_rules[] = {{0}};
