/* Vectors of VEC_LANES floats, with loads and stores in f32 or bf16.
 *
 * Kernels are written once with GCC's vector extension; where an instruction set has one instruction for what the
 * extension needs five for (compare and select, movemask, square root), the few lines below name it. `is_bf16` is
 * always a constant at the call: bodies are inlined once per type. */
#ifndef BACKEND_CPU_KERNEL_VEC_H
#define BACKEND_CPU_KERNEL_VEC_H

#include "graph/tensor.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VEC_LANES 16
#else
#define VEC_LANES 8 /* AVX2; the plain form is split in two by the compiler */
#endif

typedef float vf __attribute__((vector_size(4 * VEC_LANES)));
typedef int32_t vi __attribute__((vector_size(4 * VEC_LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * VEC_LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * VEC_LANES)));
typedef uint8_t vb __attribute__((vector_size(VEC_LANES)));

#define INLINE static inline __attribute__((always_inline))

INLINE vf vec_set(float x)
{
    return x - (vf){0};
}

INLINE vu vec_bits(vf x)
{
    union {
        vf f;
        vu u;
    } b = {.f = x};
    return b.u;
}

INLINE vf vec_of_bits(vu x)
{
    union {
        vu u;
        vf f;
    } b = {.u = x};
    return b.f;
}

INLINE vf vec_load_f32(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void vec_store_f32(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

INLINE vf vec_widen(vh h)
{
    return vec_of_bits(__builtin_convertvector(h, vu) << 16);
}

/* The same rounding as bf16_from_f32, NaN kept. */
INLINE vh vec_narrow(vf v)
{
#if defined(__AVX512BF16__)
    union {
        __m256bh bh;
        vh h;
    } r = {.bh = _mm512_cvtneps_pbh((__m512)v)};
    return r.h;
#else
    vu u = vec_bits(v);
    vu rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16, quiet = (u >> 16) | 0x40u;
    vu is_nan = (vu)((u & 0x7fffffffu) > 0x7f800000u);
    return __builtin_convertvector((is_nan & quiet) | (~is_nan & rounded), vh);
#endif
}

/* Element i.. of an array in f32 or bf16. */
INLINE vf vec_load(const void *p, int64_t i, bool is_bf16)
{
    if (!is_bf16)
        return vec_load_f32((const float *)p + i);
    vh h;
    memcpy(&h, (const uint16_t *)p + i, sizeof h);
    return vec_widen(h);
}

INLINE void vec_store(void *p, int64_t i, vf v, bool is_bf16)
{
    if (!is_bf16) {
        vec_store_f32((float *)p + i, v);
        return;
    }
    vh h = vec_narrow(v);
    memcpy((uint16_t *)p + i, &h, sizeof h);
}

INLINE float scalar_load(const void *p, int64_t i, bool is_bf16)
{
    return is_bf16 ? bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

INLINE void scalar_store(void *p, int64_t i, float x, bool is_bf16)
{
    if (is_bf16)
        ((uint16_t *)p)[i] = bf16_from_f32(x);
    else
        ((float *)p)[i] = x;
}

/* The first n of a vector (the rest 0), for ends of arrays: n < VEC_LANES. */
INLINE vf vec_load_n(const void *p, int64_t i, int n, bool is_bf16)
{
#if defined(__AVX512F__)
    if (!is_bf16)
        return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), (const float *)p + i);
#endif
    float buffer[VEC_LANES] = {0};
    for (int l = 0; l < n; l++)
        buffer[l] = scalar_load(p, i + l, is_bf16);
    return vec_load_f32(buffer);
}

INLINE void vec_store_n(void *p, int64_t i, int n, vf v, bool is_bf16)
{
#if defined(__AVX512F__)
    if (!is_bf16) {
        _mm512_mask_storeu_ps((float *)p + i, (__mmask16)((1u << n) - 1), (__m512)v);
        return;
    }
#endif
    float buffer[VEC_LANES];
    vec_store_f32(buffer, v);
    for (int l = 0; l < n; l++)
        scalar_store(p, i + l, buffer[l], is_bf16);
}

/* Whole vectors for n = VEC_LANES, else the partial forms. */
INLINE vf vec_load_upto(const void *p, int64_t i, int n, bool is_bf16)
{
    return n == VEC_LANES ? vec_load(p, i, is_bf16) : vec_load_n(p, i, n, is_bf16);
}

INLINE void vec_store_upto(void *p, int64_t i, int n, vf v, bool is_bf16)
{
    if (n == VEC_LANES)
        vec_store(p, i, v, is_bf16);
    else
        vec_store_n(p, i, n, v, is_bf16);
}

/* --- where the extension is slow ---------------------------------------------------------------------------------- */
/* is_positive[l] = x[l] > 0, one bit a lane. NaN is not positive. */
INLINE uint32_t vec_positive_bits(vf x)
{
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)x, _mm512_setzero_ps(), _CMP_GT_OQ);
#elif defined(__AVX2__)
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps((__m256)x, _mm256_setzero_ps(), _CMP_GT_OQ));
#else
    uint32_t bits = 0;
    for (int l = 0; l < VEC_LANES; l++)
        bits |= (uint32_t)(x[l] > 0) << l;
    return bits;
