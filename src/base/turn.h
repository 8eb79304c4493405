/* A turn: what several threads want and one has at a time, in the order in which they asked. A mutex gives no order:
 * who leaves it and comes again at once finds it free before those who sleep for it have woken. */
#ifndef BASE_TURN_H
#define BASE_TURN_H

#include <pthread.h>
#include <stdbool.h>

typedef struct turn_waiter turn_waiter;
typedef struct {
    pthread_mutex_t lock;
    bool is_taken;
    turn_waiter *first, **end; /* who waits, in order */
} turn;

void turn_init(turn *t);
void turn_destroy(turn *t); /* nobody has it or waits for it */
void turn_take(turn *t);
void turn_leave(turn *t);

#endif
