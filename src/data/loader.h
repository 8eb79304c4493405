/* The prefetching loader: threads read, resize and augment pictures into whole batches, a few ahead of whoever
 * computes. It gives pixels and numbers of pictures; what is to be learned of them it does not know. Every picture's
 * content is a pure function of (seed, epoch, item): the number of threads never changes a batch. Memory is fixed at
 * creation: depth + 1 batches, and a few buffers a thread. */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include "base/progress.h"
#include "data/epoch_plan.h"
#include "image/image.h"
#include "image/randaugment.h"

/* Which items get RandAugment, on the decoded picture at its own size, before all else: none, the copies that balance a
 * plan, or (to measure) every one. */
typedef enum { LOADER_RANDAUGMENT_NONE, LOADER_RANDAUGMENT_COPIES, LOADER_RANDAUGMENT_ALL } loader_randaugment;

typedef struct {
    const epoch_plan *plan; /* what an epoch goes over; borrowed */
    int batch, image_size;
    int threads;      /* 0: one a core */
    int depth;        /* batches ahead; 0: 3 */
    bool is_shuffled; /* training: a new order each epoch from (seed, epoch); and the last partial batch is dropped */
    uint64_t seed;
    /* A copy's draws are named by (seed, its group, its number within the group), so it is the same picture in every
     * epoch, whatever the other groups hold; is_resampled adds the epoch to the name. */
    loader_randaugment randaugment_of;
    randaugment_options randaugment;
    bool is_resampled;
    augment_options augment; /* all zero: none; applied after resizing, at the input size, to originals and copies */
    /* Training (max_bad_share >= 0): so many of the plan's originals may be unreadable, each logged once and replaced
     * by the next readable of its group; more is a failure, and so is a missing picture of a source that says so. */
    double max_bad_share;
    /* Evaluation (max_bad_share < 0): an unreadable picture is not read, its pixels are 0, and this is called from
     * loader_next, in item order, with the one-line reason. NULL: nobody wants to know. */
    void (*on_bad)(void *payload, int64_t item, const char *why);
    void *payload;
} loader_options;

typedef struct {
    const uint8_t *images;   /* [batch, size, size, 3] */
    const bool *is_read;     /* [batch] false: past the end, or unreadable (evaluation) */
    const int64_t *items;    /* [batch] plan items, -1 past the end */
    const int64_t *pictures; /* [batch] the number of what is shown, replacements told; -1 past the end */
    const bool *is_mirrored; /* [batch] left is right there */
    int count;               /* rows in use */
    int64_t index;           /* batch number within the epoch */
} loader_batch;

typedef struct loader loader;
/* Errors: MIEN_ERR_ARG for sizes that make no sense, among them a shuffled plan smaller than one batch. */
MIEN_MUST_USE mien_status loader_create(loader **out, const loader_options *options);
void loader_free(loader *l);             /* stops the threads within a picture each; NULL is a no-op */
int64_t loader_batches(const loader *l); /* in an epoch */
/* Starts epoch (0-based) at batch `first` (resume); batches of an unfinished epoch are dropped. */
MIEN_MUST_USE mien_status loader_start(loader *l, uint32_t epoch, int64_t first);
/* *out is valid until the next call; count 0 at the end of the epoch. A failure comes with the batch it concerns, in
 * order, and stays until the next loader_start. Threads: one consumer. */
MIEN_MUST_USE mien_status loader_next(loader *l, loader_batch *out);

/* Mean and standard deviation (over all pixels, population form) a channel of x/255 over the originals of the plan at
 * their own size. Unreadable ones are left out and logged once, above max_bad_share they fail it, as for the loader. A
 * channel that never varies has deviation 1. Sums are taken in a fixed order: the number of threads (0: one a core)
 * does not matter. p: told pictures done, from this thread; NULL: nobody. Errors: MIEN_ERR_CANCELLED where it says
 * stop. */
MIEN_MUST_USE mien_status dataset_statistics(float mean[3], float std[3], const epoch_plan *plan, int threads,
                                             double max_bad_share, progress *p);

#endif
