/* A run's curves for TensorBoard, derived from log.jsonl line by line: what the log keeps over a kill and --resume, the
 * events keep, and the same lines give the same bytes.
 *
 *   step lines    step_loss/MEMBER-STAGE, lr/MEMBER-STAGE
 *   epoch lines   train_loss/.., val_SCORE/.. of every score */
#ifndef TRAIN_RUN_EVENTS_H
#define TRAIN_RUN_EVENTS_H

#include "base/status.h"

#include <stddef.h>

#define RUN_EVENTS_NAME "events.out.tfevents.mien" /* in the run folder */

typedef struct run_events run_events;
/* Opens for writing from the beginning, in place: who watches the file meanwhile sees it grow and nothing else. */
MIEN_MUST_USE mien_status run_events_open(run_events **out, const char *path);
void run_events_close(run_events *e); /* NULL is a no-op */
/* The event of a line of log.jsonl (lines without curves have none). No memory of ours. */
MIEN_MUST_USE mien_status run_events_add(run_events *e, const char *line, size_t length);
/* Cuts what an earlier run wrote beyond the lines added so far. */
MIEN_MUST_USE mien_status run_events_cut(run_events *e);

#endif
