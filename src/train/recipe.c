/* Reading: file and settings are first sorted into assignments to keys, then applied in the table's order, each key's
 * default before what was given for it; so the order within a file means nothing, and a default is just another value.
 */
#include "train/recipe.h"

#include "base/file.h"
#include "base/mem.h"
#include "nn/model.h"
#include "train/recipe_key.h"

#include <stdio.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20, KEY_BYTES = 96 };

typedef struct {
    const recipe_key *key;
    recipe_value value;
    char entry[48]; /* of a setting "init.resnet50"; "" otherwise */
} assignment;

typedef struct {
    assignment *assignments; /* [capacity], in the order given */
    int count, capacity;
    yaml_document_t *documents; /* [document_capacity]: the file's and each setting's, alive while values are */
    int document_count;
} reading;

const char *recipe_stage_name(int stage)
{
    static const char *const names[RECIPE_STAGES] = {"stage1", "stage2"};
    return names[stage];
}

const recipe_stage *recipe_stage_at(const recipe *r, int stage)
{
    return stage == 0 ? &r->stage1 : &r->stage2;
}

bool recipe_may_go_on(const recipe_stage *stage)
{
    return stage->schedule.name == SCHEDULE_CONSTANT || stage->schedule.t_max > 0;
}

static mien_status assign(reading *in, const recipe_key *key, const recipe_value *v, const char *entry)
{
    if (in->count == in->capacity) {
        int capacity = in->capacity ? 2 * in->capacity : 64;
        TRY(mem_resize_bytes((void **)&in->assignments, sizeof(assignment) * (size_t)in->capacity,
                             sizeof(assignment) * (size_t)capacity));
        in->capacity = capacity;
    }
    assignment *a = &in->assignments[in->count++];
    *a = (assignment){.key = key, .value = *v};
    snprintf(a->entry, sizeof a->entry, "%s", entry);
    return MIEN_OK;
}

/* --- sorting into assignments ------------------------------------------------------------------------------------- */

static mien_status fail_unknown(const recipe_place *place)
{
    char group[KEY_BYTES], allowed[512];
    snprintf(group, sizeof group, "%s", place->key);
    char *dot = strrchr(group, '.');
    const char *name = dot ? dot + 1 : group;
    while (dot && (*dot = '\0', !recipe_key_is_group(group))) /* a.b.c where only a is known: say what a takes */
        dot = strrchr(group, '.');
    recipe_key_nearest(allowed, sizeof allowed, dot ? group : "", name);
    return recipe_fail(place, MIEN_ERR_FORMAT, "unknown key (wanted %s)", allowed);
}

static mien_status collect_mapping(reading *in, const recipe_value *v);

static mien_status collect(reading *in, const recipe_value *v)
{
    const char *name = v->place.key;
    const recipe_key *key = recipe_key_find(name);
    if (key)
        return assign(in, key, v, "");
    if (recipe_key_is_later(name))
        return recipe_fail(&v->place, MIEN_ERR_UNSUPPORTED, "not built yet");
    if (recipe_key_is_group(name))
        return collect_mapping(in, v);
    return fail_unknown(&v->place);
}

static mien_status collect_mapping(reading *in, const recipe_value *v)
{
    if (!recipe_value_is_mapping(v)) {
        char found[64], allowed[512];
        recipe_key_nearest(allowed, sizeof allowed, v->place.key, "");
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted a mapping with any of %s)",
                           recipe_value_found(found, v), allowed);
    }
    for (int i = 0; i < recipe_value_count(v); i++) { /* nests as deep as the groups of the table do */
        const char *name;
        recipe_value entry;
        TRY(recipe_value_entry(&name, &entry, v, i));
        TRY(collect(in, &entry));
    }
    return MIEN_OK;
}

static mien_status collect_text(reading *in, const char *text, size_t length, const recipe_place *at,
                                const recipe_key *entry_key, const char *entry)
{
    recipe_value root;
    TRY(recipe_yaml_parse(&in->documents[in->document_count], &root, text, length, at));
    in->document_count++;
    if (entry_key)
        return assign(in, entry_key, &root, entry);
    return at->key[0] ? collect(in, &root) : collect_mapping(in, &root);
}

static mien_status collect_file(reading *in, const char *name, const char *text, size_t length)
{
    recipe_place at = {.path = name};
    const char *nul = memchr(text, '\0', length);
    if (length == 0)
        return recipe_fail(&at, MIEN_ERR_FORMAT, "empty (wanted at least task: lsd)");
    if (nul)
        return recipe_fail(&at, MIEN_ERR_FORMAT, "byte %zu: not text", (size_t)(nul - text));
    return collect_text(in, text, length, &at, NULL, NULL);
}

