/* Rows keep the list's order and spelling, because an organiser's script compares them as text. A picture without an
 * answer gets the most frequent class, and is counted. */
#include "task/submission.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- the list ----------------------------------------------------------------------------------------------------- */

/* Without the blanks around it. */
static char *trim(char *line)
{
    line += strspn(line, " \t\r");
    size_t end = strlen(line);
    while (end > 0 && strchr(" \t\r", line[end - 1]))
        end--;
    line[end] = '\0';
    return line;
}

/* "image", or "image,expression" and alike: no picture is called so. */
static bool is_header(const char *line)
{
    char first[8];
    size_t length = strcspn(line, ", \t");
    if (length >= sizeof first)
        return false;
    memcpy(first, line, length);
    first[length] = '\0';
    return str_equal_nocase(first, "image");
}

static mien_status add_line(label_list *l, const char *path, const char *name, int64_t line)
{
    if (file_leads_out(name))
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": %.200s leads out of the images' folder", path, line,
                         name);
    return list_add(l, name, strlen(name), SUBMISSION_UNKNOWN, line);
}

static mien_status add_lines(label_list *l, const char *path, char *text)
{
    char *rest = str_starts(text, "\xEF\xBB\xBF") ? text + 3 : text, *line;
    bool is_first = true;
    for (int64_t number = 1; (line = strsep(&rest, "\n")); number++) {
        line = trim(line);
        if (!*line)
            continue;
        if (!is_first || !is_header(line))
            TRY(add_line(l, path, line, number));
        is_first = false;
    }
    if (l->count == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no pictures (wanted a name a line)", path);
    return MIEN_OK;
}

mien_status submission_read_list(label_list *out, const char *path)
{
    char *text;
    size_t length;
    label_list l = {0};
    TRY(file_read(&text, &length, path, 0));
    mien_status st = MIEN_OK;
    if (str_is_utf16(text, length))
        st = mien_fail(MIEN_ERR_FORMAT, "%s: UTF-16 text (wanted UTF-8)", path);
    else if (memchr(text, '\0', length))
        st = mien_fail(MIEN_ERR_FORMAT, "%s: not text (wanted a name a line)", path);
    if (st == MIEN_OK)
        st = add_lines(&l, path, text);
    uint32_t *order = NULL;
    if (st == MIEN_OK)
        st = list_by_name(&order, &l, path); /* each name once */
    mem_free(order);
    mem_free(text);
    if (st != MIEN_OK) {
        list_free(&l);
        return st;
    }
    *out = l;
    return MIEN_OK;
}

/* --- the answers -------------------------------------------------------------------------------------------------- */

static int most_frequent(const label_list *rows, int class_count)
{
    int best = -1;
    int64_t most = 0;
    for (int c = 0; c < class_count; c++) {
        int64_t count = 0;
        for (int64_t i = 0; i < rows->count; i++)
            count += rows->label[i] == c;
        if (count > most) {
            most = count;
            best = c;
        }
    }
    return best;
}

bool submission_fill(label_list *rows, int class_count, int64_t *filled, int *fallback)
{
    *fallback = most_frequent(rows, class_count);
    *filled = 0;
    for (int64_t i = 0; *fallback >= 0 && i < rows->count; i++)
        if (rows->label[i] == SUBMISSION_UNKNOWN) {
            rows->label[i] = (uint16_t)*fallback;
            ++*filled;
        }
    return *fallback >= 0;
}

static size_t longest_name(const label_list *rows)
{
    size_t longest = 0;
    for (int64_t i = 0; i < rows->count; i++) {
        size_t length = strlen(list_name(rows, i));
        longest = length > longest ? length : longest;
    }
    return longest;
}

/* The name, quoted where it must be; field has room for every one (make_field). */
static mien_status write_name(file_writer *w, char *field, size_t room, const char *name)
{
    TRY(csv_quote(field, room, name));
    return file_write_bytes(w, field, strlen(field));
}

static mien_status make_field(char **out, size_t *room, const label_list *rows)
{
    *room = 2 * longest_name(rows) + 3;
    return mem_alloc(out, *room);
}

mien_status submission_write_lsd(file_writer *w, const label_list *rows)
{
    static const char header[] = "image,expression\n";
    size_t room;
    char *field;
    TRY(make_field(&field, &room, rows));
    mien_status st = file_write_bytes(w, header, sizeof header - 1);
    for (int64_t i = 0; st == MIEN_OK && i < rows->count; i++) {
        char rest[16];
        int length = snprintf(rest, sizeof rest, ",%d\n", rows->label[i]);
        st = write_name(w, field, room, list_name(rows, i));
        if (st == MIEN_OK)
            st = file_write_bytes(w, rest, (size_t)length);
    }
    mem_free(field);
    return st;
}

/* ",valence,arousal,expression,au .. au\n" into text, which it empties first. */
static mien_status print_answers(str *text, const char *name, const float va[2], int expression,
                                 const uint8_t au[CHALLENGE_AU_COUNT])
{
    text->length = 0;
    for (int k = 0; k < 2; k++) {
        if (!isfinite(va[k]))
            return mien_fail(MIEN_ERR_ARG, "%s: %s %g", name, k ? "arousal" : "valence", (double)va[k]);
        TRY(str_printf(text, ",%.6f", fmin(fmax((double)va[k], -1), 1)));
    }
    TRY(str_printf(text, ",%d", expression));
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        TRY(str_printf(text, ",%d", au[k] ? 1 : 0));
    return str_append(text, "\n");
}

mien_status submission_write_mtl(file_writer *w, const label_list *rows, const float *va, const uint8_t *au)
{
    static const char header[] = "image,valence,arousal,expression,aus\n";
    size_t room;
    char *field;
    str text = {0};
    TRY(make_field(&field, &room, rows));
    mien_status st = file_write_bytes(w, header, sizeof header - 1);
    for (int64_t i = 0; st == MIEN_OK && i < rows->count; i++) {
        const char *name = list_name(rows, i);
        st = print_answers(&text, name, va + i * 2, rows->label[i], au + i * CHALLENGE_AU_COUNT);
        if (st == MIEN_OK)
            st = write_name(w, field, room, name);
        if (st == MIEN_OK)
            st = file_write_bytes(w, text.text, text.length);
    }
    str_free(&text);
    mem_free(field);
    return st;
}
