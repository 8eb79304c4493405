/* The formulas at the head of src/graph/op/roi_embed.c, group_linear.c and orthogonal.c and nothing else, in double. */
#include "graph/reference_ops.h"

#include <math.h>

/* --- region embeddings -------------------------------------------------------------------------------------------- */

enum { TAPS = 9 };

typedef struct {
    int64_t n, h, w, regions, d;
} roi_size;

static roi_size roi_size_of(const operand *y, const operand *attention)
{
    const int64_t *dim = y->shape.dim, regions = attention->shape.dim[3];
    return (roi_size){dim[0], dim[1], dim[2], regions, dim[3] / regions};
}

/* The element of y (or dy) that product `i`, of [n, h, w, tap, regions, d], is a term of; -1 where that pixel is
 * outside the map. *scale: where its attention is. */
static int64_t roi_target(const roi_size *s, int64_t i, int64_t *scale)
{
    const int64_t wide = s->regions * s->d, c = i % wide, tap = i / wide % TAPS, pixel = i / wide / TAPS;
    const int64_t v = pixel % s->w, u = pixel / s->w % s->h, n = pixel / s->w / s->h;
    const int64_t row = u - tap / 3 + 1, column = v - tap % 3 + 1;
    *scale = pixel * s->regions + c / s->d;
    if (row < 0 || row >= s->h || column < 0 || column >= s->w)
        return -1;
    return ((n * s->h + row) * s->w + column) * wide + c;
}

static void roi_embed(const reference_call *c)
{
    const operand *p = &c->in[ROI_PRODUCTS], *a = &c->in[ROI_ATTENTION], *b = &c->in[ROI_BIAS], *y = &c->out[0];
    const roi_size s = roi_size_of(y, a);
    for (int64_t i = 0; i < y->count; i++)
        c->scratch[i] = b->data ? operand_get(b, i % (s.regions * s.d)) : 0;
    for (int64_t i = 0; i < p->count; i++) {
        int64_t scale, to = roi_target(&s, i, &scale);
        if (to >= 0)
            c->scratch[to] += (1 + operand_get(a, scale)) * operand_get(p, i);
    }
    for (int64_t i = 0; i < y->count; i++)
        operand_set(y, i, c->scratch[i]);
}

static void roi_embed_dx(const reference_call *c)
{
    const operand *dy = &c->in[ROI_DX_DY], *p = &c->in[ROI_DX_PRODUCTS], *a = &c->in[ROI_DX_ATTENTION];
    const operand *dp = &c->out[ROI_PRODUCTS], *da = &c->out[ROI_ATTENTION], *db = &c->out[ROI_BIAS];
    const roi_size s = roi_size_of(dy, a);
    for (int64_t i = 0; i < a->count; i++)
        c->scratch[i] = 0;
    for (int64_t i = 0; i < p->count; i++) {
        int64_t scale, to = roi_target(&s, i, &scale);
        const double gradient = to < 0 ? 0 : operand_get(dy, to);
        c->scratch[scale] += operand_get(p, i) * gradient;
        if (dp->data)
            operand_set(dp, i, (1 + operand_get(a, scale)) * gradient);
    }
    for (int64_t i = 0; da->data && i < a->count; i++)
        operand_set(da, i, c->scratch[i]);
    for (int64_t i = 0; db->data && i < db->count; i++) {
        double sum = 0;
        for (int64_t k = i; k < dy->count; k += db->count)
            sum += operand_get(dy, k);
        operand_set(db, i, sum);
    }
}

/* --- linear layers of groups -------------------------------------------------------------------------------------- */

/* Rows of all operands; k and o features of a group of x and of y. */
typedef struct {
    int64_t rows, groups, k, o;
} group_size;

static group_size group_size_of(const reference_call *c, const operand *x, const operand *y)
{
    const int64_t groups = ((const group_linear_attr *)c->attr)->groups;
    const int64_t wide = x->shape.dim[x->shape.rank - 1], out = y->shape.dim[y->shape.rank - 1];
    return (group_size){x->count / wide, groups, wide / groups, out / groups};
}

static void group_linear(const reference_call *c)
{
    const operand *x = &c->in[GROUP_X], *w = &c->in[GROUP_W], *b = &c->in[GROUP_B], *y = &c->out[0];
    const group_size s = group_size_of(c, x, y);
    for (int64_t i = 0; i < y->count; i++) {
        const int64_t out = i % (s.groups * s.o), row = i / (s.groups * s.o);
        double sum = b->data ? operand_get(b, out) : 0;
        for (int64_t k = 0; k < s.k; k++)
            sum += operand_get(w, out * s.k + k) * operand_get(x, (row * s.groups + out / s.o) * s.k + k);
        operand_set(y, i, sum);
    }
}

