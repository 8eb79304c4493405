/* A sheet is the scalp's own triangles lifted by a layer's height, so that hair follows any head. Strands are noise in
 * coordinates along and across the comb, not geometry. */
#include "synth/draw/hair.h"

#include "base/mem.h"
#include "synth/draw/noise.h"

#include <string.h>

#define STRANDS 58.0f /* per decimetre, in the texture: real hair is finer than a sample */

mien_status hair_mesh_create(hair_mesh *out, const head *h)
{
    hair_mesh m = {0};
    size_t points = (size_t)HAIR_LAYERS * (size_t)h->vertex_count + (CURTAIN_COLUMNS + 1) * (CURTAIN_ROWS + 1);
    size_t triangles = 2 * ((size_t)HAIR_LAYERS * (size_t)h->quad_count + CURTAIN_COLUMNS * CURTAIN_ROWS);
    mien_status st;
    TRY_OUT(mem_alloc(&m.points, points));
    TRY_OUT(mem_alloc(&m.triangles, 3 * triangles));
    TRY_OUT(mem_alloc(&m.scalp, (size_t)h->vertex_count));
    *out = m;
    return MIEN_OK;
out:
    hair_mesh_free(&m);
    return st;
}

void hair_mesh_free(hair_mesh *m)
{
    mem_free(m->points);
    mem_free(m->triangles);
    mem_free(m->scalp);
}

/* The hairline's height by azimuth around the head: 0 front, pi back. It dips in front of the ear and rises over it. */
static float hairline_height(float azimuth, const person *who)
{
    static const float line[][2] = {{0.00f, 7.96f}, {0.30f, 7.96f}, {0.55f, 7.92f}, {0.80f, 7.76f}, {0.98f, 7.52f},
                                    {1.10f, 7.22f}, {1.25f, 7.02f}, {1.38f, 7.06f}, {1.50f, 7.30f}, {1.70f, 7.34f},
                                    {1.95f, 7.05f}, {2.25f, 6.72f}, {2.70f, 6.52f}, {3.15f, 6.45f}};
    int i = 1;
    while (i < (int)(sizeof line / sizeof *line) - 1 && azimuth > line[i][0])
        i++;
    float t = clamp01((azimuth - line[i - 1][0]) / (line[i][0] - line[i - 1][0]));
    float y = mixf(line[i - 1][1], line[i][1], t);
    float temple =
        bump((azimuth - 0.62f) / 0.22f) * 0.5f + (azimuth < 0.62f ? 0.5f : 0.5f * bump((azimuth - 0.62f) / 0.3f));
    return y + who->hairline * temple;
}

float hair_depth(vec3 p, const person *who)
{
    if (who->style == HAIR_BALD)
        return -1;
    float azimuth = atan2f(fabsf(p.x), p.z - 0.35f);
    /* a fringe hangs over the forehead, longer on one side, its ends uneven */
    float fringe = 0, side = p.x / 0.6f * who->fringe_side;
    if (who->fringe > 0 && azimuth < 1.1f)
        fringe = who->fringe * (0.62f + 0.38f * maxf(-1, minf(1, side))) * smooth_step(1.05f, 0.7f, azimuth) *
                 (0.85f + 0.3f * noise_1d(p.x * 13, who->seed + 69));
    return p.y - hairline_height(azimuth, who) + fringe +
           0.02f * (noise_1d(azimuth * 9 + (p.x < 0 ? 50 : 0), who->seed + 60) - 0.5f);
}

/* Strand coordinates of a place on the scalp: combed to the side of the parting, or straight back. */
static void comb(hair_point *q, vec3 rest, const person *who, vec3 normal, const mat3 *turn)
{
    bool is_back = who->parting == 0;
    float around = atan2f(rest.z - 0.45f, rest.y - 7.2f);
    vec3 axis;
    if (is_back) {
        q->across = rest.x * STRANDS;
        q->along = around * 5;
        axis = v3(turn->row[0].x, turn->row[1].x, turn->row[2].x);
    } else {
        q->across = around * 0.9f * STRANDS;
        q->along = atan2f(rest.x - who->parting, rest.y - 7.2f) * 5;
        axis = v3(turn->row[0].z, turn->row[1].z, turn->row[2].z);
    }
    q->flow = v3_unit(v3_cross(normal, axis));
}

static void add_triangle(hair_mesh *m, int a, int b, int c)
{
    uint32_t t[3] = {(uint32_t)a, (uint32_t)b, (uint32_t)c};
    memcpy(&m->triangles[3 * m->triangle_count++], t, sizeof t);
}

