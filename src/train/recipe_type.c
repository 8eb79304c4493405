/* Reading and printing the values that recipe keys take. */
#include "nn/model.h"
#include "train/recipe_key.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *field_of(recipe *r, const recipe_key *key)
{
    return (char *)r + key->offset;
}
static const void *const_field_of(const recipe *r, const recipe_key *key)
{
    return (const char *)r + key->offset;
}

static mien_status fail_wanted(const recipe_key *key, const recipe_value *v)
{
    char found[64], wanted[256];
    recipe_key_wanted(wanted, sizeof wanted, key);
    return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted %s)", recipe_value_found(found, v), wanted);
}

/* Text of a scalar that no quotes have made a string of; NULL otherwise. */
static const char *plain_text(const recipe_value *v)
{
    return recipe_value_is_quoted(v) ? NULL : recipe_value_text(v);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static bool is_within(double x, const recipe_range *range)
{
    return isfinite(x) && (range->is_low_open ? x > range->low : x >= range->low) &&
           (range->is_high_open ? x < range->high : x <= range->high);
}

static bool is_whole(const recipe_key *key)
{
    return key->type == &recipe_type_int || key->type == &recipe_type_int64;
}

static void range_text(char *dst, size_t bytes, const recipe_key *key)
{
    const recipe_range *range = &key->range;
    const char *what = is_whole(key) ? "an integer" : "a number";
    if (isinf(range->high))
        snprintf(dst, bytes, "%s %s %g", what, range->is_low_open ? "above" : "of at least", range->low);
    else
        snprintf(dst, bytes, "%s from %.10g to %s%.10g", what, range->low, range->is_high_open ? "below " : "",
                 range->high);
}

/* The shortest decimal that reads back as x; `digits`: enough for its type. A comma of the locale becomes a point. */
static mien_status print_number(str *out, double x, bool is_single)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        for (char *c = text; *c; c++)
            if (*c == ',')
                *c = '.';
        double back;
        if (str_to_double(&back, text) && (is_single ? (float)back == (float)x : back == x))
            break;
    }
    return str_append(out, text);
}

static mien_status read_whole(int64_t *out, const recipe_key *key, const recipe_value *v)
{
    const char *text = plain_text(v);
    if (!text || !str_to_int64(out, text) || !is_within((double)*out, &key->range))
        return fail_wanted(key, v);
    return MIEN_OK;
}

static mien_status int_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    int64_t x;
    TRY(read_whole(&x, key, v));
    *(int *)field_of(r, key) = (int)x; /* the key's range is narrower than int */
    return MIEN_OK;
}
static mien_status int_print(const recipe *r, const recipe_key *key, str *out)
{
    return str_printf(out, "%d", *(const int *)const_field_of(r, key));
}
const recipe_key_type recipe_type_int = {.name = "integer", .read = int_read, .print = int_print};

static mien_status int64_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    int64_t x;
    TRY(read_whole(&x, key, v));
    memcpy(field_of(r, key), &x, sizeof x); /* the seed's field is unsigned; its range begins at 0 */
    return MIEN_OK;
}
static mien_status int64_print(const recipe *r, const recipe_key *key, str *out)
{
    int64_t x;
    memcpy(&x, const_field_of(r, key), sizeof x);
    return str_printf(out, "%lld", (long long)x);
}
const recipe_key_type recipe_type_int64 = {.name = "integer", .read = int64_read, .print = int64_print};

static mien_status double_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    double x;
    const char *text = plain_text(v);
    if (!text || !str_to_double(&x, text) || !is_within(x, &key->range))
        return fail_wanted(key, v);
    *(double *)field_of(r, key) = x;
    return MIEN_OK;
}
static mien_status double_print(const recipe *r, const recipe_key *key, str *out)
{
    return print_number(out, *(const double *)const_field_of(r, key), false);
}
const recipe_key_type recipe_type_double = {.name = "number", .read = double_read, .print = double_print};

/* The range is held against the value as rounded to float: 1e-60 is 0 there, and 1e60 infinite. */
static bool text_to_float(float *out, const char *text)
{
    double x;
    if (!text || !str_to_double(&x, text) || !isfinite((float)x))
        return false;
    *out = (float)x;
    return true;
}

static mien_status float_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    float x;
    if (!text_to_float(&x, plain_text(v)) || !is_within((double)x, &key->range))
        return fail_wanted(key, v);
    *(float *)field_of(r, key) = x;
    return MIEN_OK;
}
static mien_status float_print(const recipe *r, const recipe_key *key, str *out)
{
    return print_number(out, (double)*(const float *)const_field_of(r, key), true);
}
const recipe_key_type recipe_type_float = {.name = "number", .read = float_read, .print = float_print};

