/* A hand is five fingers and a palm, each a loft, laid over the face: joints are given for a flat hand or a fist, then
 * the sections of a flat hand's fingers sink to the skin below them, so that it fits any face. */
#include "synth/draw/occluder.h"

#include "synth/draw/noise.h"

#define FINGERS 5
#define FINGER_RINGS 13
#define PALM_RINGS 9
#define SLEEVE_RINGS 4
#define CLEAR 0.015f /* decimetres between a hand and the face */

/* Where a hand lies: its own axes in the face's plane, u toward the thumb, v toward the finger tips, origin the wrist.
 */
typedef struct {
    vec3 wrist, u, v, out;
    float size;            /* of a hand 1.85 decimetres long */
    bool is_fist, is_free; /* free: its fingers stay straight */
} hand_place;

/* u, v and height over the palm of knuckle, two joints and tip; thumb first, then index to little finger. */
static const float flat_hand[FINGERS][4][3] = {
    {{0.30f, 0.32f, 0}, {0.52f, 0.60f, 0.02f}, {0.60f, 0.86f, 0.02f}, {0.62f, 1.10f, 0}},
    {{0.29f, 0.98f, 0}, {0.32f, 1.36f, 0.01f}, {0.33f, 1.58f, 0}, {0.33f, 1.76f, 0}},
    {{0.10f, 1.02f, 0}, {0.11f, 1.44f, 0.01f}, {0.11f, 1.69f, 0}, {0.11f, 1.87f, 0}},
    {{-0.09f, 0.98f, 0}, {-0.11f, 1.37f, 0.01f}, {-0.12f, 1.60f, 0}, {-0.12f, 1.78f, 0}},
    {{-0.27f, 0.90f, 0}, {-0.32f, 1.20f, 0.01f}, {-0.34f, 1.38f, 0}, {-0.35f, 1.53f, 0}},
};
static const float fist[FINGERS][4][3] = {
    {{0.30f, 0.40f, 0.05f}, {0.44f, 0.74f, 0.10f}, {0.38f, 0.98f, 0.16f}, {0.20f, 1.12f, 0.20f}},
    {{0.29f, 0.86f, 0.02f}, {0.29f, 1.16f, 0.06f}, {0.29f, 1.20f, -0.14f}, {0.27f, 0.94f, -0.22f}},
    {{0.10f, 0.90f, 0.02f}, {0.10f, 1.22f, 0.07f}, {0.10f, 1.25f, -0.14f}, {0.09f, 0.98f, -0.22f}},
    {{-0.09f, 0.87f, 0.02f}, {-0.09f, 1.17f, 0.06f}, {-0.09f, 1.20f, -0.14f}, {-0.09f, 0.94f, -0.22f}},
    {{-0.27f, 0.82f, 0.01f}, {-0.27f, 1.06f, 0.04f}, {-0.27f, 1.10f, -0.14f}, {-0.26f, 0.88f, -0.20f}},
};
static const float thickness[FINGERS] = {0.104f, 0.096f, 0.099f, 0.094f, 0.082f};

static vec3 on_hand(const hand_place *h, float u, float v, float over)
{
    vec3 p = v3_madd(v3_madd(h->wrist, h->u, u * h->size), h->v, v * h->size);
    return v3_madd(p, h->out, over * h->size);
}

/* Lets a straight finger's sections sink from its knuckle to the skin, as steeply as fingers bend. */
static void drape(const occluder_work *w, loft_ring *rings, float radius)
{
    float z[FINGER_RINGS];
    for (int i = 0; i < FINGER_RINGS; i++) {
        vec3 p = rings[i].middle;
        float step = i ? v3_length(v3_sub(p, rings[i - 1].middle)) : 0;
        float skin = front_z(w, p.x, p.y, radius + 0.05f, p.z - 1) + radius + CLEAR;
        z[i] = i ? maxf(skin, z[i - 1] - 0.55f * step) : maxf(skin, p.z);
    }
    for (int pass = 0; pass < 4; pass++)
        for (int i = 1; i + 1 < FINGER_RINGS; i++)
            z[i] = maxf(z[i], 0.5f * (z[i - 1] + z[i + 1]));
    for (int i = 0; i < FINGER_RINGS; i++)
        rings[i].middle.z = z[i];
}

