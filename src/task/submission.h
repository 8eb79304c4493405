/* The challenges' prediction files: a list of pictures in, a row for each of them out, in the list's order. */
#ifndef TASK_SUBMISSION_H
#define TASK_SUBMISSION_H

#include "base/file.h"
#include "data/list.h"
#include "format/face_labels.h"

/* A label that is not known (yet). */
#define SUBMISSION_UNKNOWN UINT16_MAX

/* The pictures of a challenge's list: a name a line, below the folder of its images; after a header (`image`, alone or
 * as the first of several columns' names) or without. Blanks around names, blank lines, CRLF and a BOM do not matter.
 * All labels are SUBMISSION_UNKNOWN. Errors MIEN_ERR_FORMAT, naming the line: a name twice, an absolute one, one that
 * leads out of the folder (`..`); and a list without names. Free with list_free. */
MIEN_MUST_USE mien_status submission_read_list(label_list *out, const char *path);

/* Gives pictures whose label is unknown the most frequent of the others' (of equals the first); *filled that many, and
 * *fallback that label. false where no label is known. */
bool submission_fill(label_list *rows, int class_count, int64_t *filled, int *fallback);

/* `image,expression`, then a row a picture, the expression as its number: what score_lsd and the challenge read. */
MIEN_MUST_USE mien_status submission_write_lsd(file_writer *w, const label_list *rows);

/* `image,valence,arousal,expression,aus`, then 16 fields a picture, what score_mtl and the challenge read: va
 * [rows->count, 2] held within -1..1, the expression as its number (rows' label), the twelve action units au
 * [rows->count, 12] as 0 and 1. A picture that was not read has zeros there and what submission_fill gave. Errors:
 * MIEN_ERR_ARG for a valence or arousal that is no number. */
MIEN_MUST_USE mien_status submission_write_mtl(file_writer *w, const label_list *rows, const float *va,
                                               const uint8_t *au);

#endif
