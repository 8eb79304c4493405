/* The part of Wavefront OBJ that head meshes use: v, vt, g and faces of three or four corners. */
#ifndef SYNTH_WAVEFRONT_H
#define SYNTH_WAVEFRONT_H

#include "base/arena.h"
#include "base/status.h"
#include "synth/mesh/vec.h"

#include <stddef.h>
#include <stdint.h>

#define WAVEFRONT_NO_CORNER UINT32_MAX

typedef struct {
    int vertex_count, uv_count, quad_count, group_count;
    vec3 *vertices;      /* [vertex_count] */
    float *uv;           /* [uv_count, 2] */
    uint32_t *quads;     /* [quad_count, 4] vertex indices from 0; WAVEFRONT_NO_CORNER fourth in a triangle */
    uint32_t *quad_uv;   /* [quad_count, 4] uv indices from 0, or the same */
    uint16_t *group;     /* [quad_count] index into groups */
    const char **groups; /* [group_count] names in order of appearance */
} wavefront_mesh;

/* least_corners: 4, or 3 where triangles may come too.
 * Parses `length` bytes (NUL-terminated beyond them); everything lies in `memory`. Lines of other kinds are skipped.
 * Errors MIEN_ERR_FORMAT "where: line N: ...": a number that is none, a face that has other corners than three or four
 * v/vt, an index out of range. */
MIEN_MUST_USE mien_status wavefront_parse(wavefront_mesh *out, arena *memory, const char *text, size_t length,
                                          int least_corners, const char *where);

/* A MakeHuman target: lines "vertex dx dy dz", # comments. visit is called for each line, in file order.
 * Errors MIEN_ERR_FORMAT "where: line N: ...": malformed line, vertex at or above vertex_count. */
MIEN_MUST_USE mien_status target_parse(const char *text, size_t length, int vertex_count, const char *where,
                                       void (*visit)(void *context, uint32_t vertex, vec3 delta), void *context);

#endif