static void add_finger(occluder_work *w, const hand_place *h, int which)
{
    const float(*joint)[3] = h->is_fist ? fist[which] : flat_hand[which];
    loft_ring rings[FINGER_RINGS];
    float radius = thickness[which] * h->size, fan = 0.30f * w->s->how->worn.spread * (2.2f - (float)which);
    for (int i = 0; i < FINGER_RINGS; i++) {
        float t = (float)i / (FINGER_RINGS - 1), at = minf(2.999f, 3 * t), place[3];
        int k = (int)at;
        for (int c = 0; c < 3; c++)
            place[c] = mixf(joint[k][c], joint[k + 1][c], at - (float)k);
        if (!h->is_fist && which > 0) /* fingers fan out from their knuckles */
            place[0] += fan * (place[1] - joint[0][1]);
        rings[i].middle = on_hand(h, place[0], place[1], place[2]);
    }
    if (h->is_fist) /* round the corners */
        for (int i = 1; i + 1 < FINGER_RINGS; i++)
            rings[i].middle = v3_mix(rings[i].middle, v3_mix(rings[i - 1].middle, rings[i + 1].middle, 0.5f), 0.6f);
    else if (!h->is_free)
        drape(w, rings, radius);
    for (int i = 0; i < FINGER_RINGS; i++) {
        float t = (float)i / (FINGER_RINGS - 1), tip = maxf(0, (t - 0.86f) / 0.14f);
        float fat = radius * (1 - 0.20f * t + 0.09f * bump((t - 0.36f) / 0.09f) + 0.06f * bump((t - 0.68f) / 0.07f));
        fat *= sqrtf(maxf(0.004f, 1 - tip * tip));
        vec3 along = v3_unit(v3_sub(rings[i < FINGER_RINGS - 1 ? i + 1 : i].middle, rings[i > 0 ? i - 1 : 0].middle));
        vec3 across = v3_unit(v3_cross(h->u, along)), side = v3_unit(v3_cross(along, across));
        if (v3_dot(across, h->out) < 0) { /* outward */
            across = v3_scale(across, -1);
            side = v3_scale(side, -1);
        }
        rings[i].side = v3_scale(side, fat);
        rings[i].up = v3_scale(across, 0.9f * fat);
    }
    add_loft(w, rings, FINGER_RINGS, 10, w->s->who->skin, STUFF_FINGER);
}

/* From the wrist to the knuckles, and a sleeve that leaves the picture. */
static void add_palm(occluder_work *w, const hand_place *h)
{
    static const float place[PALM_RINGS][4] = {
        /* v, u, half width, half thickness */
        {-0.75f, 0, 0.28f, 0.22f},    {-0.30f, 0, 0.27f, 0.20f},    {-0.05f, 0, 0.27f, 0.19f},
        {0.15f, 0.01f, 0.33f, 0.18f}, {0.40f, 0.02f, 0.41f, 0.17f}, {0.70f, 0.01f, 0.42f, 0.15f},
        {0.90f, 0.01f, 0.41f, 0.13f}, {1.00f, 0.01f, 0.36f, 0.09f}, {1.06f, 0.01f, 0.22f, 0.02f}};
    static const float sleeve[SLEEVE_RINGS][2] = {{-2.8f, 0.60f}, {-1.4f, 0.46f}, {-0.52f, 0.37f}, {-0.50f, 0.30f}};
    loft_ring rings[PALM_RINGS];
    float shorter = h->is_fist ? 0.90f : 1;
    for (int i = 0; i < PALM_RINGS; i++) {
        const float *p = place[i];
        vec3 middle = on_hand(h, p[1], p[0] * (p[0] > 0 ? shorter : 1), -0.02f);
        rings[i] = (loft_ring){middle, v3_scale(h->u, p[2] * h->size), v3_scale(h->out, p[3] * h->size)};
    }
    add_loft(w, rings, PALM_RINGS, 18, w->s->who->skin, STUFF_PALM);
    for (int i = 0; i < SLEEVE_RINGS; i++) {
        float v = sleeve[i][0], wide = sleeve[i][1] * h->size;
        vec3 middle = on_hand(h, 0, v, -0.02f - 0.06f * v * v); /* the arm falls back */
        rings[i] = (loft_ring){middle, v3_scale(h->u, wide), v3_scale(h->out, 0.85f * wide)};
    }
    add_loft(w, rings, SLEEVE_RINGS, 18, w->s->how->cloth, STUFF_CLOTH);
}

