/* log.jsonl: one JSON object a line, each with "event"; those about a member name it and its stage.
 *
 *   data   train, validation (pictures), what the task says of them (classes {name: pictures}), mean, std
 *   start  member, stage, arch, parameters, precision, device, isa, threads; stage2: cached_features (of the frozen
 * copy, in training) step   member, stage, epoch, step, loss, lr epoch  member, stage, epoch, step, train_loss,
 * val_SCORE.., lr, images_per_s, seconds; where a device computes also waiting (the share of the time in which it had
 * no pictures) done   member, stage, epochs, best_epoch, val_SCORE..
 *
 * SCORE is every score of the task, by name.
 *
 * Beside it TensorBoard's events say the same (run_events.h). After a resume both read as if nothing had happened,
 * durations apart: lines beyond the checkpoint are taken out first.
 */
#ifndef TRAIN_RUN_LOG_H
#define TRAIN_RUN_LOG_H

#include "base/json.h"
#include "task/task.h"

#include <stdbool.h>

/* How far a member's stage had come when its checkpoint was written. */
typedef struct {
    const char *member, *stage; /* borrowed */
    bool is_finished, has_checkpoint;
    int64_t step; /* steps done */
    int epochs;   /* epochs completed, validation included */
} run_log_mark;

typedef struct run_log run_log;
/* Opens for appending, first taking out every line that is torn or that `marks` do not cover. */
MIEN_MUST_USE mien_status run_log_open(run_log **out, const char *path, const run_log_mark *marks, int mark_count);
void run_log_close(run_log *log); /* NULL is a no-op */
bool run_log_is_empty(const run_log *log);
/* Writes the object as one line and takes it over, also on failure. object NULL: out of memory. */
MIEN_MUST_USE mien_status run_log_write(run_log *log, json_t *object);
/* Adds "val_NAME" for each score to a line that is to be written. */
void run_log_add_scores(json_t *line, const task_score *scores, int count);
/* Lines reach the disk: before a checkpoint that counts on them. */
MIEN_MUST_USE mien_status run_log_sync(run_log *log);

#endif
