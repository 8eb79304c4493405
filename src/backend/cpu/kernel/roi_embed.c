/* The taps of region embeddings shifted and added, and backward (graph/op/roi_embed.c has the formulas).
 *
 * Both read every product once, which is what they cost: a row of pixels of y is written whole, taps that lie outside
 * the map are left out where a pixel begins, and the nine products of a vector of channels stay in registers. */
#include "backend/cpu/kernel/roi_embed.h"
#include "backend/cpu/kernel/vec.h"

enum { TAPS = 9 };

/* For one pixel, the taps whose other end lies inside the map: which they are, and that pixel's number. */
typedef struct {
    int count;
    int tap[TAPS];
    int64_t pixel[TAPS];
} neighbours;

/* sign 1: the pixels that y at (row, column) takes its taps from; -1: those of y that the taps there go to. */
static neighbours neighbours_of(const roi_embed_args *a, int64_t row, int64_t column, int sign)
{
    neighbours around = {0};
    const int64_t y = row % a->h;
    for (int tap = 0; tap < TAPS; tap++) {
        int64_t down = sign * (tap / 3 - 1), right = sign * (tap % 3 - 1);
        if (y + down < 0 || y + down >= a->h || column + right < 0 || column + right >= a->w)
            continue;
        around.tap[around.count] = tap;
        around.pixel[around.count++] = (row + down) * a->w + column + right;
    }
    return around;
}

/* One pixel of y, of `count` taps. */
INLINE void embed_pixel(const roi_embed_args *a, const neighbours *around, int64_t pixel, const int count, bool is_bf16)
{
    const int64_t wide = a->regions * a->d;
    for (int64_t r = 0; r < a->regions; r++) {
        float scale[TAPS];
        for (int k = 0; k < count; k++)
            scale[k] = 1 + scalar_load(a->attention, around->pixel[k] * a->regions + r, is_bf16);
        for (int64_t ch = r * a->d; ch < (r + 1) * a->d; ch += VEC_LANES) {
            const int64_t left = (r + 1) * a->d - ch;
            const int n = left < VEC_LANES ? (int)left : VEC_LANES;
            vf sum = a->bias ? vec_load_upto(a->bias, ch, n, false) : vec_set(0);
            for (int k = 0; k < count; k++) {
                int64_t from = (around->pixel[k] * TAPS + around->tap[k]) * wide + ch;
                sum += vec_load_upto(a->products, from, n, is_bf16) * scale[k];
            }
            vec_store_upto(a->y, pixel * wide + ch, n, sum, is_bf16);
        }
    }
}

INLINE void embed_rows(const roi_embed_args *a, part mine, bool is_bf16)
{
    for (int64_t row = mine.begin; row < mine.end; row++)
        for (int64_t column = 0; column < a->w; column++) {
            neighbours around = neighbours_of(a, row, column, 1);
            if (around.count == TAPS)
                embed_pixel(a, &around, row * a->w + column, TAPS, is_bf16);
            else
                embed_pixel(a, &around, row * a->w + column, around.count, is_bf16);
        }
}

/* Parts, of whole rows of pixels. */
static int parts_of_rows(const roi_embed_args *a)
{
    return parts_for(a->n * a->h * a->w * TAPS * a->regions * a->d, a->threads);
}

void KERNEL(roi_embed)(const void *args)
{
    const roi_embed_args *a = args;
    const int parts = parts_of_rows(a);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n * a->h, 1, parts, index);
        if (a->is_bf16)
            embed_rows(a, mine, true);
        else
            embed_rows(a, mine, false);
    }
}

/* dP and da of one pixel. The products of a tap are read before dP takes their place. */
INLINE void spread_pixel(const roi_embed_args *a, const neighbours *around, int64_t pixel, bool is_bf16)
{
    const int64_t wide = a->regions * a->d;
    int64_t to[TAPS]; /* by tap: its pixel of dy, or -1 */
    for (int tap = 0; tap < TAPS; tap++)
        to[tap] = -1;
    for (int k = 0; k < around->count; k++)
        to[around->tap[k]] = around->pixel[k];
    for (int64_t r = 0; r < a->regions; r++) {
        const float scale = 1 + scalar_load(a->attention, pixel * a->regions + r, is_bf16);
        vf dattention = vec_set(0);
        for (int64_t ch = r * a->d; ch < (r + 1) * a->d; ch += VEC_LANES) {
            const int64_t left = (r + 1) * a->d - ch;
            const int n = left < VEC_LANES ? (int)left : VEC_LANES;
            for (int tap = 0; tap < TAPS; tap++) {
                const int64_t at = (pixel * TAPS + tap) * wide + ch;
                vf dy = to[tap] < 0 ? vec_set(0) : vec_load_upto(a->y, to[tap] * wide + ch, n, is_bf16);
                dattention += dy * vec_load_upto(a->products, at, n, is_bf16);
                if (a->dproducts)
                    vec_store_upto(a->dproducts, at, n, dy * scale, is_bf16);
            }
        }
        if (a->dattention)
            scalar_store(a->dattention, pixel * a->regions + r, vec_sum(dattention), is_bf16);
    }
}

INLINE void spread_rows(const roi_embed_args *a, part mine, bool is_bf16)
{
    for (int64_t row = mine.begin; row < mine.end; row++)
        for (int64_t column = 0; column < a->w; column++) {
            neighbours around = neighbours_of(a, row, column, -1);
            spread_pixel(a, &around, row * a->w + column, is_bf16);
        }
}

void KERNEL(roi_embed_dx)(const void *args)
{
    const roi_embed_args *a = args;
    const int parts = parts_of_rows(a);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n * a->h, 1, parts, index);
        if (a->is_bf16)
            spread_rows(a, mine, true);
        else
            spread_rows(a, mine, false);
    }
}
