/* Where annotations come from, and what is asked of them. A set of class folders is turned into the same table: whoever
 * trains on several tasks meets one form. */
#include "data/annotation.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <string.h>

static const char *const va_columns[] = {"valence", "arousal"};
static const char *const expression_columns[] = {"expression"};
static const char *const pose_columns[] = {"yaw", "pitch", "roll"};

const annotation_form annotation_forms[ANNOTATION_KINDS] = {
    [ANNOTATION_VA] = {"valence and arousal", 2, va_columns, -1, 1, false},
    [ANNOTATION_EXPRESSION] = {"expressions", 1, expression_columns, 0, EXPRESSION_COUNT - 1, true},
    [ANNOTATION_AU] = {"action units", CHALLENGE_AU_COUNT, challenge_au_names, 0, 1, true},
    [ANNOTATION_AU_LEVEL] = {"action units' levels", AU_COUNT, au_level_names, 0, 1, false},
    [ANNOTATION_UNITS] = {"expression units", UNIT_COUNT, unit_names, 0, 1, false},
    [ANNOTATION_POSE] = {"head pose", 3, pose_columns, -180, 180, false},
};

void annotations_free(annotations *a)
{
    mem_free(a->source);
    mem_free(a->root);
    list_free(&a->rows);
    for (int k = 0; k < ANNOTATION_KINDS; k++) {
        mem_free(a->values[k]);
        mem_free(a->known[k]);
    }
    *a = (annotations){0};
}

/* --- folders ------------------------------------------------------------------------------------------------------ */

/* What the set left out, counted as it counts. */
static mien_status copy_ignored(annotations *a, const dataset *d)
{
    int count = dataset_ignored_count(d);
    if (count == 0)
        return MIEN_OK;
    TRY(mem_zalloc(&a->rows.others, count));
    for (; a->rows.other_count < count; a->rows.other_count++) {
        struct list_other *other = &a->rows.others[a->rows.other_count];
        TRY(mem_strdup(&other->name, dataset_ignored(d, a->rows.other_count, &other->rows)));
    }
    return MIEN_OK;
}

static mien_status copy_classes(annotations *a, const dataset *d)
{
    char text[PICTURE_NAME_BYTES], path[PICTURE_NAME_BYTES];
    int64_t count = dataset_count(d);
    TRY(mem_alloc(&a->values[ANNOTATION_EXPRESSION], count));
    TRY(mem_alloc(&a->known[ANNOTATION_EXPRESSION], count));
    for (int64_t i = 0; i < count; i++) {
        TRY(dataset_name(d, i, text, sizeof text));
        TRY(list_add(&a->rows, text, strlen(text), 0, 0));
        a->values[ANNOTATION_EXPRESSION][i] = (float)dataset_label(d, i);
        a->known[ANNOTATION_EXPRESSION][i] = 1;
    }
    TRY(dataset_path(d, 0, path, sizeof path)); /* the root and the first name: a folder without pictures is refused */
    TRY(dataset_name(d, 0, text, sizeof text));
    path[strlen(path) - strlen(text)] = '\0';
    TRY(mem_strdup(&a->root, path));
    return copy_ignored(a, d);
}

static mien_status open_classes(annotations *out, const char *path, bool is_strict)
{
    dataset *d = NULL;
    annotations a = {0};
    mien_status st;
    TRY_OUT(dataset_open(&d, path, expression_names, EXPRESSION_COUNT,
                         is_strict ? DATASET_EVALUATE | DATASET_STRICT : DATASET_EVALUATE));
    TRY_OUT(mem_strdup(&a.source, path));
    TRY_OUT(copy_classes(&a, d));
    *out = a;
    a = (annotations){0};
out:
    dataset_free(d);
    annotations_free(&a);
    return st;
}

/* *out = the folder of that name in any case, as a path; NULL: there is none. */
static mien_status find_inside(char **out, const char *path, const char *wanted)
{
    char **names;
    size_t count;
    mien_status st = MIEN_OK;
    *out = NULL;
    TRY(file_list(&names, &count, path));
    for (size_t i = 0; st == MIEN_OK && !*out && i < count; i++) {
        if (!str_equal_nocase(names[i], wanted))
            continue;
        st = file_join(out, path, names[i]);
        if (st == MIEN_OK && !file_is_folder(*out)) {
            mem_free(*out);
            *out = NULL;
        }
    }
    file_list_free(names, count);
    return st;
}

