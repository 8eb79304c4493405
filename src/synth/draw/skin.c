/* Skin: its colour as a function of the neutral head's coordinates (so that brows, lips and lines ride on the moving
 * mesh), and its gloss. Places are those of MakeHuman's base mesh in decimetres: eyes (+-0.31, 7.28), nose tip
 * (0, 6.91, 1.68), mouth (0, 6.6), brows y 7.41..7.56. */
#include "synth/draw/noise.h"
#include "synth/draw/setting.h"

static float spot(vec3 p, float x, float y, float rx, float ry)
{
    float dx = (p.x - x) / rx, dy = (p.y - y) / ry;
    return bump(sqrtf(dx * dx + dy * dy));
}

/* Left and right alike. */
static float spots(vec3 p, float x, float y, float rx, float ry)
{
    p.x = fabsf(p.x);
    return spot(p, x, y, rx, ry);
}

vec3 skin_tint(const head *h, int vertex, const person *who)
{
    vec3 p = h->rest[vertex];
    const float *mask = vertex < h->face->vertex_count ? &h->face->mask[(size_t)vertex * MASK_COUNT] : NULL;
    float front = smooth_step(0.6f, 1.1f, p.z);
    float ears = mask ? mask[MASK_EARS] : 0;

    /* blood under the skin: absorbs green and blue, and shows less in dark skin */
    float blood = 0.9f * spots(p, 0.46f, 6.97f, 0.22f, 0.18f) + 1.0f * spot(p, 0, 6.92f, 0.13f, 0.12f) +
                  0.35f * spot(p, 0, 6.33f, 0.2f, 0.12f) + 0.25f * spots(p, 0.31f, 7.28f, 0.17f, 0.12f);
    blood = who->flush * (blood * front + 0.9f * ears) * (1 - 0.6f * who->tone);
    vec3 c = v3_mul(who->skin, v3(1 + 0.04f * blood, 1 - 0.24f * blood, 1 - 0.22f * blood));

    /* around the eyes the skin is thin and darker; the forehead is a little yellower */
    float socket = who->eye_shade * front *
                   (0.8f * spots(p, 0.30f, 7.20f, 0.17f, 0.09f) + 0.6f * spots(p, 0.17f, 7.30f, 0.09f, 0.11f) +
                    0.5f * spots(p, 0.31f, 7.36f, 0.19f, 0.06f));
    c = v3_mul(c, v3(1 - 0.26f * socket, 1 - 0.34f * socket, 1 - 0.28f * socket));
    float brow_bone = front * spot(p, 0, 7.72f, 0.4f, 0.2f);
    c = v3_mul(c, v3(1 + 0.02f * brow_bone, 1 + 0.02f * brow_bone, 1 - 0.05f * brow_bone));

    /* patches, and the shadow that shaved hair leaves under the skin */
    float patch = noise_3d(v3_scale(p, 5.5f), who->seed) + 0.6f * noise_3d(v3_scale(p, 13), who->seed + 1) - 0.8f;
    c = v3_scale(c, 1 + 0.10f * patch);
    float jaw = smooth_step(6.80f, 6.55f, p.y - 0.35f * fabsf(p.x)) * smooth_step(0.45f, 0.8f, p.z) *
                smooth_step(6.0f, 6.25f, p.y);
    float over_lip = spot(p, 0, 6.76f, 0.26f, 0.06f) * front;
    float shave = who->stubble * clamp01(jaw + over_lip);
    return v3_mul(c, v3(1 - 0.38f * shave, 1 - 0.34f * shave, 1 - 0.28f * shave));
}

