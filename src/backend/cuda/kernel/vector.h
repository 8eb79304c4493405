/* What fast kernels are written in beside kernel.h: memory 16 bytes at a time, eight numbers a thread, and how a grid
 * lies over rows of channels. A position `i` is that of a number in its array, a multiple of eight. */
#ifndef BACKEND_CUDA_KERNEL_VECTOR_H
#define BACKEND_CUDA_KERNEL_VECTOR_H

#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/layout.h"

#ifdef __CUDACC__
#define UNROLL _Pragma("unroll")
#define UNROLL_BY_8 _Pragma("unroll 8")
DEVICE uint4 load_16(const void *p)
{
    return *(const uint4 *)p;
}
DEVICE void store_16(void *p, uint4 v)
{
    *(uint4 *)p = v;
}
DEVICE uint2 load_8(const void *p)
{
    return *(const uint2 *)p;
}
DEVICE void store_8(void *p, uint2 v)
{
    *(uint2 *)p = v;
}
/* Two numbers as bf16 in a word, the first in its lower half. */
DEVICE uint32_t bf16_pair(float first, float second)
{
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}
/* These differ from the functions of C in the last bits of an f32. */
DEVICE float fast_exp(float x)
{
    return __expf(x);
}
DEVICE float fast_divide(float a, float b)
{
    return __fdividef(a, b);
}
#else
#define UNROLL
#define UNROLL_BY_8
DEVICE uint32_t bf16_pair(float first, float second)
{
    return (uint32_t)bf16_round(first) | (uint32_t)bf16_round(second) << 16;
}
DEVICE float fast_exp(float x)
{
    return expf(x);
}
DEVICE float fast_divide(float a, float b)
{
    return a / b;
}
#endif

typedef struct {
    float at[8];
} eight;

DEVICE eight eight_of(float v)
{
    eight e;
    UNROLL
    for (int k = 0; k < 8; k++)
        e.at[k] = v;
    return e;
}
/* As they lie in memory: bf16 in one vector of 16 bytes, f32 in two. Loads of several are started before the first is
 * unpacked, so that they are in flight together. */
typedef struct {
    uint4 low, high;
} packed_eight;

DEVICE packed_eight load_packed(const void *p, int64_t i, const bool is_bf16)
{
    packed_eight v;
    if (is_bf16) {
        v.low = load_16((const uint16_t *)p + i);
        v.high = v.low;
    } else {
        v.low = load_16((const float *)p + i);
        v.high = load_16((const float *)p + i + 4);
    }
    return v;
}
DEVICE eight unpack(packed_eight v, const bool is_bf16)
{
    const uint32_t low[4] = {v.low.x, v.low.y, v.low.z, v.low.w}, high[4] = {v.high.x, v.high.y, v.high.z, v.high.w};
    eight e;
    UNROLL
    for (int k = 0; k < 4; k++)
        if (is_bf16) {
            e.at[2 * k] = float_of(low[k] << 16);
            e.at[2 * k + 1] = float_of(low[k] & 0xffff0000u);
        } else {
            e.at[k] = float_of(low[k]);
            e.at[4 + k] = float_of(high[k]);
        }
    return e;
}
DEVICE eight load_eight(const void *p, int64_t i, const bool is_bf16)
{
    return unpack(load_packed(p, i, is_bf16), is_bf16);
}
DEVICE void store_eight(void *p, int64_t i, eight e, const bool is_bf16)
{
    uint4 low, high;
    if (is_bf16) {
        low.x = bf16_pair(e.at[0], e.at[1]);
        low.y = bf16_pair(e.at[2], e.at[3]);
        low.z = bf16_pair(e.at[4], e.at[5]);
        low.w = bf16_pair(e.at[6], e.at[7]);
        store_16((uint16_t *)p + i, low);
        return;
    }
    low.x = bits_of(e.at[0]);
    low.y = bits_of(e.at[1]);
    low.z = bits_of(e.at[2]);
    low.w = bits_of(e.at[3]);
    high.x = bits_of(e.at[4]);
    high.y = bits_of(e.at[5]);
    high.z = bits_of(e.at[6]);
    high.w = bits_of(e.at[7]);
    store_16((float *)p + i, low);
    store_16((float *)p + i + 4, high);
}

