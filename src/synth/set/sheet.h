/* Sheets show what a set will look like before it is drawn, or one thing in all its degrees: pages of faces to look at.
 */
#ifndef SYNTH_SHEET_H
#define SYNTH_SHEET_H

#include "synth/face/head.h"
#include "synth/set/synth.h"

/* Writes options->sheet, of options->sheet_kind. */
MIEN_MUST_USE mien_status sheet_write(const synth_options *options, const head *h);

/* Writes options->quiz, a page of numbered faces as the task's sets have them, and beside it "NAME-answers.png", the
 * same with what each shows. */
MIEN_MUST_USE mien_status quiz_write(const synth_options *options, const head *h);

#endif
