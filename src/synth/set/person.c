/* Drawing a person: who they are, what they look like, and how the model's identity targets add up to them. */
#include "base/str.h"
#include "synth/set/adorn.h"
#include "synth/set/draws.h"

#include <stdio.h>
#include <string.h>

const char *const hair_style_names[HAIR_STYLES + 1] = {"bald", "cropped", "short", "long", NULL};

/* Spread of an identity axis by the folder of its target; folders that are not here keep still. */
static const struct {
    const char *prefix;
    float spread;
} spreads[] = {
    {"head/head-age", 0},
    {"head/head-trans", 0},
    {"head/head-fat", 0.36f},
    {"head/head-angle", 0.15f},
    {"head/head-scale", 0.22f},
    {"head/head-back", 0.2f},
    {"head/", 0.20f},
    {"nose/nose-trans", 0.20f},
    {"nose/nose-point", 0.22f},
    {"nose/", 0.27f},
    {"eyes/l-eye-trans", 0.22f},
    {"eyes/r-eye-trans", 0.22f},
    {"eyes/", 0.30f},
    {"mouth/mouth-trans", 0.2f},
    {"mouth/mouth-angles", 0.08f},
    {"mouth/", 0.28f},
    {"chin/", 0.32f},
    {"cheek/", 0.36f},
    {"ears/", 0.25f},
    {"eyebrows/eyebrows-angle", 0.08f},
    {"eyebrows/", 0.3f},
    {"forehead/", 0.32f},
    {"asym/", 0.12f},
    {"neck/neck-double", 0.2f},
};

/* Where the mean person is not the mesh's neutral, whose lids, with Asian shapes above all, cover more of the iris than
 * people's do. */
static const struct {
    const char *axis;
    float mean;
} means[] = {{"eyes/*-eye-height1", 0.15f}, {"eyes/*-eye-height2", 0.15f}, {"eyes/*-eye-height3", 0.15f}};

/* The two ends of an axis, as the names of its targets end. */
static const char *const ends[][2] = {
    {"-decr", "-incr"},        {"-in", "-out"},         {"-down", "-up"},
    {"-backward", "-forward"}, {"-concave", "-convex"}, {"-compress", "-uncompress"},
};

static float spread_of(const char *name)
{
    for (size_t i = 0; i < sizeof spreads / sizeof *spreads; i++)
        if (str_starts(name, spreads[i].prefix))
            return spreads[i].spread;
    return 0;
}

/* A number from a name: an axis draws the same values whatever other targets the model has. */
static uint32_t name_hash(const char *text, size_t length)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}

/* Normal, cut at two spreads, from a hash. */
static float hash_normal(uint32_t seed, uint32_t what)
{
    rng r = rng_at(seed, 2, what, RNG_SYNTH);
    float v = rng_normal(&r);
    return v < -2 ? -2 : v > 2 ? 2 : v;
}

/* The weight of one target: its axis' draw where that falls on this end. Left and right of the face share most of
 * theirs. */
static float target_weight(const char *name, float strength, uint32_t seed)
{
    float spread = strength * spread_of(name);
    if (spread == 0)
        return 0;
    char axis[128];
    snprintf(axis, sizeof axis, "%s", name);
    float sign = 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends && sign == 0; i++)
        for (int e = 0; e < 2 && sign == 0; e++)
            if (str_ends(axis, ends[i][e])) {
                axis[strlen(axis) - strlen(ends[i][e])] = 0;
                sign = e ? 1 : -1;
            }
    uint32_t own = name_hash(axis, strlen(axis));
    char *slash = strchr(axis, '/');
    bool is_paired = slash && (str_starts(slash, "/l-") || str_starts(slash, "/r-"));
    if (is_paired)
        slash[1] = '*';
    float value = spread * hash_normal(seed, name_hash(axis, strlen(axis)));
    if (is_paired)
        value = 0.97f * value + 0.12f * spread * hash_normal(seed, own);
    for (size_t i = 0; i < sizeof means / sizeof *means; i++)
        value += strcmp(axis, means[i].axis) == 0 ? means[i].mean : 0;
    if (sign == 0) /* a shape of its own, such as head-oval: one-sided, seldom strong */
        return maxf(0, value - 0.1f);
    return maxf(0, sign * value);
}

