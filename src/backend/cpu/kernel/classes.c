/* Softmax and cross entropy over many classes, a thread some of the rows. A row is read twice or three times, from the
 * cache after the first; what rows come to is added in their order, so that no number depends on how many threads there
 * are. */
#include "backend/cpu/kernel/classes.h"
#include "backend/cpu/kernel/vec.h"

/* Element i.. of a row of `count`; `fill` stands behind its end. */
INLINE vf load_row(const float *x, int64_t i, int64_t count, float fill)
{
    if (i + VEC_LANES <= count)
        return vec_load_f32(x + i);
    float buffer[VEC_LANES];
    for (int l = 0; l < VEC_LANES; l++)
        buffer[l] = i + l < count ? x[i + l] : fill;
    return vec_load_f32(buffer);
}

INLINE void store_row(float *y, int64_t i, int64_t count, vf v)
{
    vec_store_upto(y, i, count - i < VEC_LANES ? (int)(count - i) : VEC_LANES, v, false);
}

INLINE float row_max(const float *x, int64_t c)
{
    vf max = vec_set(-INFINITY);
    for (int64_t i = 0; i < c; i += VEC_LANES) {
        vf v = load_row(x, i, c, -INFINITY);
        max = vec_select_greater(v, max, v, max);
    }
    float most = max[0];
    for (int l = 1; l < VEC_LANES; l++)
        most = max[l] > most ? max[l] : most;
    return most;
}

enum { BLOCK = 64 * VEC_LANES }; /* sums in f32 are short: a block's goes to a double */

/* y = softmax(x); returns log of the sum of e^(x - max), plus max. What is not finite in x makes the sum so. */
static double softmax_row(float *y, const float *x, int64_t c)
{
    const float max = row_max(x, c);
    double total = 0;
    for (int64_t begin = 0; begin < c; begin += BLOCK) {
        const int64_t end = begin + BLOCK < c ? begin + BLOCK : c;
        vf sum = {0};
        for (int64_t i = begin; i < end; i += VEC_LANES) {
            vf e = vec_exp(load_row(x, i, c, -INFINITY) - max);
            sum += e;
            store_row(y, i, c, e);
        }
        total += (double)vec_sum(sum);
    }
    const float scale = (float)(1 / total);
    for (int64_t i = 0; i < c; i += VEC_LANES)
        store_row(y, i, c, load_row(y, i, c, 0) * scale);
    return (double)max + log(total);
}

/* Weights of classes i.., 0 behind the last. */
INLINE vf weights_at(const classes_args *a, int64_t i)
{
    static const float ones[VEC_LANES] = {[0 ... VEC_LANES - 1] = 1};
    return a->class_weights ? load_row(a->class_weights, i, a->c, 0) : load_row(ones, 0, a->c - i, 0);
}

/* What the term of class i.. in row r is multiplied with: weight times smoothed target, or without targets weight. */
INLINE vf share_of(const classes_args *a, int64_t r, int64_t i)
{
    if (!a->targets)
        return weights_at(a, i);
    const float spread = a->smoothing / (float)a->c;
    return weights_at(a, i) * (load_row(a->targets + r * a->c, i, a->c, 0) * (1 - a->smoothing) + spread);
}

/* sum over classes of share (log_sum - x), or of share alone */
static double row_total(const classes_args *a, int64_t r, double log_sum, bool is_share)
{
    const float *x = a->x + r * a->c, top = (float)log_sum;
    double total = 0;
    for (int64_t begin = 0; begin < a->c; begin += BLOCK) {
        const int64_t end = begin + BLOCK < a->c ? begin + BLOCK : a->c;
        vf sum = {0};
        for (int64_t i = begin; i < end; i += VEC_LANES) {
            vf share = share_of(a, r, i);
            sum += is_share ? share : share * (top - load_row(x, i, a->c, top));
        }
        total += (double)vec_sum(sum);
    }
    return total;
}

