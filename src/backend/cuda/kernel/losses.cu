/* Softmax and losses: plain kernels, a block a row, what rows come to added by one block. Sums are in double: these
 * are a few thousand elements at most, and what a loss loses nothing behind it brings back. What is absent is not
 * read. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/losses.h"

/* --- classes ------------------------------------------------------------------------------------------------------ */
/* y = softmax(x), a row of c; returns the log of the sum of e^(x - max), plus max. */
DEVICE double softmax_row(float *y, const float *x, int64_t c)
{
    float max = -INFINITY;
    for (int64_t i = threadIdx.x; i < c; i += blockDim.x)
        max = fmaxf(max, x[i]);
    max = block_max(max);
    double sum = 0;
    for (int64_t i = threadIdx.x; i < c; i += blockDim.x)
        sum += exp((double)x[i] - (double)max);
    sum = block_sum(sum);
    for (int64_t i = threadIdx.x; i < c; i += blockDim.x)
        y[i] = (float)(exp((double)x[i] - (double)max) / sum);
    return (double)max + log(sum);
}

TEAM_KERNEL(softmax, classes_args)
{
    for (int64_t r = blockIdx.x; r < a.n; r += gridDim.x)
        (void)softmax_row(a.y + r * a.c, a.x + r * a.c, a.c);
}

TEAM_KERNEL(softmax_dx, classes_args)
{
    for (int64_t r = blockIdx.x; r < a.n; r += gridDim.x) {
        const float *y = a.x + r * a.c, *dy = a.dy + r * a.c;
        double sum = 0;
        for (int64_t i = threadIdx.x; i < a.c; i += blockDim.x)
            sum += (double)y[i] * (double)dy[i];
        sum = block_sum(sum);
        for (int64_t i = threadIdx.x; i < a.c; i += blockDim.x)
            a.y[r * a.c + i] = (float)((double)y[i] * ((double)dy[i] - sum));
    }
}

DEVICE double class_weight(const classes_args *a, int64_t i)
{
    return a->class_weights ? (double)a->class_weights[i] : 1;
}

/* With targets every row is. */
DEVICE bool is_row_present(const classes_args *a, int64_t r)
{
    return a->targets || (a->labels[r] >= 0 && a->labels[r] < a->c && (!a->mask || a->mask[r]));
}

/* What the loss of class i in present row r, -log p, is multiplied with. */
DEVICE double share_of(const classes_args *a, int64_t r, int64_t i)
{
    const double smoothing = (double)a->smoothing, even = smoothing / (double)a->c;
    if (a->targets)
        return class_weight(a, i) * ((1 - smoothing) * (double)a->targets[r * a->c + i] + even);
    return class_weight(a, i) * ((i == a->labels[r] ? 1 - smoothing : 0) + even);
}

/* What the sum of all rows' losses is divided by. */
DEVICE double present_weight(const classes_args *a)
{
    double weight = 0;
    if (a->targets)
        return (double)a->n;
    for (int64_t r = threadIdx.x; r < a->n; r += blockDim.x)
        if (is_row_present(a, r))
            weight += class_weight(a, a->labels[r]);
    return block_sum(weight);
}

TEAM_KERNEL(class_losses, classes_args)
{
    for (int64_t r = blockIdx.x; r < a.n; r += gridDim.x) {
        const float *x = a.x + r * a.c;
        const double log_sum = softmax_row(a.y + r * a.c, x, a.c);
        double loss = 0;
        if (is_row_present(&a, r)) {
            for (int64_t i = threadIdx.x; i < a.c; i += blockDim.x) {
                const double share = share_of(&a, r, i);
                loss += share != 0 ? share * (log_sum - (double)x[i]) : 0; /* another class's logit may be -inf */
            }
        }
        loss = block_sum(loss);
        if (threadIdx.x == 0)
            a.row_losses[r] = loss;
    }
}

TEAM_KERNEL(class_loss, classes_args)
{
    const double weight = present_weight(&a);
    double loss = 0;
    for (int64_t r = threadIdx.x; r < a.n; r += blockDim.x)
        loss += a.row_losses[r];
    loss = block_sum(loss);
    if (threadIdx.x == 0)
        *a.loss = weight > 0 ? (float)(loss / weight) : 0;
}

