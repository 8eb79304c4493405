/* What stands behind the head: a few kinds of places, built of rectangles, discs and noise, out of focus. */
#ifndef SYNTH_BACKGROUND_H
#define SYNTH_BACKGROUND_H

#include "base/status.h"
#include "synth/draw/caption.h"
#include "synth/draw/look.h"

typedef struct {
    vec3 *pixels, *spare; /* [side, side] linear light as the picture shows it, whatever its exposure */
    int side;
    caption letters;
} background;

MIEN_MUST_USE mien_status background_create(background *out, int side);
void background_free(background *b);
/* Paints how->back_kind. The same shot gives the same pixels. */
MIEN_MUST_USE mien_status background_paint(background *b, const shot *how);

#endif
