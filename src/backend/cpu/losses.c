/* Losses against numbers, over what a mask leaves: a few thousand elements at most, in double, on one thread. What is
 * absent is not read. */
#include "backend/cpu/cpu_int.h"

#include <math.h>

/* x and t [rows, columns]; loss, or dx of x's shape */
typedef struct {
    const float *x, *t, *weights;
    const uint8_t *mask; /* NULL: all present */
    float *loss, *dx;
    int64_t rows, columns;
    regression_attr regression;
} numbers_args;

static bool is_there(const numbers_args *a, int64_t i)
{
    return !a->mask || a->mask[i];
}

static int64_t present_count(const numbers_args *a)
{
    int64_t count = 0;
    for (int64_t i = 0; i < a->rows * a->columns; i++)
        count += is_there(a, i);
    return count;
}

/* --- regression --------------------------------------------------------------------------------------------------- */
static void regression(const void *args)
{
    const numbers_args *a = args;
    const double beta = (double)a->regression.beta;
    const int64_t present = present_count(a);
    double sum = 0;
    for (int64_t i = 0; i < a->rows * a->columns; i++) {
        if (!is_there(a, i))
            continue;
        double d = (double)a->x[i] - (double)a->t[i];
        if (a->regression.kind == REGRESSION_SQUARED)
            sum += d * d;
        else
            sum += fabs(d) < beta ? d * d / (2 * beta) : fabs(d) - beta / 2;
    }
    *a->loss = present ? (float)(sum / (double)present) : 0;
}

static void regression_dx(const void *args)
{
    const numbers_args *a = args;
    const double beta = (double)a->regression.beta, present = (double)present_count(a);
    for (int64_t i = 0; i < a->rows * a->columns; i++) {
        a->dx[i] = 0;
        if (!is_there(a, i))
            continue;
        double d = (double)a->x[i] - (double)a->t[i], slope = 2 * d;
        if (a->regression.kind == REGRESSION_SMOOTH_L1)
            slope = fabs(d) < beta ? d / beta : copysign(1, d);
        a->dx[i] = (float)(slope / present);
    }
}

/* --- binary cross entropy ----------------------------------------------------------------------------------------- */
/* log(1 + e^x) */
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double positive_weight(const numbers_args *a, int64_t i)
{
    return a->weights ? (double)a->weights[i % a->columns] : 1;
}

static void binary_cross_entropy(const void *args)
{
    const numbers_args *a = args;
    const int64_t present = present_count(a);
    double sum = 0;
    for (int64_t i = 0; i < a->rows * a->columns; i++) {
        if (!is_there(a, i))
            continue;
        double x = (double)a->x[i], t = (double)a->t[i];
        sum += positive_weight(a, i) * t * softplus(-x) + (1 - t) * softplus(x);
    }
    *a->loss = present ? (float)(sum / (double)present) : 0;
}

static void binary_cross_entropy_dx(const void *args)
{
    const numbers_args *a = args;
    const double present = (double)present_count(a);
    for (int64_t i = 0; i < a->rows * a->columns; i++) {
        a->dx[i] = 0;
        if (!is_there(a, i))
            continue;
        double s = 1 / (1 + exp(-(double)a->x[i])), t = (double)a->t[i];
        a->dx[i] = (float)(((1 - t) * s - positive_weight(a, i) * t * (1 - s)) / present);
    }
}

/* --- ccc ---------------------------------------------------------------------------------------------------------- */
typedef struct {
    int64_t n;
    double x_mean, t_mean, ccc, d; /* where n is 2 or more */
} agreement;

/* Column `k` over its present rows. */
static agreement agree(const numbers_args *a, int64_t k)
{
    agreement g = {0};
    double xx = 0, tt = 0, xt = 0;
    for (int64_t i = k; i < a->rows * a->columns; i += a->columns)
        if (is_there(a, i)) {
            g.n++;
            g.x_mean += (double)a->x[i];
            g.t_mean += (double)a->t[i];
        }
    if (g.n < 2)
        return g;
    g.x_mean /= (double)g.n;
    g.t_mean /= (double)g.n;
    for (int64_t i = k; i < a->rows * a->columns; i += a->columns)
        if (is_there(a, i)) {
            double x = (double)a->x[i] - g.x_mean, t = (double)a->t[i] - g.t_mean;
            xx += x * x, tt += t * t, xt += x * t;
        }
    const double apart = g.x_mean - g.t_mean, rest = (double)(g.n - 1);
    g.d = xx / rest + tt / rest + apart * apart + 1e-8;
    g.ccc = 2 * xt / rest / g.d;
    return g;
}

