/* A clip's column is copied out, smoothed in float64 and written back: windows read what was there before. */
#include "task/smooth.h"

#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- clips -------------------------------------------------------------------------------------------------------- */

static int compare_folders(const char *a, const char *b)
{
    const char *a_end = strrchr(a, '/'), *b_end = strrchr(b, '/');
    size_t a_length = a_end ? (size_t)(a_end - a) : 0, b_length = b_end ? (size_t)(b_end - b) : 0;
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* Equal names keep the order of their rows. */
static int by_time(const void *a, const void *b, void *names)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    const char *x = ((const char *const *)names)[left], *y = ((const char *const *)names)[right];
    int order = compare_folders(x, y);
    if (order == 0)
        order = str_compare_natural(x, y);
    return order != 0 ? order : (left > right) - (left < right);
}

mien_status smooth_clips_create(smooth_clips *out, const char *const *names, const bool *is_read, int64_t n)
{
    smooth_clips c = {0};
    mien_status st;
    TRY_OUT(mem_alloc(&c.row, n));
    TRY_OUT(mem_alloc(&c.begin, n + 1));
    for (int64_t i = 0; i < n; i++)
        if (!is_read || is_read[i])
            c.row[c.count++] = (uint32_t)i;
    qsort_r(c.row, (size_t)c.count, sizeof *c.row, by_time, (void *)names);
    for (int64_t i = 0; i < c.count; i++)
        if (i == 0 || compare_folders(names[c.row[i - 1]], names[c.row[i]]) != 0)
            c.begin[c.clips++] = i;
    c.begin[c.clips] = c.count;
    *out = c;
    c = (smooth_clips){0};
out:
    smooth_clips_free(&c);
    return st;
}

void smooth_clips_free(smooth_clips *c)
{
    mem_free(c->row);
    mem_free(c->begin);
    *c = (smooth_clips){0};
}

/* --- filters ------------------------------------------------------------------------------------------------------ */

/* dst, src [frames]; weights [reach + 1] by distance */
typedef struct {
    double width;
    const double *weights;
    int64_t reach;
} filter;

static void run_exponential(double *dst, const double *src, int64_t frames, const filter *f)
{
    dst[0] = src[0];
    for (int64_t t = 1; t < frames; t++)
        dst[t] = (f->width * dst[t - 1] + src[t]) / (1 + f->width);
}

static void run_window(double *dst, const double *src, int64_t frames, const filter *f)
{
    for (int64_t t = 0; t < frames; t++) {
        int64_t first = t > f->reach ? t - f->reach : 0, last = t + f->reach < frames ? t + f->reach : frames - 1;
        double sum = 0, weights = 0;
        for (int64_t i = first; i <= last; i++) {
            double weight = f->weights[i < t ? t - i : i - t];
            sum += weight * src[i];
            weights += weight;
        }
        dst[t] = sum / weights;
    }
}

static double gaussian_weight(double distance, double width)
{
    return width > 0 ? exp(-0.5 * distance * distance / (width * width)) : 1;
}

static double box_weight(double distance, double width)
{
    (void)distance;
    (void)width;
    return 1;
}

static const struct {
    const char *name;
    void (*run)(double *dst, const double *src, int64_t frames, const filter *f);
    double (*weight)(double distance, double width); /* NULL: no window */
    double reach;                                    /* of the window, in widths */
} kinds[] = {
    [SMOOTH_EXPONENTIAL] = {"exponential", run_exponential, NULL, 0},
    [SMOOTH_GAUSSIAN] = {"gaussian", run_window, gaussian_weight, 4},
    [SMOOTH_BOX] = {"box", run_window, box_weight, 1},
};

const char *smooth_kind_name(smooth_kind kind)
{
    return kinds[kind].name;
}

static int64_t longest_clip(const smooth_clips *clips)
{
    int64_t longest = 0;
    for (int64_t c = 0; c < clips->clips; c++) {
        int64_t frames = clips->begin[c + 1] - clips->begin[c];
        longest = frames > longest ? frames : longest;
    }
    return longest;
}

mien_status smooth_values(float *values, int size, const smooth_clips *clips, smooth_kind kind, double width)
{
    if (!(isfinite(width) && width >= 0))
        return mien_fail(MIEN_ERR_ARG, "smoothing: width %g (wanted 0 or more)", width);
    if (kind == SMOOTH_NONE || clips->count == 0)
        return MIEN_OK;
    const int64_t longest = longest_clip(clips);
    double *src = NULL, *dst = NULL, *weights = NULL;
    filter f = {.width = width, .reach = (int64_t)fmin(kinds[kind].reach * width, (double)longest)};
    mien_status st;
    TRY_OUT(mem_alloc(&src, longest));
    TRY_OUT(mem_alloc(&dst, longest));
    TRY_OUT(mem_alloc(&weights, f.reach + 1));
    for (int64_t i = 0; kinds[kind].weight && i <= f.reach; i++)
        weights[i] = kinds[kind].weight((double)i, width);
    f.weights = weights;
    for (int64_t c = 0; c < clips->clips; c++) {
        const uint32_t *row = clips->row + clips->begin[c];
        const int64_t frames = clips->begin[c + 1] - clips->begin[c];
        for (int k = 0; k < size; k++) {
            for (int64_t t = 0; t < frames; t++)
                src[t] = (double)values[row[t] * (int64_t)size + k];
            kinds[kind].run(dst, src, frames, &f);
            for (int64_t t = 0; t < frames; t++)
                values[row[t] * (int64_t)size + k] = (float)dst[t];
        }
    }
out:
    mem_free(src);
    mem_free(dst);
    mem_free(weights);
    return st;
}
