/* Targets are labels of a set of class folders or of a CSV: every picture that such a set lists has one, so nothing is
 * masked but what cannot be read. */
#include "task/lsd.h"

#include "base/mem.h"
#include "data/dataset.h"
#include "data/label.h"
#include "format/csv.h"
#include "task/calibrate.h"
#include "task/class_loss.h"
#include "task/metric.h"
#include "task/score.h"
#include "task/submission.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const lsd_classes[LSD_CLASSES] = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"};

static const model_head challenge_head = {.name = HEAD_EXPRESSION,
                                          .kind = HEAD_CLASS,
                                          .size = LSD_CLASSES,
                                          .loss = "cross_entropy",
                                          .metric = "macro_f1",
                                          .columns = lsd_classes};

static const task_stage stages[] = {
    {.name = "stage1", .kind = MODEL_PLAIN, .help = "Fine-tuning of the whole network."},
    {.name = "stage2",
     .kind = MODEL_DEVIATION,
     .help = "The deviation module: a frozen and a trained copy of the extractor, and a new head on the difference of "
             "their features. Both copies run with running statistics and without dropout."},
};

/* --- recipes ------------------------------------------------------------------------------------------------------ */

static const recipe_key keys[] = {
    {.name = "classes",
     .type = &recipe_type_classes,
     .offset = offsetof(lsd_values, classes),
     .fallback = "[anger, disgust, fear, happiness, sadness, surprise]",
     .help = "Lower-case names of the outputs, in their order. Folders of other names are left out.",
     .after = "seed"},
};

static const char *const temperature_words[] = {"none", "held_out", NULL};

static const recipe_key stage_keys[] = {
    {.name = "label_smoothing",
     .type = &recipe_type_float,
     .offset = offsetof(lsd_stage_values, label_smoothing),
     .range = RECIPE_FROM_BELOW(0, 1),
     .fallback = "0.2",
     .help = "Share of the target that is spread evenly over all classes.",
     .after = "schedule.warmup"},
    {.name = "class_weights",
     .type = &recipe_type_weights,
     .offset = offsetof(lsd_stage_values, class_weights),
     .fallback = "[]",
     .help = "A weight for each class, in their order; empty: all alike."},
    {.name = "temperature",
     .type = &recipe_type_word,
     .offset = offsetof(lsd_stage_values, temperature),
     .words = temperature_words,
     .fallback = "none",
     .help = "`held_out`: the best model keeps the temperature that makes its probabilities fit the held-out pictures "
             "best (least log loss), and divides its logits by it from then on; which class is the likeliest stays."},
};

static const char *const select_words[] = {"loss", "macro_f1", NULL}, *const shown_words[] = {"macro_f1", "accuracy",
                                                                                              NULL};

static mien_status check(const task_values *values, const char *stage, const recipe_reading *in)
{
    const lsd_values *v = values->top;
    const lsd_stage_values *s = values->stage;
    char key[96];
    snprintf(key, sizeof key, "%s.class_weights", stage);
    const recipe_place *place = recipe_reading_place(in, key);
    if (place && s->class_weights.count && s->class_weights.count != v->classes.count)
        return recipe_fail(place, MIEN_ERR_FORMAT, "%d weights (wanted %d, one a class)", s->class_weights.count,
                           v->classes.count);
    return MIEN_OK;
}

static mien_status make_heads(const model_head **out, int *count, const task_values *values, arena *texts)
{
    const lsd_values *v = values->top;
    model_head *only = NULL;
    TRY(arena_alloc(texts, &only, 1));
    *only = challenge_head;
    only->size = v->classes.count;
    only->columns = v->classes.names;
    *out = only;
    *count = 1;
    return MIEN_OK;
}

/* --- sets --------------------------------------------------------------------------------------------------------- */

typedef struct {
    task_set base; /* first: a set that is handed back is this */
    dataset *data;
} lsd_set;

static const dataset *data_of(const task_set *set)
{
    return ((const lsd_set *)set)->data;
}

static int label_of(const task_set *set, int64_t picture)
{
    return dataset_label(data_of(set), picture);
}

static void close_set(task_set *set)
{
    if (!set)
        return;
    dataset_free(((lsd_set *)set)->data);
    mem_free(set);
}

/* Takes the data over, also where it fails. */
static mien_status wrap(task_set **out, dataset *data, const char *path)
{
    lsd_set *set;
    mien_status st = mem_zalloc(&set, 1);
    if (st != MIEN_OK) {
        dataset_free(data);
        return st;
    }
    *set = (lsd_set){
        {.task = &task_lsd, .path = path, .pictures = dataset_pictures(data), .is_by_class = file_is_folder(path)},
        data};
    *out = &set->base;
    return MIEN_OK;
}

