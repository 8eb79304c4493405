/* The few entries of libgomp's ABI that are used. GOMP_parallel and the two queries below it are what gcc makes of the
 * pragmas in kernel/: hidden, they are found before libgomp's. onednn_* are what oneDNN's calls are led to. A region in
 * a region, and one of a thread without a team, is computed by its caller alone; so is that of a team of one, which
 * several threads may have entered. */
#include "backend/cpu/openmp.h"

#include "backend/cpu/redirect.h"
#include "base/log.h"

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef void region_fn(void *data);

/* Where this thread is. */
typedef struct {
    team *team;
    int part, parts;                    /* of the region that it works in; parts 0: in none */
    int inner;                          /* regions begun inside that one */
    long start, end, step, chunk, trip; /* the loop that it shares */
} place;
static _Thread_local place here;

typedef struct {
    team *team;
    region_fn *fn;
    void *data;
    int parts;
} region;

team *openmp_enter(team *t)
{
    team *before = here.team;
    here.team = t;
    return before;
}

static int part_number(void)
{
    return here.inner ? 0 : here.part;
}

static int part_count(void)
{
    return here.inner || here.parts == 0 ? 1 : here.parts;
}

static void enter_part(const region *r, int part)
{
    here.team = r->team;
    here.part = part;
    here.parts = r->parts;
}

static void leave_part(void)
{
    here.part = here.parts = 0;
}

static void run_part(void *context, int part)
{
    const region *r = context;
    team *before = here.team;
    enter_part(r, part);
    r->fn(r->data);
    leave_part();
    here.team = before;
}

/* Whether the caller computes a region of so many threads (0: as many as there are) without others. */
static bool is_alone(unsigned threads)
{
    return threads == 1 || !here.team || here.parts || (threads == 0 && team_size(here.team) == 1);
}

/* --- what our kernels call ---------------------------------------------------------------------------------------- */
#define HIDDEN __attribute__((visibility("hidden"))) /* from oneDNN, and from whoever else uses libgomp here */
HIDDEN void GOMP_parallel(region_fn *fn, void *data, unsigned threads, unsigned flags);
HIDDEN int omp_get_thread_num(void);
HIDDEN int omp_get_num_threads(void);

void GOMP_parallel(region_fn *fn, void *data, unsigned threads, unsigned flags)
{
    (void)flags;
    if (is_alone(threads)) {
        here.inner++;
        fn(data);
        here.inner--;
        return;
    }
    region r = {here.team, fn, data, threads ? (int)threads : team_size(here.team)};
    team_run(here.team, r.parts, run_part, &r);
}

int omp_get_thread_num(void)
{
    return part_number();
}

int omp_get_num_threads(void)
{
    return part_count();
}

/* --- what oneDNN calls -------------------------------------------------------------------------------------------- */
/* libgomp's own, for callers who are not ours. */
static struct {
    void (*parallel)(region_fn *, void *, unsigned, unsigned);
    void (*parallel_start)(region_fn *, void *, unsigned);
    void (*parallel_end)(void);
    void (*barrier)(void);
    bool (*loop_static_start)(long, long, long, long, long *, long *);
    bool (*loop_static_next)(long *, long *);
    void (*loop_end_nowait)(void);
    int (*get_max_threads)(void);
    int (*get_num_threads)(void);
    int (*get_thread_num)(void);
    int (*in_parallel)(void);
} libgomp;

static atomic_int_fast64_t onednn_regions;

static void onednn_parallel_start(region_fn *fn, void *data, unsigned threads)
{
    static _Thread_local region r; /* lives until parallel_end, which this thread calls */
    if (!here.team) {
        libgomp.parallel_start(fn, data, threads);
        return;
    }
    if (is_alone(threads)) {
        here.inner++;
        return;
    }
    r = (region){here.team, fn, data, threads ? (int)threads : team_size(here.team)};
    atomic_fetch_add_explicit(&onednn_regions, 1, memory_order_relaxed);
    team_begin(here.team, r.parts, run_part, &r);
    enter_part(&r, 0); /* the caller computes part 0 between start and end */
}

