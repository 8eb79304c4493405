/* Cayley's transform, both ways, as graph/cayley.c computes it: the solution of one system by Gauss and Jordan, in
 * double, by the threads of a block. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/orthogonal.h"

/* Makes the right half of [m | b], d rows of 2 d, m^-1 b. Without pivots: the symmetric part of m is I. The left half
 * is left as it comes: a column that has had its turn is not read again. */
DEVICE void solve(double *rows, int64_t d)
{
    for (int64_t c = 0; c < d; c++) {
        double *pivot = rows + c * 2 * d;
        const int64_t first = c + 1, count = 2 * d - first; /* columns that still change */
        barrier();
        for (int64_t i = first + threadIdx.x; i < 2 * d; i += blockDim.x)
            pivot[i] /= pivot[c];
        barrier();
        for (int64_t at = threadIdx.x; at < d * count; at += blockDim.x) {
            double *row = rows + at / count * 2 * d;
            if (row != pivot)
                row[first + at % count] -= row[c] * pivot[first + at % count];
        }
    }
    barrier();
}

/* Element of I + sign (w - w^T) / 2. */
DEVICE double shifted_skew(const float *w, int64_t d, int64_t r, int64_t c, double sign)
{
    return (r == c ? 1 : 0) + sign * 0.5 * ((double)w[r * d + c] - (double)w[c * d + r]);
}

TEAM_KERNEL(orthogonal, orthogonal_args)
{
    const int64_t d = a.d;
    for (int64_t group = blockIdx.x; group < a.groups; group += gridDim.x) {
        const float *w = a.w + group * d * d;
        double *rows = a.rows + group * d * 2 * d;
        for (int64_t i = threadIdx.x; i < d * d; i += blockDim.x) {
            rows[i / d * 2 * d + i % d] = shifted_skew(w, d, i / d, i % d, 1);
            rows[i / d * 2 * d + d + i % d] = shifted_skew(w, d, i / d, i % d, -1);
        }
        solve(rows, d);
        for (int64_t i = threadIdx.x; i < d * d; i += blockDim.x)
            a.out[group * d * d + i] = (float)rows[i / d * 2 * d + d + i % d];
    }
}

TEAM_KERNEL(orthogonal_dx, orthogonal_args)
{
    const int64_t d = a.d;
    for (int64_t group = blockIdx.x; group < a.groups; group += gridDim.x) {
        const float *w = a.w + group * d * d, *y = a.y + group * d * d, *dy = a.dy + group * d * d;
        double *rows = a.rows + group * d * 2 * d;
        for (int64_t i = threadIdx.x; i < d * d; i += blockDim.x) {
            const int64_t r = i / d, c = i % d;
            double sum = (double)dy[i];
            for (int64_t k = 0; k < d; k++)
                sum += (double)dy[r * d + k] * (double)y[c * d + k];
            rows[r * 2 * d + c] = shifted_skew(w, d, r, c, -1);
            rows[r * 2 * d + d + c] = -sum;
        }
        solve(rows, d);
        for (int64_t i = threadIdx.x; i < d * d; i += blockDim.x)
            a.out[group * d * d + i] =
                (float)(0.5 * (rows[i / d * 2 * d + d + i % d] - rows[i % d * 2 * d + d + i / d]));
    }
}
