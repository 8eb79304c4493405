/* The faked cuDNN's arithmetic: plain loops over n, c, h, w, each element where the strides say. */
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

static void convolution(passings *all, const fake_operation *o)
{
    const fake_tensor *target = o->type == DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR         ? &o->y
                                : o->type == DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ? &o->x
                                                                                                        : &o->w;
    double *sums = calloc((size_t)count_of(target), sizeof *sums);
    int64_t y[4] = {0};
    if (!sums)
        fake_die("no memory for a convolution");
    do
        for (int64_t c = 0; c < o->w.dim[1]; c++)
            for (int64_t kh = 0; kh < o->w.dim[2]; kh++)
                for (int64_t kw = 0; kw < o->w.dim[3]; kw++) {
                    const int64_t x[] = {y[0], c, y[2] * o->stride[0] - o->before[0] + kh * o->dilation[0],
                                         y[3] * o->stride[1] - o->before[1] + kw * o->dilation[1]};
                    const int64_t w[] = {y[1], c, kh, kw};
                    if (x[2] < 0 || x[2] >= o->x.dim[2] || x[3] < 0 || x[3] >= o->x.dim[3])
                        continue;
                    if (target == &o->y)
                        sums[position(target, y)] += load(all, &o->x, x) * load(all, &o->w, w);
                    else if (target == &o->x)
                        sums[position(target, x)] += load(all, &o->y, y) * load(all, &o->w, w);
                    else
                        sums[position(target, w)] += load(all, &o->y, y) * load(all, &o->x, x);
                }
    while (next(&o->y, y));
    int64_t at[4] = {0};
    do
        store(all, target, at, sums[position(target, at)]);
    while (next(target, at));
    free(sums);
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