static void add_shells(hair_mesh *m, const setting *s, const float *hair_depths, const vec3 *position,
                       const vec3 *normal, const vec3 *light, const float *shadow)
{
    const head *h = s->h;
    const person *who = s->who;
    int v_count = h->face->vertex_count, per_layer = 0;
    for (int v = 0; v < v_count; v++) {
        float ear = h->face->mask[(size_t)v * MASK_COUNT + MASK_EARS];
        float depth = ear > 0.3f || h->rest[v].y < 6.4f ? -1 : hair_depths[v];
        m->scalp[v] = -1;
        if (depth <= HAIR_REACH)
            continue;
        hair_point *q = &m->points[per_layer];
        *q = (hair_point){.normal = normal[v], .light = light[v], .shadow = shadow[v], .depth = depth - ear};
        comb(q, h->rest[v], who, normal[v], &s->turn);
        m->scalp[v] = per_layer++;
    }
    int quads = 0;
    for (int q = 0; q < h->quad_count; q++) {
        const uint32_t *c = &h->quads[4 * q];
        bool is_hair = h->quad_material[q] == MATERIAL_SKIN;
        for (int i = 0; i < 4 && is_hair; i++)
            is_hair = c[i] < (uint32_t)v_count && m->scalp[c[i]] >= 0;
        if (!is_hair)
            continue;
        add_triangle(m, m->scalp[c[0]], m->scalp[c[1]], m->scalp[c[2]]);
        add_triangle(m, m->scalp[c[0]], m->scalp[c[2]], m->scalp[c[3]]);
        quads++;
    }
    for (int k = 1; k < HAIR_LAYERS; k++)
        for (int t = 0; t < 6 * quads; t++)
            m->triangles[6 * quads * k + t] = m->triangles[t] + (uint32_t)(k * per_layer);
    m->triangle_count = 2 * quads * HAIR_LAYERS;
    for (int k = 0; k < HAIR_LAYERS; k++)
        m->sheet_begin[m->sheet_count++] = 2 * quads * k;

    for (int v = 0; v < v_count; v++) {
        if (m->scalp[v] < 0)
            continue;
        hair_point base = m->points[m->scalp[v]];
        /* the front is brushed up a little more than the sides; nothing stands off at the edge itself */
        float lumps = 0.7f + 0.6f * noise_3d(v3_scale(h->rest[v], who->hair_wave > 0.6f ? 7.0f : 3.5f), who->seed + 61);
        float stand = who->hair_volume * (s->how->worn.hat == HAT_NONE ? 1 : 0.25f) *
                      smooth_step(-0.02f, 0.22f, base.depth) * lumps *
                      (0.6f + 0.4f * clamp01((h->rest[v].y - 7.2f) * 1.2f));
        for (int k = 0; k < HAIR_LAYERS; k++) {
            hair_point *q = &m->points[m->scalp[v] + k * per_layer];
            *q = base;
            q->layer = (float)k / (HAIR_LAYERS - 1);
            q->position = v3_madd(position[v], base.normal, 0.004f + stand * (0.25f + 0.75f * q->layer));
            if (who->hair_wave > 0.6f) { /* curls have no common direction */
                q->across += 9 * noise_3d(v3_scale(h->rest[v], 9), who->seed + 62);
                q->along *= 4;
            }
        }
    }
    m->point_count = per_layer * HAIR_LAYERS;
}

/* Long hair hangs from an ellipse around the skull, open at the face. */
static void add_curtain(hair_mesh *m, const setting *s, const vec3 *position)
{
    const head *h = s->h;
    const person *who = s->who;
    /* the skull's half width and middle, from the posed head in its own coordinates */
    float half_width = 0, back = INFINITY, front = -INFINITY, middle_y = 0;
    vec3 sum = {0};
    int n = 0;
    for (int v = 0; v < h->face->vertex_count; v++) {
        vec3 p = h->rest[v], q = mat3_apply_back(&s->turn, position[v]);
        if (p.y < 7.45f || p.y > 7.65f || h->face->mask[(size_t)v * MASK_COUNT + MASK_EARS] > 0.3f)
            continue;
        sum = v3_add(sum, q);
        n++;
        back = minf(back, q.z);
        front = maxf(front, q.z);
    }
    if (n == 0)
        return;
    vec3 middle = v3_scale(sum, 1 / (float)n);
    for (int v = 0; v < h->face->vertex_count; v++) {
        vec3 p = h->rest[v], q = mat3_apply_back(&s->turn, position[v]);
        if (p.y > 7.45f && p.y < 7.65f && h->face->mask[(size_t)v * MASK_COUNT + MASK_EARS] <= 0.3f)
            half_width = maxf(half_width, fabsf(q.x - middle.x));
    }
    middle_y = middle.y;
    float mid_z = mixf(back, front, 0.42f), deep = (front - back) * 0.5f + 0.05f;
    int first = m->point_count;
    for (int row = 0; row <= CURTAIN_ROWS; row++)
        for (int col = 0; col <= CURTAIN_COLUMNS; col++) {
            float t = (float)row / CURTAIN_ROWS, open = 0.98f - who->curtain + 0.10f * t;
            float turn = mixf(open, 6.2832f - open, (float)col / CURTAIN_COLUMNS);
            float y = middle_y + 0.32f - 2.1f * t;
            float tuck = smooth_step(0, 0.18f, t); /* grows out of the shells at the top */
            float wave = who->hair_wave * 0.04f * sinf(t * 16 + 5 * noise_1d(turn * 2, who->seed + 64));
            float wide =
                mixf(0.90f, 1.0f, tuck) + 0.12f * t + wave + 0.10f * (noise_2d(turn * 3, t * 3, who->seed + 65) - 0.5f);
            float volume = who->hair_volume * 0.7f * tuck;
            vec3 out = v3(sinf(turn), 0, cosf(turn));
            vec3 p = v3(middle.x + out.x * (half_width * wide + volume), y, mid_z + out.z * (deep * wide + volume));
            hair_point *q = &m->points[m->point_count++];
            *q = (hair_point){.shadow = 1, .layer = 0.3f + 0.3f * t};
            q->position = mat3_apply(&s->turn, p);
            q->normal = mat3_apply(&s->turn, out);
            q->flow = mat3_apply(&s->turn, v3(0, -1, 0));
            q->across = turn * 0.85f * STRANDS + 60 * wave;
            q->along = y * 2.2f;
            float from_edge = minf((float)col, (float)(CURTAIN_COLUMNS - col)) / CURTAIN_COLUMNS * 4.2f;
            q->depth = from_edge - 0.05f;
            float key = clamp01((v3_dot(q->normal, s->how->key_from) + 0.4f) / 1.4f);
            float fill = clamp01((v3_dot(q->normal, s->how->fill_from) + 0.4f) / 1.4f);
            q->light = v3_madd(v3_madd(v3_scale(s->how->sky, 0.5f), s->how->key, 0.8f * key), s->how->fill, fill);
        }
    for (int row = 0; row < CURTAIN_ROWS; row++)
        for (int col = 0; col < CURTAIN_COLUMNS; col++) {
            int a = first + row * (CURTAIN_COLUMNS + 1) + col, b = a + CURTAIN_COLUMNS + 1;
            add_triangle(m, a, b, b + 1);
            add_triangle(m, a, b + 1, a + 1);
        }
}

