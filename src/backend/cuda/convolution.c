/* Convolutions both ways by plain kernels of ours. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_convolution_rules[] = {{0}};
