/* A face is drawn by action units, and its labels are computed from the levels that moved it: a label cannot disagree
 * with its picture. Everything that moves a face without meaning anything stays below every label's threshold. */
#include "synth/set/expression.h"

#include <string.h>

#define NO_UNIT (-1)
#define LIP_GAP_FULL 0.30f /* decimetres between the lips that count as AU25 at level 1 */

/* Which units make an AU: `left` and `right` (NO_UNIT: the left one is both) at `weight` for level 1, and the level
 * from which the label is 1. AU25 moves nothing itself: it is what the lips' gap says. AU23 has no unit of its own:
 * au23_parts. */
static const struct {
    int left, right;
    float weight, threshold;
} au_units[AU_COUNT] = {
    {BROW_INNER_UP, NO_UNIT, 1, 0.25f},
    {BROW_OUTER_UP_LEFT, BROW_OUTER_UP_RIGHT, 1, 0.25f},
    {BROW_DOWN_LEFT, BROW_DOWN_RIGHT, 1, 0.25f},
    {EYE_WIDE_LEFT, EYE_WIDE_RIGHT, 1, 0.25f},
    {CHEEK_SQUINT_LEFT, CHEEK_SQUINT_RIGHT, 1, 0.25f},
    {EYE_SQUINT_LEFT, EYE_SQUINT_RIGHT, 1, 0.25f},
    {NOSE_SNEER_LEFT, NOSE_SNEER_RIGHT, 1, 0.25f},
    {MOUTH_UPPER_UP_LEFT, MOUTH_UPPER_UP_RIGHT, 1, 0.25f},
    {MOUTH_SMILE_LEFT, MOUTH_SMILE_RIGHT, 1, 0.20f},
    {MOUTH_DIMPLE_LEFT, MOUTH_DIMPLE_RIGHT, 1, 0.25f},
    {MOUTH_FROWN_LEFT, MOUTH_FROWN_RIGHT, 1, 0.25f},
    {MOUTH_LOWER_DOWN_LEFT, MOUTH_LOWER_DOWN_RIGHT, 1, 0.25f},
    {MOUTH_SHRUG_LOWER, NO_UNIT, 1, 0.25f},
    {MOUTH_STRETCH_LEFT, MOUTH_STRETCH_RIGHT, 1, 0.25f},
    {NO_UNIT, NO_UNIT, 1, 0.25f},
    {MOUTH_PRESS_LEFT, MOUTH_PRESS_RIGHT, 1, 0.40f},
    {NO_UNIT, NO_UNIT, 1, 0.12f},
    {JAW_OPEN, NO_UNIT, 1, 0.15f},
};
enum {
    AU_1,
    AU_2,
    AU_4,
    AU_5,
    AU_6,
    AU_7,
    AU_9,
    AU_10,
    AU_12,
    AU_14,
    AU_15,
    AU_16,
    AU_17,
    AU_20,
    AU_23,
    AU_24,
    AU_25,
    AU_26
};

/* AU23, lips tightened: rolled in, with a press too light to count as AU24. */
static const struct {
    face_unit unit;
    float weight;
} au23_parts[] = {
    {MOUTH_ROLL_UPPER, 0.55f}, {MOUTH_ROLL_LOWER, 0.55f}, {MOUTH_PRESS_LEFT, 0.35f}, {MOUTH_PRESS_RIGHT, 0.35f}};

/* One way to show an expression: AU levels at full intensity, in au_numbers' order, and units that belong to no AU. */
typedef struct {
    float share; /* how often among its class' variants */
    float level[AU_COUNT];
    struct {
        face_unit unit;
        float level; /* 0: no unit */
    } also[2];
    float calm; /* by how much less it arouses than the class does; negative: more */
} variant;
#define MAX_VARIANTS 5
#define EYES(l)                                                                                                        \
    {                                                                                                                  \
        {EYE_BLINK_LEFT, l},                                                                                           \
        {                                                                                                              \
            EYE_BLINK_RIGHT, l                                                                                         \
        }                                                                                                              \
    } /* lids that come down, without AU43 among our labels */

typedef struct {
    float valence, arousal; /* at full intensity */
    variant variants[MAX_VARIANTS];
} prototype;

