/* Rows of runs that come early wait in a ring, so that memory does not grow with the set; who is a whole ring ahead
 * waits too. What a killed process leaves behind is told by the pictures' names: rows count as far as they are those of
 * the set, in order, and whole. */
#include "synth/set/rows.h"

#include "base/file.h"
#include "base/mem.h"
#include "synth/set/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define RING 64

static const struct {
    const char *name;
    mien_status (*header)(str *out, const synth_options *options);
} tables[ROWS_TABLES] = {{"labels.csv", labels_header}, {"landmarks.csv", landmarks_header}};

typedef struct {
    char *path, *part;
    int fd;
} table;

struct rows {
    const synth_options *options;
    table table[ROWS_TABLES];
    int64_t kept;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t moved;
    int64_t next; /* the run whose rows are written next */
    bool is_stopped;
    bool is_there[RING];
    str ring[RING][ROWS_TABLES];
};

/* Reads on from *at while there are whole rows of the set's pictures; returns how many runs are complete, at most
 * `most`, and leaves *at behind the last of them. */
static int64_t count_runs(const synth_options *o, const file_map *map, size_t *at, int64_t most)
{
    const int64_t row = synth_row(o);
    const char *text = (const char *)map->data;
    size_t place = *at;
    int64_t runs = 0;
    for (int64_t picture = 0; runs < most && picture < o->count; picture++) {
        char name[SYNTH_NAME_BYTES];
        synth_picture_name(name, o, picture);
        const size_t length = strlen(name);
        for (int i = synth_face_count(o, picture); i > 0; i--) {
            const char *end = place < map->length ? memchr(text + place, '\n', map->length - place) : NULL;
            if (!end || (size_t)(end - text) - place <= length || memcmp(text + place, name, length) != 0 ||
                text[place + length] != ',')
                return runs;
            place = (size_t)(end - text) + 1;
        }
        if ((picture + 1) % row == 0 || picture + 1 == o->count) {
            runs++;
            *at = place;
        }
    }
    return runs;
}

/* What both tables have of the set: how many runs, and where each table is to be cut. */
static mien_status find_kept(rows *w, size_t cut[ROWS_TABLES])
{
    mien_status st;
    str header = {0};
    file_map map[ROWS_TABLES] = {0};
    int64_t most = INT64_MAX;
    for (int pass = 0; pass < 2; pass++) /* first how many each has, then where the fewest end */
        for (int t = 0; t < ROWS_TABLES; t++) {
            header.length = 0;
            TRY_OUT(tables[t].header(&header, w->options));
            if (pass == 0 && file_exists(w->table[t].part))
                TRY_OUT(file_map_open(&map[t], w->table[t].part));
            bool has_header = map[t].length >= header.length && memcmp(map[t].data, header.text, header.length) == 0;
            cut[t] = has_header ? header.length : 0;
            int64_t runs = has_header ? count_runs(w->options, &map[t], &cut[t], most) : 0;
            if (runs < most)
                most = runs;
        }
    w->kept = w->next = most;
    st = MIEN_OK;
out:
    for (int t = 0; t < ROWS_TABLES; t++)
        file_map_close(&map[t]);
    str_free(&header);
    return st;
}

/* Opened, locked, cut, and with the header where it is new. */
static mien_status table_open(table *t, const synth_options *o, int number, size_t cut)
{
    t->fd = file_open(t->part, O_WRONLY | O_CREAT, 0666);
    if (t->fd < 0)
        return file_fail(t->part, "cannot write", errno);
    if (flock(t->fd, LOCK_EX | LOCK_NB) != 0)
        return mien_fail(MIEN_ERR_IO, "%s: another run is writing this set", t->part);
    if (ftruncate(t->fd, (off_t)cut) != 0 || lseek(t->fd, 0, SEEK_END) < 0)
        return file_fail(t->part, "cannot write", errno);
    if (cut > 0)
        return MIEN_OK;
    str header = {0};
    mien_status st = tables[number].header(&header, o);
    if (st == MIEN_OK)
        st = file_write_fd(t->fd, t->part, header.text, header.length);
    str_free(&header);
    return st;
}

