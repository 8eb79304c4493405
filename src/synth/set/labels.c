/* labels.csv is one table of columns, each a name with the function that reads it from a face: header and rows cannot
 * get out of step. */
#include "synth/set/labels.h"

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
PERSON(tone)
PERSON(grey)
PERSON(stubble)
PERSON(beard)
PERSON(moustache)

/* What the shape of a head shows; of a population's heads nobody knows it. */
#define SHAPE(name, member)                                                                                            \
    static float shape_##name(const synth_face *f, const person *who)                                                  \
    {                                                                                                                  \
        (void)f;                                                                                                       \
        return face_model_is_population(who->face) ? -1 : who->member;                                                 \
    }
SHAPE(age, age)
SHAPE(male, male)
SHAPE(african, ancestry[0])
SHAPE(asian, ancestry[1])
SHAPE(caucasian, ancestry[2])

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
static float light_elevation(const synth_face *f, const person *who)
{
    (void)who;
    return asinf(f->shot.key_from.y) * degrees;
}

static const column columns[] = {
    {"yaw", shot_yaw},
    {"pitch", shot_pitch},
    {"roll", shot_roll},
    {"age", shape_age},
    {"male", shape_male},
    {"african", shape_african},
    {"asian", shape_asian},
    {"caucasian", shape_caucasian},
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
    TRY(str_append(out, ",hair,jpeg_quality"));
    for (int u = 0; u < UNIT_COUNT; u++)
        TRY(str_printf(out, ",%s", unit_names[u]));
    return str_append(out, ",hat,scarf,hand,held,headphones,sunglasses,face_model\n");
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
    TRY(str_printf(out, ",%s,%d", hair_style_names[who->style], f->shot.quality));
    for (int u = 0; u < UNIT_COUNT; u++)
        TRY(label(out, e->units[u], told.au, "-1"));
    const occluders *worn = &f->shot.worn;
    char kind[FACE_KIND_BYTES];
    face_model_kind(kind, who->face);
    return str_printf(out, ",%s,%s,%s,%s,%d,%d,%s\n", hat_names[worn->hat], scarf_names[worn->scarf],
                      hand_names[worn->hand], held_names[worn->held], worn->headphones, worn->sunglasses, kind);
}
