/* Hair as sheets: shells that stand off the scalp layer by layer, and for long hair a curtain around the head. Each
 * sheet is drawn over what is there, thinned into strands by noise along and across the way it is combed. */
#ifndef SYNTH_HAIR_H
#define SYNTH_HAIR_H

#include "synth/draw/setting.h"

#define HAIR_LAYERS 4
#define HAIR_REACH (-0.16f) /* hair_depth of where sheets begin */
#define CURTAIN_COLUMNS 56
#define CURTAIN_ROWS 16

/* A corner of a sheet. */
typedef struct {
    vec3 position, normal; /* camera space */
    vec3 light;            /* diffuse light, as a surface's */
    vec3 flow;             /* direction of the strands, camera space */
    float across, along;   /* strand coordinates, about one strand per unit across */
    float depth;           /* decimetres inside the hair's edge; negative: outside */
    float layer;           /* 0 on the scalp .. 1 outermost */
    float shadow;
    float spare[3]; /* a whole number of vectors: blend_corners */
} hair_point;
_Static_assert(sizeof(hair_point) % 16 == 0, "blend_corners takes whole vectors");

typedef struct {
    hair_point *points;
    uint32_t *triangles; /* [triangle_count, 3], inner layers first */
    int point_count, triangle_count;
    int sheet_count, sheet_begin[HAIR_LAYERS + 2]; /* first triangle of each sheet, in the order they are drawn */
    int *scalp;                                    /* [head vertices] scratch: the vertex's place in a layer, or -1 */
} hair_mesh;

/* Room for the sheets of any person on this head. */
MIEN_MUST_USE mien_status hair_mesh_create(hair_mesh *out, const head *h);
void hair_mesh_free(hair_mesh *m);

/* Builds the sheets of s->who. hair_depths: hair_depth of each vertex; position, normal, light, shadow: the posed
 * head's. */
void hair_build(hair_mesh *m, const setting *s, const float *hair_depths, const vec3 *position, const vec3 *normal,
                const vec3 *light, const float *shadow);

/* How far inside the hairline a place of the neutral head lies, decimetres; negative on bare skin. */
float hair_depth(vec3 rest, const person *who);

/* Colour of hair at an interpolated point; its share of the sample goes to *cover, 0..1. */
vec3 hair_shade(const setting *s, const hair_point *at, float *cover);

#endif