static mien_status bool_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    const char *text = plain_text(v);
    bool is_true = text && strcmp(text, "true") == 0;
    if (!is_true && !(text && strcmp(text, "false") == 0))
        return fail_wanted(key, v);
    *(bool *)field_of(r, key) = is_true;
    return MIEN_OK;
}
static mien_status bool_print(const recipe *r, const recipe_key *key, str *out)
{
    return str_append(out, *(const bool *)const_field_of(r, key) ? "true" : "false");
}
const recipe_key_type recipe_type_bool = {.name = "boolean", .read = bool_read, .print = bool_print};

/* --- words -------------------------------------------------------------------------------------------------------- */

static int word_index(const char *const *words, const char *text)
{
    for (int i = 0; text && words && words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    return -1;
}

static mien_status read_word(int *out, const recipe_key *key, const recipe_value *v)
{
    const char *text = recipe_value_text(v);
    *out = word_index(key->words, text);
    if (*out >= 0)
        return MIEN_OK;
    char wanted[256];
    recipe_key_wanted(wanted, sizeof wanted, key);
    if (word_index(key->later_words, text) >= 0)
        return recipe_fail(&v->place, MIEN_ERR_UNSUPPORTED, "%s is not built yet (wanted %s)", text, wanted);
    return fail_wanted(key, v);
}

static mien_status word_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    int index;
    TRY(read_word(&index, key, v));
    memcpy(field_of(r, key), &index, sizeof index); /* enums are ints here */
    return MIEN_OK;
}
static mien_status word_print(const recipe *r, const recipe_key *key, str *out)
{
    int index;
    memcpy(&index, const_field_of(r, key), sizeof index);
    return str_append(out, key->words[index]);
}
const recipe_key_type recipe_type_word = {.name = "word", .read = word_read, .print = word_print};
_Static_assert(sizeof(optimizer_kind) == sizeof(int) && sizeof(select_kind) == sizeof(int), "words are read as ints");

static mien_status task_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    int index;
    TRY(read_word(&index, key, v));
    snprintf(r->task, sizeof r->task, "%s", key->words[index]);
    return MIEN_OK;
}
static mien_status task_print(const recipe *r, const recipe_key *key, str *out)
{
    (void)key;
    return str_append(out, r->task);
}
const recipe_key_type recipe_type_task = {.name = "word", .read = task_read, .print = task_print};

/* --- lists -------------------------------------------------------------------------------------------------------- */

/* Of letters that need no quotes in YAML, in a path or in a CSV header. */
static bool is_class_name(const char *text)
{
    return text && *text && strlen(text) < sizeof((recipe *)0)->classes[0] &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0' && *text != '-';
}

static mien_status classes_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    int count = recipe_value_count(v);
    if (!recipe_value_is_list(v) || count < 2 || count > RECIPE_MAX_CLASSES)
        return fail_wanted(key, v);
    for (int c = 0; c < count; c++) {
        recipe_value name = recipe_value_at(v, c);
        const char *text = recipe_value_text(&name);
        char found[64];
        if (!is_class_name(text))
            return recipe_fail(&name.place, MIEN_ERR_FORMAT,
                               "class %s (wanted up to 31 lower-case letters, digits, _ and -)",
                               recipe_value_found(found, &name));
        for (int i = 0; i < c; i++)
            if (strcmp(r->classes[i], text) == 0)
                return recipe_fail(&name.place, MIEN_ERR_FORMAT, "class %s twice", text);
        snprintf(r->classes[c], sizeof r->classes[c], "%s", text);
    }
    r->class_count = count;
    return MIEN_OK;
}
static mien_status classes_print(const recipe *r, const recipe_key *key, str *out)
{
    (void)key;
    for (int c = 0; c < r->class_count; c++)
        TRY(str_printf(out, "%s%s", c ? ", " : "[", r->classes[c]));
    return str_append(out, "]");
}
const recipe_key_type recipe_type_classes = {.name = "list of names", .read = classes_read, .print = classes_print};

static mien_status models_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    int count = recipe_value_count(v);
    if (!recipe_value_is_list(v) || count < 1 || count > RECIPE_MAX_MODELS)
        return fail_wanted(key, v);
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
static mien_status models_print(const recipe *r, const recipe_key *key, str *out)
{
    (void)key;
    for (int i = 0; i < r->model_count; i++)
        TRY(str_printf(out, "%s%s", i ? ", " : "[", r->models[i]));
    return str_append(out, "]");
}
const recipe_key_type recipe_type_models = {
    .name = "list of architectures", .read = models_read, .print = models_print};

static mien_status weights_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    recipe_stage *stage = field_of(r, key);
    int count = recipe_value_count(v);
    if (!recipe_value_is_list(v) || count > RECIPE_MAX_CLASSES)
        return fail_wanted(key, v);
    float sum = 0;
    for (int i = 0; i < count; i++) {
        recipe_value weight = recipe_value_at(v, i);
        float x;
        char found[64];
        if (!text_to_float(&x, plain_text(&weight)) || x < 0)
            return recipe_fail(&weight.place, MIEN_ERR_FORMAT, "weight %s (wanted a number of at least 0)",
                               recipe_value_found(found, &weight));
        stage->class_weights[i] = x;
        sum += x;
    }
    if (count > 0 && !(sum > 0 && isfinite(sum)))
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "weights sum to %g (wanted a finite sum above 0)", (double)sum);
    stage->class_weight_count = count;
    return MIEN_OK;
}