/* The weight of a population's mode; nobody is far from the mean in any of them. */
static float mode_weight(const char *name, float strength, uint32_t seed)
{
    return strength * hash_normal(seed, name_hash(name, strlen(name)));
}

/* The ages that macrodetails have targets of, in years; between two, both have a part. */
static const struct {
    const char *name;
    float years;
} stages[] = {{"baby", 1}, {"child", 11}, {"young", 23}, {"old", 84}};
#define STAGES (int)(sizeof stages / sizeof *stages)

static float stage_weight(int stage, float age)
{
    float before = stage > 0 ? stages[stage - 1].years : -INFINITY, at = stages[stage].years,
          after = stage + 1 < STAGES ? stages[stage + 1].years : INFINITY;
    return age < at              ? stage == 0 ? 1 : clamp01((age - before) / (at - before))
                        : stage + 1 == STAGES ? 1
                                 : clamp01((after - age) / (after - at));
}

/* Ancestry, sex and age blend the model's macrodetails: products of the three. */
static float macro_weight(const char *name, const person *who)
{
    char wanted[64];
    for (int a = 0; a < 3; a++)
        for (int sex = 0; sex < 2; sex++)
            for (int i = 0; i < STAGES; i++) {
                snprintf(wanted, sizeof wanted, "macrodetails/%s-%s-%s", ancestry_names[a], sex ? "male" : "female",
                         stages[i].name);
                if (strcmp(name, wanted) == 0)
                    return who->ancestry[a] * (sex ? who->male : 1 - who->male) * stage_weight(i, who->age);
            }
    return 0;
}

/* Reflectance of skin from lightest to darkest, sRGB; between two, linear light is mixed. */
static const uint8_t skins[][3] = {{236, 194, 168}, {224, 178, 148}, {208, 160, 128}, {186, 136, 105},
                                   {160, 110, 79},  {122, 79, 54},   {88, 55, 38},    {62, 39, 28}};

static vec3 from_srgb(const uint8_t c[3])
{
    return v3(powf((float)c[0] / 255, 2.2f), powf((float)c[1] / 255, 2.2f), powf((float)c[2] / 255, 2.2f));
}

static vec3 skin_colour(float tone)
{
    int last = (int)(sizeof skins / sizeof *skins) - 1;
    float at = clamp01(tone) * (float)last;
    int i = (int)at < last ? (int)at : last - 1;
    return v3_mix(from_srgb(skins[i]), from_srgb(skins[i + 1]), at - (float)i);
}

static vec3 pick(rng *r, const uint8_t (*colours)[3], const float *weights, int count)
{
    float total = 0, at;
    for (int i = 0; i < count; i++)
        total += weights[i];
    at = rng_float(r) * total;
    int i = 0;
    while (i < count - 1 && at >= weights[i])
        at -= weights[i++];
    return from_srgb(colours[i]);
}

static void draw_descent(person *p, const scene *s, rng *r)
{
    /* mostly of one ancestry, with a share of the others */
    int main = choice_draw(&s->identity_ancestry, r);
    float pure = rng_range(r, 0.45f, 1), share = share_draw(&s->identity_mixed, r) ? pure : 1, split = rng_float(r);
    for (int a = 0; a < 3; a++)
        p->ancestry[a] = a == main ? share : 0;
    p->ancestry[(main + 1) % 3] = (1 - share) * split;
    p->ancestry[(main + 2) % 3] = (1 - share) * (1 - split);
    float lightness = p->ancestry[0] * 0.78f + p->ancestry[1] * 0.26f + p->ancestry[2] * 0.16f;
    p->tone = clamp01(lightness + distribution_draw(&s->identity_tone_shift, r));
    p->skin = skin_colour(p->tone);
    vec3 hue = v3(1 + 0.03f * rng_normal(r), 1 + 0.025f * rng_normal(r), 1 + 0.05f * rng_normal(r));
    p->skin = v3_mul(p->skin, hue);
}

