/* Small products (heads, squeeze-excite): few rows, so packing weights for a library's product would cost more than the
 * product itself. x and y are widened to f32 once. Whichever of k and o is longer is the one that vectors run along;
 * for that the weights are taken as they lie, [o, k], or transposed first. */
#include "backend/cpu/kernel/linear.h"
#include "backend/cpu/kernel/rows.h"

enum { ROWS = 4, OUTS = 4, VECTORS = 2 };

/* --- two forms of a product, both with rows [rows, ..] f32 -------------------------------------------------------- */
/* dst[r, j] = <a row r, b row j> for `rows` x `outs`, constants; rows of length k, dst of `pitch` */
INLINE void dots_block(float *dst, int64_t pitch, const float *a, const float *b, int64_t k, const int rows,
                       const int outs)
{
    vf acc[ROWS][OUTS] = {{{0}}};
    int64_t i = 0;
    for (; i + VEC_LANES <= k; i += VEC_LANES)
#pragma GCC unroll 4
        for (int j = 0; j < outs; j++) {
            vf bv = vec_load_f32(b + j * k + i);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                acc[r][j] += bv * vec_load_f32(a + r * k + i);
        }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int j = 0; j < outs; j++) {
            float total = vec_sum(acc[r][j]);
            for (int64_t t = i; t < k; t++)
                total += a[r * k + t] * b[j * k + t];
            dst[r * pitch + j] = total;
        }
}

/* dst [rows, outs] = a [rows, k] b^T, b [outs, k]; outputs [j_begin, j_end) of each row */
static void dots(float *dst, const float *a, const float *b, int64_t rows, int64_t outs, int64_t k, part mine)
{
    for (int64_t j = mine.begin; j < mine.end;) {
        bool is_block = j + OUTS <= mine.end;
        for (int64_t r = 0; r < rows;) {
            float *to = dst + r * outs + j;
            bool is_rows = r + ROWS <= rows;
            if (is_block && is_rows)
                dots_block(to, outs, a + r * k, b + j * k, k, ROWS, OUTS);
            else if (is_block)
                dots_block(to, outs, a + r * k, b + j * k, k, 1, OUTS);
            else if (is_rows)
                dots_block(to, outs, a + r * k, b + j * k, k, ROWS, 1);
            else
                dots_block(to, outs, a + r * k, b + j * k, k, 1, 1);
            r += is_rows ? ROWS : 1;
        }
        j += is_block ? OUTS : 1;
    }
}

/* A factor matrix: element (row, term) at row * by_row + term * by_term. */
typedef struct {
    const float *at;
    int64_t by_row, by_term;
} factor_view;

