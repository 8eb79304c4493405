/* A team of threads that computes one region after another: a caller and workers who wait for it.
 *
 * A region is `parts` calls of one function. Whoever is awake takes the next part, the caller too, so that a worker
 * that another process keeps from its core costs its share and no more: the caller does not wait for it to come, it
 * does the work. What a part computes depends on its number alone, never on who computes it. Waiting spins for some
 * tens of microseconds, the usual gap between two regions of a step, and then sleeps. */
#ifndef BASE_TEAM_H
#define BASE_TEAM_H

#include "base/status.h"

typedef struct team team;
typedef void team_body(void *context, int part);

/* `size` threads, the caller of team_run among them. Errors MIEN_ERR_ARG unless 1 to TEAM_MAX, MIEN_ERR_NOMEM where the
 * system gives no more threads. */
enum { TEAM_MAX = 1024 };
MIEN_MUST_USE mien_status team_create(team **out, int size);
void team_free(team *t); /* no region may run; NULL is a no-op */
int team_size(const team *t);

/* body(context, part) for each part of 0..parts-1, in no order, and returns when all are done. Parts may wait for one
 * another (team_barrier) where they are at most team_size. Threads: any, one after another; a second caller waits until
 * the first one's region is over. A body never calls team_run on its own team. */
void team_run(team *t, int parts, team_body *body, void *context);
/* The same of bodies that can fail: the first failure, with its message, becomes the caller's. */
typedef mien_status team_try_body(void *context, int part);
MIEN_MUST_USE mien_status team_try(team *t, int parts, team_try_body *body, void *context);
/* The two halves of team_run, for a caller who does part 0 itself between them. */
void team_begin(team *t, int parts, team_body *body, void *context);
void team_end(team *t);
/* For bodies: returns when all `parts` of the region have called it. */
void team_barrier(team *t, int parts);

#endif