/* Pictures that are made come with others to select by. */
static mien_status open_made(task_set **out, task_set **validation, const picture_maker *maker,
                             const model_head *classes)
{
    dataset *data;
    if (validation && maker->validation)
        TRY(open_made(validation, NULL, maker->validation, classes));
    TRY(dataset_open_made(&data, maker, classes->columns, classes->size));
    return wrap(out, data, maker->what);
}

static mien_status renew(task_set *set, uint32_t epoch)
{
    return dataset_renew(((lsd_set *)set)->data, epoch);
}

static mien_status open_set(task_set **out, task_set **validation, const task_set_options *o)
{
    int h;
    const char *path = o->sources[0].path;
    if (o->source_count > 1)
        return mien_fail(MIEN_ERR_ARG, "%s: a second set (wanted one in task lsd)", o->sources[1].path);
    TRY(head_find(&h, o->heads, o->head_count, HEAD_EXPRESSION, path));
    const model_head *classes = &o->heads[h];
    if (o->sources[0].maker)
        return open_made(out, validation, o->sources[0].maker, classes);
    dataset *data = NULL, *beside = NULL;
    dataset_use use = (o->is_training ? DATASET_TRAIN : DATASET_EVALUATE) | (o->is_strict ? DATASET_STRICT : 0);
    TRY(dataset_open(&data, path, classes->columns, classes->size, use));
    mien_status st = dataset_set_images(data, o->sources[0].images, o->sources[0].fallback);
    if (st == MIEN_OK && validation && dataset_has_validation(data)) {
        st = dataset_open_validation(&beside, data);
        if (st == MIEN_OK)
            st = wrap(validation, beside, dataset_source(beside));
    }
    if (st != MIEN_OK) {
        dataset_free(data);
        return st;
    }
    return wrap(out, data, path);
}

/* Names alone would not tell a file that was given another label. */
static uint64_t fingerprint(const task_set *set, int64_t picture)
{
    return (uint64_t)(256 + label_of(set, picture));
}

static mien_status tell_missing(const task_set *set, const epoch_plan *plan)
{
    const picture_set *pictures = set->pictures;
    return metric_tell_absent(dataset_source(data_of(set)), pictures->group_names, plan->group_size, plan->group_count);
}

static json_t *account(const task_set *set, const epoch_plan *plan)
{
    json_t *classes = json_object();
    for (int c = 0; c < plan->group_count; c++)
        json_object_set_new(classes, dataset_class(data_of(set), c), json_integer(plan->group_size[c]));
    return json_pack("{s:o}", "classes", classes);
}

static int ignored_count(const task_set *set)
{
    return dataset_ignored_count(data_of(set));
}

static const char *ignored(const task_set *set, int index, int64_t *count)
{
    return dataset_ignored(data_of(set), index, count);
}

/* --- training ----------------------------------------------------------------------------------------------------- */

enum { LABELS, CLASS_WEIGHTS };

static mien_status describe(task_ending *e, graph *g, model_io *io, const model_spec *spec, int batch)
{
    const lsd_stage_values *s = e->values.stage;
    const int classes = spec->heads[0].size;
    class_loss loss = {.label_smoothing = s->label_smoothing,
                       .has_class_weights = s->class_weights.count > 0,
                       .has_soft_targets = e->is_mixed};
    TRY(class_loss_describe(&loss, g, io, batch, classes));
    e->inputs[LABELS] = loss.labels;
    e->inputs[CLASS_WEIGHTS] = loss.class_weights;
    e->targets_bytes = (size_t)batch * (e->is_mixed ? (size_t)classes * sizeof(float) : sizeof(int32_t));
    return MIEN_OK;
}

static mien_status settle(const task_ending *e, program *p, const model_spec *spec, const task_set *set,
                          const epoch_plan *plan)
{
    (void)spec, (void)set, (void)plan;
    const lsd_stage_values *s = e->values.stage;
    return s->class_weights.count ? program_write(p, e->inputs[CLASS_WEIGHTS], s->class_weights.values) : MIEN_OK;
}

static mien_status fill(const task_ending *e, program *p, const model_spec *spec, const task_set *set, int draw,
                        const task_row *rows, int count)
{
    (void)draw; /* there is one */
    const int classes = spec->heads[0].size;
    if (e->is_mixed) {
        float *targets = e->targets; /* [count, classes] */
        memset(targets, 0, (size_t)count * (size_t)classes * sizeof *targets);
        for (int i = 0; i < count; i++) {
            targets[i * classes + label_of(set, rows[i].picture)] += rows[i].own;
            targets[i * classes + label_of(set, rows[i].other)] += 1 - rows[i].own;
        }
    } else {
        int32_t *labels = e->targets; /* [count] */
        for (int i = 0; i < count; i++)
            labels[i] = label_of(set, rows[i].picture);
    }
    return program_write(p, e->inputs[LABELS], e->targets);
}

