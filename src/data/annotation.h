/* Pictures and what is known of each for several tasks: valence and arousal, an expression, action units and their
 * levels, the 52 expression units' weights, head pose, gaze. A missing value is a bit of a mask, never a number: how
 * files write it (-5, -1, an empty field) is known to their reader alone. Compact: the challenge's 142,333 pictures
 * open in well under a second and cost under 50 MB. */
#ifndef DATA_ANNOTATION_H
#define DATA_ANNOTATION_H

#include "data/dataset.h"
#include "data/list.h"
#include "data/picture_maker.h"
#include "format/face_labels.h"

typedef enum {
    ANNOTATION_VA,         /* valence, arousal: -1..1 */
    ANNOTATION_EXPRESSION, /* a number of expression_names */
    ANNOTATION_AU,         /* the challenge's twelve: 0 or 1 */
    ANNOTATION_AU_LEVEL,   /* of all eighteen: 0..1 */
    ANNOTATION_UNITS,      /* weights: 0..1 */
    ANNOTATION_POSE,       /* yaw, pitch, roll: degrees, -180..180 */
    ANNOTATION_GAZE,       /* yaw, pitch of the left eye, of the right: likewise */
    ANNOTATION_KINDS,
} annotation_kind;

typedef struct {
    const char *name;           /* for people: "action units" */
    int width;                  /* values a picture, at most 64 */
    const char *const *columns; /* [width] as files name them */
    float low, high;            /* what values may be ... */
    bool is_whole;              /* ... and whether without a fraction */
} annotation_form;
extern const annotation_form annotation_forms[ANNOTATION_KINDS];

/* Rows that were read from one place. */
typedef struct {
    char *source;               /* the file or folder as named, for messages; owned, like all below */
    char *root;                 /* the folder that names are relative to: "" or ending in a slash */
    char *fallback;             /* likewise, of pictures that cannot be opened there; NULL: none */
    int64_t begin;              /* the first of them; they end where the next part begins */
    bool is_by_class;           /* a folder per expression */
    const picture_maker *maker; /* of pictures that are no files (borrowed); NULL: they are */
} annotation_part;

typedef struct {
    annotation_part *parts; /* [part_count] owned, like all below: one, unless sets were put together */
    int part_count;
    label_list rows;                   /* names and lines, in file order; what was left out; every label is 0 */
    float *values[ANNOTATION_KINDS];   /* [count, width], 0 where missing; NULL: nothing of the kind is known */
    uint64_t *known[ANNOTATION_KINDS]; /* [count] bit i: value i is there */
} annotations;

/* Bits of the values that are known of a picture. */
static inline uint64_t annotation_known(const annotations *a, annotation_kind kind, int64_t row)
{
    return a->known[kind] ? a->known[kind][row] : 0;
}
/* [width]; only where something is known. */
static inline const float *annotation_values(const annotations *a, annotation_kind kind, int64_t row)
{
    return a->values[kind] + row * annotation_forms[kind].width;
}
/* All bits of a kind. */
static inline uint64_t annotation_all(annotation_kind kind)
{
    return UINT64_MAX >> (64 - annotation_forms[kind].width);
}

typedef enum {
    ANNOTATIONS_TRAIN,
    ANNOTATIONS_EVALUATE,   /* a folder with `train` and `val`: which one is read */
    ANNOTATIONS_STRICT = 2, /* added to either: folders and words that are no expression are refused, not left out */
} annotations_use;

/* path is one of
 * - a file, its images below its folder. Either the challenge's form: `image,valence,arousal,expression,aus`, then 16
 *   fields a row, with the header or without. Or named columns in any order: a name (image, image_path, path, file,
 *   filename) and any of valence, arousal, expression (label, class), AU01 (AU1) .. AU26, AU01_i .., yaw, pitch, roll,
 *   gaze_left_yaw .., browDownLeft .. tongueOut; others are ignored. Or `path,label` (data/list.h), the labels
 *   expressions. Missing are: -5 for valence and arousal, -1 for all else but angles, and empty fields of named
 *   columns. An expression is a number 0..7 or a name (data/label.h). Valence without arousal is kept, and no picture
 *   of the VA subset.
 * - a folder with a labels.csv: that file.
 * - a folder with a folder per expression, which need not be all eight.
 * - a folder with `train` and `val` of either.
 * CRLF, a BOM, spaces after commas, semicolons or tabs for commas are accepted. Each picture is there once. Opening
 * reads no picture. Errors MIEN_ERR_FORMAT "set.txt: line 7: valence 1.5 (wanted -1..1, or -5 where it is missing)"
 * and alike: another number of fields than the header promises, a value out of its range, a name twice, an absolute one
 * or one that leads out of the images' folder; a file without rows or without labels. Free with annotations_free. */
