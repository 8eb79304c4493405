/* MTL: valence and arousal, an expression and action units of one face at once, and whatever else its labels tell (spec
 * 2). Most pictures miss most labels: what is not known of a picture is masked. */
#ifndef TASK_MTL_H
#define TASK_MTL_H

#include "task/task.h"

/* Words of the task's keys, in their order. */
typedef enum { MTL_SMM, MTL_BASELINE } mtl_kind;
typedef enum { MTL_TASKS, MTL_JOINT } mtl_sampler;
typedef enum { MTL_AU_ALL, MTL_AU_PARTIAL } mtl_au;
typedef enum { MTL_WEIGHTS_DATA, MTL_WEIGHTS_NONE } mtl_weights;
typedef enum { MTL_THRESHOLDS_HALF, MTL_THRESHOLDS_HELD_OUT } mtl_thresholds;

/* What a recipe says under this task's keys of its one stage. */
typedef struct {
    mtl_kind kind;
    recipe_word_list heads; /* of mtl_head_words */
    int stride;             /* of the feature map; 0: the architecture's first */
    mtl_sampler sampler;
    mtl_au au;
    bool orthogonal;
    smm_ensemble expr_ensemble;
    mtl_weights weights;
    mtl_thresholds thresholds;
    float label_smoothing;
} mtl_stage_values;

extern const task_def task_mtl;

#endif
