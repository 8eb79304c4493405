/* What the files of the public interface share. They check arguments and call the rooms; no algorithm lives here. */
#ifndef API_API_H
#define API_API_H

#include "base/progress.h"
#include "graph/backend.h"
#include "infer/answers.h"
#include "mien.h"

/* NULL where an argument that is needed is NULL: "mien_train: data: missing". */
MIEN_MUST_USE mien_status api_need(const void *argument, const char *call, const char *name);

/* *out = the caller's options (NULL: none), with defaults for what an older struct of theirs has not. Errors:
 * MIEN_ERR_ARG for a size that no _init sets, MIEN_ERR_UNSUPPORTED for what only a newer library knows. */
MIEN_MUST_USE mien_status api_options(void *out, const void *given, mien_options_kind kind, const char *call);
/* The same of where to compute, its values checked. */
enum { API_MAX_THREADS = 1024 };
MIEN_MUST_USE mien_status api_compute(mien_compute *out, const mien_compute *given, const char *call);

/* Is this what a device is called? NULL is the CPU. (device.c) */
MIEN_MUST_USE mien_status api_check_device(const char *name);
/* Is what this names a GPU? */
bool api_is_gpu(const char *name);

/* What follows takes what api_compute gave. */
/* The backend that is asked for, checked against what the machine can do. Owned. */
MIEN_MUST_USE mien_status api_backend(backend **out, const mien_compute *compute);
void api_backend_free(backend *b); /* NULL is a no-op */
/* Threads to use: 0 (automatic) stays 0, more than there may be becomes as many as there are. */
int api_threads(const mien_compute *compute);
/* bf16 or f32, with auto resolved. */
dtype api_activation_type(const backend *b, const mien_compute *compute);
precision_kind api_precision(const mien_compute *compute);
progress api_progress(const mien_compute *compute);

/* Opens what users name as models: model files, and run folders, which stand for the last finished stage of each
 * member, or with all_stages for every finished one, of which only the last counts in the mean; with all_stages, which
 * is for a labelled set, also score files. b NULL: only to look at the models. */
MIEN_MUST_USE mien_status api_ensemble_open(ensemble **out, const char *const *paths, int count, bool all_stages,
                                            backend *b, precision_kind precision);
/* The same of models of several tasks, last stages alone: an ensemble for each, in the order that their columns have:
 * as their models are named, but the default task's behind the others. */
enum { API_MAX_TASKS = SESSIONS_TOGETHER_MAX };
MIEN_MUST_USE mien_status api_ensembles_open(ensemble *out[API_MAX_TASKS], int *out_count, const char *const *paths,
                                             int count, backend *b, const ensemble_options *options);

/* What options say of smoothing, checked against the heads [head_count] that are asked, API_MAX_HEADS at most: its
 * kind, and the width of each head, 0 where none is given. */
enum { API_MAX_HEADS = API_MAX_TASKS * MODEL_MAX_HEADS };
MIEN_MUST_USE mien_status api_smoothing(smooth_kind *out, double *widths, mien_smoothing kind,
                                        const mien_head_width *given, int count, const model_head *heads,
                                        int head_count);

struct task_def;
struct task_source;
/* *out [*count] = what a caller calls a labelled set: one path, or sources, whose array is `name` in messages. Owned
 * (mem_free). Errors: MIEN_ERR_ARG where it is both, or neither and is_needed. */
MIEN_MUST_USE mien_status api_sources(struct task_source **out, int *count, const char *path,
                                      const mien_source *sources, int source_count, bool is_needed, const char *call,
                                      const char *name);

/* The task of this name; NULL: the default one. MIEN_ERR_UNSUPPORTED "task: dance (wanted ..)" where it is none. */
MIEN_MUST_USE mien_status api_task(const struct task_def **out, const char *name);

/* What a failure says of `path` without repeating it: "truncated JPEG" of "a.jpg: truncated JPEG". */
const char *api_without_path(const char *why, const char *path);

#endif
