/* What one thread needs to compute an ensemble. Programs of different sessions that are equal, being of one member, one
 * batch and as many threads, share their packed weights: whoever makes one looks among the open sessions for another.
 *
 * A backend that is not the session's own is used in turns: not only to run, also to make programs and to free them,
 * which on a device takes its stream and its memory. */
#include "base/mem.h"
#include "infer/ensemble_int.h"

#include <math.h>

enum { DEFAULT_BATCH = 32 };

static void begin_turn(session *s)
{
    if (s->takes_turns)
        turn_take(s->e->turn);
}

static void end_turn(session *s)
{
    if (s->takes_turns)
        turn_leave(s->e->turn);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static mien_status create_workers(session *s)
{
    int threads = s->backend->threads(s->backend);
    TRY(mem_zalloc(&s->workers, threads));
    s->worker_count = threads;
    for (int i = 0; i < threads; i++)
        TRY(image_scratch_create(&s->workers[i].scratch));
    return MIEN_OK;
}

static void enter_list(session *s)
{
    pthread_mutex_lock(&s->e->lock);
    s->next = s->e->sessions;
    s->e->sessions = s;
    pthread_mutex_unlock(&s->e->lock);
}

/* From then on nobody makes programs beside those of s. */
static void leave_list(session *s)
{
    pthread_mutex_lock(&s->e->lock);
    session **at = &s->e->sessions;
    while (*at && *at != s)
        at = &(*at)->next;
    if (*at)
        *at = s->next;
    pthread_mutex_unlock(&s->e->lock);
}

mien_status session_open(session **out, ensemble *e, const session_options *options)
{
    session *s = NULL;
    backend *own = options->own;
    mien_status st = mem_zalloc(&s, 1);
    if (st != MIEN_OK) {
        if (own)
            own->free(own);
        return st;
    }
    *s = (session){.e = e,
                   .own = own,
                   .takes_turns = !own && !options->is_one_thread,
                   .batch = options->batch ? options->batch : DEFAULT_BATCH,
                   .loader_threads = options->loader_threads,
                   .tells_logits = options->tells_logits};
    s->backend = own ? own : options->is_one_thread ? e->backend->one_thread(e->backend) : e->backend;
    TRY_OUT(mem_zalloc(&s->members, e->count));
    TRY_OUT(create_workers(s));
    enter_list(s);
    *out = s;
    s = NULL;
out:
    session_free(s);
    return st;
}

void session_free(session *s)
{
    if (!s)
        return;
    leave_list(s);
    begin_turn(s);
    for (int i = 0; s->members && i < s->e->count; i++) {
        lanes_free(s->members[i].many);
        lanes_free(s->members[i].one);
    }
    end_turn(s);
    for (int i = 0; i < s->worker_count; i++) {
        image_scratch_free(s->workers[i].scratch);
        image_free(&s->workers[i].whole);
        image_free(&s->workers[i].sized);
    }
    mem_free(s->members);
    mem_free(s->workers);
    mem_free(s->images);
    if (s->own)
        s->own->free(s->own);
    mem_free(s);
}

/* --- programs ----------------------------------------------------------------------------------------------------- */

/* Programs of member i that those of s may be made beside. The lock is held. */
static const lanes *find_equal(const session *s, int i, int batch)
{
    int threads = s->backend->threads(s->backend);
    for (const session *other = s->e->sessions; other; other = other->next) {
        if (other->backend->threads(other->backend) != threads)
            continue;
        const session_member *m = &other->members[i];
        if (m->many && lanes_batch(m->many) == batch)
            return m->many;
        if (m->one && lanes_batch(m->one) == batch)
            return m->one;
    }
    return NULL;
}

static mien_status bind(session *s, int i, lanes **slot, int batch)
{
    lanes_free(*slot);
    *slot = NULL;
    const lanes *equal = find_equal(s, i, batch);
    return equal ? lanes_create_beside(slot, equal, s->backend)
                 : lanes_create(slot, s->e->members[i].model, batch, s->e->precision, s->backend);
}

/* Whoever has the turn waits for no lock of an ensemble: it is taken first, then the turn. */
mien_status session_bind(session *s, int i, lanes **slot, int batch)
{
    if (*slot && lanes_batch(*slot) == batch)
        return MIEN_OK;
    pthread_mutex_lock(&s->e->lock);
    begin_turn(s);
    mien_status st = bind(s, i, slot, batch);
    end_turn(s);
    pthread_mutex_unlock(&s->e->lock);
    return st;
}

mien_status session_run(session *s, lanes *l, const uint8_t *images, int count, float *answers, float *logits)
{
    begin_turn(s);
    mien_status st = lanes_run(l, images, count, answers, logits);
    end_turn(s);
    return st;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

int member_size(const member *m)
{
    return model_spec_of(m->model)->image_size;
}

bool is_row_finite(const float *row, int width)
{
    for (int c = 0; c < width; c++)
        if (!isfinite(row[c]))
            return false;
    return true;
}

void ensemble_mean(float *mean, const float *members, const ensemble *e)
{
    const int width = e->width;
    double counted = 0;
    for (int i = 0; i < e->count; i++)
        counted += e->members[i].counts ? e->members[i].weight : 0;
    for (int c = 0; c < width; c++) {
        double sum = 0;
        for (int i = 0; i < e->count; i++)
            if (e->members[i].counts)
                sum += e->members[i].weight * (double)members[i * width + c];
        mean[c] = (float)(sum / counted);
    }
}
