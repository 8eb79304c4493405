#ifndef SYNTH_SHEET_H
#define SYNTH_SHEET_H

#include "synth/face/head.h"
#include "synth/set/synth.h"

/* Writes options->sheet: the first SYNTH_SHEET_ROWS identities, a row each, in the six expressions, under one studio
 * light. */
MIEN_MUST_USE mien_status sheet_write(const synth_options *options, const head *h);

#endif
