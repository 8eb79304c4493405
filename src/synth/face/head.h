/* What every face drawn from one model shares: its triangles, a neck below the cut, and how each vertex takes colour.
 * Built once, read by all threads. */
#ifndef SYNTH_HEAD_H
#define SYNTH_HEAD_H

#include "format/face_labels.h"
#include "synth/face/face_model.h"
#include "synth/face/landmarks.h"

#include <stdint.h>

#define NECK_RINGS 6 /* rows of vertices below the rim of the cut */

/* What a triangle is made of. */
typedef enum {
    MATERIAL_SKIN,
    MATERIAL_MOUTH,
    MATERIAL_EYE_LEFT,
    MATERIAL_EYE_RIGHT,
    MATERIAL_TEETH,
    MATERIAL_TONGUE,
    MATERIAL_CLOTH,
    MATERIAL_COUNT,
} material;

typedef struct head {
    const face_model *face;     /* borrowed */
    const struct head *next;    /* of the heads that a set's people have, each of another model; NULL: the last */
    int vertex_count;           /* the model's vertices, then the neck's rings */
    int quad_count, neck_first; /* quads; the first that hangs below the cut */
    vec3 *rest;                 /* [vertex_count] places on MakeHuman's neutral head: where colour is decided */
    float *occlusion;           /* [vertex_count] */
    uint32_t *quads;            /* [quad_count, 4] opaque surfaces only */
    uint8_t *quad_material;     /* [quad_count] */
    uint32_t *triangles;        /* [2 quad_count, 3] */
    uint32_t *lash_triangles;   /* [lash_count, 3] */
    int lash_count;
    uint32_t *rim; /* [rim_count] vertices around the cut, in order */
    int rim_count;
    vec3 eye_middle[2];        /* rest centres of the eyeballs: left, right */
    uint32_t *eye_vertices[2]; /* [eye_vertex_count[i]] */
    float *eye_weights[2];     /* [eye_vertex_count[i]] share of the ball's surface, sum 1 */
    int eye_vertex_count[2];
    uint32_t lip_upper, lip_lower; /* vertices in the middle of the lips' inner edges: their gap is AU25 */
    float lip_part[UNIT_COUNT];    /* decimetres by which a unit at weight 1 parts them */
    int unit[UNIT_COUNT];          /* target of each expression unit in the model */
    head_landmarks landmarks;
    struct arena *memory;
} head;

/* Errors MIEN_ERR_FORMAT "SOURCE: expression unit jawOpen is missing" and where eyes, lips or the neck's rim cannot be
 * found. */
MIEN_MUST_USE mien_status head_create(head **out, const face_model *face);
void head_free(head *h); /* NULL is a no-op */
/* Of the heads from h on, the one of that model; h itself where there is none. */
const head *head_of(const head *h, const face_model *face);
/* How many identity weights a person of any of them has at most. */
int head_weights(const head *h);

/* shape [vertex_count] = the face at rest + identity weights [face->identity.count] (NULL: all zero), and the neck
 * below. */
void head_shape(const head *h, vec3 *shape, const float *identity);
/* posed [vertex_count] = shape + unit weights [UNIT_COUNT], and the neck below. */
void head_pose(const head *h, vec3 *posed, const vec3 *shape, const float *units);
/* The gap between the lips in decimetres, beyond the neutral head's own. */
float head_lip_gap(const head *h, const float *units);
/* The middle of an eyeball: the mean over its surface, however its vertices are spread; side 0 left, 1 right. */
vec3 head_eye_middle(const head *h, const vec3 *posed, int side);

#endif
