/* A queue of waiters, each on its own stack and with its own condition: whoever leaves wakes the next one and no other,
 * which would take a core from those who compute. */
#include "base/turn.h"

#include <stddef.h>

struct turn_waiter {
    pthread_cond_t called;
    bool is_called;
    turn_waiter *next;
};

void turn_init(turn *t)
{
    pthread_mutex_init(&t->lock, NULL);
    t->is_taken = false;
    t->first = NULL;
    t->end = &t->first;
}

void turn_destroy(turn *t)
{
    pthread_mutex_destroy(&t->lock);
}

static void wait_in_line(turn *t)
{
    turn_waiter me = {.called = PTHREAD_COND_INITIALIZER};
    *t->end = &me;
    t->end = &me.next;
    while (!me.is_called)
        pthread_cond_wait(&me.called, &t->lock);
    pthread_cond_destroy(&me.called);
}

void turn_take(turn *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->is_taken)
        wait_in_line(t);
    t->is_taken = true;
    pthread_mutex_unlock(&t->lock);
}

void turn_leave(turn *t)
{
    pthread_mutex_lock(&t->lock);
    turn_waiter *next = t->first;
    if (next) {
        t->first = next->next;
        if (!t->first)
            t->end = &t->first;
        next->is_called = true;
        pthread_cond_signal(&next->called);
    } else {
        t->is_taken = false;
    }
    pthread_mutex_unlock(&t->lock);
}
