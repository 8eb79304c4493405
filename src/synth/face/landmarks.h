/* The 68 points that people mark on faces (iBUG's, Sagonas et al. 2013), as places on a head's surface that move with
 * it. */
#ifndef SYNTH_LANDMARKS_H
#define SYNTH_LANDMARKS_H

#include "base/status.h"
#include "synth/mesh/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define LANDMARK_COUNT 68
/* Where the parts begin, in iBUG's order less one: from the picture's left to its right, eyes and lips clockwise from
 * the left corner. */
#define LANDMARK_CHIN 8
#define LANDMARK_BROWS 17
#define LANDMARK_NOSE 27
#define LANDMARK_NOSE_TIP 30
#define LANDMARK_NOSTRILS 31
#define LANDMARK_EYE_RIGHT 36 /* the head's own right eye, on the picture's left */
#define LANDMARK_EYE_LEFT 42
#define LANDMARK_LIPS 48
#define LANDMARK_LIPS_INSIDE 60

/* A place on the surface: in a triangle, by the weights of its corners (sum 1). */
typedef struct {
    uint32_t corner[3];
    float weight[3];
} surface_point;

typedef struct {
    surface_point point[LANDMARK_COUNT];
    surface_point forehead; /* on the middle line, where a face's upper third ends */
    surface_point pupil[2]; /* left, right: where the gaze leaves the eyeball */
    int *brow_triangles;    /* [brow_triangle_count] of the skin where brows may be */
    int brow_triangle_count;
} head_landmarks;

struct head;
struct arena;

/* Finds them on the neutral head, seen from the front: eyes and the inner lips by the openings' outlines (lips: with
 * the jaw open), the outer lips by their mask, the jaw by the face's outline, the nose by its profile. Brows are drawn,
 * not modelled: theirs are a middling person's, and the renderer puts those of whom it draws in their place.
 * Errors MIEN_ERR_FORMAT "SOURCE: no opening of the left eye". */
MIEN_MUST_USE mien_status landmarks_find(head_landmarks *out, const struct head *h, struct arena *memory);
/* The foremost skin of the neutral head at a place where brows may be; false where there is none. */
bool landmarks_brow_at(surface_point *out, const struct head *h, float x, float y);

/* Where the place is while vertices are at `positions`. */
static inline vec3 surface_point_at(const surface_point *p, const vec3 *positions)
{
    vec3 at = v3_scale(positions[p->corner[0]], p->weight[0]);
    at = v3_madd(at, positions[p->corner[1]], p->weight[1]);
    return v3_madd(at, positions[p->corner[2]], p->weight[2]);
}

#endif
