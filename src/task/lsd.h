/* LSD: one of some expressions a picture, the challenge's six unless a recipe names others (spec 1). */
#ifndef TASK_LSD_H
#define TASK_LSD_H

#include "task/task.h"

/* What the challenge's files speak of, in the order of their numbers. */
enum { LSD_CLASSES = 6 };
extern const char *const lsd_classes[LSD_CLASSES];

/* What a recipe says under this task's keys, at the top and of each stage. */
typedef struct {
    recipe_classes classes;
} lsd_values;
typedef enum { LSD_TEMPERATURE_NONE, LSD_TEMPERATURE_HELD_OUT } lsd_temperature;
typedef struct {
    float label_smoothing;
    recipe_weights class_weights; /* none: all alike */
    lsd_temperature temperature;
} lsd_stage_values;

extern const task_def task_lsd;

#endif
