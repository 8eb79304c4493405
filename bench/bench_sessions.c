/* Pictures a second, and memory, of one model asked by several threads, a picture at a time.
 *     bench_sessions [ARCHITECTURE [SECONDS]]
 * A row for each way of asking it: one session on all cores, several that take turns on them, several of one thread
 * each. The ways are gone through several times in turn, and the best of each is told: neighbours only slow down.
 * Memory is what a process of its own has resident for a way, from before the model is opened until all its sessions
 * have answered. */
#include "base/mem.h"
#include "base/progress.h"
#include "base/thread.h"
#include "mien.h"
#include "nn/model.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_SESSIONS = 4, ROUNDS = 3 };

static const struct {
    int sessions, threads;
} ways[] = {{1, 0}, {1, 1}, {4, 0}, {2, 1}, {4, 1}, {4, 2}};
enum { WAYS = sizeof ways / sizeof ways[0] };

typedef struct {
    mien_session *sessions[MAX_SESSIONS];
    const uint8_t *picture; /* [size, size, 3] */
    int size;
    int64_t end_ns;
    atomic_int_fast64_t answered;
} race;

static double resident_mib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    if (file)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

static mien_status ask(void *context, int index)
{
    race *r = context;
    float row[64];
    do {
        TRY(mien_predict_rgb(row, sizeof row / sizeof *row, r->sessions[index], r->picture, 1, r->size, r->size));
        atomic_fetch_add(&r->answered, 1);
    } while (clock_ns() < r->end_ns);
    return MIEN_OK;
}

static mien_status run(race *r, int sessions, double seconds)
{
    thread_group *group = NULL;
    atomic_store(&r->answered, 0);
    r->end_ns = clock_ns() + (int64_t)(seconds * 1e9);
    TRY(thread_group_start(&group, sessions, ask, r));
    return thread_group_join(group);
}

/* Opens a way's sessions, and lets each answer. */
static mien_status open_way(race *r, mien_model *shared, int way)
{
    mien_session_options options;
    mien_session_options_init(&options);
    options.threads = ways[way].threads;
    memset(r->sessions, 0, sizeof r->sessions);
    for (int i = 0; i < ways[way].sessions; i++)
        TRY(mien_session_open(&r->sessions[i], shared, &options));
    return run(r, ways[way].sessions, 0.2);
}

static mien_status measure_rate(double *rate, race *r, mien_model *shared, int way, double seconds)
{
    mien_status st = MIEN_OK;
    TRY_OUT(open_way(r, shared, way));
    const int64_t begin = clock_ns();
    TRY_OUT(run(r, ways[way].sessions, seconds));
    *rate = (double)atomic_load(&r->answered) / ((double)(clock_ns() - begin) * 1e-9);
out:
    for (int i = 0; i < MAX_SESSIONS; i++)
        mien_session_free(r->sessions[i]);
    return st;
}

/* Of a child process, which ends with it; before any thread of ours is started. 0 where it failed. */
static double measure_memory(race *r, const char *path, int way)
{
    int ends[2];
    double mib = 0;
    if (pipe(ends) != 0)
        return 0;
    const pid_t child = fork();
    if (child == 0) {
        mien_model *shared = NULL;
        const double before = resident_mib();
        if (mien_model_open(&shared, &path, 1, NULL) == MIEN_OK && open_way(r, shared, way) == MIEN_OK)
            mib = resident_mib() - before;
        _exit(write(ends[1], &mib, sizeof mib) != (ssize_t)sizeof mib);
    }
    close(ends[1]);
    if (read(ends[0], &mib, sizeof mib) != (ssize_t)sizeof mib)
        mib = 0;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return mib;
}

/* A file of fresh weights. */
static mien_status make_file(int *size, const char *arch, const char *path)
{
    static const char *const classes[] = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"};
    model *m = NULL;
    const model_spec spec = {.task = "lsd",
                             .arch = arch,
                             .classes = classes,
                             .class_count = 6,
                             .mean = {0.5f, 0.5f, 0.5f},
                             .std = {1, 1, 1}};
    TRY(model_create(&m, &spec));
    *size = model_spec_of(m)->image_size;
    mien_status st = model_init(m, 1, false);
    if (st == MIEN_OK)
        st = model_save(m, path, NULL);
    model_free(m);
    return st;
}

static mien_status go_through(race *r, const char *path, double seconds)
{
    mien_model *shared = NULL;
    double rates[WAYS] = {0}, mibs[WAYS];
    mien_status st = MIEN_OK;
    for (int way = 0; way < WAYS; way++)
        mibs[way] = measure_memory(r, path, way);
    TRY(mien_model_open(&shared, &path, 1, NULL));
    for (int round = 0; round < ROUNDS; round++)
        for (int way = 0; way < WAYS; way++) {
            double rate = 0;
            TRY_OUT(measure_rate(&rate, r, shared, way, seconds));
            rates[way] = rate > rates[way] ? rate : rates[way];
        }
    printf("one picture of %dx%d at a time, %s, %d cores\n", r->size, r->size, mien_isa(), thread_cores());
    printf("%10s %18s %12s %10s\n", "sessions", "threads of each", "pictures/s", "MiB");
    for (int way = 0; way < WAYS; way++)
        printf("%10d %18s %12.1f %10.1f\n", ways[way].sessions,
               ways[way].threads == 0   ? "all, in turns"
               : ways[way].threads == 1 ? "1"
                                        : "2",
               rates[way], mibs[way]);
out:
    mien_model_free(shared);
    return st;
}

int main(int argc, char **argv)
{
    char path[] = "/tmp/bench_sessions-XXXXXX.safetensors";
    race r = {0};
    uint8_t *picture = NULL;
    const int fd = mkstemps(path, (int)strlen(".safetensors"));
    if (fd < 0)
        return 1;
    close(fd);
    mien_status st = make_file(&r.size, argc > 1 ? argv[1] : "efficientnet_b0", path);
    if (st == MIEN_OK)
        st = mem_zalloc(&picture, r.size * r.size * 3);
    r.picture = picture;
    if (st == MIEN_OK)
        st = go_through(&r, path, argc > 2 ? atof(argv[2]) : 2);
    if (st != MIEN_OK)
        fprintf(stderr, "bench_sessions: %s\n", mien_error());
    unlink(path);
    mem_free(picture);
    return st != MIEN_OK;
}
