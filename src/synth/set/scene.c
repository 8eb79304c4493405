/* Rows are made of scene_keys.h. A preset is a list of other defaults, so that a file may begin with one and differ. */
#include "synth/set/scene.h"

#include "base/file.h"
#include "base/mem.h"
#include "recipe/reading.h"
#include "synth/draw/look.h"
#include "synth/set/lighting.h"

#include <string.h>

#define MAX_BYTES (1 << 20)

const char *const ancestry_names[] = {"african", "asian", "caucasian", NULL};
const char *const hair_colour_names[] = {"black",  "dark_brown", "brown",  "light_brown", "blond",
                                         "flaxen", "red",        "auburn", NULL};

typedef struct {
    const char *key, *fallback;
} other_default;

/* Frontal faces in one plain light: an easy set, for first runs and tests. */
static const other_default studio[] = {
    {"framing.field", "1.6"},
    {"framing.shift_x", "0"},
    {"framing.shift_y", "-0.04"},
    {"pose.yaw", "0"},
    {"pose.pitch", "0"},
    {"pose.manner", "0"},
    {"pose.roll", "0"},
    {"camera.distance", "9"},
    {"camera.exposure", "1"},
    {"light.from_left", "1"},
    {"light.key_azimuth", "38"},
    {"light.key_elevation", "36"},
    {"light.fill_azimuth", "50"},
    {"light.fill_elevation", "5"},
    {"light.contrast", "0.75"},
    {"light.warmth", "0.25"},
    {"light.fill_warmth", "0.35"},
    {"light.sky_warmth", "-0.2"},
    {"light.ground", "0.6"},
    {"background.level", "0.2"},
    {"background.colour", "0"},
    {"background.contrast", "1"},
    {"background.blobs", "0"},
    {"background.blur", "0"},
    {"background.cloth_level", "0.1"},
    {"background.cloth_colour", "0.1"},
    {"occluders.reflections", "0"},
    {"occluders.sunglasses", "0"},
    {"occluders.hat", "none"},
    {"occluders.scarf", "none"},
    {"occluders.hand", "none"},
    {"occluders.held", "none"},
    {"occluders.headphones", "0"},
    {"degradation.blurred", "0"},
    {"degradation.grain", "0"},
    {"degradation.jpeg_quality", "92"},
    {NULL, NULL},
};

/* Clean faces, well lit, at intensities that are easily read. */
static const other_default portrait[] = {
    {"pose.yaw", "{mean: 0, std: 7, low: -20, high: 20}"},
    {"pose.pitch", "{mean: -1, std: 4, low: -12, high: 12}"},
    {"pose.roll", "{mean: 0, std: 3, low: -9, high: 9}"},
    {"gaze.side", "{mean: 0, std: 0.15, low: -0.4, high: 0.4}"},
    {"gaze.up", "{mean: 0, std: 0.1, low: -0.3, high: 0.3}"},
    {"gaze.blinks", "0"},
    {"expression.intensity", "[0.8, 1]"},
    {"light.key_azimuth", "[10, 45]"},
    {"light.key_elevation", "[15, 45]"},
    {"light.contrast", "[0.2, 0.7]"},
    {"occluders.glasses", "0"},
    {"occluders.sunglasses", "0"},
    {"occluders.hat", "none"},
    {"occluders.scarf", "none"},
    {"occluders.hand", "none"},
    {"occluders.held", "none"},
    {"occluders.headphones", "0"},
    {"degradation.blurred", "0"},
    {"degradation.grain", "{mean: 0, std: 0.8, low: 0, high: 2}"},
    {"light.setup", "{keys: 3, soft: 3, window: 1.5, lamps: 1, split: 0.5}"},
    {"background.kind", "{blobs: 1, plain: 1, white: 1, black: 1, spot: 1, room: 0.5, foliage: 0.5, pattern: 0.3}"},
    {"background.blur", "[0.01, 0.05]"},
    {"degradation.contrast", "{mean: 0.2, std: 0.2, low: 0, high: 0.7}"},
    {"degradation.stretched", "0.4"},
    {"degradation.sharpened", "0.5"},
    {"degradation.jpeg_quality", "[88, 97]"},
    {NULL, NULL},
};