static mien_status collect_setting(reading *in, const char *setting)
{
    const char *value = strchr(setting, '=');
    recipe_place at = {0};
    size_t length = value ? (size_t)(value - setting) : strlen(setting);
    if (length == 0 || length >= sizeof at.key)
        return mien_fail(MIEN_ERR_ARG, "--set %.60s: not a setting (wanted KEY.KEY=VALUE)", setting);
    memcpy(at.key, setting, length);
    str_make_line(at.key);
    if (!value || !value[1])
        return recipe_fail(&at, MIEN_ERR_ARG, "no value (wanted KEY.KEY=VALUE)");
    value++;
    const char *dot = strrchr(at.key, '.');
    if (dot && dot[1] && strlen(dot + 1) < sizeof((assignment *)0)->entry) { /* init.resnet50: an entry of a key */
        char parent[KEY_BYTES];
        snprintf(parent, sizeof parent, "%.*s", (int)(dot - at.key), at.key);
        const recipe_key *key = recipe_key_find(parent);
        if (key && key->type->has_entries)
            return collect_text(in, value, strlen(value), &at, key, dot + 1);
    }
    return collect_text(in, value, strlen(value), &at, NULL, NULL);
}

/* --- applying ----------------------------------------------------------------------------------------------------- */

static mien_status apply_default(recipe *r, const recipe_key *key)
{
    yaml_document_t document;
    recipe_value value;
    recipe_place at = {.path = "default"};
    snprintf(at.key, sizeof at.key, "%s", key->name);
    TRY(recipe_yaml_parse(&document, &value, key->fallback, strlen(key->fallback), &at));
    mien_status st = key->type->read(r, key, &value, NULL);
    yaml_document_delete(&document);
    return st;
}

static const recipe_place *place_of(const reading *in, const char *key)
{
    for (int i = in->count - 1; i >= 0; i--)
        if (strcmp(in->assignments[i].key->name, key) == 0)
            return &in->assignments[i].value.place;
    return NULL;
}

static mien_status check_weights(const recipe *r, const reading *in, int stage)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "%s.class_weights", recipe_stage_name(stage));
    const recipe_place *place = place_of(in, key);
    int weights = recipe_stage_at(r, stage)->class_weight_count;
    if (place && weights && weights != r->class_count)
        return recipe_fail(place, MIEN_ERR_FORMAT, "%d weights (wanted %d, one a class)", weights, r->class_count);
    return MIEN_OK;
}

/* Whether every enabled stage has something to begin with. */
static mien_status check_stages(const recipe *r, const reading *in)
{
    const recipe_place *first = place_of(in, "stage1.enabled"), *init = place_of(in, "stage2.init");
    if (first && !r->stage1.enabled && !r->stage2.enabled)
        return recipe_fail(first, MIEN_ERR_FORMAT, "false (wanted true: stage2 is not enabled either)");
    if (!r->stage2.enabled)
        return MIEN_OK;
    if (first && !r->stage1.enabled && r->stage2.init == STAGE_INIT_STAGE1)
        return recipe_fail(first, MIEN_ERR_FORMAT, "false (wanted true, or stage2.init: pretrained)");
    for (int i = 0; init && r->stage2.init == STAGE_INIT_PRETRAINED && i < r->model_count; i++)
        if (!r->init[i][0])
            return recipe_fail(init, MIEN_ERR_FORMAT, "pretrained without init.%s (wanted a file to begin with)",
                               r->models[i]);
    return MIEN_OK;
}

/* What no key can see alone. Called with places, since a default cannot be at fault alone. */
static mien_status check_together(const recipe *r, const reading *in)
{
    for (int s = 0; s < RECIPE_STAGES; s++)
        TRY(check_weights(r, in, s));
    const recipe_place *place = place_of(in, "image_size");
    for (int i = 0; place && i < r->model_count; i++) {
        int smallest = architecture_find(r->models[i])->min_size;
        if (r->image_size && r->image_size < smallest)
            return recipe_fail(place, MIEN_ERR_FORMAT, "%d (wanted 0, or at least %d for %s)", r->image_size, smallest,
                               r->models[i]);
    }
    return check_stages(r, in);
}

static mien_status apply(recipe *r, const reading *in, const char *path)
{
    memset(r, 0, sizeof *r);
    for (int k = 0; recipe_key_at(k); k++) {
        const recipe_key *key = recipe_key_at(k);
        TRY(apply_default(r, key));
        for (int i = 0; i < in->count; i++) {
            const assignment *a = &in->assignments[i];
            if (a->key == key)
                TRY(key->type->read(r, key, &a->value, a->entry[0] ? a->entry : NULL));
        }
    }
    if (path && !place_of(in, "task"))
        return mien_fail(MIEN_ERR_FORMAT, "%s: task: missing (wanted task: lsd)", path);
    return check_together(r, in);
}

mien_status recipe_read(recipe *out, const char *name, const char *text, size_t length, const char *const *settings,
                        int setting_count)
{
    mien_status st = MIEN_OK;
    reading in = {0};
    recipe *r = NULL; /* not on the stack: 20 KB */
    TRY_OUT(mem_alloc(&r, 1));
    TRY_OUT(mem_alloc(&in.documents, setting_count + 1));
    if (text)
        TRY_OUT(collect_file(&in, name, text, length));
    for (int i = 0; i < setting_count; i++)
        TRY_OUT(collect_setting(&in, settings[i]));
    TRY_OUT(apply(r, &in, text ? name : NULL));
    *out = *r;
out:
    for (int i = 0; i < in.document_count; i++)
        yaml_document_delete(&in.documents[i]);
    mem_free(in.documents);
    mem_free(in.assignments);
    mem_free(r);
    return st;
}