void brow_middle(const setting *s, bool is_right, float along, float *x, float *y)
{
    const person *who = s->who;
    const creases *c = &s->crease;
    float rise = 0.044f * (1 + who->brow_arch), peak = 0.66f;
    float arc = along < peak ? rise * sinf(1.5708f * along / peak)
                             : rise - (0.046f + 0.02f * who->brow_arch) * (along - peak) * (along - peak) / 0.1156f;
    /* the skin over the bone slides farther than the mesh carries it, most of all at the inner ends */
    float inner = (1 - along) * (1 - along), press = c->press[is_right];
    float slide = 0.050f * c->brow_inner * (1 - press) * inner - press * (0.018f + 0.022f * inner);
    *x = 0.092f + 0.408f * along;
    *y = 7.458f + who->brow_height + arc + slide;
}

/* The share of a brow's hairs at p, 0..1: a tapering arc of strokes that stand up at the nose and lie along the arc
 * outside. */
static float brow_cover(const setting *s, vec3 p)
{
    const person *who = s->who;
    float x = fabsf(p.x);
    if (p.z < 1.0f || x < 0.04f || x > 0.56f || p.y < 7.3f || p.y > 7.72f)
        return 0;
    float u = (x - 0.092f) / 0.408f, middle_x, middle_y; /* u: 0 at the nose .. 1 outside */
    brow_middle(s, p.x < 0, u, &middle_x, &middle_y);
    float t = p.y - middle_y;
    float half = 0.050f * who->brow_thick * (u < 0.25f ? 0.75f + u : u < 0.6f ? 1.0f : 1.0f - 1.9f * (u - 0.6f));
    if (half < 0.008f || u < -0.06f || u > 1.1f)
        return 0;
    /* hairs stand up at the nose and lie down along the arc outside */
    float lean = mixf(0.3f, 2.6f, smooth_step(0, 0.55f, u));
    float across = (x - t * lean) * 78, along = (t + 0.3f * x) * 9;
    uint32_t seed = who->seed + (p.x < 0 ? 3 : 2);
    float strand = noise_2d(across, along, seed);
    float ragged = half * (0.75f + 0.55f * noise_2d(across * 0.5f, along, seed + 17));
    float body =
        smooth_step(ragged, 0.45f * ragged, fabsf(t)) * smooth_step(-0.05f, 0.08f, u) * smooth_step(1.08f, 0.85f, u);
    return clamp01(body * who->brow_dense * (0.60f + 0.75f * strand));
}

/* Beard and moustache: places where hair grows, thinned by noise into strands. */
static float beard_cover(const person *who, vec3 p, float lips)
{
    float x = fabsf(p.x);
    if (who->beard + who->moustache <= 0 || p.y > 7.05f || p.z < 0.3f || lips > 0.6f)
        return 0;
    float edge = 6.62f + 0.95f * maxf(0, x - 0.32f) - 0.25f * maxf(0, x - 0.62f); /* cheek line, up toward the ears */
    float jaw = who->beard * smooth_step(edge + 0.07f, edge - 0.07f, p.y) * smooth_step(6.05f, 6.2f, p.y);
    jaw *= 1 - 0.9f * spot(p, 0, 6.52f, 0.17f, 0.05f); /* bare under the lower lip, but for its middle */
    float over = who->moustache * smooth_step(0.34f, 0.28f, x) * smooth_step(6.70f, 6.74f, p.y) *
                 smooth_step(6.86f - 0.2f * x, 6.82f - 0.2f * x, p.y) * smooth_step(1.1f, 1.25f, p.z);
    float side = maxf(who->beard, who->moustache) * spots(p, 0.33f, 6.64f, 0.06f, 0.12f) * (who->beard > 0 ? 1 : 0);
    float cover = maxf(maxf(jaw, over), side);
    if (cover <= 0.02f)
        return 0;
    float strand = noise_2d((p.x + 0.2f * p.y) * 60, (p.y - p.z) * 17, who->seed + 23);
    return clamp01(cover * (0.55f + 0.75f * strand)) * smooth_step(0.6f, 0.3f, lips);
}

/* x^(2^n) */
static float power_of_two(float x, int n)
{
    for (int i = 0; i < n; i++)
        x *= x;
    return x;
}

