/* Convolutions as their formulas say: a thread an element of the result, or of a slice's share in it. */
#include "backend/cuda/kernel/activation.h"
#include "backend/cuda/kernel/convolution.h"

/* w * x at pixel (n, p, q) and channel o of y. */
DEVICE double convolve(const conv2d_args *a, int64_t n, int64_t p, int64_t q, int64_t o)
{
    const conv_size *s = &a->size;
    const int64_t first = o / s->group_out * s->group_in; /* of x's channels */
    const float *w = a->w + o * s->group_in * s->kh * s->kw;
    double sum = 0;
    for (int64_t c = 0; c < s->group_in; c++)
        for (int64_t i = 0; i < s->kh; i++) {
            const int64_t u = p * s->stride[0] + i * s->dilation[0] - s->pad[0];
            if (u < 0 || u >= s->h)
                continue;
            for (int64_t j = 0; j < s->kw; j++) {
                const int64_t v = q * s->stride[1] + j * s->dilation[1] - s->pad[1];
                if (v >= 0 && v < s->w)
                    sum += (double)load(a->x, ((n * s->h + u) * s->w + v) * s->c + first + c, a->is_bf16) *
                           (double)w[(c * s->kh + i) * s->kw + j];
            }
        }
    return sum;
}

KERNEL(conv2d, conv2d_args)
{
    const conv_size *s = &a.size;
    for (int64_t at = thread_first(); at < s->n * s->p * s->q * s->o; at += thread_stride()) {
        const int64_t o = at % s->o, q = at / s->o % s->q, p = at / s->o / s->q % s->p, n = at / s->o / s->q / s->p;
        double z = convolve(&a, n, p, q, o) + (a.b ? (double)a.b[o] : 0);
        if (a.gamma)
            z = (double)a.gamma[o] * (z - (double)a.mean[o]) / sqrt((double)a.var[o] + (double)a.eps) +
                (double)a.beta[o];
        if (a.residual)
            z += (double)load(a.residual, at, a.is_bf16);
        store(a.y, at, act_value(a.act, (float)z), a.is_bf16);
    }
}

/* The place along an axis of the output whose window meets `at` with its position i; -1: there is none. */
DEVICE int64_t output_place(int64_t at, int64_t i, int64_t stride, int64_t pad, int64_t dilation, int64_t count)
{
    const int64_t from = at + pad - i * dilation;
    return from < 0 || from % stride != 0 || from / stride >= count ? -1 : from / stride;
}

/* The gradient of x at pixel (n, u, v) and channel c. */
DEVICE double convolve_back(const conv2d_dx_args *a, int64_t n, int64_t u, int64_t v, int64_t c)
{
    const conv_size *s = &a->size;
    const int64_t first = c / s->group_in * s->group_out; /* of y's channels */
    double sum = 0;
    for (int64_t i = 0; i < s->kh; i++) {
        const int64_t p = output_place(u, i, s->stride[0], s->pad[0], s->dilation[0], s->p);
        for (int64_t j = 0; p >= 0 && j < s->kw; j++) {
            const int64_t q = output_place(v, j, s->stride[1], s->pad[1], s->dilation[1], s->q);
            for (int64_t o = first; q >= 0 && o < first + s->group_out; o++)
                sum += (double)load(a->dy, ((n * s->p + p) * s->q + q) * s->o + o, a->is_bf16) *
                       (double)a->w[((o * s->group_in + c % s->group_in) * s->kh + i) * s->kw + j];
        }
    }
    return sum;
}

KERNEL(conv2d_dx, conv2d_dx_args)
{
    const conv_size *s = &a.size;
    for (int64_t at = thread_first(); at < s->n * s->h * s->w * s->c; at += thread_stride()) {
        const int64_t c = at % s->c, v = at / s->c % s->w, u = at / s->c / s->w % s->h, n = at / s->c / s->w / s->h;
        store(a.dx, at, (float)convolve_back(&a, n, u, v, c), a.is_bf16);
    }
}

/* Threads beside each other take channels of x beside each other: those of one output channel, or, depthwise, those of
 * outputs beside each other. */
KERNEL(conv2d_dw, conv2d_dw_args)
{
    const conv_size *s = &a.size;
    const int64_t count = s->o * s->group_in * s->kh * s->kw;
    for (int64_t at = thread_first(); at < a.slices * count; at += thread_stride()) {
        const int64_t c = at % s->c, j = at / s->c % s->kw, i = at / s->c / s->kw % s->kh;
        const int64_t in_group = at / s->c / s->kw / s->kh % s->group_out, slice = at / count;
        const int64_t o = c / s->group_in * s->group_out + in_group;
        double sum = 0;
        for (int64_t pixel = slice; pixel < s->n * s->p * s->q; pixel += a.slices) {
            const int64_t u = pixel / s->q % s->p * s->stride[0] + i * s->dilation[0] - s->pad[0];
            const int64_t v = pixel % s->q * s->stride[1] + j * s->dilation[1] - s->pad[1];
            if (u >= 0 && u < s->h && v >= 0 && v < s->w)
                sum += (double)load(a.dy, pixel * s->o + o, a.is_bf16) *
                       (double)load(a.x, ((pixel / s->q / s->p * s->h + u) * s->w + v) * s->c + c, a.is_bf16);
        }
        a.parts[slice * count + ((o * s->group_in + c % s->group_in) * s->kh + i) * s->kw + j] = sum;
    }
}
