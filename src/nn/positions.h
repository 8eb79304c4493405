/* A position embedding for another grid of patches. */
#ifndef NN_POSITIONS_H
#define NN_POSITIONS_H

#include <stdint.h>

/* dst [1 + to to, d] from src [1 + from from, d]: the class token's row as it is, the square grid interpolated
 * bicubically, corners on corners, as torchvision.models.vision_transformer.interpolate_embeddings does. They do not
 * overlap. */
void positions_resample(float *dst, int64_t to, const float *src, int64_t from, int64_t d);
/* The side of the grid behind `tokens` tokens, the class token among them; 0 where it is no square. */
int64_t positions_side(int64_t tokens);

#endif
