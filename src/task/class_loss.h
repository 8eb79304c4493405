/* How a training graph of one class head ends: cross entropy against labels, or against mixtures of them. */
#ifndef TASK_CLASS_LOSS_H
#define TASK_CLASS_LOSS_H

#include "nn/model.h"

typedef struct {
    float label_smoothing;
    bool has_class_weights; /* there is an input for them */
    bool has_soft_targets;  /* labels are probabilities */
    value_id labels;        /* input i32 [batch], -1 = absent; or f32 [batch, classes] */
    value_id class_weights; /* input f32 [classes]; or NO_VALUE */
} class_loss;

/* Describes it behind io's first head, whose output it gives by the way. */
MIEN_MUST_USE mien_status class_loss_describe(class_loss *l, graph *g, model_io *io, int batch, int classes);
/* The same as an ending, for graphs that are only measured or looked at; l stays where it is. */
model_ending class_loss_ending(class_loss *l);

#endif
