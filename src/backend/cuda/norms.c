/* Batch norm and layer norm. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_norms_rules[] = {{0}};
