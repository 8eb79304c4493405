/* A list is read in one pass into three arrays and one block of names, all sized by the file's length before: a million
 * rows cost a handful of allocations. Columns are found by their titles where the first row has titles, else by their
 * place. */
#include "data/list.h"

#include "base/mem.h"
#include "base/size.h"
#include "base/str.h"
#include "data/label.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void list_free(label_list *l)
{
    mem_free(l->name_at);
    mem_free(l->label);
    mem_free(l->line);
    mem_free(l->names);
    for (int i = 0; i < l->other_count; i++)
        mem_free(l->others[i].name);
    mem_free(l->others);
    *l = (label_list){0};
}

/* The three arrays grow together; a failure in between leaves `capacity` at what all of them have. */
static mien_status grow_entries(label_list *l, int64_t capacity)
{
    size_t used = (size_t)l->count, wanted = (size_t)capacity;
    TRY(mem_resize_bytes((void **)&l->name_at, used * sizeof(*l->name_at), wanted * sizeof(*l->name_at)));
    TRY(mem_resize_bytes((void **)&l->label, used * sizeof(*l->label), wanted * sizeof(*l->label)));
    TRY(mem_resize_bytes((void **)&l->line, used * sizeof(*l->line), wanted * sizeof(*l->line)));
    l->capacity = capacity;
    return MIEN_OK;
}

static mien_status grow_names(label_list *l, size_t capacity)
{
    TRY(mem_resize_bytes((void **)&l->names, l->names_bytes, capacity));
    l->names_capacity = capacity;
    return MIEN_OK;
}

mien_status list_reserve(label_list *l, int64_t entries, size_t bytes)
{
    size_t names;
    if (entries > UINT32_MAX - l->count)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "list: %" PRId64 " entries (at most %u)", l->count + entries,
                         UINT32_MAX);
    if (!size_add(&names, l->names_bytes, bytes))
        return mien_fail(MIEN_ERR_NOMEM, "list: %zu bytes of names do not fit in memory", bytes);
    if (l->count + entries > l->capacity)
        TRY(grow_entries(l, l->count + entries));
    return names > l->names_capacity ? grow_names(l, names) : MIEN_OK;
}

mien_status list_add(label_list *l, const char *name, size_t length, int label, int64_t line)
{
    if (l->count == l->capacity)
        TRY(list_reserve(l, l->capacity ? l->capacity : 1024, 0));
    if (length >= l->names_capacity - l->names_bytes)
        TRY(list_reserve(l, 0, l->names_capacity + length + 32 * 1024));
    memcpy(l->names + l->names_bytes, name, length);
    l->names[l->names_bytes + length] = '\0';
    l->name_at[l->count] = l->names_bytes;
    l->label[l->count] = (uint16_t)label;
    l->line[l->count] = (uint32_t)line;
    l->names_bytes += length + 1;
    l->count++;
    return MIEN_OK;
}

/* Equal names stand in order of their lines, so that the second one is named as the fault. */
static int compare_names(const void *a, const void *b, void *list)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    int order = strcmp(list_name(list, left), list_name(list, right));
    return order != 0 ? order : (left > right) - (left < right);
}

mien_status list_by_name(uint32_t **out, const label_list *l, const char *path)
{
    uint32_t *order;
    TRY(mem_alloc(&order, l->count));
    for (int64_t i = 0; i < l->count; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, (size_t)l->count, sizeof *order, compare_names, (void *)l);
    for (int64_t i = 1; i < l->count; i++)
        if (strcmp(list_name(l, order[i - 1]), list_name(l, order[i])) == 0) {
            mien_status st =
                mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRIu32 ": %s is there twice (first on line %" PRIu32 ")", path,
                          l->line[order[i]], list_name(l, order[i]), l->line[order[i - 1]]);
            mem_free(order);
            return st;
        }
    *out = order;
    return MIEN_OK;
}

/* Both in order of their names: one walk over the two finds the first that has no partner. */
static mien_status walk_pairs(uint32_t *partner, const label_list *truth, const uint32_t *truth_order,
                              const char *truth_path, const label_list *predicted, const uint32_t *predicted_order,
                              const char *predicted_path)
{
    int64_t i = 0, j = 0;
    while (i < truth->count || j < predicted->count) {
        uint32_t t = i < truth->count ? truth_order[i] : 0, p = j < predicted->count ? predicted_order[j] : 0;
        int order = i == truth->count       ? 1
                    : j == predicted->count ? -1
                                            : strcmp(list_name(truth, t), list_name(predicted, p));
        if (order < 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: no row for %s (%s: line %" PRIu32 ")", predicted_path,
                             list_name(truth, t), truth_path, truth->line[t]);
        if (order > 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRIu32 ": %s is not in %s", predicted_path,
                             predicted->line[p], list_name(predicted, p), truth_path);
        partner[t] = p;
        i++, j++;
    }
    return MIEN_OK;
}

