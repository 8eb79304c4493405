#ifndef SYNTH_CLIP_H
#define SYNTH_CLIP_H

#include "synth/set/plan.h"

/* Turns a face as it looks at the apex into frame `frame` of `frames`: the expression comes and goes, the mouth speaks,
 * eyes blink and wander, the head moves a little. Labels are the frame's own. The stream is the clip's. */
void clip_move(synth_face *face, const head *h, rng *r, int frame, int frames);

#endif
