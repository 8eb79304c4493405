/* What a person names on the command line becomes a plain list of pictures. */
#include "infer/infer.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/csv.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

typedef struct {
    char **names; /* [capacity], each owned */
    size_t count, capacity;
} name_list;

static mien_status add(name_list *list, const char *path)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        TRY(mem_resize_bytes((void **)&list->names, sizeof(char *) * list->capacity, sizeof(char *) * capacity));
        list->capacity = capacity;
    }
    TRY(mem_strdup(&list->names[list->count], path));
    list->count++;
    return MIEN_OK;
}

static bool has_extension(const char *path, const char *const *extensions)
{
    const char *dot = strrchr(file_base_name(path), '.');
    for (int i = 0; dot && extensions[i]; i++)
        if (str_equal_nocase(dot + 1, extensions[i]))
            return true;
    return false;
}
static const char *const picture_extensions[] = {"jpg", "jpeg", "png", "webp", NULL};
static const char *const list_extensions[] = {"txt", "csv", NULL};

/* --- folders ------------------------------------------------------------------------------------------------------ */

static mien_status add_folder(name_list *list, const char *folder, int depth, int64_t *other);

static mien_status add_entry(name_list *list, const char *path, int depth, int64_t *other)
{
    if (file_is_folder(path))
        return add_folder(list, path, depth + 1, other);
    if (has_extension(path, picture_extensions))
        return add(list, path);
    ++*other;
    return MIEN_OK;
}

static mien_status add_folder(name_list *list, const char *folder, int depth, int64_t *other)
{
    char **names;
    size_t count;
    if (depth > MAX_DEPTH)
        return mien_fail(MIEN_ERR_IO, "%s: folders nested too deep (a link that leads back?)", folder);
    TRY(file_list(&names, &count, folder));
    mien_status st = MIEN_OK;
    for (size_t i = 0; i < count; i++) {
        char *path = NULL;
        if (names[i][0] == '.')
            continue;
        TRY_OUT(file_join(&path, folder, names[i]));
        st = add_entry(list, path, depth, other);
        mem_free(path);
        TRY_OUT(st);
    }
out:
    file_list_free(names, count);
    return st;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

/* A path in a list is meant as seen from the list or, where there is no such file, from where the command runs (as
 * `find faces > list.txt` writes it). */
static mien_status add_listed(name_list *list, const char *list_path, const char *name)
{
    char *path, folder[PATH_MAX];
    int length = (int)(file_base_name(list_path) - list_path);
    snprintf(folder, sizeof folder, "%.*s", length > 0 ? length - 1 : 0, list_path);
    if (length == 1)
        snprintf(folder, sizeof folder, "/");
    TRY(file_join(&path, folder, name));
    mien_status st = add(list, !file_exists(path) && file_exists(name) ? name : path);
    mem_free(path);
    return st;
}

static mien_status add_csv(name_list *list, const char *path)
{
    csv_reader reader;
    bool has_row;
    mien_status st;
    TRY(csv_open(&reader, path));
    for (bool is_first = true;; is_first = false) {
        char name[PATH_MAX];
        TRY_OUT(csv_next(&reader, &has_row));
        if (!has_row)
            break;
        bool is_header =
            is_first && (csv_field_equals(reader.fields[0], "image") || csv_field_equals(reader.fields[0], "path"));
        if (is_header)
            continue;
        if (!csv_field_text(name, sizeof name, reader.fields[0]) || !name[0]) {
            st = mien_fail(MIEN_ERR_FORMAT, "%s: line %lld: no path in the first field", path, (long long)reader.line);
            goto out;
        }
        TRY_OUT(add_listed(list, path, name));
    }
out:
    csv_close(&reader);
    return st;
}

/* One path a line, blanks around it and blank lines apart; a file name may hold a comma or a quote. */
static mien_status add_lines(name_list *list, const char *path)
{
    char *text;
    size_t length;
    TRY(file_read(&text, &length, path, 0));
    mien_status st = MIEN_OK;
    if (memchr(text, '\0', length))
        st = mien_fail(MIEN_ERR_FORMAT, "%s: not text (wanted a path a line)", path);
    char *rest = str_starts(text, "\xEF\xBB\xBF") ? text + 3 : text, *line;
    while (st == MIEN_OK && (line = strsep(&rest, "\n"))) {
        line += strspn(line, " \t\r");
        size_t end = strlen(line);
        while (end > 0 && strchr(" \t\r", line[end - 1]))
            end--;
        line[end] = '\0';
        if (end > 0)
            st = add_listed(list, path, line);
    }
    mem_free(text);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static mien_status add_input(name_list *list, const char *input)
{
    size_t before = list->count;
    int64_t other = 0;
    if (file_is_folder(input)) {
        TRY(add_folder(list, input, 0, &other));
        if (list->count == before)
            return mien_fail(MIEN_ERR_FORMAT, "%s: no picture in this folder (wanted .jpg, .jpeg, .png or .webp)",
                             input);
        if (other > 0)
            log_notice("%s: left out %lld files that are no pictures by their names", input, (long long)other);
        return MIEN_OK;
    }
    if (!has_extension(input, list_extensions))
        return add(list, input); /* a missing or broken picture is told when its turn comes */
    TRY(has_extension(input, (const char *const[]){"csv", NULL}) ? add_csv(list, input) : add_lines(list, input));
    if (list->count == before)
        return mien_fail(MIEN_ERR_FORMAT, "%s: empty (wanted a path a line)", input);
    return MIEN_OK;
}

mien_status infer_expand_inputs(char ***out, size_t *out_count, const char *const *inputs, int count)
{
    name_list list = {0};
    for (int i = 0; i < count; i++) {
        mien_status st = add_input(&list, inputs[i]);
        if (st != MIEN_OK) {
            file_list_free(list.names, list.count);
            return st;
        }
    }
    *out = list.names;
    *out_count = list.count;
    return MIEN_OK;
}
