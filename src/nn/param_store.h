/* Who owns a model's numbers: one fp32 arena each for values, gradients and optimizer state, and a table that names
 * their slices. Names and shapes are torchvision's; `num_batches_tracked` (int64 in files) is a counter of its own. */
#ifndef NN_PARAM_STORE_H
#define NN_PARAM_STORE_H

#include "format/tensor_file.h"
#include "graph/backend.h"
#include "graph/tensor.h"

typedef enum {
    SLICE_PARAMETER,
    SLICE_BUFFER,
    SLICE_COUNTER
} slice_kind; /* trained; moved by forward (running statistics); int64 counter */

/* How a fresh value is drawn. */
typedef enum { INIT_CONSTANT, INIT_NORMAL, INIT_UNIFORM } init_kind;
typedef struct {
    init_kind kind;
    float scale; /* the constant, the standard deviation, or the bound of [-bound, bound) */
} param_init;

typedef struct {
    const char *name; /* "layer1.0.conv1.weight"; owned by the store */
    shape shape;
    slice_kind kind;
    param_init init;
    bool is_trainable; /* parameters only; freezing clears it before a graph is described */
    bool is_positions; /* [1, 1 + side^2, d], a position embedding over a square grid */
    size_t offset;     /* elements, in every arena (SLICE_COUNTER: index into counters) */
    size_t count;
} param_slice;

typedef struct param_store param_store;

MIEN_MUST_USE mien_status param_store_create(param_store **out);
void param_store_free(param_store *s); /* NULL is a no-op */
/* Declares a slice (before param_store_alloc); a name declared twice must have the same shape and is the same slice.
 * *out: its index. */
MIEN_MUST_USE mien_status param_store_declare(param_store *s, int *out, const char *name, shape dims, slice_kind kind,
                                              param_init init);
void param_store_mark_positions(param_store *s, int index);
int param_store_count(const param_store *s);
const param_slice *param_store_at(const param_store *s, int index);
int param_store_find(const param_store *s, const char *name); /* -1 if absent */
/* Trained parameters' elements (buffers and counters not counted), as `sum(p.numel() for p in model.parameters())`. */
int64_t param_store_parameter_count(const param_store *s);
/* Slices whose name starts with prefix: is_trainable = value. Returns how many. */
int param_store_set_trainable(param_store *s, const char *prefix, bool value);

/* Allocates values (zero); with_gradients also gradients and two state arenas, which end with the last slice that is
 * trainable now: only slices before it may be made trainable afterwards. Idempotent upwards. */
MIEN_MUST_USE mien_status param_store_alloc(param_store *s, bool with_gradients);
/* Also an arena in which the gradients of several batches are summed; after param_store_alloc(s, true). */
MIEN_MUST_USE mien_status param_store_alloc_sums(param_store *s);
param_memory *param_store_memory(param_store *s);
/* Where programs of b compute with these numbers (borrowed; b outlives the store): in the store's own arenas where b
 * computes in the caller's memory, else in copies, made when they are first asked for and filled with what the store
 * holds then. There is one such memory a store, that all programs share. Programs change numbers there, files are
 * written from here and read to here: param_store_tensors brings back what programs changed, param_store_load takes
 * there what it read, and whoever changes numbers here otherwise calls param_store_upload. Threads: no two at once. */
MIEN_MUST_USE mien_status param_store_place(param_store *s, const param_memory **out, backend *b);
MIEN_MUST_USE mien_status param_store_upload(param_store *s);
/* Elements of the gradient and state arenas. */
size_t param_store_trained_count(const param_store *s);
int64_t *param_store_counters(param_store *s, int *count);
/* Draws every parameter afresh: each slice from its own stream, named by its name, so order does not matter. */
void param_store_init(param_store *s, uint64_t seed);
/* One training step went over every batch_norm: counters + 1. */
void param_store_count_batch(param_store *s);

/* Copies tensors of f (f32, f16, bf16, f64 -> f32) by name. Every slice must be there with its shape, except names
 * starting with one of skip_prefixes (ends with NULL; NULL: none), which keep their values and may lie in the file
 * without being slices, and counters (0 if missing). Where there are skip_prefixes, thus a file of another model, a
 * position embedding over another grid is resampled to this one. A slice may lie in the file in three tensors, "0:NAME"
 * to "2:NAME", each a third of its rows. Missing, extra and wrongly shaped ones are told by name through the log before
 * the one-line MIEN_ERR_FORMAT; a number that is not finite is one too. */
MIEN_MUST_USE mien_status param_store_load(param_store *s, tensor_file *f, const char *path,
                                           const char *const *skip_prefixes);
/* The same for the slices under `root` alone, whose tensors lie in f without it ("face.conv1.weight" takes
 * "conv1.weight"); all others keep their values. skip_prefixes are of f's names. */
MIEN_MUST_USE mien_status param_store_load_under(param_store *s, const char *root, tensor_file *f, const char *path,
                                                 const char *const *skip_prefixes);
/* MIEN_ERR_FORMAT "path: tensor NAME: element N is NaN ..." where one of the values [count] is not finite. */
MIEN_MUST_USE mien_status param_check_finite(const float *values, size_t count, const char *path, const char *name);
/* Whether param_store_load with these skip_prefixes would find all it wants (and whatever else). */
bool param_store_is_in(const param_store *s, const tensor_file *f, const char *const *skip_prefixes);
/* Every slice to_root + NAME takes the value of from_root + NAME, which exists and has its shape. */
void param_store_copy(param_store *s, const char *to_root, const char *from_root);
/* Tensors for st_write, borrowed from the store: values (and counters), as programs left them, optimizer state too.
 * Caller frees the array with mem_free. */
MIEN_MUST_USE mien_status param_store_tensors(param_store *s, st_tensor **out, size_t *out_count);

#endif
