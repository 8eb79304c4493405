/* Kernel r in three dimensions is what minimises bending, as r^2 log r does in two. The system is small, dense and not
 * definite: Gaussian elimination with pivots, in double precision. */
#include "synth/mesh/warp.h"

#include "base/mem.h"

#include <string.h>

static void swap_rows(double *a, double *b, int n)
{
    for (int i = 0; i < n; i++) {
        double t = a[i];
        a[i] = b[i];
        b[i] = t;
    }
}

/* Solves a [n, n + 3] in place: the last three columns become the solution. False where a is singular. */
static int solve(double *a, int n)
{
    int width = n + 3;
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            if (fabs(a[i * width + k]) > fabs(a[pivot * width + k]))
                pivot = i;
        if (!(fabs(a[pivot * width + k]) > 1e-9))
            return 0;
        if (pivot != k)
            swap_rows(&a[k * width], &a[pivot * width], width);
        for (int i = 0; i < n; i++) {
            double f = i == k ? 0 : a[i * width + k] / a[k * width + k];
            for (int j = k; j < width && f != 0; j++)
                a[i * width + j] -= f * a[k * width + j];
        }
    }
    for (int i = 0; i < n; i++)
        for (int c = 0; c < 3; c++)
            a[i * width + n + c] /= a[i * width + i];
    return 1;
}

mien_status warp_create(warp *out, vec3 *from, const vec3 *to, int count)
{
    mien_status st;
    warp w = {.count = count, .from = from};
    double *a = NULL;
    int n = count + 4, width = n + 3;
    TRY_OUT(mem_zalloc(&a, (size_t)n * (size_t)width));
    TRY_OUT(mem_alloc(&w.bend, 3 * (size_t)n));
    for (int i = 0; i < count; i++) {
        double affine[4] = {1, from[i].x, from[i].y, from[i].z};
        for (int j = 0; j < count; j++)
            a[i * width + j] = v3_length(v3_sub(from[i], from[j]));
        for (int c = 0; c < 4; c++)
            a[i * width + count + c] = a[(count + c) * width + i] = affine[c];
        a[i * width + n] = to[i].x;
        a[i * width + n + 1] = to[i].y;
        a[i * width + n + 2] = to[i].z;
    }
    if (!solve(a, n)) {
        st = mien_fail(MIEN_ERR_ARG, "warp: %d pairs of places do not fix a map", count);
        goto out;
    }
    for (int i = 0; i < n; i++)
        memcpy(&w.bend[3 * i], &a[i * width + n], 3 * sizeof *w.bend);
    *out = w;
    w.bend = NULL;
out:
    warp_free(&w);
    mem_free(a);
    return st;
}

void warp_free(warp *w)
{
    mem_free(w->bend);
}

vec3 warp_apply(const warp *w, vec3 p)
{
    const double *affine = &w->bend[3 * w->count];
    double sum[3];
    for (int c = 0; c < 3; c++)
        sum[c] = affine[c] + affine[3 + c] * p.x + affine[6 + c] * p.y + affine[9 + c] * p.z;
    for (int i = 0; i < w->count; i++) {
        double r = v3_length(v3_sub(p, w->from[i]));
        for (int c = 0; c < 3; c++)
            sum[c] += w->bend[3 * i + c] * r;
    }
    return v3((float)sum[0], (float)sum[1], (float)sum[2]);
}
