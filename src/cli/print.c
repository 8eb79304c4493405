/* Results: tables for people, JSON for programs, files put in place whole. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int print_json(console *c, FILE *to, json_t *document)
{
    /* jansson answers NULL where memory is short or a number is not finite */
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(document);
    if (!text) {
        console_say(c, "JSON: the result cannot be written (out of memory, or a number that is not finite)");
        return EXIT_FAILED;
    }
    fprintf(to, "%s\n", text);
    free(text);
    return EXIT_DONE;
}

int print_text(console *c, mien_status (*make)(char **out))
{
    char *text = NULL;
    mien_status st = make(&text);
    if (st)
        return console_fail(c, st);
    fputs(text, stdout);
    mien_text_free(text);
    return EXIT_DONE;
}

/* A column has room for its title and for a number. */
static int width_of_column(const mien_evaluation *e, int column)
{
    const int length = (int)strlen(mien_evaluation_column(e, column, NULL));
    return length > 9 ? length : 9;
}

void print_metrics_head(FILE *to, int name_width, const mien_evaluation *e)
{
    fprintf(to, "%-*s", name_width, "name");
    for (int i = 0; i < mien_evaluation_column_count(e); i++)
        fprintf(to, "  %*s", width_of_column(e, i), mien_evaluation_column(e, i, NULL));
    putc('\n', to);
}

void print_metrics_row(FILE *to, int name_width, const mien_evaluation *e, const mien_metrics *m)
{
    fprintf(to, "%-*s", name_width, m->name);
    for (int i = 0; i < mien_evaluation_column_count(e); i++) {
        const char *name = NULL;
        (void)mien_evaluation_column(e, i, &name);
        const mien_metric *item = mien_metrics_find(m, name);
        fprintf(to, "  %*.4f", width_of_column(e, i), item ? item->value : NAN);
    }
    putc('\n', to);
}

static json_t *confusion_rows(const mien_evaluation *e, const mien_metrics *m)
{
    const int classes = mien_evaluation_class_count(e);
    json_t *rows = json_array();
    for (int i = 0; i < classes; i++) {
        json_t *row = json_array();
        for (int j = 0; j < classes; j++)
            json_array_append_new(row, json_integer(m->confusion[i * classes + j]));
        json_array_append_new(rows, row);
    }
    return rows;
}

/* "f1" of "f1.anger", into dst; false where the item is of no list. */
static bool list_of_item(char dst[64], const mien_metric *item)
{
    const char *dot = strchr(item->name, '.');
    snprintf(dst, 64, "%.*s", dot ? (int)(dot - item->name) : 0, item->name);
    return dot != NULL;
}

/* What cannot be told of a set, as the AUC of a unit that is never active, is null; counts ("n_va") are whole. */
static json_t *number_of_item(const mien_metric *item)
{
    if (!isfinite(item->value))
        return json_null();
    return strncmp(item->name, "n_", 2) == 0 ? json_integer((json_int_t)item->value) : json_real(item->value);
}

void json_set_metrics(json_t *object, const mien_evaluation *e, const mien_metrics *m)
{
    for (int i = 0; i < m->count; i++) {
        char name[64];
        if (!list_of_item(name, &m->items[i])) {
            json_object_set_new(object, m->items[i].name, number_of_item(&m->items[i]));
            continue;
        }
        json_t *list = json_object_get(object, name);
        if (!list) {
            list = json_array();
            json_object_set_new(object, name, list);
            if (m->confusion)
                json_object_set_new(object, "confusion", confusion_rows(e, m));
        }
        json_array_append_new(list, number_of_item(&m->items[i]));
    }
}

/* Bytes of the valid UTF-8 sequence at p, or 0. */
static int utf8_length(const unsigned char *p)
{
    int length = p[0] < 0x80                   ? 1
                 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                 : (p[0] & 0xf0) == 0xe0       ? 3
                 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                               : 0;
    for (int i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool is_bad = (length == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0))) ||
                  (length == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90)));
    return is_bad ? 0 : length;
}

json_t *json_text(const char *text)
{
    json_t *whole = json_string(text);
    char *fixed = whole ? NULL : malloc(3 * strlen(text) + 1);
    if (!fixed)
        return whole;
    char *to = fixed;
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int length = utf8_length(p);
        memcpy(to, length ? (const char *)p : "\xef\xbf\xbd", length ? (size_t)length : 3);
        to += length ? length : 3;
        p += length ? length : 1;
    }
    *to = '\0';
    whole = json_string(fixed);
    free(fixed);
    return whole;
}

void print_csv(FILE *to, const char *text)
{
    size_t length = strlen(text);
    bool is_plain = !strpbrk(text, ",\"\r\n") && (!length || (text[0] != ' ' && text[length - 1] != ' '));
    if (is_plain) {
        fputs(text, to);
        return;
    }
    putc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            putc('"', to);
        putc(*text, to);
    }
    putc('"', to);
}

static void output_free(cli_output *out)
{
    free(out->part);
    free(out->target);
}

/* Where the file goes: a link stays one, and a device or a pipe (/dev/stdout, >(...)) is written, not replaced. */
static int choose_part(cli_output *out)
{
    struct stat info;
    if (stat(out->path, &info) != 0)
        out->target = strdup(out->path);
    else if (!S_ISREG(info.st_mode))
        return 0;
    else
        out->target = realpath(out->path, NULL);
    if (!out->target)
        return errno;
    if (asprintf(&out->part, "%s.part", out->target) >= 0)
        return 0;
    out->part = NULL;
    return ENOMEM;
}

int output_open(console *c, cli_output *out, const char *path)
{
    *out = (cli_output){.stream = stdout, .path = path};
    if (!path)
        return 0;
    int error = choose_part(out);
    if (!error) {
        out->stream = fopen(out->part ? out->part : path, "w");
        error = out->stream ? 0 : errno;
    }
    if (!error)
        return 0;
    console_say(c, "%s: %s", path, strerror(error));
    output_free(out);
    return EXIT_FAILED;
}

/* Everything on the disk, and the stream closed: 0, or the reason. */
static int finish_stream(const cli_output *out)
{
    errno = 0;
    bool had_error = ferror(out->stream); /* whose errno is gone by now */
    bool is_written = fflush(out->stream) == 0 && (!out->part || fsync(fileno(out->stream)) == 0);
    int error = is_written ? 0 : errno;
    if (fclose(out->stream) && !error)
        error = errno;
    return error ? error : had_error ? EIO : 0;
}

int output_close(console *c, cli_output *out, bool is_good)
{
    if (!out->path)
        return 0; /* main looks after stdout */
    int error = finish_stream(out);
    if (is_good && !error && out->part && rename(out->part, out->target))
        error = errno;
    if (out->part && (!is_good || error))
        unlink(out->part);
    if (is_good && error)
        console_say(c, "%s: %s", out->path, strerror(error));
    output_free(out);
    return is_good && error ? EXIT_FAILED : 0;
}
