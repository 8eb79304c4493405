#ifndef SYNTH_LABELS_H
#define SYNTH_LABELS_H

#include "base/str.h"
#include "synth/set/plan.h"

/* labels.csv and landmarks.csv: the header line, and a line per face; `place` is its number in a crowd. Places after
 * the point are fixed, so equal faces give equal bytes. What is not told is written as the challenge's files do: -5 for
 * valence and arousal, -1 for an expression, its intensity and probabilities, -1 for action units, their levels and the
 * units' weights, which give them away. */
MIEN_MUST_USE mien_status labels_header(str *out, const synth_options *options);
MIEN_MUST_USE mien_status labels_row(str *out, const synth_options *options, const char *image, int place,
                                     const synth_face *f, const person *who, synth_told told);
MIEN_MUST_USE mien_status landmarks_header(str *out, const synth_options *options);
MIEN_MUST_USE mien_status landmarks_row(str *out, const synth_options *options, const char *image, int place,
                                        const synth_face *f);

#endif
