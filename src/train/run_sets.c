/* The one place that turns paths and shares into the pictures that train and those that select. A hash over names and
 * what is known of them says whether a resumed run learns from the same ones. */
#include "train/run_sets.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/bad_pictures.h"
#include "data/sampler.h"

#include <stdio.h>

const task_set *run_sets_selecting(const run_sets *sets)
{
    return sets->validation ? sets->validation : sets->training;
}

static mien_status split(run_sets *sets, const recipe *r, const source_list *data, const source_list *validation,
                         bool is_strict)
{
    const task_values values = recipe_values(r, 0);
    task_set_options o = {.sources = data->at,
                          .source_count = data->count,
                          .values = &values,
                          .heads = r->heads,
                          .head_count = r->head_count,
                          .is_training = true,
                          .is_strict = is_strict};
    TRY(r->task->open(&sets->training, validation->count ? NULL : &sets->validation, &o));
    if (validation->count) {
        o.sources = validation->at;
        o.source_count = validation->count;
        o.is_training = false;
        TRY(r->task->open(&sets->validation, NULL, &o));
    }
    if (!sets->validation)
        return subset_split(&sets->kept, &sets->held, sets->training->pictures, r->data.val_share);
    TRY(subset_all(&sets->kept, sets->training->pictures));
    return subset_all(&sets->held, sets->validation->pictures);
}

/* Over names, each ended by what is known of its picture. */
static mien_status hash_plan(uint64_t *hash, const task_set *set, const epoch_plan *plan)
{
    const picture_source *source = set->pictures->source;
    char name[PICTURE_NAME_BYTES];
    if (source->fingerprint)
        *hash = hash_mix(*hash, source->fingerprint);
    for (int64_t i = 0; i < plan->items->count; i++) {
        int64_t picture = plan->items->index[i];
        TRY(source->name(source, picture, name, sizeof name));
        *hash = hash_bytes(*hash, name, strlen(name));
        *hash = hash_mix(*hash, set->task->fingerprint(set, picture));
    }
    return MIEN_OK;
}

/* The pictures of `kept` that a draw may have. */
static mien_status take_part(subset *part, const run_sets *sets, const task_draw *draw)
{
    TRY(mem_alloc(&part->index, sets->kept.count));
    for (int64_t i = 0; i < sets->kept.count; i++)
        if (draw->has(sets->training, sets->kept.index[i]))
            part->index[part->count++] = sets->kept.index[i];
    if (part->count == 0)
        return mien_fail(MIEN_ERR_ARG, "%s: no picture with %s", sets->training->path, draw->name);
    return MIEN_OK;
}

/* Copies would make parts of equal length unequal again. */
static mien_status plan_draws(run_sets *sets, const recipe *r)
{
    task_draw draws[TASK_MAX_DRAWS];
    const task_values values = recipe_values(r, 0);
    const bool is_balanced = r->data.balance != BALANCE_NONE;
    int count = r->task->draws ? r->task->draws(draws, &values, r->heads, r->head_count) : 0;
    sets->draw_count = count ? count : 1;
    sets->draws[0] = &sets->train;
    if (count > 1 && is_balanced)
        return mien_fail(MIEN_ERR_ARG, "data.balance: randaugment (wanted none: a step draws %d batches)", count);
    for (int d = 0; d < count; d++)
        TRY(take_part(&sets->parts[d], sets, &draws[d]));
    TRY(sampler_repeat(sets->parts, count));
    for (int d = 0; d < count; d++) {
        TRY(epoch_plan_create(&sets->part_plans[d], sets->training->pictures, &sets->parts[d], is_balanced));
        sets->draws[d] = &sets->part_plans[d];
    }
    return MIEN_OK;
}

/* Is there a whole batch? All draws have equally many pictures. */
static mien_status check_batches(const run_sets *sets, const recipe *r)
{
    int64_t count = sets->draws[0]->items->count;
    for (int s = 0; s < r->stage_count; s++) {
        const recipe_stage *stage = &r->stages[s];
        if (stage->enabled && count < stage->batch)
            return mien_fail(MIEN_ERR_ARG, "%s: %lld pictures to train on (wanted at least %s.batch, %d)",
                             sets->training->path, (long long)count, stage->name, stage->batch);
    }
    return MIEN_OK;
}

mien_status run_sets_cannot_tell(const task_set *selecting, const char *score, const char *stage)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: no label that tells %s (%s.select)", selecting->path, score, stage);
}

static mien_status check_select(const task_set *selecting, const epoch_plan *plan, const recipe *r)
{
    for (int s = 0; r->task->tells && s < r->stage_count; s++) {
        const char *by = r->task->select[r->stages[s].select];
        if (r->stages[s].enabled && !r->task->tells(selecting, plan, by))
            return run_sets_cannot_tell(selecting, by, r->stages[s].name);
    }
    return MIEN_OK;
}

/* Files that a set names and that are not there are counted before the first step, not met one by one. */
static mien_status check_there(const task_set *set, const epoch_plan *plan, double max_bad_share)
{
    bad_pictures_absent absent;
    TRY(bad_pictures_find_absent(&absent, set->pictures->source, plan->items));
    if (absent.count > bad_pictures_allowed(plan->items->count, max_bad_share))
        return mien_fail(MIEN_ERR_IO, "%s (data.max_bad_share %g)", absent.text, max_bad_share);
    if (absent.count)
        log_warning("%s", absent.text);
    return MIEN_OK;
}

mien_status run_sets_open(run_sets *out, const recipe *r, const source_list *data, const source_list *validation,
                          bool is_strict)
{
    TRY(split(out, r, data, validation, is_strict));
    const task_set *selecting = run_sets_selecting(out);
    if (out->held.count == 0)
        return mien_fail(MIEN_ERR_ARG, "%s: no picture to select on (wanted data.val_share above 0, or a set for it)",
                         selecting->path);
    TRY(epoch_plan_create(&out->train, out->training->pictures, &out->kept, r->data.balance != BALANCE_NONE));
    TRY(plan_draws(out, r));
    TRY(check_batches(out, r));
    TRY(epoch_plan_create(&out->select, selecting->pictures, &out->held, false));
    if (r->task->tell_missing)
        TRY(r->task->tell_missing(selecting, &out->select));
    TRY(check_select(selecting, &out->select, r));
    TRY(check_there(out->training, &out->train, r->data.max_bad_share));
    TRY(check_there(selecting, &out->select, r->data.max_bad_share));
    out->hash = HASH_BEGIN;
    TRY(hash_plan(&out->hash, out->training, &out->train));
    return hash_plan(&out->hash, selecting, &out->select);
}

void run_sets_close(run_sets *sets)
{
    epoch_plan_free(&sets->train);
    epoch_plan_free(&sets->select);
    for (int d = 0; d < TASK_MAX_DRAWS; d++) {
        epoch_plan_free(&sets->part_plans[d]);
        subset_free(&sets->parts[d]);
    }
    subset_free(&sets->kept);
    subset_free(&sets->held);
    if (sets->training)
        sets->training->task->close(sets->training);
    if (sets->validation)
        sets->validation->task->close(sets->validation);
    *sets = (run_sets){0};
}