static void draw_hair(person *p, const scene *s, rng *r)
{
    /* in hair_colour_names' order */
    static const uint8_t colours[][3] = {{24, 20, 18},   {48, 34, 26},    {84, 58, 38},  {128, 92, 58},
                                         {176, 138, 88}, {214, 188, 142}, {124, 62, 34}, {96, 42, 30}};
    float fair = p->ancestry[2] * clamp01(1.2f - 3 * p->tone), young = 1 - smooth_step(4, 16, p->age);
    const float likely[] = {
        0.5f + 2 * (1 - p->ancestry[2]), 0.8f,        1.1f * fair, 0.8f * fair, (0.6f + young) * fair,
        (0.1f + 0.7f * young) * fair,    0.2f * fair, 0.15f};
    p->hair = from_srgb(colours[choice_draw_among(&s->identity_hair_colour, likely, r)]);
    vec3 dye = v3(rng_float(r), rng_float(r), rng_float(r));
    if (share_draw(&s->identity_hair_dyed, r) && p->age > 14)
        p->hair = v3_mul(dye, dye);
    p->hair = v3_scale(p->hair, rng_range(r, 0.7f, 1.2f));
    p->grey = clamp01((p->age - 42) / 36 + 0.25f * rng_normal(r)) * smooth_step(34, 52, p->age);
    p->brow_hair = v3_mix(v3_scale(p->hair, 0.65f), v3(0.18f, 0.17f, 0.165f), 0.55f * p->grey);

    bool is_man = p->male > 0.5f;
    static const choice of_babies = {{[HAIR_BALD] = 3, [HAIR_CROPPED] = 6, [HAIR_SHORT] = 2}, HAIR_STYLES, 1};
    const float of_age[HAIR_STYLES] = {p->age < 25 ? 0 : p->age > 50 ? 2.5f : 1, 1, 1, p->age > 62 ? 0.3f : 1};
    p->style = (hair_style)(p->age < 2 ? choice_draw(&of_babies, r)
                                       : choice_draw_among(is_man ? &s->identity_hair_men : &s->identity_hair_women,
                                                           of_age, r));
    p->hairline = 0.05f * rng_normal(r) + (is_man ? 0.20f * rng_float(r) * smooth_step(28, 60, p->age) : -0.02f);
    p->hair_wave = clamp01(p->ancestry[0] * 0.75f + 0.35f * rng_float(r) - 0.25f * p->ancestry[1] +
                           distribution_draw(&s->identity_hair_wave, r));
    p->hair_volume = p->style == HAIR_CROPPED ? rng_range(r, 0.02f, 0.05f)
                     : p->style == HAIR_LONG  ? rng_range(r, 0.08f, 0.16f)
                                              : rng_range(r, 0.09f, 0.22f) * (1 + 0.6f * (p->hair_wave > 0.6f));
    p->hair_volume *= distribution_draw(&s->identity_hair_volume, r);
    p->parting = rng_below(r, 3) == 0 ? 0 : rng_range(r, 0.1f, 0.35f) * (rng_bool(r) ? 1 : -1);

    p->stubble = is_man ? distribution_draw(&s->identity_stubble, r) * (1 - 0.5f * p->ancestry[1]) : 0;
    float beard = rng_range(r, 0.6f, 1), moustache = rng_range(r, 0.7f, 1);
    if (is_man && share_draw(&s->identity_beards, r)) {
        p->beard = beard;
        p->moustache = moustache;
    } else if (is_man && share_draw(&s->identity_moustaches, r)) {
        p->moustache = moustache;
    }
}

