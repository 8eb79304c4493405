/* Threads take a person's pictures at a time as they become free. A face is drawn from a stream named by its number,
 * whichever thread draws it, and what is there already, with its rows, is skipped. */
#include "synth/set/synth.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/team.h"
#include "base/thread.h"
#include "synth/draw/render.h"
#include "synth/set/cast.h"
#include "synth/set/drawer.h"
#include "synth/set/faces.h"
#include "synth/set/labels.h"
#include "synth/set/rows.h"
#include "synth/set/set_folder.h"
#include "synth/set/sheet.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* What a run's threads share. */
typedef struct {
    const synth_options *options;
    const head *h;
    progress *progress;
    rows *rows;
    int64_t count, row;       /* pictures; how many in a row a thread takes: one person's */
    atomic_int_fast64_t next; /* the first picture that nobody has taken */
    atomic_int_fast64_t done;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards all below */
    mien_status failure;  /* the first picture's, in the set's order, that failed */
    int64_t failed_picture;
    char text[1024];
} run_state;

static mien_status write_picture(const drawer *d, const char *path)
{
    char *slash = strrchr(path, '/');
    *slash = '\0'; /* the picture's folder, which may be its person's or clip's own */
    mien_status st = file_make_folders(path);
    *slash = '/';
    TRY(st);
    return image_write_jpeg(path, &d->picture, d->faces[0].face.shot.quality);
}

static mien_status add_rows(str text[ROWS_TABLES], const drawer *d, const run_state *run, int64_t picture)
{
    char name[SYNTH_NAME_BYTES];
    synth_picture_name(name, run->options, picture);
    for (int i = 0; i < d->face_count; i++) {
        const synth_face *f = &d->faces[i].face;
        synth_told told = synth_labels_told(run->options, f->number);
        TRY(labels_row(&text[0], run->options, name, i, f, &d->faces[i].who, told));
        TRY(landmarks_row(&text[1], run->options, name, i, f));
    }
    return MIEN_OK;
}

/* A picture whose rows are kept is left alone where it is there. text: NULL where the rows are kept. */
static mien_status draw_picture(drawer *d, str *text, const run_state *run, int64_t picture)
{
    const synth_options *o = run->options;
    char name[SYNTH_NAME_BYTES], *path;
    synth_picture_name(name, o, picture);
    TRY(file_join(&path, o->out, name));
    mien_status st = MIEN_OK;
    if (!text && file_exists(path))
        goto out;
    TRY_OUT(drawer_draw(d, picture));
    TRY_OUT(write_picture(d, path));
    if (text)
        TRY_OUT(add_rows(text, d, run, picture));
out:
    mem_free(path);
    return st;
}

static void stop_run(run_state *run)
{
    atomic_store(&run->stop, true);
    rows_stop(run->rows);
}

static void record_failure(run_state *run, mien_status st, int64_t picture)
{
    pthread_mutex_lock(&run->lock);
    if (run->failure == MIEN_OK || picture < run->failed_picture) {
        run->failure = st;
        run->failed_picture = picture;
        status_text_save(run->text, sizeof run->text);
    }
    pthread_mutex_unlock(&run->lock);
    stop_run(run);
}

/* The pictures of one row from `first` on. */
static void draw_row(drawer *d, run_state *run, int64_t first, bool is_caller)
{
    str text[ROWS_TABLES] = {0};
    const int64_t end = first + run->row < run->count ? first + run->row : run->count;
    const bool is_kept = first / run->row < rows_kept(run->rows);
    int64_t i = first;
    for (; i < end && !atomic_load(&run->stop); i++) {
        mien_status st = draw_picture(d, is_kept ? NULL : text, run, i);
        if (st == MIEN_OK && i + 1 == end && !is_kept)
            st = rows_add(run->rows, first / run->row, text);
        if (st != MIEN_OK)
            record_failure(run, st, i);
        atomic_fetch_add(&run->done, 1);
        /* the caller's own thread talks to the caller */
        if (is_caller && progress_tell(run->progress, "faces", atomic_load(&run->done), run->count, NULL))
            stop_run(run);
    }
    for (int t = 0; t < ROWS_TABLES; t++)
        str_free(&text[t]);
}

/* A thread takes one row after another; part 0 is the caller. */
static void draw_part(void *context, int part)
{
    run_state *run = context;
    drawer *d;
    mien_status st = drawer_create(&d, run->options, run->h);
    if (st != MIEN_OK) {
        record_failure(run, st, -1);
        return;
    }
    while (!atomic_load(&run->stop)) {
        int64_t first = atomic_fetch_add(&run->next, run->row);
        if (first >= run->count)
            break;
        draw_row(d, run, first, part == 0);
    }
    drawer_free(d);
}

static mien_status draw_faces(run_state *run)
{
    int64_t rows_in_all = (run->count + run->row - 1) / run->row;
    int threads = run->options->threads > 0 ? run->options->threads : thread_cores();
    if (threads > rows_in_all)
        threads = (int)rows_in_all;
    team *t;
    TRY(team_create(&t, threads));
    team_run(t, threads, draw_part, run);
    team_free(t);
    if (run->failure != MIEN_OK) {
        status_text_load(run->text);
        return run->failure;
    }
    if (atomic_load(&run->done) < run->count || rows_written(run->rows) < rows_in_all)
        return mien_fail(MIEN_ERR_CANCELLED, "%s: stopped after %" PRId64 " of %" PRId64 " faces", run->options->out,
                         (int64_t)atomic_load(&run->done), run->count);
    return MIEN_OK;
}

