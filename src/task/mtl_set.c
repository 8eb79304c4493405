/* Pictures of one or several places, each with what its own annotations know. A place is one group: its held-out share
 * is the end of its file, and so people or clips that nothing is learned of, where files go by them. Where expressions
 * alone are known, as of class folders, each is a group of its own, or the last classes alone would be held out. */
#include "task/mtl_int.h"

#include "base/hash.h"
#include "base/mem.h"
#include "task/metric.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- the picture source ------------------------------------------------------------------------------------------- */

static const mtl_set *set_of(const picture_source *source)
{
    return (const mtl_set *)((const char *)source - offsetof(mtl_set, source));
}

static mien_status picture_name(const picture_source *source, int64_t index, char *dst, size_t bytes)
{
    const char *name = list_name(&set_of(source)->known.rows, index);
    int length = snprintf(dst, bytes, "%s", name);
    if (length < 0 || (size_t)length >= bytes)
        return mien_fail(MIEN_ERR_ARG, "%s: name of %d bytes (room for %zu)", name, length, bytes);
    return MIEN_OK;
}

static mien_status picture_path(const picture_source *source, int64_t index, char *dst, size_t bytes)
{
    return annotation_path(&set_of(source)->known, index, dst, bytes);
}

static bool is_picture_there(const picture_source *source, int64_t index)
{
    const annotations *a = &set_of(source)->known;
    char path[PATH_MAX];
    if (annotation_part_of(a, index)->maker)
        return true;
    if (annotation_path(a, index, path, sizeof path) == MIEN_OK && access(path, F_OK) == 0)
        return true;
    return annotation_part_of(a, index)->fallback && annotation_fallback_path(a, index, path, sizeof path) == MIEN_OK &&
           access(path, F_OK) == 0;
}

static mien_status read_picture(const picture_source *source, int64_t index, picture_reader *r)
{
    const annotations *a = &set_of(source)->known;
    const annotation_part *part = annotation_part_of(a, index);
    if (part->maker)
        return part->maker->read(part->maker, r->epoch, index - part->begin, r);
    TRY(annotation_path(a, index, r->path, sizeof r->path));
    const bool has_second = part->fallback != NULL;
    char second[PATH_MAX];
    if (has_second)
        TRY(annotation_fallback_path(a, index, second, sizeof second));
    return picture_read_either(r, has_second ? second : NULL);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

void mtl_close(task_set *base)
{
    mtl_set *set = (mtl_set *)base;
    if (!set)
        return;
    annotations_free(&set->known);
    mem_free((void *)set->source.reported);
    mem_free(set->group);
    mem_free(set->group_names);
    mem_free(set);
}

mien_status mtl_renew(task_set *set, uint32_t epoch)
{
    return annotations_renew(&((mtl_set *)set)->known, epoch);
}

/* Does a part, rows begin to end, tell of expressions and nothing else? */
static bool is_classes(const annotations *a, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++)
        for (int k = 0; k < ANNOTATION_KINDS; k++)
            if ((annotation_known(a, k, i) != 0) != (k == ANNOTATION_EXPRESSION))
                return false;
    return true;
}

static mien_status make_groups(mtl_set *set)
{
    const annotations *a = &set->known;
    int count = 0;
    TRY(mem_alloc(&set->group, a->rows.count));
    TRY(mem_alloc(&set->group_names, a->part_count * EXPRESSION_COUNT));
    for (int p = 0; p < a->part_count; p++) {
        const int64_t begin = a->parts[p].begin, end = p + 1 < a->part_count ? a->parts[p + 1].begin : a->rows.count;
        const bool by_class = is_classes(a, begin, end);
        for (int64_t i = begin; i < end; i++)
            set->group[i] = (uint16_t)(count + (by_class ? (int)*annotation_values(a, ANNOTATION_EXPRESSION, i) : 0));
        for (int c = 0; c < (by_class ? EXPRESSION_COUNT : 1); c++)
            set->group_names[count++] = by_class ? expression_names[c] : a->parts[p].source;
    }
    set->pictures = (picture_set){
        .source = &set->source, .group = set->group, .group_count = count, .group_names = set->group_names};
    return MIEN_OK;
}

