/* Softmax and the losses. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_losses_rules[] = {{0}};
