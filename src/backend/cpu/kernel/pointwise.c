/* Element by element: activation and its derivative, add, and the first node, which makes pictures into activations. */
#include "backend/cpu/kernel/pointwise.h"
#include "backend/cpu/kernel/vec.h"

/* Phi(x) = (1 + erf(x / sqrt 2)) / 2 within 2e-7: erf as a rational function of x, odd over even (Eigen's
 * coefficients), which is +-1 to float's accuracy from 4 on. */
INLINE vf normal_share(vf x)
{
    vf z = vec_min(vec_max(x * 0.70710678f, -4.0f), 4.0f), s = z * z;
    vf p = s * -2.72614225801306e-10f + 2.77068142495902e-08f;
    p = p * s + -2.10102402082508e-06f;
    p = p * s + -5.69250639462346e-05f;
    p = p * s + -7.34990630326855e-04f;
    p = p * s + -2.95459980854025e-03f;
    p = p * s + -1.60960333262415e-02f;
    vf q = s * -1.45660718464996e-05f + -2.13374055278905e-04f;
    q = q * s + -1.68282697438203e-03f;
    q = q * s + -7.37332916720468e-03f;
    q = q * s + -1.42647390514189e-02f;
    return 0.5f + 0.5f * z * p / q;
}

/* gelu(x) = x Phi(x), as PyTorch's default; gelu'(x) = Phi(x) + x phi(x) */
INLINE vf gelu(vf x)
{
    return x * normal_share(x);
}

INLINE vf gelu_slope(vf x)
{
    return normal_share(x) + x * 0.39894228f * vec_exp(x * x * -0.5f);
}

INLINE vf activate(vf x, activation_kind kind, bool is_bf16)
{
    switch (kind) {
    case ACT_RELU:
        return vec_relu(x);
    case ACT_RELU6:
        return vec_relu6(x);
    case ACT_SILU:
        return x * vec_sigmoid(x, is_bf16);
    case ACT_SIGMOID:
        return vec_sigmoid(x, is_bf16);
    case ACT_GELU:
        return gelu(x);
    case ACT_CLIP:
        return vec_min(vec_max(x, -1), 1);
    default:
        return x;
    }
}

INLINE vf slope(vf x, activation_kind kind, bool is_bf16)
{
    vf s;
    switch (kind) {
    case ACT_RELU:
        return vec_select_greater(x, vec_set(0), vec_set(1), vec_set(0));
    case ACT_RELU6:
        return vec_select_greater(x, vec_set(0), vec_select_greater(vec_set(6), x, vec_set(1), vec_set(0)), vec_set(0));
    case ACT_SILU:
        s = vec_sigmoid(x, is_bf16);
        return s * (1.0f + x * (1.0f - s));
    case ACT_SIGMOID:
        s = vec_sigmoid(x, is_bf16);
        return s * (1.0f - s);
    case ACT_GELU:
        return gelu_slope(x);
    case ACT_CLIP:
        s = vec_select_greater(x, vec_set(1), vec_set(0), vec_set(1));
        return vec_select_greater(vec_set(-1), x, vec_set(0), s);
    default:
        return vec_set(1);
    }
}

typedef enum { FORM_ACTIVATION, FORM_ACTIVATION_DX, FORM_ADD, FORM_MUL, FORM_MULTIPLY } form; /* from ADD on: no kind */

INLINE void span(const pointwise_args *a, part mine, form f, activation_kind kind, bool is_bf16)
{
    for (int64_t i = mine.begin; i < mine.end; i += VEC_LANES) {
        int n = mine.end - i < VEC_LANES ? (int)(mine.end - i) : VEC_LANES;
        vf v = vec_load_upto(a->a, i, n, is_bf16);
        if (f == FORM_ACTIVATION)
            v = activate(v, kind, is_bf16);
        else if (f == FORM_ADD)
            v += vec_load_upto(a->b, i, n, is_bf16);
        else if (f == FORM_MUL)
            v *= vec_load_upto(a->b, i, n, is_bf16);
        else if (f == FORM_MULTIPLY)
            v *= a->factor;
        else
            v *= slope(vec_load_upto(a->b, i, n, is_bf16), kind, is_bf16);
        vec_store_upto(a->y, i, n, v, is_bf16);
    }
}

INLINE void span_of_kind(const pointwise_args *a, part mine, form f, bool is_bf16)
{
    switch (a->kind) {
    case ACT_RELU:
        span(a, mine, f, ACT_RELU, is_bf16);
        break;
    case ACT_RELU6:
        span(a, mine, f, ACT_RELU6, is_bf16);
        break;
    case ACT_SILU:
        span(a, mine, f, ACT_SILU, is_bf16);
        break;
    case ACT_SIGMOID:
        span(a, mine, f, ACT_SIGMOID, is_bf16);
        break;
    case ACT_GELU:
        span(a, mine, f, ACT_GELU, is_bf16);
        break;
    case ACT_CLIP:
        span(a, mine, f, ACT_CLIP, is_bf16);
        break;
    default:
        span(a, mine, f, ACT_NONE, is_bf16);
    }
}

