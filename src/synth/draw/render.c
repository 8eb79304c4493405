/* Shading is put off: triangles only note which of them won a sample, and what a pixel's samples see of one surface is
 * shaded once for all of them. Sheets of hair, lashes and glasses are blended over that from the inside out, and the
 * mean of a pixel's samples is the picture. */
#include "synth/draw/render.h"

#include "base/mem.h"
#include "synth/draw/background.h"
#include "synth/draw/glasses.h"
#include "synth/draw/hair.h"
#include "synth/draw/noise.h"
#include "synth/draw/occluder.h"
#include "synth/face/bake.h"
#include "synth/mesh/raster.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define SUPER 2         /* samples per pixel and direction */
#define SHADOW_SIDE 176 /* samples of the shadow picture */
#define SHADOW_REACH 1.7f
#define SHADOW_BIAS 0.035f
#define TONE_STEPS 4096
#define PIXEL_SAMPLES (SUPER * SUPER)
#define ALL_SAMPLES ((1u << PIXEL_SAMPLES) - 1)
#define SURFACE_STEP 0.08f /* decimetres: samples of a pixel that lie nearer to each other see one surface */

/* The face is framed around this point of the neutral head: between eyes and mouth. */
static const vec3 face_middle = {0, 7.02f, 1.15f};

struct renderer {
    const head *heads; /* the first that people may have */
    const head *h;     /* the person's */
    const person *who;
    int head_count;                         /* drawn into the samples so far */
    int64_t head_samples[RENDER_MAX_HEADS]; /* that each took, but the last */
    float glasses_forward;
    uint32_t lid[2];     /* vertices in the middle of the upper lids' edges */
    int size, side;      /* of the picture, of its samples */
    vec3 *shape;         /* [V] the person without expression, model space */
    vec3 *posed;         /* [V] model space */
    vec3 *position;      /* [V] camera space */
    vec3 *normal;        /* [V] camera space, unit */
    vec3 *screen;        /* [V] */
    vec3 *tint;          /* [V] */
    vec3 *light;         /* [V] */
    float *shadow;       /* [V] */
    vec3 *from_light;    /* [V] as the key light's picture shows them */
    bool *is_lit;        /* [V] light is asked for there: a vertex of what is seen, or under hair */
    surface *corners;    /* [V] all that shading interpolates */
    float *hair_depth;   /* [V] decimetres inside the hairline */
    float *depth;        /* [side, side] */
    uint32_t *id;        /* [side, side] */
    vec3 *colour;        /* [side, side] linear light */
    float *shadow_depth; /* [SHADOW_SIDE, SHADOW_SIDE] */
    hair_mesh hair;
    vec3 *hair_screen;
    float *sheet_depth; /* [side, side] of one sheet of hair */
    uint32_t *sheet_id; /* [side, side] */
    glasses_mesh glasses;
    occluder_mesh worn;
    vec3 *worn_screen;
    background behind;
    uint8_t tone[TONE_STEPS + 1];
    stage_clock *clock; /* NULL: nobody asks */
};

const char *const draw_stage_names[STAGE_COUNT] = {"person",     "pose", "light",   "raster", "shade",
                                                   "background", "hair", "resolve", "post",   "jpeg"};

static int64_t processor_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void stage_begin(stage_clock *c)
{
    if (c)
        c->at = processor_ns();
}

void stage_end(stage_clock *c, draw_stage stage)
{
    if (!c)
        return;
    const int64_t now = processor_ns();
    c->ns[stage] += now - c->at;
    c->at = now;
}

void renderer_measure(renderer *r, stage_clock *clock)
{
    r->clock = clock;
}

void renderer_free(renderer *r)
{
    if (!r)
        return;
    hair_mesh_free(&r->hair);
    occluder_mesh_free(&r->worn);
    mem_free(r->worn_screen);
    mem_free(r->shape);
    mem_free(r->posed);
    mem_free(r->position);
    mem_free(r->normal);
    mem_free(r->screen);
    mem_free(r->tint);
    mem_free(r->light);
    mem_free(r->shadow);
    mem_free(r->from_light);
    mem_free(r->is_lit);
    mem_free(r->corners);
    mem_free(r->hair_depth);
    mem_free(r->depth);
    mem_free(r->id);
    mem_free(r->colour);
    mem_free(r->shadow_depth);
    mem_free(r->hair_screen);
    background_free(&r->behind);
    mem_free(r->sheet_depth);
    mem_free(r->sheet_id);
    mem_free(r);
}