/* dy, w -> dx */
static void group_linear_dx(const reference_call *c)
{
    const operand *dy = &c->in[0], *w = &c->in[1], *dx = &c->out[0];
    const group_size s = group_size_of(c, dx, dy);
    for (int64_t i = 0; i < dx->count; i++) {
        const int64_t in = i % s.k, g = i / s.k % s.groups, row = i / s.k / s.groups;
        double sum = 0;
        for (int64_t j = 0; j < s.o; j++)
            sum += operand_get(w, (g * s.o + j) * s.k + in) * operand_get(dy, (row * s.groups + g) * s.o + j);
        operand_set(dx, i, sum);
    }
}

/* x, dy -> dw, db */
static void group_linear_dw(const reference_call *c)
{
    const operand *x = &c->in[0], *dy = &c->in[1], *dw = &c->out[DW_WEIGHT], *db = &c->out[DW_BIAS];
    const group_size s = group_size_of(c, x, dy);
    for (int64_t out = 0; out < s.groups * s.o; out++)
        for (int64_t k = -1; k < s.k; k++) { /* -1: the bias */
            double sum = 0;
            for (int64_t row = 0; row < s.rows; row++)
                sum += operand_get(dy, row * s.groups * s.o + out) *
                       (k < 0 ? 1 : operand_get(x, (row * s.groups + out / s.o) * s.k + k));
            if (k < 0 && db->data)
                operand_set(db, out, sum);
            else if (k >= 0 && dw->data)
                operand_set(dw, out * s.k + k, sum);
        }
}

/* --- orthogonal matrices ------------------------------------------------------------------------------------------ */

enum { LARGEST = 16 };

/* x = (I + sign (W - W^T) / 2)^-1 b of matrices [d, d]: Gauss with the largest
 * pivot. */
static void solve_shifted(double x[LARGEST][LARGEST], const operand *w, int64_t begin, int64_t d, double sign)
{
    double m[LARGEST][LARGEST];
    for (int64_t r = 0; r < d; r++)
        for (int64_t k = 0; k < d; k++)
            m[r][k] = (r == k) + sign * 0.5 * (operand_get(w, begin + r * d + k) - operand_get(w, begin + k * d + r));
    for (int64_t k = 0; k < d; k++) {
        int64_t best = k;
        for (int64_t r = k; r < d; r++)
            best = fabs(m[r][k]) > fabs(m[best][k]) ? r : best;
        for (int64_t i = 0; i < d; i++) {
            const double a = m[k][i], b = x[k][i];
            m[k][i] = m[best][i], m[best][i] = a;
            x[k][i] = x[best][i], x[best][i] = b;
        }
        for (int64_t r = 0; r < d; r++) {
            const double factor = m[r][k] / m[k][k];
            for (int64_t i = 0; r != k && i < d; i++) {
                m[r][i] -= factor * m[k][i];
                x[r][i] -= factor * x[k][i];
            }
        }
    }
    for (int64_t r = 0; r < d; r++)
        for (int64_t i = 0; i < d; i++)
            x[r][i] /= m[r][r];
}

static void orthogonal(const reference_call *c)
{
    const operand *w = &c->in[0];
    const int64_t d = w->shape.dim[1];
    for (int64_t begin = 0; begin < w->count; begin += d * d) {
        double x[LARGEST][LARGEST];
        for (int64_t i = 0; i < d * d; i++)
            x[i / d][i % d] =
                (i / d == i % d) - 0.5 * (operand_get(w, begin + i) - operand_get(w, begin + i % d * d + i / d));
        solve_shifted(x, w, begin, d, 1);
        for (int64_t i = 0; i < d * d; i++)
            operand_set(&c->out[0], begin + i, x[i / d][i % d]);
    }
}

static void orthogonal_dx(const reference_call *c)
{
    const operand *dy = &c->in[ORTHOGONAL_DX_DY], *w = &c->in[ORTHOGONAL_DX_W], *y = &c->in[ORTHOGONAL_DX_Y];
    const int64_t d = w->shape.dim[1];
    for (int64_t begin = 0; begin < w->count; begin += d * d) {
        double x[LARGEST][LARGEST];
        for (int64_t i = 0; i < d * d; i++) {
            double sum = operand_get(dy, begin + i);
            for (int64_t k = 0; k < d; k++)
                sum += operand_get(dy, begin + i / d * d + k) * operand_get(y, begin + i % d * d + k);
            x[i / d][i % d] = -sum;
        }
        solve_shifted(x, w, begin, d, -1);
        for (int64_t i = 0; i < d * d; i++)
            operand_set(&c->out[0], begin + i, 0.5 * (x[i / d][i % d] - x[i % d][i / d]));
    }
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

reference_fn reference_find_regions(const op_def *op)
{
    static const struct {
        const op_def *op;
        reference_fn fn;
    } table[] = {
        {&op_roi_embed_def, roi_embed},
        {&op_roi_embed_dx_def, roi_embed_dx},
        {&op_group_linear_def, group_linear},
        {&op_group_linear_dx_def, group_linear_dx},
        {&op_group_linear_dw_def, group_linear_dw},
        {&op_orthogonal_def, orthogonal},
        {&op_orthogonal_dx_def, orthogonal_dx},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].op == op)
            return table[i].fn;
    return NULL;
}