static void ccc(const void *args)
{
    const numbers_args *a = args;
    double sum = 0;
    for (int64_t k = 0; k < a->columns; k++) {
        const agreement g = agree(a, k);
        sum += g.n < 2 ? 0 : 1 - g.ccc;
    }
    *a->loss = (float)sum;
}

static void ccc_dx(const void *args)
{
    const numbers_args *a = args;
    for (int64_t k = 0; k < a->columns; k++) {
        const agreement g = agree(a, k);
        const double rest = (double)(g.n - 1), n = (double)g.n;
        for (int64_t i = k; i < a->rows * a->columns; i += a->columns) {
            a->dx[i] = 0;
            if (g.n < 2 || !is_there(a, i))
                continue;
            double x = (double)a->x[i] - g.x_mean, t = (double)a->t[i] - g.t_mean;
            double slope = 2 * x / rest + 2 * (g.x_mean - g.t_mean) / n;
            a->dx[i] = (float)((g.ccc * slope - 2 * t / rest) / g.d);
        }
    }
}

/* --- prepare ------------------------------------------------------------------------------------------------------ */
static mien_status numbers_prepare(cpu_prepare *p, node_id n, kernel_fn *fn, bool is_dx, const numbers_args *options)
{
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(numbers_args, x)},
                                {FROM_INPUT, 1, offsetof(numbers_args, t)},
                                {FROM_INPUT, 2, offsetof(numbers_args, mask)},
                                {FROM_OUTPUT, 0, is_dx ? offsetof(numbers_args, dx) : offsetof(numbers_args, loss)},
                                {FROM_INPUT, BINARY_WEIGHTS, offsetof(numbers_args, weights)}};
    const shape *s = &node_input(p->g, n, 0)->shape;
    numbers_args args = *options;
    args.columns = s->rank ? s->dim[s->rank - 1] : 1;
    args.rows = shape_count(s) / args.columns;
    const int has_weights = graph_node_at(p->g, n)->input_count > BINARY_WEIGHTS;
    return prepare_own(p, n, fn, &args, sizeof args, bindings, 4 + has_weights, 0);
}

static const numbers_args no_options = {0};

static numbers_args regression_options(cpu_prepare *p, node_id n)
{
    return (numbers_args){.regression = *(const regression_attr *)graph_node_at(p->g, n)->attr};
}

mien_status regression_prepare(cpu_prepare *p, node_id n)
{
    const numbers_args options = regression_options(p, n);
    return numbers_prepare(p, n, regression, false, &options);
}

mien_status regression_dx_prepare(cpu_prepare *p, node_id n)
{
    const numbers_args options = regression_options(p, n);
    return numbers_prepare(p, n, regression_dx, true, &options);
}

mien_status binary_cross_entropy_prepare(cpu_prepare *p, node_id n)
{
    return numbers_prepare(p, n, binary_cross_entropy, false, &no_options);
}

mien_status binary_cross_entropy_dx_prepare(cpu_prepare *p, node_id n)
{
    return numbers_prepare(p, n, binary_cross_entropy_dx, true, &no_options);
}

mien_status ccc_prepare(cpu_prepare *p, node_id n)
{
    return numbers_prepare(p, n, ccc, false, &no_options);
}

mien_status ccc_dx_prepare(cpu_prepare *p, node_id n)
{
    return numbers_prepare(p, n, ccc_dx, true, &no_options);
}

/* --- total -------------------------------------------------------------------------------------------------------- */
enum { TOTAL_MAX = CPU_MAX_ARGS - 1 };

typedef struct {
    const float *x[TOTAL_MAX];
    float weights[TOTAL_MAX];
    float *y;
    int count;
} total_args;

static void total(const void *args)
{
    const total_args *a = args;
    double sum = 0;
    for (int i = 0; i < a->count; i++)
        sum += (double)a->weights[i] * (double)*a->x[i];
    *a->y = (float)sum;
}

mien_status total_prepare(cpu_prepare *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    const float *weights = node->attr;
    binding bindings[TOTAL_MAX + 1] = {{FROM_OUTPUT, 0, offsetof(total_args, y)}};
    total_args args = {.count = node->input_count};
    if (node->input_count > TOTAL_MAX)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%d losses (wanted at most %d)", node->input_count, TOTAL_MAX);
    for (int i = 0; i < node->input_count; i++) {
        args.weights[i] = weights[i];
        bindings[i + 1] = (binding){FROM_INPUT, (size_t)i, offsetof(total_args, x) + (size_t)i * sizeof(float *)};
    }
    return prepare_own(p, n, total, &args, sizeof args, bindings, node->input_count + 1, 0);
}
