#ifndef SYNTH_LABELS_H
#define SYNTH_LABELS_H

#include "base/str.h"
#include "synth/set/plan.h"

/* labels.csv: the header line, and a line per face. Places after the point are fixed, so equal faces give equal bytes.
 * What is not told is written as the challenge's files do: -5 for valence and arousal, -1 for an expression and its
 * intensity, -1 for action units, their levels and the units' weights, which give them away. */
MIEN_MUST_USE mien_status labels_header(str *out);
MIEN_MUST_USE mien_status labels_row(str *out, const char *image, const synth_face *f, const person *who,
                                     synth_told told);

#endif