/* clang-format off */
static const prototype prototypes[EXPRESSION_COUNT] = {
    [EXPRESSION_ANGER] = {-0.60f, 0.70f, {
        {3, {[AU_4] = 1, [AU_5] = 0.9f, [AU_7] = 0.3f, [AU_23] = 0.9f}},
        {3, {[AU_4] = 1, [AU_5] = 0.9f, [AU_7] = 0.3f, [AU_17] = 0.3f, [AU_24] = 0.75f}},
        /* shouts */
        {4, {[AU_4] = 1, [AU_5] = 0.5f, [AU_7] = 0.5f, [AU_10] = 0.9f, [AU_16] = 0.9f, [AU_20] = 0.5f, [AU_26] = 0.65f}, .calm = -0.2f},
        /* bares its teeth */
        {1, {[AU_4] = 1, [AU_5] = 0.6f, [AU_7] = 0.4f, [AU_10] = 0.6f, [AU_16] = 1, [AU_20] = 0.3f, [AU_26] = 0.16f}, .calm = -0.1f},
        {1, {[AU_4] = 1, [AU_7] = 0.9f, [AU_15] = 0.3f, [AU_23] = 0.7f}},
    }},
    [EXPRESSION_DISGUST] = {-0.70f, 0.35f, {
        {3, {[AU_6] = 0.4f, [AU_7] = 0.7f, [AU_9] = 1, [AU_10] = 0.5f, [AU_15] = 0.8f, [AU_16] = 0.4f}},
        {3, {[AU_6] = 0.5f, [AU_7] = 0.8f, [AU_9] = 1, [AU_10] = 0.8f, [AU_17] = 0.6f}},
        /* spits it out */
        {1, {[AU_6] = 0.5f, [AU_7] = 0.8f, [AU_9] = 1, [AU_10] = 1, [AU_15] = 0.4f, [AU_16] = 0.8f, [AU_26] = 0.3f}, {{TONGUE_OUT, 0.5f}}},
        {1, {[AU_4] = 0.3f, [AU_7] = 0.6f, [AU_9] = 0.9f, [AU_10] = 0.9f, [AU_15] = 0.8f}},
        /* eyes shut to it */
        {2, {[AU_6] = 0.6f, [AU_7] = 0.8f, [AU_9] = 1, [AU_10] = 0.7f, [AU_15] = 0.8f}, EYES(0.4f)},
    }},
    [EXPRESSION_FEAR] = {-0.62f, 0.80f, {
        {3, {[AU_1] = 1, [AU_2] = 0.6f, [AU_4] = 0.4f, [AU_5] = 1, [AU_7] = 0.3f, [AU_16] = 0.5f, [AU_20] = 1, [AU_26] = 0.25f}},
        {3, {[AU_1] = 1, [AU_2] = 0.3f, [AU_4] = 0.4f, [AU_5] = 1, [AU_10] = 0.3f, [AU_16] = 0.8f, [AU_20] = 1}},
        /* screams */
        {1, {[AU_1] = 1, [AU_2] = 0.5f, [AU_4] = 0.5f, [AU_5] = 1, [AU_10] = 0.4f, [AU_16] = 0.9f, [AU_20] = 1, [AU_26] = 0.7f}, .calm = -0.15f},
        /* holds its breath */
        {3, {[AU_1] = 0.9f, [AU_2] = 0.7f, [AU_5] = 1, [AU_20] = 1}, {{MOUTH_ROLL_LOWER, 0.25f}}},
    }},
    [EXPRESSION_HAPPINESS] = {0.85f, 0.45f, {
        {3, {[AU_6] = 0.9f, [AU_10] = 0.5f, [AU_12] = 1, [AU_16] = 0.6f}},
        /* laughs */
        {2, {[AU_6] = 1, [AU_7] = 0.3f, [AU_10] = 0.4f, [AU_12] = 1, [AU_16] = 0.3f, [AU_26] = 0.55f}, .calm = -0.2f},
        {3, {[AU_6] = 0.9f, [AU_10] = 0.3f, [AU_12] = 1, [AU_16] = 0.3f, [AU_26] = 0.25f}},
        /* smiles with its lips closed */
        {2, {[AU_6] = 0.8f, [AU_12] = 1}, .calm = 0.2f},
        {1, {[AU_12] = 0.95f, [AU_14] = 0.3f}, .calm = 0.2f},
    }},
    [EXPRESSION_SADNESS] = {-0.75f, -0.40f, {
        {3, {[AU_1] = 1, [AU_4] = 0.5f, [AU_15] = 1}},
        {3, {[AU_1] = 1, [AU_4] = 0.5f, [AU_15] = 0.9f, [AU_17] = 0.8f}},
        /* cries */
        {2, {[AU_1] = 1, [AU_4] = 0.4f, [AU_6] = 0.6f, [AU_15] = 1, [AU_16] = 0.8f, [AU_20] = 0.6f, [AU_26] = 0.25f}, EYES(0.8f), -0.6f},
        /* looks down or has its eyes closed */
        {3, {[AU_1] = 0.9f, [AU_4] = 0.3f, [AU_15] = 0.8f, [AU_17] = 0.5f}, EYES(0.85f), 0.1f},
        {1, {[AU_1] = 1, [AU_4] = 0.8f, [AU_6] = 0.4f, [AU_7] = 0.4f, [AU_15] = 0.9f, [AU_20] = 0.4f}},
    }},
    [EXPRESSION_SURPRISE] = {0.15f, 0.80f, {
        {4, {[AU_1] = 1, [AU_2] = 1, [AU_5] = 0.9f, [AU_26] = 0.75f}},
        {2, {[AU_1] = 1, [AU_2] = 1, [AU_5] = 1, [AU_26] = 0.5f}, {{MOUTH_FUNNEL, 0.5f}}},
        {1, {[AU_1] = 0.9f, [AU_2] = 1, [AU_5] = 0.35f, [AU_26] = 0.7f}, .calm = 0.1f},
        {2, {[AU_1] = 1, [AU_2] = 0.9f, [AU_5] = 0.8f, [AU_26] = 1}, .calm = -0.1f},
    }},
};
/* clang-format on */

