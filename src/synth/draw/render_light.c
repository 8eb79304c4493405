/* Light is asked for where somebody sees it: at the vertices of triangles that won a sample, and under hair. */
#include "synth/draw/noise.h"
#include "synth/draw/render_int.h"
#include "synth/mesh/raster.h"

#define SHADOW_REACH 1.7f
#define SHADOW_BIAS 0.035f

/* Most of a head is turned away, or behind what is before it: what nobody sees needs no light. */
void render_find_lit(renderer *r)
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
void render_cast_shadows(renderer *r, const setting *s)
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

void render_light(renderer *r, const setting *s)
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