/* Faces as they are found anywhere: turned, in any light, badly taken, of all ages. */
static const other_default wild[] = {
    {"framing.field", "[1.2, 2]"},
    {"framing.shift_x", "{mean: 0, std: 0.04, low: -0.12, high: 0.12}"},
    {"framing.shift_y", "{mean: -0.03, std: 0.04, low: -0.15, high: 0.1}"},
    {"pose.yaw", "{mean: 0, std: 18, low: -55, high: 55}"},
    {"pose.pitch", "{mean: -1, std: 9, low: -28, high: 28}"},
    {"pose.roll", "{mean: 0, std: 8, low: -30, high: 30}"},
    {"gaze.side", "{mean: 0, std: 0.45, low: -1, high: 1}"},
    {"gaze.up", "{mean: -0.05, std: 0.3, low: -0.9, high: 0.8}"},
    {"gaze.blinks", "0.07"},
    {"age.children", "0.25"},
    {"age.child", "[1, 18]"},
    {"age.adult", "{mean: 30, std: 24, low: 18, high: 90}"},
    {"expression.intensity", "[0.4, 1]"},
    {"expression.asymmetry", "{mean: 0, std: 0.16, low: -0.45, high: 0.45}"},
    {"camera.distance", "{mean: 8, std: 7, low: 3.2, high: 40}"},
    {"camera.exposure", "[0.55, 1.35]"},
    {"light.key_azimuth", "[0, 100]"},
    {"light.key_elevation", "[-10, 70]"},
    {"degradation.blurred", "0.3"},
    {"degradation.blur", "[0.3, 1.2]"},
    {"degradation.grain", "{mean: 0, std: 3, low: 0, high: 14}"},
    {"light.setup", "{keys: 2, soft: 3, low_key: 2.5, window: 2, overcast: 1.5, sun: 2, lamps: 2, flash: 1.5, back: 1, "
                    "below: 0.4, stage: 0.5, split: 0.8}"},
    {"background.kind", "{blobs: 2, plain: 1.5, white: 2, black: 1.5, spot: 1, room: 1.5, shelves: 0.8, window: 0.7, "
                        "foliage: 1.2, sky: 0.8, pattern: 1, crowd: 0.7, text: 0.6, lights: 0.4}"},
    {"background.blur", "[0, 0.05]"},
    {"degradation.moved", "0.05"},
    {"degradation.shrunk", "0.3"},
    {"degradation.warmth", "{mean: 0, std: 0.18, low: -0.8, high: 0.8}"},
    {"degradation.tint", "{mean: 0, std: 0.15, low: -0.6, high: 0.6}"},
    {"degradation.gamma", "{mean: 0, std: 0.2, low: -0.7, high: 0.7}"},
    {"degradation.contrast", "{mean: 0.25, std: 0.3, low: -0.4, high: 1}"},
    {"degradation.vignetted", "0.1"},
    {"degradation.sharpened", "0.65"},
    {"degradation.grey", "0.2"},
    {"degradation.printed", "0.02"},
    {"degradation.dusty", "0.03"},
    {"degradation.scratched", "0.02"},
    {"degradation.saved_twice", "0.4"},
    {"degradation.stretched", "0.6"},
    {"degradation.marked", "0.15"},
    {"degradation.barred", "0.03"},
    {"degradation.jpeg_quality", "[40, 96]"},
    {NULL, NULL},
};

static const other_default none[] = {{NULL, NULL}};

static const char *const preset_names[] = {"default", "studio", "portrait", "wild", NULL};
static const struct {
    const other_default *defaults;
    const char *help;
} presets[] = {
    {none, "what is drawn where nothing is said"},
    {studio, "frontal faces in one plain light, people and expressions as ever: an easy set, for first runs and tests"},
    {portrait, "clean faces, well lit, whose expressions are easily read"},
    {wild, "faces as they are found anywhere: turned, in any light, badly taken, of all ages"},
};

/* The other tasks' own: where all eight classes and their levels are told, faint ones teach too. */
static const other_default of_all_classes[] = {{"expression.intensity", "[0.3, 1]"}, {NULL, NULL}};

