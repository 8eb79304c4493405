/* The two halves of mien_bench_run: programs (bench.c) and the loader (data.c). */
#ifndef BENCH_BENCH_INT_H
#define BENCH_BENCH_INT_H

#include "base/arena.h"
#include "mien_bench.h"

struct mien_bench {
    mien_bench_result result;
    mien_bench_row *rows; /* owned; texts in `texts` */
    int row_count;
    arena *texts;
};

/* Pictures a second through the loader; fills images_per_s, ms, size and threads. */
MIEN_MUST_USE mien_status bench_data(mien_bench_result *result, const mien_bench_options *options);

#endif
