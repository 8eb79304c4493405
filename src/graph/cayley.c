/* Both directions are the solution of one system, of I plus or minus the skew part, by Gauss and Jordan. */
#include "graph/cayley.h"

/* Makes [m | b], d rows of 2 d, into [I | m^-1 b]. Without pivots: the symmetric part of m is I. */
static void solve(double *rows, int64_t d)
{
    for (int64_t c = 0; c < d; c++) {
        double *pivot = rows + c * 2 * d;
        const double inverse = 1 / pivot[c];
        for (int64_t i = c; i < 2 * d; i++)
            pivot[i] *= inverse;
        for (int64_t r = 0; r < d; r++) {
            double *row = rows + r * 2 * d;
            const double factor = row[c];
            for (int64_t i = c; r != c && i < 2 * d; i++)
                row[i] -= factor * pivot[i];
        }
    }
}

/* Element of I + sign (w - w^T) / 2. */
static double shifted_skew(const float *w, int64_t d, int64_t r, int64_t c, double sign)
{
    return (r == c ? 1 : 0) + sign * 0.5 * ((double)w[r * d + c] - (double)w[c * d + r]);
}

void cayley(float *y, const float *w, double *scratch, int64_t d)
{
    for (int64_t i = 0; i < d * d; i++) {
        double *row = scratch + i / d * 2 * d;
        row[i % d] = shifted_skew(w, d, i / d, i % d, 1);
        row[d + i % d] = shifted_skew(w, d, i / d, i % d, -1);
    }
    solve(scratch, d);
    for (int64_t i = 0; i < d * d; i++)
        y[i] = (float)scratch[i / d * 2 * d + d + i % d];
}

void cayley_dx(float *dw, const float *w, const float *y, const float *dy, double *scratch, int64_t d)
{
    for (int64_t r = 0; r < d; r++)
        for (int64_t c = 0; c < d; c++) {
            double sum = (double)dy[r * d + c];
            for (int64_t i = 0; i < d; i++)
                sum += (double)dy[r * d + i] * (double)y[c * d + i];
            scratch[r * 2 * d + c] = shifted_skew(w, d, r, c, -1);
            scratch[r * 2 * d + d + c] = -sum;
        }
    solve(scratch, d);
    for (int64_t r = 0; r < d; r++)
        for (int64_t c = 0; c < d; c++)
            dw[r * d + c] = (float)(0.5 * (scratch[r * 2 * d + d + c] - scratch[c * 2 * d + d + r]));
}