/* A threshold kept at a distance: neutral and meaningless movements stay this far below every label. */
#define BELOW 0.35f

static void au_apply(float *units, int au, float level, float lean)
{
    if (level <= 0)
        return;
    if (au == AU_23) {
        for (size_t i = 0; i < sizeof au23_parts / sizeof *au23_parts; i++)
            units[au23_parts[i].unit] = maxf(units[au23_parts[i].unit], clamp01(level * au23_parts[i].weight));
        return;
    }
    int left = au_units[au].left, right = au_units[au].right;
    if (left == NO_UNIT)
        return;
    float weight = level * au_units[au].weight, both = right == NO_UNIT ? 0 : lean;
    units[left] = maxf(units[left], clamp01(weight * (1 + both)));
    if (right != NO_UNIT)
        units[right] = maxf(units[right], clamp01(weight * (1 - both)));
}

void expression_unit(float *units, int au, float level)
{
    if (au != AU_25) {
        au_apply(units, au, level, 0);
        return;
    }
    au_apply(units, AU_10, 0.5f * level, 0);
    au_apply(units, AU_16, level, 0);
}

void expression_label(face_expression *e, const head *h)
{
    const float *u = e->units;
    for (int a = 0; a < AU_COUNT; a++) {
        int left = au_units[a].left, right = au_units[a].right;
        if (a == AU_23)
            e->au_level[a] = clamp01(0.5f * (u[MOUTH_ROLL_UPPER] + u[MOUTH_ROLL_LOWER]) / au23_parts[0].weight);
        else if (a == AU_25)
            e->au_level[a] = clamp01(head_lip_gap(h, u) / LIP_GAP_FULL);
        else
            e->au_level[a] = right == NO_UNIT ? u[left] : maxf(u[left], u[right]);
        e->au[a] = e->au_level[a] >= au_units[a].threshold;
    }
}

/* How people hold themselves who feel so, at full intensity; each face does so more or less. */
static const struct {
    float nod;       /* degrees by which the head goes up */
    float up, aside; /* where the eyes look, share of their farthest; aside is left or right */
    float lids;      /* how far they come down */
} manners[EXPRESSION_COUNT] = {
    [EXPRESSION_ANGER] = {.nod = -9, .up = 0.1f},
    [EXPRESSION_FEAR] = {.nod = 4, .aside = 0.45f},
    [EXPRESSION_SADNESS] = {.nod = -8, .up = -0.4f, .lids = 0.25f},
    [EXPRESSION_SURPRISE] = {.nod = 4},
};

