/* Corners are rounded to a grid of 1/256 pixel, and all that decides whether a sample is inside is whole numbers:
 * neighbours cannot both own a sample, nor neither. */
#include "synth/mesh/raster.h"

#define SUBPIXEL 256

static int64_t to_grid(float v)
{
    return (int64_t)floorf(v * SUBPIXEL + 0.5f);
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

static int clamp_int(int64_t v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : (int)v;
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
    if (max_x < 0 || max_y < 0 || min_x >= (int64_t)width * SUBPIXEL || min_y >= (int64_t)height * SUBPIXEL)
        return false;
    t->x0 = clamp_int(min_x / SUBPIXEL - 1, 0, width - 1);
    t->x1 = clamp_int(max_x / SUBPIXEL, 0, width - 1);
    t->y0 = clamp_int(min_y / SUBPIXEL - 1, 0, height - 1);
    t->y1 = clamp_int(max_y / SUBPIXEL, 0, height - 1);

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
    t->inverse_area = 1 / (float)(area * sign);
    return true;
}

typedef struct {
    float *depth;
    uint32_t *id;
    uint32_t number;
    int width;
} draw_target;

static inline void draw_sample(void *context, const raster_sample *s)
{
    draw_target *d = context;
    int64_t at = (int64_t)s->y * d->width + s->x;
    if (s->z > d->depth[at]) {
        d->depth[at] = s->z;
        if (d->id)
            d->id[at] = d->number;
    }
}

void raster_draw(float *depth, uint32_t *id, int width, int height, const vec3 *points, const uint32_t *triangles,
                 int count, uint32_t first, bool two_sided)
{
    draw_target target = {depth, id, first, width};
    for (int i = 0; i < count; i++) {
        const uint32_t *t = &triangles[3 * i];
        raster_triangle set;
        target.number = first + (uint32_t)i;
        if (raster_setup(&set, points[t[0]], points[t[1]], points[t[2]], width, height, two_sided))
            raster_walk(&set, draw_sample, &target);
    }
}
