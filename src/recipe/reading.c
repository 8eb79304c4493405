/* Documents stay alive while values of them are: a value is a node of its document. */
#include "recipe/reading.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 96 };

/* A value given for a key, or for one entry of it. */
typedef struct {
    const recipe_entry *to;
    recipe_value value;
    char entry[48]; /* of a setting "init.resnet50"; "" otherwise */
} assignment;

/* A parsed file or setting: its root stands for the key that its place names, "" = the whole recipe. */
typedef struct {
    yaml_document_t document;
    recipe_value root;
} source;

struct recipe_reading {
    source *sources; /* [source_count], the file's and each setting's */
    int source_count;
    assignment *assignments; /* [capacity], in the order given */
    int count, capacity;
};

/* --- parsing ------------------------------------------------------------------------------------------------------ */

static mien_status parse(recipe_reading *in, const char *text, size_t length, const recipe_place *at)
{
    source *s = &in->sources[in->source_count];
    TRY(recipe_yaml_parse(&s->document, &s->root, text, length, at));
    in->source_count++;
    return MIEN_OK;
}

static mien_status parse_file(recipe_reading *in, const char *name, const char *text, size_t length)
{
    recipe_place at = {.path = name};
    const char *nul = memchr(text, '\0', length);
    if (nul)
        return recipe_fail(&at, MIEN_ERR_FORMAT, "byte %zu: not text", (size_t)(nul - text));
    return parse(in, text, length, &at);
}

static mien_status parse_setting(recipe_reading *in, const char *setting)
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
    return parse(in, value, strlen(value), &at);
}

mien_status recipe_reading_open(recipe_reading **out, const char *name, const char *text, size_t length,
                                const char *const *settings, int setting_count)
{
    mien_status st;
    recipe_reading *in = NULL;
    TRY(mem_zalloc(&in, 1));
    TRY_OUT(mem_alloc(&in->sources, setting_count + 1));
    if (text)
        TRY_OUT(parse_file(in, name, text, length));
    for (int i = 0; i < setting_count; i++)
        TRY_OUT(parse_setting(in, settings[i]));
    *out = in;
    in = NULL;
out:
    recipe_reading_close(in);
    return st;
}

void recipe_reading_close(recipe_reading *in)
{
    if (!in)
        return;
    for (int i = 0; i < in->source_count; i++)
        yaml_document_delete(&in->sources[i].document);
    mem_free(in->sources);
    mem_free(in->assignments);
    mem_free(in);
}

const char *recipe_reading_text(const recipe_reading *in, const char *key)
{
    const char *found = NULL;
    for (int i = 0; i < in->source_count; i++) {
        const recipe_value *root = &in->sources[i].root;
        recipe_value value;
        if (strcmp(root->place.key, key) == 0)
            found = recipe_value_text(root);
        else if (!root->place.key[0] && recipe_value_find(&value, root, key))
            found = recipe_value_text(&value);
    }
    return found;
}

/* --- sorting into assignments ------------------------------------------------------------------------------------- */

static mien_status assign(recipe_reading *in, const recipe_entry *to, const recipe_value *v, const char *entry)
{
    if (in->count == in->capacity) {
        int capacity = in->capacity ? 2 * in->capacity : 64;
        TRY(mem_resize_bytes((void **)&in->assignments, sizeof(assignment) * (size_t)in->capacity,
                             sizeof(assignment) * (size_t)capacity));
        in->capacity = capacity;
    }
    assignment *a = &in->assignments[in->count++];
    *a = (assignment){.to = to, .value = *v};
    snprintf(a->entry, sizeof a->entry, "%s", entry);
    return MIEN_OK;
}

