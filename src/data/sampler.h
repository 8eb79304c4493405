/* How steps draw their batches where several tasks learn from one set (spec 2.1): what an epoch of each goes over, and
 * the seed of its loader. */
#ifndef DATA_SAMPLER_H
#define DATA_SAMPLER_H

#include "data/dataset.h"

#define SAMPLER_MAX_TASKS 8

/* A step takes the next batch of each of `count` loaders. */
typedef struct {
    int count;
    subset items[SAMPLER_MAX_TASKS];  /* an epoch's pictures, equally many in each; owned */
    uint64_t seed[SAMPLER_MAX_TASKS]; /* for loader_options: order and augmentation, each loader's its own */
} sampler;

/* As published: a batch of every task, drawn from the pictures that it learns from. Shorter subsets are repeated from
 * their beginning until they are as long as the longest, and their loaders shuffle each anew every epoch. Picture n of
 * one task's batch has nothing to do with picture n of another's. subsets [count], 1..SAMPLER_MAX_TASKS; tasks [count]
 * names them in messages. Errors: MIEN_ERR_FORMAT where a task has no picture ("action units: no picture has these
 * labels"). Free with sampler_free. */
MIEN_MUST_USE mien_status sampler_create_tasks(sampler *out, const subset *subsets, const char *const *tasks, int count,
                                               uint64_t seed);
/* One batch: of pictures that any task learns from, each once an epoch. A task finds some of a batch's rows without its
 * labels, or all of them: its loss goes by masks. The same errors, since a head that nothing teaches is none. */
MIEN_MUST_USE mien_status sampler_create_joint(sampler *out, const subset *subsets, const char *const *tasks, int count,
                                               uint64_t seed);
void sampler_free(sampler *s); /* and empties it */

#endif
