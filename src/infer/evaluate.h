/* Models against a set whose answers are known: every member and their mean, scored by the task. */
#ifndef INFER_EVALUATE_H
#define INFER_EVALUATE_H

#include "infer/answers.h"
#include "task/task.h"

typedef struct {
    smoothing smooth;
    bool chooses_widths; /* those of `smooth` are found on the set, from a grid: a head's is the least of those that
                          * its own score (task_def.head_score) is highest at */
} evaluation_options;

typedef struct {
    answer_table answers;
    int64_t *pictures;    /* [count] their numbers, in order */
    task_report *reports; /* [members + 1]; the last is the mean's, of the members that count */
    smoothing smooth;     /* as it was done */
} evaluation;

/* The set is of the task, opened for the ensemble's heads; both outlive the evaluation. options NULL: zeroes. Errors:
 * session_predict's, the task's; MIEN_ERR_ARG where folders of the set are no clips. Free with evaluation_free. */
MIEN_MUST_USE mien_status evaluation_run(evaluation **out, session *s, const ensemble *e, const task_set *set,
                                         const evaluation_options *options, progress *p);
void evaluation_free(evaluation *v); /* NULL is a no-op */
/* Outputs [count, size] of a member's head. */
const float *evaluation_outputs(const evaluation *v, int member, int head);

#endif