static void add_hand(occluder_work *w, const hand_place *h)
{
    add_palm(w, h);
    for (int i = 0; i < FINGERS; i++)
        add_finger(w, h, i);
}

/* sign: 1 from the face's left; the wrist and the way the fingers point, from straight up toward the face's middle. */
static hand_place placed(const occluder_work *w, float sign, float x, float y, float degrees)
{
    const occluders *worn = &w->s->how->worn;
    float turn = 0.01745329f * (degrees + worn->turn);
    hand_place h = {.size = 0.97f + 0.07f * w->s->who->male};
    h.wrist = v3(sign * (x + worn->side), y + worn->up, 0);
    h.v = v3(-sign * sinf(turn), cosf(turn), 0);
    h.u = v3(-sign * cosf(turn), -sinf(turn), 0); /* the thumb is nearest to the face's middle */
    h.out = v3(0, 0, 1);
    return h;
}

/* The palm lies over what is foremost below its knuckles. */
static void rest_on_face(const occluder_work *w, hand_place *h, float otherwise)
{
    float z = -INFINITY;
    for (int i = 0; i < 4; i++) {
        vec3 p = on_hand(h, i % 2 ? 0.25f : -0.2f, i < 2 ? 0.95f : 0.6f, 0);
        z = maxf(z, front_z(w, p.x, p.y, 0.14f, otherwise));
    }
    h->wrist.z = z + 0.13f * h->size + CLEAR;
}

/* A palm that lies along the side of the face: seen nearly from its edge, the fingers beside cheek and temple. */
static hand_place cupped(const occluder_work *w, float sign)
{
    hand_place h = placed(w, sign, 0, 0, 4);
    const float turned = 0.95f; /* radians about its fingers */
    vec3 u = h.u;
    h.u = v3(u.x * cosf(turned), u.y * cosf(turned), sinf(turned));
    h.out = v3(-u.x * sinf(turned), -u.y * sinf(turned), cosf(turned));
    h.is_free = true;
    float x = 0.56f + w->s->how->worn.side, y = 6.62f + w->s->how->worn.up;
    vec3 index = v3(sign * x, y, front_z(w, sign * x, y, 0.16f, 0.9f) + 0.04f);
    h.wrist = v3_sub(v3_sub(index, v3_scale(h.u, 0.33f * h.size)), v3_scale(h.v, 0.85f * h.size));
    return h;
}

