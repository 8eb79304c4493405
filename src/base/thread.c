/* A group's threads wait behind a gate until all of them exist. Bodies wait for one another, so that a group of which
 * one thread could not be made must not have begun. */
#include "base/thread.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

typedef struct {
    thread_group *group;
    int index;
} seat;

struct thread_group {
    mien_status (*body)(void *context, int index);
    void *context;
    int count; /* threads that exist */
    pthread_t *threads;
    seat *seats;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t gate_moved;
    enum { GATE_SHUT, GATE_OPEN, GATE_CALLED_OFF } gate;
    mien_status failure;
    char failure_text[2048];
};

/* Nobody runs before all exist: bodies wait for one another, and a missing one would leave the rest waiting for ever.
 */
static bool wait_for_start(thread_group *group)
{
    pthread_mutex_lock(&group->lock);
    while (group->gate == GATE_SHUT)
        pthread_cond_wait(&group->gate_moved, &group->lock);
    bool starts = group->gate == GATE_OPEN;
    pthread_mutex_unlock(&group->lock);
    return starts;
}

static void *thread_main(void *argument)
{
    seat *s = argument;
    thread_group *group = s->group;
    if (!wait_for_start(group))
        return NULL;
    mien_status st = group->body(group->context, s->index);
    if (st != MIEN_OK) {
        pthread_mutex_lock(&group->lock);
        if (group->failure == MIEN_OK) {
            group->failure = st;
            status_text_save(group->failure_text, sizeof(group->failure_text));
        }
        pthread_mutex_unlock(&group->lock);
    }
    return NULL;
}

static void move_gate(thread_group *group, int gate)
{
    pthread_mutex_lock(&group->lock);
    group->gate = gate;
    pthread_cond_broadcast(&group->gate_moved);
    pthread_mutex_unlock(&group->lock);
}

mien_status thread_group_join(thread_group *group)
{
    if (!group)
        return MIEN_OK;
    for (int i = 0; i < group->count; i++)
        pthread_join(group->threads[i], NULL);
    mien_status st = group->failure;
    if (st != MIEN_OK)
        status_text_load(group->failure_text);
    pthread_cond_destroy(&group->gate_moved);
    pthread_mutex_destroy(&group->lock);
    mem_free(group->threads);
    mem_free(group->seats);
    mem_free(group);
    return st;
}

mien_status thread_group_start(thread_group **out, int count, mien_status (*body)(void *context, int index),
                               void *context)
{
    if (count < 0)
        return mien_fail(MIEN_ERR_ARG, "threads: %d (wanted 0 or more)", count);
    mien_status st;
    thread_group *group = NULL;
    TRY(mem_zalloc(&group, 1));
    group->body = body;
    group->context = context;
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->gate_moved, NULL);
    TRY_OUT(mem_zalloc(&group->threads, count));
    TRY_OUT(mem_zalloc(&group->seats, count));
    for (int i = 0; i < count; i++) {
        group->seats[i] = (seat){group, i};
        int error = pthread_create(&group->threads[i], NULL, thread_main, &group->seats[i]);
        if (error) {
            st = mien_fail(MIEN_ERR_NOMEM, "cannot start thread %d of %d: %s", i + 1, count, strerrordesc_np(error));
            goto out;
        }
        group->count++;
    }
    move_gate(group, GATE_OPEN);
    *out = group;
    return MIEN_OK;
out:
    move_gate(group, GATE_CALLED_OFF);
    if (thread_group_join(group) != MIEN_OK) /* no body ran, so none failed */
        return mien_fail(MIEN_ERR_INTERNAL, "a thread ran behind a shut gate");
    return st;
}