#endif
}

/* x where the lane's bit is set, else 0. */
INLINE vf vec_keep_bits(vf x, uint32_t bits)
{
#if defined(__AVX512F__)
    return (vf)_mm512_maskz_mov_ps((__mmask16)bits, (__m512)x);
#else
    const vu lane = {1, 2, 4, 8, 16, 32, 64, 128};
    return vec_of_bits(vec_bits(x) & (vu)((lane & bits) != 0));
#endif
}

/* max(x, 0); NaN stays NaN. */
INLINE vf vec_relu(vf x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps(_mm512_setzero_ps(), (__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps(_mm256_setzero_ps(), (__m256)x);
#else
    return vec_of_bits(vec_bits(x) & ~(vu)(x < 0));
#endif
}

/* x > y ? a : b by lane; false where either is NaN. */
INLINE vf vec_select_greater(vf x, vf y, vf a, vf b)
{
#if defined(__AVX512F__)
    return (vf)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)x, (__m512)y, _CMP_GT_OQ), (__m512)b, (__m512)a);
#elif defined(__AVX2__)
    return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, _mm256_cmp_ps((__m256)x, (__m256)y, _CMP_GT_OQ));
#else
    vu greater = (vu)(x > y);
    return vec_of_bits((greater & vec_bits(a)) | (~greater & vec_bits(b)));
#endif
}

/* The same choice between whole numbers. */
INLINE vi vec_select_greater_int(vf x, vf y, vi a, vi b)
{
#if defined(__AVX512F__)
    return (vi)_mm512_mask_blend_epi32(_mm512_cmp_ps_mask((__m512)x, (__m512)y, _CMP_GT_OQ), (__m512i)b, (__m512i)a);
#else
    return (vi)vec_bits(vec_select_greater(x, y, vec_of_bits((vu)a), vec_of_bits((vu)b)));
#endif
}

/* x where bytes[l] is `value`, else 0; reads VEC_LANES bytes. */
INLINE vf vec_where_byte(vf x, const uint8_t *bytes, int value)
{
#if defined(__AVX512F__)
    __m128i b = _mm_loadu_si128((const __m128i *)bytes);
    return (vf)_mm512_maskz_mov_ps(_mm_cmpeq_epi8_mask(b, _mm_set1_epi8((char)value)), (__m512)x);
#elif defined(__AVX2__)
    __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes));
    return (vf)_mm256_and_ps((__m256)x, (__m256)_mm256_cmpeq_epi32(wide, _mm256_set1_epi32(value)));
#else
    vb b;
    memcpy(&b, bytes, sizeof b);
    return vec_of_bits(vec_bits(x) & (vu)(__builtin_convertvector(b, vi) == value));
#endif
}

/* Whole numbers 0..255 as VEC_LANES bytes. */
INLINE void vec_store_bytes(uint8_t *bytes, vi x)
{
#if defined(__AVX512F__)
    _mm_storeu_si128((__m128i *)bytes, _mm512_cvtepi32_epi8((__m512i)x));
#elif defined(__AVX2__)
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)x), _mm256_extracti128_si256((__m256i)x, 1));
    _mm_storel_epi64((__m128i *)bytes, _mm_packus_epi16(words, words));
#else
    vb b = __builtin_convertvector(x, vb);
    memcpy(bytes, &b, sizeof b);
#endif
}

