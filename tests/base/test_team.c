/* A team does each part once, in whatever state its workers are, and a barrier lets nobody pass early. */
#include "base/team.h"
#include "base/thread.h"
#include "testing.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { MOST_PARTS = 64 };

typedef struct {
    atomic_int done[MOST_PARTS];
} tally;

static void count_part(void *context, int part)
{
    atomic_fetch_add(&((tally *)context)->done[part], 1);
}

static void assert_each_done(const tally *t, int parts, int times)
{
    for (int i = 0; i < MOST_PARTS; i++)
        assert_int_equal(t->done[i], i < parts ? times : 0);
}

static void team_run__any_size__does_each_part_once(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 7};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        team *t;
        assert_ok(team_create(&t, sizes[s]));
        assert_int_equal(team_size(t), sizes[s]);
        for (int parts = 1; parts <= MOST_PARTS; parts++) {
            tally one = {0};
            team_run(t, parts, count_part, &one);
            assert_each_done(&one, parts, 1);
        }
        team_free(t);
    }
}

static void team_run__many_regions__none_is_lost(void **state)
{
    (void)state;
    team *t;
    tally all = {0};
    assert_ok(team_create(&t, 3));
    for (int i = 0; i < 20000; i++) {
        team_run(t, 3, count_part, &all);
        if (i % 5000 == 0)
            usleep(2000); /* long enough for workers to fall asleep */
    }
    assert_each_done(&all, 3, 20000);
    team_free(t);
}

/* Workers that cannot come cost nothing: the caller does their parts. */
typedef struct {
    tally tally;
    pthread_t caller;
    atomic_int by_caller;
} who;

static void note_who(void *context, int part)
{
    who *w = context;
    count_part(&w->tally, part);
    if (pthread_equal(pthread_self(), w->caller))
        atomic_fetch_add(&w->by_caller, 1);
    else
        usleep(20000);
}

static void team_run__worker_is_held__caller_does_the_rest(void **state)
{
    (void)state;
    team *t;
    who w = {.caller = pthread_self()};
    assert_ok(team_create(&t, 2));
    team_run(t, MOST_PARTS, note_who, &w);
    assert_each_done(&w.tally, MOST_PARTS, 1);
    assert_true(w.by_caller >= MOST_PARTS - 2); /* the worker slept over one, or two where it came first */
    team_free(t);
}

static mien_status fail_third(void *context, int part)
{
    count_part(context, part);
    return part == 2 ? mien_fail(MIEN_ERR_FORMAT, "part 2: bad") : MIEN_OK;
}

static void team_try__one_fails__its_text_arrives(void **state)
{
    (void)state;
    team *t;
    tally one = {0};
    assert_ok(team_create(&t, 3));
    for (int i = 0; i < 200; i++)
        assert_failure(team_try(t, 8, fail_third, &one), MIEN_ERR_FORMAT, "part 2: bad");
    assert_each_done(&one, 8, 200);
    assert_ok(team_try(t, 2, fail_third, &one));
    team_free(t);
}

/* --- barriers ----------------------------------------------------------------------------------------------------- */
typedef struct {
    team *team;
    int parts;
    atomic_int arrived, early;
} meeting;

static void meet_often(void *context, int part)
{
    meeting *m = context;
    (void)part;
    for (int round = 1; round <= 200; round++) {
        atomic_fetch_add(&m->arrived, 1);
        team_barrier(m->team, m->parts);
        if (atomic_load(&m->arrived) < round * m->parts)
            atomic_fetch_add(&m->early, 1);
        team_barrier(m->team, m->parts);
    }
}

static void team_barrier__each_round__waits_for_all(void **state)
{
    (void)state;
    static const int sizes[] = {1, 2, 3, 7};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        meeting m = {.parts = sizes[s]};
        assert_ok(team_create(&m.team, sizes[s]));
        for (int i = 0; i < 5; i++) {
            m.arrived = 0;
            team_run(m.team, m.parts, meet_often, &m);
            assert_int_equal(m.early, 0);
        }
        team_free(m.team);
    }
}

/* --- callers ------------------------------------------------------------------------------------------------------ */
static void *call_often(void *context)
{
    team *t = context;
    tally own = {0};
    for (int i = 0; i < 2000; i++)
        team_run(t, 4, count_part, &own);
    for (int i = 0; i < 4; i++)
        if (own.done[i] != 2000)
            return context;
    return NULL;
}

static void team_run__two_callers__take_turns(void **state)
{
    (void)state;
    team *t;
    pthread_t other;
    void *failed;
    assert_ok(team_create(&t, 2));
    assert_int_equal(pthread_create(&other, NULL, call_often, t), 0);
    assert_null(call_often(t));
    pthread_join(other, &failed);
    assert_null(failed);
    team_free(t);
}

static void team_create__impossible_sizes__are_refused(void **state)
{
    (void)state;
    team *t = NULL;
    assert_failure(team_create(&t, 0), MIEN_ERR_ARG, "threads: 0 (wanted 1 to 1024)");
    assert_failure(team_create(&t, TEAM_MAX + 1), MIEN_ERR_ARG, "threads: 1025");
    assert_null(t);
    team_free(NULL);
}

/* Workers take no signals: a program's handlers run in its own threads. */
static pthread_t handled_in;
static atomic_bool is_handled;
static void note_thread(int number)
{
    (void)number;
    handled_in = pthread_self();
    atomic_store(&is_handled, true);
}

static void team__signal_to_the_process__is_not_taken_by_a_worker(void **state)
{
    (void)state;
    team *t;
    sigset_t one;
    struct sigaction note = {.sa_handler = note_thread};
    assert_int_equal(sigaction(SIGUSR1, &note, NULL), 0);
    assert_ok(team_create(&t, 4));
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    kill(getpid(), SIGUSR1);
    usleep(20000); /* time enough for a worker to take it */
    assert_false(atomic_load(&is_handled));
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    assert_true(atomic_load(&is_handled));
    assert_true(pthread_equal(handled_in, pthread_self()));
    team_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(team_run__any_size__does_each_part_once),
        cmocka_unit_test(team_run__many_regions__none_is_lost),
        cmocka_unit_test(team_run__worker_is_held__caller_does_the_rest),
        cmocka_unit_test(team_try__one_fails__its_text_arrives),
        cmocka_unit_test(team_barrier__each_round__waits_for_all),
        cmocka_unit_test(team_run__two_callers__take_turns),
        cmocka_unit_test(team_create__impossible_sizes__are_refused),
        cmocka_unit_test(team__signal_to_the_process__is_not_taken_by_a_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
