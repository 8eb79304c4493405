/* Hats, scarves, hands and other things over a face: one mesh, built anew for each picture around the posed head. */
#ifndef SYNTH_OCCLUDER_H
#define SYNTH_OCCLUDER_H

#include "synth/draw/setting.h"

typedef enum {
    STUFF_CLOTH,
    STUFF_KNIT,
    STUFF_FINGER,
    STUFF_PALM,
    STUFF_HARD, /* plastic, metal, glaze */
} stuff;

typedef struct {
    vec3 position, normal; /* camera space */
    vec3 light;            /* diffuse light that arrives */
    vec3 colour;
    float across, along; /* texture; of a finger: around, from knuckle to tip 0..1 */
    float depth;         /* decimetres inside the edge; negative: not there */
    float shadow;
} occluder_point;

typedef struct {
    occluder_point *points;
    uint32_t *triangles; /* [triangle_count, 3] */
    uint8_t *stuff;      /* [triangle_count] */
    int *place;          /* [head vertices] scratch: the vertex's place in a shell, or -1 */
    int point_count, triangle_count, point_room, triangle_room;
} occluder_mesh;

MIEN_MUST_USE mien_status occluder_mesh_create(occluder_mesh *out, const head *h);
void occluder_mesh_free(occluder_mesh *m);

/* posed, normal: the head's; posed in model space, normal in camera space. face_middle: the model's place of camera
 * space's origin. Points get no light here. */
void occluder_build(occluder_mesh *m, const setting *s, const vec3 *posed, const vec3 *normal, vec3 face_middle);
/* Light that arrives at a point, from its normal and shadow. */
vec3 occluder_light(const setting *s, const occluder_point *p);
/* Colour of an interpolated point; its share of the sample goes to *cover, 0..1. */
vec3 occluder_shade(const setting *s, const occluder_point *at, stuff of, float *cover);

/* For the files that build parts (headwear.c, hand.c). */
typedef struct {
    occluder_mesh *m;
    const setting *s;
    const vec3 *posed, *normal;
    vec3 face_middle;
} occluder_work;

/* A section of a loft: an ellipse around `middle` with half axes `side` and `up`, model space. */
typedef struct {
    vec3 middle, side, up;
} loft_ring;
/* A skin around rings; across goes 0..1 around a ring, along from the first ring to the last. */
void add_loft(occluder_work *w, const loft_ring *rings, int count, int segments, vec3 colour, stuff of);
uint32_t add_point(occluder_work *w, vec3 position, vec3 normal, vec3 colour, float across, float along, float depth);
void add_quad(occluder_work *w, uint32_t a, uint32_t b, uint32_t c, uint32_t d, stuff of);
/* The foremost z of skin near (x, y), within `reach` decimetres; `otherwise` where there is none. */
float front_z(const occluder_work *w, float x, float y, float reach, float otherwise);

void add_headwear(occluder_work *w); /* hats, headphones */
void add_scarf(occluder_work *w);    /* and masks */
void add_hands(occluder_work *w);    /* and what they hold */

#endif
