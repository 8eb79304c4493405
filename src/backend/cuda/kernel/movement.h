/* What the kernels of movement.cu are given. Counts and strides are in elements; x and y have one type,
 * and are what an argument struct begins with. */
#ifndef BACKEND_CUDA_KERNEL_MOVEMENT_H
#define BACKEND_CUDA_KERNEL_MOVEMENT_H

#include "backend/cuda/kernel/entry.h"
#include "graph/attr.h"

#include <stdint.h>

/* y [count] = x u8 [count] * scale + shift, by channel: element i is of channel i % 3. */
typedef struct {
    const uint8_t *x;
    void *y;
    int64_t count;
    float scale[3], shift[3];
    bool is_bf16;
} normalise_args;
KERNEL_DECLARE(normalise);

/* slice: y [rows, length] = columns begin .. begin + length - 1 of x [rows, whole]. slice_dx: y [rows, whole] = x
 * [rows, length] there, 0 elsewhere. */
typedef struct {
    const void *x;
    void *y;
    int64_t rows, whole, begin, length;
    bool is_bf16;
} slice_args;
KERNEL_DECLARE(slice);
KERNEL_DECLARE(slice_dx);

/* y's dimensions, and how many elements of x lie between two neighbours along each. */
enum { TRANSPOSE_MAX_RANK = 5 };
typedef struct {
    const void *x;
    void *y;
    int64_t count, dim[TRANSPOSE_MAX_RANK], stride[TRANSPOSE_MAX_RANK];
    int rank;
    bool is_bf16;
} transpose_args;
KERNEL_DECLARE(transpose);

/* repeat: y [times, inner] = x [inner], `times` times. repeat_dx: y [inner] = sum over times of x [times, inner]. */
typedef struct {
    const void *x;
    void *y;
    int64_t times, inner;
    bool is_bf16;
} repeat_args;
KERNEL_DECLARE(repeat);
KERNEL_DECLARE(repeat_dx);

/* y [rows, columns] = parts x[k] [rows, ..] side by side; part k's columns end before end[k]. */
enum { CONCAT_MAX = 15 };
typedef struct {
    const void *x[CONCAT_MAX];
    void *y;
    int64_t rows, columns, end[CONCAT_MAX];
    bool is_bf16;
} concat_args;
KERNEL_DECLARE(concat);

/* y = x kept or dropped, see op.h: dropout an element at a time, drop_path a sample of per_sample elements. y may be x.
 */
typedef struct {
    const void *x;
    void *y;
    const step_params *step;
    int64_t samples, per_sample;
    float p;
    uint32_t stream, use; /* use: of rng_use */
    bool is_bf16;
} dropout_args;
KERNEL_DECLARE(dropout);
KERNEL_DECLARE(drop_path);

#endif