/* --- scores ------------------------------------------------------------------------------------------------------- */

/* -log softmax(logits)[label] in double: exact enough to compare epochs by, and finite where the float underflows. */
static double row_loss(const task_set *set, int64_t picture, const model_head *heads, int head_count,
                       const float *const *logits)
{
    (void)head_count;
    const float *row = logits[0];
    double largest = (double)row[0], sum = 0;
    for (int c = 1; c < heads[0].size; c++)
        largest = fmax(largest, (double)row[c]);
    for (int c = 0; c < heads[0].size; c++)
        sum += exp((double)row[c] - largest);
    return log(sum) + largest - (double)row[label_of(set, picture)];
}

static void put(task_score *s, const char *name, double value)
{
    snprintf(s->name, sizeof s->name, "%s", name);
    s->value = value;
}

/* accuracy, macro_f1, f1.CLASS of each and, where probabilities are known, ece. */
static void fill_items(task_report *r, const metric_report *m, const model_head *classes)
{
    char name[TASK_NAME_BYTES];
    put(&r->items[r->item_count++], "accuracy", m->accuracy);
    put(&r->items[r->item_count++], "macro_f1", m->macro_f1);
    for (int c = 0; c < m->class_count; c++) {
        snprintf(name, sizeof name, "f1.%s", classes->columns[c]);
        r->columns[r->column_count++] = (task_column){classes->columns[c], r->item_count};
        put(&r->items[r->item_count++], name, m->f1[c]);
    }
    r->columns[r->column_count++] = (task_column){"average", 1};
    if (m->has_ece)
        put(&r->items[r->item_count++], "ece", m->ece);
}

/* Takes over what m has of lists. loss NULL: it is not known. */
static mien_status make_report(task_report *out, metric_report *m, const model_head *classes, const double *loss)
{
    mien_status st;
    task_report r = {.count = m->count, .confusion = m->confusion, .confusion_size = m->class_count};
    m->confusion = NULL;
    TRY_OUT(mem_alloc(&r.items, m->class_count + 3));
    TRY_OUT(mem_alloc(&r.columns, m->class_count + 1));
    fill_items(&r, m, classes);
    if (loss)
        put(&r.scores[r.score_count++], "loss", *loss);
    put(&r.scores[r.score_count++], "macro_f1", m->macro_f1);
    put(&r.scores[r.score_count++], "accuracy", m->accuracy);
    *out = r;
    r = (task_report){0};
out:
    task_report_clear(&r);
    metric_report_free(m);
    return st;
}

/* *out [pass->count], owned */
static mien_status truths(int32_t **out, const task_pass *pass)
{
    TRY(mem_alloc(out, pass->count));
    for (int64_t i = 0; i < pass->count; i++)
        (*out)[i] = label_of(pass->set, pass->pictures[i]);
    return MIEN_OK;
}

static mien_status score(task_report *out, const task_pass *pass)
{
    metric_report numbers;
    int h;
    int32_t *truth;
    TRY(head_find(&h, pass->heads, pass->head_count, HEAD_EXPRESSION, pass->set->path));
    const model_head *classes = &pass->heads[h];
    TRY(truths(&truth, pass));
    mien_status st =
        metric_report_from_probabilities(&numbers, truth, pass->is_read, pass->outputs[h], pass->count, classes->size);
    mem_free(truth);
    TRY(st);
    if (pass->is_told)
        st = metric_report_tell_absent(&numbers, pass->set->path, classes->columns);
    if (st != MIEN_OK) {
        metric_report_free(&numbers);
        return st;
    }
    return make_report(out, &numbers, classes, pass->has_loss ? &pass->loss : NULL);
}

static const char *head_score(const model_head *head)
{
    return strcmp(head->name, HEAD_EXPRESSION) == 0 ? "macro_f1" : NULL;
}

static json_t *metrics(const task_report *r)
{
    json_t *f1 = json_array();
    for (int c = 0; c < r->confusion_size; c++)
        json_array_append_new(f1, json_real(r->items[2 + c].value)); /* behind accuracy and macro_f1 */
    return json_pack("{s:I, s:f, s:f, s:f, s:o}", "n", (json_int_t)r->count, "loss", task_report_find(r, "loss")->value,
                     "accuracy", r->items[0].value, "macro_f1", r->items[1].value, "f1", f1);
}