/* Takes `known` over, also where it fails. */
static mien_status wrap(task_set **out, annotations *known, const char *path, const task_set_options *o)
{
    const mtl_stage_values *values = o->values ? o->values->stage : NULL;
    const int64_t count = known->rows.count;
    mtl_set *set = NULL;
    mien_status st;
    TRY_OUT(mem_zalloc(&set, 1));
    set->known = *known;
    *known = (annotations){0};
    TRY_OUT(mem_zalloc(&set->source.reported, (count + 31) / 32));
    set->source.what = path;
    set->source.count = count;
    set->source.name = picture_name;
    set->source.path = picture_path;
    set->source.is_there = is_picture_there;
    set->source.read = read_picture;
    TRY_OUT(make_groups(set));
    set->base = (task_set){.task = &task_mtl, .path = path, .pictures = &set->pictures};
    for (int i = 0; i < set->known.part_count; i++) {
        const picture_maker *maker = set->known.parts[i].maker;
        set->base.is_by_class |= set->known.parts[i].is_by_class;
        set->source.is_renewed |= maker && maker->is_renewed;
        set->source.fingerprint = maker ? set->source.fingerprint * 31 + maker->fingerprint : set->source.fingerprint;
    }
    set->is_partial = values && values->au == MTL_AU_PARTIAL;
    for (int h = 0; h < o->head_count; h++)
        set->is_asked[mtl_head_kinds[mtl_head_of(&o->heads[h])]] = true;
    *out = &set->base;
    set = NULL;
out:
    annotations_free(known);
    mtl_close((task_set *)set);
    return st;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static mien_status open_source(annotations *out, const task_source *source, const char *path, annotations_use use)
{
    annotations a = {0};
    mien_status st;
    TRY_OUT(source->maker ? annotations_open_made(&a, source->maker) : annotations_open(&a, path, use));
    if (source->images)
        TRY_OUT(annotations_set_root(&a, source->images));
    if (source->fallback)
        TRY_OUT(annotations_set_fallback(&a, source->fallback));
    TRY_OUT(out->part_count ? annotations_append(out, &a) : MIEN_OK);
    if (!out->part_count) {
        *out = a;
        a = (annotations){0};
    }
out:
    annotations_free(&a);
    return st;
}

/* The `val` folders beside those that training reads. */
static mien_status open_validation(annotations *out, const task_set_options *o, annotations_use use)
{
    for (int i = 0; i < o->source_count; i++) {
        char *path;
        if (o->sources[i].maker) {
            const task_source others = {.path = o->sources[i].path, .maker = o->sources[i].maker->validation};
            TRY(others.maker ? open_source(out, &others, others.path, use) : MIEN_OK);
            continue;
        }
        TRY(annotations_validation(&path, o->sources[i].path));
        mien_status st = path ? open_source(out, &o->sources[i], path, use) : MIEN_OK;
        mem_free(path);
        TRY(st);
    }
    return MIEN_OK;
}

static mien_status check_heads(const task_set_options *o)
{
    for (int h = 0; h < o->head_count; h++)
        if (mtl_head_of(&o->heads[h]) < 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: head %.32s of %d outputs is none of task mtl", o->sources[0].path,
                             o->heads[h].name, o->heads[h].size);
    return MIEN_OK;
}

/* There must be pictures of which the heads' labels are known; in training, some for each head. */
static mien_status check_known(const task_set *set, const task_set_options *o)
{
    int missing = -1, found = 0;
    for (int h = 0; h < o->head_count; h++) {
        const int row = mtl_head_of(&o->heads[h]);
        bool is_there = false;
        for (int64_t i = 0; !is_there && i < set->pictures->source->count; i++)
            is_there = mtl_has(mtl_set_of(set), mtl_head_kinds[row], i);
        found += is_there;
        missing = is_there ? missing : row;
    }
    if (found == 0 || (o->is_training && missing >= 0))
        return mien_fail(MIEN_ERR_FORMAT, "%s: no picture with %s (head %s)", set->path,
                         annotation_forms[mtl_head_kinds[missing]].name, mtl_heads[missing].name);
    return MIEN_OK;
}

mien_status mtl_open(task_set **out, task_set **validation, const task_set_options *o)
{
    const annotations_use strict = o->is_strict ? ANNOTATIONS_STRICT : 0;
    const char *path = o->sources[0].path;
    annotations known = {0}, beside = {0};
    task_set *training = NULL;
    mien_status st;
    TRY(check_heads(o));
    for (int i = 0; i < o->source_count; i++)
        TRY_OUT(open_source(&known, &o->sources[i], o->sources[i].path,
                            strict | (o->is_training ? ANNOTATIONS_TRAIN : ANNOTATIONS_EVALUATE)));
    TRY_OUT(wrap(&training, &known, path, o));
    TRY_OUT(check_known(training, o));
    if (validation)
        TRY_OUT(open_validation(&beside, o, strict | ANNOTATIONS_EVALUATE));
    if (validation && beside.part_count)
        TRY_OUT(wrap(validation, &beside, path, o));
    *out = training;
    training = NULL;
out:
    annotations_free(&known);
    annotations_free(&beside);
    mtl_close(training);
    return st;
}

/* --- what is known ------------------------------------------------------------------------------------------------ */

bool mtl_has(const mtl_set *set, annotation_kind kind, int64_t picture)
{
    uint64_t known = annotation_known(&set->known, kind, picture);
    return mtl_is_partial(set, kind) ? known != 0 : known == annotation_all(kind);
}

uint64_t mtl_fingerprint(const task_set *base, int64_t picture)
{
    const annotations *a = &mtl_set_of(base)->known;
    uint64_t hash = HASH_BEGIN;
    for (int k = 0; k < ANNOTATION_KINDS; k++) {
        uint64_t known = annotation_known(a, k, picture);
        if (!known && k > ANNOTATION_POSE) /* builds that did not know the kind began runs that go on */
            continue;
        hash = hash_mix(hash, known);
        for (int i = 0; i < annotation_forms[k].width; i++) {
            uint32_t bits;
            if (!(known >> i & 1))
                continue;
            memcpy(&bits, annotation_values(a, k, picture) + i, sizeof bits);
            hash = hash_mix(hash, bits);
        }
    }
    return hash;
}

mien_status mtl_count(annotation_counts *out, const mtl_set *set, const epoch_plan *plan)
{
    subset expression = {0}, au = {0};
    mien_status st;
    TRY_OUT(annotation_subset(&expression, &set->known, plan->items, ANNOTATION_EXPRESSION, false));
    TRY_OUT(annotation_subset(&au, &set->known, plan->items, ANNOTATION_AU, set->is_partial));
    annotation_count(out, &set->known, &expression, &au);
out:
    subset_free(&expression);
    subset_free(&au);
    return st;
}

/* Classes and units that nothing of a plan shows, where the set tells of them at all. */
mien_status mtl_tell_missing(const task_set *base, const epoch_plan *plan)
{
    const mtl_set *set = mtl_set_of(base);
    annotation_counts counts;
    int64_t active[CHALLENGE_AU_COUNT];
    TRY(mtl_count(&counts, set, plan));
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        active[k] = counts.au[k][1];
    if (set->is_asked[ANNOTATION_EXPRESSION] && set->known.values[ANNOTATION_EXPRESSION])
        TRY(metric_tell_absent(base->path, expression_names, counts.expression, EXPRESSION_COUNT));
    if (set->is_asked[ANNOTATION_AU] && set->known.values[ANNOTATION_AU])
        TRY(metric_tell_absent(base->path, challenge_au_names, active, CHALLENGE_AU_COUNT));
    return MIEN_OK;
}

/* p_mtl is the sum of those of the challenge's tasks that are known. */
bool mtl_tells(const task_set *base, const epoch_plan *plan, const char *score)
{
    const mtl_set *set = mtl_set_of(base);
    const bool is_sum = strcmp(score, "p_mtl") == 0;
    for (int h = 0; h < MTL_HEADS; h++) {
        const bool is_told = is_sum ? h < MTL_CHALLENGE_HEADS : strcmp(score, mtl_heads[h].metric) == 0;
        for (int64_t i = 0; is_told && set->is_asked[mtl_head_kinds[h]] && i < plan->items->count; i++)
            if (mtl_has(set, mtl_head_kinds[h], plan->items->index[i]))
                return true;
    }
    return false;
}

/* {"labels": {"va": 12, ..}, "expressions": {"neutral": 3, ..}, "active": {"AU01": 2, ..}} */
json_t *mtl_account(const task_set *base, const epoch_plan *plan)
{
    const mtl_set *set = mtl_set_of(base);
    json_t *labels = json_object(), *expressions = json_object(), *active = json_object();
    annotation_counts counts;
    for (int h = 0; h < MTL_HEADS; h++) {
        int64_t count = 0;
        for (int64_t i = 0; i < plan->items->count; i++)
            count += mtl_has(set, mtl_head_kinds[h], plan->items->index[i]);
        if (set->is_asked[mtl_head_kinds[h]])
            json_object_set_new(labels, mtl_heads[h].name, json_integer(count));
    }
    if (mtl_count(&counts, set, plan) == MIEN_OK) {
        for (int c = 0; c < EXPRESSION_COUNT; c++)
            json_object_set_new(expressions, expression_names[c], json_integer(counts.expression[c]));
        for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
            json_object_set_new(active, challenge_au_names[k], json_integer(counts.au[k][1]));
    }
    return json_pack("{s:o, s:o, s:o}", "labels", labels, "expressions", expressions, "active", active);
}

int mtl_ignored_count(const task_set *set)
{
    return mtl_set_of(set)->known.rows.other_count;
}

const char *mtl_ignored(const task_set *set, int index, int64_t *count)
{
    const struct list_other *other = &mtl_set_of(set)->known.rows.others[index];
    *count = other->rows;
    return other->name;
}
