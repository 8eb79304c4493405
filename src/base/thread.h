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
/* Threads that this process may keep busy, at least 1: the smallest of its affinity mask, its cgroup's CPU quota (whole
 * CPUs of it), OMP_NUM_THREADS and OMP_THREAD_LIMIT. Asked anew at each call. */
int thread_cores(void);
/* What is used where `asked` threads were asked for: as many as there may be where it is 0, and never more, which is
 * noticed once a process. */
int thread_grant(int asked);

/* For tests: CPUs that the cgroups named in `groups` grant (as /proc/self/cgroup and /proc/self/mountinfo tell),
 * rounded down, at least 1; 0 where none sets a quota. */
int thread_quota(const char *groups_path, const char *mounts_path);

#endif
