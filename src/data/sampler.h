/* How long an epoch is where a step draws a batch from each of several parts of a set. */
#ifndef DATA_SAMPLER_H
#define DATA_SAMPLER_H

#include "data/epoch_plan.h"

/* As published: shorter parts are repeated from their beginning until they are as long as the longest, and the loader
 * of each shuffles it anew every epoch; so picture n of one part's batch has nothing to do with picture n of another's.
 * parts [count], none of them empty; on failure they may be repeated or not, and are the caller's either way. */
MIEN_MUST_USE mien_status sampler_repeat(subset *parts, int count);

#endif
