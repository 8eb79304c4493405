/* What a pixel's samples see of one surface is shaded once for all of them; sheets of hair, lashes, glasses and what is
 * worn are blended over it. */
#include "synth/draw/noise.h"
#include "synth/draw/render_int.h"
#include "synth/mesh/raster.h"

#include <string.h>

#define SURFACE_STEP 0.08f /* decimetres: samples of a pixel that lie nearer to each other see one surface */

/* What shading interpolates, side by side. */
static void gather_corners(renderer *r)
{
    const head *h = r->h;
    for (int v = 0; v < h->vertex_count; v++)
        if (r->is_lit[v])
            r->corners[v] =
                (surface){.rest = h->rest[v],
                          .position = r->position[v],
                          .normal = r->normal[v],
                          .tint = r->tint[v],
                          .light = r->light[v],
                          .lips = v < h->face->vertex_count ? h->face->mask[(size_t)v * MASK_COUNT + MASK_LIPS] : 0,
                          .shadow = r->shadow[v],
                          .occlusion = h->occlusion[v]};
}

static surface surface_at(const renderer *r, const uint32_t *c, const float b[3])
{
    surface at;
    blend_corners(&at, &r->corners[c[0]], &r->corners[c[1]], &r->corners[c[2]], b, sizeof at);
    at.normal = v3_unit(at.normal);
    return at;
}

static vec3 (*const shaders[MATERIAL_COUNT])(const setting *s, const surface *at) = {
    [MATERIAL_SKIN] = skin_shade,           [MATERIAL_MOUTH] = mouth_shade, [MATERIAL_EYE_LEFT] = eye_left_shade,
    [MATERIAL_EYE_RIGHT] = eye_right_shade, [MATERIAL_TEETH] = teeth_shade, [MATERIAL_TONGUE] = tongue_shade,
    [MATERIAL_CLOTH] = cloth_shade,
};

/* Twice the screen area of a, b, p: the barycentric weight of the third corner, times the triangle's own. */
static float cross_2d(vec3 a, vec3 b, float x, float y)
{
    return (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
}

/* Weights of a triangle's corners at a place on the screen. A sliver says little beyond its edges: false there. */
static bool corner_weights(float b[3], vec3 p0, vec3 p1, vec3 p2, float x, float y)
{
    float inverse = 1 / cross_2d(p0, p1, p2.x, p2.y);
    b[0] = cross_2d(p1, p2, x, y) * inverse;
    b[1] = cross_2d(p2, p0, x, y) * inverse;
    b[2] = 1 - b[0] - b[1];
    return minf(b[0], minf(b[1], b[2])) > -0.5f; /* not where one is NaN, either */
}

/* What samples of a pixel see: the nearest triangles of a mesh, and how near they are. */
typedef struct {
    const float *depth; /* [side, side] */
    const uint32_t *id; /* [side, side] */
    const vec3 *points; /* of the mesh, on the screen */
    const uint32_t *triangles;
    const uint8_t *material; /* [triangles / 2]; NULL: all are of one */
} seen;

/* Samples of one pixel that see one surface, and where it is looked at for all of them. */
typedef struct {
    size_t at[PIXEL_SAMPLES]; /* places in the buffers */
    int count;
    uint32_t triangle; /* that the first of them sees */
    float b[3];        /* weights of its corners */
} sample_group;

/* A pixel that one triangle covers is one group. */
static bool take_whole(sample_group *g, const renderer *r, const seen *what, int px, int py)
{
    for (int k = 0; k < PIXEL_SAMPLES; k++)
        g->at[k] = (size_t)(py * SUPER + k / SUPER) * (size_t)r->side + (size_t)(px * SUPER + k % SUPER);
    g->triangle = what->id[g->at[0]];
    for (int k = 1; k < PIXEL_SAMPLES; k++)
        if (what->id[g->at[k]] != g->triangle)
            return false;
    g->count = PIXEL_SAMPLES;
    const uint32_t *c = &what->triangles[3 * (size_t)g->triangle];
    return corner_weights(g->b, what->points[c[0]], what->points[c[1]], what->points[c[2]], ((float)px + 0.5f) * SUPER,
                          ((float)py + 0.5f) * SUPER);
}

/* Takes the first group out of `left`, a bit for each of the pixel's samples. */
static void take_group(sample_group *g, const renderer *r, const seen *what, int px, int py, unsigned *left)
{
    if (*left == ALL_SAMPLES && take_whole(g, r, what, px, py)) {
        *left = 0;
        return;
    }
    const float centre = 0.5f;
    float first_x = 0, first_y = 0, sum_x = 0, sum_y = 0, z = 0, step = 0;
    int first_material = 0;
    g->count = 0;
    for (int k = 0; k < PIXEL_SAMPLES; k++) {
        if (!(*left >> k & 1))
            continue;
        const int x = px * SUPER + k % SUPER, y = py * SUPER + k / SUPER;
        const size_t at = (size_t)y * (size_t)r->side + (size_t)x;
        const uint32_t id = what->id[at];
        if (g->count == 0) {
            g->triangle = id;
            first_material = what->material ? what->material[id / 2] : 0;
            z = what->depth[at];
            step = SURFACE_STEP * z * z; /* z is the reciprocal of the distance */
            first_x = (float)x + centre;
            first_y = (float)y + centre;
        } else if ((what->material && what->material[id / 2] != first_material) || fabsf(what->depth[at] - z) > step) {
            continue;
        }
        *left &= ~(1u << k);
        g->at[g->count++] = at;
        sum_x += (float)x + centre;
        sum_y += (float)y + centre;
    }
    const uint32_t *c = &what->triangles[3 * (size_t)g->triangle];
    const vec3 p0 = what->points[c[0]], p1 = what->points[c[1]], p2 = what->points[c[2]];
    const float share = 1 / (float)g->count;
    if (!corner_weights(g->b, p0, p1, p2, sum_x * share, sum_y * share))
        corner_weights(g->b, p0, p1, p2, first_x, first_y);
}

/* The pixel's samples that see a triangle below `end`. */
unsigned render_seen(const renderer *r, const uint32_t *id, uint32_t end, int px, int py)
{
    unsigned mask = 0;
    for (int k = 0; k < PIXEL_SAMPLES; k++)
        mask |=
            (unsigned)(id[(size_t)(py * SUPER + k / SUPER) * (size_t)r->side + (size_t)(px * SUPER + k % SUPER)] < end)
            << k;
    return mask;
}

void render_shade(renderer *r, const setting *s)
{
    const head *h = r->h;
    gather_corners(r);
    const seen what = {r->depth, r->id, r->screen, h->triangles, h->quad_material};
    sample_group g;
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++)
            for (unsigned left = render_seen(r, r->id, render_triangle_count(r), x, y); left;) {
                take_group(&g, r, &what, x, y, &left);
                const surface at = surface_at(r, &h->triangles[3 * (size_t)g.triangle], g.b);
                const vec3 colour = shaders[h->quad_material[g.triangle / 2]](s, &at);
                for (int k = 0; k < g.count; k++)
                    r->colour[g.at[k]] = colour;
            }
}