vec3 gloss(const setting *s, const surface *at, vec3 normal, int sharp, float broad_share)
{
    vec3 to_eye = v3_unit(v3_sub(v3(0, 0, s->how->distance), at->position));
    float a = v3_dot(normal, v3_unit(v3_add(to_eye, s->how->key_from)));
    float b = v3_dot(normal, v3_unit(v3_add(to_eye, s->how->fill_from)));
    vec3 out = v3_all(0);
    if (a > 0) {
        float broad = power_of_two(a, 3);
        out = v3_scale(s->how->key, at->shadow * (power_of_two(broad, sharp - 3) + broad_share * broad));
    }
    if (b > 0) {
        float broad = power_of_two(b, 3);
        out = v3_madd(out, s->how->fill, power_of_two(broad, sharp - 3) + broad_share * broad);
    }
    return out;
}

vec3 cloth_shade(const setting *s, const surface *at)
{
    float weave = noise_3d(v3_scale(at->rest, 40), s->how->seed + 3);
    return v3_scale(v3_mul(s->how->cloth, at->light), 0.85f + 0.3f * weave);
}

/* Whether a place lies below the collar, which is higher at the nape than in front. Only heads with shoulders of their
 * own have skin there. */
static bool is_dressed(vec3 rest)
{
    return rest.y < 5.80f - 0.12f * rest.z;
}

/* Pores, moles, freckles, the dots of stubble: what they leave of each colour. */
static vec3 spots_of_skin(const setting *s, vec3 p)
{
    const person *who = s->who;
    float pore_left = detail_left(s, 95), dark = 0;
    if (pore_left > 0.15f) { /* the same for a whole picture */
        float pit = noise_3d(v3_scale(p, 95), who->seed + 8);
        dark += 0.18f * who->pores * pore_left * smooth_step(0.42f, 0.2f, pit) * spot(p, 0, 6.98f, 0.5f, 0.42f);
    }
    if (who->stubble > 0.05f) {
        float jaw = smooth_step(6.80f, 6.55f, p.y - 0.35f * fabsf(p.x)) * smooth_step(0.45f, 0.8f, p.z);
        float hair = noise_3d(v3_scale(p, 62), who->seed + 9);
        dark +=
            who->stubble * detail_left(s, 62) * 0.8f * clamp01(jaw + spot(p, 0, 6.76f, 0.26f, 0.06f)) * (hair - 0.45f);
    }
    if (who->moles > 0) { /* at most one a cell, somewhere in it */
        int x = floor_int(p.x * 6), y = floor_int(p.y * 6);
        float size = hash_float(x, y, 2, who->seed), dx = p.x * 6 - (float)x, dy = p.y * 6 - (float)y;
        dx -= 0.25f + 0.5f * hash_float(x, y, 0, who->seed);
        dy -= 0.25f + 0.5f * hash_float(x, y, 1, who->seed);
        float radius = 0.04f + 0.08f * hash_float(x, y, 3, who->seed);
        dark += 0.75f * (size < 0.05f * who->moles) * smooth_step(radius, 0.6f * radius, sqrtf(dx * dx + dy * dy));
    }
    vec3 left = v3(1 - 0.75f * dark, 1 - 0.90f * dark, 1 - 0.95f * dark);
    if (who->freckles > 0) {
        float dot = noise_3d(v3_scale(p, 34), who->seed + 6);
        float where = who->freckles * smooth_step(0.62f, 0.82f, dot) * spot(p, 0, 7.0f, 0.5f, 0.25f);
        left = v3_mul(left, v3(1 - 0.35f * where, 1 - 0.5f * where, 1 - 0.55f * where));
    }
    return left;
}

