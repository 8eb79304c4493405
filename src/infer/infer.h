/* Running finished models over pictures: one pass gives every member's probabilities, the ensemble is their mean
 * (spec 1.7). */
#ifndef INFER_INFER_H
#define INFER_INFER_H

#include "base/progress.h"
#include "base/turn.h"
#include "graph/backend.h"
#include "graph/precision.h"
#include "image/picture_source.h"
#include "nn/head.h"
#include "task/metric.h"

/* Members: models of one task with heads that are equal but for their thresholds (checked), each with its own
 * architecture, size and normalisation; and score files (scores.h), which know their probabilities for one set alone.
 * Where no member is a model, the columns are those of the default task's challenge. Threads: once open, any number of
 * them; what computes is a session. */
typedef struct ensemble ensemble;
typedef struct {
    precision_kind precision;
    turn *turn; /* of sessions on the whole backend, where several ensembles share it; NULL: the ensemble's own */
} ensemble_options;
/* One member to be. */
typedef struct {
    const char *path; /* a model file, or a score file: a member for each of its own */
    const char
        *name; /* what its row is called; NULL: the file's base name, or its folder's where that is best.safetensors */
    bool counts;   /* part of the mean */
    double weight; /* ... how much, beside the others; 0: 1 */
} ensemble_source;
/* Sources and their texts are borrowed for the call; b outlives the ensemble. b NULL: only to look at the models;
 * nothing may run. */
MIEN_MUST_USE mien_status ensemble_open(ensemble **out, const ensemble_source *sources, int count, backend *b,
                                        const ensemble_options *options);
void ensemble_free(ensemble *e); /* after its sessions; NULL is a no-op */
/* Are score files' rows as many as the set has pictures? Owed before session_predict. `set` is for the message. */
MIEN_MUST_USE mien_status ensemble_check_pictures(const ensemble *e, int64_t count, const char *set);
int ensemble_member_count(const ensemble *e);
const char *ensemble_member_name(const ensemble *e, int member); /* "resnet50-stage1" or the file's base name; unique */
bool ensemble_member_counts(const ensemble *e, int member);      /* part of the mean */
double ensemble_member_weight(const ensemble *e, int member);    /* in the mean, beside the others: 1 unless told */
const char *ensemble_member_path(const ensemble *e, int member);
struct model *ensemble_model(const ensemble *e, int member); /* the ensemble's; NULL: its answers are kept */
/* What the members answer, and how many numbers that is in a row: the outputs of every head, one after the other. The
 * thresholds are the mean's: the mean of those of the models that count. */
const model_head *ensemble_heads(const ensemble *e, int *count);
/* The same heads with the thresholds that a member has of its own. */
const model_head *ensemble_member_heads(const ensemble *e, int member);
int ensemble_width(const ensemble *e);
const char *ensemble_task(const ensemble *e);

/* --- sessions ----------------------------------------------------------------------------------------------------- */

/* Programs and buffers over an ensemble, for one thread at a time; several threads have a session each. Sessions that
 * compute on as many threads have packed weights in common. They may be opened and freed while others run. */
typedef struct session session;
typedef struct {
    backend *own; /* what it computes on, taken over with the call; NULL: the ensemble's, where sessions take turns */
    bool is_one_thread; /* else: of the ensemble's backend, the calling thread alone, beside the others */
    int batch;          /* pictures of a run; 0: 32 */
    int loader_threads; /* 0: automatic */
    bool tells_logits;  /* session_predict gives members' logits too */
} session_options;
MIEN_MUST_USE mien_status session_open(session **out, ensemble *e, const session_options *options);
void session_free(session *s); /* NULL is a no-op */

/* What one session says of a picture of the list. */
typedef struct {
    int64_t index;
    const char *name;
    const char *failure;  /* NULL, or the one-line reason why there is no prediction, of no session then */
    const float *members; /* [members, width] */
    const float *logits;  /* likewise, of what kept scores say the logarithms; NULL unless the session tells them */
    const float *mean;    /* [width] */
} prediction;
/* p [sessions] of one picture */
typedef mien_status (*prediction_fn)(void *payload, const prediction *p);
/* Pictures of a source, asked of several sessions of equal `batch` together, each with an ensemble of its own; `names`
 * are what rows are called; NULL: nothing. Pictures arrive in order. One that any member has no answer for has none. */
enum { SESSIONS_TOGETHER_MAX = 4 };
MIEN_MUST_USE mien_status session_predict(session *const *sessions, int session_count, const picture_source *pictures,
                                          const char *const *names, prediction_fn fn, void *payload, progress *p);

/* Pictures in memory, RGB: byte c of pixel (x, y) of picture i is pixels[i * picture_stride + y * row_stride +
 * x * column_stride + c]. Strides may be negative or 0; all that is named is readable. */
typedef struct {
    const uint8_t *pixels;
    int64_t count;
    int width, height; /* 1 to IMAGE_MAX_PIXELS together */
    int64_t picture_stride, row_stride, column_stride;
} pixel_array;
/* out [count, width]: answers of the mean. All members are models. Errors: MIEN_ERR_FORMAT where an answer is
 * not finite. */
MIEN_MUST_USE mien_status session_predict_pixels(session *s, float *out, const pixel_array *pictures, progress *p);

/* Inputs of `predict`: files; folders (descended, natural order; pictures by content or name); lists (.txt, .csv: one
 * path a line); "-", which is stdin, and pipes: one picture, or a list. p is asked while a pipe is waited for. */
typedef struct {
    char **paths; /* [count] to open */
    char **names; /* [count] what rows are called: the same, or "-" */
    size_t count, capacity;
    int *held; /* [held_count] descriptors of what came through pipes */
    int held_count;
} infer_inputs;
MIEN_MUST_USE mien_status infer_expand_inputs(infer_inputs *out, const char *const *inputs, int count, progress *p);
void infer_inputs_free(infer_inputs *in); /* and empties them */

#endif
