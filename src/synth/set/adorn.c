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

/* Hands come to a face for reasons: factors on the kinds, by expression. */
static const float *hands_of(expression_class c)
{
    static const float any[HAND_KINDS] = {1, 1, 1, 1, 1, 1}, startled[HAND_KINDS] = {1, 3, 0.5f, 8, 0.5f, 0.2f},
                       grieved[HAND_KINDS] = {1, 2, 1, 1, 3, 0.7f};
    return c == EXPRESSION_FEAR || c == EXPRESSION_SURPRISE ? startled : c == EXPRESSION_SADNESS ? grieved : any;
}

void person_adorn(person *p, const scene *s, const rng *whose)
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
    bool is_made_up = is_woman && p->age >= 15 && share_draw(&s->identity_makeup, whose);
    p->eyeliner = is_made_up ? rng_range(&r, 0.3f, 1) : 0;
    p->eye_shadow = is_made_up && rng_below(&r, 3) < 2 ? rng_range(&r, 0.2f, 0.8f) : 0;
    p->shadow_tint = v3_mul(p->skin, pick_colour(&r, 0.2f, 0.7f));
    p->blush = is_made_up && rng_below(&r, 3) < 2 ? rng_range(&r, 0.2f, 0.8f) : 0;
    p->shine = rng_range(&r, 0.5f, 1.6f);
    bool has_fringe = p->style == HAIR_LONG ? rng_below(&r, 5) < 2 : p->style == HAIR_SHORT && rng_below(&r, 4) == 0;
    p->fringe = has_fringe && p->hair_wave < 0.6f ? rng_range(&r, 0.2f, 0.6f) : 0;
    p->fringe_side = rng_range(&r, -1, 1);
    p->curtain = rng_bool(&r) ? rng_range(&r, 0, 0.30f) : 0;
}

void occluders_draw(occluders *out, const person *who, expression_class c, const scene *s, rng *r)
{
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
    o.hat = (hat_kind)choice_draw(&s->occluders_hat, r);
    if (o.hat == HAT_HEADSCARF && who->male > 0.5f)
        o.hat = HAT_CAP;
    o.scarf = (scarf_kind)choice_draw(&s->occluders_scarf, r);
    o.hand = (hand_kind)choice_draw_among(&s->occluders_hand, hands_of(c), r);
    o.held = o.hand == HAND_NONE && o.scarf != SCARF_MASK ? (held_kind)choice_draw(&s->occluders_held, r) : HELD_NONE;
    o.headphones = share_draw(&s->occluders_headphones, r) && (o.hat == HAT_NONE || o.hat == HAT_CAP);
    o.sunglasses = share_draw(&s->occluders_sunglasses, r) && o.hand != HAND_BROW;
    o.reflection = share_draw(&s->occluders_reflections, r) ? rng_float(r) : 0;
    *out = o;
}