/* Gaze, blinks and a slightly skewed mouth: seen in every photograph, labelled by none of our AUs. */
static void add_idle(float *u, rng *r, expression_class c, float intensity)
{
    float side = 0.35f * rng_normal(r), up = 0.22f * rng_normal(r) + manners[c].up * intensity;
    side += (side > 0 ? 1 : -1) * manners[c].aside * intensity;
    side = maxf(-0.8f, minf(0.8f, side));
    up = maxf(-0.7f, minf(0.6f, up));
    u[side > 0 ? EYE_LOOK_OUT_LEFT : EYE_LOOK_IN_LEFT] = fabsf(side);
    u[side > 0 ? EYE_LOOK_IN_RIGHT : EYE_LOOK_OUT_RIGHT] = fabsf(side);
    u[up > 0 ? EYE_LOOK_UP_LEFT : EYE_LOOK_DOWN_LEFT] = fabsf(up);
    u[up > 0 ? EYE_LOOK_UP_RIGHT : EYE_LOOK_DOWN_RIGHT] = fabsf(up);
    float blink = rng_below(r, 25) == 0 ? rng_range(r, 0.4f, 1) : maxf(0, 0.06f * rng_normal(r));
    blink += manners[c].lids * intensity * rng_float(r);
    if (c == EXPRESSION_SURPRISE || c == EXPRESSION_FEAR)
        blink = 0;
    u[EYE_BLINK_LEFT] = clamp01(maxf(u[EYE_BLINK_LEFT], blink));
    u[EYE_BLINK_RIGHT] = clamp01(maxf(u[EYE_BLINK_RIGHT], blink));
    float skew = maxf(-0.25f, minf(0.25f, 0.06f * rng_normal(r)));
    u[skew > 0 ? MOUTH_LEFT : MOUTH_RIGHT] = fabsf(skew);
    u[JAW_FORWARD] = maxf(0, 0.08f * rng_normal(r));
    u[MOUTH_PUCKER] = maxf(u[MOUTH_PUCKER], maxf(0, 0.06f * rng_normal(r)));
}

/* Neutral: nothing, or the shapes of quiet speech, all below the thresholds. */
static void draw_neutral(float *u, rng *r)
{
    for (int a = 0; a < AU_COUNT; a++)
        if (rng_below(r, 5) == 0)
            au_apply(u, a, BELOW * au_units[a].threshold * rng_float(r), 0);
    if (rng_below(r, 3) == 0) {
        u[MOUTH_FUNNEL] = 0.15f * rng_float(r);
        u[MOUTH_PUCKER] = 0.25f * rng_float(r);
    }
    u[JAW_OPEN] = minf(u[JAW_OPEN], 0.04f);
    u[MOUTH_LOWER_DOWN_LEFT] = minf(u[MOUTH_LOWER_DOWN_LEFT], 0.05f);
    u[MOUTH_LOWER_DOWN_RIGHT] = minf(u[MOUTH_LOWER_DOWN_RIGHT], 0.05f);
}

static const variant *pick_variant(const prototype *p, rng *r)
{
    float total = 0;
    for (int i = 0; i < MAX_VARIANTS; i++)
        total += p->variants[i].share;
    float at = rng_float(r) * total;
    int i = 0;
    while (i < MAX_VARIANTS - 1 && p->variants[i + 1].share > 0 && at >= p->variants[i].share)
        at -= p->variants[i++].share;
    return &p->variants[i];
}

static void apply_variant(float *u, const variant *v, float intensity, rng *r)
{
    for (int a = 0; a < AU_COUNT; a++) {
        float jitter = r ? 1 + 0.12f * maxf(-2, minf(2, rng_normal(r))) : 1, lean = r ? 0.10f * rng_normal(r) : 0;
        au_apply(u, a, v->level[a] * intensity * jitter, maxf(-0.3f, minf(0.3f, lean)));
    }
    for (size_t i = 0; i < sizeof v->also / sizeof *v->also; i++)
        if (v->also[i].level > 0)
            u[v->also[i].unit] = maxf(u[v->also[i].unit], v->also[i].level * intensity);
}

