/* Folds that an expression makes in the skin, drawn as what they do to its light: a dark line, often with a lit edge
 * beside it, and a broad soft part that is left of it in a small picture, where the line itself is thinner than a
 * pixel. Places are those of the neutral head (skin.c), so that folds ride on the mesh. */
#include "synth/draw/noise.h"
#include "synth/draw/setting.h"

void creases_find(creases *out, const float *units, const person *who)
{
    float up = maxf(units[BROW_INNER_UP], 0.5f * (units[BROW_OUTER_UP_LEFT] + units[BROW_OUTER_UP_RIGHT]));
    float down = 0.5f * (units[BROW_DOWN_LEFT] + units[BROW_DOWN_RIGHT]);
    float age = who->lines;
    out->forehead = clamp01(up * (0.55f + 0.45f * age) + 0.28f * age);
    out->glabella = clamp01(down * (0.75f + 0.25f * age) + 0.15f * age + 0.3f * minf(units[BROW_INNER_UP], down));
    out->bridge = clamp01(0.5f * (units[NOSE_SNEER_LEFT] + units[NOSE_SNEER_RIGHT]));
    out->brow_inner = units[BROW_INNER_UP];
    for (int side = 0; side < 2; side++) { /* in face_labels.h the right side follows the left */
        float squint = units[CHEEK_SQUINT_LEFT + side], eye = units[EYE_SQUINT_LEFT + side];
        float smile = units[MOUTH_SMILE_LEFT + side], upper = units[MOUTH_UPPER_UP_LEFT + side];
        float sneer = units[NOSE_SNEER_LEFT + side], dimple = units[MOUTH_DIMPLE_LEFT + side];
        out->crow[side] = clamp01((squint * 0.9f + eye * 0.3f) * (0.45f + 0.55f * age) + 0.25f * age);
        out->fold[side] = clamp01(0.95f * smile + 0.6f * upper + 0.5f * sneer + 0.35f * age);
        out->apple[side] = clamp01(0.75f * smile + 0.5f * squint);
        out->sneer[side] = clamp01(sneer + 0.35f * upper);
        out->corner[side] = clamp01(smile + dimple);
        out->frown[side] = clamp01(units[MOUTH_FROWN_LEFT + side] + 0.3f * age);
        out->pouch[side] = clamp01(0.45f * age + 0.8f * squint + 0.35f * eye + 0.2f * sneer);
        out->press[side] = units[BROW_DOWN_LEFT + side];
    }
    out->chin = clamp01(units[MOUTH_SHRUG_LOWER]);
}

/* A fold seen from the front: a dark line with a lit lower edge; d is the signed distance over the line's half width.
 */
static float fold_line(float d)
{
    return bump(d) - 0.35f * bump(d + 1.6f);
}

/* Distance from a place to the line a-b in the face's plane, negative on the side of the nose; along: 0 at a, 1 at b.
 */
static float fold_distance(float x, float y, float ax, float ay, float bx, float by, float *along)
{
    float dx = bx - ax, dy = by - ay, n = sqrtf(dx * dx + dy * dy);
    *along = ((x - ax) * dx + (y - ay) * dy) / (n * n);
    return ((x - ax) * dy - (y - ay) * dx) / n;
}

static float blob(float x, float y, float rx, float ry)
{
    return bump(sqrtf(x * x / (rx * rx) + y * y / (ry * ry)));
}

/* Rows across the forehead, wavy, each as deep as the person has it. */
static float forehead_rows(const setting *s, float x, float y, float signed_x)
{
    float wave = 0.05f * noise_1d(signed_x * 4, s->who->seed + 7) - 0.12f * x * x;
    float rows = (y + wave - 7.60f) / 0.085f, row = (float)floor_int(rows + 0.5f);
    float where = smooth_step(7.54f, 7.60f, y) * smooth_step(7.96f, 7.85f, y) * smooth_step(0.50f, 0.28f, x);
    float own = 0.6f + 0.4f * hash_float((int)row, 1, 0, s->who->seed);
    return where * own * fold_line((rows - row) * 4.4f);
}

/* Two furrows between the brows, and the shade that pressed brows throw into the inner corners of the eyes. */
static float glabella(const creases *c, int side, float x, float y)
{
    float where = smooth_step(7.33f, 7.42f, y) * smooth_step(7.68f, 7.56f, y);
    float furrow = bump((x - 0.050f - 0.03f * (y - 7.45f)) / 0.019f) - 0.45f * bump((x - 0.1f) / 0.03f);
    float valley = 0.35f * blob(x, y - 7.47f, 0.10f, 0.14f);
    float brow_shade = 0.75f * c->press[side] * blob(x - 0.19f, y - 7.395f, 0.12f, 0.045f);
    return c->glabella * (where * 0.95f * furrow + valley) + brow_shade;
}

