/* The two handles that answer for pictures: the model, shared, and a session of it, one a thread. */
#ifndef API_HANDLES_H
#define API_HANDLES_H

#include "api/api.h"
#include "base/arena.h"

#include <stdatomic.h>

struct mien_model {
    atomic_int users; /* its owner and its sessions: the last one frees it */
    mien_compute compute;
    backend *backend;
    turn turn;                        /* of sessions on the whole backend, whichever task they ask */
    ensemble *members[API_MAX_TASKS]; /* [task_count] of each task, in the order of their columns */
    int task_count;
    model_head heads[API_MAX_HEADS]; /* [head_count] of each task, one after the other, called as in `columns` */
    int head_count;
    mien_column *columns; /* [column_count] */
    int column_count;
    arena *texts; /* of what columns are called */
};
void model_enter(mien_model *m);
void model_leave(mien_model *m);

/* row [model's column_count] of the outputs of each task's mean, as sessions of the infer room give them */
void model_fill_row(float *row, const mien_model *m, const float *const means[]);

#endif
