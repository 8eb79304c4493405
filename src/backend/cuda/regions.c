/* The shifted sums of SMM-EmotionNet's regions. */
#include "backend/cuda/cuda_int.h"

const cuda_rule cuda_regions_rules[] = {{0}};
