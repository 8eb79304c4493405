/* Gradients summed, and parameters moved: contribute, accumulate, total, optimizer. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_update_rules[] = {{0}};