TEAM_KERNEL(cross_entropy_dx, classes_args)
{
    const double weight = present_weight(&a);
    for (int64_t r = blockIdx.x; r < a.n; r += gridDim.x) {
        const bool is_present = is_row_present(&a, r) && weight > 0;
        double all = 0;
        for (int64_t i = threadIdx.x; is_present && i < a.c; i += blockDim.x)
            all += share_of(&a, r, i);
        all = block_sum(all);
        for (int64_t i = threadIdx.x; i < a.c; i += blockDim.x)
            a.y[r * a.c + i] = is_present ? (float)(((double)a.x[r * a.c + i] * all - share_of(&a, r, i)) / weight) : 0;
    }
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */
DEVICE bool is_there(const numbers_args *a, int64_t i)
{
    return !a->mask || a->mask[i];
}

/* How many elements are present; every block counts them for itself. */
DEVICE double present_count(const numbers_args *a)
{
    double count = 0;
    if (!a->mask)
        return (double)(a->rows * a->columns);
    for (int64_t i = threadIdx.x; i < a->rows * a->columns; i += blockDim.x)
        count += a->mask[i] ? 1 : 0;
    return block_sum(count);
}

/* *loss = sum / present, 0 where nothing is */
DEVICE void store_mean(const numbers_args *a, double sum)
{
    const double present = present_count(a);
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        *a->loss = present > 0 ? (float)(sum / present) : 0;
}

TEAM_KERNEL(regression, numbers_args)
{
    const double beta = (double)a.beta;
    double sum = 0;
    for (int64_t i = threadIdx.x; i < a.rows * a.columns; i += blockDim.x) {
        if (!is_there(&a, i))
            continue;
        const double d = (double)a.x[i] - (double)a.t[i];
        if (beta == 0)
            sum += d * d;
        else
            sum += fabs(d) < beta ? d * d / (2 * beta) : fabs(d) - beta / 2;
    }
    store_mean(&a, sum);
}

TEAM_KERNEL(regression_dx, numbers_args)
{
    const double beta = (double)a.beta, present = present_count(&a);
    for (int64_t i = thread_first(); i < a.rows * a.columns; i += thread_stride()) {
        double slope = 0;
        if (is_there(&a, i)) {
            const double d = (double)a.x[i] - (double)a.t[i];
            slope = beta == 0 ? 2 * d : fabs(d) < beta ? d / beta : copysign(1.0, d);
            slope /= present;
        }
        a.dx[i] = (float)slope;
    }
}

/* log(1 + e^x) */
DEVICE double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

DEVICE double positive_weight(const numbers_args *a, int64_t i)
{
    return a->weights ? (double)a->weights[i % a->columns] : 1;
}

TEAM_KERNEL(binary_cross_entropy, numbers_args)
{
    double sum = 0;
    for (int64_t i = threadIdx.x; i < a.rows * a.columns; i += blockDim.x) {
        if (!is_there(&a, i))
            continue;
        const double x = (double)a.x[i], t = (double)a.t[i];
        sum += positive_weight(&a, i) * t * softplus(-x) + (1 - t) * softplus(x);
    }
    store_mean(&a, sum);
}

TEAM_KERNEL(binary_cross_entropy_dx, numbers_args)
{
    const double present = present_count(&a);
    for (int64_t i = thread_first(); i < a.rows * a.columns; i += thread_stride()) {
        double slope = 0;
        if (is_there(&a, i)) {
            const double s = 1 / (1 + exp(-(double)a.x[i])), t = (double)a.t[i];
            slope = ((1 - t) * s - positive_weight(&a, i) * t * (1 - s)) / present;
        }
        a.dx[i] = (float)slope;
    }
}

/* --- ccc ---------------------------------------------------------------------------------------------------------- */
typedef struct {
    double n, x_mean, t_mean;
    double ccc, d; /* where n is 2 or more */
} agreement;

/* Column `k` over its present rows, by a block. */
DEVICE agreement agree(const numbers_args *a, int64_t k)
{
    agreement g = {0, 0, 0, 0, 0};
    double xx = 0, tt = 0, xt = 0;
    const int64_t count = a->rows * a->columns, first = k + threadIdx.x * a->columns, next = blockDim.x * a->columns;
    for (int64_t i = first; i < count; i += next) {
        if (!is_there(a, i))
            continue;
        g.n++;
        g.x_mean += (double)a->x[i];
        g.t_mean += (double)a->t[i];
    }
    g.n = block_sum(g.n);
    g.x_mean = block_sum(g.x_mean) / g.n;
    g.t_mean = block_sum(g.t_mean) / g.n;
    for (int64_t i = first; i < count; i += next) {
        if (!is_there(a, i))
            continue;
        const double x = (double)a->x[i] - g.x_mean, t = (double)a->t[i] - g.t_mean;
        xx += x * x, tt += t * t, xt += x * t;
    }
    xx = block_sum(xx), tt = block_sum(tt), xt = block_sum(xt);
    const double apart = g.x_mean - g.t_mean, rest = g.n - 1;
    g.d = xx / rest + tt / rest + apart * apart + 1e-8;
    g.ccc = 2 * xt / rest / g.d;
    return g;
}

TEAM_KERNEL(ccc, numbers_args)
{
    double sum = 0;
    for (int64_t k = 0; k < a.columns; k++) {
        const agreement g = agree(&a, k);
        sum += g.n < 2 ? 0 : 1 - g.ccc;
    }
    if (threadIdx.x == 0)
        *a.loss = (float)sum;
}

TEAM_KERNEL(ccc_dx, numbers_args)
{
    for (int64_t k = blockIdx.x; k < a.columns; k += gridDim.x) {
        const agreement g = agree(&a, k);
        for (int64_t r = threadIdx.x; r < a.rows; r += blockDim.x) {
            const int64_t i = r * a.columns + k;
            double slope = 0;
            if (g.n >= 2 && is_there(&a, i)) {
                const double x = (double)a.x[i] - g.x_mean, t = (double)a.t[i] - g.t_mean, rest = g.n - 1;
                slope = 2 * x / rest + 2 * (g.x_mean - g.t_mean) / g.n;
                slope = (g.ccc * slope - 2 * t / rest) / g.d;
            }
            a.dx[i] = (float)slope;
        }
    }
}
