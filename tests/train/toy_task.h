/* A task of a test: how far a bar is tilted. Pictures are drawn into memory, the label of every fifth is missing. */
#ifndef TESTS_TRAIN_TOY_TASK_H
#define TESTS_TRAIN_TOY_TASK_H

#include "task/task.h"

/* The same pictures from one batch a step, and from two: tilts to the left and to the right. */
extern const task_def task_tilt, task_tilt_two;

/* What the task's own key says. */
typedef struct {
    int thickness; /* of a bar, in pixels */
} tilt_values;

/* The tilt of a picture of a set, -1 to 1, whether or not it is told. */
float tilt_of(const task_set *set, int64_t picture);

#endif
