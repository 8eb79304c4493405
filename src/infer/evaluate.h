/* Models against a set whose answers are known: every member and their mean, scored by the task. */
#ifndef INFER_EVALUATE_H
#define INFER_EVALUATE_H

#include "infer/infer.h"
#include "task/task.h"

/* A picture that has no answer. */
typedef struct {
    int64_t picture; /* its number in the set */
    char *why;       /* owned */
} evaluation_skip;

typedef struct {
    int member_count;
    task_report *reports; /* [member_count + 1]; the last is the mean's, of the members that count */
    evaluation_skip *skipped;
    int64_t skipped_count, skipped_capacity;
    int64_t count;     /* pictures of the set */
    int64_t *pictures; /* [count] their numbers, in order */
    bool *is_read;     /* [count] */
    const model_head *heads;
    int head_count;
    float *
        *outputs; /* [(member_count + 1) * head_count] of each head [count, size]; NaN where a picture was not read */
} evaluation;

/* The set is of the task, opened for the ensemble's heads; both outlive the evaluation. Errors: session_predict's, the
 * task's. Free with evaluation_free. */
MIEN_MUST_USE mien_status evaluation_run(evaluation **out, session *s, const ensemble *e, const task_set *set,
                                         progress *p);
void evaluation_free(evaluation *v); /* NULL is a no-op */
/* Outputs [count, size] of a member's head. */
const float *evaluation_outputs(const evaluation *v, int member, int head);

#endif