static void draw_features(person *p, const scene *s, rng *r)
{
    static const uint8_t irises[][3] = {{62, 38, 22}, {92, 58, 32}, {112, 92, 48}, {96, 112, 92}, {104, 132, 152}};
    float light = p->ancestry[2] * clamp01(1.2f - 3 * p->tone);
    float weights[] = {1 + 2 * (1 - p->ancestry[2]), 0.9f, 0.7f * light, 0.5f * light, 0.9f * light};
    p->iris = pick(r, irises, weights, 5);
    p->flush = rng_range(r, 0.25f, 1.0f);
    p->oil = rng_range(r, 0.5f, 1.3f);
    float freckles = rng_range(r, 0.3f, 0.9f), makeup = rng_range(r, 0.3f, 0.75f);
    p->freckles = share_draw(&s->identity_freckles, r) ? freckles * clamp01(1 - 2 * p->tone) : 0;
    p->eye_shade = clamp01(0.25f + 0.3f * rng_float(r) + 0.3f * smooth_step(35, 75, p->age));
    p->lines = smooth_step(30, 78, p->age) * rng_range(r, 0.6f, 1.0f);
    bool is_woman = p->male < 0.5f;
    p->lip_colour = clamp01(rng_range(r, 0.15f, 0.7f) + 0.15f * is_woman);
    p->lip_makeup = is_woman && share_draw(&s->identity_makeup, r) ? makeup : 0;
    static const uint8_t tints[][3] = {{168, 44, 52}, {186, 84, 88}, {150, 62, 58}, {196, 92, 104}, {120, 40, 52}};
    static const float even[] = {1, 1, 1, 1, 1};
    p->lip_tint = v3_scale(pick(r, tints, even, 5), 1 - 0.72f * p->tone);
    p->lash = is_woman ? rng_range(r, 0.7f, 1.0f) : rng_range(r, 0.45f, 0.7f);

    p->brow_height = 0.012f * rng_normal(r) + (is_woman ? 0.012f : -0.006f);
    p->brow_arch = 0.35f * rng_normal(r) + (is_woman ? 0.15f : -0.25f);
    p->brow_thick = clamp01(0.5f + 0.18f * rng_normal(r)) * 0.8f + (is_woman ? 0.45f : 0.72f);
    p->brow_dense = rng_range(r, 0.75f, 1.2f);
    p->glasses = share_draw(&s->occluders_glasses, r);
    p->glasses_width = rng_range(r, 0.20f, 0.25f);
    p->glasses_height = rng_range(r, 0.13f, 0.20f);
    p->glasses_thick = rng_range(r, 0.012f, 0.03f);
    static const uint8_t frames[][3] = {{22, 20, 20}, {60, 40, 28}, {120, 110, 100}, {120, 30, 32}, {32, 44, 72}};
    p->glasses_colour = pick(r, frames, even, 5);
}

/* Children: no beards, thin brows, smooth skin with some red; babies with little hair, high up. */
static void make_younger(person *p)
{
    float child = 1 - smooth_step(9, 19, p->age), baby = 1 - smooth_step(1.5f, 5, p->age);
    bool is_man = p->age >= 18;
    p->stubble *= 1 - smooth_step(0, 1, child);
    p->beard = is_man ? p->beard : 0;
    p->moustache = is_man ? p->moustache : 0;
    p->lip_makeup = p->age >= 15 ? p->lip_makeup : 0;
    p->glasses = p->glasses && p->age >= 4;
    p->brow_thick *= 1 - 0.25f * child;
    p->brow_dense *= (1 - 0.2f * child) * (1 - 0.4f * baby);
    p->brow_height *= 1 - child;
    p->brow_arch *= 1 - 0.7f * child;
    p->lash = mixf(p->lash, 0.75f, child);
    p->eye_shade *= 1 - 0.6f * child;
    p->oil *= 1 - 0.3f * child;
    p->flush = mixf(p->flush, 0.5f + 0.5f * p->flush, child);
    p->lip_colour = mixf(p->lip_colour, 0.4f + 0.4f * p->lip_colour, child);
    p->motion = 1 - 0.24f * stage_weight(0, p->age) -
                0.12f * stage_weight(1, p->age) * (1 - smooth_step(11, 18, p->age)); /* grown at 18 */
    p->hairline += 0.12f * baby;
    p->hair_volume *= 1 - 0.4f * baby;
}

/* Not every model knows children. */
static bool has_children(const face_model *face)
{
    return face_targets_find(&face->identity, "macrodetails/caucasian-female-child") >= 0;
}

void person_draw(person *out, float *identity, const face_model *face, const scene *s, rng *r)
{
    person p = {.face = face, .seed = rng_u32(r)};
    float shape = distribution_draw(&s->identity_shape, r);
    p.age = distribution_draw(share_draw(&s->age_children, r) && has_children(face) ? &s->age_child : &s->age_adult, r);
    p.male = 0.25f * rng_float(r) + (share_draw(&s->identity_men, r) ? 0.75f : 0);
    draw_descent(&p, s, r);
    draw_hair(&p, s, r);
    draw_features(&p, s, r);
    make_younger(&p);
    shape *= 1 - 0.4f * stage_weight(0, p.age) - 0.25f * stage_weight(1, p.age); /* they differ less, too */
    person_adorn(&p, s, r);
    for (int t = 0; t < face->identity.count; t++) {
        const char *name = face->identity.names[t];
        identity[t] = str_starts(name, FACE_PCA_PREFIX)   ? mode_weight(name, shape, p.seed)
                      : str_starts(name, "macrodetails/") ? macro_weight(name, &p)
                                                          : target_weight(name, shape, p.seed);
    }
    *out = p;
}
