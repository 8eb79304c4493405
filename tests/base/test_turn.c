/* One at a time, in the order of asking. */
#include "base/turn.h"

#include "base/thread.h"
#include "testing.h"

#include <stdatomic.h>

enum { THREADS = 5, ROUNDS = 400 };

typedef struct {
    turn turn;
    int count; /* changed by who has the turn */
    atomic_int inside, most;
    int order[THREADS], ordered;
} work;

static mien_status take_often(void *context, int index)
{
    work *w = context;
    (void)index;
    for (int i = 0; i < ROUNDS; i++) {
        turn_take(&w->turn);
        if (atomic_fetch_add(&w->inside, 1) > 0)
            atomic_store(&w->most, 2);
        w->count++;
        atomic_fetch_sub(&w->inside, 1);
        turn_leave(&w->turn);
    }
    return MIEN_OK;
}

static void turn__many_threads__one_has_it(void **state)
{
    (void)state;
    work w = {.count = 0};
    thread_group *group = NULL;
    turn_init(&w.turn);
    assert_ok(thread_group_start(&group, THREADS, take_often, &w));
    assert_ok(thread_group_join(group));
    assert_int_equal(w.count, THREADS * ROUNDS);
    assert_int_equal(w.most, 0);
    turn_destroy(&w.turn);
}

static mien_status take_once(void *context, int index)
{
    work *w = context;
    (void)index;
    int number = atomic_fetch_add(&w->inside, 1);
    turn_take(&w->turn);
    w->order[w->ordered++] = number;
    turn_leave(&w->turn);
    return MIEN_OK;
}

/* Returns when somebody has come behind `before`, the end of the line. */
static void wait_for_one_more(turn *t, turn_waiter **before)
{
    for (bool has_come = false; !has_come; usleep(200)) {
        pthread_mutex_lock(&t->lock);
        has_come = t->end != before;
        pthread_mutex_unlock(&t->lock);
    }
}

static void turn__who_waits__gets_it_in_order(void **state)
{
    (void)state;
    work w = {.count = 0};
    thread_group *groups[THREADS];
    turn_init(&w.turn);
    turn_take(&w.turn);
    for (int i = 0; i < THREADS; i++) {
        turn_waiter **end = w.turn.end; /* nobody is on the way */
        assert_ok(thread_group_start(&groups[i], 1, take_once, &w));
        wait_for_one_more(&w.turn, end);
    }
    assert_int_equal(w.ordered, 0);
    turn_leave(&w.turn);
    for (int i = 0; i < THREADS; i++)
        assert_ok(thread_group_join(groups[i]));
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(w.order[i], i);
    turn_destroy(&w.turn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turn__many_threads__one_has_it),
        cmocka_unit_test(turn__who_waits__gets_it_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
