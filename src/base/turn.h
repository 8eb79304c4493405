/* A turn: what several threads want and one has at a time, in the order in which they asked. A mutex gives no order:
 * who leaves it and comes again at once finds it free before those who sleep for it have woken. */
#ifndef BASE_TURN_H
#define BASE_TURN_H

#include <pthread.h>
#include <stdint.h>

typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t last, now; /* number of the last who asked, and of whose turn it is */
} turn;

void turn_init(turn *t);
void turn_destroy(turn *t); /* nobody has it or waits for it */
void turn_take(turn *t);
void turn_leave(turn *t);

#endif