/* A point of a sheet of hair, and the share of its pixel that strands take there. */
static vec3 hair_at(const renderer *r, const setting *s, const sample_group *g, float *cover)
{
    const uint32_t *c = &r->hair.triangles[3 * (size_t)g->triangle];
    const hair_point *points = r->hair.points;
    hair_point at;
    blend_corners(&at, &points[c[0]], &points[c[1]], &points[c[2]], g->b, sizeof at);
    *cover = 0;
    return at.depth < -0.12f ? v3_all(0) : hair_shade(s, &at, cover);
}

static void blend_sheet(renderer *r, const sample_group *g, vec3 colour, float cover)
{
    for (int k = 0; k < g->count; k++) {
        const size_t i = g->at[k];
        r->colour[i] = v3_mix(r->colour[i], colour, cover);
        if (cover >= 0.5f) {
            r->depth[i] = r->sheet_depth[i];
            r->id[i] = 0;
        }
    }
}

/* One sheet over what is there, where it is nearer. */
static void draw_sheet(renderer *r, const setting *s, int first, int end, bool two_sided)
{
    const size_t samples = (size_t)r->side * (size_t)r->side;
    const seen what = {r->sheet_depth, r->sheet_id, r->hair_screen, r->hair.triangles, NULL};
    sample_group g;
    float cover;
    memcpy(r->sheet_depth, r->depth, samples * sizeof *r->depth);
    memset(r->sheet_id, 0xff, samples * sizeof *r->sheet_id); /* RASTER_NOTHING */
    raster_draw(r->sheet_depth, r->sheet_id, r->side, r->side, r->hair_screen, &r->hair.triangles[3 * (size_t)first],
                end - first, (uint32_t)first, two_sided);
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++)
            for (unsigned left = render_seen(r, r->sheet_id, RASTER_NOTHING, x, y); left;) {
                take_group(&g, r, &what, x, y, &left);
                const vec3 colour = hair_at(r, s, &g, &cover);
                if (cover > 0.02f)
                    blend_sheet(r, &g, colour, cover);
            }
}

void render_hair(renderer *r, const setting *s)
{
    hair_build(&r->hair, s, r->hair_depth, r->position, r->normal, r->light, r->shadow);
    for (int i = 0; i < r->hair.point_count; i++)
        r->hair_screen[i] = render_project(r, s->how, r->hair.points[i].position);
    for (int k = 0; k < r->hair.sheet_count; k++)
        draw_sheet(r, s, r->hair.sheet_begin[k], r->hair.sheet_begin[k + 1], k >= HAIR_LAYERS);
}

/* Lashes darken what lies behind them, in strokes. */
typedef struct {
    renderer *r;
    const person *who;
    float rest_x[3], away[3]; /* of the corners: along the lid, out from the eyeball */
    float dark;
} lash_target;

