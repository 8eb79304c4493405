/* A file is read in one pass. Its header is bound to a list of columns first, each a place in the tables of values;
 * rows then go through that list, whatever form the file has. Numbers of few digits, which nearly all are, are read by
 * whole arithmetic with the same result as strtod's: half a second less for the challenge's training set. */
#include "data/annotation_int.h"

#include "base/mem.h"
#include "base/str.h"
#include "data/label.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

enum { CHALLENGE_FIELDS = 1 + 2 + 1 + CHALLENGE_AU_COUNT };

/* How files write what is missing. An angle may be -1 and -5. */
static const struct {
    bool is_there;
    float written;
} sentinels[ANNOTATION_KINDS] = {
    [ANNOTATION_VA] = {true, -5},       [ANNOTATION_EXPRESSION] = {true, -1}, [ANNOTATION_AU] = {true, -1},
    [ANNOTATION_AU_LEVEL] = {true, -1}, [ANNOTATION_UNITS] = {true, -1},
};

/* Where a field goes. */
typedef struct {
    annotation_kind kind;
    int value, field;
} column;

typedef struct {
    column columns[CSV_MAX_FIELDS];
    int count;
    int name;           /* the field that holds the picture's name */
    int fields;         /* every row must have */
    bool has_header;    /* the first row is none of the table's */
    bool takes_empty;   /* an empty field is a missing value */
    bool must_be_whole; /* nothing may be missing */
} layout;

/* --- the first row ------------------------------------------------------------------------------------------------ */

/* "AU01" is "AU1" to some. */
static bool is_called(const char *written, const char *column_name)
{
    if (str_equal_nocase(written, column_name))
        return true;
    char without_zero[32];
    if (!str_starts(column_name, "AU0"))
        return false;
    snprintf(without_zero, sizeof without_zero, "AU%s", column_name + 3);
    return str_equal_nocase(written, without_zero);
}

static bool find_column(column *out, csv_field title)
{
    char text[32];
    if (!csv_field_text(text, sizeof text, title))
        return false;
    for (int kind = 0; kind < ANNOTATION_KINDS; kind++)
        for (int i = 0; i < annotation_forms[kind].width; i++)
            if (is_called(text, annotation_forms[kind].columns[i])) {
                *out = (column){.kind = (annotation_kind)kind, .value = i};
                return true;
            }
    *out = (column){.kind = ANNOTATION_EXPRESSION};
    return str_equal_nocase(text, "label") || str_equal_nocase(text, "class");
}

static mien_status add_column(layout *l, const csv_reader *r, column c)
{
    for (int i = 0; i < l->count; i++)
        if (l->columns[i].kind == c.kind && l->columns[i].value == c.value)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": two columns %s", r->path, r->line,
                             annotation_forms[c.kind].columns[c.value]);
    l->columns[l->count++] = c;
    return MIEN_OK;
}

static mien_status find_named_columns(layout *l, const csv_reader *r)
{
    l->name = list_find_names(r);
    l->fields = r->count;
    l->has_header = l->takes_empty = true;
    for (int i = 0; i < r->count; i++) {
        column c;
        if (i == l->name || !find_column(&c, r->fields[i]))
            continue;
        c.field = i;
        TRY(add_column(l, r, c));
    }
    return MIEN_OK;
}

static mien_status set_challenge_columns(layout *l, const csv_reader *r)
{
    static const annotation_kind kinds[] = {ANNOTATION_VA, ANNOTATION_EXPRESSION, ANNOTATION_AU};
    int field = 1;
    l->fields = CHALLENGE_FIELDS;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int i = 0; i < annotation_forms[kinds[k]].width; i++)
            TRY(add_column(l, r, (column){kinds[k], i, field++}));
    return MIEN_OK;
}

/* A number as decimal digits: sign, at most 15 digits, at most one point. Both the digits and the power of ten are
 * exact in a double, so that the one division rounds as strtod does. */
static bool read_short_number(double *out, csv_field f)
{
    static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t at = f.length > 0 && f.text[0] == '-', digits = 0, after = 0;
    bool has_point = false, is_negative = at;
    int64_t value = 0;
    for (; at < f.length; at++) {
        if (f.text[at] == '.' && !has_point && digits > 0) {
            has_point = true;
            continue;
        }
        if (f.text[at] < '0' || f.text[at] > '9' || ++digits > 15)
            return false;
        value = value * 10 + (f.text[at] - '0');
        after += has_point;
    }
    if (digits == 0 || (has_point && after == 0))
        return false;
    *out = (is_negative ? -1.0 : 1.0) * ((double)value / tens[after]);
    return true;
}

