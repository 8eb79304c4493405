/* An ensemble's answers to all pictures of a list, head by head: scores of regressions are none of single pictures, and
 * smoothing looks at neighbours. */
#ifndef INFER_ANSWERS_H
#define INFER_ANSWERS_H

#include "infer/infer.h"
#include "task/smooth.h"

/* A picture that has no answer. */
typedef struct {
    int64_t picture; /* its number in the list */
    char *why;       /* owned */
} answer_skip;

typedef struct {
    const ensemble *ensemble;
    const model_head *heads; /* [head_count] the ensemble's */
    int head_count, member_count;
    int64_t count;   /* pictures */
    bool *is_read;   /* [count] */
    float **outputs; /* [(member_count + 1) * head_count] of each head [count, size], the mean's last; NaN where a
                      * picture was not read */
    /* Where they are to be smoothed, what outputs are made of; else NULL. [member_count * head_count] likewise. */
    float **given;        /* outputs as they came */
    float **logits;       /* of SMOOTH_EXPONENTIAL */
    answer_skip *skipped; /* [skipped_count] in order */
    int64_t skipped_count, skipped_capacity;
} answer_table;

/* How answers are smoothed. Windows smooth what heads answer. Exponential smoothing is meant for the embeddings that
 * frozen heads read; they are affine and its weights sum to 1, so it smooths logits, of which answers are then made. */
typedef struct {
    smooth_kind kind;
    double widths[MODEL_MAX_HEADS]; /* of each head; 0: its answers stay as they are */
} smoothing;

/* For answers of `count` pictures, to be smoothed like this. The ensemble outlives them. Free with answers_free. */
MIEN_MUST_USE mien_status answers_create(answer_table *out, const ensemble *e, int64_t count, smooth_kind kind);
void answers_free(answer_table *a); /* and empties it */
/* A prediction_fn: payload is the table. Of SMOOTH_EXPONENTIAL the session must tell logits. */
MIEN_MUST_USE mien_status answers_take(void *payload, const prediction *p);
/* Of a member, or of member_count, the mean: outputs [count, size]. */
float *answers_of(const answer_table *a, int member, int head);

/* The clips that the pictures, called `names` [count], make. */
MIEN_MUST_USE mien_status answers_clips(smooth_clips *out, const answer_table *a, const char *const *names);
/* Sets outputs to what is given, smoothed; its kind is the table's. It may be done again, with other widths. */
MIEN_MUST_USE mien_status answers_smooth(answer_table *a, const smoothing *how, const smooth_clips *clips);

/* session_predict, whose rows come when all are known, smoothed over clips of the names; how [session_count], all of
 * one kind. */
MIEN_MUST_USE mien_status session_predict_smoothed(session *const *sessions, int session_count,
                                                   const picture_source *pictures, const char *const *names,
                                                   const smoothing *how, prediction_fn fn, void *payload, progress *p);

#endif
