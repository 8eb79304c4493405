/* Reading and printing the values that keys of any room take. */
#include "recipe/key.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *recipe_plain_text(const recipe_value *v)
{
    return recipe_value_is_quoted(v) ? NULL : recipe_value_text(v);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static bool is_within(double x, const recipe_range *range)
{
    return isfinite(x) && (range->is_low_open ? x > range->low : x >= range->low) &&
           (range->is_high_open ? x < range->high : x <= range->high);
}

static void range_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)field;
    const recipe_range *range = &key->range;
    bool is_whole = key->type == &recipe_type_int || key->type == &recipe_type_int64;
    const char *what = is_whole ? "an integer" : "a number";
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
    const char *text = recipe_plain_text(v);
    if (!text || !str_to_int64(out, text) || !is_within((double)*out, &key->range))
        return recipe_fail_wanted(key, NULL, v);
    return MIEN_OK;
}

static mien_status int_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry, arena *texts)
{
    (void)entry, (void)texts;
    int64_t x;
    TRY(read_whole(&x, key, v));
    *(int *)field = (int)x; /* the key's range is narrower than int */
    return MIEN_OK;
}
static mien_status int_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    return str_printf(out, "%d", *(const int *)field);
}
const recipe_key_type recipe_type_int = {
    .name = "integer", .read = int_read, .print = int_print, .wanted = range_wanted};

static mien_status int64_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                              arena *texts)
{
    (void)entry, (void)texts;
    int64_t x;
    TRY(read_whole(&x, key, v));
    memcpy(field, &x, sizeof x); /* the seed's field is unsigned; its range begins at 0 */
    return MIEN_OK;
}
static mien_status int64_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    int64_t x;
    memcpy(&x, field, sizeof x);
    return str_printf(out, "%lld", (long long)x);
}
const recipe_key_type recipe_type_int64 = {
    .name = "integer", .read = int64_read, .print = int64_print, .wanted = range_wanted};

static mien_status double_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                               arena *texts)
{
    (void)entry, (void)texts;
    double x;
    const char *text = recipe_plain_text(v);
    if (!text || !str_to_double(&x, text) || !is_within(x, &key->range))
        return recipe_fail_wanted(key, field, v);
    *(double *)field = x;
    return MIEN_OK;
}
static mien_status double_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    return print_number(out, *(const double *)field, false);
}
const recipe_key_type recipe_type_double = {
    .name = "number", .read = double_read, .print = double_print, .wanted = range_wanted};

/* The range is held against the value as rounded to float: 1e-60 is 0 there, and 1e60 infinite. */
bool recipe_text_to_float(float *out, const char *text)
{
    double x;
    if (!text || !str_to_double(&x, text) || !isfinite((float)x))
        return false;
    *out = (float)x;
    return true;
}

static mien_status float_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                              arena *texts)
{
    (void)entry, (void)texts;
    float x;
    if (!recipe_text_to_float(&x, recipe_plain_text(v)) || !is_within((double)x, &key->range))
        return recipe_fail_wanted(key, field, v);
    *(float *)field = x;
    return MIEN_OK;
}
static mien_status float_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    return recipe_print_float(out, *(const float *)field);
}
const recipe_key_type recipe_type_float = {
    .name = "number", .read = float_read, .print = float_print, .wanted = range_wanted};

static mien_status bool_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry, arena *texts)
{
    (void)entry, (void)texts;
    const char *text = recipe_plain_text(v);
    bool is_true = text && strcmp(text, "true") == 0;
    if (!is_true && !(text && strcmp(text, "false") == 0))
        return recipe_fail_wanted(key, field, v);
    *(bool *)field = is_true;
    return MIEN_OK;
}
static mien_status bool_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    return str_append(out, *(const bool *)field ? "true" : "false");
}
static void bool_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "true or false");
}
const recipe_key_type recipe_type_bool = {
    .name = "boolean", .read = bool_read, .print = bool_print, .wanted = bool_wanted};

/* --- words -------------------------------------------------------------------------------------------------------- */

int recipe_word_index(const char *const *words, const char *text)
{
    for (int i = 0; text && words && words[i]; i++)
        if (strcmp(words[i], text) == 0)
            return i;
    return -1;
}

static mien_status word_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry, arena *texts)
{
    (void)entry, (void)texts;
    const char *text = recipe_value_text(v);
    int index = recipe_word_index(key->words, text);
    if (index < 0)
        return recipe_word_index(key->later_words, text) >= 0 ? recipe_fail_later(key, field, v)
                                                              : recipe_fail_wanted(key, field, v);
    memcpy(field, &index, sizeof index); /* enums are ints here */
    return MIEN_OK;
}
static mien_status word_print(const void *field, const recipe_key *key, str *out)
{
    int index;
    memcpy(&index, field, sizeof index);
    return str_append(out, key->words[index]);
}
const recipe_key_type recipe_type_word = {.name = "word", .read = word_read, .print = word_print};

/* --- lists of words ----------------------------------------------------------------------------------------------- */

static bool has_word(const recipe_word_list *list, int index)
{
    for (int i = 0; i < list->count; i++)
        if (list->index[i] == index)
            return true;
    return false;
}

