#ifndef SYNTH_LABELS_H
#define SYNTH_LABELS_H

#include "base/str.h"
#include "synth/synth.h"

/* labels.csv: the header line, and a line per face. Places after the point are fixed, so equal faces give equal bytes.
 */
MIEN_MUST_USE mien_status labels_header(str *out);
MIEN_MUST_USE mien_status labels_row(str *out, const char *image, const synth_face *f, const person *who);

#endif
