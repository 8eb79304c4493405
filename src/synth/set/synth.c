/* Threads take a person's faces at a time as they become free. A face is drawn from a stream named by its number,
 * whichever thread draws it, and what is there already is skipped. */
#include "synth/set/synth.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/team.h"
#include "base/thread.h"
#include "synth/draw/render.h"
#include "synth/set/cast.h"
#include "synth/set/drawer.h"
#include "synth/set/labels.h"
#include "synth/set/set_folder.h"
#include "synth/set/sheet.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAX_COUNT 100000000

/* What a run's threads share. */
typedef struct {
    const synth_options *options;
    const head *h;
    progress *progress;
    int64_t count, chunk;     /* faces; one person's, drawn in a row by one thread */
    atomic_int_fast64_t next; /* the first face that nobody has taken */
    atomic_int_fast64_t done;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards all below */
    mien_status failure;  /* the first face's, in the set's order, that failed */
    int64_t failed_face;
    char text[1024];
} run_state;

static mien_status draw_face(drawer *d, const run_state *run, int64_t number)
{
    const synth_options *o = run->options;
    char name[64], *path;
    synth_face_name(name, sizeof name, o, number);
    TRY(file_join(&path, o->out, name));
    mien_status st = MIEN_OK;
    if (o->resume && file_exists(path))
        goto out;
    TRY_OUT(drawer_draw(d, number));
    TRY_OUT(image_write_jpeg(path, &d->picture, d->face.shot.quality));
out:
    mem_free(path);
    return st;
}

static void record_failure(run_state *run, mien_status st, int64_t number)
{
    pthread_mutex_lock(&run->lock);
    if (run->failure == MIEN_OK || number < run->failed_face) {
        run->failure = st;
        run->failed_face = number;
        status_text_save(run->text, sizeof run->text);
    }
    pthread_mutex_unlock(&run->lock);
    atomic_store(&run->stop, true);
}

static void draw_chunk(drawer *d, run_state *run, int64_t first, bool is_caller)
{
    for (int64_t i = first; i < first + run->chunk && i < run->count && !atomic_load(&run->stop); i++) {
        mien_status st = draw_face(d, run, i);
        if (st != MIEN_OK)
            record_failure(run, st, i);
        atomic_fetch_add(&run->done, 1);
        /* the caller's own thread talks to the caller */
        if (is_caller && progress_tell(run->progress, "faces", atomic_load(&run->done), run->count, NULL))
            atomic_store(&run->stop, true);
    }
}

/* A thread takes one person's faces after another's; part 0 is the caller. */
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
        int64_t first = atomic_fetch_add(&run->next, run->chunk);
        if (first >= run->count)
            break;
        draw_chunk(d, run, first, part == 0);
    }
    drawer_free(d);
}

static mien_status draw_faces(run_state *run)
{
    int64_t chunks = (run->count + run->chunk - 1) / run->chunk;
    int threads = run->options->threads > 0 ? run->options->threads : thread_cores();
    if (threads > chunks)
        threads = (int)chunks;
    team *t;
    TRY(team_create(&t, threads));
    team_run(t, threads, draw_part, run);
    team_free(t);
    if (run->failure != MIEN_OK) {
        status_text_load(run->text);
        return run->failure;
    }
    if (atomic_load(&run->stop) && atomic_load(&run->done) < run->count)
        return mien_fail(MIEN_ERR_CANCELLED, "%s: stopped after %" PRId64 " of %" PRId64 " faces", run->options->out,
                         (int64_t)atomic_load(&run->done), run->count);
    return MIEN_OK;
}

