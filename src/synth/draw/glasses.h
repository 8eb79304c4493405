/* Glasses: two rims, a bridge, temples and the lenses' faint reflection, placed by the posed eyes. */
#ifndef SYNTH_GLASSES_H
#define SYNTH_GLASSES_H

#include "synth/draw/setting.h"

#define GLASSES_SEGMENTS 28 /* of a rim */
#define GLASSES_POINTS (2 * (3 * GLASSES_SEGMENTS + 1) + 2 * 4 + 4 + 2 * 8)
#define GLASSES_TRIANGLES (2 * 3 * GLASSES_SEGMENTS + 2 * 2 + 2 + 2 * 12)

typedef struct {
    vec3 position; /* camera space */
    vec3 colour;   /* lit */
    float cover;   /* 1 the frame; less for a lens */
} glasses_point;

typedef struct {
    glasses_point points[GLASSES_POINTS];
    uint32_t triangles[3 * GLASSES_TRIANGLES];
    int point_count, triangle_count;
} glasses_mesh;

/* Lenses come first, so that frames are drawn over them. */
void glasses_build(glasses_mesh *m, const setting *s);

#endif
