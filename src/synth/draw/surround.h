/* Soft light from all around as a polynomial of the surface's direction: any number of windows, walls and skies costs a
 * vertex ten products. An area of light is what its directions up to the second order say (Ramamoorthi and Hanrahan
 * 2001, an efficient representation for irradiance environment maps): 1 % off for a sky, 6 % for a small lamp. */
#ifndef SYNTH_SURROUND_H
#define SYNTH_SURROUND_H

#include "synth/mesh/vec.h"

/* Light that arrives at a surface whose unit normal is (x, y, z). All 0: dark. */
typedef struct {
    vec3 even, x, y, z, xx, yy, zz, xy, yz, zx;
} surround;

/* Half of all directions each: above and below, with a soft change between. */
void surround_add_sky(surround *s, vec3 sky, vec3 ground);
/* An area around the direction `from` (unit), half_angle in radians (0 a point .. pi/2 half of everything); colour is
 * what it gives to a surface that faces it. */
void surround_add_area(surround *s, vec3 from, float half_angle, vec3 colour);
vec3 surround_light(const surround *s, vec3 normal);

#endif
