/* Triangles to samples: exact coverage on a 1/256-pixel grid with the top-left rule, so that neighbouring triangles
 * neither overlap nor leave gaps, and the nearest wins. */
#ifndef SYNTH_RASTER_H
#define SYNTH_RASTER_H

#include "synth/mesh/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RASTER_NOTHING UINT32_MAX
#define RASTER_MAX_SIDE 8192 /* pixels; the fixed-point arithmetic is exact up to here */

typedef struct {
    int x, y;
    float b[3]; /* barycentric weights of the triangle's corners on the screen, sum 1 */
    float z;
} raster_sample;

/* A triangle set up for walking over its samples. */
typedef struct {
    int64_t row[3], step_x[3], step_y[3]; /* edge functions at the box's first sample, and their increments */
    int x0, x1, y0, y1;                   /* box of the samples that may be covered, inclusive */
    bool is_small;                        /* all of the above fits in 32 bits */
    float inverse_area, z[3];
} raster_triangle;

/* Screen points: x, y in pixels (y down, sample centres at .5), z linear on the screen and larger when nearer.
 * False where nothing is to be drawn: behind its back (clockwise on the screen) unless two_sided, no area, off the
 * screen, or absurdly far outside it. */
bool raster_setup(raster_triangle *t, vec3 a, vec3 b, vec3 c, int width, int height, bool two_sided);

/* Calls visit(context, &sample) for each covered sample. Inline, so that visit is too. */
static inline void raster_walk(const raster_triangle *t, void (*visit)(void *context, const raster_sample *s),
                               void *context)
{
    int64_t row[3] = {t->row[0], t->row[1], t->row[2]};
    raster_sample s;
    for (s.y = t->y0; s.y <= t->y1; s.y++) {
        int64_t e0 = row[0], e1 = row[1], e2 = row[2];
        for (s.x = t->x0; s.x <= t->x1; s.x++) {
            if ((e0 | e1 | e2) >= 0) {
                s.b[0] = (float)e0 * t->inverse_area;
                s.b[1] = (float)e1 * t->inverse_area;
                s.b[2] = 1 - s.b[0] - s.b[1];
                s.z = t->z[0] * s.b[0] + t->z[1] * s.b[1] + t->z[2] * s.b[2];
                visit(context, &s);
            }
            e0 += t->step_x[0];
            e1 += t->step_x[1];
            e2 += t->step_x[2];
        }
        for (int i = 0; i < 3; i++)
            row[i] += t->step_y[i];
    }
}

/* Draws triangles into depth [height, width] (the nearest z so far; start at -INFINITY) and, where id is given, into id
 * [height, width] the number of the triangle that won: first + its place in the list.
 * points [n] on the screen; triangles [count, 3] */
void raster_draw(float *depth, uint32_t *id, int width, int height, const vec3 *points, const uint32_t *triangles,
                 int count, uint32_t first, bool two_sided);

#endif
