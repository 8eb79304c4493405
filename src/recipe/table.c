/* Entries stand in the order in which they are printed, which a recipe's text, and so its hash, depends on: a row that
 * belongs between others says behind which. */
#include "recipe/key.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum { NAME_LENGTH = 47 }; /* of a key's part, as far as messages compare it */

/* --- building ----------------------------------------------------------------------------------------------------- */

static int index_of(const recipe_table *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->entries[i].name, name) == 0)
            return i;
    return -1;
}

static mien_status insert(recipe_table *t, int at, const recipe_entry *entry)
{
    if (t->count == t->capacity) {
        int capacity = t->capacity ? 2 * t->capacity : 128;
        TRY(mem_resize_bytes((void **)&t->entries, sizeof(recipe_entry) * (size_t)t->capacity,
                             sizeof(recipe_entry) * (size_t)capacity));
        t->capacity = capacity;
    }
    memmove(t->entries + at + 1, t->entries + at, sizeof(recipe_entry) * (size_t)(t->count - at));
    t->entries[at] = *entry;
    t->count++;
    return MIEN_OK;
}

mien_status recipe_table_add(recipe_table *t, const char *prefix, const recipe_key *keys, int count, void *base)
{
    int at = t->count;
    for (int i = 0; i < count; i++) {
        const recipe_key *key = &keys[i];
        char *name = NULL, after[96];
        TRY(arena_printf(t->texts, &name, "%s%s", prefix, key->name));
        if (key->after) {
            snprintf(after, sizeof after, "%s%s", prefix, key->after);
            at = index_of(t, after) + 1;
        }
        TRY(insert(t, at++, &(recipe_entry){name, key, (char *)base + key->offset}));
    }
    return MIEN_OK;
}

mien_status recipe_table_set_default(recipe_table *t, const char *name, const char *fallback)
{
    recipe_key *copy = NULL;
    int at = index_of(t, name);
    if (at < 0)
        return mien_fail(MIEN_ERR_INTERNAL, "%s: a default of no key", name);
    TRY(arena_alloc(t->texts, &copy, 1));
    *copy = *t->entries[at].key;
    copy->fallback = fallback;
    t->entries[at].key = copy;
    return MIEN_OK;
}

void recipe_table_free(recipe_table *t)
{
    mem_free(t->entries);
    *t = (recipe_table){0};
}

/* --- finding ------------------------------------------------------------------------------------------------------ */

const recipe_entry *recipe_table_find(const recipe_table *t, const char *name)
{
    int i = index_of(t, name);
    return i < 0 ? NULL : &t->entries[i];
}

/* "stage1" begins "stage1.lr", and "mtl" itself, but not "stage10". */
static bool begins(const char *group, const char *name, bool or_equals)
{
    size_t length = strlen(group);
    return strncmp(group, name, length) == 0 && (name[length] == '.' || (or_equals && name[length] == '\0'));
}

bool recipe_table_is_group(const recipe_table *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (begins(name, t->entries[i].name, false))
            return true;
    return false;
}

bool recipe_table_is_later(const recipe_table *t, const char *name)
{
    for (int i = 0; t->later && t->later[i]; i++)
        if (begins(t->later[i], name, true))
            return true;
    return false;
}

/* --- for messages ------------------------------------------------------------------------------------------------- */

/* Letters to insert, delete or change (Levenshtein); only the first 47 of each count. */
static int edit_distance(const char *a, const char *b)
{
    int row[NAME_LENGTH + 1], b_length = (int)strnlen(b, NAME_LENGTH);
    for (int j = 0; j <= b_length; j++)
        row[j] = j;
    for (int i = 1; i <= NAME_LENGTH && a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int shorter = row[j - 1] < row[j] ? row[j - 1] : row[j];
            row[j] = shorter + 1 < replaced ? shorter + 1 : replaced;
        }
    }
    return row[b_length];
}

enum { SIBLING_MAX = 64 };

/* Names directly under group, each once: "stage1" for all of stage1's keys. Returns how many. */
static int siblings(char names[SIBLING_MAX][NAME_LENGTH + 1], const recipe_table *t, const char *group)
{
    int count = 0;
    size_t skip = *group ? strlen(group) + 1 : 0;
    for (int i = 0; i < t->count && count < SIBLING_MAX; i++) {
        if (*group && !begins(group, t->entries[i].name, false))
            continue;
        int length = (int)strcspn(t->entries[i].name + skip, ".");
        snprintf(names[count], sizeof names[count], "%.*s", length, t->entries[i].name + skip);
        if (count == 0 || strcmp(names[count - 1], names[count]) != 0) /* groups are contiguous */
            count++;
    }
    return count;
}

