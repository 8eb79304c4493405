/* What a person names on the command line becomes a plain list of pictures. */
#include "infer/infer.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/walk.h"
#include "format/csv.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mien_status reserve(infer_inputs *in)
{
    if (in->count < in->capacity)
        return MIEN_OK;
    size_t capacity = in->capacity ? 2 * in->capacity : 64;
    TRY(mem_resize_bytes((void **)&in->paths, sizeof(char *) * in->count, sizeof(char *) * capacity));
    TRY(mem_resize_bytes((void **)&in->names, sizeof(char *) * in->count, sizeof(char *) * capacity));
    in->capacity = capacity;
    return MIEN_OK;
}

/* A picture that is called as it is found. */
static mien_status add(infer_inputs *in, const char *path)
{
    TRY(reserve(in));
    TRY(mem_strdup(&in->paths[in->count], path));
    in->names[in->count] = in->paths[in->count];
    in->count++;
    return MIEN_OK;
}

void infer_inputs_free(infer_inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->names[i] != in->paths[i])
            mem_free(in->names[i]);
        mem_free(in->paths[i]);
    }
    for (int i = 0; i < in->held_count; i++)
        close(in->held[i]);
    mem_free(in->paths);
    mem_free(in->names);
    mem_free(in->held);
    *in = (infer_inputs){0};
}

static bool has_extension(const char *path, const char *const *extensions)
{
    const char *dot = strrchr(file_base_name(path), '.');
    for (int i = 0; dot && extensions[i]; i++)
        if (str_equal_nocase(dot + 1, extensions[i]))
            return true;
    return false;
}
static const char *const picture_extensions[] = {"jpg", "jpeg", "jpe", "jfif", "jif", "png", "webp", NULL};
static const char *const csv_extensions[] = {"csv", NULL};
static const char *const list_extensions[] = {"txt", "csv", NULL};

/* --- folders ------------------------------------------------------------------------------------------------------ */

/* A folder is read by content, as labelled sets are; what only has a picture's name is one too, and told when it cannot
 * be read. Whatever else lies there was not meant. */
static bool is_picture(const char *path)
{
    char begin[IMAGE_SIGNATURE_BYTES];
    if (has_extension(path, picture_extensions))
        return true;
    int fd = file_open(path, O_RDONLY | O_NONBLOCK, 0);
    ssize_t length = fd >= 0 ? read(fd, begin, sizeof begin) : -1;
    if (fd >= 0)
        close(fd);
    return length > 0 && image_begins(begin, (size_t)length);
}

typedef struct {
    infer_inputs *in;
    int64_t other;
} folder_files;

static mien_status add_file(void *payload, const char *path)
{
    folder_files *f = payload;
    if (is_picture(path))
        return add(f->in, path);
    f->other++;
    return MIEN_OK;
}

static int by_path(const void *a, const void *b)
{
    return str_compare_natural(*(char *const *)a, *(char *const *)b);
}

static mien_status add_folder(infer_inputs *in, const char *folder)
{
    folder_files files = {.in = in};
    size_t before = in->count;
    TRY(walk_files(folder, add_file, &files));
    if (in->count == before)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no picture in this folder (wanted JPEG, PNG or WebP)", folder);
    qsort(in->paths + before, in->count - before, sizeof *in->paths, by_path);
    memcpy(in->names + before, in->paths + before, (in->count - before) * sizeof *in->names);
    if (files.other > 0)
        log_notice("%s: left out %lld files that are no pictures", folder, (long long)files.other);
    return MIEN_OK;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

/* A path in a list is meant as seen from the list or, where there is no such file, from where the command runs (as
 * `find faces > list.txt` writes it). */
static mien_status add_listed(infer_inputs *in, const char *list_path, char *name)
{
    char *path, folder[PATH_MAX];
    int length = (int)(file_base_name(list_path) - list_path);
    snprintf(folder, sizeof folder, "%.*s", length > 0 ? length - 1 : 0, list_path);
    if (length == 1)
        snprintf(folder, sizeof folder, "/");
    TRY(file_join(&path, folder, name));
    file_mend_backslashes(path);
    file_mend_backslashes(name);
    mien_status st = add(in, !file_exists(path) && file_exists(name) ? name : path);
    mem_free(path);
    return st;
}

static mien_status add_rows(infer_inputs *in, csv_reader *reader)
{
    for (bool is_first = true;; is_first = false) {
        bool has_row;
        char name[PATH_MAX];
        TRY(csv_next(reader, &has_row));
        if (!has_row)
            return MIEN_OK;
        csv_field field = reader->fields[0];
        if (is_first && (csv_field_equals(field, "image") || csv_field_equals(field, "path")))
            continue;
        if (field.length == 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %lld: no path in the first field", reader->path,
                             (long long)reader->line);
        if (!csv_field_text(name, sizeof name, field))
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %lld: path of %zu bytes (at most %d)", reader->path,
                             (long long)reader->line, field.length, PATH_MAX - 1);
        TRY(add_listed(in, reader->path, name));
    }
}