/* Lash line and liner, shadow on the lids, blush. */
static vec3 makeup(const setting *s, vec3 p, vec3 c)
{
    const person *who = s->who;
    vec3 out = v3_sub(p, s->h->eye_middle[p.x < 0]);
    float away = v3_dot(out, out), above = smooth_step(-0.03f, 0.01f, out.y);
    if (away < 0.09f && p.z > 0.9f) {
        float lid = who->eye_shadow * smooth_step(0.0f, 0.06f, out.y) * smooth_step(0.072f, 0.03f, away);
        c = v3_mix(c, who->shadow_tint, 0.75f * lid);
        float rim = smooth_step(0.168f * 0.168f, 0.155f * 0.155f, away) * who->lash;
        float liner = smooth_step(0.186f * 0.186f, 0.166f * 0.166f, away) * who->eyeliner;
        c = v3_scale(c, 1 - mixf(0.35f, 1, above) * maxf(0.85f * rim, 0.88f * liner));
    }
    float blush = who->blush * spots(p, 0.47f, 7.0f, 0.20f, 0.13f) * smooth_step(0.6f, 1.0f, p.z);
    return v3_mul(c, v3(1, 1 - 0.30f * blush, 1 - 0.22f * blush));
}

vec3 skin_shade(const setting *s, const surface *at)
{
    if (is_dressed(at->rest))
        return cloth_shade(s, at);
    const person *who = s->who;
    vec3 p = at->rest, c = at->tint;
    float fine = noise_3d(v3_scale(p, 55), who->seed + 5);
    c = v3_scale(c, 1 + who->pores * (0.10f * fine - 0.05f));
    c = v3_mul(c, spots_of_skin(s, p));
    c = makeup(s, p, c);

    /* lips: redder than the skin, lined from top to bottom, darkest where they meet */
    float lips = smooth_step(0.30f, 0.62f, at->lips);
    if (lips > 0) {
        vec3 natural = v3_mul(who->skin, v3_mix(v3(0.86f, 0.62f, 0.62f), v3(0.70f, 0.36f, 0.38f), who->lip_colour));
        vec3 red = v3_mix(natural, who->lip_tint, who->lip_makeup);
        float line = noise_1d(p.x * 46 + 2 * noise_1d(p.y * 9, 3), who->seed + 4);
        c = v3_mix(c, v3_scale(red, 0.88f + 0.2f * line), lips);
    }
    float dark = crease_at(s, p) * (1 - 0.7f * lips);
    c = v3_mul(c, v3(1 - 0.50f * dark, 1 - 0.58f * dark, 1 - 0.60f * dark));

    float brow = brow_cover(s, p), beard = beard_cover(who, p, at->lips);
    c = v3_mix(c, who->brow_hair, 0.88f * brow);
    c = v3_mix(c, v3_scale(who->hair, 0.6f + 0.5f * fine), 0.92f * beard);
    float hair = maxf(brow, beard);

    vec3 out = v3_mul(c, at->light);
    /* gloss: a broad sheen, sharper on the oily middle of the face and on moist lips; grazing angles shine more */
    float middle =
        0.6f + who->shine * (0.7f * spot(p, 0, 7.1f, 0.26f, 0.55f) + 0.45f * spot(p, 0, 7.75f, 0.42f, 0.22f) +
                             0.5f * spots(p, 0.45f, 7.05f, 0.17f, 0.12f) + 0.3f * spot(p, 0, 6.34f, 0.16f, 0.1f));
    vec3 to_eye = v3_unit(v3_sub(v3(0, 0, s->how->distance), at->position));
    float facing = clamp01(v3_dot(at->normal, to_eye)), graze = 1 - facing;
    float fresnel = 0.028f + 0.35f * graze * graze * graze * graze;
    float open = smooth_step(0, 0.5f, at->occlusion) * (1 - 0.85f * hair);
    vec3 grain = v3(fine - 0.5f, 0.4f - fine * fine, 0);
    vec3 rough = v3_unit(v3_madd(at->normal, grain, 0.22f * (1 - 0.5f * lips)));
    float amount = who->oil * open * fresnel;
    float sharp = 2.4f * middle + 3.2f * lips;
    return v3_madd(out, gloss(s, at, rough, 5, 1.6f * (1 - lips) / sharp), amount * sharp);
}