/* This thread's rows of [rows, c]: from `begin` by `step`; its eight channels begin at `channel`. A thread without work
 * has begin = end. */
typedef struct {
    int64_t begin, end, step;
    int channel, part, lane;
} column_share;

DEVICE column_share column_share_of(const column_grid *g, unsigned block)
{
    const int tile = (int)(block % (unsigned)g->tiles), thread = (int)threadIdx.x;
    const int vector = tile * g->tile + thread % g->tile;
    column_share s;
    s.part = (int)(block / (unsigned)g->tiles);
    s.lane = thread / g->tile;
    s.channel = 8 * vector;
    s.begin = g->rows * s.part / g->parts + s.lane;
    s.end = g->rows * (s.part + 1) / g->parts;
    s.step = g->lanes;
    if (s.lane >= g->lanes || s.channel >= g->c)
        s.begin = s.end;
    return s;
}

/* The sums of `count` eights, at most two, over the lanes of a block, lane after lane, times factor: to out [count][c]
 * at the channels of this block. All threads come here. */
DEVICE void column_sums(const column_grid *g, unsigned block, const eight *sums, const int count, void *out,
                        float factor, const bool is_bf16)
{
    enum { THREADS = COLUMN_THREADS, PITCH = THREADS + 8 }; /* so that eight threads a number meet eight banks each */
    SHARED(float, numbers, 16 * PITCH);
    const int thread = (int)threadIdx.x, tile = (int)(block % (unsigned)g->tiles);
    barrier(); /* sums before these have been read */
    UNROLL
    for (int i = 0; i < count; i++) {
        UNROLL
        for (int k = 0; k < 8; k++)
            numbers[(8 * i + k) * PITCH + thread] = sums[i].at[k];
    }
    barrier();
    for (int i = thread; i < 8 * count * g->tile; i += THREADS) {
        const int vector = i % g->tile, k = i / g->tile, channel = 8 * (tile * g->tile + vector) + k % 8;
        float sum = 0;
        for (int lane = 0; lane < g->lanes; lane++)
            sum += numbers[k * PITCH + lane * g->tile + vector];
        if (channel < g->c)
            store(out, (k / 8) * g->c + channel, sum * factor, is_bf16);
    }
}

/* The sums over parts [parts][2][c] of the channel that is this thread's, in double, for the first eight threads of a
 * block of COLUMN_THREADS; a block sums eight channels from 8 blockIdx.x on. */
typedef struct {
    double first, second;
    int channel; /* -1: this thread has none */
} part_sums;

DEVICE part_sums part_sums_of(const float *sums, int parts, int c)
{
    enum { LANES = COLUMN_THREADS / 8 };
    SHARED(double, firsts, COLUMN_THREADS);
    SHARED(double, seconds, COLUMN_THREADS);
    const int thread = (int)threadIdx.x, channel = (int)blockIdx.x * 8 + thread % 8;
    part_sums s = {0, 0, -1};
    UNROLL_BY_8
    for (int p = thread / 8; p < parts; p += LANES) {
        s.first += (double)sums[(int64_t)p * 2 * c + channel];
        s.second += (double)sums[(int64_t)p * 2 * c + c + channel];
    }
    firsts[thread] = s.first;
    seconds[thread] = s.second;
    barrier();
    if (thread >= 8)
        return s;
    for (int lane = 1; lane < LANES; lane++) {
        s.first += firsts[lane * 8 + thread];
        s.second += seconds[lane * 8 + thread];
    }
    s.channel = channel;
    return s;
}

#endif
