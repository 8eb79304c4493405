/* LSD: one of some expressions a picture, the challenge's six unless a recipe names others (spec 1). */
#ifndef TASK_LSD_H
#define TASK_LSD_H

#include "task/task.h"

/* What the challenge's files speak of, in the order of their numbers. */
enum { LSD_CLASSES = 6 };
extern const char *const lsd_classes[LSD_CLASSES];

extern const task_def task_lsd;

#endif