/* Wrinkles across the root of the nose, and the fold beside it down to the wing. */
static float nose_wrinkles(const creases *c, int side, float x, float y)
{
    float rows = (y + 0.55f * x - 7.30f) / 0.060f, row = (float)floor_int(rows + 0.5f);
    float where = smooth_step(7.08f, 7.16f, y) * smooth_step(7.44f, 7.36f, y) * smooth_step(0.19f, 0.09f, x);
    float t, d = fold_distance(x, y, 0.105f, 7.26f, 0.225f, 6.99f, &t);
    float beside = smooth_step(-0.05f, 0.2f, t) * smooth_step(1.1f, 0.9f, t) *
                   (0.5f * bump(d / 0.024f) - 0.2f * bump((d - 0.06f) / 0.035f));
    return c->bridge * where * 0.95f * fold_line((rows - row) * 3.0f) + c->sneer[side] * beside;
}

/* The fold from the wing of the nose past the corner of the mouth, under a cheek that bulges. */
static float nose_to_mouth(const creases *c, int side, float x, float y)
{
    float t, d = fold_distance(x, y, 0.215f, 6.97f, 0.43f, 6.57f, &t);
    d -= 0.05f * (1 - (2 * t - 1) * (2 * t - 1)); /* bowed outward */
    float where = smooth_step(-0.02f, 0.12f, t) * smooth_step(1.15f, 0.8f, t);
    return c->fold[side] * where * (0.50f * bump(d / 0.022f) + 0.14f * bump((d + 0.03f) / 0.07f));
}

/* Folds below the eye: under the lower lid's bulge, and fanning out from its outer corner. */
static float around_eye(const creases *c, int side, float x, float y)
{
    float across = (x - 0.31f) / 0.2f, d = y - (7.135f + 0.05f * across * across);
    float bag = 0.42f * bump(d / 0.022f) - 0.28f * bump((d - 0.055f) / 0.03f);
    bag *= smooth_step(1.15f, 0.6f, fabsf(across));
    float dx = maxf(x - 0.44f, 0.02f), angle = (y - 7.27f) / dx, rows = angle / 0.38f;
    float row = (float)floor_int(rows + 0.5f);
    float fan = smooth_step(0.50f, 0.55f, x) * smooth_step(0.74f, 0.62f, x) * smooth_step(1.2f, 0.8f, fabsf(angle));
    return c->pouch[side] * bag + c->crow[side] * fan * 0.75f * fold_line((rows - row) * dx * 19);
}

/* Corners of the mouth: the pit that a smile presses in, the lines that a frown draws down from it. */
static float mouth_corner(const creases *c, int side, float x, float y)
{
    float t, d = fold_distance(x, y, 0.275f, 6.57f, 0.345f, 6.37f, &t);
    float line = smooth_step(-0.15f, 0.1f, t) * smooth_step(1.2f, 0.7f, t) *
                 (0.42f * bump(d / 0.022f) - 0.2f * bump((d - 0.055f) / 0.035f));
    return c->frown[side] * line + 0.55f * c->corner[side] * blob(x - 0.285f, y - 6.605f, 0.030f, 0.045f);
}

float crease_at(const setting *s, vec3 p)
{
    const creases *c = &s->crease;
    float sum = 0, x = fabsf(p.x), y = p.y;
    int side = p.x < 0;
    if (p.z < 0.7f || x > 0.76f)
        return 0;
    if (y > 7.54f)
        sum += c->forehead * forehead_rows(s, x, y, p.x);
    if (x < 0.34f && y > 7.26f && y < 7.70f)
        sum += glabella(c, side, x, y);
    if (x < 0.32f && y > 6.9f && y < 7.46f)
        sum += nose_wrinkles(c, side, x, y);
    if (x > 0.1f && y > 7.0f && y < 7.5f)
        sum += around_eye(c, side, x, y);
    if (x > 0.1f && x < 0.66f && y > 6.4f && y < 7.1f)
        sum += nose_to_mouth(c, side, x, y);
    if (x > 0.18f && x < 0.72f && y > 6.72f && y < 7.2f) /* the cheek's ball catches light */
        sum -= 0.20f * c->apple[side] * blob(x - 0.44f, y - 6.985f, 0.15f, 0.11f);
    if (x > 0.15f && x < 0.45f && y > 6.25f && y < 6.72f)
        sum += mouth_corner(c, side, x, y);
    if (x > 0.1f && x < 0.53f && y > 7.25f && y < 7.45f) { /* the fold of the upper lid */
        float across = (x - 0.31f) / 0.2f, d = y - (7.392f - 0.085f * across * across);
        sum += 0.34f * (1 - 0.6f * s->who->ancestry[1]) * bump(d / 0.014f) * smooth_step(1.08f, 0.75f, fabsf(across));
    }
    if (x < 0.2f && y < 6.46f) {
        float dimple = noise_2d(p.x * 38, y * 38, 99);
        sum += c->chin * smooth_step(0.2f, 0.1f, x) * smooth_step(6.2f, 6.28f, y) * smooth_step(6.46f, 6.40f, y) *
               0.55f * smooth_step(0.35f, 0.1f, dimple);
    }
    return minf(sum, 1.2f);
}