/* Linear light 0..1 to sRGB's 0..255, with a shoulder: light above 0.6 is compressed as film does. */
static void tone_fill(uint8_t *tone)
{
    for (int i = 0; i <= TONE_STEPS; i++) {
        double v = (double)i / TONE_STEPS;
        double srgb = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
        tone[i] = (uint8_t)(srgb * 255 + 0.5);
    }
}

/* The upper lid's edge is the foremost skin close to the eyeball, over the iris. */
static uint32_t find_lid(const head *h, int side)
{
    uint32_t best = 0;
    float front = -INFINITY;
    for (int v = 0; v < h->face->vertex_count; v++) {
        vec3 out = v3_sub(h->rest[v], h->eye_middle[side]);
        float d = v3_length(out);
        if (h->face->mask[(size_t)v * MASK_COUNT + MASK_LIDS] > 0.5f && fabsf(out.x) < 0.05f && out.y > 0 &&
            d < 0.17f && out.z > front) {
            front = out.z;
            best = (uint32_t)v;
        }
    }
    return best;
}

/* As many vertices and quads as any of the heads has: what room is made for. */
static head largest_of(const head *h)
{
    head most = {0};
    for (; h; h = h->next) {
        most.vertex_count = h->vertex_count > most.vertex_count ? h->vertex_count : most.vertex_count;
        most.quad_count = h->quad_count > most.quad_count ? h->quad_count : most.quad_count;
    }
    return most;
}

mien_status renderer_create(renderer **out, const head *h, int size)
{
    if (size < RENDER_MIN_SIZE || size > RENDER_MAX_SIZE)
        return mien_fail(MIEN_ERR_ARG, "size %d (wanted %d..%d)", size, RENDER_MIN_SIZE, RENDER_MAX_SIZE);
    renderer *r;
    TRY(mem_zalloc(&r, 1));
    mien_status st;
    const head largest = largest_of(h);
    size_t v = (size_t)largest.vertex_count, samples = (size_t)(size * SUPER) * (size_t)(size * SUPER);
    r->heads = h;
    r->size = size;
    r->side = size * SUPER;
    tone_fill(r->tone);
    TRY_OUT(mem_alloc(&r->shape, v));
    TRY_OUT(mem_alloc(&r->posed, v));
    TRY_OUT(mem_alloc(&r->position, v));
    TRY_OUT(mem_alloc(&r->normal, v));
    TRY_OUT(mem_alloc(&r->screen, v));
    TRY_OUT(mem_alloc(&r->tint, v));
    TRY_OUT(mem_alloc(&r->light, v));
    TRY_OUT(mem_alloc(&r->shadow, v));
    TRY_OUT(mem_alloc(&r->from_light, v));
    TRY_OUT(mem_alloc(&r->is_lit, v));
    TRY_OUT(mem_zalloc(&r->corners, v));
    TRY_OUT(mem_alloc(&r->hair_depth, v));
    TRY_OUT(mem_alloc(&r->depth, samples));
    TRY_OUT(mem_alloc(&r->id, samples));
    TRY_OUT(mem_alloc(&r->colour, samples));
    TRY_OUT(mem_alloc(&r->shadow_depth, SHADOW_SIDE * SHADOW_SIDE));
    TRY_OUT(hair_mesh_create(&r->hair, &largest));
    TRY_OUT(mem_alloc(&r->hair_screen, HAIR_LAYERS * v + (CURTAIN_COLUMNS + 1) * (CURTAIN_ROWS + 1)));
    TRY_OUT(occluder_mesh_create(&r->worn, &largest));
    TRY_OUT(mem_alloc(&r->worn_screen, (size_t)r->worn.point_room));
    TRY_OUT(background_create(&r->behind, size));
    TRY_OUT(mem_alloc(&r->sheet_depth, samples));
    TRY_OUT(mem_alloc(&r->sheet_id, samples));
    *out = r;
    return MIEN_OK;
out:
    renderer_free(r);
    return st;
}

