/* Pictures are summed in chunks of a fixed size, a thread a chunk, and the chunks in order. */
#include "data/loader.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "data/bad_pictures.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

enum { CHUNK = 16 };

/* Of a chunk's pictures. */
typedef struct {
    double sum[3], sum_squares[3];
    int64_t pixels;
} moments;

typedef struct {
    const epoch_plan *plan;
    double max_bad_share;
    int64_t chunk_count;
    moments *chunks; /* [chunks] */
    _Atomic int64_t next_chunk, bad_count;
    _Atomic bool is_stopping;

    pthread_mutex_t lock; /* guards the following */
    pthread_cond_t moved;
    int64_t pictures_done;
    int threads_running;
} measurement;

static mien_status handle_bad(measurement *m, int64_t picture, mien_status st)
{
    const picture_source *source = m->plan->set->source;
    if (!bad_pictures_may_be(source, st))
        return st;
    if (picture_report(source, picture))
        log_warning("%s", mien_error());
    int64_t bad = atomic_fetch_add(&m->bad_count, 1) + 1;
    if (bad > bad_pictures_allowed(m->plan->items->count, m->max_bad_share)) {
        char why[1024];
        status_text_save(why, sizeof(why));
        return bad_pictures_too_many(source->what, m->plan->items->count, m->max_bad_share, why);
    }
    return MIEN_OK;
}

static mien_status measure_chunk(measurement *m, picture_reader *reader, int64_t chunk, int64_t end)
{
    moments *sums = &m->chunks[chunk];
    for (int64_t i = chunk * CHUNK; i < end; i++) {
        int64_t picture = m->plan->items->index[i];
        mien_status st = m->plan->set->source->read(m->plan->set->source, picture, reader);
        if (st == MIEN_OK) {
            image_add_moments(&reader->decoded, sums->sum, sums->sum_squares);
            sums->pixels += (int64_t)reader->decoded.width * reader->decoded.height;
        } else {
            TRY(handle_bad(m, picture, st));
        }
    }
    return MIEN_OK;
}

static mien_status measure_chunks(measurement *m, picture_reader *reader)
{
    for (;;) {
        int64_t chunk = atomic_fetch_add(&m->next_chunk, 1);
        if (chunk >= m->chunk_count || atomic_load(&m->is_stopping))
            return MIEN_OK;
        int64_t end = (chunk + 1) * CHUNK < m->plan->items->count ? (chunk + 1) * CHUNK : m->plan->items->count;
        TRY(measure_chunk(m, reader, chunk, end));
        pthread_mutex_lock(&m->lock);
        m->pictures_done += end - chunk * CHUNK;
        pthread_cond_signal(&m->moved);
        pthread_mutex_unlock(&m->lock);
    }
}

static mien_status work(void *context, int index)
{
    (void)index;
    measurement *m = context;
    picture_reader reader = {0};
    mien_status st = picture_reader_init(&reader);
    if (st == MIEN_OK)
        st = measure_chunks(m, &reader);
    picture_reader_clear(&reader);
    if (st != MIEN_OK)
        atomic_store(&m->is_stopping, true);
    pthread_mutex_lock(&m->lock);
    m->threads_running--;
    pthread_cond_signal(&m->moved);
    pthread_mutex_unlock(&m->lock);
    return st;
}

/* Tells progress from the caller's thread until all others are done; true where it was asked to stop. */
static bool watch(measurement *m, progress *p)
{
    bool is_cancelled = false, is_over = false;
    while (!is_over) {
        pthread_mutex_lock(&m->lock);
        int64_t done = m->pictures_done;
        pthread_mutex_unlock(&m->lock);
        if (p && !is_cancelled && progress_tell(p, "pictures measured", done, m->plan->items->count, NULL)) {
            is_cancelled = true;
            atomic_store(&m->is_stopping, true);
        }
        pthread_mutex_lock(&m->lock);
        is_over = m->threads_running == 0;
        if (!is_over)
            pthread_cond_wait(&m->moved, &m->lock);
        pthread_mutex_unlock(&m->lock);
    }
    return is_cancelled;
}

static mien_status run(measurement *m, int threads, progress *p)
{
    thread_group *group;
    m->threads_running = threads;
    TRY(thread_group_start(&group, threads, work, m));
    bool is_cancelled = watch(m, p);
    TRY(thread_group_join(group));
    return is_cancelled ? mien_fail(MIEN_ERR_CANCELLED, "%s: interrupted while measured", m->plan->set->source->what)
                        : MIEN_OK;
}

static mien_status summarise(float mean[3], float std[3], const measurement *m)
{
    moments all = {0};
    for (int64_t i = 0; i < m->chunk_count; i++) {
        all.pixels += m->chunks[i].pixels;
        for (int c = 0; c < 3; c++) {
            all.sum[c] += m->chunks[i].sum[c];
            all.sum_squares[c] += m->chunks[i].sum_squares[c];
        }
    }
    if (all.pixels == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no readable picture to measure", m->plan->set->source->what);
    for (int c = 0; c < 3; c++) {
        double average = all.sum[c] / (double)all.pixels;
        double variance = all.sum_squares[c] / (double)all.pixels - average * average;
        mean[c] = (float)average;
        std[c] = variance > 1e-10 ? (float)sqrt(variance) : 1.0f; /* rounding leaves about 1e-16 of no variance */
    }
    return MIEN_OK;
}

mien_status dataset_statistics(float mean[3], float std[3], const epoch_plan *plan, int threads, double max_bad_share,
                               progress *p)
{
    if (threads < 0)
        return mien_fail(MIEN_ERR_ARG, "statistics: %d threads (wanted 0 or more)", threads);
    measurement m = {.plan = plan,
                     .max_bad_share = max_bad_share,
                     .chunk_count = (plan->items->count + CHUNK - 1) / CHUNK,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .moved = PTHREAD_COND_INITIALIZER};
    TRY(mem_zalloc(&m.chunks, m.chunk_count));
    mien_status st = run(&m, threads ? threads : thread_cores(), p);
    if (st == MIEN_OK)
        st = summarise(mean, std, &m);
    mem_free(m.chunks);
    return st;
}
