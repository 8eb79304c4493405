/* Operators whose work is too small, or too much a copy, for kernels of their own: softmax and the loss over a few
 * classes, concatenation. And dropout's arguments. */
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/classes.h"
#include "backend/cpu/kernel/dropout.h"

#include <math.h>
#include <string.h>

/* --- softmax and cross entropy ------------------------------------------------------------------------------------ */
/* y = softmax(x); returns log of the sum of e^(x - max), plus max */
static double softmax_row(float *y, const float *x, int64_t c)
{
    float max = x[0];
    for (int64_t i = 1; i < c; i++)
        max = x[i] > max ? x[i] : max;
    double sum = 0;
    for (int64_t i = 0; i < c; i++)
        sum += exp((double)x[i] - (double)max);
    for (int64_t i = 0; i < c; i++)
        y[i] = (float)(exp((double)x[i] - (double)max) / sum);
    return (double)max + log(sum);
}

static void softmax(const void *args)
{
    const classes_args *a = args;
    for (int64_t r = 0; r < a->n; r++)
        (void)softmax_row(a->y + r * a->c, a->x + r * a->c, a->c);
}

/* x is y of the forward pass; y, the gradient, may lie where dy does */
static void softmax_dx(const void *args)
{
    const classes_args *a = args;
    for (int64_t r = 0; r < a->n; r++) {
        const float *y = a->x + r * a->c, *dy = a->dy + r * a->c;
        double sum = 0;
        for (int64_t i = 0; i < a->c; i++)
            sum += (double)y[i] * (double)dy[i];
        for (int64_t i = 0; i < a->c; i++)
            a->y[r * a->c + i] = (float)((double)y[i] * ((double)dy[i] - sum));
    }
}

static void cross_entropy(const void *args)
{
    const classes_args *a = args;
    double loss = 0, total = present_weight(a), smoothing = (double)a->smoothing;
    for (int64_t r = 0; r < a->n; r++) {
        const float *x = a->x + r * a->c;
        double log_sum = softmax_row(a->y + r * a->c, x, a->c), spread = 0;
        if (!is_row_present(a, r))
            continue;
        for (int64_t i = 0; i < a->c; i++)
            spread += class_weight(a, i) * (log_sum - (double)x[i]);
        loss += (1 - smoothing) * class_weight(a, a->labels[r]) * (log_sum - (double)x[a->labels[r]]) +
                smoothing / (double)a->c * spread;
    }
    *a->loss = total > 0 ? (float)(loss / total) : 0;
}

/* x are the probabilities */
static void cross_entropy_dx(const void *args)
{
    const classes_args *a = args;
    double total = present_weight(a), all = all_weight(a);
    double smoothing = (double)a->smoothing, share = smoothing / (double)a->c;
    for (int64_t r = 0; r < a->n; r++) {
        bool is_row = is_row_present(a, r) && total > 0;
        double own = is_row ? (1 - smoothing) * class_weight(a, a->labels[r]) : 0;
        for (int64_t i = 0; i < a->c; i++) {
            double d = (double)a->x[r * a->c + i] * (own + share * all) - share * class_weight(a, i);
            if (is_row && i == a->labels[r])
                d -= own;
            a->y[r * a->c + i] = is_row ? (float)(d / total) : 0;
        }
    }
}

/* The same against probabilities: what a class's term of row `r` is multiplied with. */
static double target_share(const classes_args *a, int64_t r, int64_t class)
{
    double smoothing = (double)a->smoothing, target = (double)a->targets[r * a->c + class];
    return class_weight(a, class) * ((1 - smoothing) * target + smoothing / (double)a->c);
}

static void soft_cross_entropy(const void *args)
{
    const classes_args *a = args;
    double loss = 0;
    for (int64_t r = 0; r < a->n; r++) {
        const float *x = a->x + r * a->c;
        double log_sum = softmax_row(a->y + r * a->c, x, a->c);
        for (int64_t i = 0; i < a->c; i++)
            loss += target_share(a, r, i) * (log_sum - (double)x[i]);
    }
    *a->loss = (float)(loss / (double)a->n);
}

static void soft_cross_entropy_dx(const void *args)
{
    const classes_args *a = args;
    for (int64_t r = 0; r < a->n; r++) {
        double all = 0;
        for (int64_t i = 0; i < a->c; i++)
            all += target_share(a, r, i);
        for (int64_t i = 0; i < a->c; i++) {
            double d = (double)a->x[r * a->c + i] * all - target_share(a, r, i);
            a->y[r * a->c + i] = (float)(d / (double)a->n);
        }
    }
}

static classes_args classes_of(cpu_prepare *p, const graph_value *x)
{
    return (classes_args){.n = shape_count(&x->shape) / x->shape.dim[x->shape.rank - 1],
                          .c = x->shape.dim[x->shape.rank - 1],
                          .threads = p->b->threads};
}

/* What few classes have, or many. */
static kernel_fn *for_classes(const classes_args *args, kernel_fn *few, kernel_fn *many)
{
    return args->c < CLASSES_MANY ? few : many;
}

mien_status softmax_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(classes_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(classes_args, y)}};
    classes_args args = classes_of(p, node_input(p->g, n, 0));
    return prepare_own(p, n, for_classes(&args, softmax, p->b->own->softmax), &args, sizeof args, bindings, 2, 0);
}

