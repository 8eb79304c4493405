/* A resumed run repeats the steps since its checkpoint, so that lines past it are cut before the first new one: the log
 * reads as if nothing had happened. The last line may be torn by the kill and goes as well. */
#include "train/run_log.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "train/run_events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 8192 };

struct run_log {
    char *path;
    int fd;
    bool is_empty;
    run_events *events;
};

/* --- what a resumed run keeps ------------------------------------------------------------------------------------- */

static bool is_text(const json_t *line, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(line, key));
    return value && strcmp(value, text) == 0;
}

static bool is_covered_by(const json_t *line, const run_log_mark *mark)
{
    if (mark->is_finished)
        return true;
    if (!mark->has_checkpoint || is_text(line, "event", "done"))
        return false;
    if (is_text(line, "event", "epoch"))
        return json_integer_value(json_object_get(line, "epoch")) <= mark->epochs;
    return json_integer_value(json_object_get(line, "step")) <= mark->step; /* "start" has none: 0 */
}

static bool is_covered(const json_t *line, const run_log_mark *marks, int mark_count)
{
    if (!json_object_get(line, "member"))
        return true;
    for (int i = 0; i < mark_count; i++)
        if (is_text(line, "member", marks[i].member) && is_text(line, "stage", marks[i].stage))
            return is_covered_by(line, &marks[i]);
    return false;
}

/* Appends the lines that stay; nothing does behind one that is torn. */
static mien_status keep_covered(str *kept, const char *text, size_t length, const run_log_mark *marks, int mark_count)
{
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        if (!end)
            break;
        size_t line_length = (size_t)(end - (text + at));
        json_t *line = json_loadb(text + at, line_length, JSON_REJECT_DUPLICATES, NULL);
        bool is_whole = json_is_object(line), stays = is_whole && is_covered(line, marks, mark_count);
        json_decref(line);
        if (!is_whole)
            break;
        if (stays)
            TRY(str_append_bytes(kept, text + at, line_length + 1));
        at += line_length + 1;
    }
    return MIEN_OK;
}

/* The events of whole lines. */
static mien_status repeat_events(run_log *log, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t line_length = (size_t)(end - (text + at));
        TRY(run_events_add(log->events, text + at, line_length));
        at += line_length + 1;
    }
    return run_events_cut(log->events);
}

static mien_status open_lines(run_log *log)
{
    log->fd = file_open(log->path, O_RDWR | O_CREAT | O_APPEND, 0666);
    return log->fd >= 0 ? MIEN_OK : file_fail(log->path, "cannot write", errno);
}

/* Lines that go are the last ones, unless a member's stage that was done goes on before those of others. */
static mien_status put_back(run_log *log, const str *kept, const char *text, size_t length)
{
    if (kept->length == length)
        return MIEN_OK;
    if (kept->length == 0 || memcmp(kept->text, text, kept->length) == 0)
        return ftruncate(log->fd, (off_t)kept->length) == 0 ? MIEN_OK : file_fail(log->path, "cannot cut", errno);
    TRY(file_write_all(log->path, kept->text, kept->length));
    close(log->fd);
    return open_lines(log);
}

static mien_status cut(run_log *log, const run_log_mark *marks, int mark_count)
{
    char *text = NULL;
    size_t length;
    str kept = {0};
    mien_status st;
    TRY(file_read(&text, &length, log->path, 0));
    TRY_OUT(keep_covered(&kept, text, length, marks, mark_count));
    log->is_empty = kept.length == 0;
    TRY_OUT(put_back(log, &kept, text, length));
    st = repeat_events(log, kept.text, kept.length);
out:
    str_free(&kept);
    mem_free(text);
    return st;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* The events stand beside the log. */
static mien_status open_events(run_log *log)
{
    char *path;
    TRY(mem_alloc(&path, strlen(log->path) + sizeof RUN_EVENTS_NAME));
    strcpy(path, log->path);
    strcpy((char *)file_base_name(path), RUN_EVENTS_NAME);
    mien_status st = run_events_open(&log->events, path);
    mem_free(path);
    return st;
}

mien_status run_log_open(run_log **out, const char *path, const run_log_mark *marks, int mark_count)
{
    mien_status st;
    run_log *log = NULL;
    TRY(mem_zalloc(&log, 1));
    log->fd = -1;
    TRY_OUT(mem_strdup(&log->path, path));
    TRY_OUT(open_lines(log));
    TRY_OUT(open_events(log));
    TRY_OUT(cut(log, marks, mark_count));
    *out = log;
    log = NULL;
out:
    run_log_close(log);
    return st;
}

void run_log_close(run_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    run_events_close(log->events);
    mem_free(log->path);
    mem_free(log);
}

bool run_log_is_empty(const run_log *log)
{
    return log->is_empty;
}

static mien_status write_line(run_log *log, char *line, size_t length)
{
    line[length] = '\n';
    log->is_empty = false;
    TRY(file_write_fd(log->fd, log->path, line, length + 1));
    return run_events_add(log->events, line, length);
}

mien_status run_log_write(run_log *log, json_t *object)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(9);
    char line[LINE_BYTES], *longer = NULL; /* no memory of ours: lines are written between steps */
    TRY(json_check(object));
    size_t length = json_dumpb(object, line, sizeof line - 1, flags);
    mien_status st = MIEN_OK;
    if (length == 0)
        st = mien_fail(MIEN_ERR_INTERNAL, "%s: a line that is no JSON", log->path);
    else if (length < sizeof line)
        st = write_line(log, line, length);
    else if ((st = mem_alloc(&longer, length + 1)) == MIEN_OK) { /* thousands of classes, before the first step */
        length = json_dumpb(object, longer, length, flags);
        st = write_line(log, longer, length);
    }
    json_decref(object);
    mem_free(longer);
    return st;
}

void run_log_add_scores(json_t *line, const task_score *scores, int count)
{
    char key[TASK_NAME_BYTES + 8];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "val_%s", scores[i].name);
        json_object_set_new(line, key, json_real(scores[i].value));
    }
}

mien_status run_log_sync(run_log *log)
{
    if (fdatasync(log->fd) != 0 && errno != EINVAL) /* pipes and the like cannot */
        return file_fail(log->path, "cannot write", errno);
    return MIEN_OK;
}