static bool read_number(double *out, csv_field f)
{
    char text[64];
    return read_short_number(out, f) || (csv_field_text(text, sizeof text, f) && str_to_double(out, text));
}

static bool has_title(const csv_reader *r, int field, const char *title)
{
    char text[16];
    return field < r->count && csv_field_text(text, sizeof text, r->fields[field]) && str_equal_nocase(text, title);
}

/* Binds the first row. *is_list: labels alone, which data/list.h reads. */
static mien_status find_layout(layout *l, bool *is_list, const csv_reader *r)
{
    double number;
    *is_list = false;
    if (r->count == 5 && list_find_names(r) == 0 && has_title(r, 4, "aus")) {
        l->has_header = true;
        return set_challenge_columns(l, r);
    }
    if (r->count > 4 && list_find_names(r) < 0 && read_number(&number, r->fields[1]))
        return set_challenge_columns(l, r);
    TRY(find_named_columns(l, r));
    if (l->name < 0 && l->count > 1)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": no column of names (wanted image, path or file)",
                         r->path, r->line);
    *is_list = l->name < 0 || (l->count == 1 && l->columns[0].kind == ANNOTATION_EXPRESSION) ||
               (l->count == 0 && r->count == 2);
    if (!*is_list && l->count == 0)
        return mien_fail(MIEN_ERR_FORMAT,
                         "%s: line %" PRId64 ": no column of labels (wanted valence, expression, AU01 "
                         "and alike)",
                         r->path, r->line);
    return MIEN_OK;
}

static mien_status check_answers(const layout *l, const csv_reader *r)
{
    static const annotation_kind kinds[] = {ANNOTATION_VA, ANNOTATION_EXPRESSION, ANNOTATION_AU};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int i = 0; i < annotation_forms[kinds[k]].width; i++) {
            bool is_there = false;
            for (int c = 0; c < l->count; c++)
                is_there |= l->columns[c].kind == kinds[k] && l->columns[c].value == i;
            if (!is_there)
                return mien_fail(MIEN_ERR_FORMAT,
                                 "%s: line %" PRId64 ": no column %s (wanted %d fields: image, "
                                 "valence, arousal, expression, %d action units)",
                                 r->path, r->line, annotation_forms[kinds[k]].columns[i], CHALLENGE_FIELDS,
                                 CHALLENGE_AU_COUNT);
        }
    return MIEN_OK;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static mien_status fail_value(const layout *l, const csv_reader *r, const column *c)
{
    const annotation_form *form = &annotation_forms[c->kind];
    csv_field written = r->fields[c->field];
    char names[256] = "", missing[64] = "";
    if (c->kind == ANNOTATION_EXPRESSION) {
        memcpy(names, ", or ", 6);
        str_join_words(names + 5, sizeof names - 5, expression_names, EXPRESSION_COUNT);
    }
    if (sentinels[c->kind].is_there && !l->must_be_whole)
        snprintf(missing, sizeof missing, ", or %g where it is missing", (double)sentinels[c->kind].written);
    return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %s %.*s (wanted %g%s%g%s%s)", r->path, r->line,
                     form->columns[c->value], written.length < 100 ? (int)written.length : 100, written.text,
                     (double)form->low, form->is_whole && form->high - form->low < 2 ? " or " : "..",
                     (double)form->high, names, missing);
}

/* False where the field is no value that the column may have; *is_known: it says one. */
static bool read_value(float *out, bool *is_known, const layout *l, const column *c, csv_field f)
{
    const annotation_form *form = &annotation_forms[c->kind];
    double value;
    *out = 0;
    *is_known = false;
    if (f.length == 0)
        return l->takes_empty && !l->must_be_whole;
    if (read_number(&value, f)) {
        if (sentinels[c->kind].is_there && !l->must_be_whole && value == (double)sentinels[c->kind].written)
            return true;
        if (value < (double)form->low || value > (double)form->high || (form->is_whole && value != floor(value)))
            return false;
    } else {
        int label;
        if (c->kind != ANNOTATION_EXPRESSION ||
            label_parse(&label, f, expression_names, EXPRESSION_COUNT) != LABEL_CLASS)
            return false;
        value = label;
    }
    *out = (float)value;
    *is_known = true;
    return true;
}

static mien_status check_name(const csv_reader *r, csv_field name)
{
    char text[PATH_MAX];
    if (name.length == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": empty path", r->path, r->line);
    if (!csv_field_text(text, sizeof text, name))
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": path of %zu bytes (at most %d)", r->path, r->line,
                         name.length, PATH_MAX - 1);
    if (file_leads_out(text))
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %.200s leads out of the images' folder", r->path,
                         r->line, text);
    return MIEN_OK;
}