mien_status softmax_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(classes_args, dy)},
                                       {FROM_INPUT, 1, offsetof(classes_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(classes_args, y)}};
    classes_args args = classes_of(p, node_input(p->g, n, 0));
    return prepare_own(p, n, for_classes(&args, softmax_dx, p->b->own->softmax_dx), &args, sizeof args, bindings, 3, 0);
}

/* Where labels or probabilities go. */
static size_t target_place(bool is_soft)
{
    return is_soft ? offsetof(classes_args, targets) : offsetof(classes_args, labels);
}

mien_status cross_entropy_prepare(cpu_prepare *p, node_id n)
{
    bool is_soft = node_input(p->g, n, 1)->type == DTYPE_F32;
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(classes_args, x)},
                                {FROM_INPUT, 1, target_place(is_soft)},
                                {FROM_INPUT, 2, offsetof(classes_args, class_weights)},
                                {FROM_INPUT, 3, offsetof(classes_args, mask)},
                                {FROM_OUTPUT, 0, offsetof(classes_args, loss)},
                                {FROM_OUTPUT, 1, offsetof(classes_args, y)},
                                {FROM_SCRATCH, 0, offsetof(classes_args, row_losses)}};
    classes_args args = classes_of(p, node_input(p->g, n, 0));
    args.smoothing = ((const cross_entropy_attr *)graph_node_at(p->g, n)->attr)->smoothing;
    if (args.c < CLASSES_MANY)
        return prepare_own(p, n, is_soft ? soft_cross_entropy : cross_entropy, &args, sizeof args, bindings, 6, 0);
    return prepare_own(p, n, p->b->own->cross_entropy, &args, sizeof args, bindings, 7,
                       (size_t)args.n * sizeof *args.row_losses);
}

mien_status cross_entropy_dx_prepare(cpu_prepare *p, node_id n)
{
    bool is_soft = node_input(p->g, n, 1)->type == DTYPE_F32;
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(classes_args, x)},
                                {FROM_INPUT, 1, target_place(is_soft)},
                                {FROM_INPUT, 2, offsetof(classes_args, class_weights)},
                                {FROM_INPUT, 3, offsetof(classes_args, mask)},
                                {FROM_OUTPUT, 0, offsetof(classes_args, y)}};
    classes_args args = classes_of(p, node_input(p->g, n, 0));
    args.smoothing = ((const cross_entropy_attr *)graph_node_at(p->g, n)->attr)->smoothing;
    kernel_fn *few = is_soft ? soft_cross_entropy_dx : cross_entropy_dx;
    return prepare_own(p, n, for_classes(&args, few, p->b->own->cross_entropy_dx), &args, sizeof args, bindings, 5, 0);
}

/* --- concat --------------------------------------------------------------------------------------------- */
enum { CONCAT_MAX = 12 };

/* Rows whose parts lie densely in `count` arrays. */
typedef struct {
    const char *src[CONCAT_MAX];
    char *dst;
    int64_t rows;
    size_t bytes[CONCAT_MAX]; /* of a part's row */
    size_t dst_pitch;
    int count, threads;
} gather_args;

static void gather(const void *args)
{
    const gather_args *a = args;
    int parts = parts_for(a->rows * (int64_t)a->dst_pitch / 4, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++) {
            char *dst = a->dst + (size_t)r * a->dst_pitch;
            for (int i = 0; i < a->count; i++) {
                memcpy(dst, a->src[i] + (size_t)r * a->bytes[i], a->bytes[i]);
                dst += a->bytes[i];
            }
        }
    }
}

static size_t row_bytes(const graph_value *v)
{
    return (size_t)v->shape.dim[v->shape.rank - 1] * dtype_bytes(v->type);
}

static int64_t row_count(const graph_value *v)
{
    return shape_count(&v->shape) / v->shape.dim[v->shape.rank - 1];
}

mien_status concat_prepare(cpu_prepare *p, node_id n)
{
    int count = graph_node_at(p->g, n)->input_count;
    if (count > CONCAT_MAX)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%d parts (wanted at most %d)", count, CONCAT_MAX);
    const graph_value *y = node_output(p->g, n, 0);
    gather_args args = {.rows = row_count(y), .dst_pitch = row_bytes(y), .threads = p->b->threads};
    binding bindings[CONCAT_MAX + 1] = {{FROM_OUTPUT, 0, offsetof(gather_args, dst)}};
    args.count = count;
    for (int i = 0; i < count; i++) {
        args.bytes[i] = row_bytes(node_input(p->g, n, i));
        bindings[i + 1] = (binding){FROM_INPUT, (size_t)i, offsetof(gather_args, src) + (size_t)i * sizeof(char *)};
    }
    return prepare_own(p, n, gather, &args, sizeof args, bindings, count + 1, 0);
}

/* --- dropout ------------------------------------------------------------------------------------------------------ */
mien_status dropout_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(dropout_args, x)},
                                       {FROM_INPUT, 1, offsetof(dropout_args, step)},
                                       {FROM_OUTPUT, 0, offsetof(dropout_args, y)}};
    const dropout_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, 0);
    int64_t count = shape_count(&x->shape), samples = attr->is_per_sample ? x->shape.dim[0] : count;
    dropout_args args = {.samples = samples,
                         .per_sample = count / samples,
                         .p = attr->p,
                         .stream = attr->stream,
                         .threads = p->b->threads,
                         .is_per_sample = attr->is_per_sample,
                         .is_bf16 = is_bf16(x)};
    return prepare_own(p, n, p->b->own->dropout, &args, sizeof args, bindings, 3, 0);
}