mien_status recipe_load(recipe *out, const char *path, const char *const *settings, int setting_count)
{
    char *text = NULL;
    size_t length = 0;
    if (path)
        TRY(file_read(&text, &length, path, MAX_BYTES));
    mien_status st = recipe_read(out, path, text, length, settings, setting_count);
    mem_free(text);
    return st;
}

/* --- printing ----------------------------------------------------------------------------------------------------- */

/* "stage1.optimizer.name" after "stage1.epochs" opens "  optimizer:"; the groups that both share are open already. */
static mien_status print_groups(str *out, const char *previous, const char *name, int *depth)
{
    size_t shared = 0;
    for (size_t i = 0; name[i] && name[i] == previous[i]; i++)
        if (name[i] == '.')
            shared = i + 1;
    *depth = 0;
    const char *begin = name;
    for (const char *dot = strchr(begin, '.'); dot; dot = strchr(begin, '.')) {
        if ((size_t)(dot + 1 - name) > shared)
            TRY(str_printf(out, "%*s%.*s:\n", 2 * *depth, "", (int)(dot - begin), begin));
        ++*depth;
        begin = dot + 1;
    }
    return str_printf(out, "%*s%s: ", 2 * *depth, "", begin);
}

mien_status recipe_print(const recipe *r, str *out)
{
    const char *previous = "";
    for (int k = 0; recipe_key_at(k); k++) {
        const recipe_key *key = recipe_key_at(k);
        int depth;
        TRY(print_groups(out, previous, key->name, &depth));
        TRY(key->type->print(r, key, out));
        TRY(str_append(out, "\n"));
        previous = key->name;
    }
    return MIEN_OK;
}

bool recipe_difference(const recipe *a, const recipe *b, char *dst, size_t bytes)
{
    bool is_different = false;
    for (int k = 0; recipe_key_at(k) && !is_different; k++) {
        const recipe_key *key = recipe_key_at(k);
        str left = {0}, right = {0};
        bool is_printed = key->type->print(a, key, &left) == MIEN_OK && key->type->print(b, key, &right) == MIEN_OK;
        is_different = !is_printed || strcmp(left.text, right.text) != 0;
        if (is_different)
            snprintf(dst, bytes, "%s: %s (wanted %s)", key->name, is_printed ? right.text : "?",
                     is_printed ? left.text : "?");
        str_free(&left);
        str_free(&right);
    }
    return is_different;
}

/* --- reference ---------------------------------------------------------------------------------------------------- */

static const char reference_head[] =
    "# Recipes\n"
    "\n"
    "A recipe is a YAML file that says what to train. `task` is required; every other key has a default, and the\n"
    "defaults are the paper's recipe as far as it is built. `mien train RECIPE.yaml --set stage1.lr=0.001` overrides "
    "a\n"
    "key for one run (values are YAML: `--set 'models=[resnet50]'`, `--set init.resnet50=FILE`; later settings win). "
    "The\n"
    "run folder keeps the recipe as resolved. Unknown keys, wrong types and impossible values are refused with their\n"
    "line, as are anchors, aliases and tags. This page is written from the table in `src/train/recipe_key.c`.\n"
    "\n"
    "```yaml\n"
    "task: lsd\n"
    "models: [efficientnet_b0]\n"
    "image_size: 112\n"
    "augment:\n"
    "  flip: true\n"
    "stage1:\n"
    "  epochs: 30\n"
    "  lr: 0.001\n"
    "  schedule: {name: cosine, warmup: 200}\n"
    "```\n";

static mien_status reference_row(str *out, const recipe_key *key)
{
    char wanted[256];
    recipe_key_wanted(wanted, sizeof wanted, key);
    TRY(str_printf(out, "| `%s` | %s | `%s` | %s", key->name, wanted, key->fallback, key->help));
    for (int i = 0; key->later_words && key->later_words[i]; i++)
        TRY(str_printf(out, "%s`%s`", i ? ", " : " Not built yet: ", key->later_words[i]));
    return str_append(out, key->later_words ? ". |\n" : " |\n");
}

mien_status recipe_reference(str *out)
{
    char section[KEY_BYTES] = "?";
    TRY(str_append(out, reference_head));
    for (int k = 0; recipe_key_at(k); k++) {
        const recipe_key *key = recipe_key_at(k);
        const char *dot = strchr(key->name, '.');
        size_t length = dot ? (size_t)(dot - key->name) : 0;
        if (strlen(section) != length || strncmp(section, key->name, length) != 0) {
            snprintf(section, sizeof section, "%.*s", (int)length, key->name);
            TRY(str_printf(out, "\n## %s\n| key | takes | default | meaning |\n|---|---|---|---|\n",
                           length ? section : "Top level"));
        }
        TRY(reference_row(out, key));
    }
    return str_append(out, "\nKnown to the design and refused until they are built: `mtl`.\n");
}
