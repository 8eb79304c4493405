/* What a run learns from: the training pictures and those that select, whichever way they were given. */
#ifndef TRAIN_MATERIAL_H
#define TRAIN_MATERIAL_H

#include "data/dataset.h"
#include "train/recipe.h"

typedef struct {
    dataset *train_set;
    dataset *validation_set; /* NULL: a share of train_set */
    subset kept, held;       /* of train_set, and of validation_set or else train_set */
    balance_plan train, validation;
    uint64_t hash; /* of every picture's name and label */
} material;

/* validation: a set of its own, or NULL: the data's own `val`, or the last data.val_share of each class. Classes with
 * nothing to select on are told. is_strict: what is none of the classes is refused. Errors: those
 * of dataset_open; MIEN_ERR_ARG where nothing is left to train on or to select on. Free with material_close, also after
 * a failure; *out must be zeroed before. */
MIEN_MUST_USE mien_status material_open(material *out, const recipe *r, const char *data, const char *validation,
                                        bool is_strict);
void material_close(material *m);

#endif