INLINE void run(const pointwise_args *a, form f)
{
    int parts = parts_for(a->count, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->count, VEC_LANES, parts, index);
        if (f >= FORM_ADD)
            a->is_bf16 ? span(a, mine, f, ACT_NONE, true) : span(a, mine, f, ACT_NONE, false);
        else
            a->is_bf16 ? span_of_kind(a, mine, f, true) : span_of_kind(a, mine, f, false);
    }
}

void KERNEL(activation)(const void *args)
{
    run(args, FORM_ACTIVATION);
}

void KERNEL(activation_dx)(const void *args)
{
    run(args, FORM_ACTIVATION_DX);
}

void KERNEL(add)(const void *args)
{
    run(args, FORM_ADD);
}

void KERNEL(mul)(const void *args)
{
    run(args, FORM_MUL);
}

void KERNEL(multiply)(const void *args)
{
    run(args, FORM_MULTIPLY);
}

/* is_sum: y = a + b, f32 and bf16; else y = a, rounded to bf16 */
INLINE void mixed_span(const pointwise_args *a, part mine, bool is_sum)
{
    for (int64_t i = mine.begin; i < mine.end; i += VEC_LANES) {
        int n = mine.end - i < VEC_LANES ? (int)(mine.end - i) : VEC_LANES;
        vf v = vec_load_upto(a->a, i, n, false);
        if (is_sum)
            v += vec_load_upto(a->b, i, n, true);
        vec_store_upto(a->y, i, n, v, !is_sum);
    }
}

INLINE void run_mixed(const pointwise_args *a, bool is_sum)
{
    int parts = parts_for(a->count, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++)
        mixed_span(a, part_of(a->count, VEC_LANES, parts, index), is_sum);
}

void KERNEL(add_narrow)(const void *args)
{
    run_mixed(args, true);
}

void KERNEL(narrow)(const void *args)
{
    run_mixed(args, false);
}

INLINE void sub_span(const pointwise_args *a, part mine, bool is_bf16)
{
    for (int64_t i = mine.begin; i < mine.end; i += VEC_LANES) {
        int n = mine.end - i < VEC_LANES ? (int)(mine.end - i) : VEC_LANES;
        vf v = a->a ? vec_load_upto(a->a, i, n, is_bf16) : vec_set(0);
        v = v - vec_load_upto(a->b, i, n, is_bf16) + a->shift;
        vec_store_upto(a->y, i, n, v, is_bf16);
    }
}

void KERNEL(sub)(const void *args)
{
    const pointwise_args *a = args;
    int parts = parts_for(a->count, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->count, VEC_LANES, parts, index);
        a->is_bf16 ? sub_span(a, mine, true) : sub_span(a, mine, false);
    }
}

INLINE void sum_span(const sum_args *a, part mine)
{
    for (int64_t i = mine.begin; i < mine.end; i += VEC_LANES) {
        int n = mine.end - i < VEC_LANES ? (int)(mine.end - i) : VEC_LANES;
        vf v = vec_load_upto(a->x, i, n, false);
        for (int t = 1; t < a->terms; t++)
            v += vec_load_upto(a->x + t * a->count, i, n, false);
        vec_store_upto(a->y, i, n, v, false);
    }
}

void KERNEL(sum)(const void *args)
{
    const sum_args *a = args;
    int parts = parts_for(a->count * a->terms, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++)
        sum_span(a, part_of(a->count, VEC_LANES, parts, index));
}

/* Three channels: 16 pixels are 48 numbers, three or six vectors with the same factors each time. */
enum { PIXELS = 16, NUMBERS = 3 * PIXELS };

INLINE void normalise_span(const normalise_args *a, part mine, const float *scale, const float *shift, bool is_bf16)
{
    int64_t i = mine.begin;
    for (; i + NUMBERS <= mine.end; i += NUMBERS)
        for (int j = 0; j < NUMBERS; j += VEC_LANES) {
            vb bytes;
            memcpy(&bytes, a->x + i + j, sizeof bytes);
            vf v = __builtin_convertvector(__builtin_convertvector(bytes, vi), vf);
            vec_store(a->y, i + j, v * vec_load_f32(scale + j) + vec_load_f32(shift + j), is_bf16);
        }
    for (; i < mine.end; i++)
        scalar_store(a->y, i, (float)a->x[i] * scale[i % 3] + shift[i % 3], is_bf16);
}

void KERNEL(normalise)(const void *args)
{
    const normalise_args *a = args;
    float scale[NUMBERS], shift[NUMBERS];
    for (int j = 0; j < NUMBERS; j++) {
        scale[j] = a->scale[j % 3];
        shift[j] = a->shift[j % 3];
    }
    int parts = parts_for(3 * a->pixels, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(3 * a->pixels, NUMBERS, parts, index);
        if (a->is_bf16)
            normalise_span(a, mine, scale, shift, true);
        else
            normalise_span(a, mine, scale, shift, false);
    }
}
