/* Element by element, eight a thread, four times in flight. Each kernel moves its operands once. */
#include "backend/cuda/kernel/fused_pointwise.h"
#include "backend/cuda/kernel/vector_activation.h"

enum { THREADS = FUSED_POINTWISE_THREADS, AT_ONCE = FUSED_POINTWISE_AT_ONCE };

typedef enum { ADD, MUL, MULTIPLY, ACTIVATION, ACTIVATION_DX } pointwise_kind;

DEVICE eight combine(const pointwise_args *p, const pointwise_kind kind, eight a, eight b, const bool is_bf16)
{
    UNROLL
    for (int k = 0; k < 8; k++)
        if (kind == ADD)
            a.at[k] += b.at[k];
        else if (kind == MUL)
            a.at[k] *= b.at[k];
        else if (kind == MULTIPLY)
            a.at[k] *= p->factor;
        else if (kind == ACTIVATION)
            a.at[k] = activation_of(p->kind, a.at[k], is_bf16);
        else
            a.at[k] *= slope_of(p->kind, b.at[k], is_bf16);
    return a;
}

/* Positions of a thread: `first`, and from there by THREADS eights while below `end`. */
DEVICE int64_t position(int64_t chunk, int r)
{
    return 8 * ((chunk * AT_ONCE + r) * THREADS + (int64_t)threadIdx.x);
}

DEVICE void pointwise(const pointwise_args *p, const pointwise_kind kind, const bool is_bf16, const bool is_b_bf16)
{
    const bool has_b = kind == ADD || kind == MUL || kind == ACTIVATION_DX;
    for (int64_t chunk = blockIdx.x; position(chunk, 0) < p->count; chunk += gridDim.x) {
        packed_eight a[AT_ONCE], b[AT_ONCE];
        UNROLL
        for (int r = 0; r < AT_ONCE; r++)
            if (position(chunk, r) < p->count) {
                a[r] = load_packed(p->a, position(chunk, r), is_bf16);
                if (has_b)
                    b[r] = load_packed(p->b, position(chunk, r), is_b_bf16);
            }
        UNROLL
        for (int r = 0; r < AT_ONCE; r++)
            if (position(chunk, r) < p->count)
                store_eight(
                    p->y, position(chunk, r),
                    combine(p, kind, unpack(a[r], is_bf16), has_b ? unpack(b[r], is_b_bf16) : eight_of(0), is_bf16),
                    is_bf16);
    }
}

#define POINTWISE(name, kind, is_bf16, is_b_bf16)                                                                      \
    KERNEL(name, pointwise_args)                                                                                       \
    {                                                                                                                  \
        pointwise(&a, kind, is_bf16, is_b_bf16);                                                                       \
    }
POINTWISE(fused_add_bf16, ADD, true, true)
POINTWISE(fused_add_f32, ADD, false, false)
POINTWISE(fused_add_f32_bf16, ADD, false, true)
POINTWISE(fused_mul_bf16, MUL, true, true)
POINTWISE(fused_mul_f32, MUL, false, false)
POINTWISE(fused_multiply_bf16, MULTIPLY, true, true)
POINTWISE(fused_multiply_f32, MULTIPLY, false, false)
POINTWISE(fused_activation_bf16, ACTIVATION, true, true)
POINTWISE(fused_activation_f32, ACTIVATION, false, false)
POINTWISE(fused_activation_dx_bf16, ACTIVATION_DX, true, true)
POINTWISE(fused_activation_dx_f32, ACTIVATION_DX, false, false)

DEVICE void convert(const convert_args *p, const bool is_x_bf16, const bool is_y_bf16)
{
    for (int64_t chunk = blockIdx.x; position(chunk, 0) < p->count; chunk += gridDim.x) {
        packed_eight x[AT_ONCE];
        UNROLL
        for (int r = 0; r < AT_ONCE; r++)
            if (position(chunk, r) < p->count)
                x[r] = load_packed(p->x, position(chunk, r), is_x_bf16);
        UNROLL
        for (int r = 0; r < AT_ONCE; r++)
            if (position(chunk, r) < p->count)
                store_eight(p->y, position(chunk, r), unpack(x[r], is_x_bf16), is_y_bf16);
    }
}

KERNEL(fused_convert, convert_args)
{
    if (a.is_x_bf16 && a.is_y_bf16)
        convert(&a, true, true);
    else if (a.is_x_bf16)
        convert(&a, true, false);
    else if (a.is_y_bf16)
        convert(&a, false, true);
    else
        convert(&a, false, false);
}

/* Eight bytes in, 16 or 32 out; number i of the images is of channel i % 3. */
KERNEL(fused_normalise, normalise_args)
{
    for (int64_t i = 8 * thread_first(); i < a.count; i += 8 * thread_stride()) {
        const uint2 bytes = load_8(a.x + i);
        const int channel = (int)(i % 3);
        eight y;
        UNROLL
        for (int k = 0; k < 8; k++) {
            const uint32_t byte = (k < 4 ? bytes.x : bytes.y) >> (8 * (k % 4)) & 255u;
            const int c = (channel + k) % 3;
            const float scale = c == 0 ? a.scale[0] : c == 1 ? a.scale[1] : a.scale[2];
            const float shift = c == 0 ? a.shift[0] : c == 1 ? a.shift[1] : a.shift[2];
            y.at[k] = (float)byte * scale + shift;
        }
        store_eight(a.y, i, y, a.is_bf16);
    }
}
