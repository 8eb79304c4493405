/* Fields are slices of the mapped file; only a quoted field with "" inside is copied, into a scratch of bounded length,
 * so that a quote which is never closed ends as an error and not as the whole file in memory. */
#include "format/csv.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

void csv_open_bytes(csv_reader *r, const void *bytes, size_t length, const char *name)
{
    *r = (csv_reader){.path = name, .map = {bytes, length}, .is_borrowed = true};
    csv_separate_by(r, ',');
}

void csv_separate_by(csv_reader *r, char separator)
{
    r->separator = separator;
    r->at = r->map.length >= 3 && memcmp(r->map.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    r->next_line = 1;
}

mien_status csv_open(csv_reader *r, const char *path)
{
    file_map map;
    TRY(file_map_open(&map, path));
    csv_open_bytes(r, map.data, map.length, path);
    r->is_borrowed = false;
    return MIEN_OK;
}

void csv_close(csv_reader *r)
{
    if (!r->is_borrowed)
        file_map_close(&r->map);
    mem_free(r->scratch);
    *r = (csv_reader){0};
}

static mien_status fail_at(const csv_reader *r, int64_t line, const char *fault)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %s", r->path, line, fault);
}

/* The row as the reader walks over it: text[at], below `end`, which is the file's end or the longest row's. */
typedef struct {
    const char *text;
    size_t at, end;
    char separator;
} cursor;

static bool is_space(char c, char separator)
{
    return (c == ' ' || c == '\t' || c == '\r') && c != separator;
}

static void skip_spaces(cursor *c)
{
    while (c->at < c->end && is_space(c->text[c->at], c->separator))
        c->at++;
}

static bool at_field_end(const cursor *c)
{
    return c->at >= c->end || c->text[c->at] == c->separator || c->text[c->at] == '\n';
}

static csv_field read_plain(cursor *c)
{
    size_t start = c->at;
    while (!at_field_end(c))
        c->at++;
    size_t end = c->at;
    while (end > start && is_space(c->text[end - 1], c->separator))
        end--;
    return (csv_field){c->text + start, end - start};
}

/* Copies a quoted field's inside to the scratch with each "" made one. */
static mien_status undouble(csv_reader *r, csv_field *field)
{
    if (!r->scratch)
        TRY(mem_alloc(&r->scratch, CSV_MAX_ROW_BYTES)); /* a row is no longer than that, nor are its fields together */
    char *start = r->scratch + r->scratch_used, *dst = start;
    for (size_t i = 0; i < field->length; i++) {
        *dst++ = field->text[i];
        if (field->text[i] == '"')
            i++;
    }
    *field = (csv_field){start, (size_t)(dst - start)};
    r->scratch_used += field->length;
    return MIEN_OK;
}

static mien_status read_quoted(csv_reader *r, csv_field *out, cursor *c)
{
    int64_t opened_on = r->next_line;
    size_t start = ++c->at;
    bool has_doubles = false;
    for (;; c->at++) {
        if (c->at >= c->end)
            return fail_at(r, opened_on, "quote never closed");
        if (c->text[c->at] == '\n')
            r->next_line++;
        if (c->text[c->at] != '"')
            continue;
        if (c->at + 1 >= c->end || c->text[c->at + 1] != '"')
            break;
        has_doubles = true;
        c->at++;
    }
    *out = (csv_field){c->text + start, c->at - start};
    c->at++;
    skip_spaces(c);
    if (!at_field_end(c))
        return fail_at(r, r->next_line, "text after a closing quote");
    return has_doubles ? undouble(r, out) : MIEN_OK;
}

/* Moves to the first line with something on it; false at the end of the file. */
static bool skip_blank_lines(csv_reader *r)
{
    cursor c = {(const char *)r->map.data, r->at, r->map.length, r->separator};
    for (;;) {
        skip_spaces(&c);
        if (c.at >= c.end || c.text[c.at] != '\n')
            break;
        c.at++;
        r->next_line++;
    }
    r->at = c.at;
    return c.at < c.end;
}

mien_status csv_next(csv_reader *r, bool *has_row)
{
    r->count = 0;
    r->scratch_used = 0;
    if (r->at == 0 && str_is_utf16((const char *)r->map.data, r->map.length))
        return fail_at(r, 1, "UTF-16 text (wanted UTF-8, which spreadsheets call \"CSV UTF-8\")");
    *has_row = skip_blank_lines(r);
    if (!*has_row)
        return MIEN_OK;
    r->line = r->next_line;
    size_t left = r->map.length - r->at;
    bool is_cut = left > CSV_MAX_ROW_BYTES;
    cursor c = {(const char *)r->map.data, r->at, r->at + (is_cut ? CSV_MAX_ROW_BYTES : left), r->separator};
    for (;;) {
        if (r->count == CSV_MAX_FIELDS)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": too many fields (wanted at most %d)", r->path,
                             r->line, CSV_MAX_FIELDS);
        csv_field *field = &r->fields[r->count];
        skip_spaces(&c);
        if (c.at < c.end && c.text[c.at] == '"')
            TRY(read_quoted(r, field, &c));
        else
            *field = read_plain(&c);
        r->count++;
        if (field->length && memchr(field->text, '\0', field->length))
            return fail_at(r, r->line, "NUL byte in text");
        if (c.at >= c.end || c.text[c.at] == '\n')
            break;
        c.at++; /* the separator */
    }
    if (c.at >= c.end && is_cut)
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": row too long (wanted at most %d bytes)", r->path,
                         r->line, CSV_MAX_ROW_BYTES);
    if (c.at < c.end) {
        c.at++;
        r->next_line++;
    }
    r->at = c.at;
    return MIEN_OK;
}

bool csv_field_equals(csv_field f, const char *text)
{
    return strlen(text) == f.length && (f.length == 0 || memcmp(f.text, text, f.length) == 0);
}

bool csv_field_text(char *dst, size_t bytes, csv_field f)
{
    if (f.length >= bytes)
        return false;
    if (f.length)
        memcpy(dst, f.text, f.length);
    dst[f.length] = '\0';
    return true;
}

/* Quotes are owed to what would end the field, to spaces at the ends, which readers drop, and to a byte order mark. */
static bool needs_quotes(const char *text, size_t length)
{
    return text[strcspn(text, ",\"\r\n")] != '\0' ||
           (length > 0 && (is_space(text[0], ',') || is_space(text[length - 1], ',') || text[0] == '\xEF'));
}

mien_status csv_quote(char *dst, size_t bytes, const char *text)
{
    size_t length = strlen(text), quotes = 0;
    bool is_quoted = needs_quotes(text, length);
    for (size_t i = 0; is_quoted && i < length; i++)
        quotes += text[i] == '"';
    size_t needed = length + quotes + (is_quoted ? 2 : 0) + 1;
    if (needed > bytes)
        return mien_fail(MIEN_ERR_ARG, "CSV field: %zu bytes of room (wanted %zu)", bytes, needed);
    if (is_quoted)
        *dst++ = '"';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"')
            *dst++ = '"';
        *dst++ = text[i];
    }
    if (is_quoted)
        *dst++ = '"';
    *dst = '\0';
    return MIEN_OK;
}
