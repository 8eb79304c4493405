/* A rule says which keys of which lines are curves; each line of the log becomes one record at most, from the line
 * alone. */
#include "train/run_events.h"

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "format/tensorboard.h"
#include "task/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CURVE_MAX = TASK_MAX_SCORES + 2, TAG_BYTES = 160, RECORD_BYTES = 4096 };

/* The curve that a key of a line belongs to: scores of an epoch and its training loss under their own names; NULL:
 * none. */
static const char *curve_of(const char *event, const char *key)
{
    if (strcmp(event, "step") == 0)
        return strcmp(key, "loss") == 0 ? "step_loss" : strcmp(key, "lr") == 0 ? key : NULL;
    bool is_score = strncmp(key, "val_", 4) == 0 || strcmp(key, "train_loss") == 0;
    return strcmp(event, "epoch") == 0 && is_score ? key : NULL;
}

struct run_events {
    char *path;
    int fd;
};

mien_status run_events_open(run_events **out, const char *path)
{
    mien_status st;
    run_events *e = NULL;
    uint8_t record[RECORD_BYTES];
    size_t length;
    TRY(mem_zalloc(&e, 1));
    e->fd = -1;
    TRY_OUT(mem_strdup(&e->path, path));
    e->fd = file_open(path, O_WRONLY | O_CREAT, 0666);
    if (e->fd < 0) {
        st = file_fail(path, "cannot write", errno);
        goto out;
    }
    TRY_OUT(tb_version_record(record, sizeof record, &length));
    TRY_OUT(file_write_fd(e->fd, e->path, record, length));
    *out = e;
    e = NULL;
out:
    run_events_close(e);
    return st;
}

void run_events_close(run_events *e)
{
    if (!e)
        return;
    if (e->fd >= 0)
        close(e->fd);
    mem_free(e->path);
    mem_free(e);
}

static mien_status add_object(run_events *e, json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event")), *key;
    const char *member = json_string_value(json_object_get(line, "member"));
    const char *stage = json_string_value(json_object_get(line, "stage"));
    char tags[CURVE_MAX][TAG_BYTES];
    tb_scalar scalars[CURVE_MAX];
    json_t *value;
    int count = 0;
    if (!event || !member || !stage)
        return MIEN_OK;
    json_object_foreach(line, key, value)
    {
        const char *curve = curve_of(event, key);
        if (!curve || !json_is_number(value) || count == CURVE_MAX)
            continue;
        snprintf(tags[count], TAG_BYTES, "%s/%s-%s", curve, member, stage);
        scalars[count] = (tb_scalar){tags[count], (float)json_number_value(value)};
        count++;
    }
    if (count == 0)
        return MIEN_OK;
    uint8_t record[RECORD_BYTES];
    size_t length;
    TRY(tb_scalar_record(record, sizeof record, &length, json_integer_value(json_object_get(line, "step")), scalars,
                         count));
    return file_write_fd(e->fd, e->path, record, length);
}

mien_status run_events_add(run_events *e, const char *line, size_t length)
{
    json_t *object;
    TRY(json_parse(&object, line, length, e->path));
    mien_status st = add_object(e, object);
    json_decref(object);
    return st;
}

mien_status run_events_cut(run_events *e)
{
    off_t end = lseek(e->fd, 0, SEEK_CUR);
    if (end < 0 || ftruncate(e->fd, end) != 0)
        return file_fail(e->path, "cannot cut", errno);
    return MIEN_OK;
}
