/* The faked cuDNN's arithmetic, f64: each element is read and written where the strides say; between, a convolution has
 * its operands side by side, so that loops over channels are quick. */
#include "backend/cuda/fake_cudnn.h"
#include "backend/cuda/fakes.h"

#include <stdlib.h>
#include <string.h>

/* Virtual tensors while a program runs, f64, in their own strides. */
typedef struct {
    int64_t uid;
    double *values;
} passing;
typedef struct {
    passing items[FAKE_MAX_OPERATIONS];
    int count;
} passings;

static int64_t count_of(const fake_tensor *t)
{
    return t->dim[0] * t->dim[1] * t->dim[2] * t->dim[3];
}

static double *values_of(passings *all, const fake_tensor *t)
{
    for (int i = 0; i < all->count; i++)
        if (all->items[i].uid == t->uid)
            return all->items[i].values;
    double *values = calloc((size_t)count_of(t), sizeof *values);
    if (!values || all->count == FAKE_MAX_OPERATIONS)
        fake_die("no memory for a virtual tensor");
    all->items[all->count++] = (passing){t->uid, values};
    return values;
}

static int64_t position(const fake_tensor *t, const int64_t at[4])
{
    return at[0] * t->stride[0] + at[1] * t->stride[1] + at[2] * t->stride[2] + at[3] * t->stride[3];
}

static double load(passings *all, const fake_tensor *t, const int64_t at[4])
{
    if (t->is_virtual)
        return values_of(all, t)[position(t, at)];
    return fake_load(t->at, position(t, at), t->type == DNN_DATA_BFLOAT16);
}

static void store(passings *all, const fake_tensor *t, const int64_t at[4], double v)
{
    if (t->is_virtual)
        values_of(all, t)[position(t, at)] = v;
    else
        fake_store(t->at, position(t, at), v, t->type == DNN_DATA_BFLOAT16);
}

/* Goes over all positions of t: `at` becomes the next one, false behind the last. */
static bool next(const fake_tensor *t, int64_t at[4])
{
    for (int i = 3; i >= 0; i--) {
        if (++at[i] < t->dim[i])
            return true;
        at[i] = 0;
    }
    return false;
}

/* All of a tensor, f64, its dimensions in this order: [d0, d1, d2, d3] of dim[order[..]]. */
static double *dense(passings *all, const fake_tensor *t, const int order[4], bool is_loaded)
{
    double *values = calloc((size_t)count_of(t), sizeof *values), *to = values;
    int64_t i[4];
    if (!values)
        fake_die("no memory for a convolution");
    for (i[0] = 0; is_loaded && i[0] < t->dim[order[0]]; i[0]++)
        for (i[1] = 0; i[1] < t->dim[order[1]]; i[1]++)
            for (i[2] = 0; i[2] < t->dim[order[2]]; i[2]++)
                for (i[3] = 0; i[3] < t->dim[order[3]]; i[3]++) {
                    int64_t at[4];
                    for (int k = 0; k < 4; k++)
                        at[order[k]] = i[k];
                    *to++ = load(all, t, at);
                }
    return values;
}

static void keep(passings *all, const fake_tensor *t, const int order[4], const double *values)
{
    int64_t i[4];
    for (i[0] = 0; i[0] < t->dim[order[0]]; i[0]++)
        for (i[1] = 0; i[1] < t->dim[order[1]]; i[1]++)
            for (i[2] = 0; i[2] < t->dim[order[2]]; i[2]++)
                for (i[3] = 0; i[3] < t->dim[order[3]]; i[3]++) {
                    int64_t at[4];
                    for (int k = 0; k < 4; k++)
                        at[order[k]] = i[k];
                    store(all, t, at, *values++);
                }
}

/* What a tap adds: x [c], w [c, k], y [k] of a pixel. */
static void tap(double *x, double *w, double *y, int64_t c, int64_t k, int type)
{
    for (int64_t i = 0; i < c; i++, w += k)
        if (type == DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
            for (int64_t j = 0; j < k; j++)
                y[j] += x[i] * w[j];
        else if (type == DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR)
            for (int64_t j = 0; j < k; j++)
                w[j] += x[i] * y[j];
        else {
            double sum = 0;
            for (int64_t j = 0; j < k; j++)
                sum += w[j] * y[j];
            x[i] += sum;
        }
}

/* x [n, h, w, c], w [kh, kw, c, k], y [n, oh, ow, k] */
static void convolution(passings *all, const fake_operation *o)
{
    static const int pixels[] = {0, 2, 3, 1}, taps[] = {2, 3, 1, 0};
    const bool makes_y = o->type == DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
               makes_x = o->type == DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
    const int64_t c = o->w.dim[1], k = o->w.dim[0], *xd = o->x.dim, *yd = o->y.dim;
    double *x = dense(all, &o->x, pixels, !makes_x), *w = dense(all, &o->w, taps, makes_x || makes_y),
           *y = dense(all, &o->y, pixels, !makes_y);
    for (int64_t pixel = 0; pixel < yd[0] * yd[2] * yd[3]; pixel++)
        for (int64_t t = 0; t < o->w.dim[2] * o->w.dim[3]; t++) {
            const int64_t row = pixel / yd[3] % yd[2] * o->stride[0] - o->before[0] + t / o->w.dim[3] * o->dilation[0],
                          column = pixel % yd[3] * o->stride[1] - o->before[1] + t % o->w.dim[3] * o->dilation[1];
            const int64_t from = (pixel / (yd[2] * yd[3]) * xd[2] + row) * xd[3] + column;
            if (row >= 0 && row < xd[2] && column >= 0 && column < xd[3])
                tap(x + from * c, w + t * c * k, y + pixel * k, c, k, o->type);
        }
    if (makes_y)
        keep(all, &o->y, pixels, y);
    else if (makes_x)
        keep(all, &o->x, pixels, x);
    else
        keep(all, &o->w, taps, w);
    free(x);
    free(w);
    free(y);
}

static void pointwise(passings *all, const fake_operation *o)
{
    int64_t at[4] = {0};
    do {
        double v = load(all, &o->x, at);
        if (o->has_b) {
            int64_t b[4];
            for (int i = 0; i < 4; i++)
                b[i] = o->w.dim[i] == 1 ? 0 : at[i];
            v += load(all, &o->w, b);
        }
        if (o->mode == DNN_POINTWISE_RELU_FWD)
            v = v < 0 ? 0 : v;
        store(all, &o->y, at, v);
    } while (next(&o->y, at));
}

void fake_program_run(const void *args)
{
    const fake_program *p = args;
    passings all = {0};
    if (p->workspace)
        memset(p->workspace, 0xa5, p->workspace_bytes);
    for (int i = 0; i < p->count; i++)
        if (p->operations[i].type == DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
            pointwise(&all, &p->operations[i]);
        else
            convolution(&all, &p->operations[i]);
    for (int i = 0; i < all.count; i++)
        free(all.items[i].values);
}