INLINE vf vec_sqrt(vf x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_sqrt_ps((__m256)x);
#else
    for (int l = 0; l < VEC_LANES; l++)
        x[l] = sqrtf(x[l]);
    return x;
#endif
}

/* --- functions ---------------------------------------------------------------------------------------------------- */
/* NaN stays NaN in both. */
INLINE vf vec_min(vf a, float limit)
{
    vf l = vec_set(limit);
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)l, (__m512)a);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)l, (__m256)a);
#else
    return vec_select_greater(a, l, l, a);
#endif
}

INLINE vf vec_max(vf a, float limit)
{
    vf l = vec_set(limit);
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)l, (__m512)a);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)l, (__m256)a);
#else
    return vec_select_greater(l, a, l, a);
#endif
}

/* min(max(x, 0), 6); NaN stays NaN. */
INLINE vf vec_relu6(vf x)
{
    return vec_min(vec_relu(x), 6);
}

INLINE float vec_sum(vf x)
{
    float sum = 0;
    for (int l = 0; l < VEC_LANES; l++)
        sum += x[l];
    return sum;
}

/* e^x within 1.5 units in the last place, for x within -87..88; beyond, the value at that end. NaN stays NaN.
 * x = n ln 2 + r, |r| <= ln 2 / 2; e^r by the polynomial of Cephes' expf. */
INLINE vf vec_exp(vf x)
{
    x = vec_min(vec_max(x, -87.0f), 88.0f);
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, which sits in the low bits */
    vf shifted = x * 1.44269504f + shift;
    vu n = vec_bits(shifted);
    vf whole = shifted - shift;
    vf r = x - whole * 0.693359375f;
    r = r - whole * -2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + (r + 1.0f);
    return vec_of_bits(vec_bits(p) + (n << 23)); /* times 2^n: p is about 1, its exponent has room */
}

/* e^x for what becomes bf16, within 2^-13.5 of itself where there are instructions for it: with t = x / ln 2,
 * 2^floor(t) by scalef, 2^(t - floor(t)) by a cubic (minimax on [0, 1], 2^-13.7). Else vec_exp. NaN stays NaN. */
INLINE vf vec_exp_bf16(vf x)
{
#if defined(__AVX512F__)
    __m512 t = (__m512)(x * 1.44269504f);
    vf r = (vf)_mm512_reduce_ps(t, 0x09);
    vf p = r * 7.802452266e-2f + 2.260671554e-1f;
    p = p * r + 6.958335405e-1f;
    p = p * r + 9.999252186e-1f;
    return (vf)_mm512_scalef_ps((__m512)p, t);
#else
    return vec_exp(x);
#endif
}

/* 1 / (1 + e^-x). for_bf16: within 2^-12.8 of itself, a sixteenth of bf16's rounding, in a third of the time where
 * there are instructions for it: vec_exp_bf16, and the reciprocal by its estimate (2^-14). */
INLINE vf vec_sigmoid(vf x, bool for_bf16)
{
#if defined(__AVX512F__)
    if (for_bf16)
        return (vf)_mm512_rcp14_ps((__m512)(1.0f + vec_exp_bf16(-x)));
#endif
    (void)for_bf16;
    return 1.0f / (1.0f + vec_exp(-x));
}

/* x / (1 + e^-x) within 1.5e-7 |x|: as with vec_sigmoid, the power by scalef where there is one (2^r on
 * [-1/2, 1/2] minimax, 2^-23.7) and the quotient by its estimate and one step of Newton's, half the time. Beyond -83 it
 * goes on as if e^-x stopped there. NaN stays NaN. */
INLINE vf vec_silu(vf x)
{
#if defined(__AVX512F__)
    vf t = vec_min(x * -1.44269504f, 120);
    vf r = (vf)_mm512_reduce_ps((__m512)t, 0x08);
    vf p = r * 1.327647199e-3f + 9.675541334e-3f;
    p = p * r + 5.550713273e-2f;
    p = p * r + 2.402211972e-1f;
    p = p * r + 6.931469671e-1f;
    p = p * r + 1.000000072f;
    vf d = (vf)_mm512_scalef_ps((__m512)p, (__m512)(t - r)) + 1.0f;
    vf q = (vf)_mm512_rcp14_ps((__m512)d);
    q += q * (1.0f - d * q);
    return x * q;
#else
    return x * vec_sigmoid(x, false);
#endif
}

#endif
