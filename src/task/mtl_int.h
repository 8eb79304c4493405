/* What the files of the multi-task task share. */
#ifndef TASK_MTL_INT_H
#define TASK_MTL_INT_H

#include "data/annotation.h"
#include "task/metric_mtl.h"
#include "task/mtl.h"

/* --- heads (mtl_heads.c) --- */

/* Rows of heads: the challenge's three, then further ones, the order in which models have them and files their
 * columns. */
enum { MTL_VA, MTL_EXPRESSION, MTL_AU, MTL_CHALLENGE_HEADS, MTL_BLENDSHAPES = 4, MTL_POSE, MTL_GAZE, MTL_HEADS };
/* Heads that say angles in degrees. */
static inline bool mtl_is_angles(int row)
{
    return row == MTL_POSE || row == MTL_GAZE;
}
extern const model_head mtl_heads[MTL_HEADS];
extern const annotation_kind mtl_head_kinds[MTL_HEADS]; /* the annotations that teach each */
extern const char *const mtl_head_words[MTL_HEADS + 1]; /* their names, NULL-terminated */
/* The row that a head is like, in name and form; -1: none is. */
int mtl_head_of(const model_head *h);
/* The place of a row's head among `heads`; -1: it is not there. */
int mtl_head_find(const model_head *heads, int head_count, int row);

/* --- sets (mtl_set.c) --- */

typedef struct {
    task_set base; /* first: a set that is handed back is this */
    picture_source source;
    picture_set pictures;
    uint16_t *group;          /* [count] owned */
    const char **group_names; /* owned; each an expression's, or a source's in `known` */
    annotations known;
    bool is_partial;                 /* action units are masked singly */
    bool is_asked[ANNOTATION_KINDS]; /* a head learns from it */
} mtl_set;
static inline const mtl_set *mtl_set_of(const task_set *set)
{
    return (const mtl_set *)set;
}
/* May values be used of a picture of which some are missing? */
static inline bool mtl_is_partial(const mtl_set *set, annotation_kind kind)
{
    return kind == ANNOTATION_AU ? set->is_partial : kind != ANNOTATION_VA;
}
/* Is it one that a head of this kind learns from? */
bool mtl_has(const mtl_set *set, annotation_kind kind, int64_t picture);

MIEN_MUST_USE mien_status mtl_open(task_set **out, task_set **validation, const task_set_options *o);
void mtl_close(task_set *set);
MIEN_MUST_USE mien_status mtl_renew(task_set *set, uint32_t epoch);
uint64_t mtl_fingerprint(const task_set *set, int64_t picture);
MIEN_MUST_USE mien_status mtl_tell_missing(const task_set *set, const epoch_plan *plan);
bool mtl_tells(const task_set *set, const epoch_plan *plan, const char *score);
json_t *mtl_account(const task_set *set, const epoch_plan *plan);
int mtl_ignored_count(const task_set *set);
const char *mtl_ignored(const task_set *set, int index, int64_t *count);
/* How often a plan's pictures show each class and each unit. */
MIEN_MUST_USE mien_status mtl_count(annotation_counts *out, const mtl_set *set, const epoch_plan *plan);

/* --- scores (mtl_scores.c) --- */

MIEN_MUST_USE mien_status mtl_score(task_report *out, const task_pass *pass);
const char *mtl_head_score(const model_head *head);
/* The report of the challenge's three tasks alone. */
MIEN_MUST_USE mien_status mtl_report_of(task_report *out, const mtl_report *measured);
json_t *mtl_metrics(const task_report *r);
/* Of each action unit the threshold of best F1 over a pass's pictures, 0.5 where none is active; head: its place. */
MIEN_MUST_USE mien_status mtl_best_thresholds(float out[CHALLENGE_AU_COUNT], const task_pass *pass, int head);

/* --- files (mtl_files.c) --- */

MIEN_MUST_USE mien_status mtl_write_validation(str *text, const task_pass *pass);
MIEN_MUST_USE mien_status mtl_check_challenge(const model_head *heads, int head_count, const char *where);
MIEN_MUST_USE mien_status mtl_write_challenge(task_challenge *out, file_writer *w, label_list *rows,
                                              const task_pass *pass);
MIEN_MUST_USE mien_status mtl_score_files(task_report *out, const char *truth, const char *predictions);

/* --- truths of a pass (mtl_truth.c) --- */

/* What is known of a pass's pictures, in its order; of those that were not read nothing is. */
typedef struct {
    float *values;   /* [count, width] owned, like known; NULL: the set knows nothing of the kind */
    uint64_t *known; /* [count] */
} mtl_truth;
MIEN_MUST_USE mien_status mtl_truth_gather(mtl_truth *out, const task_pass *pass, annotation_kind kind);
void mtl_truth_free(mtl_truth *t); /* and empties it */

#endif
