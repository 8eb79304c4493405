/* The part of Wavefront OBJ that head meshes use: v, vt, g and faces of four corners. */
#ifndef SYNTH_WAVEFRONT_H
#define SYNTH_WAVEFRONT_H

#include "base/arena.h"
#include "base/status.h"
#include "synth/mesh/vec.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int vertex_count, uv_count, quad_count, group_count;
    vec3 *vertices;      /* [vertex_count] */
    float *uv;           /* [uv_count, 2] */
    uint32_t *quads;     /* [quad_count, 4] vertex indices from 0 */
    uint32_t *quad_uv;   /* [quad_count, 4] uv indices from 0 */
    uint16_t *group;     /* [quad_count] index into groups */
    const char **groups; /* [group_count] names in order of appearance */
} wavefront_mesh;

/* Parses `length` bytes (NUL-terminated beyond them); everything lies in `memory`. Lines of other kinds are skipped.
 * Errors MIEN_ERR_FORMAT "where: line N: ...": a number that is none, a face that has not four corners v/vt, an index
 * out of range. */
MIEN_MUST_USE mien_status wavefront_parse(wavefront_mesh *out, arena *memory, const char *text, size_t length,
                                          const char *where);

/* A MakeHuman target: lines "vertex dx dy dz", # comments. visit is called for each line, in file order.
 * Errors MIEN_ERR_FORMAT "where: line N: ...": malformed line, vertex at or above vertex_count. */
MIEN_MUST_USE mien_status target_parse(const char *text, size_t length, int vertex_count, const char *where,
                                       void (*visit)(void *context, uint32_t vertex, vec3 delta), void *context);

#endif