static void add_microphone(occluder_work *w, vec3 ball, vec3 down)
{
    static const float along[] = {-0.27f, -0.25f, -0.16f, 0, 0.14f, 0.22f, 0.24f, 0.32f, 0.34f, 1.9f, 1.92f},
                       size[] = {0.01f, 0.12f, 0.21f, 0.25f, 0.22f, 0.17f, 0.19f, 0.18f, 0.13f, 0.10f, 0.01f};
    enum { RINGS = sizeof along / sizeof *along };
    loft_ring rings[RINGS];
    vec3 side = v3_unit(v3_cross(down, v3(0, 0, 1))), up = v3_cross(side, down);
    for (int i = 0; i < RINGS; i++)
        rings[i] = (loft_ring){v3_madd(ball, down, along[i]), v3_scale(side, size[i]), v3_scale(up, size[i])};
    add_loft(w, rings, 6, 16, v3_scale(w->s->how->worn.thing, 1.4f), STUFF_KNIT); /* the mesh */
    add_loft(w, rings + 5, RINGS - 5, 14, v3_all(0.03f), STUFF_HARD);
}

static void add_cup(occluder_work *w, vec3 lip)
{
    static const float along[] = {0, 0, 0.1f, 0.85f, 0.95f, 0.96f}, size[] = {0.02f, 0.40f, 0.41f, 0.33f, 0.29f, 0.01f};
    enum { RINGS = 6 };
    loft_ring rings[RINGS];
    const vec3 down = v3_unit(v3(0, -0.93f, 0.36f)), up = v3_cross(down, v3(-1, 0, 0));
    vec3 rim = v3_madd(lip, up, 0.36f);
    for (int i = 0; i < RINGS; i++)
        rings[i] = (loft_ring){v3_madd(rim, down, along[i]), v3(size[i], 0, 0), v3_scale(up, size[i])};
    add_loft(w, rings, RINGS, 22, w->s->how->worn.thing, STUFF_HARD);
}

static void add_held(occluder_work *w, float sign)
{
    vec3 mouth = w->posed[w->s->h->lip_lower];
    hand_place h = {0};
    if (w->s->how->worn.held == HELD_MICROPHONE) {
        vec3 down = v3_unit(v3(sign * 0.38f + 0.3f * w->s->how->worn.side, -0.88f, 0.22f));
        vec3 ball = v3(mouth.x + sign * 0.06f, mouth.y - 0.20f + 0.3f * w->s->how->worn.up, mouth.z + 0.34f);
        add_microphone(w, ball, down);
        h = placed(w, sign, 0, 0, 62);
        h.is_fist = true;
        h.wrist = v3_sub(v3_madd(ball, down, 0.80f), v3_scale(h.v, 0.75f));
        h.wrist.z += 0.16f;
    } else {
        vec3 lip = v3(mouth.x, mouth.y - 0.02f + 0.2f * w->s->how->worn.up, mouth.z + 0.03f);
        add_cup(w, lip);
        h = placed(w, sign, 0, 0, 72);
        h.is_fist = true;
        h.wrist = v3_sub(v3(lip.x + sign * 0.30f, lip.y - 0.42f, lip.z + 0.30f), v3_scale(h.v, 0.75f));
    }
    add_hand(w, &h);
}

void add_hands(occluder_work *w)
{
    const occluders *worn = &w->s->how->worn;
    float sign = worn->from_left ? 1 : -1;
    hand_place h;
    switch (worn->hand) {
    case HAND_MOUTH:
        h = placed(w, sign, 0.86f, 5.93f, 50);
        rest_on_face(w, &h, 1.4f);
        add_hand(w, &h);
        break;
    case HAND_CHEEK:
    case HAND_CHEEKS:
        for (int k = 0; k < (worn->hand == HAND_CHEEK ? 1 : 2); k++) {
            h = cupped(w, k ? -sign : sign);
            add_hand(w, &h);
        }
        break;
    case HAND_BROW:
        h = placed(w, sign, 0.80f, 6.62f, 34);
        rest_on_face(w, &h, 1.1f);
        add_hand(w, &h);
        break;
    case HAND_CHIN:
        h = placed(w, sign, 0.42f, 5.30f, 18);
        h.is_fist = true;
        rest_on_face(w, &h, 1.35f);
        add_hand(w, &h);
        break;
    default:
        break;
    }
    if (worn->held != HELD_NONE)
        add_held(w, sign);
}
