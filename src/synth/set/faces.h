/* A set's faces one after another in memory: pictures and their labels, drawn ahead by threads and handed out in order
 * of their numbers. Memory does not grow with the set. */
#ifndef SYNTH_FACES_H
#define SYNTH_FACES_H

#include "base/str.h"
#include "synth/set/drawer.h"

/* A column of a face's labels, as labels.csv has it. */
typedef struct {
    char name[32];
    const char *const *words; /* [word_count] of a column of classes, whose values are their numbers; else NULL */
    int word_count;
} face_column;

typedef struct faces faces;

typedef struct {
    const synth_options *options; /* borrowed; what says where to write is not looked at */
    const head *head;             /* borrowed */
    int rank, ranks;              /* this one's share: each ranks-th person's faces, from that of rank on */
    int threads;                  /* 0: all cores */
} faces_options;

/* What faces_next hands out. */
typedef struct {
    int64_t number;              /* in the set; -1: there are no more */
    const image *picture;        /* all below: valid until the next call; NULL where there are no more */
    char name[SYNTH_NAME_BYTES]; /* "ANGER/000001.jpg" */
    const float *values;         /* [columns] 0 where not told */
    const uint8_t *told;         /* [columns] 1: the label is told */
} faces_face;

/* Errors: MIEN_ERR_ARG for options that make no set, a rank outside 0..ranks - 1; MIEN_ERR_UNSUPPORTED for crowds. */
MIEN_MUST_USE mien_status faces_open(faces **out, const faces_options *options);
void faces_close(faces *f); /* NULL is a no-op */
/* The next face is the first of this share whose number is not below `number`. */
MIEN_MUST_USE mien_status faces_seek(faces *f, int64_t number);
/* Threads: one caller at a time. */
MIEN_MUST_USE mien_status faces_next(faces_face *out, faces *f);
int faces_column_count(const faces *f);
const face_column *faces_column(const faces *f, int index);

/* Appends labels.csv of faces first .. first + count - 1, named as those of a set that begins with them; what is known
 * of a face only once it is drawn (gaze, boxes) is left empty. */
MIEN_MUST_USE mien_status faces_table(str *out, const synth_options *options, const head *h, int64_t first,
                                      int64_t count);

/* Are these options a set's, whatever is done with it? Names the first that is not. */
MIEN_MUST_USE mien_status synth_check_set(const synth_options *o);

#endif
