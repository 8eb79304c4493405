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

void creases_find(creases *out, const float *units, const person *who)
{
    float up = maxf(units[BROW_INNER_UP], 0.5f * (units[BROW_OUTER_UP_LEFT] + units[BROW_OUTER_UP_RIGHT]));
    float down = 0.5f * (units[BROW_DOWN_LEFT] + units[BROW_DOWN_RIGHT]);
    float age = who->lines;
    out->forehead = clamp01(up * (0.45f + 0.55f * age) + 0.35f * age);
    out->glabella = clamp01(down * (0.6f + 0.4f * age) + 0.25f * age + 0.3f * minf(units[BROW_INNER_UP], down));
    out->bridge = clamp01(0.5f * (units[NOSE_SNEER_LEFT] + units[NOSE_SNEER_RIGHT]));
    for (int side = 0; side < 2; side++) { /* in face_labels.h the right side follows the left */
        float squint = units[CHEEK_SQUINT_LEFT + side], eye = units[EYE_SQUINT_LEFT + side];
        float smile = units[MOUTH_SMILE_LEFT + side], upper = units[MOUTH_UPPER_UP_LEFT + side];
        float sneer = units[NOSE_SNEER_LEFT + side];
        out->crow[side] = clamp01((squint * 0.8f + eye * 0.3f) * (0.4f + 0.6f * age) + 0.3f * age);
        out->fold[side] = clamp01(0.75f * smile + 0.6f * upper + 0.5f * sneer + 0.45f * age);
    }
    out->pouch = clamp01(0.5f * age + 0.35f * (out->crow[0] + out->crow[1]) + 0.2f * out->bridge);
    out->chin = clamp01(units[MOUTH_SHRUG_LOWER]);
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

/* A fold seen from the front: a dark line with a lit lower edge; d is the signed distance over the line's half width.
 */
static float fold_line(float d)
{
    return bump(d) - 0.35f * bump(d + 1.6f);
}

/* Distance from p to the segment a-b in the face's plane; negative on the side of the nose. */
static float fold_distance(float x, float y, float ax, float ay, float bx, float by, float *along)
{
    float dx = bx - ax, dy = by - ay, n = sqrtf(dx * dx + dy * dy);
    *along = ((x - ax) * dx + (y - ay) * dy) / (n * n);
    return ((x - ax) * dy - (y - ay) * dx) / n;
}

/* How much darker the expression's folds make the skin at p: 0 none. */
static float crease_at(const setting *s, vec3 p)
{
    const creases *c = &s->crease;
    if (p.z < 0.7f)
        return 0;
    float sum = 0, x = fabsf(p.x);
    int side = p.x < 0;
    if (p.y > 7.54f && c->forehead > 0.05f) {
        float wave = 0.05f * noise_1d(p.x * 4, s->who->seed + 7) - 0.12f * x * x;
        float rows = (p.y + wave - 7.60f) / 0.085f, row = (float)floor_int(rows + 0.5f);
        float where = smooth_step(7.54f, 7.60f, p.y) * smooth_step(7.93f, 7.83f, p.y) * smooth_step(0.48f, 0.25f, x);
        float own = 0.5f + 0.5f * hash_float((int)row, 1, 0, s->who->seed);
        sum += c->forehead * where * own * 0.8f * fold_line((rows - row) * 5.5f);
    }
    if (c->glabella > 0.05f && x < 0.16f && p.y > 7.34f && p.y < 7.66f) {
        float where = smooth_step(7.34f, 7.42f, p.y) * smooth_step(7.66f, 7.55f, p.y);
        sum += c->glabella * where * 0.85f * bump((x - 0.052f - 0.03f * (p.y - 7.45f)) / 0.017f);
    }
    if (c->bridge > 0.05f && x < 0.2f && p.y > 7.1f && p.y < 7.42f) {
        float rows = (p.y + 0.5f * x - 7.30f) / 0.055f, row = (float)floor_int(rows + 0.5f);
        float where = smooth_step(7.12f, 7.2f, p.y) * smooth_step(7.42f, 7.34f, p.y) * smooth_step(0.17f, 0.08f, x);
        sum += c->bridge * where * 0.7f * fold_line((rows - row) * 3.6f);
    }
    if (c->crow[side] > 0.05f && x > 0.48f && x < 0.72f && p.y > 7.05f && p.y < 7.5f) {
        float dx = x - 0.44f, dy = p.y - 7.27f, angle = dy / dx, rows = angle / 0.38f,
              row = (float)floor_int(rows + 0.5f);
        float where =
            smooth_step(0.50f, 0.55f, x) * smooth_step(0.72f, 0.62f, x) * smooth_step(1.2f, 0.8f, fabsf(angle));
        sum += c->crow[side] * where * 0.6f * fold_line((rows - row) * dx * 22);
    }
    if (c->fold[side] > 0.04f && x > 0.1f && x < 0.62f && p.y > 6.4f && p.y < 7.1f) {
        float t, d = fold_distance(x, p.y, 0.215f, 6.97f, 0.43f, 6.57f, &t);
        d -= 0.05f * (1 - (2 * t - 1) * (2 * t - 1)); /* bowed outward */
        float where = smooth_step(-0.02f, 0.12f, t) * smooth_step(1.15f, 0.8f, t);
        sum += c->fold[side] * where * (0.42f * bump(d / 0.022f) + 0.20f * bump((d + 0.02f) / 0.06f));
    }
    if (c->pouch > 0.05f && x > 0.12f && x < 0.5f && p.y > 7.0f && p.y < 7.25f) {
        float dx = (x - 0.31f) / 0.2f, d = p.y - (7.115f + 0.05f * dx * dx);
        sum += c->pouch * 0.32f * bump(d / 0.022f) * smooth_step(1.1f, 0.6f, fabsf(dx));
    }
    if (x > 0.1f && x < 0.53f && p.y > 7.25f && p.y < 7.45f) { /* the fold of the upper lid */
        float dx = (x - 0.31f) / 0.2f, d = p.y - (7.392f - 0.085f * dx * dx);
        sum += 0.34f * (1 - 0.6f * s->who->ancestry[1]) * bump(d / 0.014f) * smooth_step(1.08f, 0.75f, fabsf(dx));
    }
    if (c->chin > 0.05f && x < 0.2f && p.y < 6.46f) {
        float dimple = noise_2d(p.x * 38, p.y * 38, 99);
        sum += c->chin * smooth_step(0.2f, 0.1f, x) * smooth_step(6.2f, 6.28f, p.y) * smooth_step(6.46f, 6.40f, p.y) *
               0.55f * smooth_step(0.35f, 0.1f, dimple);
    }
    return sum;
}

void brow_middle(const person *who, float along, float *x, float *y)
{
    float rise = 0.036f * (1 + who->brow_arch), peak = 0.62f;
    float arc = along < peak ? rise * sinf(1.5708f * along / peak)
                             : rise - (0.062f + 0.02f * who->brow_arch) * (along - peak) * (along - peak) / 0.1444f;
    *x = 0.092f + 0.408f * along;
    *y = 7.462f + who->brow_height + arc;
}

/* The share of a brow's hairs at p, 0..1: a tapering arc of strokes that stand up at the nose and lie along the arc
 * outside. */
static float brow_cover(const person *who, vec3 p)
{
    float x = fabsf(p.x);
    if (p.z < 1.0f || x < 0.04f || x > 0.56f || p.y < 7.3f || p.y > 7.72f)
        return 0;
    float u = (x - 0.092f) / 0.408f, middle_x, middle_y; /* u: 0 at the nose .. 1 outside */
    brow_middle(who, u, &middle_x, &middle_y);
    float t = p.y - middle_y;
    float half = 0.046f * who->brow_thick * (u < 0.25f ? 0.75f + u : u < 0.6f ? 1.0f : 1.0f - 1.9f * (u - 0.6f));
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
    return clamp01(body * who->brow_dense * (0.45f + 0.85f * strand));
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

vec3 skin_shade(const setting *s, const surface *at)
{
    const person *who = s->who;
    vec3 p = at->rest, c = at->tint;
    float fine = noise_3d(v3_scale(p, 55), who->seed + 5);
    c = v3_scale(c, 0.965f + 0.07f * fine);
    if (who->freckles > 0) {
        float dot = noise_3d(v3_scale(p, 34), who->seed + 6);
        float where = who->freckles * smooth_step(0.62f, 0.82f, dot) * spot(p, 0, 7.0f, 0.5f, 0.25f);
        c = v3_mul(c, v3(1 - 0.35f * where, 1 - 0.5f * where, 1 - 0.55f * where));
    }

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

    float brow = brow_cover(who, p), beard = beard_cover(who, p, at->lips);
    c = v3_mix(c, who->brow_hair, 0.88f * brow);
    c = v3_mix(c, v3_scale(who->hair, 0.6f + 0.5f * fine), 0.92f * beard);
    float hair = maxf(brow, beard);

    vec3 out = v3_mul(c, at->light);
    /* gloss: a broad sheen, sharper on the oily middle of the face and on moist lips; grazing angles shine more */
    float middle = 0.6f + 0.7f * spot(p, 0, 7.1f, 0.26f, 0.55f);
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

vec3 cloth_shade(const setting *s, const surface *at)
{
    float weave = noise_3d(v3_scale(at->rest, 40), s->how->seed + 3);
    return v3_scale(v3_mul(s->how->cloth, at->light), 0.85f + 0.3f * weave);
}
