/* A set's tables, labels.csv and landmarks.csv, written while its pictures are: in the set's order, whichever thread is
 * done first, into labels.csv.part and landmarks.csv.part, which get their names when the set is whole. An interrupted
 * set keeps the parts, and goes on after the last rows that both have. */
#ifndef SYNTH_ROWS_H
#define SYNTH_ROWS_H

#include "base/str.h"
#include "synth/set/plan.h"

#define ROWS_TABLES 2 /* labels, landmarks */

typedef struct rows rows;

/* With resume goes on with what the folder holds; otherwise begins anew. Pictures are taken synth_row at a time. */
MIEN_MUST_USE mien_status rows_open(rows **out, const synth_options *options);
/* Of how many runs of pictures, from the first on, the rows are there already. */
int64_t rows_kept(const rows *w);
/* Of how many the rows are there by now. */
int64_t rows_written(rows *w);
/* Takes over the texts of a run that is not kept; waits while it is far ahead of those before it, and
 * drops them where it would have to wait after rows_stop. */
MIEN_MUST_USE mien_status rows_add(rows *w, int64_t run, str text[ROWS_TABLES]);
/* Nothing more will come: nobody waits any longer. */
void rows_stop(rows *w);
/* The tables get their names, labels.csv last. */
MIEN_MUST_USE mien_status rows_commit(rows *w);
void rows_free(rows *w); /* keeps the parts; NULL is a no-op */

#endif
