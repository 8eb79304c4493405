/* Reading and printing the values of keys that fill more than one field of a recipe: theirs is the whole of it. */
#include "train/recipe_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static mien_status models_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                               arena *texts)
{
    (void)entry, (void)texts;
    recipe *r = field;
    int count = recipe_value_count(v);
    if (!recipe_value_is_list(v) || count < 1 || count > RECIPE_MAX_MODELS)
        return recipe_fail_wanted(key, field, v);
    for (int i = 0; i < count; i++) {
        recipe_value name = recipe_value_at(v, i);
        const char *text = recipe_value_text(&name);
        const architecture *arch = text ? architecture_find(text) : NULL;
        if (!arch) {
            char found[64], known[256];
            architecture_names(known, sizeof known);
            return recipe_fail(&name.place, MIEN_ERR_FORMAT, "unknown architecture %s (wanted %s)",
                               recipe_value_found(found, &name), known);
        }
        snprintf(r->models[i], sizeof r->models[i], "%s", arch->name);
    }
    r->model_count = count;
    return MIEN_OK;
}
static mien_status models_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    const recipe *r = field;
    for (int i = 0; i < r->model_count; i++)
        TRY(str_printf(out, "%s%s", i ? ", " : "[", r->models[i]));
    return str_append(out, "]");
}
static void models_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "a list of 1 to 16 architectures");
}
const recipe_key_type recipe_type_models = {
    .name = "list of architectures", .read = models_read, .print = models_print, .wanted = models_wanted};

/* --- mappings ----------------------------------------------------------------------------------------------------- */

/* The file that every member of this architecture starts from. The list of models has been read before: keys are
 * applied in the table's order. */
static mien_status set_init(recipe *r, const char *arch, const recipe_value *v)
{
    const char *text = recipe_value_text(v);
    char found[64];
    if (!text || !*text || strlen(text) >= sizeof r->init[0])
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted the name of a file of weights)",
                           recipe_value_found(found, v));
    bool is_used = false;
    for (int i = 0; i < r->model_count; i++)
        if (strcmp(r->models[i], arch) == 0) {
            snprintf(r->init[i], sizeof r->init[i], "%s", text);
            is_used = true;
        }
    if (is_used)
        return MIEN_OK;
    char models[512];
    const char *names[RECIPE_MAX_MODELS];
    for (int i = 0; i < r->model_count; i++)
        names[i] = r->models[i];
    str_join_words(models, sizeof models, names, r->model_count);
    return recipe_fail(&v->place, MIEN_ERR_FORMAT, "no such model in this recipe (wanted %s)", models);
}

static mien_status init_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry, arena *texts)
{
    (void)entry, (void)texts;
    recipe *r = field;
    if (entry)
        return set_init(r, entry, v);
    if (!recipe_value_is_mapping(v))
        return recipe_fail_wanted(key, field, v);
    memset(r->init, 0, sizeof r->init);
    for (int i = 0; i < recipe_value_count(v); i++) {
        const char *arch;
        recipe_value file;
        TRY(recipe_value_entry(&arch, &file, v, i));
        TRY(set_init(r, arch, &file));
    }
    return MIEN_OK;
}

static bool is_repeated(const recipe *r, int position)
{
    for (int i = 0; i < position; i++)
        if (strcmp(r->models[i], r->models[position]) == 0)
            return true;
    return false;
}

/* In single quotes, in which but one character must be doubled. */
static mien_status print_quoted(str *out, const char *text)
{
    TRY(str_append(out, "'"));
    for (const char *c = text; *c; c++) {
        TRY(str_append(out, *c == '\'' ? "'" : ""));
        TRY(str_append_bytes(out, c, 1));
    }
    return str_append(out, "'");
}

static mien_status init_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    const recipe *r = field;
    const char *separator = "";
    TRY(str_append(out, "{"));
    for (int i = 0; i < r->model_count; i++) {
        if (!r->init[i][0] || is_repeated(r, i))
            continue;
        TRY(str_printf(out, "%s%s: ", separator, r->models[i]));
        TRY(print_quoted(out, r->init[i]));
        separator = ", ";
    }
    return str_append(out, "}");
}
static void init_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "a mapping, architecture: file");
}
const recipe_key_type recipe_type_init = {.name = "mapping of architecture to file",
                                          .read = init_read,
                                          .print = init_print,
                                          .wanted = init_wanted,
                                          .has_entries = true};

static mien_status read_path(const char **out, const recipe_value *v, arena *texts)
{
    const char *text = recipe_value_text(v);
    char found[64], *copy = NULL;
    if (!text || !*text)
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted a path)", recipe_value_found(found, v));
    TRY(arena_strdup(texts, &copy, text));
    *out = copy;
    return MIEN_OK;
}

static const char *const set_words[] = {"data", "images", "fallback", NULL};

