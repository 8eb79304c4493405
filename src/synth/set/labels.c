/* labels.csv is one table of columns, each a name with the function that reads it from a face: header and rows cannot
 * get out of step. */
#include "synth/set/labels.h"

#include "synth/set/lighting.h"

#include <inttypes.h>
#include <math.h>

static const float degrees = 57.29578f;

/* A column: its name, and its value for a face. */
typedef struct {
    const char *name;
    float (*value)(const synth_face *f, const person *who);
} column;

#define SHOT(field)                                                                                                    \
    static float shot_##field(const synth_face *f, const person *who)                                                  \
    {                                                                                                                  \
        (void)who;                                                                                                     \
        return f->shot.field;                                                                                          \
    }
#define PERSON(field)                                                                                                  \
    static float person_##field(const synth_face *f, const person *who)                                                \
    {                                                                                                                  \
        (void)f;                                                                                                       \
        return who->field;                                                                                             \
    }
SHOT(yaw)
SHOT(pitch)
SHOT(roll)
SHOT(field)
SHOT(distance)
SHOT(blur)
SHOT(grain)
PERSON(age)
PERSON(male)
PERSON(tone)
PERSON(grey)
PERSON(stubble)
PERSON(beard)
PERSON(moustache)

static float african(const synth_face *f, const person *who)
{
    (void)f;
    return who->ancestry[0];
}
static float asian(const synth_face *f, const person *who)
{
    (void)f;
    return who->ancestry[1];
}
static float caucasian(const synth_face *f, const person *who)
{
    (void)f;
    return who->ancestry[2];
}
static float glasses(const synth_face *f, const person *who)
{
    (void)f;
    return who->glasses;
}
static float light_azimuth(const synth_face *f, const person *who)
{
    (void)who;
    return atan2f(f->shot.key_from.x, f->shot.key_from.z) * degrees;
}
#define DEGRADED(field)                                                                                                \
    static float degraded_##field(const synth_face *f, const person *who)                                              \
    {                                                                                                                  \
        (void)who;                                                                                                     \
        return (float)f->shot.degraded.field;                                                                          \
    }
SHOT(key_soft)
SHOT(exposure)
SHOT(back_blur)
DEGRADED(motion)
DEGRADED(shrink)
DEGRADED(warmth)
DEGRADED(tint)
DEGRADED(gamma)
DEGRADED(contrast)
DEGRADED(vignette)
DEGRADED(halo)
DEGRADED(grey)
DEGRADED(sepia)
DEGRADED(fade)
DEGRADED(film_grain)
DEGRADED(halftone)
DEGRADED(dust)
DEGRADED(scratches)
DEGRADED(first_quality)
DEGRADED(stretch)
DEGRADED(watermark)
DEGRADED(border)
static float shade(const synth_face *f, const person *who)
{
    (void)who;
    return f->shot.shade == SHADE_NONE ? 0 : f->shot.shade_dark;
}
static float light_elevation(const synth_face *f, const person *who)
{
    (void)who;
    return asinf(f->shot.key_from.y) * degrees;
}

static const column columns[] = {
    {"yaw", shot_yaw},
    {"pitch", shot_pitch},
    {"roll", shot_roll},
    {"age", person_age},
    {"male", person_male},
    {"african", african},
    {"asian", asian},
    {"caucasian", caucasian},
    {"skin_tone", person_tone},
    {"grey_hair", person_grey},
    {"stubble", person_stubble},
    {"beard", person_beard},
    {"moustache", person_moustache},
    {"glasses", glasses},
    {"field", shot_field},
    {"distance", shot_distance},
    {"light_azimuth", light_azimuth},
    {"light_elevation", light_elevation},
    {"blur", shot_blur},
    {"grain", shot_grain},
    {"key_soft", shot_key_soft},
    {"shade", shade},
    {"exposure", shot_exposure},
    {"background_blur", shot_back_blur},
    {"motion", degraded_motion},
    {"shrink", degraded_shrink},
    {"warmth", degraded_warmth},
    {"tint", degraded_tint},
    {"gamma", degraded_gamma},
    {"contrast", degraded_contrast},
    {"vignette", degraded_vignette},
    {"sharpness", degraded_halo},
    {"grey", degraded_grey},
    {"sepia", degraded_sepia},
    {"fade", degraded_fade},
    {"film_grain", degraded_film_grain},
    {"halftone", degraded_halftone},
    {"dust", degraded_dust},
    {"scratches", degraded_scratches},
    {"first_quality", degraded_first_quality},
    {"stretch", degraded_stretch},
    {"watermark", degraded_watermark},
    {"border", degraded_border},
};
#define COLUMNS (int)(sizeof columns / sizeof *columns)

mien_status labels_header(str *out)
{
    TRY(str_append(out, "image,identity,expression,intensity,valence,arousal"));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(str_printf(out, ",%s", au_names[a]));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(str_printf(out, ",%s", au_level_names[a]));
    for (int i = 0; i < COLUMNS; i++)
        TRY(str_printf(out, ",%s", columns[i].name));
    TRY(str_append(out, ",hair,light,background,jpeg_quality"));
    for (int u = 0; u < UNIT_COUNT; u++)
        TRY(str_printf(out, ",%s", unit_names[u]));
    return str_append(out, ",hat,scarf,hand,held,headphones,sunglasses\n");
}

/* ",0.2500", or how the challenge writes what is missing. */
static mien_status label(str *out, float value, bool is_told, const char *missing)
{
    return is_told ? str_printf(out, ",%.4f", (double)value) : str_printf(out, ",%s", missing);
}

mien_status labels_row(str *out, const char *image, const synth_face *f, const person *who, synth_told told)
{
    const face_expression *e = &f->expression;
    TRY(str_printf(out, "%s,%" PRId64 ",%s", image, f->identity,
                   told.expression ? expression_names[e->expression] : "-1"));
    TRY(label(out, e->intensity, told.expression, "-1"));
    TRY(label(out, e->valence, told.va, "-5"));
    TRY(label(out, e->arousal, told.va, "-5"));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(str_printf(out, ",%d", told.au ? e->au[a] : -1));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(label(out, e->au_level[a], told.au, "-1"));
    for (int i = 0; i < COLUMNS; i++)
        TRY(str_printf(out, ",%.4f", (double)columns[i].value(f, who)));
    TRY(str_printf(out, ",%s,%s,%s,%d", hair_style_names[who->style], lighting_names[f->shot.lighting],
                   background_names[f->shot.back_kind], f->shot.quality));
    for (int u = 0; u < UNIT_COUNT; u++)
        TRY(label(out, e->units[u], told.au, "-1"));
    const occluders *worn = &f->shot.worn;
    return str_printf(out, ",%s,%s,%s,%s,%d,%d\n", hat_names[worn->hat], scarf_names[worn->scarf],
                      hand_names[worn->hand], held_names[worn->held], worn->headphones, worn->sunglasses);
}