static double row_loss(const classes_args *a, int64_t r)
{
    const float *x = a->x + r * a->c;
    const double log_sum = softmax_row(a->y + r * a->c, x, a->c), smoothing = (double)a->smoothing;
    if (a->targets)
        return row_total(a, r, log_sum, false);
    if (!is_row_present(a, r))
        return 0;
    const double own = (1 - smoothing) * class_weight(a, a->labels[r]) * (log_sum - (double)x[a->labels[r]]);
    return smoothing > 0 ? own + smoothing / (double)a->c * row_total(a, r, log_sum, false) : own;
}

void KERNEL(softmax)(const void *args)
{
    const classes_args *a = args;
    int parts = parts_for(a->n * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++)
            (void)softmax_row(a->y + r * a->c, a->x + r * a->c, a->c);
    }
}

static void softmax_dx_row(const classes_args *a, int64_t r)
{
    const float *p = a->x + r * a->c, *dy = a->dy + r * a->c;
    double total = 0;
    for (int64_t begin = 0; begin < a->c; begin += BLOCK) {
        const int64_t end = begin + BLOCK < a->c ? begin + BLOCK : a->c;
        vf sum = {0};
        for (int64_t i = begin; i < end; i += VEC_LANES)
            sum += load_row(p, i, a->c, 0) * load_row(dy, i, a->c, 0);
        total += (double)vec_sum(sum);
    }
    for (int64_t i = 0; i < a->c; i += VEC_LANES)
        store_row(a->y + r * a->c, i, a->c, load_row(p, i, a->c, 0) * (load_row(dy, i, a->c, 0) - (float)total));
}

void KERNEL(softmax_dx)(const void *args)
{
    const classes_args *a = args;
    int parts = parts_for(a->n * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++)
            softmax_dx_row(a, r);
    }
}

void KERNEL(cross_entropy)(const void *args)
{
    const classes_args *a = args;
    int parts = parts_for(a->n * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++)
            a->row_losses[r] = row_loss(a, r);
    }
    double loss = 0, total = a->targets ? (double)a->n : present_weight(a);
    for (int64_t r = 0; r < a->n; r++)
        loss += a->row_losses[r];
    *a->loss = total > 0 ? (float)(loss / total) : 0;
}

/* dlogits = p scale - factor share, of which the label's class has `own` less. */
static void dx_row(const classes_args *a, int64_t r, double scale, double factor, double own)
{
    const float *p = a->x + r * a->c, by_p = (float)scale, by_share = (float)factor;
    float *y = a->y + r * a->c;
    for (int64_t i = 0; i < a->c; i += VEC_LANES) {
        vf d = load_row(p, i, a->c, 0) * by_p;
        if (by_share != 0)
            d -= share_of(a, r, i) * by_share;
        store_row(y, i, a->c, d);
    }
    if (!a->targets)
        y[a->labels[r]] -= (float)own;
}

/* all: the sum of weights, where it is wanted */
static void cross_entropy_dx_row(const classes_args *a, int64_t r, double total, double all)
{
    const double smoothing = (double)a->smoothing, share = smoothing / (double)a->c;
    if (a->targets) {
        dx_row(a, r, row_total(a, r, 0, true) / (double)a->n, 1 / (double)a->n, 0);
        return;
    }
    if (!is_row_present(a, r) || !(total > 0)) {
        memset(a->y + r * a->c, 0, (size_t)a->c * sizeof *a->y);
        return;
    }
    const double own = (1 - smoothing) * class_weight(a, a->labels[r]);
    dx_row(a, r, (own + share * all) / total, share / total, own / total);
}

void KERNEL(cross_entropy_dx)(const void *args)
{
    const classes_args *a = args;
    const double total = a->targets ? 0 : present_weight(a), all = a->targets ? 0 : all_weight(a);
    int parts = parts_for(a->n * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++)
            cross_entropy_dx_row(a, r, total, all);
    }
}
