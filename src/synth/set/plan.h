#ifndef SYNTH_PLAN_H
#define SYNTH_PLAN_H

#include "synth/draw/look.h"
#include "synth/set/expression.h"
#include "synth/set/synth.h"

#define SYNTH_FOLDER_BYTES 16

/* Everything that decides one face of a set. */
typedef struct {
    int64_t number; /* 0.. in the set */
    int64_t identity;
    face_expression expression;
    shot shot;
} synth_face;

/* Draws face `number`: class, identity, expression and shot. The person comes from synth_person; `who` must be it. */
void synth_face_draw(synth_face *out, const synth_options *options, const head *h, const person *who, int64_t number);
/* Which identity face `number` shows, and who that is, with one of the heads from h on. weights [head_weights(h)] */
int64_t synth_identity(const synth_options *options, int64_t number);
void synth_person(person *out, float *weights, const synth_options *options, const head *h, int64_t identity);
/* Which of a face's labels are told. */
typedef struct {
    bool va, expression, au;
} synth_told;
synth_told synth_labels_told(const synth_options *options, int64_t number);
/* How many classes the task's faces show in turn; as many faces in a row show one person. */
int synth_class_count(synth_task task);
/* Its folder in a set that has one for each: "ANGER" */
void synth_class_folder(char dst[SYNTH_FOLDER_BYTES], synth_task task, int index);
/* "ANGER/000001.jpg" */
void synth_face_name(char *dst, size_t bytes, const synth_options *options, int64_t number);

#endif
