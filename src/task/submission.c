/* Rows keep the list's order and spelling, because an organiser's script compares them as text. A picture without an
 * answer gets the most frequent class, and is counted. */
#include "task/submission.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
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

static mien_status write_row(file_writer *w, char *field, size_t room, const char *name, int label)
{
    char rest[16];
    TRY(csv_quote(field, room, name));
    int length = snprintf(rest, sizeof rest, ",%d\n", label);
    TRY(file_write_bytes(w, field, strlen(field)));
    return file_write_bytes(w, rest, (size_t)length);
}

mien_status submission_write_lsd(file_writer *w, const label_list *rows)
{
    static const char header[] = "image,expression\n";
    size_t room = 2 * longest_name(rows) + 3;
    char *field;
    TRY(mem_alloc(&field, room));
    mien_status st = file_write_bytes(w, header, sizeof header - 1);
    for (int64_t i = 0; st == MIEN_OK && i < rows->count; i++)
        st = write_row(w, field, room, list_name(rows, i), rows->label[i]);
    mem_free(field);
    return st;
}