/* Camera space to samples; z is the reciprocal of the distance, which is linear on the screen. */
static vec3 project(const renderer *r, const shot *how, vec3 p)
{
    float inverse = 1 / maxf(0.5f, how->distance - p.z), scale = how->distance * inverse * (float)r->side / how->field;
    return v3((0.5f + how->shift_x) * (float)r->side + p.x * scale,
              (0.5f + how->shift_y) * (float)r->side - p.y * scale, inverse);
}

static void place_vertices(renderer *r, setting *s)
{
    const head *h = r->h;
    const float radians = 0.01745329f;
    s->turn = mat3_head(s->how->yaw * radians, s->how->pitch * radians, s->how->roll * radians);
    mesh_normals(r->normal, r->posed, h->vertex_count, h->quads, h->quad_count);
    for (int v = 0; v < h->vertex_count; v++) {
        r->position[v] = mat3_apply(&s->turn, v3_sub(r->posed[v], face_middle));
        r->normal[v] = mat3_apply(&s->turn, r->normal[v]);
    }
    for (int side = 0; side < 2; side++) {
        s->eye[side] = head_eye_middle(h, r->position, side);
        s->lid[side] = mat3_apply_back(&s->turn, v3_sub(r->position[r->lid[side]], s->eye[side])).y;
    }
}

/* Most of a head is turned away, or behind what is before it: what nobody sees needs no light. */
static void find_lit(renderer *r)
{
    const head *h = r->h;
    const size_t samples = (size_t)r->side * (size_t)r->side;
    const bool is_bald = r->who->style == HAIR_BALD;
    uint32_t last = RASTER_NOTHING;
    for (int v = 0; v < h->vertex_count; v++)
        r->is_lit[v] = !is_bald && r->hair_depth[v] > HAIR_REACH;
    for (size_t i = 0; i < samples; i++) {
        if (r->id[i] == last || r->id[i] >= 2 * (uint32_t)h->quad_count) /* nothing, or a head that is finished */
            continue;
        last = r->id[i];
        for (int k = 0; k < 3; k++)
            r->is_lit[h->triangles[3 * (size_t)last + (size_t)k]] = true;
    }
}

/* What of the key light comes past its shade, at a place across its way: right and up, decimetres from the face's
 * middle.
 */
static float past_shade(const shot *how, float right, float up)
{
    float c = cosf(how->shade_angle), n = sinf(how->shade_angle), soft = 0.03f + 0.25f * how->key_soft;
    float across = right * c + up * n - how->shade_at, dark = 0;
    switch (how->shade) {
    case SHADE_NONE:
        return 1;
    case SHADE_EDGE:
        dark = smooth_step(-soft, soft, across);
        break;
    case SHADE_BARS:
        dark = smooth_step(-soft, soft, 0.16f * sinf(across * 7));
        break;
    case SHADE_LEAVES: {
        float leaves =
            noise_2d(right * 2.2f, up * 2.2f, how->seed + 20) + 0.5f * noise_2d(right * 5, up * 5, how->seed + 21);
        dark = smooth_step(0.70f - 0.5f * soft, 0.78f + 0.5f * soft, leaves + 0.2f * across);
    }
    }
    return 1 - how->shade_dark * dark;
}

/* The share of the key light that reaches a place in the shadow picture; softened by looking at 3 x 3 of its samples,
 * `apart` from each other. */
static float reached(const renderer *r, vec3 place, int apart)
{
    int x = (int)place.x, y = (int)place.y, lit = 0;
    if (x < apart || y < apart || x >= SHADOW_SIDE - apart || y >= SHADOW_SIDE - apart)
        return 1;
    for (int j = -apart; j <= apart; j += apart)
        for (int i = -apart; i <= apart; i += apart)
            lit += place.z + SHADOW_BIAS * (float)apart >= r->shadow_depth[(y + j) * SHADOW_SIDE + x + i];
    return (float)lit / 9;
}

