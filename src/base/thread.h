/* Threads that carry their failure to whoever joins them. (Compute kernels use OpenMP; these are for the data
 * pipeline.) */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct thread_group thread_group;

/* Starts `count` threads that each run body(context, index). The first failure is kept with its text. */
MIEN_MUST_USE mien_status thread_group_start(thread_group **out, int count,
                                             mien_status (*body)(void *context, int index), void *context);
/* Joins all, frees the group, returns the first failure with its message set here. NULL is MIEN_OK. */
mien_status thread_group_join(thread_group *group);
/* Cores this process may run on (affinity mask), at least 1. */
int thread_cores(void);

#endif