/* Clips, crowds and sets of people ask more of the count. */
static mien_status check_kind(const synth_options *o)
{
    if (o->clip < 0 || o->clip == 1 || o->clip > SYNTH_MAX_CLIP)
        return mien_fail(MIEN_ERR_ARG, "clip: %d frames (wanted 2..%d)", o->clip, SYNTH_MAX_CLIP);
    if (o->crowd < 0 || o->crowd == 1 || o->crowd > SYNTH_MAX_CROWD)
        return mien_fail(MIEN_ERR_ARG, "crowd: %d heads (wanted 2..%d)", o->crowd, SYNTH_MAX_CROWD);
    if ((o->clip > 0) + (o->crowd > 0) + (o->task == SYNTH_IDENTITY) > 1)
        return mien_fail(MIEN_ERR_ARG, "clip, crowd and task identity exclude each other");
    if (!o->out)
        return MIEN_OK;
    if (o->clip > 0 && o->count % o->clip != 0)
        return mien_fail(MIEN_ERR_ARG, "count: %" PRId64 " (wanted a multiple of a clip's %d frames)", o->count,
                         o->clip);
    const int64_t people = synth_people(o);
    if (o->crowd > 0 && people < o->crowd)
        return mien_fail(MIEN_ERR_ARG, "identities: %" PRId64 " (wanted %d or more, as a crowd has)", people, o->crowd);
    if (o->task == SYNTH_IDENTITY && o->count % people != 0)
        return mien_fail(MIEN_ERR_ARG, "count: %" PRId64 " (wanted a multiple of the %" PRId64 " identities)", o->count,
                         people);
    return MIEN_OK;
}

mien_status synth_check_set(const synth_options *o)
{
    if (!synth_task_name((int)o->task))
        return mien_fail(MIEN_ERR_ARG, "task: %d (wanted lsd, mtl or identity)", (int)o->task);
    if (o->missing != SYNTH_COMPLETE && o->task != SYNTH_MTL)
        return mien_fail(MIEN_ERR_ARG, "missing: of %s sets nothing is left out (wanted task mtl)",
                         synth_task_name((int)o->task));
    if (o->count < 0 || o->count > SYNTH_MAX_COUNT)
        return mien_fail(MIEN_ERR_ARG, "count: %" PRId64 " (wanted 1..%d)", o->count, SYNTH_MAX_COUNT);
    if (o->identities < 0 || o->identities > SYNTH_MAX_COUNT || o->first_identity < 0 || o->first_identity > INT32_MAX)
        return mien_fail(MIEN_ERR_ARG, "identities: %" PRId64 " from %" PRId64 " on (wanted at most %d, from 0..%d)",
                         o->identities, o->first_identity, SYNTH_MAX_COUNT, INT32_MAX);
    if (o->size < RENDER_MIN_SIZE || o->size > RENDER_MAX_SIZE)
        return mien_fail(MIEN_ERR_ARG, "size: %d (wanted %d..%d)", o->size, RENDER_MIN_SIZE, RENDER_MAX_SIZE);
    return check_kind(o);
}

static mien_status check_options(const synth_options *o)
{
    if (!o->face_path)
        return mien_fail(MIEN_ERR_ARG, "face: no face model given");
    if (o->more_face_count < 0 || o->more_face_count >= CAST_MAX || !(o->face_share >= 0 && o->face_share <= 1))
        return mien_fail(MIEN_ERR_ARG, "face: %d models, the first for a share of %g (wanted at most %d, 0..1)",
                         1 + o->more_face_count, (double)o->face_share, CAST_MAX);
    if (!o->out && !o->sheet && !o->quiz)
        return mien_fail(MIEN_ERR_ARG, "out: neither a folder nor a sheet or quiz to write");
    TRY(synth_check_set(o));
    if (o->out && o->count < 1)
        return mien_fail(MIEN_ERR_ARG, "count: %" PRId64 " (wanted 1..%d)", o->count, SYNTH_MAX_COUNT);
    if (o->out && o->crowd <= 0 && o->identities > o->count)
        return mien_fail(MIEN_ERR_ARG, "identities: %" PRId64 " (wanted at most the count, %" PRId64 ")", o->identities,
                         o->count);
    if (o->sheet && !synth_sheet_name(o->sheet_kind))
        return mien_fail(MIEN_ERR_ARG, "sheet: kind %d (wanted one that has a name)", o->sheet_kind);
    if (o->resume && o->force)
        return mien_fail(MIEN_ERR_ARG, "resume and force exclude each other");
    return MIEN_OK;
}

static mien_status draw_set(const synth_options *options, const head *h, progress *p)
{
    TRY(set_folder_prepare(options, h));
    run_state run = {.options = options,
                     .h = h,
                     .progress = p,
                     .count = options->count,
                     .row = synth_row(options),
                     .lock = PTHREAD_MUTEX_INITIALIZER};
    TRY(rows_open(&run.rows, options));
    mien_status st = draw_faces(&run);
    if (st == MIEN_OK)
        st = rows_commit(run.rows);
    rows_free(run.rows);
    return st;
}

mien_status synth_run(const synth_options *options, progress *p)
{
    mien_status st;
    cast heads = {0};
    TRY(check_options(options));
    TRY_OUT(cast_open(&heads, options));
    const head *h = heads.heads[0];
    if (options->out)
        TRY_OUT(draw_set(options, h, p));
    if (options->sheet)
        TRY_OUT(sheet_write(options, h));
    if (options->quiz)
        TRY_OUT(quiz_write(options, h));
out:
    cast_close(&heads);
    return st;
}
