/* How grids of fast kernels lie over their tensors: worked out where the kernel is prepared, read by it. */
#ifndef BACKEND_CUDA_KERNEL_LAYOUT_H
#define BACKEND_CUDA_KERNEL_LAYOUT_H

#include <stdint.h>

/* Over [rows, c], c a multiple of eight: a block takes `tile` vectors of eight channels, `lanes` rows at a time, of one
 * of `parts` equal shares of the rows. The blocks are [parts][tiles], of COLUMN_THREADS threads, of which tile * lanes
 * work. */
enum { COLUMN_THREADS = 256 };
typedef struct {
    int64_t rows;
    int c, tile, tiles, lanes, parts;
} column_grid;

#endif
