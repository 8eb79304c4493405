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
    return !label_parse(&label, r->fields[1], classes, class_count) && !is_number(r->fields[1]) && name.length > 0 &&
           !memchr(name.text, '.', name.length) && !memchr(name.text, '/', name.length);
}

static mien_status find_columns(columns *out, const csv_reader *r, const char *const *classes, int class_count)
{
    static const char *const name_words[] = {"path", "image", "file", "filename"};
    static const char *const label_words[] = {"label", "expression", "class"};
    columns c = {.name = find_column(r, name_words, sizeof(name_words) / sizeof(name_words[0])),
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

static mien_status add_row(label_list *l, const csv_reader *r, const columns *c, const char *const *classes,
                           int class_count)
{
    if (r->count != c->count)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %d field%s (wanted %d, as in the first row)", r->path,
                         r->line, r->count, r->count == 1 ? "" : "s", c->count);
    csv_field name = r->fields[c->name], written = r->fields[c->label];
    if (name.length == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": empty path", r->path, r->line);
    int label;
    if (!label_parse(&label, written, classes, class_count))
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": label %.*s (wanted 0..%d or a class name)", r->path,
                         r->line, written.length < 100 ? (int)written.length : 100, written.text, class_count - 1);
    return list_add(l, name.text, name.length, label, r->line);
}

/* No list is longer than its file: everything is allocated once, and what stays untouched costs nothing. */
static mien_status reserve_for_file(label_list *l, const file_map *map)
{
    int64_t lines = 1;
    const uint8_t *end = map->data + map->length;
    for (const uint8_t *at = map->data; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    return list_reserve(l, lines, map->length + 1);
}

mien_status list_parse(label_list *out, csv_reader *r, const char *const *classes, int class_count)
{
    mien_status st;
    label_list l = {0};
    columns c = {0};
    bool has_row;
    TRY_OUT(csv_next(r, &has_row));
    if (has_row) {
        TRY_OUT(find_columns(&c, r, classes, class_count));
        TRY_OUT(reserve_for_file(&l, &r->map));
        if (c.has_header)
            TRY_OUT(csv_next(r, &has_row));
    }
    if (!has_row) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no rows (wanted path,label)", r->path);
        goto out;
    }
    while (has_row) {
        TRY_OUT(add_row(&l, r, &c, classes, class_count));
        TRY_OUT(csv_next(r, &has_row));
    }
    *out = l;
    l = (label_list){0};
out:
    list_free(&l);
    return st;
}

mien_status list_read(label_list *out, const char *path, const char *const *classes, int class_count)
{
    csv_reader r;
    TRY(csv_open(&r, path));
    mien_status st = list_parse(out, &r, classes, class_count);
    csv_close(&r);
    return st;
}
