/* ICT-FaceKit light as it is published, read and checked: every array has the size that the others imply, every index
 * is in range, every number finite. What of it makes a face model is pack_ict.c's business. */
#ifndef SYNTH_ICT_SOURCE_H
#define SYNTH_ICT_SOURCE_H

#include "base/arena.h"
#include "base/status.h"
#include "synth/mesh/vec.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int vertex_count, quad_count, uv_count, mode_count, unit_count;
    vec3 *neutral;           /* [vertex_count] centimetres */
    vec3 *identity;          /* [mode_count, vertex_count] displacements at one standard deviation */
    vec3 *expression;        /* [unit_count, vertex_count] displacements at weight 1 */
    const char **unit_names; /* [unit_count], unique: "browDown_L" */
    int32_t *quads;          /* [quad_count, 4]; the fourth corner of a triangle is -1 */
    int32_t *quad_uv;        /* [quad_count, 4] indices into uv, -1 where quads has it */
    float *uv;               /* [uv_count, 2] */
} ict_source;

/* Reads FaceXModel, the folder of OBJ meshes that USC publishes: generic_neutral_mesh.obj, identity000.obj and on, and
 * one mesh for each expression, under its name. Everything lies in `memory`.
 * Errors MIEN_ERR_IO, MIEN_ERR_FORMAT "FaceXModel/jawOpen.obj: 5 vertices (wanted 26719, as generic_neutral_mesh.obj)".
 */
MIEN_MUST_USE mien_status ict_source_load_folder(ict_source *out, arena *memory, const char *folder);
#define ICT_NEUTRAL_MESH "generic_neutral_mesh.obj"

/* Reads the same data from one safetensors file: tensors neutral, identity, expression, faces, faces_uv, uv, and the
 * names of the expressions as metadata. Everything lies in `memory`. Errors MIEN_ERR_IO, MIEN_ERR_FORMAT
 * "ict.safetensors: faces: entry 7 is 70000 (wanted below 26719)". */
MIEN_MUST_USE mien_status ict_source_load(ict_source *out, arena *memory, const char *path);
/* The same over bytes in memory; `name` stands for the path in messages. */
MIEN_MUST_USE mien_status ict_source_load_bytes(ict_source *out, arena *memory, const void *bytes, size_t length,
                                                const char *name);

/* Index of an expression by name, -1 if there is none. */
int ict_source_find(const ict_source *source, const char *name);

#endif
