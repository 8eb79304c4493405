/* What those who work on mien ask of it: what its graphs look like, and how fast it is here. Beside mien.h, whose calls
 * it is like, and no part of what that promises: this header may change with any version. */
#ifndef MIEN_BENCH_H
#define MIEN_BENCH_H

#include "mien.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- graphs ------------------------------------------------------------------------------------------------------- */
typedef struct mien_graph_options {
    size_t size;
    int batch, image_size, classes; /* image_size 0: the architecture's own */
    int is_inference;               /* otherwise the training step */
    const mien_compute *compute;    /* NULL: as mien_compute_init sets it */
} mien_graph_options;
MIEN_OPTIONS(mien_graph_options, MIEN_OPTIONS_GRAPH)
/* The passes over an architecture's graph, one after the other, as text: described, fused, differentiated, planned. An
 * architecture "NAME", its deviation module "NAME+deviation", SMM-EmotionNet or the plain network of several tasks over
 * its feature map, "NAME+smm" and "NAME+baseline", or "small": a network of one block, to read. options may be NULL.
 * Free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_graph_text(char **out, const char *arch, const mien_graph_options *options);

/* --- benchmarks --------------------------------------------------------------------------------------------------- */
typedef enum mien_bench_what {
    MIEN_BENCH_TRAIN = 0,
    MIEN_BENCH_INFER = 1,
    MIEN_BENCH_DATA = 2,
    MIEN_BENCH_SYNTH = 3
} mien_bench_what;
typedef enum mien_bench_kind { MIEN_BENCH_PLAIN = 0, MIEN_BENCH_SMM = 1, MIEN_BENCH_BASELINE = 2 } mien_bench_kind;
typedef struct mien_bench_options {
    size_t size;
    mien_bench_what what;
    const char *arch;            /* train, infer */
    int batch, image_size;       /* image_size 0: the architecture's own */
    int steps;                   /* timed steps after 2 untimed ones; at least 5 */
    int is_profiled;             /* time every node (train, infer) */
    const char *data;            /* data: folder of class folders; NULL: JPEGs made for the purpose */
    const mien_compute *compute; /* NULL: as mien_compute_init sets it */
    int is_randaugmented;        /* data: RandAugment (2 operations, magnitude 9) on every picture at its own size */
    int is_normalised;           /* data: batches end as normalised float, as a network takes them */
    int is_deviation;     /* train, infer: of the deviation module, a frozen and a trained copy of the architecture */
    mien_bench_kind kind; /* train: of a multi-task network over a feature map of the architecture */
    const mien_synth_options *synth; /* synth: what is drawn, as mien_faces_open has it */
} mien_bench_options;
MIEN_OPTIONS(mien_bench_options, MIEN_OPTIONS_BENCH)

/* Speed of one step, from a fresh random uint8 batch in the caller's memory until all is computed: 6-class head; train:
 * label-smoothed cross entropy, forward, backward, Adam; of the deviation module also with class weights; of a
 * multi-task network what a step of `task: mtl` is by default: a batch for action units, one for expressions and one
 * for valence and arousal, each of fresh pictures, forward and backward, their losses, one SGD update (all their
 * pictures count). Times are the median; on a GPU, where steps follow each other with one wait at their end and
 * pictures are brought beside the step before, a step's share of all (profiled: the median). data: pictures a second
 * through the loader. synth: faces a second, drawn and compressed; a step is `batch` of them, spread over the threads a
 * person at a time. */
typedef struct mien_bench_result {
    int batch, size, threads;
    const char *precision, *isa; /* "f32", "avx2" */
    double images_per_s, ms;     /* a step (data: a batch) */
    double flops_per_s;          /* convolutions and products; 0 for data */
    int64_t peak_rss_bytes;
    int64_t planned_bytes, sum_bytes; /* activations as planned with reuse, and the sum of all tensors; 0 for data */
    double images_per_cpu_s; /* data, synth: pictures a second of processor time, all threads together; else 0 */
    int lanes, tile; /* infer: so many threads compute so many pictures at a time, each its own; 1 and the batch where
                        all compute it together, as in train; 0 for data */
    const char *device;        /* "cpu", "NVIDIA H100 80GB HBM3" */
    int64_t peak_device_bytes; /* of its memory, whatever took it: programs, code, libraries; 0 for the CPU */
} mien_bench_result;

/* One group of nodes with the same operator and implementation; of synth a stage of drawing, whose seconds are those of
 * all threads together. */
typedef struct mien_bench_row {
    const char *group, *implementation; /* "conv2d_dw", "jit:avx2"; borrowed */
    int nodes;
    double seconds, flops, bytes; /* a step; seconds are those of one lane, which stands for all */
} mien_bench_row;

/* Threads: any number at once; it does not change. */
typedef struct mien_bench mien_bench;
MIEN_API MIEN_MUST_USE mien_status mien_bench_run(mien_bench **out, const mien_bench_options *options);
MIEN_API void mien_bench_free(mien_bench *b);
MIEN_API const mien_bench_result *mien_bench_result_of(const mien_bench *b);
/* Rows of the profile, slowest first. NULL out of range. */
MIEN_API int mien_bench_row_count(const mien_bench *b);
MIEN_API const mien_bench_row *mien_bench_row_at(const mien_bench *b, int index);

#ifdef __cplusplus
}
#endif
#endif
