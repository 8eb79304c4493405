/* Maps summed and multiplied a channel at a time: global mean and squeeze-excite, both ways. */
#include "backend/cuda/kernel/fused_maps.h"
#include "backend/cuda/kernel/vector.h"

enum { AT_ONCE = 4 }; /* pixels a thread has in flight */

/* Which picture a block is of, and which block of it. */
typedef struct {
    int64_t picture;
    unsigned block;
} picture_block;

DEVICE picture_block picture_block_of(const column_grid *g)
{
    const unsigned blocks = (unsigned)(g->parts * g->tiles);
    picture_block b;
    b.picture = blockIdx.x / blocks;
    b.block = blockIdx.x % blocks;
    return b;
}

/* --- sums --------------------------------------------------------------------------------------------------------- */
/* `at`: of the picture's first pixel, at this thread's channels. */
DEVICE void add_pixels(const fused_map_sum_args *a, int64_t at, int64_t pixel, int64_t step, const int count,
                       eight *sum, const bool is_bf16)
{
    packed_eight x[AT_ONCE], other[AT_ONCE];
    UNROLL
    for (int r = 0; r < count; r++)
        x[r] = load_packed(a->x, at + (pixel + r * step) * a->grid.c, is_bf16);
    if (a->other) {
        UNROLL
        for (int r = 0; r < count; r++)
            other[r] = load_packed(a->other, at + (pixel + r * step) * a->grid.c, is_bf16);
    }
    UNROLL
    for (int r = 0; r < count; r++) {
        const eight v = unpack(x[r], is_bf16);
        eight by = eight_of(1);
        if (a->other)
            by = unpack(other[r], is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++)
            sum->at[k] += v.at[k] * by.at[k];
    }
}

DEVICE void map_sum(const fused_map_sum_args *a, const bool is_bf16)
{
    const picture_block b = picture_block_of(&a->grid);
    const column_share s = column_share_of(&a->grid, b.block);
    const int64_t at = b.picture * a->grid.rows * a->grid.c + s.channel, out = b.picture * a->grid.c;
    eight sum = eight_of(0);
    int64_t pixel = s.begin;
    for (; pixel + (AT_ONCE - 1) * s.step < s.end; pixel += AT_ONCE * s.step)
        add_pixels(a, at, pixel, s.step, AT_ONCE, &sum, is_bf16);
    for (; pixel < s.end; pixel += s.step)
        add_pixels(a, at, pixel, s.step, 1, &sum, is_bf16);
    column_sums(&a->grid, b.block, &sum, 1, is_bf16 ? (void *)((uint16_t *)a->y + out) : (void *)((float *)a->y + out),
                a->factor, is_bf16);
}

/* Moves the maps once. */
TEAM_KERNEL(fused_map_sum_bf16, fused_map_sum_args)
{
    map_sum(&a, true);
}
TEAM_KERNEL(fused_map_sum_f32, fused_map_sum_args)
{
    map_sum(&a, false);
}

/* --- products ----------------------------------------------------------------------------------------------------- */
DEVICE void scale_pixels(const fused_map_scale_args *a, int64_t at, int64_t pixel, int64_t step, const int count,
                         eight s, const bool is_bf16)
{
    packed_eight x[AT_ONCE];
    if (a->x) {
        UNROLL
        for (int r = 0; r < count; r++)
            x[r] = load_packed(a->x, at + (pixel + r * step) * a->grid.c, is_bf16);
    }
    UNROLL
    for (int r = 0; r < count; r++) {
        eight y = eight_of(1);
        if (a->x)
            y = unpack(x[r], is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++)
            y.at[k] *= s.at[k];
        store_eight(a->y, at + (pixel + r * step) * a->grid.c, y, is_bf16);
    }
}

DEVICE void map_scale(const fused_map_scale_args *a, const bool is_bf16)
{
    const picture_block b = picture_block_of(&a->grid);
    const column_share s = column_share_of(&a->grid, b.block);
    const int64_t at = b.picture * a->grid.rows * a->grid.c + s.channel;
    int64_t pixel = s.begin;
    if (pixel >= s.end)
        return;
    eight by = load_eight(a->s, b.picture * a->grid.c + s.channel, is_bf16);
    UNROLL
    for (int k = 0; k < 8; k++)
        by.at[k] *= a->factor;
    for (; pixel + (AT_ONCE - 1) * s.step < s.end; pixel += AT_ONCE * s.step)
        scale_pixels(a, at, pixel, s.step, AT_ONCE, by, is_bf16);
    for (; pixel < s.end; pixel += s.step)
        scale_pixels(a, at, pixel, s.step, 1, by, is_bf16);
}

/* Moves x and y once. */
KERNEL(fused_map_scale_bf16, fused_map_scale_args)
{
    map_scale(&a, true);
}
KERNEL(fused_map_scale_f32, fused_map_scale_args)
{
    map_scale(&a, false);
}
