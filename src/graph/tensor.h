/* What a tensor is before it has memory: element type and extents. Activations are NHWC [n, h, w, c]; convolution
 * weights keep torchvision's order [out, in/groups, kh, kw], linear ones [out, in]. */
#ifndef GRAPH_TENSOR_H
#define GRAPH_TENSOR_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHAPE_MAX_RANK 5

typedef enum { DTYPE_F32, DTYPE_BF16, DTYPE_U8, DTYPE_I32, DTYPE_I64, DTYPE_COUNT } dtype;

typedef struct {
    int rank; /* 0 = scalar */
    int64_t dim[SHAPE_MAX_RANK];
} shape;

size_t dtype_bytes(dtype t);
const char *dtype_name(dtype t); /* "f32" */
int64_t shape_count(const shape *s);
bool shape_equal(const shape *a, const shape *b);
/* MIEN_ERR_SHAPE where a dimension is below 1 or the elements, at 8 bytes each, would not fit in memory. */
MIEN_MUST_USE mien_status shape_check(const shape *s);
enum { SHAPE_TEXT_BYTES = 128 };
/* "[16, 7, 7, 2048]" into dst; returns dst. */
char *shape_print(char *dst, size_t bytes, const shape *s);
shape shape_of(int rank, ...); /* rank int64_t values */

/* bf16 is the upper half of an f32, rounded to nearest even; NaN stays NaN. */
static inline float bf16_to_f32(uint16_t b)
{
    union {
        uint32_t u;
        float f;
    } x = {.u = (uint32_t)b << 16};
    return x.f;
}
static inline uint16_t bf16_from_f32(float f)
{
    union {
        float f;
        uint32_t u;
    } x = {.f = f};
    if ((x.u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((x.u >> 16) | 0x40u);
    return (uint16_t)((x.u + 0x7fffu + ((x.u >> 16) & 1u)) >> 16);
}

#endif
