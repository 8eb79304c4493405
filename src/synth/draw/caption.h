/* Lines and letters over a picture: watermarks, scratches. What is drawn gathers in a picture of cover and is blended
 * at once, so that strokes that cross are no denser there. */
#ifndef SYNTH_CAPTION_H
#define SYNTH_CAPTION_H

#include "image/image.h"
#include "synth/mesh/vec.h"

#include <stdbool.h>

typedef struct {
    float *cover; /* [height, width] 0..1 */
    int width, height;
    size_t capacity;
} caption;

void caption_free(caption *c);
/* An empty one of that size. */
MIEN_MUST_USE mien_status caption_start(caption *c, int width, int height);
/* From (x0, y0) to (x1, y1) in pixels, `width` pixels thick. */
void caption_line(caption *c, float x0, float y0, float x1, float y1, float width);
/* Draws a text that begins at (x, y), the left end of its base line; letters are `height` pixels tall, and the base
 * line rises by `angle` (radians). a..z, 0..9, dot, dash, at sign; all else is blank. */
void caption_text(caption *c, const char *text, float x, float y, float height, float angle, float thick);
/* How far that reaches, in pixels. */
float caption_length(const char *text, float height);
/* Blends `level` (0..255) into the picture where something was drawn. */
void caption_blend(const caption *c, image *im, float level, float opacity);

#endif