/* *out = the labels.csv that makes a folder a set of `mien synth`; NULL: it is none. */
static mien_status find_table(char **out, const char *path)
{
    TRY(file_join(out, path, "labels.csv"));
    if (!file_exists(*out)) {
        mem_free(*out);
        *out = NULL;
    }
    return MIEN_OK;
}

static mien_status open_folder(annotations *out, const char *path, bool is_strict)
{
    char *table;
    TRY(find_table(&table, path));
    mien_status st = table ? annotations_read(out, table, false, is_strict) : open_classes(out, path, is_strict);
    mem_free(table);
    return st;
}

/* *half = the one of `train` and `val` that is meant; NULL: the folder has no such two. */
static mien_status find_half(char **half, const char *path, annotations_use use)
{
    const char *wanted = use == ANNOTATIONS_TRAIN ? "train" : "val",
               *other = use == ANNOTATIONS_TRAIN ? "val" : "train";
    char *table, *beside = NULL;
    *half = NULL;
    TRY(find_table(&table, path));
    mien_status st = table ? MIEN_OK : find_inside(half, path, wanted);
    if (st == MIEN_OK && !table && !*half)
        st = find_inside(&beside, path, other);
    if (st == MIEN_OK && beside)
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no folder %s (found %s)", path, wanted, other);
    mem_free(table);
    mem_free(beside);
    return st;
}

mien_status annotations_open(annotations *out, const char *path, annotations_use use)
{
    bool is_strict = use & ANNOTATIONS_STRICT;
    use &= ~ANNOTATIONS_STRICT;
    if (!file_is_folder(path))
        return annotations_read(out, path, false, is_strict);
    char *half;
    TRY(find_half(&half, path, use));
    mien_status st = open_folder(out, half ? half : path, is_strict);
    mem_free(half);
    return st;
}

mien_status annotations_validation(char **out, const char *path)
{
    char *table = NULL, *train = NULL, *val = NULL;
    mien_status st = MIEN_OK;
    if (file_is_folder(path)) {
        TRY_OUT(find_table(&table, path));
        TRY_OUT(find_inside(&train, path, "train"));
        TRY_OUT(find_inside(&val, path, "val"));
    }
    *out = !table && train ? val : NULL;
    val = *out ? NULL : val;
out:
    mem_free(table);
    mem_free(train);
    mem_free(val);
    return st;
}

/* --- subsets and weights ------------------------------------------------------------------------------------------ */

mien_status annotation_subset(subset *out, const annotations *a, const subset *items, annotation_kind kind,
                              bool is_partial)
{
    int64_t count = items ? items->count : a->rows.count;
    uint64_t all = annotation_all(kind);
    subset s = {0};
    TRY(mem_alloc(&s.index, count));
    for (int64_t i = 0; i < count; i++) {
        uint32_t row = items ? items->index[i] : (uint32_t)i;
        uint64_t known = annotation_known(a, kind, row);
        if (is_partial ? known != 0 : known == all)
            s.index[s.count++] = row;
    }
    *out = s;
    return MIEN_OK;
}

void annotation_count(annotation_counts *out, const annotations *a, const subset *expression, const subset *au)
{
    *out = (annotation_counts){0};
    for (int64_t i = 0; expression && i < expression->count; i++)
        out->expression[(int)*annotation_values(a, ANNOTATION_EXPRESSION, expression->index[i])]++;
    for (int64_t i = 0; au && i < au->count; i++) {
        const float *values = annotation_values(a, ANNOTATION_AU, au->index[i]);
        uint64_t known = annotation_known(a, ANNOTATION_AU, au->index[i]);
        for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
            if (known >> k & 1)
                out->au[k][values[k] > 0]++;
    }
}

void annotation_class_weights(float weights[EXPRESSION_COUNT], const annotation_counts *counts)
{
    const int64_t *n = counts->expression;
    int64_t reference = n[EXPRESSION_OTHER];
    for (int c = 0; n[EXPRESSION_OTHER] == 0 && c < EXPRESSION_COUNT; c++)
        reference = n[c] > reference ? n[c] : reference;
    for (int c = 0; c < EXPRESSION_COUNT; c++)
        weights[c] = n[c] > 0 ? (float)((double)reference / (double)n[c]) : 1.0f;
}

void annotation_au_weights(float weights[CHALLENGE_AU_COUNT], const annotation_counts *counts)
{
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++) {
        int64_t inactive = counts->au[k][0], active = counts->au[k][1];
        weights[k] = inactive > 0 && active > 0 ? (float)((double)inactive / (double)active) : 1.0f;
    }
}
