/* A head: what a model says of a picture, as one row. Files and graphs know heads by these rows; what is learned of
 * them is a task's business (task/task.h). */
#ifndef NN_HEAD_H
#define NN_HEAD_H

#include "base/status.h"

#include <stdbool.h>

typedef enum {
    HEAD_CLASS,     /* one of `size` classes: probabilities that sum to 1 */
    HEAD_BINARIES,  /* `size` yes or no: a probability each */
    HEAD_REGRESSION /* `size` numbers, as they come */
} head_kind;

typedef struct {
    const char *name; /* "expression" */
    head_kind kind;
    int size;
    const char *loss, *metric;  /* "cross_entropy", "f1": words of the task that trains it; NULL: none is named */
    const char *const *columns; /* [size] of the outputs: names of classes, "valence" ... */
    const float *thresholds;    /* [size] of binaries: a probability above it is a yes; NULL: 0.5 for all */
    float temperature; /* of a class head: probabilities are the softmax of logits over it (Guo et al. 2017); 0: 1 */
} model_head;

#define HEAD_MIN_TEMPERATURE 0.02f
#define HEAD_MAX_TEMPERATURE 50.0f

#define MODEL_MAX_HEADS 8
/* What the one head is called that a model of classes alone has. */
#define HEAD_EXPRESSION "expression"

/* What a head of these logits [size] answers, in their place: probabilities, or the numbers as they are; is_clipped:
 * within -1..1. */
void head_answer(float *row, const model_head *h, bool is_clipped);

/* "class", "binaries", "regression" */
const char *head_kind_name(head_kind kind);
MIEN_MUST_USE mien_status head_kind_read(head_kind *out, const char *name, const char *where);
/* Are they one in name, kind and columns? How they are trained and decide does not matter. */
bool head_equals(const model_head *a, const model_head *b);
/* The head of this name among `heads` [count], at most HEADS_FIND_MAX, of several models too. MIEN_ERR_FORMAT "WHERE:
 * no head pose (wanted expression)" where there is none. */
#define HEADS_FIND_MAX (4 * MODEL_MAX_HEADS)
MIEN_MUST_USE mien_status head_find(int *out, const model_head *heads, int count, const char *name, const char *where);

#endif
