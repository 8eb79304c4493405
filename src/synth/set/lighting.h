/* How faces are lit where pictures are taken: a few set-ups, each a row of ranges, and which backgrounds go with them.
 */
#ifndef SYNTH_LIGHTING_H
#define SYNTH_LIGHTING_H

#include "base/rng.h"
#include "synth/draw/look.h"

/* "keys", "soft", ..., NULL. The first is no set-up: lights as the scene's other keys say. */
extern const char *const lighting_names[];

/* Sets s' lights and exposure from the row; numbers come from r. Nothing for the first. */
void lighting_draw(shot *s, int which, const person *who, rng *r);
/* Factors [BACKGROUND_KINDS] on how likely backgrounds are under that light. */
const float *lighting_backgrounds(int which);
/* Draws how bright such a background is, times what it is else. */
float lighting_background_level(int which, rng *r);

/* A direction toward a light: azimuth beside the camera and elevation above it, degrees. */
vec3 light_direction(float azimuth, float elevation);
/* A light's colour by its warmth: -1 blue sky .. 1 a lamp at home; luminance about 1. */
vec3 light_warm(float warmth);
float light_luminance(vec3 c);

#endif