static mien_status read_set(task_source *out, const recipe_value *v, arena *texts)
{
    const char **const fields[] = {&out->path, &out->images, &out->fallback}; /* in the order of set_words */
    *out = (task_source){0};
    if (!recipe_value_is_mapping(v))
        return read_path(&out->path, v, texts);
    for (int i = 0; i < recipe_value_count(v); i++) {
        const char *name;
        recipe_value path;
        TRY(recipe_value_entry(&name, &path, v, i));
        int field = recipe_word_index(set_words, name);
        if (field < 0)
            return recipe_fail(&path.place, MIEN_ERR_FORMAT, "unknown key (wanted data, images or fallback)");
        TRY(read_path(fields[field], &path, texts));
    }
    return out->path ? MIEN_OK : recipe_fail(&v->place, MIEN_ERR_FORMAT, "a set without data (wanted {data: PATH})");
}

static mien_status sets_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry, arena *texts)
{
    (void)entry;
    recipe *r = field;
    task_source *sets;
    int count = recipe_value_count(v);
    if (!recipe_value_is_list(v))
        return recipe_fail_wanted(key, field, v);
    TRY(arena_alloc(texts, &sets, count ? count : 1));
    for (int i = 0; i < count; i++) {
        const recipe_value set = recipe_value_at(v, i);
        TRY(read_set(&sets[i], &set, texts));
    }
    r->data.sets = (source_list){sets, count};
    return MIEN_OK;
}
static mien_status sets_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    const source_list *sets = &((const recipe *)field)->data.sets;
    TRY(str_append(out, "["));
    for (int i = 0; i < sets->count; i++) {
        const task_source *s = &sets->at[i];
        const char *const values[] = {s->path, s->images, s->fallback};
        TRY(str_append(out, i ? ", {" : "{"));
        for (int w = 0; set_words[w]; w++) {
            if (!values[w])
                continue;
            TRY(str_printf(out, "%s%s: ", w ? ", " : "", set_words[w]));
            TRY(print_quoted(out, values[w]));
        }
        TRY(str_append(out, "}"));
    }
    return str_append(out, "]");
}
static void sets_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "a list of paths or {data, images, fallback}");
}
const recipe_key_type recipe_type_sets = {
    .name = "list of sets", .read = sets_read, .print = sets_print, .wanted = sets_wanted};

static mien_status read_triple(float dst[3], const recipe_value *v, bool is_above_zero)
{
    char found[64];
    if (!recipe_value_is_list(v) || recipe_value_count(v) != 3)
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted [r, g, b])", recipe_value_found(found, v));
    for (int i = 0; i < 3; i++) {
        recipe_value channel = recipe_value_at(v, i);
        float x;
        if (!recipe_text_to_float(&x, recipe_plain_text(&channel)) || fabsf(x) > 100 || (is_above_zero && x <= 0))
            return recipe_fail(&channel.place, MIEN_ERR_FORMAT, "%s (wanted a number %s)",
                               recipe_value_found(found, &channel),
                               is_above_zero ? "above 0, pixels being 0 to 1" : "that fits pixels of 0 to 1");
        dst[i] = x;
    }
    return MIEN_OK;
}

static const char *const normalise_words[] = {"dataset", "init", NULL};

static mien_status normalise_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                                  arena *texts)
{
    (void)entry, (void)texts;
    recipe *r = field;
    int word = recipe_word_index(normalise_words, recipe_value_text(v));
    if (word >= 0) {
        r->data.normalise = (normalise_kind)word;
        return MIEN_OK;
    }
    if (!recipe_value_is_mapping(v))
        return recipe_fail_wanted(key, field, v);
    bool has_mean = false, has_std = false;
    for (int i = 0; i < recipe_value_count(v); i++) {
        const char *name;
        recipe_value triple;
        TRY(recipe_value_entry(&name, &triple, v, i));
        if (strcmp(name, "mean") == 0)
            has_mean = true;
        else if (strcmp(name, "std") == 0)
            has_std = true;
        else
            return recipe_fail(&triple.place, MIEN_ERR_FORMAT, "unknown key (wanted mean and std)");
        TRY(read_triple(*name == 'm' ? r->data.mean : r->data.std, &triple, *name == 's'));
    }
    if (!has_mean || !has_std)
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "no %s (wanted mean and std)", has_mean ? "std" : "mean");
    r->data.normalise = NORMALISE_GIVEN;
    return MIEN_OK;
}
static mien_status normalise_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    const recipe *r = field;
    if (r->data.normalise != NORMALISE_GIVEN)
        return str_append(out, normalise_words[r->data.normalise]);
    TRY(str_append(out, "{mean: "));
    TRY(recipe_print_floats(out, r->data.mean, 3));
    TRY(str_append(out, ", std: "));
    TRY(recipe_print_floats(out, r->data.std, 3));
    return str_append(out, "}");
}
static void normalise_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "dataset, init or {mean: [r, g, b], std: [r, g, b]}");
}
const recipe_key_type recipe_type_normalise = {
    .name = "word or mapping", .read = normalise_read, .print = normalise_print, .wanted = normalise_wanted};
