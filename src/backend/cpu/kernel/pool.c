/* Pooling over windows, a vector of channels at a time: what a vector needs stays in registers, and the loops over up
 * to three columns of a window are unrolled, so that the kernels wait for memory and not for themselves.
 *
 * Backward gathers: each vector of dx adds, over the windows that hold it, their dy (max: where the saved position is
 * its own). No two parts write the same element, and overlapping windows add up before they are rounded. */
#include "backend/cpu/kernel/pool.h"
#include "backend/cpu/kernel/vec.h"

/* A window's rows or columns inside the image, and how many positions of this axis an average counts. */
typedef struct {
    int64_t begin, end, counted;
} span;

static inline span span_of(const pool_args *a, int axis, int64_t window_index)
{
    const pool_attr *p = &a->pool;
    int64_t size = axis == 0 ? a->h : a->w, begin = window_index * p->stride[axis] - p->pad[axis];
    int64_t end = begin + p->window[axis];
    span s = {begin > 0 ? begin : 0, end < size ? end : size, 0};
    /* PyTorch counts padding, but not what ceil mode adds beyond it */
    int64_t padded_end = end < size + p->pad[axis] ? end : size + p->pad[axis];
    s.counted = p->count_pad ? padded_end - begin : s.end - s.begin;
    return s;
}

/* What a pixel's channels have in common. Forward: the window's first element and its position. Backward: the first
 * element of dy that the pixel goes to, and its position there; each further window's is a stride less. */
typedef struct {
    int64_t at, row_step, column_step;
    int rows, columns, position, row_positions, column_positions;
    float factor; /* mean */
} taps;

/* Which of the four kinds of loop bodies: constants at every call. */
typedef struct {
    bool is_bf16, is_max, has_index;
} kind;

#define FOR_COLUMNS(j, columns) _Pragma("GCC unroll 3") for (int j = 0; j < (columns); j++)

/* --- forward ------------------------------------------------------------------------------------------------------ */
INLINE void pool_vec(const pool_args *a, const taps *t, const int columns, int64_t to, int64_t ch, int n, const kind k)
{
    vf best = vec_load_upto(a->x, t->at + ch, n, k.is_bf16);
    vi position = t->position - (vi){0};
    for (int i = 0; i < t->rows; i++)
        FOR_COLUMNS(j, columns)
        {
            if (!k.is_max && i == 0 && j == 0)
                continue;
            vf v = vec_load_upto(a->x, t->at + i * t->row_step + j * t->column_step + ch, n, k.is_bf16);
            if (!k.is_max) {
                best += v;
                continue;
            }
            if (k.has_index)
                position = vec_select_greater_int(v, best, t->position + i * t->row_positions + j - (vi){0}, position);
            best = vec_select_greater(v, best, v, best);
        }
    vec_store_upto(a->y, to + ch, n, k.is_max ? best : best * t->factor, k.is_bf16);
    if (k.has_index && n == VEC_LANES) {
        vec_store_bytes(a->index + to + ch, position);
    } else if (k.has_index) {
        uint8_t bytes[VEC_LANES];
        vec_store_bytes(bytes, position);
        memcpy(a->index + to + ch, bytes, (size_t)n);
    }
}

INLINE void pool_pixel(const pool_args *a, const taps *t, const int columns, int64_t to, const kind k)
{
    int64_t ch = 0;
    for (; ch + VEC_LANES <= a->c; ch += VEC_LANES)
        pool_vec(a, t, columns, to, ch, VEC_LANES, k);
    if (ch < a->c)
        pool_vec(a, t, columns, to, ch, (int)(a->c - ch), k);
}

INLINE void pool_rows(const pool_args *a, part mine, const kind k)
{
    const pool_attr *p = &a->pool;
    for (int64_t row = mine.begin; row < mine.end; row++) {
        int64_t oy = row % a->oh, image = row / a->oh * a->h * a->w * a->c;
        span y = span_of(a, 0, oy);
        for (int64_t ox = 0; ox < a->ow; ox++) {
            span x = span_of(a, 1, ox);
            int64_t first_row = y.begin - oy * p->stride[0] + p->pad[0], to = (row * a->ow + ox) * a->c;
            int64_t first_column = x.begin - ox * p->stride[1] + p->pad[1];
            taps t = {.at = image + (y.begin * a->w + x.begin) * a->c,
                      .row_step = a->w * a->c,
                      .column_step = a->c,
                      .rows = (int)(y.end - y.begin),
                      .columns = (int)(x.end - x.begin),
                      .position = (int)(first_row * p->window[1] + first_column),
                      .row_positions = p->window[1],
                      .factor = k.is_max ? 1 : 1 / (float)(y.counted * x.counted)};
            if (t.columns == 3)
                pool_pixel(a, &t, 3, to, k);
            else if (t.columns == 2)
                pool_pixel(a, &t, 2, to, k);
            else
                pool_pixel(a, &t, t.columns, to, k);
        }
    }
}

INLINE void pool_part(const pool_args *a, part mine, bool is_bf16)
{
    if (!a->pool.is_max)
        pool_rows(a, mine, (kind){is_bf16, false, false});
    else if (a->index)
        pool_rows(a, mine, (kind){is_bf16, true, true});
    else
        pool_rows(a, mine, (kind){is_bf16, true, false});
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
            pool_part(a, mine, true);
        else
            pool_part(a, mine, false);
    }
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
/* Windows [begin, end) along an axis that hold pixel `at` of it. */
static inline part windows_of(const pool_args *a, int axis, int64_t at)
{
    const pool_attr *p = &a->pool;
    int64_t low = at + p->pad[axis] - p->window[axis] + 1, end = (at + p->pad[axis]) / p->stride[axis] + 1;
    int64_t count = axis == 0 ? a->oh : a->ow, begin = low > 0 ? (low + p->stride[axis] - 1) / p->stride[axis] : 0;
    return (part){begin, end < count ? end : count};
}

