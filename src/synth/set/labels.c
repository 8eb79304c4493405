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
#define MARK(name, member)                                                                                             \
    static float mark_##name(const synth_face *f, const person *who)                                                   \
    {                                                                                                                  \
        (void)who;                                                                                                     \
        return f->marks.member;                                                                                        \
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

MARK(gaze_left_yaw, gaze[0][0])
MARK(gaze_left_pitch, gaze[0][1])
MARK(gaze_right_yaw, gaze[1][0])
MARK(gaze_right_pitch, gaze[1][1])
MARK(head_left, head.left)
MARK(head_top, head.top)
MARK(head_right, head.right)
MARK(head_bottom, head.bottom)
MARK(face_left, face.left)
MARK(face_top, face.top)
MARK(face_right, face.right)
MARK(face_bottom, face.bottom)
MARK(align_a, align_a)
MARK(align_b, align_b)
MARK(align_x, align_x)
MARK(align_y, align_y)
MARK(shown, shown)

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
    {"gaze_left_yaw", mark_gaze_left_yaw},
    {"gaze_left_pitch", mark_gaze_left_pitch},
    {"gaze_right_yaw", mark_gaze_right_yaw},
    {"gaze_right_pitch", mark_gaze_right_pitch},
    {"head_left", mark_head_left},
    {"head_top", mark_head_top},
    {"head_right", mark_head_right},
    {"head_bottom", mark_head_bottom},
    {"face_left", mark_face_left},
    {"face_top", mark_face_top},
    {"face_right", mark_face_right},
    {"face_bottom", mark_face_bottom},
    {"align_a", mark_align_a},
    {"align_b", mark_align_b},
    {"align_x", mark_align_x},
    {"align_y", mark_align_y},
    {"shown", mark_shown},
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

/* What names a row: the picture, and which head of a crowd or frame of a clip it is. */
static mien_status key_header(str *out, const synth_options *options)
{
    return str_append(out, options->clip > 0    ? "image,clip,frame,timestamp"
                           : options->crowd > 0 ? "image,head"
                                                : "image");
}

static mien_status key(str *out, const synth_options *options, const char *image, int place, const synth_face *f)
{
    TRY(str_append(out, image));
    if (options->clip > 0) {
        const int64_t frame = f->number % options->clip;
        return str_printf(out, ",%" PRId64 ",%" PRId64 ",%.4f", f->number / options->clip + 1, frame + 1,
                          (double)frame / SYNTH_FRAMES_PER_SECOND);
    }
    return options->crowd > 0 ? str_printf(out, ",%d", place + 1) : MIEN_OK;
}

mien_status labels_header(str *out, const synth_options *options)
{
    TRY(key_header(out, options));
    TRY(str_append(out, ",identity,expression,intensity,valence,arousal"));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(str_printf(out, ",%s", au_names[a]));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(str_printf(out, ",%s", au_level_names[a]));
    for (int c = 0; c < EXPRESSION_COUNT; c++)
        TRY(str_printf(out, ",p_%s", expression_names[c]));
    for (int i = 0; i < COLUMNS; i++)
        TRY(str_printf(out, ",%s", columns[i].name));
    TRY(str_append(out, ",hair,light,background,jpeg_quality"));
    for (int u = 0; u < UNIT_COUNT; u++)
        TRY(str_printf(out, ",%s", unit_names[u]));
    return str_append(out, ",hat,scarf,hand,held,headphones,sunglasses,tears,face_model\n");
}

/* ",0.2500", or how the challenge writes what is missing. */
static mien_status label(str *out, float value, bool is_told, const char *missing)
{
    return is_told ? str_printf(out, ",%.4f", (double)value) : str_printf(out, ",%s", missing);
}

mien_status labels_row(str *out, const synth_options *options, const char *image, int place, const synth_face *f,
                       const person *who, synth_told told)
{
    const face_expression *e = &f->expression;
    TRY(key(out, options, image, place, f));
    TRY(str_printf(out, ",%" PRId64 ",%s", f->identity, told.expression ? expression_names[e->expression] : "-1"));
    TRY(label(out, e->intensity, told.expression, "-1"));
    TRY(label(out, e->valence, told.va, "-5"));
    TRY(label(out, e->arousal, told.va, "-5"));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(str_printf(out, ",%d", told.au ? e->au[a] : -1));
    for (int a = 0; a < AU_COUNT; a++)
        TRY(label(out, e->au_level[a], told.au, "-1"));
    for (int c = 0; c < EXPRESSION_COUNT; c++)
        TRY(label(out, expression_share(e, (expression_class)c), told.expression, "-1"));
    for (int i = 0; i < COLUMNS; i++)
        TRY(str_printf(out, ",%.4f", (double)columns[i].value(f, who)));
    TRY(str_printf(out, ",%s,%s,%s,%d", hair_style_names[who->style], lighting_names[f->shot.lighting],
                   background_names[f->shot.back_kind], f->shot.quality));
    for (int u = 0; u < UNIT_COUNT; u++)
        TRY(label(out, e->units[u], told.au, "-1"));
    const occluders *worn = &f->shot.worn;
    char kind[FACE_KIND_BYTES];
    face_model_kind(kind, who->face);
    return str_printf(out, ",%s,%s,%s,%s,%d,%d,%.4f,%s\n", hat_names[worn->hat], scarf_names[worn->scarf],
                      hand_names[worn->hand], held_names[worn->held], worn->headphones, worn->sunglasses,
                      (double)worn->tears, kind);
}

mien_status landmarks_header(str *out, const synth_options *options)
{
    static const char *const five[MARK_FIVE] = {"right_eye", "left_eye", "nose", "mouth_right", "mouth_left"};
    TRY(key_header(out, options));
    for (int i = 0; i < MARK_FIVE; i++)
        TRY(str_printf(out, ",%s_x,%s_y,%s_seen", five[i], five[i], five[i]));
    for (int i = 1; i <= LANDMARK_COUNT; i++)
        TRY(str_printf(out, ",x%d,y%d,seen%d", i, i, i));
    return str_append(out, "\n");
}

mien_status landmarks_row(str *out, const synth_options *options, const char *image, int place, const synth_face *f)
{
    TRY(key(out, options, image, place, f));
    for (int i = 0; i < MARK_COUNT; i++)
        TRY(str_printf(out, ",%.2f,%.2f,%d", (double)f->marks.point[i].x, (double)f->marks.point[i].y,
                       f->marks.is_seen[i]));
    return str_append(out, "\n");
}