/* One path a line, blanks around it and blank lines apart; a file name may hold a comma or a quote. */
static mien_status add_lines(infer_inputs *in, const char *path, char *text, size_t length)
{
    if (str_is_utf16(text, length))
        return mien_fail(MIEN_ERR_FORMAT, "%s: UTF-16 text (wanted UTF-8)", path);
    if (memchr(text, '\0', length))
        return mien_fail(MIEN_ERR_FORMAT, "%s: not text (wanted a path a line)", path);
    char *rest = str_starts(text, "\xEF\xBB\xBF") ? text + 3 : text, *line;
    while ((line = strsep(&rest, "\n"))) {
        line += strspn(line, " \t\r");
        size_t end = strlen(line);
        while (end > 0 && strchr(" \t\r", line[end - 1]))
            end--;
        line[end] = '\0';
        if (end > 0)
            TRY(add_listed(in, path, line));
    }
    return MIEN_OK;
}

/* --- what is not a file on a disk --------------------------------------------------------------------------------- */

/* Keeps the picture where it has a path to be opened by, as long as these inputs live. */
static mien_status hold_picture(infer_inputs *in, const char *name, const char *bytes, size_t length)
{
    TRY(mem_resize_bytes((void **)&in->held, (size_t)in->held_count * sizeof(int),
                         (size_t)(in->held_count + 1) * sizeof(int)));
    TRY(reserve(in));
    char *path, *copy;
    TRY(file_hold(&in->held[in->held_count], &path, name, bytes, length));
    in->held_count++;
    mien_status st = mem_strdup(&copy, name);
    if (st != MIEN_OK) {
        mem_free(path);
        return st;
    }
    in->paths[in->count] = path;
    in->names[in->count++] = copy;
    return MIEN_OK;
}

/* A pipe's content says what it is: a picture, or a list of them. */
static mien_status add_stream(infer_inputs *in, const char *name, int fd, progress *p)
{
    char *text;
    size_t length;
    TRY(file_read_fd(&text, &length, fd, name, IMAGE_MAX_FILE_BYTES, p));
    mien_status st;
    if (image_begins(text, length)) {
        st = hold_picture(in, name, text, length);
    } else if (has_extension(name, csv_extensions)) {
        csv_reader reader;
        csv_open_bytes(&reader, text, length, name);
        st = add_rows(in, &reader);
        csv_close(&reader);
    } else {
        st = add_lines(in, name, text, length);
    }
    mem_free(text);
    return st;
}

static bool is_stream(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode) || S_ISSOCK(info.st_mode));
}

/* Opening does not wait for a writer, reading does. */
static mien_status add_pipe(infer_inputs *in, const char *path, progress *p)
{
    int fd = file_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return file_fail(path, "cannot open", errno);
    mien_status st = add_stream(in, path, fd, p);
    close(fd);
    return st;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static mien_status add_csv(infer_inputs *in, const char *path)
{
    csv_reader reader;
    TRY(csv_open(&reader, path));
    mien_status st = add_rows(in, &reader);
    csv_close(&reader);
    return st;
}

static mien_status add_text(infer_inputs *in, const char *path)
{
    char *text;
    size_t length;
    TRY(file_read(&text, &length, path, 0));
    mien_status st = add_lines(in, path, text, length);
    mem_free(text);
    return st;
}

static mien_status add_input(infer_inputs *in, const char *input, progress *p)
{
    size_t before = in->count;
    bool is_stdin = strcmp(input, "-") == 0, is_pipe = !is_stdin && is_stream(input);
    if (!is_stdin && file_is_folder(input))
        return add_folder(in, input);
    if (!is_stdin && !is_pipe && !has_extension(input, list_extensions))
        return add(in, input); /* a missing or broken picture is told when its turn comes */
    TRY(is_stdin                               ? add_stream(in, input, STDIN_FILENO, p)
        : is_pipe                              ? add_pipe(in, input, p)
        : has_extension(input, csv_extensions) ? add_csv(in, input)
                                               : add_text(in, input));
    if (in->count == before)
        return mien_fail(MIEN_ERR_FORMAT, "%s: empty (wanted %sa path a line)", input,
                         is_stdin || is_pipe ? "a picture, or " : "");
    return MIEN_OK;
}

mien_status infer_expand_inputs(infer_inputs *out, const char *const *inputs, int count, progress *p)
{
    infer_inputs in = {0};
    for (int i = 0; i < count; i++) {
        mien_status st = add_input(&in, inputs[i], p);
        if (st != MIEN_OK) {
            infer_inputs_free(&in);
            return st;
        }
    }
    *out = in;
    return MIEN_OK;
}
