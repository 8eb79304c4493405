/* Numbered tickets. All who wait are woken at each change: they are a few threads, and a turn is milliseconds long. */
#include "base/turn.h"

void turn_init(turn *t)
{
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    t->last = 0;
    t->now = 1;
}

void turn_destroy(turn *t)
{
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
}

void turn_take(turn *t)
{
    pthread_mutex_lock(&t->lock);
    uint64_t mine = ++t->last;
    while (t->now != mine)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

void turn_leave(turn *t)
{
    pthread_mutex_lock(&t->lock);
    t->now++;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}