/* The temperature that is best for the pictures that selected it. */
static mien_status keep(model *m, const task_pass *pass, const task_values *values)
{
    const lsd_stage_values *v = values->stage;
    int32_t *truth;
    if (v->temperature == LSD_TEMPERATURE_NONE)
        return MIEN_OK;
    TRY(truths(&truth, pass));
    const float *outputs = pass->outputs[0];
    const calibrate_set set = {.members = &outputs,
                               .member_count = 1,
                               .truth = truth,
                               .is_known = pass->is_read,
                               .count = pass->count,
                               .classes = pass->heads[0].size};
    const float temperature = calibrate_temperature(&set, 0);
    mem_free(truth);
    return model_set_temperature(m, 0, temperature);
}

static mien_status write_validation(str *text, const task_pass *pass)
{
    const picture_source *source = pass->set->pictures->source;
    const model_head *classes = &pass->heads[0];
    char name[PICTURE_NAME_BYTES], quoted[2 * PICTURE_NAME_BYTES + 3];
    TRY(str_append(text, "image,truth"));
    for (int c = 0; c < classes->size; c++)
        TRY(str_printf(text, ",%s", classes->columns[c]));
    for (int64_t i = 0; i < pass->count; i++) {
        if (!pass->is_read[i])
            continue;
        TRY(source->name(source, pass->pictures[i], name, sizeof name));
        TRY(csv_quote(quoted, sizeof quoted, name));
        TRY(str_printf(text, "\n%s,%s", quoted, classes->columns[label_of(pass->set, pass->pictures[i])]));
        for (int c = 0; c < classes->size; c++)
            TRY(str_printf(text, ",%.6f", (double)pass->outputs[0][i * classes->size + c]));
    }
    return str_append(text, "\n");
}

/* --- the challenge ------------------------------------------------------------------------------------------------ */

static mien_status check_challenge(const model_head *heads, int head_count, const char *where)
{
    int h;
    TRY(head_find(&h, heads, head_count, HEAD_EXPRESSION, where));
    for (int c = 0; c < heads[h].size; c++)
        if (label_find(heads[h].columns[c], lsd_classes, LSD_CLASSES) < 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: class %.64s is none of LSD's", where, heads[h].columns[c]);
    return MIEN_OK;
}

static mien_status write_challenge(task_challenge *out, file_writer *w, label_list *rows, const task_pass *pass)
{
    int h, fallback;
    TRY(head_find(&h, pass->heads, pass->head_count, HEAD_EXPRESSION, "models"));
    const model_head *classes = &pass->heads[h];
    for (int64_t i = 0; i < pass->count; i++)
        if (pass->is_read[i]) {
            int best = metric_argmax(pass->outputs[h] + i * classes->size, classes->size);
            rows->label[i] = (uint16_t)label_find(classes->columns[best], lsd_classes, LSD_CLASSES);
        }
    (void)submission_fill(rows, LSD_CLASSES, &out->skipped, &fallback); /* one was read, at least */
    out->fallback = out->skipped ? lsd_classes[fallback] : NULL;
    return submission_write_lsd(w, rows);
}

static mien_status score_files(task_report *out, const char *truth, const char *predictions)
{
    metric_report numbers;
    TRY(score_lsd(&numbers, truth, predictions));
    mien_status st = metric_report_tell_absent(&numbers, truth, lsd_classes);
    if (st != MIEN_OK) {
        metric_report_free(&numbers);
        return st;
    }
    return make_report(out, &numbers, &challenge_head, NULL);
}

/* --- the row ------------------------------------------------------------------------------------------------------ */

const task_def task_lsd = {
    .name = "lsd",
    .title = "LSD",
    .help = "basic expressions",
    .stages = stages,
    .stage_count = sizeof stages / sizeof stages[0],
    .select = select_words,
    .shown = shown_words,
    .lower_is_better = "loss",
    .select_help =
        "The best epoch is the one of lowest cross entropy, or of highest macro F1, on the held-out pictures.",
    .keys = {.keys = keys,
             .count = sizeof keys / sizeof keys[0],
             .bytes = sizeof(lsd_values),
             .stage_keys = stage_keys,
             .stage_count = sizeof stage_keys / sizeof stage_keys[0],
             .stage_bytes = sizeof(lsd_stage_values)},
    .check = check,
    .heads = make_heads,
    .open = open_set,
    .close = close_set,
    .renew = renew,
    .fingerprint = fingerprint,
    .tell_missing = tell_missing,
    .account = account,
    .ignored_count = ignored_count,
    .ignored = ignored,
    .describe = describe,
    .settle = settle,
    .fill = fill,
    .row_loss = row_loss,
    .score = score,
    .head_score = head_score,
    .metrics = metrics,
    .keep = keep,
    .write_validation = write_validation,
    .challenge_heads = &challenge_head,
    .challenge_head_count = 1,
    .check_challenge = check_challenge,
    .write_challenge = write_challenge,
    .score_files = score_files,
};