static mien_status words_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                              arena *texts)
{
    (void)entry, (void)texts;
    recipe_word_list list = {.count = 0};
    if (!recipe_value_is_list(v) || recipe_value_count(v) < 1)
        return recipe_fail_wanted(key, field, v);
    for (int i = 0; i < recipe_value_count(v); i++) {
        const recipe_value word = recipe_value_at(v, i);
        int index;
        TRY(word_read(&index, key, &word, NULL, texts));
        if (has_word(&list, index))
            return recipe_fail(&word.place, MIEN_ERR_FORMAT, "%s twice", key->words[index]);
        assert(list.count < RECIPE_MAX_WORDS); /* rows have no more words than that */
        list.index[list.count++] = index;
    }
    *(recipe_word_list *)field = list;
    return MIEN_OK;
}
static mien_status words_print(const void *field, const recipe_key *key, str *out)
{
    const recipe_word_list *list = field;
    for (int i = 0; i < list->count; i++)
        TRY(str_printf(out, "%s%s", i ? ", " : "[", key->words[list->index[i]]));
    return str_append(out, "]");
}
static void words_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    char words[224];
    int count = 0;
    (void)field;
    while (key->words[count])
        count++;
    str_join_words(words, sizeof words, key->words, count);
    snprintf(dst, bytes, "a list with any of %s, each once", words);
}
const recipe_key_type recipe_type_words = {
    .name = "list of words", .read = words_read, .print = words_print, .wanted = words_wanted};

/* --- lists -------------------------------------------------------------------------------------------------------- */

enum { NAME_BYTES = 32 };

/* Of letters that need no quotes in YAML, in a path or in a CSV header. */
static bool is_class_name(const char *text)
{
    return text && *text && strlen(text) < NAME_BYTES &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0' && *text != '-';
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first name that was there before; -1: none. Thousands of names are too many to compare each with each. */
static mien_status find_twice(int *out, const char *const *names, int count)
{
    const char **sorted;
    *out = -1;
    TRY(mem_alloc(&sorted, count));
    memcpy(sorted, names, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_names);
    bool is_any = false;
    for (int i = 1; i < count; i++)
        is_any |= strcmp(sorted[i - 1], sorted[i]) == 0;
    mem_free(sorted);
    for (int c = 1; is_any && *out < 0 && c < count; c++)
        for (int i = 0; i < c && *out < 0; i++)
            if (strcmp(names[i], names[c]) == 0)
                *out = c;
    return MIEN_OK;
}

static mien_status classes_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                                arena *texts)
{
    (void)entry;
    const char **names = NULL;
    int count = recipe_value_count(v), twice;
    if (!recipe_value_is_list(v) || count < 2)
        return recipe_fail_wanted(key, field, v);
    TRY(arena_alloc(texts, &names, count));
    for (int c = 0; c < count; c++) {
        recipe_value name = recipe_value_at(v, c);
        const char *text = recipe_value_text(&name);
        char found[64], *copy = NULL;
        if (!is_class_name(text))
            return recipe_fail(&name.place, MIEN_ERR_FORMAT,
                               "class %s (wanted up to 31 lower-case letters, digits, _ and -)",
                               recipe_value_found(found, &name));
        TRY(arena_strdup(texts, &copy, text));
        names[c] = copy;
    }
    TRY(find_twice(&twice, names, count));
    if (twice >= 0) {
        const recipe_value name = recipe_value_at(v, twice);
        return recipe_fail(&name.place, MIEN_ERR_FORMAT, "class %s twice", names[twice]);
    }
    *(recipe_classes *)field = (recipe_classes){names, count};
    return MIEN_OK;
}
static mien_status classes_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    const recipe_classes *classes = field;
    for (int c = 0; c < classes->count; c++)
        TRY(str_printf(out, "%s%s", c ? ", " : "[", classes->names[c]));
    return str_append(out, "]");
}
static void classes_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "a list of at least 2 names");
}
const recipe_key_type recipe_type_classes = {
    .name = "list of names", .read = classes_read, .print = classes_print, .wanted = classes_wanted};

static mien_status weights_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                                arena *texts)
{
    (void)entry;
    int count = recipe_value_count(v);
    float sum = 0, *values = NULL;
    if (!recipe_value_is_list(v))
        return recipe_fail_wanted(key, field, v);
    TRY(arena_alloc(texts, &values, count ? count : 1));
    for (int i = 0; i < count; i++) {
        recipe_value weight = recipe_value_at(v, i);
        char found[64];
        if (!recipe_text_to_float(&values[i], recipe_plain_text(&weight)) || values[i] < 0)
            return recipe_fail(&weight.place, MIEN_ERR_FORMAT, "weight %s (wanted a number of at least 0)",
                               recipe_value_found(found, &weight));
        sum += values[i];
    }
    if (count > 0 && !(sum > 0 && isfinite(sum)))
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "weights sum to %g (wanted a finite sum above 0)", (double)sum);
    *(recipe_weights *)field = (recipe_weights){values, count};
    return MIEN_OK;
}

mien_status recipe_print_float(str *out, float x)
{
    return print_number(out, (double)x, true);
}
mien_status recipe_print_floats(str *out, const float *x, int count)
{
    TRY(str_append(out, "["));
    for (int i = 0; i < count; i++) {
        TRY(str_append(out, i ? ", " : ""));
        TRY(recipe_print_float(out, x[i]));
    }
    return str_append(out, "]");
}
static mien_status weights_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    const recipe_weights *weights = field;
    return recipe_print_floats(out, weights->values, weights->count);
}
static void weights_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "a list of numbers, one a class");
}
const recipe_key_type recipe_type_weights = {
    .name = "list of numbers", .read = weights_read, .print = weights_print, .wanted = weights_wanted};