static mien_status add_row(annotations *a, const csv_reader *r, const layout *l)
{
    int64_t row = a->rows.count;
    if (r->count != l->fields)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %d field%s (wanted %d)", r->path, r->line, r->count,
                         r->count == 1 ? "" : "s", l->fields);
    csv_field name = r->fields[l->name];
    TRY(check_name(r, name));
    for (int i = 0; i < l->count; i++) {
        const column *c = &l->columns[i];
        bool is_known;
        if (!read_value(a->values[c->kind] + row * annotation_forms[c->kind].width + c->value, &is_known, l, c,
                        r->fields[c->field]))
            return fail_value(l, r, c);
        a->known[c->kind][row] |= (uint64_t)is_known << c->value;
    }
    return list_add(&a->rows, name.text, name.length, 0, r->line);
}

/* Zeroed, since a file may have some columns of a kind. */
static mien_status reserve_values(annotations *a, const csv_reader *r, const layout *l)
{
    TRY(list_reserve_for_file(&a->rows, r));
    for (int i = 0; i < l->count; i++) {
        annotation_kind kind = l->columns[i].kind;
        if (a->values[kind])
            continue;
        TRY(mem_zalloc(&a->values[kind], a->rows.capacity * annotation_forms[kind].width));
        TRY(mem_zalloc(&a->known[kind], a->rows.capacity));
    }
    return MIEN_OK;
}

/* Labels alone: what the list knows becomes the one kind there is. */
static mien_status read_list(annotations *a, csv_reader *r, bool is_strict)
{
    csv_separate_by(r, r->separator); /* from its beginning */
    TRY(list_parse(&a->rows, r, expression_names, EXPRESSION_COUNT, !is_strict));
    TRY(mem_alloc(&a->values[ANNOTATION_EXPRESSION], a->rows.count));
    TRY(mem_alloc(&a->known[ANNOTATION_EXPRESSION], a->rows.count));
    for (int64_t i = 0; i < a->rows.count; i++) {
        a->values[ANNOTATION_EXPRESSION][i] = a->rows.label[i];
        a->known[ANNOTATION_EXPRESSION][i] = 1;
        a->rows.label[i] = 0;
        if (file_leads_out(list_name(&a->rows, i)))
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRIu32 ": %.200s leads out of the images' folder", r->path,
                             a->rows.line[i], list_name(&a->rows, i));
    }
    return MIEN_OK;
}

static mien_status read_rows(annotations *a, csv_reader *r, const layout *l)
{
    bool has_row = true;
    TRY(reserve_values(a, r, l));
    if (l->has_header)
        TRY(csv_next(r, &has_row));
    while (has_row) {
        TRY(add_row(a, r, l));
        TRY(csv_next(r, &has_row));
    }
    if (a->rows.count == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no rows", r->path);
    return MIEN_OK;
}

mien_status annotations_parse(annotations *out, csv_reader *r, bool must_be_whole, bool is_strict)
{
    annotations a = {0};
    uint32_t *order = NULL;
    layout l = {.must_be_whole = must_be_whole};
    bool has_row, is_list;
    mien_status st;
    list_find_separator(r);
    TRY_OUT(csv_next(r, &has_row));
    if (!has_row) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no rows", r->path);
        goto out;
    }
    TRY_OUT(find_layout(&l, &is_list, r));
    if (must_be_whole)
        TRY_OUT(check_answers(&l, r));
    TRY_OUT(is_list ? read_list(&a, r, is_strict) : read_rows(&a, r, &l));
    TRY_OUT(list_by_name(&order, &a.rows, r->path)); /* each once */
    *out = a;
    a = (annotations){0};
out:
    mem_free(order);
    annotations_free(&a);
    return st;
}

mien_status annotations_read(annotations *out, const char *path, bool must_be_whole, bool is_strict)
{
    annotations a = {0};
    csv_reader r;
    TRY(csv_open(&r, path));
    mien_status st = annotations_parse(&a, &r, must_be_whole, is_strict);
    csv_close(&r);
    const char *slash = strrchr(path, '/');
    if (st == MIEN_OK)
        st = annotations_begin_part(&a, path, path, slash ? (size_t)(slash - path) + 1 : 0);
    if (st != MIEN_OK) {
        annotations_free(&a);
        return st;
    }
    *out = a;
    return MIEN_OK;
}
