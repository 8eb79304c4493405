/* What model.c and model_file.c share and no other room sees. */
#ifndef NN_MODEL_INT_H
#define NN_MODEL_INT_H

#include "base/arena.h"
#include "nn/model.h"

enum { MODEL_MAX_SIZE = 1024 };

struct model {
    arena *arena; /* the spec's strings */
    model_spec spec;
    model_head *heads; /* the spec's */
    const architecture *arch;
    param_store *params;
};

/* Whether there can be such a model: MIEN_ERR_UNSUPPORTED or MIEN_ERR_ARG where not. arch NULL: no such architecture.
 */
MIEN_MUST_USE mien_status model_check_spec(const model_spec *spec, const architecture *arch);
/* The kind that the file's own metadata names; MODEL_PLAIN where it has none. */
MIEN_MUST_USE mien_status model_kind_of_file(model_kind *out, const tensor_file *f, const char *path);

#endif