void recipe_table_nearest(const recipe_table *t, char *dst, size_t bytes, const char *group, const char *name)
{
    char names[SIBLING_MAX][NAME_LENGTH + 1];
    const char *sorted[SIBLING_MAX];
    int distance[SIBLING_MAX], count = siblings(names, t, group);
    for (int i = 0; i < count; i++) {
        int d = edit_distance(name, names[i]), at = i;
        for (; at > 0 && distance[at - 1] > d; at--) {
            distance[at] = distance[at - 1];
            sorted[at] = sorted[at - 1];
        }
        distance[at] = d;
        sorted[at] = names[i];
    }
    str_join_words(dst, bytes, sorted, count);
}

static void wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    int count = 0;
    if (key->type->wanted) {
        key->type->wanted(dst, bytes, key, field);
        return;
    }
    while (key->words[count])
        count++;
    str_join_words(dst, bytes, key->words, count);
}

void recipe_entry_wanted(char *dst, size_t bytes, const recipe_entry *e)
{
    wanted(dst, bytes, e->key, e->field);
}

mien_status recipe_fail_wanted(const recipe_key *key, const void *field, const recipe_value *v)
{
    char found[64], text[256];
    wanted(text, sizeof text, key, field);
    return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted %s)", recipe_value_found(found, v), text);
}

mien_status recipe_fail_later(const recipe_key *key, const void *field, const recipe_value *v)
{
    char text[256];
    wanted(text, sizeof text, key, field);
    return recipe_fail(&v->place, MIEN_ERR_UNSUPPORTED, "%s is not built yet (wanted %s)", recipe_value_text(v), text);
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

mien_status recipe_table_print(const recipe_table *t, str *out)
{
    const char *previous = "";
    for (int i = 0; i < t->count; i++) {
        const recipe_entry *e = &t->entries[i];
        int depth;
        TRY(print_groups(out, previous, e->name, &depth));
        TRY(e->key->type->print(e->field, e->key, out));
        TRY(str_append(out, "\n"));
        previous = e->name;
    }
    return MIEN_OK;
}

bool recipe_table_difference(const recipe_table *a, const recipe_table *b, char *dst, size_t bytes)
{
    bool is_different = false;
    for (int i = 0; i < a->count && !is_different; i++) {
        const recipe_entry *e = &a->entries[i];
        str left = {0}, right = {0};
        bool is_printed = e->key->type->print(e->field, e->key, &left) == MIEN_OK &&
                          e->key->type->print(b->entries[i].field, e->key, &right) == MIEN_OK;
        is_different = !is_printed || strcmp(left.text, right.text) != 0;
        if (is_different)
            snprintf(dst, bytes, "%s: %s (wanted %s)", e->name, is_printed ? right.text : "?",
                     is_printed ? left.text : "?");
        str_free(&left);
        str_free(&right);
    }
    return is_different;
}

/* --- the reference ------------------------------------------------------------------------------------------------ */

static mien_status reference_row(str *out, const recipe_entry *e)
{
    const recipe_key *key = e->key;
    char text[256];
    recipe_entry_wanted(text, sizeof text, e);
    TRY(str_printf(out, "| `%s` | %s | `%s` | %s", e->name, text, key->fallback, key->help));
    for (int i = 0; key->later_words && key->later_words[i]; i++)
        TRY(str_printf(out, "%s`%s`", i ? ", " : " Not built yet: ", key->later_words[i]));
    return str_append(out, key->later_words ? ". |\n" : " |\n");
}

/* Does a table that has been told already say the same of the key? */
static bool is_told(const recipe_table *known, const recipe_entry *e)
{
    const recipe_entry *k = known ? recipe_table_find(known, e->name) : NULL;
    return k && strcmp(k->key->fallback, e->key->fallback) == 0 && strcmp(k->key->help, e->key->help) == 0;
}

mien_status recipe_table_reference(const recipe_table *t, const recipe_table *known, str *out)
{
    char section[96] = "?";
    for (int i = 0; i < t->count; i++) {
        const recipe_entry *e = &t->entries[i];
        if (is_told(known, e))
            continue;
        const char *dot = strchr(e->name, '.');
        size_t length = dot ? (size_t)(dot - e->name) : 0;
        if (strlen(section) != length || strncmp(section, e->name, length) != 0) {
            snprintf(section, sizeof section, "%.*s", (int)length, e->name);
            TRY(str_printf(out, "\n## %s\n| key | takes | default | meaning |\n|---|---|---|---|\n",
                           length ? section : "Top level"));
        }
        TRY(reference_row(out, e));
    }
    return MIEN_OK;
}