mien_status list_match(uint32_t **out, const label_list *truth, const char *truth_path, const label_list *predicted,
                       const char *predicted_path)
{
    uint32_t *partner = NULL, *truth_order = NULL, *predicted_order = NULL;
    mien_status st;
    TRY_OUT(list_by_name(&truth_order, truth, truth_path));
    TRY_OUT(list_by_name(&predicted_order, predicted, predicted_path));
    TRY_OUT(mem_alloc(&partner, truth->count));
    TRY_OUT(walk_pairs(partner, truth, truth_order, truth_path, predicted, predicted_order, predicted_path));
    *out = partner;
    partner = NULL;
out:
    mem_free(partner);
    mem_free(truth_order);
    mem_free(predicted_order);
    return st;
}

static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash ^ hash >> 15;
}

/* Names go into an open table of row numbers, twice as large as the list at least: sorting them would take longer than
 * reading them did. */
mien_status list_check_labels(const label_list *l, const char *path, const char *const *classes)
{
    size_t room = 16;
    uint32_t *rows; /* [room] number of a row, from 1; 0: free */
    while (room < 2 * (size_t)l->count)
        room *= 2;
    TRY(mem_zalloc(&rows, room));
    mien_status st = MIEN_OK;
    for (int64_t i = 0; st == MIEN_OK && i < l->count; i++) {
        size_t at = hash_name(list_name(l, i)) & (room - 1);
        while (rows[at] && strcmp(list_name(l, rows[at] - 1), list_name(l, i)) != 0)
            at = (at + 1) & (room - 1);
        if (!rows[at])
            rows[at] = (uint32_t)(i + 1);
        else if (l->label[rows[at] - 1] != l->label[i])
            st =
                mien_fail(MIEN_ERR_FORMAT,
                          "%s: line %" PRIu32 ": %s is %s here and %s on line %" PRIu32 " (wanted one label a picture)",
                          path, l->line[i], list_name(l, i), classes[l->label[i]], classes[l->label[rows[at] - 1]],
                          l->line[rows[at] - 1]);
    }
    mem_free(rows);
    return st;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Where a row keeps what we want of it. */
typedef struct {
    int name, label;
    int count; /* fields every row must have */
    bool has_header;
} columns;

static bool is_one_of(csv_field field, const char *const *words, size_t count)
{
    char text[32];
    if (!csv_field_text(text, sizeof(text), field))
        return false;
    for (size_t i = 0; i < count; i++)
        if (str_equal_nocase(text, words[i]))
            return true;
    return false;
}

/* The column under one of these names; -1: none. */
static int find_column(const csv_reader *r, const char *const *words, size_t count)
{
    for (int i = 0; i < r->count; i++)
        if (is_one_of(r->fields[i], words, count))
            return i;
    return -1;
}

static bool is_number(csv_field field)
{
    char text[32];
    double value;
    return csv_field_text(text, sizeof(text), field) && str_to_double(&value, text);
}

/* A typing error in the first row's label must not make the row vanish as a header: pictures have a dot or a slash in
 * their names, titles of columns do not. */
static bool looks_like_header(const csv_reader *r, const char *const *classes, int class_count)
{
    int label;
    csv_field name = r->fields[0];
    return label_parse(&label, r->fields[1], classes, class_count) != LABEL_CLASS && !is_number(r->fields[1]) &&
           name.length > 0 && !memchr(name.text, '.', name.length) && !memchr(name.text, '/', name.length);
}

int list_find_names(const csv_reader *r)
{
    static const char *const words[] = {"path", "image", "image_path", "file", "filename"};
    return find_column(r, words, sizeof(words) / sizeof(words[0]));
}

static mien_status find_columns(columns *out, const csv_reader *r, const char *const *classes, int class_count)
{
    static const char *const label_words[] = {"label", "expression", "class"};
    columns c = {.name = list_find_names(r),
                 .label = find_column(r, label_words, sizeof(label_words) / sizeof(label_words[0])),
                 .count = r->count,
                 .has_header = true};
    if (c.name < 0 || c.label < 0) {
        if (r->count != 2)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %d field%s (wanted 2: path,label)", r->path,
                             r->line, r->count, r->count == 1 ? "" : "s");
        c = (columns){.name = 0, .label = 1, .count = 2, .has_header = looks_like_header(r, classes, class_count)};
    }
    *out = c;
    return MIEN_OK;
}