static mien_status rows_begin(rows *w)
{
    size_t cut[ROWS_TABLES] = {0};
    for (int t = 0; t < ROWS_TABLES; t++) {
        str part = {0};
        TRY(file_join(&w->table[t].path, w->options->out, tables[t].name));
        TRY(str_printf(&part, "%s.part", w->table[t].path));
        w->table[t].part = part.text;
        /* a whole set that is resumed is one whose rows are all there */
        if (w->options->resume && file_exists(w->table[t].path) && rename(w->table[t].path, w->table[t].part) != 0)
            return file_fail(w->table[t].path, "cannot rename", errno);
    }
    if (w->options->resume)
        TRY(find_kept(w, cut));
    for (int t = 0; t < ROWS_TABLES; t++)
        TRY(table_open(&w->table[t], w->options, t, cut[t]));
    return MIEN_OK;
}

mien_status rows_open(rows **out, const synth_options *options)
{
    rows *w;
    TRY(mem_zalloc(&w, 1));
    w->options = options;
    for (int t = 0; t < ROWS_TABLES; t++)
        w->table[t].fd = -1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->moved, NULL);
    mien_status st = rows_begin(w);
    if (st == MIEN_OK)
        *out = w;
    else
        rows_free(w);
    return st;
}

int64_t rows_kept(const rows *w)
{
    return w->kept;
}

int64_t rows_written(rows *w)
{
    pthread_mutex_lock(&w->lock);
    int64_t next = w->next;
    pthread_mutex_unlock(&w->lock);
    return next;
}

/* Writes what is next, as long as it is there. */
static mien_status write_ready(rows *w)
{
    while (w->is_there[w->next % RING]) {
        const int64_t slot = w->next % RING;
        for (int t = 0; t < ROWS_TABLES; t++) {
            str *text = &w->ring[slot][t];
            TRY(file_write_fd(w->table[t].fd, w->table[t].part, text->text, text->length));
            str_free(text);
        }
        w->is_there[slot] = false;
        w->next++;
    }
    return MIEN_OK;
}

mien_status rows_add(rows *w, int64_t run, str text[ROWS_TABLES])
{
    mien_status st = MIEN_OK;
    pthread_mutex_lock(&w->lock);
    while (run >= w->next + RING && !w->is_stopped)
        pthread_cond_wait(&w->moved, &w->lock);
    if (run < w->next + RING) {
        for (int t = 0; t < ROWS_TABLES; t++) {
            w->ring[run % RING][t] = text[t];
            text[t] = (str){0};
        }
        w->is_there[run % RING] = true;
        st = write_ready(w);
        pthread_cond_broadcast(&w->moved);
    }
    pthread_mutex_unlock(&w->lock);
    return st;
}

void rows_stop(rows *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_stopped = true;
    pthread_cond_broadcast(&w->moved);
    pthread_mutex_unlock(&w->lock);
}

mien_status rows_commit(rows *w)
{
    for (int t = ROWS_TABLES - 1; t >= 0; t--) {
        table *own = &w->table[t];
        if (fsync(own->fd) != 0)
            return file_fail(own->part, "cannot write", errno);
        if (rename(own->part, own->path) != 0)
            return file_fail(own->path, "cannot rename into place", errno);
    }
    return MIEN_OK;
}

void rows_free(rows *w)
{
    if (!w)
        return;
    for (int t = 0; t < ROWS_TABLES; t++) {
        if (w->table[t].fd >= 0)
            close(w->table[t].fd);
        mem_free(w->table[t].path);
        mem_free(w->table[t].part);
        for (int i = 0; i < RING; i++)
            str_free(&w->ring[i][t]);
    }
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->moved);
    mem_free(w);
}
