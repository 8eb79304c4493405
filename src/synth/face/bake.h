/* Light that a head keeps from itself, computed once when a face model is packed. */
#ifndef SYNTH_BAKE_H
#define SYNTH_BAKE_H

#include "synth/face/face_model.h"

/* Fills occlusion [V] of a model whose mesh is set: the cosine-weighted share of the sky that each vertex sees past the
 * mesh itself, from depth pictures out of directions spread over the sphere. Lashes shade nothing. */
MIEN_MUST_USE mien_status bake_occlusion(face_model *face);

/* normals [V]: unit, smooth (the mean of the adjoining quads by area); zero where a vertex has no quad. */
void mesh_normals(vec3 *normals, const vec3 *vertices, int vertex_count, const uint32_t *quads, int quad_count);

#endif
