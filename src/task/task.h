/* A task is a row: all that a trainer, an evaluation or a prediction has to know of what is learned, and that no other
 * room knows. A new one is a file beside lsd.c and a line in tasks.c ("Add a task" in docs/architecture.md). */
#ifndef TASK_TASK_H
#define TASK_TASK_H

#include "base/file.h"
#include "base/json.h"
#include "data/epoch_plan.h"
#include "data/list.h"
#include "data/picture_maker.h"
#include "graph/program.h"
#include "nn/model.h"
#include "recipe/reading.h"

#define TASK_MAX_STAGES 4
#define TASK_MAX_SCORES 16
#define TASK_MAX_INPUTS 24
#define TASK_MAX_DRAWS 4
#define TASK_NAME_BYTES 48

typedef struct task_def task_def;

/* What a recipe says under the keys that are the task's own (task_keys). */
typedef struct {
    const void *top;   /* task_keys.bytes of the task's struct */
    const void *stage; /* stage_bytes, of the stage under way; NULL: none is */
} task_values;

/* --- annotated pictures ------------------------------------------------------------------------------------------- */

/* What every task's set begins with; what is known of each picture, and whether it is, stands behind it. */
typedef struct {
    const task_def *task;
    const char *path; /* as the user named it */
    const picture_set *pictures;
    bool is_by_class; /* its folders are classes: they are no clips */
} task_set;

/* Annotations, and where their pictures lie. */
typedef struct task_source {
    const char *path;           /* folder or file, as the user named it */
    const char *images;         /* the folder that names are relative to; NULL: as the annotations say */
    const char *fallback;       /* the folder of pictures that cannot be opened there; NULL: none */
    const picture_maker *maker; /* of pictures that are no files, borrowed; then `path` is what they are called; NULL:
                                   they are */
} task_source;

typedef struct {
    const task_source *sources; /* [source_count] at least one; several are one set, each with what it knows */
    int source_count;
    const model_head *heads; /* what is to be learned or held against it */
    int head_count;
    const task_values *values; /* what the recipe says; NULL: there is none, models are held against the set */
    bool is_training;          /* else for evaluation, where less may be missing */
    bool is_strict;            /* nothing may be left out */
} task_set_options;

/* --- recipes ------------------------------------------------------------------------------------------------------ */

/* A stage of training, and its group of keys in recipes. */
typedef struct {
    const char *name; /* "stage1": also of folders in a run */
    model_kind kind;  /* of the model that it trains */
    const char *help; /* of the key STAGE.enabled */
} task_stage;

/* Rows of keys that are the task's own, and the structs that they fill: zeroed, then read. */
typedef struct {
    const recipe_key *keys; /* at the top */
    int count;
    size_t bytes;                 /* of the struct that they fill */
    const recipe_key *stage_keys; /* of each stage */
    int stage_count;
    size_t stage_bytes;
} task_keys;

/* A default of a key that all tasks have, or all stages, where this task's is another: {"mtl.lr", "0.001"}. */
typedef struct {
    const char *key, *fallback;
} task_default;

/* --- the end of a training graph ---------------------------------------------------------------------------------- */

/* What a row of a batch shows: a picture, or its pixels mixed with another's. */
typedef struct {
    int64_t picture, other; /* numbers in the set */
    float own;              /* share of `picture`; 1: it alone */
    bool is_mirrored;       /* a picture alone: left is right there */
} task_row;

typedef struct {
    const task_def *task;
    task_values values;
    bool is_mixed;                    /* rows are mixtures */
    value_id inputs[TASK_MAX_INPUTS]; /* what `describe` made, in the task's own order */
    size_t targets_bytes;             /* room that `fill` wants */
    void *targets;                    /* ... and has: whoever described gives it */
} task_ending;
/* For model_graph_options.ending; e stays where it is. */
model_ending task_ending_of(task_ending *e);

/* One of the batches that a step draws: their gradients are summed before one update. */
typedef struct {
    const char *name;                                  /* of what its pictures have, for messages: "action units" */
    bool (*has)(const task_set *set, int64_t picture); /* may the picture be drawn? */
} task_draw;

/* --- scores ------------------------------------------------------------------------------------------------------- */

/* What a pass over pictures gave. */
typedef struct {
    const task_set *set; /* NULL: pictures of which nothing is known */
    const model_head *heads;
    int head_count;
    int64_t count;
    const int64_t *pictures;               /* [count] numbers in the set, in the order of the pass */
    const bool *is_read;                   /* [count] false: it could not be read, and has no outputs */
    const float *outputs[MODEL_MAX_HEADS]; /* of each head [count, size] */
    bool is_told;                          /* what the set lacks is told, in a notice each */
    bool has_loss;
    double loss; /* mean of row_loss over pictures that were read */
} task_pass;

/* How good that is, as names and values: a recipe's `select` is one of the names. */
typedef struct {
    char name[TASK_NAME_BYTES]; /* "macro_f1" */
    double value;
} task_score;

/* A column of a table for people, and the item that stands under it. */
typedef struct {
    const char *title; /* of the heads' columns, or static */
    int item;
} task_column;

typedef struct {
    int64_t count;                      /* pictures scored */
    task_score scores[TASK_MAX_SCORES]; /* what a training is told after each epoch */
    int score_count;
    /* All there is to tell; "f1.anger", "f1.fear" .. are one list to those who write JSON, "n_va" a count. Owned, like
     * what follows. */
    task_score *items;
    int item_count;
    task_column *columns; /* [column_count] */
    int column_count;
    int64_t *confusion; /* [confusion_size, confusion_size], row = truth; NULL: there is none */
    int confusion_size;
} task_report;
void task_report_clear(task_report *r);                                     /* and empties it */
const task_score *task_report_find(const task_report *r, const char *name); /* NULL: none */

