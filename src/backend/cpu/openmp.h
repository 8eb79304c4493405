/* The OpenMP runtime under our kernels and under oneDNN: a team of ours in libgomp's place.
 *
 * libgomp gives each thread the parts it was born for and waits for it, spinning for milliseconds; beside a busy
 * process that costs fifty times what was taken, and its settings belong to the program that we are a guest of. */
#ifndef BACKEND_CPU_OPENMP_H
#define BACKEND_CPU_OPENMP_H

#include "base/team.h"

/* From now on the OpenMP regions of this thread run on t. NULL: what they run on is not ours to say. Returns the team
 * that was set before. */
team *openmp_enter(team *t);

/* Leads oneDNN's calls of libgomp to us, once per process; those of threads that have entered no team are passed on.
 * Notices where this oneDNN computes by another runtime, which then keeps its own threads. */
void openmp_lead_onednn(void);

/* For tests: regions of oneDNN's that have run on a team so far in this process. */
int64_t openmp_onednn_regions(void);

#endif
