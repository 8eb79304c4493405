/* What people wear, and what comes between them and the camera: drawn after who they are and how the picture is taken,
 * from streams of its own, so that all else stays as it was when there is something new to wear. */
#include "synth/draw/look.h"

#define ADORN_EPOCH 3 /* streams (person's seed, 3, 0); 2 is the axes of shape */

static vec3 pick_colour(rng *r, float darkest, float lightest)
{
    vec3 c = v3(rng_float(r), rng_float(r), rng_float(r));
    float grey = 0.3f * c.x + 0.6f * c.y + 0.1f * c.z, u = rng_float(r);
    return v3_scale(v3_mix(v3_all(grey), c, rng_range(r, 0, 0.9f)), mixf(darkest, lightest, u * u) / maxf(grey, 0.05f));
}

void person_adorn(person *p)
{
    rng r = rng_at(p->seed, ADORN_EPOCH, 0, RNG_SYNTH);
    float stain = rng_float(&r) * rng_float(&r) * (0.5f + 0.5f * p->lines);
    p->teeth = v3_scale(v3_mix(v3(0.80f, 0.77f, 0.70f), v3(0.66f, 0.58f, 0.42f), stain), 1 - 0.38f * p->tone);
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
}

void occluders_draw(occluders *out, const person *who, rng *r)
{
    /* shares of faces, in percent */
    static const struct {
        int hat, scarf, hand, held, headphones, sunglasses, reflection;
    } share = {14, 5, 8, 2, 2, 3, 50};
    static const float hats[] = {0, 3, 4, 3, 2, 1}, scarves[] = {0, 3, 1, 1.5f}, hands[] = {0, 3, 2, 1.5f, 2, 2.5f};
    occluders o = {.from_left = rng_bool(r)};
    o.turn = 12 * rng_normal(r);
    o.side = 0.07f * rng_normal(r);
    o.up = 0.07f * rng_normal(r);
    o.spread = rng_float(r) * rng_float(r);
    o.hat_cloth = pick_colour(r, 0.02f, 0.6f);
    o.scarf_cloth = pick_colour(r, 0.02f, 0.6f);
    o.thing = pick_colour(r, 0.02f, 0.5f);
    float hat = rng_float(r), scarf = rng_float(r), hand = rng_float(r), held = rng_float(r), u = rng_float(r);
    (void)hats;
    (void)scarves;
    (void)hands;
    (void)who;
    (void)share;
    (void)hat;
    (void)scarf;
    (void)hand;
    (void)held;
    (void)u;
    *out = o;
}
