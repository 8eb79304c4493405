/* The one place that turns paths and shares into the pictures that train and those that select. A hash over names and
 * labels says whether a resumed run learns from the same ones. */
#include "train/material.h"

#include "task/metric.h"

#include <stdio.h>

static mien_status split(material *m, const recipe *r, const char *data, const char *validation, bool is_strict)
{
    const dataset_use strict = is_strict ? DATASET_STRICT : 0;
    const char *classes[RECIPE_MAX_CLASSES];
    for (int c = 0; c < r->class_count; c++)
        classes[c] = r->classes[c];
    TRY(dataset_open(&m->train_set, data, classes, r->class_count, DATASET_TRAIN | strict));
    if (validation)
        TRY(dataset_open(&m->validation_set, validation, classes, r->class_count, DATASET_EVALUATE | strict));
    else if (dataset_has_validation(m->train_set))
        TRY(dataset_open_validation(&m->validation_set, m->train_set));
    if (m->validation_set) {
        TRY(subset_all(&m->kept, m->train_set));
        return subset_all(&m->held, m->validation_set);
    }
    return subset_split(&m->kept, &m->held, m->train_set, r->data.val_share);
}

/* FNV-1a over names and labels, each name ended by its label's bytes. */
static mien_status hash_plan(uint64_t *hash, const balance_plan *plan)
{
    char name[DATASET_NAME_BYTES];
    for (int64_t i = 0; i < plan->items->count; i++) {
        int64_t index = plan->items->index[i];
        TRY(dataset_name(plan->data, index, name, sizeof name));
        for (const char *c = name; *c; c++)
            *hash = (*hash ^ (uint8_t)*c) * 1099511628211u;
        *hash = (*hash ^ (uint64_t)(256 + dataset_label(plan->data, index))) * 1099511628211u;
    }
    return MIEN_OK;
}

static mien_status tell_absent(const material *m, const char *set)
{
    const char *classes[RECIPE_MAX_CLASSES];
    for (int c = 0; c < m->validation.class_count; c++)
        classes[c] = dataset_class(m->validation.data, c);
    return metric_tell_absent(set, classes, m->validation.class_size, m->validation.class_count);
}

mien_status material_open(material *out, const recipe *r, const char *data, const char *validation, bool is_strict)
{
    TRY(split(out, r, data, validation, is_strict));
    if (out->held.count == 0)
        return mien_fail(MIEN_ERR_ARG, "%s: no picture to select on (wanted data.val_share above 0, or a set for it)",
                         validation ? validation : data);
    for (int s = 0; s < RECIPE_STAGES; s++) {
        const recipe_stage *stage = recipe_stage_at(r, s);
        if (stage->enabled && out->kept.count < stage->batch)
            return mien_fail(MIEN_ERR_ARG, "%s: %lld pictures to train on (wanted at least %s.batch, %d)", data,
                             (long long)out->kept.count, recipe_stage_name(s), stage->batch);
    }
    const dataset *selecting = out->validation_set ? out->validation_set : out->train_set;
    TRY(balance_plan_create(&out->train, out->train_set, &out->kept, r->data.balance != BALANCE_NONE));
    TRY(balance_plan_create(&out->validation, selecting, &out->held, false));
    TRY(tell_absent(out, dataset_source(selecting)));
    out->hash = 14695981039346656037u;
    TRY(hash_plan(&out->hash, &out->train));
    return hash_plan(&out->hash, &out->validation);
}

void material_close(material *m)
{
    balance_plan_free(&m->train);
    balance_plan_free(&m->validation);
    subset_free(&m->kept);
    subset_free(&m->held);
    dataset_free(m->train_set);
    dataset_free(m->validation_set);
    *m = (material){0};
}
