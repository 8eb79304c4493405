/* A smooth map of space through pairs of places: the least bent one (a radial spline with kernel r and an affine part).
 */
#ifndef SYNTH_WARP_H
#define SYNTH_WARP_H

#include "base/status.h"
#include "synth/mesh/vec.h"

typedef struct {
    int count;
    vec3 *from;   /* [count] borrowed */
    double *bend; /* [count + 4, 3] weights of the kernels, then of 1, x, y, z */
} warp;

/* The map that takes each from[i] to to[i]; at least four pairs that do not lie in one plane, none twice.
 * Errors MIEN_ERR_ARG where they do. */
MIEN_MUST_USE mien_status warp_create(warp *out, vec3 *from, const vec3 *to, int count);
void warp_free(warp *w);
vec3 warp_apply(const warp *w, vec3 p);

#endif