#define FIELD(group, part) .name = #group "." #part, .offset = offsetof(scene, group##_##part)
static const recipe_key rows[] = {
    {.name = "preset",
     .type = &recipe_type_word,
     .offset = offsetof(scene, preset),
     .words = preset_names,
     .fallback = "default",
     .help = "Whose values the other keys have where they are not given."},
#define NUMBER(group, name_, low_, high_, fallback_, help_)                                                            \
    {FIELD(group, name_), .type = &distribution_type, .range = RECIPE_FROM_TO(low_, high_), .fallback = fallback_,     \
     .help = help_},
#define SHARE(group, name_, fallback_, help_)                                                                          \
    {FIELD(group, name_), .type = &share_type, .fallback = fallback_, .help = help_},
#define CHOICE(group, name_, words_, fallback_, help_)                                                                 \
    {FIELD(group, name_), .type = &choice_type, .words = words_, .fallback = fallback_, .help = help_},
#include "synth/set/scene_keys.h"
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static mien_status set_defaults(scene *s, const other_default *defaults)
{
    for (int i = 0; defaults[i].key; i++)
        TRY(recipe_table_set_default(&s->table, defaults[i].key, defaults[i].fallback));
    return MIEN_OK;
}

/* preset: NULL where the text says none, or one that is no word, which reading the key tells. */
static mien_status make_table(scene *s, const char *preset, synth_task task)
{
    int index = recipe_word_index(preset_names, preset);
    s->table.texts = s->texts;
    TRY(recipe_table_add(&s->table, "", rows, (int)(sizeof rows / sizeof *rows), s));
    if (task != SYNTH_LSD)
        TRY(set_defaults(s, of_all_classes));
    return set_defaults(s, index < 0 ? none : presets[index].defaults);
}

static mien_status read_scene(scene **out, const char *name, const char *text, size_t length, const char *setting,
                              synth_task task)
{
    mien_status st;
    scene *s = NULL;
    recipe_reading *in = NULL;
    TRY_OUT(mem_zalloc(&s, 1));
    TRY_OUT(arena_create(&s->texts, 0));
    TRY_OUT(recipe_reading_open(&in, name, text, length, &setting, setting ? 1 : 0));
    TRY_OUT(make_table(s, recipe_reading_text(in, "preset"), task));
    TRY_OUT(recipe_reading_apply(in, &s->table));
    *out = s;
    s = NULL;
out:
    recipe_reading_close(in);
    scene_free(s);
    return st;
}

mien_status scene_read(scene **out, const char *name, const char *text, size_t length, synth_task task)
{
    return read_scene(out, name, text, length, NULL, task);
}

mien_status scene_load(scene **out, const char *what, synth_task task)
{
    char *text = NULL;
    size_t length = 0;
    if (!what)
        return read_scene(out, NULL, NULL, 0, NULL, task);
    int preset = recipe_word_index(preset_names, what);
    if (preset >= 0) {
        str setting = {0};
        mien_status st = str_printf(&setting, "preset=%s", what);
        if (st == MIEN_OK)
            st = read_scene(out, NULL, NULL, 0, setting.text, task);
        str_free(&setting);
        return st;
    }
    if (!file_exists(what)) {
        char words[96];
        str_join_words(words, sizeof words, preset_names + 1, 3);
        return mien_fail(MIEN_ERR_IO, "%s: neither a file nor a preset (wanted a YAML file, %s)", what, words);
    }
    TRY(file_read(&text, &length, what, MAX_BYTES));
    mien_status st = scene_read(out, what, text, length, task);
    mem_free(text);
    return st;
}

void scene_free(scene *s)
{
    if (!s)
        return;
    recipe_table_free(&s->table);
    arena_free(s->texts);
    mem_free(s);
}

mien_status scene_print(const scene *s, str *out)
{
    return recipe_table_print(&s->table, out);
}

bool scene_difference(const scene *a, const scene *b, char *dst, size_t bytes)
{
    return recipe_table_difference(&a->table, &b->table, dst, bytes);
}

/* --- reference ---------------------------------------------------------------------------------------------------- */

static const char reference_head[] =
    "# Scenes\n"
    "\n"
    "A scene says what `mien synth --scene FILE.yaml` draws. Every key has a default; a file names those that differ,\n"
    "and may begin with a preset. `--scene NAME` takes a preset as it is. Unknown keys, wrong types, empty ranges and\n"
    "impossible values are refused with their line. The set keeps its scene, all keys of it, in `scene.yaml`. This "
    "page\n"
    "is written from `src/synth/set/scene_keys.h` by `mien synth --list-keys`.\n"
    "\n"
    "```yaml\n"
    "preset: portrait\n"
    "pose:\n"
    "  yaw: {mean: 0, std: 11, low: -32, high: 32}\n"
    "age: {children: 0}\n"
    "expression:\n"
    "  intensity: [0.3, 1]\n"
    "occluders:\n"
    "  glasses: 0.5\n"
    "identity:\n"
    "  ancestry: {asian: 2, african: 1}\n"
    "```\n"
    "\n"
    "A number is drawn for every face or person: always the same from a number alone; alike from all of `[low, "
    "high]`;\n"
    "normal from `{mean, std, low, high}`, drawn again where it falls outside, which may leave out low and high for "
    "the\n"
    "key's own. A share is how many of the faces or people are so. Of names one is always taken, or each as often as "
    "its\n"
    "weight in `{NAME: WEIGHT}`, and never if it is left out.\n"
    "\n"
    "Every key has random numbers of its own: what one is set to changes nothing else that is drawn.\n";

mien_status scene_reference(str *out)
{
    scene *s = NULL;
    TRY(scene_load(&s, NULL, SYNTH_LSD));
    mien_status st = str_append(out, reference_head);
    if (st == MIEN_OK)
        st = recipe_table_reference(&s->table, NULL, out);
    scene_free(s);
    TRY(st);
    for (int i = 0; preset_names[i]; i++) {
        TRY(str_printf(out, "\n## Preset %s\n%s.\n", preset_names[i], presets[i].help));
        for (const other_default *d = presets[i].defaults; d->key; d++)
            TRY(str_printf(out, "%s| `%s` | `%s` |\n", d == presets[i].defaults ? "\n| key | value |\n|---|---|\n" : "",
                           d->key, d->fallback));
    }
    return MIEN_OK;
}