MIEN_MUST_USE mien_status annotations_open(annotations *out, const char *path, annotations_use use);
/* The `val` beside what training reads of a train/val folder, as a path (caller: mem_free); NULL: there is none. */
MIEN_MUST_USE mien_status annotations_validation(char **out, const char *path);
/* A file alone. must_be_whole: predictions, in which nothing may be missing and the challenge's three tasks are
 * answered. */
MIEN_MUST_USE mien_status annotations_read(annotations *out, const char *path, bool must_be_whole, bool is_strict);
/* The same from a reader that has just been opened, as rows of no part; the caller closes it. */
MIEN_MUST_USE mien_status annotations_parse(annotations *out, csv_reader *r, bool must_be_whole, bool is_strict);
/* Pictures that are made (borrowed), in order of their numbers, with the labels of epoch 0. */
MIEN_MUST_USE mien_status annotations_open_made(annotations *out, const picture_maker *maker);
/* Labels of pictures that are made anew are an epoch's now. */
MIEN_MUST_USE mien_status annotations_renew(annotations *a, uint32_t epoch);
void annotations_free(annotations *a); /* and empties it */

/* The part that a row is of. */
const annotation_part *annotation_part_of(const annotations *a, int64_t row);
/* The file that a row's picture is read from, into dst; too small is MIEN_ERR_ARG. */
MIEN_MUST_USE mien_status annotation_path(const annotations *a, int64_t row, char *dst, size_t bytes);
/* The same below its fallback, which it has. */
MIEN_MUST_USE mien_status annotation_fallback_path(const annotations *a, int64_t row, char *dst, size_t bytes);
/* Pictures of a set that has one part lie below `folder` (copied); and those that cannot be opened there. */
MIEN_MUST_USE mien_status annotations_set_root(annotations *a, const char *folder);
MIEN_MUST_USE mien_status annotations_set_fallback(annotations *a, const char *folder);
/* Puts the rows of `more` behind a's, each with what its own set knows of it; names may come up in both, since their
 * folders differ. `more` is emptied, also where it fails; a is then as it was. */
MIEN_MUST_USE mien_status annotations_append(annotations *a, annotations *more);

/* Those of `items` (NULL: all) that a task learns from, in their order: of which every value of the kind is known, or
 * any where is_partial. */
MIEN_MUST_USE mien_status annotation_subset(subset *out, const annotations *a, const subset *items,
                                            annotation_kind kind, bool is_partial);

/* Targets of a batch as losses want them: values and mask [count, width] of those pictures (-1: none, masked). Where
 * not is_partial, a picture of which a value is missing is masked as a whole, as it is no part of the subset. */
void annotation_fill(float *values, uint8_t *mask, const annotations *a, annotation_kind kind, const int64_t *pictures,
                     int count, bool is_partial);
/* The same of expressions, as labels [count] and mask [count]. */
void annotation_fill_labels(int32_t *labels, uint8_t *mask, const annotations *a, const int64_t *pictures, int count);

/* How often each expression is there, and each of the challenge's AUs inactive and active. */
typedef struct {
    int64_t expression[EXPRESSION_COUNT];
    int64_t au[CHALLENGE_AU_COUNT][2];
} annotation_counts;
/* Over the subsets that learn the two (NULL: none). */
void annotation_count(annotation_counts *out, const annotations *a, const subset *expression, const subset *au);
/* The published losses' weights: of a class n_other / n (the largest n where there is no `other`; 1 where the class
 * is not there), of an active AU inactive / active (1 where either is not there). */
void annotation_class_weights(float weights[EXPRESSION_COUNT], const annotation_counts *counts);
void annotation_au_weights(float weights[CHALLENGE_AU_COUNT], const annotation_counts *counts);

#endif
