#ifndef SYNTH_SET_FOLDER_H
#define SYNTH_SET_FOLDER_H

#include "synth/face/head.h"
#include "synth/set/synth.h"

/* Makes options->out ready to take a set: an empty folder with synth.json in it; with resume the folder of the same
 * options, untouched; with force whatever set is there is removed first (files that are not a set's stay). */
MIEN_MUST_USE mien_status set_folder_prepare(const synth_options *options, const head *h);

/* A number that differs where sets of these options do; never 0. */
MIEN_MUST_USE mien_status set_fingerprint(uint64_t *out, const synth_options *options, const head *h);

#endif
