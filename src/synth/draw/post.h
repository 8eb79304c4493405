#ifndef SYNTH_POST_H
#define SYNTH_POST_H

#include "image/image.h"
#include "synth/draw/look.h"

/* What lens and sensor add: blur and grain. room: a second picture's worth of memory, reused from call to call. */
MIEN_MUST_USE mien_status post_apply(image *im, const shot *how, image *room);

#endif
