/* The worst element decides, and is printed with its place, what came and what was wanted: a failed comparison says
 * where to look. */
#include "graph/compare.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>

/* The comparison itself; get gives element i of got. */
static bool compare(const char *label, double (*get)(const void *, int64_t), const void *got, const void *wanted,
                    double (*get_wanted)(const void *, int64_t), int64_t count, tolerance tol)
{
    double difference = 0, norm = 0, largest = 0, worst = -1;
    int64_t worst_at = 0, nan_at = -1;
    for (int64_t i = 0; i < count; i++) {
        const double g = get(got, i), w = get_wanted(wanted, i), off = fabs(g - w);
        if (!isfinite(g) || !isfinite(w))
            nan_at = nan_at < 0 ? i : nan_at;
        difference += off * off;
        norm += w * w;
        largest = fmax(largest, fabs(w));
        if (off > worst)
            worst = off, worst_at = i;
    }
    difference = sqrt(difference), norm = sqrt(norm);
    const double allowed = tol.relative * norm + tol.absolute * sqrt((double)count);
    const double allowed_each = 10 * (tol.relative * largest + tol.absolute);
    if (nan_at < 0 && difference <= allowed && worst <= allowed_each)
        return true;
    const int64_t at = nan_at < 0 ? worst_at : nan_at;
    fprintf(stderr, "%s: off by %.3g of norm %.3g (allowed %.3g); worst element %lld of %lld: %.9g (wanted %.9g)\n",
            label, difference, norm, allowed, (long long)at, (long long)count, get(got, at), get_wanted(wanted, at));
    return false;
}

static double get_double(const void *from, int64_t i)
{
    return ((const double *)from)[i];
}

static double get_float(const void *from, int64_t i)
{
    return (double)((const float *)from)[i];
}

bool compare_doubles(const char *label, const double *got, const double *wanted, int64_t count, tolerance tol)
{
    return compare(label, get_double, got, wanted, get_double, count, tol);
}

bool compare_floats(const char *label, const float *got, const float *wanted, int64_t count, tolerance tol)
{
    return compare(label, get_float, got, wanted, get_float, count, tol);
}

void load_doubles(double *dst, const void *src, dtype type, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        dst[i] = type == DTYPE_BF16 ? (double)bf16_to_f32(((const uint16_t *)src)[i]) : get_float(src, i);
}

mien_status read_doubles(double *dst, program *p, value_id v, dtype type, int64_t count)
{
    void *numbers = NULL;
    TRY(mem_alloc_bytes(&numbers, (size_t)count * dtype_bytes(type)));
    mien_status st = program_read(p, v, numbers);
    if (st == MIEN_OK)
        load_doubles(dst, numbers, type, count);
    mem_free(numbers);
    return st;
}