/* Which vertices the key light reaches, by a depth picture from the light of the head and what it wears; the larger the
 * light is, the softer. */
static void cast_shadows(renderer *r, const setting *s)
{
    const head *h = r->h;
    vec3 toward = s->how->key_from, aside = fabsf(toward.y) < 0.99f ? v3(0, 1, 0) : v3(0, 0, -1);
    vec3 right = v3_unit(v3_cross(aside, toward)), up = v3_cross(toward, right);
    vec3 middle = mat3_apply(&s->turn, v3(0, 0.2f, -0.5f));
    float scale = SHADOW_SIDE / (2 * SHADOW_REACH);
    int apart = 1 + (int)(4 * s->how->key_soft);
    for (int i = 0; i < SHADOW_SIDE * SHADOW_SIDE; i++)
        r->shadow_depth[i] = -INFINITY;
    for (int v = 0; v < h->vertex_count; v++) {
        vec3 p = v3_sub(r->position[v], middle);
        r->from_light[v] =
            v3((v3_dot(p, right) + SHADOW_REACH) * scale, (SHADOW_REACH - v3_dot(p, up)) * scale, v3_dot(p, toward));
    }
    for (int i = 0; i < r->worn.point_count; i++) {
        vec3 p = v3_sub(r->worn.points[i].position, middle);
        r->worn_screen[i] =
            v3((v3_dot(p, right) + SHADOW_REACH) * scale, (SHADOW_REACH - v3_dot(p, up)) * scale, v3_dot(p, toward));
    }
    raster_draw(r->shadow_depth, NULL, SHADOW_SIDE, SHADOW_SIDE, r->from_light, h->triangles, 2 * h->quad_count, 0,
                false);
    raster_draw(r->shadow_depth, NULL, SHADOW_SIDE, SHADOW_SIDE, r->worn_screen, r->worn.triangles,
                r->worn.triangle_count, 0, true);
    for (int v = 0; v < h->vertex_count; v++)
        if (r->is_lit[v])
            r->shadow[v] = reached(r, r->from_light[v], apart) *
                           past_shade(s->how, v3_dot(r->position[v], right), v3_dot(r->position[v], up));
    for (int i = 0; i < r->worn.point_count; i++) {
        occluder_point *p = &r->worn.points[i];
        p->shadow = reached(r, r->worn_screen[i], apart) *
                    past_shade(s->how, v3_dot(p->position, right), v3_dot(p->position, up));
        p->light = occluder_light(s, p);
    }
}

/* Light scatters under the skin, red farthest: each colour wraps around the edge of the lit side by its own amount. */
static vec3 wrapped(float cosine, float scatter)
{
    vec3 wrap = v3(0.26f * scatter, 0.12f * scatter, 0.08f * scatter);
    return v3(maxf(0, (cosine + wrap.x) / (1 + wrap.x)), maxf(0, (cosine + wrap.y) / (1 + wrap.y)),
              maxf(0, (cosine + wrap.z) / (1 + wrap.z)));
}

static void light_vertices(renderer *r, const setting *s)
{
    const head *h = r->h;
    const shot *how = s->how;
    bool is_bald = s->who->style == HAIR_BALD;
    for (int v = 0; v < h->vertex_count; v++) {
        if (!r->is_lit[v])
            continue;
        vec3 n = r->normal[v];
        float ao = h->occlusion[v];
        if (!is_bald) { /* hair keeps some sky from the skin beside it */
            ao *= 1 - 0.35f * smooth_step(-0.22f, 0.0f, r->hair_depth[v]);
        }
        /* what a crease loses it gets back in part from its own walls, red most of all */
        vec3 sky_seen = v3(ao * (1 + 0.55f * (1 - ao)), ao * (1 + 0.28f * (1 - ao)), ao * (1 + 0.20f * (1 - ao)));
        vec3 soft = v3_mul(surround_light(&how->around, n), sky_seen);
        soft = v3_add(
            soft, v3_mul(v3_mul(how->fill, wrapped(v3_dot(n, how->fill_from), 1)), v3_mix(sky_seen, v3_all(1), 0.4f)));
        vec3 lit = v3_mul(how->key, wrapped(v3_dot(n, how->key_from), 1 + 1.5f * how->key_soft));
        float sh = r->shadow[v] * mixf(0.55f, 1, smooth_step(0.1f, 0.6f, ao));
        vec3 through =
            v3(mixf(0.10f, 1, sh), mixf(0.03f, 1, sh), mixf(0.02f, 1, sh)); /* shadows on skin have red edges */
        r->light[v] = v3_madd(soft, v3_mul(lit, through), 1);
    }
}

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