INLINE void pool_dx_vec(const pool_args *a, const taps *t, const int columns, int64_t to, int64_t ch, int n,
                        const kind k)
{
    vf sum = vec_set(0);
    for (int i = 0; i < t->rows; i++)
        FOR_COLUMNS(j, columns)
        {
            int64_t from = t->at + i * t->row_step + j * t->column_step + ch;
            vf dy = vec_load_upto(a->y, from, n, k.is_bf16);
            if (k.is_max) {
                uint8_t rest[VEC_LANES] = {0};
                if (n < VEC_LANES)
                    memcpy(rest, a->index + from, (size_t)n);
                int position = t->position - i * t->row_positions - j * t->column_positions;
                dy = vec_where_byte(dy, n < VEC_LANES ? rest : a->index + from, position);
            }
            sum += dy;
        }
    vec_store_upto(a->x, to + ch, n, k.is_max ? sum : sum * t->factor, k.is_bf16);
}

INLINE void pool_dx_pixel(const pool_args *a, const taps *t, const int columns, int64_t to, const kind k)
{
    int64_t ch = 0;
    for (; ch + VEC_LANES <= a->c; ch += VEC_LANES)
        pool_dx_vec(a, t, columns, to, ch, VEC_LANES, k);
    if (ch < a->c)
        pool_dx_vec(a, t, columns, to, ch, (int)(a->c - ch), k);
}

/* Windows of one axis count alike, but for those that reach beyond the image: does `windows` have one of those? */
static bool counts_differ(const pool_args *a, int axis, part windows)
{
    for (int64_t o = windows.begin + 1; o < windows.end; o++)
        if (span_of(a, axis, o).counted != span_of(a, axis, windows.begin).counted)
            return true;
    return false;
}

/* dx of one pixel where its windows average over different counts */
INLINE void pool_dx_uneven(const pool_args *a, int64_t image, part y, part x, int64_t to, bool is_bf16)
{
    for (int64_t ch = 0; ch < a->c; ch += VEC_LANES) {
        int n = a->c - ch < VEC_LANES ? (int)(a->c - ch) : VEC_LANES;
        vf sum = vec_set(0);
        for (int64_t oy = y.begin; oy < y.end; oy++)
            for (int64_t ox = x.begin; ox < x.end; ox++) {
                float factor = 1 / (float)(span_of(a, 0, oy).counted * span_of(a, 1, ox).counted);
                sum += vec_load_upto(a->y, image + (oy * a->ow + ox) * a->c + ch, n, is_bf16) * factor;
            }
        vec_store_upto(a->x, to + ch, n, sum, is_bf16);
    }
}

INLINE void pool_dx_rows(const pool_args *a, part mine, const kind k)
{
    const pool_attr *p = &a->pool;
    for (int64_t row = mine.begin; row < mine.end; row++) {
        int64_t iy = row % a->h, image = row / a->h * a->oh * a->ow * a->c;
        part y = windows_of(a, 0, iy);
        bool is_row_uneven = !k.is_max && counts_differ(a, 0, y);
        for (int64_t ix = 0; ix < a->w; ix++) {
            part x = windows_of(a, 1, ix);
            int64_t to = (row * a->w + ix) * a->c;
            if (!k.is_max && (is_row_uneven || counts_differ(a, 1, x))) {
                pool_dx_uneven(a, image, y, x, to, k.is_bf16);
                continue;
            }
            int64_t own_row = iy - y.begin * p->stride[0] + p->pad[0];
            int64_t own_column = ix - x.begin * p->stride[1] + p->pad[1];
            bool is_held = y.begin < y.end && x.begin < x.end; /* stride above the window: some pixels are in none */
            taps t = {.at = image + (y.begin * a->ow + x.begin) * a->c,
                      .row_step = a->ow * a->c,
                      .column_step = a->c,
                      .rows = is_held ? (int)(y.end - y.begin) : 0,
                      .columns = is_held ? (int)(x.end - x.begin) : 0,
                      .position = (int)(own_row * p->window[1] + own_column),
                      .row_positions = p->stride[0] * p->window[1],
                      .column_positions = p->stride[1]};
            if (!k.is_max && is_held)
                t.factor = 1 / (float)(span_of(a, 0, y.begin).counted * span_of(a, 1, x.begin).counted);
            if (t.columns == 3)
                pool_dx_pixel(a, &t, 3, to, k);
            else if (t.columns == 2)
                pool_dx_pixel(a, &t, 2, to, k);
            else
                pool_dx_pixel(a, &t, t.columns, to, k);
        }
    }
}

INLINE void pool_dx_part(const pool_args *a, part mine, bool is_bf16)
{
    if (a->pool.is_max)
        pool_dx_rows(a, mine, (kind){is_bf16, true, true});
    else
        pool_dx_rows(a, mine, (kind){is_bf16, false, false});
}

void KERNEL(pool_dx)(const void *args)
{
    const pool_args *a = args;
    int64_t rows = a->n * a->h;
    int parts = parts_for(rows * a->w * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(rows, 1, parts, index);
        if (a->is_bf16)
            pool_dx_part(a, mine, true);
        else
            pool_dx_part(a, mine, false);
    }
}
