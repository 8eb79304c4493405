/* The parts of mien_bench_run: programs (bench.c), the multi-task step (mtl.c), the loader (data.c) and drawing
 * (synth.c). */
#ifndef BENCH_BENCH_INT_H
#define BENCH_BENCH_INT_H

#include "base/arena.h"
#include "base/rng.h"
#include "infer/lanes.h"
#include "mien_bench.h"
#include "task/class_loss.h"
#include "train/recipe.h"

struct mien_bench {
    mien_bench_result result;
    mien_bench_row *rows; /* owned; texts in `texts` */
    int row_count;
    arena *texts;
};

/* Random pixels; bytes past the last whole four stay as they are. */
void bench_fill(uint8_t *images, size_t bytes, rng *r);

/* A multi-task model at work: a batch for each draw, then one update. */
typedef struct {
    recipe *recipe;
    model *model;
    task_set *set;
    task_ending ending;
    model_io io;
    program *program;
    task_row *rows;     /* [draws, batch] */
    uint8_t *images;    /* [draws, batch, size, size, 3] */
    size_t image_bytes; /* of a draw */
    int draws;
} bench_mtl;
/* Of options.kind, into zeroed memory; to be cleared also where it fails. */
MIEN_MUST_USE mien_status bench_mtl_create(bench_mtl *b, const mien_bench_options *options, backend *on, dtype type);
void bench_mtl_clear(bench_mtl *b);
void bench_mtl_fill(bench_mtl *b, uint32_t step);
/* Its draws, and the update; on a device it may return before that is over. */
MIEN_MUST_USE mien_status bench_mtl_step(bench_mtl *b, uint32_t step);

/* A model at work: what a step fills in, and what it runs. */
typedef struct {
    bool is_mtl;
    bench_mtl mtl; /* instead of all that follows */
    model *model;
    size_t image_bytes;
    program *program; /* train, and all that a device does */
    model_io io;
    class_loss loss;
    bool is_training;
    lanes *lanes; /* infer on the caller's own threads */
    uint8_t *images;
    int32_t *labels;
    float *probabilities;
} bench_subject;
/* Of options.what, into zeroed memory; to be cleared also where it fails. */
MIEN_MUST_USE mien_status bench_subject_create(bench_subject *s, const mien_bench_options *options, backend *b);
void bench_subject_clear(bench_subject *s);
/* A fresh batch, which is made beside the clock: pictures are the loader's. */
void bench_subject_fill(bench_subject *s, const mien_bench_options *options, uint32_t step);
/* Takes it in and computes. On a device it may return before that is over, and the next step's pictures are brought
 * beside it; bench_subject_wait returns when all is done. */
MIEN_MUST_USE mien_status bench_subject_step(bench_subject *s, const mien_bench_options *options, uint32_t step);
MIEN_MUST_USE mien_status bench_subject_wait(bench_subject *s);
/* The program whose nodes are told of: the first lane's speaks for all. */
program *bench_subject_program(const bench_subject *s);

/* Pictures a second through the loader; fills images_per_s, ms, size and threads. */
MIEN_MUST_USE mien_status bench_data(mien_bench_result *result, const mien_bench_options *options);

/* Faces a second, drawn and compressed; fills what bench_data does, and the rows of a profile by stage. */
MIEN_MUST_USE mien_status bench_synth(mien_bench *b, const mien_bench_options *options);
/* Slowest first. */
void bench_sort_rows(mien_bench *b);

#endif
