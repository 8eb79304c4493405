/* Fewer vertices for the same shape. Those that stay are a subset, at their places, so displacements of a mesh remain
 * right for what is left of it. */
#ifndef SYNTH_SIMPLIFY_H
#define SYNTH_SIMPLIFY_H

#include "base/status.h"
#include "synth/mesh/vec.h"

#include <stdint.h>

#define SIMPLIFY_GONE UINT8_MAX

typedef struct {
    int vertex_count, triangle_count, pose_count;
    uint32_t *triangles; /* [triangle_count, 3] */
    uint8_t *part;       /* [triangle_count]; a border between parts stays where it is. SIMPLIFY_GONE: no triangle */
    const vec3 *poses;   /* [pose_count, vertex_count] shapes that are to be kept, the first the one at rest */
    const float *weight; /* [vertex_count] how much an error matters there */
} simplify_mesh;

/* Takes vertices out, those first that are missed least, until `wanted` are in use or no more can go. Triangles that
 * vanish become SIMPLIFY_GONE. */
MIEN_MUST_USE mien_status simplify(simplify_mesh *m, int wanted);

#endif