/* Other: units that belong to no prototype, or two prototypes of different classes, each too weak to be called. */
static void draw_other(face_expression *e, rng *r, float intensity)
{
    static const face_unit odd[][2] = {{CHEEK_PUFF, CHEEK_PUFF},
                                       {MOUTH_PUCKER, MOUTH_FUNNEL},
                                       {MOUTH_LEFT, MOUTH_DIMPLE_LEFT},
                                       {MOUTH_RIGHT, MOUTH_DIMPLE_RIGHT},
                                       {JAW_LEFT, MOUTH_LEFT},
                                       {JAW_RIGHT, MOUTH_RIGHT},
                                       {EYE_BLINK_LEFT, MOUTH_SMILE_LEFT},
                                       {BROW_OUTER_UP_LEFT, MOUTH_DIMPLE_RIGHT},
                                       {BROW_OUTER_UP_RIGHT, MOUTH_DIMPLE_LEFT},
                                       {MOUTH_SHRUG_UPPER, MOUTH_SHRUG_LOWER}};
    if (rng_below(r, 3) > 0) {
        uint32_t k = rng_below(r, sizeof odd / sizeof *odd);
        e->units[odd[k][0]] = clamp01(0.5f + 0.5f * intensity);
        e->units[odd[k][1]] = clamp01(0.3f + 0.5f * intensity);
        e->valence = 0.25f * rng_normal(r);
        e->arousal = 0.15f + 0.2f * rng_normal(r);
        return;
    }
    expression_class a = EXPRESSION_ANGER + rng_below(r, 6),
                     b = EXPRESSION_ANGER + (a - EXPRESSION_ANGER + 1 + rng_below(r, 5)) % 6;
    const prototype *p = &prototypes[a], *q = &prototypes[b];
    apply_variant(e->units, pick_variant(p, r), 0.45f * intensity, r);
    apply_variant(e->units, pick_variant(q, r), 0.45f * intensity, r);
    e->toward[0] = a;
    e->toward[1] = b;
    e->toward_share[0] = e->toward_share[1] = 0.5f;
    e->valence = 0.5f * intensity * (p->valence + q->valence);
    e->arousal = 0.5f * intensity * (p->arousal + q->arousal);
}

static float clamp_signed(float v)
{
    return v < -1 ? -1 : v > 1 ? 1 : v;
}

float expression_share(const face_expression *e, expression_class c)
{
    float shown = clamp01(e->intensity / EXPRESSION_CLEAR), share = c == EXPRESSION_NEUTRAL ? 1 - shown : 0;
    for (int i = 0; i < 2; i++)
        share += e->toward[i] == c ? shown * e->toward_share[i] : 0;
    return share;
}

void expression_draw(face_expression *out, const head *h, expression_class c, float low, float high, rng *r)
{
    face_expression e = {.expression = c, .toward = {c}, .toward_share = {1}};
    e.intensity = c == EXPRESSION_NEUTRAL ? 0 : rng_range(r, low, high);
    if (c == EXPRESSION_NEUTRAL) {
        draw_neutral(e.units, r);
    } else if (c == EXPRESSION_OTHER) {
        draw_other(&e, r, e.intensity);
    } else {
        const variant *v = pick_variant(&prototypes[c], r);
        apply_variant(e.units, v, e.intensity, r);
        e.valence = prototypes[c].valence * e.intensity;
        e.arousal = (prototypes[c].arousal - v->calm) * e.intensity;
    }
    e.valence = clamp_signed(e.valence + 0.05f * rng_normal(r));
    e.arousal = clamp_signed(e.arousal + 0.05f * rng_normal(r));
    add_idle(e.units, r, c, e.intensity);
    e.nod = manners[c].nod * e.intensity * rng_range(r, 0.2f, 1.6f);
    expression_label(&e, h);
    *out = e;
}

void expression_plain(face_expression *out, const head *h, expression_class c)
{
    face_expression e = {.expression = c, .toward = {c}, .toward_share = {1}};
    if (c != EXPRESSION_NEUTRAL) {
        e.intensity = 1;
        apply_variant(e.units, &prototypes[c].variants[0], 1, NULL);
        e.valence = prototypes[c].valence;
        e.arousal = prototypes[c].arousal;
    }
    expression_label(&e, h);
    *out = e;
}
