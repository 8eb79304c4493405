/* Corners are rounded to a grid of 1/256 pixel, and all that decides whether a sample is inside is whole numbers:
 * neighbours cannot both own a sample, nor neither. */
#include "synth/mesh/raster.h"

#include <string.h>

#define SUBPIXEL 256
#define LANES 4
#define SMALL (64 * SUBPIXEL) /* what edge functions of such triangles are fits in 32 bits, with a box around them */

static int32_t to_grid(float v)
{
    return floor_int(v * SUBPIXEL + 0.5f);
}

/* Twice the signed area of (a, b, p) on the grid, so that p inside a counter-clockwise triangle (y down) is positive.
 */
typedef struct {
    int64_t x, y;
} grid_point;

static int64_t edge(grid_point a, grid_point b, grid_point p)
{
    return (b.y - a.y) * (p.x - a.x) - (b.x - a.x) * (p.y - a.y);
}

/* A sample exactly on an edge belongs to one of the two triangles that share it. */
static bool owns_its_edge(grid_point a, grid_point b)
{
    return b.y > a.y || (b.y == a.y && b.x > a.x);
}

/* The first sample at or behind a grid coordinate, and the last at or before it: centres lie at halves. */
static int first_sample(int64_t v)
{
    return v <= 0 ? 0 : (int)((v + SUBPIXEL / 2 - 1) / SUBPIXEL);
}
static int last_sample(int64_t v, int count)
{
    int64_t at = v < SUBPIXEL / 2 ? -1 : (v - SUBPIXEL / 2) / SUBPIXEL;
    return at < count ? (int)at : count - 1;
}

bool raster_setup(raster_triangle *t, vec3 a, vec3 b, vec3 c, int width, int height, bool two_sided)
{
    vec3 v[3] = {a, b, c};
    grid_point p[3];
    for (int i = 0; i < 3; i++) {
        if (!(fabsf(v[i].x) < 4 * RASTER_MAX_SIDE && fabsf(v[i].y) < 4 * RASTER_MAX_SIDE))
            return false;
        p[i] = (grid_point){to_grid(v[i].x), to_grid(v[i].y)};
    }
    int64_t area = edge(p[0], p[1], p[2]);
    int64_t sign = 1;
    if (area < 0 && two_sided)
        sign = -1;
    if (area * sign <= 0)
        return false;

    int64_t min_x = p[0].x, max_x = p[0].x, min_y = p[0].y, max_y = p[0].y;
    for (int i = 1; i < 3; i++) {
        min_x = p[i].x < min_x ? p[i].x : min_x;
        max_x = p[i].x > max_x ? p[i].x : max_x;
        min_y = p[i].y < min_y ? p[i].y : min_y;
        max_y = p[i].y > max_y ? p[i].y : max_y;
    }
    t->x0 = first_sample(min_x);
    t->x1 = last_sample(max_x, width);
    t->y0 = first_sample(min_y);
    t->y1 = last_sample(max_y, height);
    if (t->x0 > t->x1 || t->y0 > t->y1)
        return false;

    grid_point first = {(int64_t)t->x0 * SUBPIXEL + SUBPIXEL / 2, (int64_t)t->y0 * SUBPIXEL + SUBPIXEL / 2};
    for (int i = 0; i < 3; i++) {
        grid_point from = p[(i + 1) % 3], to = p[(i + 2) % 3];
        if (sign < 0) {
            grid_point swap = from;
            from = to;
            to = swap;
        }
        t->row[i] = edge(from, to, first) - (owns_its_edge(from, to) ? 0 : 1);
        t->step_x[i] = (to.y - from.y) * SUBPIXEL;
        t->step_y[i] = -(to.x - from.x) * SUBPIXEL;
        t->z[i] = v[i].z;
    }
    t->is_small = max_x - min_x < SMALL && max_y - min_y < SMALL;
    t->inverse_area = 1 / (float)(area * sign);
    return true;
}

/* Where the nearest of the samples so far are kept. */
typedef struct {
    float *depth;
    uint32_t *id;
    int width;
    size_t count; /* samples */
} draw_target;

typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef float floats __attribute__((vector_size(4 * LANES)));

/* Samples at .. at + last of a row, LANES at most, whose edge functions are e0 to e2. */
static inline void draw_lanes(const draw_target *d, const raster_triangle *t, size_t at, ints e0, ints e1, ints e2,
                              size_t last, uint32_t number)
{
    const floats b0 = __builtin_convertvector(e0, floats) * t->inverse_area;
    const floats b1 = __builtin_convertvector(e1, floats) * t->inverse_area;
    const floats z = t->z[0] * b0 + t->z[1] * b1 + t->z[2] * (1 - b0 - b1);
    if (at + LANES > d->count) { /* the last samples of all */
        for (size_t i = 0; i <= last && i < LANES; i++)
            if ((e0[i] | e1[i] | e2[i]) >= 0 && z[i] > d->depth[at + i]) {
                d->depth[at + i] = z[i];
                if (d->id)
                    d->id[at + i] = number;
            }
        return;
    }
    floats depth;
    memcpy(&depth, &d->depth[at], sizeof depth);
    const ints is_drawn = ((e0 | e1 | e2) >= 0) & (z > depth) & ((ints){0, 1, 2, 3} <= (int32_t)last);
    depth = (floats)(((ints)z & is_drawn) | ((ints)depth & ~is_drawn));
    memcpy(&d->depth[at], &depth, sizeof depth);
    if (d->id) {
        ints id;
        memcpy(&id, &d->id[at], sizeof id);
        id = ((int32_t)number & is_drawn) | (id & ~is_drawn);
        memcpy(&d->id[at], &id, sizeof id);
    }
}

/* As raster_walk, in 32 bits and several samples at a time: triangles of a mesh are a few samples large. */
static void draw_small(const draw_target *d, const raster_triangle *t, uint32_t number)
{
    int32_t row[3], step_x[3], step_y[3];
    for (int i = 0; i < 3; i++) {
        row[i] = (int32_t)t->row[i];
        step_x[i] = (int32_t)t->step_x[i];
        step_y[i] = (int32_t)t->step_y[i];
    }
    for (int y = t->y0; y <= t->y1; y++) {
        const size_t begin = (size_t)y * (size_t)d->width + (size_t)t->x0, end = begin + (size_t)(t->x1 - t->x0);
        ints e0 = row[0] + step_x[0] * (ints){0, 1, 2, 3}, e1 = row[1] + step_x[1] * (ints){0, 1, 2, 3};
        ints e2 = row[2] + step_x[2] * (ints){0, 1, 2, 3};
        for (size_t at = begin; at <= end; at += LANES) {
            draw_lanes(d, t, at, e0, e1, e2, end - at, number);
            e0 += LANES * step_x[0];
            e1 += LANES * step_x[1];
            e2 += LANES * step_x[2];
        }
        for (int i = 0; i < 3; i++)
            row[i] += step_y[i];
    }
}

typedef struct {
    const draw_target *to;
    uint32_t number;
} large_target;

static inline void draw_sample(void *context, const raster_sample *s)
{
    const large_target *t = context;
    size_t at = (size_t)s->y * (size_t)t->to->width + (size_t)s->x;
    if (s->z > t->to->depth[at]) {
        t->to->depth[at] = s->z;
        if (t->to->id)
            t->to->id[at] = t->number;
    }
}

void raster_draw(float *depth, uint32_t *id, int width, int height, const vec3 *points, const uint32_t *triangles,
                 int count, uint32_t first, bool two_sided)
{
    const draw_target target = {depth, id, width, (size_t)width * (size_t)height};
    for (int i = 0; i < count; i++) {
        const uint32_t *t = &triangles[3 * i];
        raster_triangle set;
        if (!raster_setup(&set, points[t[0]], points[t[1]], points[t[2]], width, height, two_sided))
            continue;
        if (set.is_small)
            draw_small(&target, &set, first + (uint32_t)i);
        else
            raster_walk(&set, draw_sample, &(large_target){&target, first + (uint32_t)i});
    }
}
