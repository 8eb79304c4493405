/* The inside of ensembles and sessions, for the files that run them. */
#ifndef INFER_ENSEMBLE_INT_H
#define INFER_ENSEMBLE_INT_H

#include "image/image.h"
#include "infer/infer.h"
#include "infer/lanes.h"
#include "infer/scores.h"
#include "task/task.h"

#include <pthread.h>

enum { NAME_BYTES = 160 };
#define NOT_FINITE "the model's output is not finite"

typedef struct {
    char name[NAME_BYTES];
    bool counts;
    double weight;
    char *path;                /* owned */
    model *model;              /* NULL: its answers are kept */
    const score_table *scores; /* the ensemble's */
    int place;                 /* among the members of `scores` */
} member;

struct ensemble {
    member *members; /* [capacity] */
    int count, capacity;
    score_table *tables; /* [table_count] */
    int table_count;
    const member *first_model; /* its heads are everyone's; NULL: none is a model */
    model_head *heads;         /* [head_count] what they answer; names are the first model's */
    float *thresholds;         /* [width] that `heads` may point into */
    int head_count, width;     /* numbers in a row of answers: every head's, one after the other */
    backend *backend;
    dtype precision;
    turn *turn;           /* of sessions on the whole backend: their regions must not come between each other's */
    turn own_turn;        /* ... where no other ensemble has that backend */
    pthread_mutex_t lock; /* of what follows, and of making programs: models are described by one thread at a time */
    session *sessions;    /* all that are open, linked */
};

/* How a session computes one member: programs are made when they are needed first. */
typedef struct {
    lanes *many, *one; /* for several pictures, and for a single one */
} session_member;

/* One thread's part in making pictures of an array ready. */
typedef struct {
    image_scratch *scratch;
    image whole, sized; /* as it lies in memory, row by row; and as large as the model wants it */
} pixel_worker;

struct session {
    ensemble *e;
    session *next;
    backend *backend, *own; /* what it computes on; the same, where it is the session's */
    bool takes_turns, tells_logits;
    int batch, loader_threads;
    session_member *members; /* [e->count] */
    pixel_worker *workers;   /* [worker_count] */
    int worker_count;
    uint8_t *images; /* [batch, image_size, image_size, 3] of the largest member asked so far */
    size_t image_capacity;
};

/* Member i's programs for `batch` pictures, kept in *slot of it: made where they are not yet. */
MIEN_MUST_USE mien_status session_bind(session *s, int i, lanes **slot, int batch);
/* lanes_run, when it is this session's turn. */
MIEN_MUST_USE mien_status session_run(session *s, lanes *l, const uint8_t *images, int count, float *answers,
                                      float *logits);
/* Pixels a side that a member wants. */
int member_size(const member *m);
/* Finite weights may still give infinities on the way, and then no answer. */
bool is_row_finite(const float *row, int width);
/* mean [width] over the members that count; members [members, width]. */
void ensemble_mean(float *mean, const float *members, const ensemble *e);

#endif