void hair_build(hair_mesh *m, const setting *s, const float *hair_depths, const vec3 *position, const vec3 *normal,
                const vec3 *light, const float *shadow)
{
    m->point_count = m->triangle_count = m->sheet_count = 0;
    const hat_kind hat = s->how->worn.hat;
    if (s->who->style == HAIR_BALD || hat == HAT_HEADSCARF)
        return;
    add_shells(m, s, hair_depths, position, normal, light, shadow);
    if (s->who->style == HAIR_LONG && hat != HAT_HOOD) {
        m->sheet_begin[m->sheet_count++] = m->triangle_count;
        add_curtain(m, s, position);
    }
    m->sheet_begin[m->sheet_count] = m->triangle_count;
}

vec3 hair_shade(const setting *s, const hair_point *at, float *cover)
{
    const person *who = s->who;
    vec3 to_eye = v3_unit(v3_sub(v3(0, 0, s->how->distance), at->position));
    float seen = maxf(0.2f, fabsf(v3_dot(at->normal, to_eye))); /* strands crowd where the head turns away */
    float strand = mixf(0.5f, noise_2d(at->across, at->along, who->seed + 66), detail_left(s, STRANDS / seen));
    float lock = noise_2d(at->across * 0.16f, at->along * 0.5f, who->seed + 67);
    float edge = smooth_step(-0.03f, 0.07f, at->depth + 0.09f * (strand - 0.5f) + 0.04f * (lock - 0.5f));
    float thin = at->layer <= 0
                     ? 1
                     : smooth_step(at->layer * 0.8f - 0.25f, at->layer * 0.8f + 0.05f, strand * 0.6f + lock * 0.55f);
    if (who->style == HAIR_CROPPED)
        edge *= 0.80f;
    *cover = edge * thin;
    if (*cover <= 0.02f)
        return v3_all(0);

    vec3 c = v3_scale(who->hair, (0.55f + 0.6f * strand) * (0.65f + 0.6f * lock) * mixf(0.6f, 1.1f, at->layer));
    float grey = smooth_step(-0.3f, 0.3f, who->grey - noise_2d(at->across * 0.8f, at->along * 0.3f, who->seed + 68));
    c = v3_mix(c, v3_scale(v3(0.42f, 0.41f, 0.40f), 0.5f + 0.6f * strand),
               0.85f * grey * smooth_step(0, 0.1f, who->grey));
    vec3 out = v3_mul(c, at->light);

    /* strands shine where they cross the half way between light and camera */
    vec3 half = v3_unit(v3_add(to_eye, s->how->key_from));
    float along = v3_dot(v3_unit(at->flow), half) + 0.10f * (lock - 0.5f);
    float shine = maxf(0, 1 - along * along);
    for (int i = 0; i < 5; i++)
        shine *= shine;
    float facing = smooth_step(-0.1f, 0.5f, v3_dot(at->normal, s->how->key_from));
    shine *= facing * at->shadow * (who->hair_wave > 0.6f ? 0.25f : 1) * (0.4f + 1.2f * strand);
    vec3 glow = v3_mix(v3_all(0.07f), v3_scale(who->hair, 0.6f), 0.5f);
    return v3_add(out, v3_scale(v3_mul(s->how->key, glow), 0.9f * shine));
}
