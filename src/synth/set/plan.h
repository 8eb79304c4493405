#ifndef SYNTH_PLAN_H
#define SYNTH_PLAN_H

#include "synth/draw/look.h"
#include "synth/draw/marks.h"
#include "synth/set/expression.h"
#include "synth/set/synth.h"

#define SYNTH_FOLDER_BYTES 16
#define SYNTH_NAME_BYTES 64

/* Everything that decides one face of a set, and where it came to lie. A picture shows one, or a crowd of them. */
typedef struct {
    int64_t number; /* 0.. in the set: the picture's, but of crowds */
    int64_t identity;
    face_expression expression;
    shot shot;
    face_marks marks; /* zero until it is drawn */
} synth_face;

/* How many faces a picture shows, and the number of one of them. */
int synth_face_count(const synth_options *options, int64_t picture);
int64_t synth_face_number(const synth_options *options, int64_t picture, int place);
/* Draws face `number`: class, identity, expression and shot. The person comes from synth_person; `who` must be it. Of a
 * crowd the shot is one for a picture of its own (crowd_place). */
void synth_face_draw(synth_face *out, const synth_options *options, const head *h, const person *who, int64_t number);
/* Which identity face `number` shows, and who that is, with one of the heads from h on. weights [head_weights(h)] */
int64_t synth_identity(const synth_options *options, int64_t number);
void synth_person(person *out, float *weights, const synth_options *options, const head *h, int64_t identity);
/* Which of a face's labels are told. */
typedef struct {
    bool va, expression, au;
} synth_told;
synth_told synth_labels_told(const synth_options *options, int64_t number);
/* How many people a set shows. */
int64_t synth_people(const synth_options *options);
/* How many pictures in a row show one person, or how many a thread takes at a time. */
int64_t synth_row(const synth_options *options);
/* Folders of a set that has one for each class, or 0, and their names: "ANGER" */
int synth_class_folders(synth_task task);
void synth_class_folder(char dst[SYNTH_FOLDER_BYTES], synth_task task, int index);
/* "ANGER/000001.jpg", "000012/000001.jpg" or "clip_000001/000001.jpg" */
void synth_picture_name(char dst[SYNTH_NAME_BYTES], const synth_options *options, int64_t picture);
/* The stream of a face, or of what else has a number; epochs are below. */
rng synth_stream(const synth_options *options, uint32_t epoch, int64_t number);
#define SYNTH_FACE_EPOCH 0
#define SYNTH_PERSON_EPOCH 1 /* (seed, 1, identity) for people, whichever set they are in */
#define SYNTH_HEAD_EPOCH 5   /* (seed, 5, identity) for whose head a person has */
#define SYNTH_WORN_EPOCH 4   /* what faces wear */
#define SYNTH_CLIP_EPOCH 6
#define SYNTH_CROWD_EPOCH 7
#define SYNTH_SHEET_EPOCH 8

#endif
