/* Drawing a person: who they are, what they look like, and how the model's identity targets add up to them. */
#include "base/str.h"
#include "synth/draw/look.h"
#include "synth/set/adorn.h"

#include <stdio.h>
#include <string.h>

const char *const hair_style_names[HAIR_STYLES] = {"bald", "cropped", "short", "long"};

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
static float target_weight(const char *name, uint32_t seed)
{
    float spread = spread_of(name);
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
static float mode_weight(const char *name, uint32_t seed)
{
    return hash_normal(seed, name_hash(name, strlen(name)));
}

/* Ancestry, sex and age blend the model's macrodetails: products of the three, young and old. */
static float macro_weight(const char *name, const person *who)
{
    static const char *const ancestries[3] = {"african", "asian", "caucasian"};
    char wanted[64];
    float old = clamp01((who->age - 22) / 62);
    for (int a = 0; a < 3; a++)
        for (int sex = 0; sex < 2; sex++)
            for (int aged = 0; aged < 2; aged++) {
                snprintf(wanted, sizeof wanted, "macrodetails/%s-%s-%s", ancestries[a], sex ? "male" : "female",
                         aged ? "old" : "young");
                if (strcmp(name, wanted) == 0)
                    return who->ancestry[a] * (sex ? who->male : 1 - who->male) * (aged ? old : 1 - old);
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

static void draw_descent(person *p, rng *r)
{
    /* mostly of one ancestry, with a share of the others */
    uint32_t main = rng_below(r, 3);
    float share = rng_bool(r) ? 1 : rng_range(r, 0.45f, 1), split = rng_float(r);
    for (uint32_t a = 0; a < 3; a++)
        p->ancestry[a] = a == main ? share : 0;
    p->ancestry[(main + 1) % 3] = (1 - share) * split;
    p->ancestry[(main + 2) % 3] = (1 - share) * (1 - split);
    float lightness = p->ancestry[0] * 0.78f + p->ancestry[1] * 0.26f + p->ancestry[2] * 0.16f;
    p->tone = clamp01(lightness + 0.11f * rng_normal(r));
    p->skin = skin_colour(p->tone);
    vec3 hue = v3(1 + 0.03f * rng_normal(r), 1 + 0.025f * rng_normal(r), 1 + 0.05f * rng_normal(r));
    p->skin = v3_mul(p->skin, hue);
}

static void draw_hair(person *p, rng *r)
{
    static const uint8_t colours[][3] = {{24, 20, 18},  {48, 34, 26},   {84, 58, 38},
                                         {128, 92, 58}, {176, 138, 88}, {124, 62, 34}};
    float light = p->ancestry[2] * clamp01(1.2f - 3 * p->tone);
    float weights[] = {0.5f + 2 * (1 - p->ancestry[2]), 0.8f, 1.1f * light, 0.8f * light, 0.6f * light, 0.25f * light};
    p->hair = v3_scale(pick(r, colours, weights, 6), rng_range(r, 0.7f, 1.2f));
    p->grey = clamp01((p->age - 42) / 36 + 0.25f * rng_normal(r)) * smooth_step(34, 52, p->age);
    p->brow_hair = v3_mix(v3_scale(p->hair, 0.65f), v3(0.18f, 0.17f, 0.165f), 0.55f * p->grey);

    float u = rng_float(r);
    bool is_man = p->male > 0.5f;
    p->style = is_man ? (u < 0.10f + 0.15f * (p->age > 50) ? HAIR_BALD
                         : u < 0.38f                       ? HAIR_CROPPED
                         : u < 0.95f                       ? HAIR_SHORT
                                                           : HAIR_LONG)
                      : (u < 0.04f   ? HAIR_CROPPED
                         : u < 0.34f ? HAIR_SHORT
                                     : HAIR_LONG);
    p->hairline = 0.05f * rng_normal(r) + (is_man ? 0.20f * rng_float(r) * smooth_step(28, 60, p->age) : -0.02f);
    p->hair_wave = clamp01(p->ancestry[0] * 0.75f + 0.35f * rng_float(r) - 0.25f * p->ancestry[1]);
    p->hair_volume = p->style == HAIR_CROPPED ? rng_range(r, 0.02f, 0.05f)
                     : p->style == HAIR_LONG  ? rng_range(r, 0.08f, 0.16f)
                                              : rng_range(r, 0.09f, 0.22f) * (1 + 0.6f * (p->hair_wave > 0.6f));
    p->parting = rng_below(r, 3) == 0 ? 0 : rng_range(r, 0.1f, 0.35f) * (rng_bool(r) ? 1 : -1);

    p->stubble = is_man ? rng_float(r) * rng_float(r) * (1 - 0.5f * p->ancestry[1]) : 0;
    u = rng_float(r);
    if (is_man && u < 0.30f) {
        p->beard = u < 0.20f ? rng_range(r, 0.6f, 1) : 0;
        p->moustache = rng_range(r, 0.7f, 1);
    }
}

static void draw_features(person *p, rng *r)
{
    static const uint8_t irises[][3] = {{62, 38, 22}, {92, 58, 32}, {112, 92, 48}, {96, 112, 92}, {104, 132, 152}};
    float light = p->ancestry[2] * clamp01(1.2f - 3 * p->tone);
    float weights[] = {1 + 2 * (1 - p->ancestry[2]), 0.9f, 0.7f * light, 0.5f * light, 0.9f * light};
    p->iris = pick(r, irises, weights, 5);
    p->flush = rng_range(r, 0.25f, 1.0f);
    p->oil = rng_range(r, 0.5f, 1.3f);
    p->freckles = rng_below(r, 6) == 0 ? rng_range(r, 0.3f, 0.9f) * clamp01(1 - 2 * p->tone) : 0;
    p->eye_shade = clamp01(0.25f + 0.3f * rng_float(r) + 0.3f * smooth_step(35, 75, p->age));
    p->lines = smooth_step(30, 78, p->age) * rng_range(r, 0.6f, 1.0f);
    bool is_woman = p->male < 0.5f;
    p->lip_colour = clamp01(rng_range(r, 0.15f, 0.7f) + 0.15f * is_woman);
    p->lip_makeup = is_woman && rng_below(r, 5) < 2 ? rng_range(r, 0.3f, 0.75f) : 0;
    static const uint8_t tints[][3] = {{168, 44, 52}, {186, 84, 88}, {150, 62, 58}, {196, 92, 104}, {120, 40, 52}};
    static const float even[] = {1, 1, 1, 1, 1};
    p->lip_tint = v3_scale(pick(r, tints, even, 5), 1 - 0.72f * p->tone);
    p->lash = is_woman ? rng_range(r, 0.7f, 1.0f) : rng_range(r, 0.45f, 0.7f);

    p->brow_height = 0.012f * rng_normal(r) + (is_woman ? 0.012f : -0.006f);
    p->brow_arch = 0.35f * rng_normal(r) + (is_woman ? 0.15f : -0.25f);
    p->brow_thick = clamp01(0.5f + 0.18f * rng_normal(r)) * 0.8f + (is_woman ? 0.45f : 0.72f);
    p->brow_dense = rng_range(r, 0.75f, 1.2f);
    p->glasses = rng_below(r, 7) == 0;
    p->glasses_width = rng_range(r, 0.20f, 0.25f);
    p->glasses_height = rng_range(r, 0.13f, 0.20f);
    p->glasses_thick = rng_range(r, 0.012f, 0.03f);
    static const uint8_t frames[][3] = {{22, 20, 20}, {60, 40, 28}, {120, 110, 100}, {120, 30, 32}, {32, 44, 72}};
    p->glasses_colour = pick(r, frames, even, 5);
}

void person_draw(person *out, float *identity, const face_model *face, rng *r)
{
    person p = {.face = face, .seed = rng_u32(r)};
    p.age = 18 + 60 * rng_float(r) * (0.35f + 0.65f * rng_float(r));
    p.male = rng_bool(r) ? rng_range(r, 0.75f, 1) : rng_range(r, 0, 0.25f);
    draw_descent(&p, r);
    draw_hair(&p, r);
    draw_features(&p, r);
    person_adorn(&p);
    for (int t = 0; t < face->identity.count; t++) {
        const char *name = face->identity.names[t];
        identity[t] = str_starts(name, FACE_PCA_PREFIX)   ? mode_weight(name, p.seed)
                      : str_starts(name, "macrodetails/") ? macro_weight(name, &p)
                                                          : target_weight(name, p.seed);
    }
    *out = p;
}
