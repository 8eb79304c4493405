/* The layout of a run folder (design: "A run folder holds"), and who may write into it. */
#ifndef TRAIN_RUN_FOLDER_H
#define TRAIN_RUN_FOLDER_H

#include "train/recipe.h"

#define RUN_PATH_BYTES 1200
#define RUN_NAME_BYTES 64

/* "resnet50", or "resnet50.2" for the recipe's second of them. */
void run_member_name(char dst[RUN_NAME_BYTES], const recipe *r, int member);
/* RUN/NAME-STAGE/FILE, or RUN/NAME-STAGE where file is NULL. Errors MIEN_ERR_ARG where it is too long. */
MIEN_MUST_USE mien_status run_path(char dst[RUN_PATH_BYTES], const char *run, const char *member, const char *stage,
                                   const char *file);
/* RUN/FILE */
MIEN_MUST_USE mien_status run_file(char dst[RUN_PATH_BYTES], const char *run, const char *file);

typedef struct {
    const char *path; /* borrowed */
    int lock;         /* descriptor that holds the flock: the kernel drops it with the process, however that ends */
    bool is_used;     /* it holds a run: this one goes on */
    recipe *used;     /* and this is what recipe.yaml said; else NULL */
} run_folder;

/* Makes the folder where it is missing, locks it and compares its recipe. Errors: MIEN_ERR_IO where it cannot be made;
 * MIEN_ERR_ARG: another run is writing into it, it is in use without is_resumed, it holds something else than a run,
 * or its recipe differs (the first key is named); more epochs are no difference where they leave those before as they
 * are, and nothing has been built on them. */
MIEN_MUST_USE mien_status run_folder_open(run_folder *out, const char *path, const recipe *r, bool is_resumed);
/* Writes recipe.yaml: from here on the folder is a run. */
MIEN_MUST_USE mien_status run_folder_begin(run_folder *f, const recipe *r);
void run_folder_close(run_folder *f); /* gives the lock back, frees `used` */

#endif