static void onednn_parallel_end(void)
{
    if (!here.team) {
        libgomp.parallel_end();
    } else if (here.inner) {
        here.inner--;
    } else {
        leave_part();
        team_end(here.team);
    }
}

static void onednn_parallel(region_fn *fn, void *data, unsigned threads, unsigned flags)
{
    if (!here.team) {
        libgomp.parallel(fn, data, threads, flags);
        return;
    }
    onednn_parallel_start(fn, data, threads);
    fn(data);
    onednn_parallel_end();
}

static void onednn_barrier(void)
{
    if (!here.team)
        libgomp.barrier();
    else if (part_count() > 1)
        team_barrier(here.team, here.parts);
}

/* Static schedules: without a chunk one stretch each, else chunks in turn. */
static bool onednn_loop_static_next(long *first, long *last)
{
    if (!here.team)
        return libgomp.loop_static_next(first, last);
    long count = (here.end - here.start + here.step - (here.step > 0 ? 1 : -1)) / here.step;
    long parts = part_count(), part = part_number(), begin, end;
    if (here.chunk > 0) {
        begin = (here.trip * parts + part) * here.chunk;
        end = begin + here.chunk < count ? begin + here.chunk : count;
    } else {
        long each = count / parts, more = count % parts;
        begin = each * part + (part < more ? part : more);
        end = here.trip ? begin : begin + each + (part < more);
    }
    here.trip++;
    *first = here.start + begin * here.step;
    *last = here.start + end * here.step;
    return begin < end;
}

static bool onednn_loop_static_start(long start, long end, long step, long chunk, long *first, long *last)
{
    if (!here.team)
        return libgomp.loop_static_start(start, end, step, chunk, first, last);
    here.start = start;
    here.end = end;
    here.step = step;
    here.chunk = chunk;
    here.trip = 0;
    return onednn_loop_static_next(first, last);
}

static void onednn_loop_end_nowait(void)
{
    if (!here.team)
        libgomp.loop_end_nowait();
}

static int onednn_get_max_threads(void)
{
    return here.team ? team_size(here.team) : libgomp.get_max_threads();
}

static int onednn_get_num_threads(void)
{
    return here.team ? part_count() : libgomp.get_num_threads();
}

static int onednn_get_thread_num(void)
{
    return here.team ? part_number() : libgomp.get_thread_num();
}

static int onednn_in_parallel(void)
{
    return here.team ? part_count() > 1 : libgomp.in_parallel();
}

/* --- leading them here -------------------------------------------------------------------------------------------- */
#define ENTRY(symbol, name)                                                                                            \
    {                                                                                                                  \
        symbol, (redirect_fn *)onednn_##name, (redirect_fn **)&libgomp.name                                            \
    }
static const redirect entries[] = {
    ENTRY("GOMP_parallel", parallel),
    ENTRY("GOMP_parallel_start", parallel_start),
    ENTRY("GOMP_parallel_end", parallel_end),
    ENTRY("GOMP_barrier", barrier),
    ENTRY("GOMP_loop_static_start", loop_static_start),
    ENTRY("GOMP_loop_static_next", loop_static_next),
    ENTRY("GOMP_loop_end_nowait", loop_end_nowait),
    ENTRY("omp_get_max_threads", get_max_threads),
    ENTRY("omp_get_num_threads", get_num_threads),
    ENTRY("omp_get_thread_num", get_thread_num),
    ENTRY("omp_in_parallel", in_parallel),
};
#undef ENTRY

static void lead(void)
{
    const char *why = redirect_imports((const void *)dnnl_primitive_execute, entries, sizeof entries / sizeof *entries,
                                       (const char *const[]){"GOMP_", "omp_", NULL});
    if (why)
        log_notice("oneDNN keeps threads of its own: %s", why);
}

void openmp_lead_onednn(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, lead);
}

int64_t openmp_onednn_regions(void)
{
    return atomic_load(&onednn_regions);
}
