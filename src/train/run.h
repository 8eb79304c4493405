/* A run folder: what it holds, and which finished models it stands for. */
#ifndef TRAIN_RUN_H
#define TRAIN_RUN_H

#include "task/task.h"

typedef struct {
    char name[64];   /* "resnet50.2" */
    char stage[16];  /* "stage1" */
    char path[1024]; /* its best.safetensors */
    const task_def *task;
    bool is_last; /* the member's last finished stage: what ensembles, predict and submit take */
} run_model;

bool run_is_folder(const char *path); /* a folder with recipe.yaml */
/* Finished stages in recipe order; caller frees with mem_free. MIEN_ERR_FORMAT where none is finished. */
MIEN_MUST_USE mien_status run_models(run_model **out, int *out_count, const char *path);

#endif
