/* Pooling over windows, a vector of channels at a time.
 *
 * Backward of max sends dy to the saved position: one image row of dx is gathered at a time in f32 from the windows
 * that reach it, so no two parts write the same element and overlapping windows add up before they are rounded. */
#include "backend/cpu/kernel/kernel.h"
#include "backend/cpu/kernel/vec.h"

/* The window of output (oy, ox) inside the image, and how many positions an average divides by. */
typedef struct {
    int64_t y0, y1, x0, x1, divisor;
} window;

static window window_at(const pool_args *a, int64_t oy, int64_t ox)
{
    const pool_attr *p = &a->pool;
    int64_t y = oy * p->stride[0] - p->pad[0], x = ox * p->stride[1] - p->pad[1];
    int64_t y_end = y + p->window[0], x_end = x + p->window[1];
    /* PyTorch counts padding, but not what ceil mode adds beyond it */
    int64_t rows = (y_end < a->h + p->pad[0] ? y_end : a->h + p->pad[0]) - y;
    int64_t columns = (x_end < a->w + p->pad[1] ? x_end : a->w + p->pad[1]) - x;
    window w = {y > 0 ? y : 0, y_end < a->h ? y_end : a->h, x > 0 ? x : 0, x_end < a->w ? x_end : a->w, 0};
    w.divisor = p->count_pad ? rows * columns : (w.y1 - w.y0) * (w.x1 - w.x0);
    return w;
}

INLINE void pool_vec(const pool_args *a, const window *w, int64_t image, int64_t at, int64_t ch, int n, int64_t oy,
                     int64_t ox, bool is_bf16)
{
    const pool_attr *p = &a->pool;
    vf best = vec_set(a->pool.is_max ? -INFINITY : 0), position = vec_set(0);
    for (int64_t y = w->y0; y < w->y1; y++)
        for (int64_t x = w->x0; x < w->x1; x++) {
            vf v = vec_load_upto(a->x, image + (y * a->w + x) * a->c + ch, n, is_bf16);
            if (!p->is_max) {
                best += v;
                continue;
            }
            int64_t number = (y - oy * p->stride[0] + p->pad[0]) * p->window[1] + x - ox * p->stride[1] + p->pad[1];
            if (y == w->y0 && x == w->x0) {
                best = v;
                position = vec_set((float)number);
                continue;
            }
            position = vec_select_greater(v, best, vec_set((float)number), position);
            best = vec_select_greater(v, best, v, best);
        }
    if (!p->is_max)
        best *= 1 / (float)w->divisor;
    vec_store_upto(a->y, at + ch, n, best, is_bf16);
    if (p->is_max && a->index) {
        vb bytes = __builtin_convertvector(__builtin_convertvector(position, vi), vb);
        memcpy(a->index + at + ch, &bytes, (size_t)n);
    }
}

INLINE void pool_rows(const pool_args *a, part mine, bool is_bf16)
{
    for (int64_t row = mine.begin; row < mine.end; row++) {
        int64_t oy = row % a->oh, image = row / a->oh * a->h * a->w * a->c;
        for (int64_t ox = 0; ox < a->ow; ox++) {
            window w = window_at(a, oy, ox);
            int64_t at = (row * a->ow + ox) * a->c, ch = 0;
            for (; ch + VEC_LANES <= a->c; ch += VEC_LANES)
                pool_vec(a, &w, image, at, ch, VEC_LANES, oy, ox, is_bf16);
            if (ch < a->c)
                pool_vec(a, &w, image, at, ch, (int)(a->c - ch), oy, ox, is_bf16);
        }
    }
}

void KERNEL(pool)(const void *args)
{
    const pool_args *a = args;
    int64_t rows = a->n * a->oh;
    int parts = parts_for(rows * a->ow * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(rows, 1, parts, index);
        if (a->is_bf16)
            pool_rows(a, mine, true);
        else
            pool_rows(a, mine, false);
    }
}

/* sum [w, c] += what output (oy, ox) sends to image row iy */
INLINE void pool_dx_window(const pool_args *a, float *restrict sum, int64_t at, int64_t iy, int64_t oy, int64_t ox,
                           bool is_bf16)
{
    const pool_attr *p = &a->pool;
    window w = window_at(a, oy, ox);
    int64_t first = (iy - oy * p->stride[0] + p->pad[0]) * p->window[1] - ox * p->stride[1] + p->pad[1];
    for (int64_t ch = 0; ch < a->c; ch += VEC_LANES) {
        int n = a->c - ch < VEC_LANES ? (int)(a->c - ch) : VEC_LANES;
        vf dy = vec_load_upto(a->y, at + ch, n, is_bf16), position = vec_set(0);
        if (p->is_max) {
            vb bytes = {0};
            memcpy(&bytes, a->index + at + ch, (size_t)n);
            position = __builtin_convertvector(__builtin_convertvector(bytes, vi), vf);
        } else {
            dy *= 1 / (float)w.divisor;
        }
        for (int64_t x = w.x0; x < w.x1; x++) {
            float *to = sum + x * a->c + ch;
            vf share = dy;
            if (p->is_max) { /* a position is a whole number: equal is what is not greater either way */
                vf number = vec_set((float)(first + x));
                share = vec_select_greater(position, number, vec_set(0), share);
                share = vec_select_greater(number, position, vec_set(0), share);
            }
            vec_store_upto(to, 0, n, vec_load_upto(to, 0, n, false) + share, false);
        }
    }
}

INLINE void pool_dx_rows(const pool_args *a, float *sum, part mine, bool is_bf16)
{
    const pool_attr *p = &a->pool;
    for (int64_t row = mine.begin; row < mine.end; row++) {
        int64_t i = row / a->h, iy = row % a->h, count = a->w * a->c;
        memset(sum, 0, (size_t)count * sizeof *sum);
        int64_t low = iy + p->pad[0] - p->window[0] + 1, high = (iy + p->pad[0]) / p->stride[0];
        int64_t oy = low > 0 ? (low + p->stride[0] - 1) / p->stride[0] : 0;
        for (; oy <= high && oy < a->oh; oy++)
            for (int64_t ox = 0; ox < a->ow; ox++)
                pool_dx_window(a, sum, ((i * a->oh + oy) * a->ow + ox) * a->c, iy, oy, ox, is_bf16);
        int64_t j = 0;
        for (; j + VEC_LANES <= count; j += VEC_LANES)
            vec_store(a->x, row * count + j, vec_load_f32(sum + j), is_bf16);
        for (; j < count; j++)
            scalar_store(a->x, row * count + j, sum[j], is_bf16);
    }
}

void KERNEL(pool_dx)(const void *args)
{
    const pool_args *a = args;
    int64_t rows = a->n * a->h;
    int parts = parts_for(rows * a->w * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(rows, 1, parts, index);
        float *sum = a->scratch + index * a->w * a->c;
        if (a->is_bf16)
            pool_dx_rows(a, sum, mine, true);
        else
            pool_dx_rows(a, sum, mine, false);
    }
}
