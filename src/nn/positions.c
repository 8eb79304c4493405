/* Bicubic with the corners aligned, as torchvision's interpolate_embeddings has it: four taps an axis, for each of a
 * position's d numbers alike. The class token's row comes first and is copied. */
#include "nn/positions.h"

#include <math.h>
#include <string.h>

int64_t positions_side(int64_t tokens)
{
    int64_t side = tokens > 1 ? (int64_t)sqrt((double)(tokens - 1)) : 0; /* a file may say anything */
    return side > 0 && side * side == tokens - 1 ? side : 0;
}

/* Four taps around a place on an axis of `count` points, those past its ends taken at the end. */
typedef struct {
    int64_t at[4];
    float weight[4];
} taps;

/* The cubic convolution kernel with a = -0.75, at x up to 1 and from 1 to 2. */
static float near_weight(float x)
{
    return (1.25f * x - 2.25f) * x * x + 1;
}

static float far_weight(float x)
{
    return ((-0.75f * x + 3.75f) * x - 6) * x + 3;
}

/* Point i of `to` on an axis of `from` points, the first on the first and the last on the last. */
static taps taps_at(int64_t i, int64_t to, int64_t from)
{
    const float place = to > 1 ? (float)(from - 1) / (float)(to - 1) * (float)i : 0, x = place - floorf(place);
    taps t = {.weight = {far_weight(x + 1), near_weight(x), near_weight(1 - x), far_weight(2 - x)}};
    for (int k = 0; k < 4; k++) {
        const int64_t at = (int64_t)floorf(place) + k - 1;
        t.at[k] = at < 0 ? 0 : at >= from ? from - 1 : at;
    }
    return t;
}

void positions_resample(float *dst, int64_t to, const float *src, int64_t from, int64_t d)
{
    memcpy(dst, src, (size_t)d * sizeof *dst);
    for (int64_t i = 0; i < to * to; i++) {
        const taps y = taps_at(i / to, to, from), x = taps_at(i % to, to, from);
        for (int64_t k = 0; k < d; k++) {
            float sum = 0;
            for (int r = 0; r < 4; r++) {
                float row = 0;
                for (int c = 0; c < 4; c++)
                    row += src[(1 + y.at[r] * from + x.at[c]) * d + k] * x.weight[c];
                sum += row * y.weight[r];
            }
            dst[(1 + i) * d + k] = sum;
        }
    }
}