static mien_status fail_unknown(const recipe_table *t, const recipe_place *place)
{
    char group[KEY_BYTES], allowed[512];
    snprintf(group, sizeof group, "%s", place->key);
    char *dot = strrchr(group, '.');
    const char *name = dot ? dot + 1 : group;
    while (dot && (*dot = '\0', !recipe_table_is_group(t, group))) /* a.b.c where only a is known: say what a takes */
        dot = strrchr(group, '.');
    recipe_table_nearest(t, allowed, sizeof allowed, dot ? group : "", name);
    return recipe_fail(place, MIEN_ERR_FORMAT, "unknown key (wanted %s)", allowed);
}

static mien_status collect_mapping(recipe_reading *in, const recipe_table *t, const recipe_value *v);

static mien_status collect(recipe_reading *in, const recipe_table *t, const recipe_value *v)
{
    const char *name = v->place.key;
    const recipe_entry *to = recipe_table_find(t, name);
    if (to)
        return assign(in, to, v, "");
    if (recipe_table_is_later(t, name))
        return recipe_fail(&v->place, MIEN_ERR_UNSUPPORTED, "not built yet");
    if (recipe_table_is_group(t, name))
        return collect_mapping(in, t, v);
    return fail_unknown(t, &v->place);
}

static mien_status collect_mapping(recipe_reading *in, const recipe_table *t, const recipe_value *v)
{
    if (!recipe_value_is_mapping(v)) {
        char found[64], allowed[512];
        recipe_table_nearest(t, allowed, sizeof allowed, v->place.key, "");
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted a mapping with any of %s)",
                           recipe_value_found(found, v), allowed);
    }
    for (int i = 0; i < recipe_value_count(v); i++) { /* nests as deep as the groups of the table do */
        const char *name;
        recipe_value entry;
        TRY(recipe_value_entry(&name, &entry, v, i));
        TRY(collect(in, t, &entry));
    }
    return MIEN_OK;
}

static mien_status collect_source(recipe_reading *in, const recipe_table *t, const recipe_value *root)
{
    const char *key = root->place.key, *dot = strrchr(key, '.');
    if (!key[0])
        return collect_mapping(in, t, root);
    if (dot && dot[1] && strlen(dot + 1) < sizeof((assignment *)0)->entry) { /* init.resnet50: an entry of a key */
        char parent[KEY_BYTES];
        snprintf(parent, sizeof parent, "%.*s", (int)(dot - key), key);
        const recipe_entry *to = recipe_table_find(t, parent);
        if (to && to->key->type->has_entries)
            return assign(in, to, root, dot + 1);
    }
    return collect(in, t, root);
}

/* --- applying ----------------------------------------------------------------------------------------------------- */

static mien_status apply_default(const recipe_table *t, const recipe_entry *e)
{
    yaml_document_t document;
    recipe_value value;
    recipe_place at = {.path = "default"};
    snprintf(at.key, sizeof at.key, "%s", e->name);
    TRY(recipe_yaml_parse(&document, &value, e->key->fallback, strlen(e->key->fallback), &at));
    mien_status st = e->key->type->read(e->field, e->key, &value, NULL, t->texts);
    yaml_document_delete(&document);
    return st;
}

mien_status recipe_reading_apply(recipe_reading *in, const recipe_table *t)
{
    for (int i = 0; i < in->source_count; i++)
        TRY(collect_source(in, t, &in->sources[i].root));
    for (int k = 0; k < t->count; k++) {
        const recipe_entry *e = &t->entries[k];
        TRY(apply_default(t, e));
        for (int i = 0; i < in->count; i++) {
            const assignment *a = &in->assignments[i];
            if (a->to == e)
                TRY(e->key->type->read(e->field, e->key, &a->value, a->entry[0] ? a->entry : NULL, t->texts));
        }
    }
    return MIEN_OK;
}

const recipe_place *recipe_reading_place(const recipe_reading *in, const char *name)
{
    for (int i = in->count - 1; i >= 0; i--)
        if (strcmp(in->assignments[i].to->name, name) == 0)
            return &in->assignments[i].value.place;
    return NULL;
}
