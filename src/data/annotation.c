/* Where annotations come from, and what is asked of them. A set of class folders is turned into the same table: whoever
 * trains on several tasks meets one form. */
#include "data/annotation_int.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const char *const va_columns[] = {"valence", "arousal"};
static const char *const expression_columns[] = {"expression"};
static const char *const pose_columns[] = {"yaw", "pitch", "roll"};
static const char *const gaze_columns[] = {"gaze_left_yaw", "gaze_left_pitch", "gaze_right_yaw", "gaze_right_pitch"};

const annotation_form annotation_forms[ANNOTATION_KINDS] = {
    [ANNOTATION_VA] = {"valence and arousal", 2, va_columns, -1, 1, false},
    [ANNOTATION_EXPRESSION] = {"expressions", 1, expression_columns, 0, EXPRESSION_COUNT - 1, true},
    [ANNOTATION_AU] = {"action units", CHALLENGE_AU_COUNT, challenge_au_names, 0, 1, true},
    [ANNOTATION_AU_LEVEL] = {"action units' levels", AU_COUNT, au_level_names, 0, 1, false},
    [ANNOTATION_UNITS] = {"expression units", UNIT_COUNT, unit_names, 0, 1, false},
    [ANNOTATION_POSE] = {"head pose", 3, pose_columns, -180, 180, false},
    [ANNOTATION_GAZE] = {"gaze", 4, gaze_columns, -180, 180, false},
};

void annotations_free(annotations *a)
{
    for (int p = 0; p < a->part_count; p++) {
        mem_free(a->parts[p].source);
        mem_free(a->parts[p].root);
        mem_free(a->parts[p].fallback);
    }
    mem_free(a->parts);
    list_free(&a->rows);
    for (int k = 0; k < ANNOTATION_KINDS; k++) {
        mem_free(a->values[k]);
        mem_free(a->known[k]);
    }
    *a = (annotations){0};
}

mien_status annotations_begin_part(annotations *a, const char *source, const char *root, size_t root_length)
{
    str text = {0};
    mien_status st;
    TRY_OUT(mem_zalloc(&a->parts, 1));
    a->part_count = 1;
    TRY_OUT(mem_strdup(&a->parts->source, source));
    TRY_OUT(str_append_bytes(&text, root, root_length));
    a->parts->root = text.text;
    text = (str){0};
out:
    str_free(&text);
    return st;
}

const annotation_part *annotation_part_of(const annotations *a, int64_t row)
{
    int p = a->part_count - 1;
    while (a->parts[p].begin > row)
        p--;
    return &a->parts[p];
}

static mien_status print_path(const char *root, const char *name, char *dst, size_t bytes)
{
    int length = snprintf(dst, bytes, "%s%s", root, name);
    if (length < 0 || (size_t)length >= bytes)
        return mien_fail(MIEN_ERR_ARG, "%s: path of %d bytes (room for %zu)", name, length, bytes);
    return MIEN_OK;
}

mien_status annotation_path(const annotations *a, int64_t row, char *dst, size_t bytes)
{
    return print_path(annotation_part_of(a, row)->root, list_name(&a->rows, row), dst, bytes);
}

mien_status annotation_fallback_path(const annotations *a, int64_t row, char *dst, size_t bytes)
{
    return print_path(annotation_part_of(a, row)->fallback, list_name(&a->rows, row), dst, bytes);
}

/* *folder = a copy that names can stand behind. */
static mien_status set_folder(char **folder, const char *path)
{
    str text = {0};
    mien_status st = str_printf(&text, "%s%s", path, *path == '\0' || str_ends(path, "/") ? "" : "/");
    if (st != MIEN_OK) {
        str_free(&text);
        return st;
    }
    mem_free(*folder);
    *folder = text.text;
    return MIEN_OK;
}

mien_status annotations_set_root(annotations *a, const char *folder)
{
    return set_folder(&a->parts->root, folder);
}

mien_status annotations_set_fallback(annotations *a, const char *folder)
{
    return set_folder(&a->parts->fallback, folder);
}

/* --- sets put together -------------------------------------------------------------------------------------------- */

/* A kind's tables for the rows of both, zero where a set knows nothing of it. NULL: neither does. */
static mien_status join_kind(float **values, uint64_t **known, const annotations *a, const annotations *more, int kind)
{
    const int64_t width = annotation_forms[kind].width;
    const annotations *sets[] = {a, more};
    int64_t row = 0;
    if (!a->values[kind] && !more->values[kind])
        return MIEN_OK;
    TRY(mem_zalloc(values, (a->rows.count + more->rows.count) * width));
    TRY(mem_zalloc(known, a->rows.count + more->rows.count));
    for (int s = 0; s < 2; row += sets[s]->rows.count, s++)
        if (sets[s]->values[kind]) {
            memcpy(*values + row * width, sets[s]->values[kind], (size_t)(sets[s]->rows.count * width) * sizeof(float));
            memcpy(*known + row, sets[s]->known[kind], (size_t)sets[s]->rows.count * sizeof(uint64_t));
        }
    return MIEN_OK;
}

static mien_status append_names(label_list *to, const label_list *from)
{
    for (int64_t i = 0; i < from->count; i++)
        TRY(list_add(to, list_name(from, i), strlen(list_name(from, i)), 0, from->line[i]));
    return MIEN_OK;
}

