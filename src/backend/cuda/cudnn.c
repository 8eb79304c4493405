/* Convolutions and attention by cuDNN. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_cudnn_rules[] = {{0}};