/* `rows` rows of dst from column i, `vectors` vectors each (the last one of n lanes), constants but n */
INLINE void combine_block(float *dst, int64_t i, int n, factor_view f, const float *b, int64_t columns, int64_t terms,
                          const int rows, const int vectors)
{
    vf acc[ROWS][VECTORS] = {{{0}}};
    for (int64_t t = 0; t < terms; t++) {
        vf bv[VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            bv[v] = vec_load_upto(b + t * columns + i + v * VEC_LANES, 0, v == vectors - 1 ? n : VEC_LANES, false);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] += bv[v] * f.at[r * f.by_row + t * f.by_term];
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            vec_store_upto(dst + r * columns + i + v * VEC_LANES, 0, v == vectors - 1 ? n : VEC_LANES, acc[r][v],
                           false);
}

INLINE void combine_rows(float *dst, factor_view f, const float *b, int64_t columns, int64_t terms, const int rows)
{
    int64_t i = 0;
    for (; i + VECTORS * VEC_LANES <= columns; i += VECTORS * VEC_LANES)
        combine_block(dst, i, VEC_LANES, f, b, columns, terms, rows, VECTORS);
    for (; i + VEC_LANES <= columns; i += VEC_LANES)
        combine_block(dst, i, VEC_LANES, f, b, columns, terms, rows, 1);
    if (i < columns)
        combine_block(dst, i, (int)(columns - i), f, b, columns, terms, rows, 1);
}

/* dst [.., columns], rows [mine) of it = sum over terms of f(row, term) b[term, :] */
static void combine(float *dst, factor_view f, const float *b, int64_t columns, int64_t terms, part mine)
{
    for (int64_t r = mine.begin; r < mine.end;) {
        factor_view here = {f.at + r * f.by_row, f.by_row, f.by_term};
        bool is_rows = r + ROWS <= mine.end;
        if (is_rows)
            combine_rows(dst + r * columns, here, b, columns, terms, ROWS);
        else
            combine_rows(dst + r * columns, here, b, columns, terms, 1);
        r += is_rows ? ROWS : 1;
    }
}

/* --- the operators ------------------------------------------------------------------------------------------------ */
/* Scratch: x [rows, k], y [rows, o], a transposed weight or gradient [k, o]. */
typedef struct {
    float *x, *y, *w;
    bool is_wide; /* o > k: vectors run along o */
    int parts;
} room;

static room room_make(const linear_args *a)
{
    room m = {.x = a->scratch, .is_wide = a->o > a->k};
    m.y = m.x + a->rows * a->k;
    m.w = m.y + a->rows * a->o;
    m.parts = parts_for(a->rows * a->k * a->o / 8, a->threads); /* some eight multiply-adds an element of work */
    return m;
}

void KERNEL(linear)(const void *args)
{
    const linear_args *a = args;
    room m = room_make(a);
    rows_widen(m.x, a->x, 0, a->rows * a->k, a->x_is_bf16);
    if (m.is_wide && !a->is_transposed)
        rows_transpose(m.w, a->w, a->o, a->k);
    const float *wide = a->is_transposed ? a->w : m.w;
#pragma omp parallel for num_threads(m.parts) schedule(static)
    for (int index = 0; index < m.parts; index++) {
        if (m.is_wide)
            combine(m.y, (factor_view){m.x, a->k, 1}, wide, a->o, a->k, part_of(a->rows, ROWS, m.parts, index));
        else
            dots(m.y, m.x, a->w, a->rows, a->o, a->k, part_of(a->o, OUTS, m.parts, index));
    }
    for (int64_t r = 0; a->bias && r < a->rows; r++)
        for (int64_t o = 0; o < a->o; o++)
            m.y[r * a->o + o] += a->bias[o];
    rows_narrow(a->y, 0, m.y, a->rows * a->o, a->y_is_bf16);
}

/* dx [rows, k] = dy [rows, o] w [o, k] */
void KERNEL(linear_dx)(const void *args)
{
    const linear_args *a = args;
    room m = room_make(a);
    rows_widen(m.y, a->y, 0, a->rows * a->o, a->y_is_bf16);
    if (m.is_wide)
        rows_transpose(m.w, a->w, a->o, a->k);
#pragma omp parallel for num_threads(m.parts) schedule(static)
    for (int index = 0; index < m.parts; index++) {
        if (m.is_wide)
            dots(m.x, m.y, m.w, a->rows, a->k, a->o, part_of(a->k, OUTS, m.parts, index));
        else
            combine(m.x, (factor_view){m.y, a->o, 1}, a->w, a->k, a->o, part_of(a->rows, ROWS, m.parts, index));
    }
    rows_narrow(a->x, 0, m.x, a->rows * a->k, a->x_is_bf16);
}

/* dw [o, k] = dy^T x; dbias [o] = sum over rows of dy */
void KERNEL(linear_dw)(const void *args)
{
    const linear_args *a = args;
    room m = room_make(a);
    rows_widen(m.x, a->x, 0, a->rows * a->k, a->x_is_bf16);
    rows_widen(m.y, a->y, 0, a->rows * a->o, a->y_is_bf16);
#pragma omp parallel for num_threads(m.parts) schedule(static)
    for (int index = 0; index < m.parts; index++) {
        if (!a->dw)
            continue;
        if (m.is_wide)
            combine(m.w, (factor_view){m.x, 1, a->k}, m.y, a->o, a->rows, part_of(a->k, ROWS, m.parts, index));
        else
            combine(a->dw, (factor_view){m.y, 1, a->o}, m.x, a->k, a->rows, part_of(a->o, ROWS, m.parts, index));
    }
    if (a->dw && m.is_wide)
        rows_transpose(a->dw, m.w, a->k, a->o);
    for (int64_t o = 0; a->dbias && o < a->o; o++) {
        double sum = 0;
        for (int64_t r = 0; r < a->rows; r++)
            sum += (double)m.y[r * a->o + o];
        a->dbias[o] = (float)sum;
    }
}