/* What a challenge file came to. */
typedef struct {
    int64_t skipped;      /* rows of pictures that were not read */
    const char *fallback; /* what they got, in words; static; NULL: there are none */
} task_challenge;

/* --- the row ------------------------------------------------------------------------------------------------------ */

struct task_def {
    const char *name;  /* "lsd" */
    const char *title; /* of its challenge: "LSD" */
    const char *help;  /* what is learned: "basic expressions" */
    const task_stage *stages;
    int stage_count;
    const char *const *select;   /* NULL-terminated: scores that may choose the best epoch, the default first */
    const char *lower_is_better; /* the one of them of which less is more; NULL: none */
    const char *select_help;     /* of the key STAGE.select */
    const char *const *shown;    /* NULL-terminated: scores that a list of models shows */
    task_keys keys;
    const task_default *defaults; /* [default_count] */
    int default_count;
    /* What no key can see alone: fails with the place of the one at fault. NULL: nothing. */
    mien_status (*check)(const task_values *values, const char *stage, const recipe_reading *in);

    /* What a recipe says of the model beyond what all have: its kind and options. NULL: nothing. */
    mien_status (*specify)(model_spec *spec, const task_values *values);
    /* The heads that a recipe asks for, by the values of its first stage; lists in `texts`. */
    mien_status (*heads)(const model_head **out, int *count, const task_values *values, arena *texts);
    /* Opens annotations: pictures, targets and masks. Where the path holds a validation set of its own beside what it
     * trains on, *validation becomes that; NULL: it has none, or nobody asks. */
    mien_status (*open)(task_set **out, task_set **validation, const task_set_options *o);
    void (*close)(task_set *set); /* NULL is a no-op */
    /* What is known of pictures that are made anew in each epoch is that epoch's from now on. NULL:
     * they are files, which stay. */
    mien_status (*renew)(task_set *set, uint32_t epoch);
    /* A number that tells what is known of a picture: a run that goes on must meet the same. */
    uint64_t (*fingerprint)(const task_set *set, int64_t picture);
    /* Tells what a set lacks, in a notice each. */
    mien_status (*tell_missing)(const task_set *set, const epoch_plan *plan);
    /* Has a plan what a score of `select` is told from? NULL: always. */
    bool (*tells)(const task_set *set, const epoch_plan *plan, const char *score);
    /* For the log's first line: {"classes": {..}} and alike. */
    json_t *(*account)(const task_set *set, const epoch_plan *plan);
    /* What was left out when it was opened: the folder's name and its files, or a label and its rows. NULL: nothing is
     * ever. */
    int (*ignored_count)(const task_set *set);
    const char *(*ignored)(const task_set *set, int index, int64_t *count);

    /* The batches of a step, each from its own part of the set, by the values of a recipe's first stage: how many, at
     * most TASK_MAX_DRAWS. Fewer pictures come up again until the largest part is through. NULL: one batch, from all.
     */
    int (*draws)(task_draw *out, const task_values *values, const model_head *heads, int head_count);
    /* Describes inputs for targets, and losses, behind io's heads. */
    mien_status (*describe)(task_ending *e, graph *g, model_io *io, const model_spec *spec, int batch);
    /* Writes what stays the same from batch to batch; plan: what is trained on. NULL: nothing does. */
    mien_status (*settle)(const task_ending *e, program *p, const model_spec *spec, const task_set *set,
                          const epoch_plan *plan);
    /* Writes the targets of a batch, the step's draw-th; no memory of ours. */
    mien_status (*fill)(const task_ending *e, program *p, const model_spec *spec, const task_set *set, int draw,
                        const task_row *rows, int count);

    /* The loss of one picture from its heads' logits, neither smoothed nor weighted. NULL: scores go by outputs alone.
     */
    double (*row_loss)(const task_set *set, int64_t picture, const model_head *heads, int head_count,
                       const float *const *logits);
    mien_status (*score)(task_report *out, const task_pass *pass);
    /* Which of the scores a head goes by, alone, of which more is better: "p_va". NULL: none. */
    const char *(*head_score)(const model_head *head);
    /* What a model file says of the pass that it was chosen by. */
    json_t *(*metrics)(const task_report *r);
    /* Gives a model what it keeps of the pass that it was chosen by. NULL: nothing. */
    mien_status (*keep)(model *m, const task_pass *pass, const task_values *values);
    /* validation.csv: truths beside outputs, of pictures that were read. */
    mien_status (*write_validation)(str *text, const task_pass *pass);

    /* The challenge's own files. NULL, all of them: the task has none. */
    const model_head *challenge_heads; /* what they speak of */
    int challenge_head_count;
    /* May models of these heads answer it? `where` names one of them. */
    mien_status (*check_challenge)(const model_head *heads, int head_count, const char *where);
    /* Rows in the list's order; a picture that was not read gets what the others have most often. */
    mien_status (*write_challenge)(task_challenge *out, file_writer *w, label_list *rows, const task_pass *pass);
    /* Truth against predictions, matched by name. */
    mien_status (*score_files)(task_report *out, const char *truth, const char *predictions);
};

/* All tasks that are built, the default first; NULL-terminated. */
extern const task_def *const task_all[];
/* MIEN_ERR_UNSUPPORTED "task: dance (wanted lsd)" where none of them is called so. */
MIEN_MUST_USE mien_status task_find(const task_def **out, const char *name);
/* Names of tasks that the design knows and that are not built yet; NULL-terminated. */
extern const char *const task_later[];

#endif
