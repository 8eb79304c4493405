/* Attention and the tokens around it. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_tokens_rules[] = {{0}};
