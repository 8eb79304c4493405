/* What can be measured in a picture of a head that was drawn: landmarks and whether they are seen, where the eyes look,
 * boxes, and how the head lies in the picture. All from the geometry that was drawn, in pixels of the finished picture:
 * x to the right and y down from its upper left corner, the first pixel's middle at (0.5, 0.5). */
#ifndef SYNTH_MARKS_H
#define SYNTH_MARKS_H

#include "synth/draw/look.h"
#include "synth/face/head.h"

#define MARK_FIVE 5 /* eyes, nose and corners of the mouth, as faces are aligned by */
#define MARK_COUNT (MARK_FIVE + LANDMARK_COUNT)

typedef struct {
    float left, top, right, bottom; /* pixels; right and bottom are where it ends */
} mark_box;

typedef struct {
    vec3 point[MARK_COUNT];   /* the five, then iBUG's 68; z is 1 / (distance to the camera in decimetres) */
    bool is_seen[MARK_COUNT]; /* in the picture, and nothing nearer was drawn over it */
    float gaze[2][2];         /* left and right eye: yaw, pitch, degrees; 0, 0 looks along the camera's axis */
    mark_box head;            /* what is drawn of the head and its hair, without hats, from the crown to the chin */
    mark_box face;            /* the outline of the landmarks, up to where a third of the face lies above the brows */
    /* The similarity that takes the standard frame of 112 x 112 pixels, in which aligned faces have their five points,
     * to this picture, by least squares: x' = a x - b y + x0, y' = b x + a y + y0. */
    float align_a, align_b, align_x, align_y;
    float shown; /* share of the head that no nearer one covers */
    int place;   /* its number among the heads of the picture */
} face_marks;

/* A picture's samples, several a pixel. */
typedef struct {
    int side, per_pixel; /* samples a side, and per pixel and direction */
    const float *depth;  /* [side, side] 1 / distance; -INFINITY where nothing is */
    const uint32_t *id;  /* [side, side] the triangle in front */
} mark_samples;

/* Places of a head that is posed: position [V] in camera space, screen [V] in samples. brows: the person's. */
void marks_place(face_marks *m, const head *h, const surface_point brows[10], const vec3 *position, const vec3 *screen,
                 const mark_samples *s);
/* The box of the head's samples: those of triangles below `end`. To be called before another head is drawn. */
void marks_bound(face_marks *m, const mark_samples *s, uint32_t end);
/* Which points are seen, when all has been drawn. */
void marks_look(face_marks *m, const mark_samples *s);

#endif