/* Everything that is copied, and room for what then moves. */
static mien_status join(annotations *both, const annotations *a, const annotations *more)
{
    for (int k = 0; k < ANNOTATION_KINDS; k++)
        TRY(join_kind(&both->values[k], &both->known[k], a, more, k));
    TRY(list_reserve(&both->rows, a->rows.count + more->rows.count, a->rows.names_bytes + more->rows.names_bytes));
    TRY(append_names(&both->rows, &a->rows));
    TRY(append_names(&both->rows, &more->rows));
    TRY(mem_alloc(&both->rows.others, a->rows.other_count + more->rows.other_count));
    return mem_alloc(&both->parts, a->part_count + more->part_count);
}

static void move_parts(annotations *both, annotations *from, int64_t begin)
{
    for (int p = 0; p < from->part_count; p++) {
        both->parts[both->part_count] = from->parts[p];
        both->parts[both->part_count++].begin += begin;
    }
    for (int i = 0; i < from->rows.other_count; i++)
        both->rows.others[both->rows.other_count++] = from->rows.others[i];
    from->part_count = from->rows.other_count = 0;
}

mien_status annotations_append(annotations *a, annotations *more)
{
    annotations both = {0};
    mien_status st = join(&both, a, more);
    if (st == MIEN_OK) {
        int64_t begin = a->rows.count;
        move_parts(&both, a, 0);
        move_parts(&both, more, begin);
        annotations_free(a);
        *a = both;
        both = (annotations){0};
    }
    annotations_free(&both);
    annotations_free(more);
    return st;
}

/* --- pictures that are made --------------------------------------------------------------------------------------- */

static mien_status read_made(annotations *out, const picture_maker *m, uint32_t epoch)
{
    annotations a = {0};
    str table = {0};
    csv_reader r;
    mien_status st;
    TRY_OUT(m->table(m, epoch, &table));
    csv_open_bytes(&r, table.text, table.length, m->what);
    st = annotations_parse(&a, &r, false, true);
    csv_close(&r);
    TRY_OUT(st);
    if (a.rows.count != m->count) {
        st = mien_fail(MIEN_ERR_INTERNAL, "%s: %lld labels of %lld pictures", m->what, (long long)a.rows.count,
                       (long long)m->count);
        goto out;
    }
    *out = a;
    a = (annotations){0};
out:
    annotations_free(&a);
    str_free(&table);
    return st;
}

mien_status annotations_open_made(annotations *out, const picture_maker *maker)
{
    annotations a = {0};
    str root = {0};
    mien_status st;
    TRY_OUT(read_made(&a, maker, 0));
    TRY_OUT(str_printf(&root, "%s/", maker->what)); /* which no file lies in */
    TRY_OUT(annotations_begin_part(&a, maker->what, root.text, root.length));
    a.parts->maker = maker;
    *out = a;
    a = (annotations){0};
out:
    str_free(&root);
    annotations_free(&a);
    return st;
}

static void take_labels(annotations *a, int64_t begin, const annotations *fresh)
{
    for (int k = 0; k < ANNOTATION_KINDS; k++) {
        const int64_t width = annotation_forms[k].width, count = fresh->rows.count;
        if (!fresh->values[k])
            continue;
        memcpy(a->values[k] + begin * width, fresh->values[k], (size_t)(count * width) * sizeof(float));
        memcpy(a->known[k] + begin, fresh->known[k], (size_t)count * sizeof(uint64_t));
    }
}

mien_status annotations_renew(annotations *a, uint32_t epoch)
{
    for (int p = 0; p < a->part_count; p++) {
        annotations fresh;
        if (!a->parts[p].maker || !a->parts[p].maker->is_renewed)
            continue;
        TRY(read_made(&fresh, a->parts[p].maker, epoch));
        take_labels(a, a->parts[p].begin, &fresh);
        annotations_free(&fresh);
    }
    return MIEN_OK;
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

static mien_status copy_classes(annotations *a, const dataset *d, const char *source)
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
    TRY(annotations_begin_part(a, source, path, strlen(path)));
    a->parts->is_by_class = true;
    return copy_ignored(a, d);
}

static mien_status open_classes(annotations *out, const char *path, bool is_strict)
{
    dataset *d = NULL;
    annotations a = {0};
    mien_status st;
    TRY_OUT(dataset_open(&d, path, expression_names, EXPRESSION_COUNT,
                         is_strict ? DATASET_EVALUATE | DATASET_STRICT : DATASET_EVALUATE));
    TRY_OUT(copy_classes(&a, d, path));
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

/* The bits of a picture that a loss may see. */
static uint64_t seen_bits(const annotations *a, annotation_kind kind, int64_t picture, bool is_partial)
{
    uint64_t known = picture >= 0 ? annotation_known(a, kind, picture) : 0;
    return is_partial || known == annotation_all(kind) ? known : 0;
}

void annotation_fill(float *values, uint8_t *mask, const annotations *a, annotation_kind kind, const int64_t *pictures,
                     int count, bool is_partial)
{
    const int width = annotation_forms[kind].width;
    for (int i = 0; i < count; i++) {
        uint64_t seen = seen_bits(a, kind, pictures[i], is_partial);
        for (int k = 0; k < width; k++) {
            mask[i * width + k] = seen >> k & 1;
            values[i * width + k] = mask[i * width + k] ? annotation_values(a, kind, pictures[i])[k] : 0;
        }
    }
}

void annotation_fill_labels(int32_t *labels, uint8_t *mask, const annotations *a, const int64_t *pictures, int count)
{
    for (int i = 0; i < count; i++) {
        mask[i] = seen_bits(a, ANNOTATION_EXPRESSION, pictures[i], false) != 0;
        labels[i] = mask[i] ? (int32_t)*annotation_values(a, ANNOTATION_EXPRESSION, pictures[i]) : 0;
    }
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