static uint32_t triangle_count(const renderer *r)
{
    return 2 * (uint32_t)r->h->quad_count;
}
static uint32_t head_triangle_count(const renderer *r)
{
    return 2 * (uint32_t)r->h->neck_first;
}

/* What samples of a head become when another is begun, whose triangles have the same numbers: the head's own, and one
 * for necks and clothes. */
#define FINISHED_BODY (RASTER_NOTHING - 1)
static uint32_t finished_head(int number)
{
    return FINISHED_BODY - 1 - (uint32_t)number;
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
static unsigned seen_samples(const renderer *r, const uint32_t *id, uint32_t end, int px, int py)
{
    unsigned mask = 0;
    for (int k = 0; k < PIXEL_SAMPLES; k++)
        mask |=
            (unsigned)(id[(size_t)(py * SUPER + k / SUPER) * (size_t)r->side + (size_t)(px * SUPER + k % SUPER)] < end)
            << k;
    return mask;
}

static void shade_surfaces(renderer *r, const setting *s)
{
    const head *h = r->h;
    const seen what = {r->depth, r->id, r->screen, h->triangles, h->quad_material};
    sample_group g;
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++)
            for (unsigned left = seen_samples(r, r->id, triangle_count(r), x, y); left;) {
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
            for (unsigned left = seen_samples(r, r->sheet_id, RASTER_NOTHING, x, y); left;) {
                take_group(&g, r, &what, x, y, &left);
                const vec3 colour = hair_at(r, s, &g, &cover);
                if (cover > 0.02f)
                    blend_sheet(r, &g, colour, cover);
            }
}

static void draw_hair(renderer *r, const setting *s)
{
    hair_build(&r->hair, s, r->hair_depth, r->position, r->normal, r->light, r->shadow);
    for (int i = 0; i < r->hair.point_count; i++)
        r->hair_screen[i] = project(r, s->how, r->hair.points[i].position);
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

static void draw_lashes(renderer *r, const setting *s)
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

static void draw_glasses(renderer *r, const setting *s)
{
    glasses_build(&r->glasses, s);
    glasses_target target = {.r = r};
    for (int i = 0; i < r->glasses.triangle_count; i++) {
        vec3 p[3];
        raster_triangle set;
        for (int k = 0; k < 3; k++) {
            target.corner[k] = &r->glasses.points[r->glasses.triangles[3 * i + k]];
            p[k] = project(r, s->how, target.corner[k]->position);
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
static void draw_worn(renderer *r, const setting *s)
{
    const size_t samples = (size_t)r->side * (size_t)r->side;
    const seen what = {r->sheet_depth, r->sheet_id, r->worn_screen, r->worn.triangles, NULL};
    sample_group g;
    float cover;
    if (r->worn.triangle_count == 0)
        return;
    for (int i = 0; i < r->worn.point_count; i++)
        r->worn_screen[i] = project(r, s->how, r->worn.points[i].position);
    memcpy(r->sheet_depth, r->depth, samples * sizeof *r->depth);
    memset(r->sheet_id, 0xff, samples * sizeof *r->sheet_id); /* RASTER_NOTHING */
    raster_draw(r->sheet_depth, r->sheet_id, r->side, r->side, r->worn_screen, r->worn.triangles,
                r->worn.triangle_count, 0, true);
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++)
            for (unsigned left = seen_samples(r, r->sheet_id, RASTER_NOTHING, x, y); left;) {
                take_group(&g, r, &what, x, y, &left);
                const vec3 colour = worn_at(r, s, &g, &cover);
                if (cover > 0.02f)
                    blend_sheet(r, &g, colour, cover);
            }
}

/* Before hair is blended over it, at the light that the exposure makes a background of. */
static void set_background(renderer *r, const shot *how)
{
    const float unexposed = 1 / how->exposure;
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++) {
            const unsigned surfaces = seen_samples(r, r->id, RASTER_NOTHING, x, y);
            if (surfaces == ALL_SAMPLES)
                continue;
            const vec3 back = v3_scale(r->behind.pixels[(size_t)y * (size_t)r->size + (size_t)x], unexposed);
            for (int k = 0; k < PIXEL_SAMPLES; k++)
                if (!(surfaces >> k & 1))
                    r->colour[(size_t)(y * SUPER + k / SUPER) * (size_t)r->side + (size_t)(x * SUPER + k % SUPER)] =
                        back;
        }
}

static uint8_t to_byte(const renderer *r, float v)
{
    v = v < 0.6f ? v : 0.6f + 0.4f * (1 - expf(-(v - 0.6f) / 0.4f)); /* the shoulder */
    return r->tone[(int)(clamp01(v) * TONE_STEPS + 0.5f)];
}

static void resolve(const renderer *r, image *out, const shot *how)
{
    for (int y = 0; y < r->size; y++)
        for (int x = 0; x < r->size; x++) {
            vec3 sum = {0};
            for (int j = 0; j < SUPER; j++)
                for (int i = 0; i < SUPER; i++)
                    sum = v3_add(sum, r->colour[(size_t)(y * SUPER + j) * (size_t)r->side + (size_t)(x * SUPER + i)]);
            sum = v3_scale(sum, how->exposure / PIXEL_SAMPLES);
            uint8_t *p = &out->pixels[3 * ((size_t)y * (size_t)r->size + (size_t)x)];
            p[0] = to_byte(r, sum.x);
            p[1] = to_byte(r, sum.y);
            p[2] = to_byte(r, sum.z);
        }
}

/* How far before the eyes the face reaches where glasses sit: beside the nose and under the brows. */
static float find_glasses_forward(const renderer *r)
{
    float eyes = 0.5f * (head_eye_middle(r->h, r->shape, 0).z + head_eye_middle(r->h, r->shape, 1).z),
          front = eyes + 0.2f;
    for (int v = 0; v < r->h->face->vertex_count; v++) {
        vec3 p = r->h->rest[v];
        if (fabsf(p.x) > 0.10f && fabsf(p.x) < 0.45f && p.y > 7.12f && p.y < 7.42f)
            front = maxf(front, r->shape[v].z);
    }
    return front - eyes + 0.03f;
}

/* Where the drawn brows' middle lines lie on the head: five points each, from the picture's left to its right. */
static void find_brows(surface_point brows[10], const setting *s)
{
    static const float along[5] = {0.98f, 0.74f, 0.5f, 0.26f, 0.02f};
    for (int i = 0; i < 10; i++) {
        const bool is_right = i < 5;
        float x, y;
        brow_middle(s, is_right, along[is_right ? i : 9 - i], &x, &y);
        if (!landmarks_brow_at(&brows[i], s->h, is_right ? -x : x, y))
            brows[i] = s->h->landmarks.point[LANDMARK_BROWS + i];
    }
}

void renderer_set_person(renderer *r, const person *who, const float *identity)
{
    r->who = who;
    r->h = head_of(r->heads, who->face);
    for (int side = 0; side < 2; side++)
        r->lid[side] = find_lid(r->h, side);
    head_shape(r->h, r->shape, identity);
    r->glasses_forward = find_glasses_forward(r);
    for (int v = 0; v < r->h->vertex_count; v++) {
        r->tint[v] = skin_tint(r->h, v, who);
        r->hair_depth[v] = hair_depth(r->h->rest[v], who);
    }
}

void render_begin(renderer *r)
{
    size_t samples = (size_t)r->side * (size_t)r->side;
    for (size_t i = 0; i < samples; i++) {
        r->depth[i] = -INFINITY;
        r->id[i] = RASTER_NOTHING;
    }
    r->head_count = 0;
}

static mark_samples samples_of(const renderer *r)
{
    return (mark_samples){.side = r->side, .per_pixel = SUPER, .depth = r->depth, .id = r->id};
}

static int64_t count_samples(const renderer *r, uint32_t id)
{
    int64_t count = 0;
    for (size_t i = 0; i < (size_t)r->side * (size_t)r->side; i++)
        count += r->id[i] == id;
    return count;
}

static void finish_head(renderer *r)
{
    size_t samples = (size_t)r->side * (size_t)r->side;
    for (size_t i = 0; i < samples; i++)
        if (r->id[i] < triangle_count(r))
            r->id[i] = r->id[i] < head_triangle_count(r) ? finished_head(r->head_count - 1) : FINISHED_BODY;
    r->head_samples[r->head_count - 1] = count_samples(r, finished_head(r->head_count - 1));
}

mien_status render_head(renderer *r, const float *units, const shot *how, face_marks *marks)
{
    const head *h = r->h;
    const person *who = r->who;
    setting s = {.h = h, .who = who, .how = how, .glasses_forward = r->glasses_forward};
    s.pixel = how->field / (float)r->size;
    s.mouth_front = h->rest[h->lip_upper].z;
    s.mouth_open = clamp01(units[JAW_OPEN] * 1.3f + 0.4f * (units[MOUTH_UPPER_UP_LEFT] + units[MOUTH_LOWER_DOWN_LEFT]));
    s.lips_apart = smooth_step(-0.005f, 0.03f, head_lip_gap(h, units));
    creases_find(&s.crease, units, who);

    assert(r->head_count < RENDER_MAX_HEADS);
    if (r->head_count > 0)
        finish_head(r);
    stage_begin(r->clock);
    head_pose(h, r->posed, r->shape, units);
    place_vertices(r, &s);
    occluder_build(&r->worn, &s, r->posed, r->normal, face_middle);
    stage_end(r->clock, STAGE_POSE);
    for (int v = 0; v < h->vertex_count; v++)
        r->screen[v] = project(r, how, r->position[v]);
    raster_draw(r->depth, r->id, r->side, r->side, r->screen, h->triangles, 2 * h->quad_count, 0, false);
    stage_end(r->clock, STAGE_RASTER);
    find_lit(r);
    cast_shadows(r, &s);
    light_vertices(r, &s);
    gather_corners(r);
    stage_end(r->clock, STAGE_LIGHT);
    shade_surfaces(r, &s);
    stage_end(r->clock, STAGE_SHADE);
    if (r->head_count == 0) {
        TRY(background_paint(&r->behind, how));
        set_background(r, how);
    }
    stage_end(r->clock, STAGE_BACKGROUND);
    draw_lashes(r, &s);
    draw_hair(r, &s);
    if (marks) { /* before what is worn or held makes the head larger */
        mark_samples samples = samples_of(r);
        surface_point brows[10];
        find_brows(brows, &s);
        marks_place(marks, h, brows, r->position, r->screen, &samples);
        marks_bound(marks, &samples, head_triangle_count(r));
        marks->place = r->head_count;
    }
    draw_worn(r, &s);
    if (who->glasses || how->worn.sunglasses)
        draw_glasses(r, &s);
    stage_end(r->clock, STAGE_HAIR);
    r->head_count++;
    return MIEN_OK;
}

mien_status render_finish(image *out, renderer *r, const shot *how)
{
    TRY(image_resize_buffer(out, r->size, r->size));
    stage_begin(r->clock);
    resolve(r, out, how);
    stage_end(r->clock, STAGE_RESOLVE);
    return MIEN_OK;
}

void render_look(const renderer *r, face_marks *marks)
{
    mark_samples samples = samples_of(r);
    marks_look(marks, &samples);
    const bool is_last = marks->place == r->head_count - 1;
    const int64_t drawn = is_last ? 0 : r->head_samples[marks->place];
    marks->shown = drawn == 0 ? 1 : (float)count_samples(r, finished_head(marks->place)) / (float)drawn;
}

mien_status render_face(image *out, renderer *r, const float *units, const shot *how)
{
    render_begin(r);
    TRY(render_head(r, units, how, NULL));
    return render_finish(out, r, how);
}
