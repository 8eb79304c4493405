/* An ensemble file: models and how much each counts, as JSON.
 *
 *   {"mien_ensemble": 1, "fit": "log_loss", "members": [{"model": "resnet50-stage1/best.safetensors", "weight": 0.6},
 *    ...], ...}
 *
 * Paths are as seen from the file's own folder. What else stands in it is for people. */
#ifndef FORMAT_ENSEMBLE_FILE_H
#define FORMAT_ENSEMBLE_FILE_H

#include "base/json.h"
#include "base/status.h"

#include <stdbool.h>

#define ENSEMBLE_FILE_MAX_MEMBERS 256

typedef struct {
    char *path; /* owned: to open */
    double weight;
} ensemble_file_member;

typedef struct {
    ensemble_file_member *members; /* [count] at least one; weights above 0, sum 1 */
    int count;
} ensemble_file;

/* Is this one by its name, which ends in .json? */
bool ensemble_file_is(const char *path);
/* Errors: MIEN_ERR_IO; MIEN_ERR_FORMAT "greedy.json: members: entry 2: weight -1 (wanted above 0)" and alike. Free with
 * ensemble_file_free. */
MIEN_MUST_USE mien_status ensemble_file_read(ensemble_file *out, const char *path);
/* The same over bytes in memory; `path` stands for the file. */
MIEN_MUST_USE mien_status ensemble_file_read_bytes(ensemble_file *out, const char *bytes, size_t length,
                                                   const char *path);
void ensemble_file_free(ensemble_file *f); /* and empties it */

/* Writes atomically: those of `models` [count], paths as the file should say them, whose weight is above 0; `about` is
 * an object whose keys follow, and is taken over, also where this fails. */
MIEN_MUST_USE mien_status ensemble_file_write(const char *path, const char *const *models, const double *weights,
                                              int count, json_t *about);

#endif