static mien_status print_floats(str *out, const float *x, int count)
{
    TRY(str_append(out, "["));
    for (int i = 0; i < count; i++) {
        TRY(str_append(out, i ? ", " : ""));
        TRY(print_number(out, (double)x[i], true));
    }
    return str_append(out, "]");
}
static mien_status weights_print(const recipe *r, const recipe_key *key, str *out)
{
    const recipe_stage *stage = const_field_of(r, key);
    return print_floats(out, stage->class_weights, stage->class_weight_count);
}
const recipe_key_type recipe_type_weights = {.name = "list of numbers", .read = weights_read, .print = weights_print};

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

static mien_status init_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    if (entry)
        return set_init(r, entry, v);
    if (!recipe_value_is_mapping(v))
        return fail_wanted(key, v);
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

static mien_status init_print(const recipe *r, const recipe_key *key, str *out)
{
    (void)key;
    const char *separator = "";
    TRY(str_append(out, "{"));
    for (int i = 0; i < r->model_count; i++) {
        if (!r->init[i][0] || is_repeated(r, i))
            continue;
        TRY(str_printf(out, "%s%s: '", separator, r->models[i]));
        for (const char *c = r->init[i]; *c; c++) {
            TRY(str_append(out, *c == '\'' ? "'" : "")); /* the one character that single quotes must double */
            TRY(str_append_bytes(out, c, 1));
        }
        TRY(str_append(out, "'"));
        separator = ", ";
    }
    return str_append(out, "}");
}
const recipe_key_type recipe_type_init = {
    .name = "mapping of architecture to file", .read = init_read, .print = init_print, .has_entries = true};

static mien_status read_triple(float dst[3], const recipe_value *v, bool is_above_zero)
{
    char found[64];
    if (!recipe_value_is_list(v) || recipe_value_count(v) != 3)
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "%s (wanted [r, g, b])", recipe_value_found(found, v));
    for (int i = 0; i < 3; i++) {
        recipe_value channel = recipe_value_at(v, i);
        float x;
        if (!text_to_float(&x, plain_text(&channel)) || fabsf(x) > 100 || (is_above_zero && x <= 0))
            return recipe_fail(&channel.place, MIEN_ERR_FORMAT, "%s (wanted a number %s)",
                               recipe_value_found(found, &channel),
                               is_above_zero ? "above 0, pixels being 0 to 1" : "that fits pixels of 0 to 1");
        dst[i] = x;
    }
    return MIEN_OK;
}

static const char *const normalise_words[] = {"dataset", "init", NULL};

static mien_status normalise_read(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry)
{
    (void)entry;
    int word = word_index(normalise_words, recipe_value_text(v));
    if (word >= 0) {
        r->data.normalise = (normalise_kind)word;
        return MIEN_OK;
    }
    if (!recipe_value_is_mapping(v))
        return fail_wanted(key, v);
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
static mien_status normalise_print(const recipe *r, const recipe_key *key, str *out)
{
    (void)key;
    if (r->data.normalise != NORMALISE_GIVEN)
        return str_append(out, normalise_words[r->data.normalise]);
    TRY(str_append(out, "{mean: "));
    TRY(print_floats(out, r->data.mean, 3));
    TRY(str_append(out, ", std: "));
    TRY(print_floats(out, r->data.std, 3));
    return str_append(out, "}");
}
const recipe_key_type recipe_type_normalise = {
    .name = "word or mapping", .read = normalise_read, .print = normalise_print};

/* --- what is wanted ----------------------------------------------------------------------------------------------- */

void recipe_key_wanted(char *dst, size_t bytes, const recipe_key *key)
{
    static const struct {
        const recipe_key_type *type;
        const char *text;
    } fixed[] = {
        {&recipe_type_bool, "true or false"},
        {&recipe_type_classes, "a list of 2 to 64 names"},
        {&recipe_type_models, "a list of 1 to 16 architectures"},
        {&recipe_type_init, "a mapping, architecture: file"},
        {&recipe_type_normalise, "dataset, init or {mean: [r, g, b], std: [r, g, b]}"},
        {&recipe_type_weights, "a list of numbers, one a class"},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (fixed[i].type == key->type) {
            snprintf(dst, bytes, "%s", fixed[i].text);
            return;
        }
    int count = 0;
    while (key->words && key->words[count])
        count++;
    if (key->words)
        str_join_words(dst, bytes, key->words, count);
    else
        range_text(dst, bytes, key);
}
