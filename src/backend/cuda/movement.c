/* Elements moved, repeated, cast and kept: concat, slice, reshape, transpose, repeat, cast, constant, dropout,
 * normalise. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_movement_rules[] = {{0}};
