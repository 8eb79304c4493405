/* A scene: what to draw, as distributions from which people, shots and expressions are drawn. It is a YAML file, a
 * preset, or both; keys that are not given have defaults. */
#ifndef SYNTH_SCENE_H
#define SYNTH_SCENE_H

#include "synth/set/distribution.h"
#include "synth/set/synth.h"

/* The words of choices, NULL-terminated. */
extern const char *const ancestry_names[], *const hair_colour_names[];

struct scene {
    int preset;
#define NUMBER(group, name, low, high, fallback, help) distribution group##_##name;
#define SHARE(group, name, fallback, help) scene_share group##_##name;
#define CHOICE(group, name, words, fallback, help) choice group##_##name;
#include "synth/set/scene_keys.h"
    recipe_table table; /* of all keys */
    arena *texts;
};

/* what: NULL, all defaults; a preset's name; else the path of a YAML file. Defaults may depend on the task.
 * Errors MIEN_ERR_IO; MIEN_ERR_FORMAT "wild.yaml: line 3: pose.yaw: FAULT (found, wanted)". */
MIEN_MUST_USE mien_status scene_load(scene **out, const char *what, synth_task task);
/* The same of text; `name` stands for its path in messages. */
MIEN_MUST_USE mien_status scene_read(scene **out, const char *name, const char *text, size_t length, synth_task task);
void scene_free(scene *s); /* NULL is a no-op */

/* Every key and what it is set to, as YAML: reading the text again gives the same scene. */
MIEN_MUST_USE mien_status scene_print(const scene *s, str *out);
/* The first key whose value differs, into dst as "pose.yaw: B'S (wanted A'S)"; false where none does. */
bool scene_difference(const scene *a, const scene *b, char *dst, size_t bytes);
/* docs/scene.md: every key, and what presets set. */
MIEN_MUST_USE mien_status scene_reference(str *out);

#endif
