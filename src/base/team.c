/* The region that runs is one 64-bit word, {its number, how many parts it has, the next one to take}: a part is taken
 * by one compare-and-swap, which fails if the region is another by now. Threads wait on 32-bit words by futex, and
 * whoever changes a word looks whether anybody sleeps on it before it asks the kernel to wake them. */
#include "base/team.h"

#include "base/mem.h"
#include "base/progress.h"
#include "base/thread.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Longer than the gaps between the regions of a step, shorter than what a busy neighbour would notice. */
enum { SPIN_NS = 50000, LOOKS_PER_CLOCK = 32, CACHE_LINE = 64 };

/* A number that threads wait on until it changes. */
typedef struct {
    _Alignas(CACHE_LINE) _Atomic uint32_t value;
    _Atomic uint32_t sleepers;
} word;

struct team {
    _Alignas(CACHE_LINE) _Atomic uint64_t taking; /* region << 32 | parts << 16 | next part */
    word region;                                  /* number of the newest region; workers wait on it */
    word left;                                    /* parts of it not yet done; the caller waits on it */
    word passed;                                  /* barriers that all have passed */
    _Alignas(CACHE_LINE) _Atomic uint32_t arrived;
    team_body *body; /* of the region that runs: written before it begins, read by who took a part */
    void *context;
    int64_t spin_ns;
    pthread_mutex_t one_caller;
    atomic_bool is_over;
    int size, started;
    pthread_t workers[];
};

/* --- waiting ------------------------------------------------------------------------------------------------------ */
static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns the value of w once it is not `old`, or `old` itself after spin_ns. */
static uint32_t spin_while(word *w, uint32_t old, int64_t spin_ns)
{
    uint32_t value = old;
    int64_t begin = spin_ns ? clock_ns() : 0;
    do
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            value = atomic_load_explicit(&w->value, memory_order_acquire);
            if (value != old)
                return value;
            pause_briefly();
        }
    while (spin_ns && clock_ns() - begin < spin_ns);
    return value;
}

static uint32_t wait_while(word *w, uint32_t old, int64_t spin_ns)
{
    uint32_t value = spin_while(w, old, spin_ns);
    while (value == old) {
        atomic_fetch_add(&w->sleepers, 1);
        syscall(SYS_futex, &w->value, FUTEX_WAIT_PRIVATE, old, NULL, NULL,
                0); /* not entered if the value has changed */
        atomic_fetch_sub(&w->sleepers, 1);
        value = atomic_load(&w->value);
    }
    return value;
}

/* After a change of w. */
static void wake(word *w, int count)
{
    if (atomic_load(&w->sleepers))
        syscall(SYS_futex, &w->value, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* --- taking parts ------------------------------------------------------------------------------------------------- */
/* The next part of the region that runs, -1 where all are taken. */
static int take(team *t)
{
    uint64_t seen = atomic_load_explicit(&t->taking, memory_order_acquire);
    while ((seen & 0xffff) < (seen >> 16 & 0xffff))
        if (atomic_compare_exchange_weak(&t->taking, &seen, seen + 1))
            return (int)(seen & 0xffff);
    return -1;
}

static void work(team *t)
{
    for (int part = take(t); part >= 0; part = take(t)) {
        t->body(t->context, part);
        if (atomic_fetch_sub(&t->left.value, 1) == 1)
            wake(&t->left, 1);
    }
}

static void *worker_main(void *context)
{
    team *t = context;
    for (uint32_t heard = 0; !atomic_load(&t->is_over);) {
        heard = wait_while(&t->region, heard, t->spin_ns);
        work(t);
    }
    return NULL;
}

static void ring(team *t, int workers)
{
    atomic_fetch_add(&t->region.value, 1);
    wake(&t->region, workers);
}

void team_begin(team *t, int parts, team_body *body, void *context)
{
    pthread_mutex_lock(&t->one_caller);
    t->body = body;
    t->context = context;
    atomic_store_explicit(&t->left.value, (uint32_t)parts - 1, memory_order_relaxed);
    uint64_t number = (atomic_load_explicit(&t->taking, memory_order_relaxed) >> 32) + 1;
    atomic_store(&t->taking, number << 32 | (uint64_t)parts << 16 | 1); /* part 0 is the caller's */
    if (parts > 1)
        ring(t, parts - 1);
}

void team_end(team *t)
{
    work(t);
    for (uint32_t left = atomic_load_explicit(&t->left.value, memory_order_acquire); left;)
        left = wait_while(&t->left, left, t->spin_ns);
    pthread_mutex_unlock(&t->one_caller);
}

void team_run(team *t, int parts, team_body *body, void *context)
{
    team_begin(t, parts, body, context);
    body(context, 0);
    team_end(t);
}

typedef struct {
    team_try_body *body;
    void *context;
    _Atomic int failure; /* a mien_status */
    char text[256];      /* of whoever failed first */
} trial;

static void try_part(void *context, int part)
{
    trial *t = context;
    int none = MIEN_OK, st = t->body(t->context, part);
    if (st != MIEN_OK && atomic_compare_exchange_strong(&t->failure, &none, st))
        status_text_save(t->text, sizeof t->text);
}

mien_status team_try(team *t, int parts, team_try_body *body, void *context)
{
    trial all = {.body = body, .context = context};
    team_run(t, parts, try_part, &all);
    if (all.failure != MIEN_OK)
        status_text_load(all.text);
    return (mien_status)all.failure;
}

void team_barrier(team *t, int parts)
{
    uint32_t passed = atomic_load(&t->passed.value);
    if (atomic_fetch_add(&t->arrived, 1) + 1 < (uint32_t)parts) {
        wait_while(&t->passed, passed, t->spin_ns);
        return;
    }
    atomic_store(&t->arrived, 0);
    atomic_fetch_add(&t->passed.value, 1);
    wake(&t->passed, parts);
}

int team_size(const team *t)
{
    return t->size;
}

/* --- life --------------------------------------------------------------------------------------------------------- */
void team_free(team *t)
{
    if (!t)
        return;
    atomic_store(&t->is_over, true);
    ring(t, t->started);
    for (int i = 0; i < t->started; i++)
        pthread_join(t->workers[i], NULL);
    pthread_mutex_destroy(&t->one_caller);
    mem_free(t);
}

mien_status team_create(team **out, int size)
{
    if (size < 1 || size > TEAM_MAX)
        return mien_fail(MIEN_ERR_ARG, "threads: %d (wanted 1 to %d)", size, TEAM_MAX);
    void *block = NULL;
    TRY(mem_zalloc_bytes(&block, 1, sizeof(team) + (size_t)(size - 1) * sizeof(pthread_t)));
    team *t = block;
    t->size = size;
    t->spin_ns = size > thread_cores() ? 0 : SPIN_NS; /* whom a spinning thread waits for may want its core */
    pthread_mutex_init(&t->one_caller, NULL);
    sigset_t all, kept;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept); /* signals belong to the program's own threads */
    int error = 0;
    for (; t->started < size - 1 && !error; t->started += !error)
        error = pthread_create(&t->workers[t->started], NULL, worker_main, t);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    if (error) {
        mien_status st =
            mien_fail(MIEN_ERR_NOMEM, "cannot start thread %d of %d: %s", t->started + 2, size, strerrordesc_np(error));
        team_free(t);
        return st;
    }
    *out = t;
    return MIEN_OK;
}
