/* What people wear, and what comes between them and the camera: drawn after who they are and how the picture is taken,
 * from streams of its own, so that all else stays as it was when there is something new to wear. */
#include "synth/set/adorn.h"

#define ADORN_EPOCH 3 /* streams (person's seed, 3, 0); 2 is the axes of shape */

static vec3 pick_colour(rng *r, float darkest, float lightest)
{
    vec3 c = v3(rng_float(r), rng_float(r), rng_float(r));
    float grey = 0.3f * c.x + 0.6f * c.y + 0.1f * c.z, u = rng_float(r);
    return v3_scale(v3_mix(v3_all(grey), c, rng_range(r, 0, 0.9f)), mixf(darkest, lightest, u * u) / maxf(grey, 0.05f));
}

/* Hands come to a face for reasons: kinds by expression. */
static const float *hands_of(expression_class c)
{
    static const float any[HAND_KINDS] = {0, 1, 2, 0.5f, 1, 3}, startled[HAND_KINDS] = {0, 3, 1, 4, 0.5f, 0.5f},
                       grieved[HAND_KINDS] = {0, 2, 2, 0.5f, 3, 2};
    return c == EXPRESSION_FEAR || c == EXPRESSION_SURPRISE ? startled : c == EXPRESSION_SADNESS ? grieved : any;
}

void person_adorn(person *p)
{
    rng r = rng_at(p->seed, ADORN_EPOCH, 0, RNG_SYNTH);
    float stain = rng_float(&r) * rng_float(&r) * (0.5f + 0.5f * p->lines);
    p->teeth = v3_scale(v3_mix(v3(0.72f, 0.69f, 0.62f), v3(0.58f, 0.51f, 0.38f), stain), 1 - 0.46f * p->tone);
    p->nails = v3_mix(p->skin, v3(0.62f, 0.42f, 0.38f), 0.4f);
    bool is_woman = p->male < 0.5f;
    if (is_woman && rng_below(&r, 4) == 0)
        p->nails = pick_colour(&r, 0.04f, 0.5f);
    p->pores = rng_range(&r, 0.3f, 1) * (0.7f + 0.5f * p->male);
    p->moles = rng_below(&r, 3) == 0 ? rng_range(&r, 0.3f, 1) : 0;
    p->eyeliner = is_woman && rng_below(&r, 2) == 0 ? rng_range(&r, 0.3f, 1) : 0;
    p->eye_shadow = is_woman && rng_below(&r, 3) == 0 ? rng_range(&r, 0.2f, 0.8f) : 0;
    p->shadow_tint = v3_mul(p->skin, pick_colour(&r, 0.2f, 0.7f));
    p->blush = is_woman && rng_below(&r, 3) == 0 ? rng_range(&r, 0.2f, 0.8f) : 0;
    p->shine = rng_range(&r, 0.5f, 1.6f);
    bool has_fringe = p->style == HAIR_LONG ? rng_below(&r, 5) < 2 : p->style == HAIR_SHORT && rng_below(&r, 4) == 0;
    p->fringe = has_fringe && p->hair_wave < 0.6f ? rng_range(&r, 0.2f, 0.6f) : 0;
    p->fringe_side = rng_range(&r, -1, 1);
    p->curtain = rng_bool(&r) ? rng_range(&r, 0, 0.30f) : 0;
}

/* Which of `count` kinds, by their weights; kind 0 stands for none and is not drawn. */
static int pick_kind(rng *r, const float *weights, int count)
{
    float total = 0;
    for (int i = 1; i < count; i++)
        total += weights[i];
    float at = rng_float(r) * total;
    int i = 1;
    while (i < count - 1 && at >= weights[i])
        at -= weights[i++];
    return i;
}

void occluders_draw(occluders *out, const person *who, expression_class c, rng *r)
{
    /* shares of faces */
    static const float hat = 0.13f, scarf = 0.05f, hand = 0.08f, held = 0.02f, headphones = 0.02f, sunglasses = 0.03f,
                       reflection = 0.5f;
    static const float hats[HAT_KINDS] = {0, 3, 4, 3, 2, 1}, scarves[SCARF_KINDS] = {0, 3, 1, 1.5f},
                       helds[HELD_KINDS] = {0, 2, 1};
    occluders o = {.from_left = rng_bool(r)};
    o.turn = 12 * rng_normal(r);
    o.side = 0.07f * rng_normal(r);
    o.up = 0.07f * rng_normal(r);
    o.spread = rng_float(r) * rng_float(r);
    float crying = c == EXPRESSION_SADNESS ? 0.25f : c == EXPRESSION_FEAR ? 0.05f : 0, tears = rng_range(r, 0.4f, 1);
    o.tears = rng_float(r) < crying ? tears : 0;
    o.hat_cloth = pick_colour(r, 0.02f, 0.6f);
    o.scarf_cloth = pick_colour(r, 0.02f, 0.6f);
    o.thing = pick_colour(r, 0.02f, 0.5f);
    hat_kind hat_of = (hat_kind)pick_kind(r, hats, HAT_KINDS);
    scarf_kind scarf_of = (scarf_kind)pick_kind(r, scarves, SCARF_KINDS);
    hand_kind hand_of = (hand_kind)pick_kind(r, hands_of(c), HAND_KINDS);
    held_kind held_of = (held_kind)pick_kind(r, helds, HELD_KINDS);
    if (hat_of == HAT_HEADSCARF && who->male > 0.5f)
        hat_of = HAT_CAP;
    o.hat = rng_float(r) < hat ? hat_of : HAT_NONE;
    o.scarf = rng_float(r) < scarf ? scarf_of : SCARF_NONE;
    o.hand = rng_float(r) < hand ? hand_of : HAND_NONE;
    o.held = rng_float(r) < held && o.hand == HAND_NONE && o.scarf != SCARF_MASK ? held_of : HELD_NONE;
    o.headphones = rng_float(r) < headphones && (o.hat == HAT_NONE || o.hat == HAT_CAP);
    o.sunglasses = rng_float(r) < sunglasses && o.hand != HAND_BROW;
    o.reflection = rng_float(r) < reflection ? rng_float(r) : 0;
    *out = o;
}
