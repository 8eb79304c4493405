/* Pools, global mean and the scaling of channels. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_pools_rules[] = {{0}};