/* labels.csv, a line at a time: a set may have millions. */
static mien_status write_labels(const run_state *run, const char *path)
{
    const synth_options *o = run->options;
    mien_status st;
    file_writer *file = NULL;
    float *weights = NULL;
    str text = {0};
    person who = {0};
    int64_t identity = -1;
    TRY_OUT(mem_zalloc(&weights, (size_t)head_weights(run->h)));
    TRY_OUT(file_write_open(&file, path));
    TRY_OUT(labels_header(&text));
    for (int64_t i = 0; i < o->count; i++) {
        synth_face face;
        char name[64];
        if (synth_identity(o, i) != identity) {
            identity = synth_identity(o, i);
            synth_person(&who, weights, o, run->h, identity);
        }
        synth_face_draw(&face, o, run->h, &who, i);
        synth_face_name(name, sizeof name, o, i);
        TRY_OUT(labels_row(&text, name, &face, &who, synth_labels_told(o, i)));
        if (text.length > 1 << 16) {
            TRY_OUT(file_write_bytes(file, text.text, text.length));
            text.length = 0;
        }
    }
    TRY_OUT(file_write_bytes(file, text.text, text.length));
    st = file_write_commit(file);
    file = NULL;
out:
    file_write_abort(file);
    mem_free(weights);
    str_free(&text);
    return st;
}

static mien_status check_options(const synth_options *o)
{
    if (!o->face_path)
        return mien_fail(MIEN_ERR_ARG, "face: no face model given");
    if (o->more_face_count < 0 || o->more_face_count >= CAST_MAX || !(o->face_share >= 0 && o->face_share <= 1))
        return mien_fail(MIEN_ERR_ARG, "face: %d models, the first for a share of %g (wanted at most %d, 0..1)",
                         1 + o->more_face_count, (double)o->face_share, CAST_MAX);
    if (!o->out && !o->sheet)
        return mien_fail(MIEN_ERR_ARG, "out: neither a folder nor a sheet to write");
    if (o->task != SYNTH_LSD && o->task != SYNTH_MTL)
        return mien_fail(MIEN_ERR_ARG, "task: %d (wanted lsd or mtl)", (int)o->task);
    if (o->missing != SYNTH_COMPLETE && o->task != SYNTH_MTL)
        return mien_fail(MIEN_ERR_ARG, "missing: an lsd set has one label, which its folders tell (wanted task mtl)");
    if (o->count < (o->out ? 1 : 0) || o->count > MAX_COUNT)
        return mien_fail(MIEN_ERR_ARG, "count: %" PRId64 " (wanted 1..%d)", o->count, MAX_COUNT);
    if (o->identities < 0 || o->identities > MAX_COUNT || o->first_identity < 0 || o->first_identity > INT32_MAX)
        return mien_fail(MIEN_ERR_ARG, "identities: %" PRId64 " from %" PRId64 " on (wanted at most %d, from 0..%d)",
                         o->identities, o->first_identity, MAX_COUNT, INT32_MAX);
    if (o->size < RENDER_MIN_SIZE || o->size > RENDER_MAX_SIZE)
        return mien_fail(MIEN_ERR_ARG, "size: %d (wanted %d..%d)", o->size, RENDER_MIN_SIZE, RENDER_MAX_SIZE);
    if (o->resume && o->force)
        return mien_fail(MIEN_ERR_ARG, "resume and force exclude each other");
    return MIEN_OK;
}

static mien_status draw_set(const synth_options *options, const head *h, progress *p)
{
    char names[EXPRESSION_COUNT][SYNTH_FOLDER_BYTES], *labels;
    const char *folders[EXPRESSION_COUNT];
    for (int i = 0; i < synth_class_count(SYNTH_LSD); i++) {
        synth_class_folder(names[i], SYNTH_LSD, i);
        folders[i] = names[i];
    }
    TRY(set_folder_prepare(options, h, folders, synth_class_count(SYNTH_LSD)));
    run_state run = {.options = options,
                     .h = h,
                     .progress = p,
                     .count = options->count,
                     .chunk = synth_class_count(options->task),
                     .lock = PTHREAD_MUTEX_INITIALIZER};
    TRY(draw_faces(&run));
    TRY(file_join(&labels, options->out, "labels.csv"));
    mien_status st = write_labels(&run, labels);
    mem_free(labels);
    return st;
}

mien_status synth_run(const synth_options *options, progress *p)
{
    mien_status st;
    cast heads = {0};
    TRY(check_options(options));
    TRY_OUT(cast_open(&heads, options));
    if (options->out)
        TRY_OUT(draw_set(options, heads.heads[0], p));
    if (options->sheet)
        TRY_OUT(sheet_write(options, heads.heads[0]));
out:
    cast_close(&heads);
    return st;
}