static inline void lash_sample(void *context, const raster_sample *q)
{
    lash_target *t = context;
    size_t i = (size_t)q->y * (size_t)t->r->side + (size_t)q->x;
    if (q->z * 1.004f < t->r->depth[i] || t->r->id[i] == RASTER_NOTHING)
        return;
    float x = t->rest_x[0] * q->b[0] + t->rest_x[1] * q->b[1] + t->rest_x[2] * q->b[2];
    float away = t->away[0] * q->b[0] + t->away[1] * q->b[1] + t->away[2] * q->b[2];
    float stroke = noise_1d(x * 110, t->who->seed + 70), tip = smooth_step(0.245f, 0.165f, away);
    float cover = t->dark * smooth_step(1 - tip, 1.35f - 0.8f * tip, stroke + 0.25f * tip);
    t->r->colour[i] = v3_mix(t->r->colour[i], v3(0.012f, 0.009f, 0.008f), cover);
}

void render_lashes(renderer *r, const setting *s)
{
    const head *h = r->h;
    lash_target target = {.r = r, .who = s->who};
    for (int i = 0; i < h->lash_count; i++) {
        const uint32_t *c = &h->lash_triangles[3 * i];
        raster_triangle set;
        if (!raster_setup(&set, r->screen[c[0]], r->screen[c[1]], r->screen[c[2]], r->side, r->side, true))
            continue;
        for (int k = 0; k < 3; k++) {
            target.rest_x[k] = h->rest[c[k]].x;
            target.away[k] = v3_length(v3_sub(h->rest[c[k]], h->eye_middle[h->rest[c[k]].x < 0]));
        }
        target.dark = s->who->lash * (h->rest[c[0]].y > h->eye_middle[0].y ? 1 : 0.3f);
        raster_walk(&set, lash_sample, &target);
    }
}

typedef struct {
    renderer *r;
    const glasses_point *corner[3];
} glasses_target;

static inline void glasses_sample(void *context, const raster_sample *q)
{
    glasses_target *t = context;
    size_t i = (size_t)q->y * (size_t)t->r->side + (size_t)q->x;
    if (q->z < t->r->depth[i])
        return;
    vec3 colour = v3_all(0);
    float cover = 0;
    for (int k = 0; k < 3; k++) {
        colour = v3_madd(colour, t->corner[k]->colour, q->b[k]);
        cover += t->corner[k]->cover * q->b[k];
    }
    bool is_frame = cover > 0.9f;
    if (t->r->id[i] == RASTER_NOTHING && !is_frame)
        return;
    t->r->colour[i] = v3_mix(t->r->colour[i], colour, is_frame ? 1 : cover);
    if (is_frame) {
        t->r->depth[i] = q->z;
        t->r->id[i] = 0;
    }
}

void render_glasses(renderer *r, const setting *s)
{
    glasses_build(&r->glasses, s);
    glasses_target target = {.r = r};
    for (int i = 0; i < r->glasses.triangle_count; i++) {
        vec3 p[3];
        raster_triangle set;
        for (int k = 0; k < 3; k++) {
            target.corner[k] = &r->glasses.points[r->glasses.triangles[3 * i + k]];
            p[k] = render_project(r, s->how, target.corner[k]->position);
        }
        if (raster_setup(&set, p[0], p[1], p[2], r->side, r->side, true))
            raster_walk(&set, glasses_sample, &target);
    }
}

static vec3 worn_at(const renderer *r, const setting *s, const sample_group *g, float *cover)
{
    occluder_point at = {0};
    for (int k = 0; k < 3; k++) {
        const occluder_point *c = &r->worn.points[r->worn.triangles[3 * (size_t)g->triangle + (size_t)k]];
        float b = g->b[k];
        at.position = v3_madd(at.position, c->position, b);
        at.normal = v3_madd(at.normal, c->normal, b);
        at.light = v3_madd(at.light, c->light, b);
        at.colour = v3_madd(at.colour, c->colour, b);
        at.across += c->across * b;
        at.along += c->along * b;
        at.depth += c->depth * b;
        at.shadow += c->shadow * b;
    }
    return occluder_shade(s, &at, (stuff)r->worn.stuff[g->triangle], cover);
}

/* What is worn, over what is there, where it is nearer. */
void render_worn(renderer *r, const setting *s)
{
    const size_t samples = (size_t)r->side * (size_t)r->side;
    const seen what = {r->sheet_depth, r->sheet_id, r->worn_screen, r->worn.triangles, NULL};
    sample_group g;
    float cover;
    if (r->worn.triangle_count == 0)
        return;
    for (int i = 0; i < r->worn.point_count; i++)
        r->worn_screen[i] = render_project(r, s->how, r->worn.points[i].position);
    memcpy(r->sheet_depth, r->depth, samples * sizeof *r->depth);
    memset(r->sheet_id, 0xff, samples * sizeof *r->sheet_id); /* RASTER_NOTHING */
    raster_draw(r->sheet_depth, r->sheet_id, r->side, r->side, r->worn_screen, r->worn.triangles,
                r->worn.triangle_count, 0, true);
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++)
            for (unsigned left = render_seen(r, r->sheet_id, RASTER_NOTHING, x, y); left;) {
                take_group(&g, r, &what, x, y, &left);
                const vec3 colour = worn_at(r, s, &g, &cover);
                if (cover > 0.02f)
                    blend_sheet(r, &g, colour, cover);
            }
}