/* One of them more; so many different ones mean that the column holds no labels. */
static mien_status add_other(bool *out, label_list *l, csv_field written)
{
    enum { MOST = 64 };
    char name[256];
    (void)csv_field_text(name, sizeof(name), written); /* it fitted when it was found to be a name */
    *out = true;
    for (int i = 0; i < l->other_count; i++)
        if (str_equal_nocase(l->others[i].name, name)) {
            l->others[i].rows++;
            return MIEN_OK;
        }
    *out = l->other_count < MOST;
    if (!*out)
        return MIEN_OK;
    if (!l->others)
        TRY(mem_alloc(&l->others, MOST));
    TRY(mem_strdup(&l->others[l->other_count].name, name));
    l->others[l->other_count++].rows = 1;
    return MIEN_OK;
}

static mien_status fail_label(const csv_reader *r, csv_field written, const char *const *classes, int class_count)
{
    char wanted[512];
    double number;
    char text[32];
    str_join_words(wanted, sizeof(wanted), classes, class_count);
    bool is_next = csv_field_text(text, sizeof(text), written) && str_to_double(&number, text) && number == class_count;
    return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": label %.*s (wanted 0..%d%s, or %s)", r->path, r->line,
                     written.length < 100 ? (int)written.length : 100, written.text, class_count - 1,
                     is_next ? ", which count from 0 and not from 1" : "", wanted);
}

static mien_status add_row(label_list *l, const csv_reader *r, const columns *c, const char *const *classes,
                           int class_count, bool takes_others)
{
    if (r->count != c->count)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %d field%s (wanted %d, as in the first row)", r->path,
                         r->line, r->count, r->count == 1 ? "" : "s", c->count);
    csv_field name = r->fields[c->name], written = r->fields[c->label];
    if (name.length == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": empty path", r->path, r->line);
    int label;
    bool is_left_out = false;
    label_kind kind = label_parse(&label, written, classes, class_count);
    if (kind == LABEL_CLASS)
        return list_add(l, name.text, name.length, label, r->line);
    if (kind == LABEL_OTHER && takes_others)
        TRY(add_other(&is_left_out, l, written));
    return is_left_out ? MIEN_OK : fail_label(r, written, classes, class_count);
}

/* A first line without a comma, outside of quotes, holds one field; where a semicolon or a tab would part it, that is
 * what parts fields. */
void list_find_separator(csv_reader *r)
{
    const char *text = (const char *)r->map.data;
    bool is_quoted = false;
    char other = '\0';
    for (size_t at = r->at; at < r->map.length && text[at] != '\n'; at++) {
        is_quoted ^= text[at] == '"';
        if (!is_quoted && text[at] == ',')
            return;
        if (!is_quoted && !other && (text[at] == ';' || text[at] == '\t'))
            other = text[at];
    }
    if (other)
        csv_separate_by(r, other);
}

/* No list is longer than its file. */
mien_status list_reserve_for_file(label_list *l, const csv_reader *r)
{
    const file_map *map = &r->map;
    int64_t lines = 1;
    const uint8_t *end = map->data + map->length;
    for (const uint8_t *at = map->data; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    return list_reserve(l, lines, map->length + 1);
}

mien_status list_parse(label_list *out, csv_reader *r, const char *const *classes, int class_count, bool takes_others)
{
    mien_status st;
    label_list l = {0};
    columns c = {0};
    bool has_row;
    list_find_separator(r);
    TRY_OUT(csv_next(r, &has_row));
    if (has_row) {
        TRY_OUT(find_columns(&c, r, classes, class_count));
        TRY_OUT(list_reserve_for_file(&l, r));
        if (c.has_header)
            TRY_OUT(csv_next(r, &has_row));
    }
    if (!has_row) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no rows (wanted path,label)", r->path);
        goto out;
    }
    while (has_row) {
        TRY_OUT(add_row(&l, r, &c, classes, class_count, takes_others));
        TRY_OUT(csv_next(r, &has_row));
    }
    if (l.count == 0) {
        char wanted[512];
        str_join_words(wanted, sizeof(wanted), classes, class_count);
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no row of a class (found %s%s, wanted %s)", r->path, l.others[0].name,
                       l.other_count > 1 ? " and others" : "", wanted);
        goto out;
    }
    *out = l;
    l = (label_list){0};
out:
    list_free(&l);
    return st;
}

mien_status list_read(label_list *out, const char *path, const char *const *classes, int class_count, bool takes_others)
{
    csv_reader r;
    TRY(csv_open(&r, path));
    mien_status st = list_parse(out, &r, classes, class_count, takes_others);
    csv_close(&r);
    return st;
}
