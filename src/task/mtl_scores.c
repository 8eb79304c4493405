/* The challenge's scores (metric_mtl.h), then of each further head how far its columns agree. What a set does not know
 * is left out of a report. */
#include "task/mtl_int.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_ITEMS = 256, MAX_COLUMNS = 64 };

/* --- items -------------------------------------------------------------------------------------------------------- */

/* Adds "NAME", or "NAME.PART" of a list; *out, which may be NULL: its place. */
static void add_item(task_report *r, int *out, const char *name, const char *part, double value)
{
    task_score *s = &r->items[r->item_count];
    if (part)
        snprintf(s->name, sizeof s->name, "%.20s.%.26s", name, part);
    else
        snprintf(s->name, sizeof s->name, "%s", name);
    s->value = value;
    if (out)
        *out = r->item_count;
    r->item_count++;
}

static void add_column(task_report *r, const char *title, int item)
{
    r->columns[r->column_count++] = (task_column){title, item};
}

/* An item, and the column under which it stands. */
static void add_shown(task_report *r, const char *name, const char *part, const char *title, double value)
{
    int item;
    add_item(r, &item, name, part, value);
    add_column(r, title, item);
}

static void add_score(task_report *r, const char *name, double value)
{
    task_score *s = &r->scores[r->score_count++];
    snprintf(s->name, sizeof s->name, "%s", name);
    s->value = value;
}

static mien_status begin_report(task_report *r)
{
    *r = (task_report){0};
    TRY(mem_alloc(&r->items, MAX_ITEMS));
    return mem_alloc(&r->columns, MAX_COLUMNS);
}

/* --- the challenge's tasks ---------------------------------------------------------------------------------------- */

static void add_va(task_report *r, const mtl_report *m)
{
    if (m->n_va == 0)
        return;
    add_shown(r, "ccc_v", NULL, "ccc_v", m->value[MTL_CCC_V]);
    add_shown(r, "ccc_a", NULL, "ccc_a", m->value[MTL_CCC_A]);
    add_item(r, NULL, "p_va", NULL, m->value[MTL_P_VA]);
    add_score(r, "p_va", m->value[MTL_P_VA]);
}

/* accuracy and macro_f1 are of the classes that the truth holds: a set of fewer folders than there are classes. */
static void add_expression(task_report *r, const mtl_report *m)
{
    int64_t right = 0;
    int present = 0;
    double sum = 0;
    if (m->n_expr == 0)
        return;
    for (int c = 0; c < EXPRESSION_COUNT; c++) {
        add_shown(r, "f1_expr", expression_names[c], expression_names[c], m->value[MTL_F1_EXPR + c]);
        right += m->expr[c].right;
        present += m->expr[c].of > 0;
        sum += m->expr[c].of > 0 ? m->value[MTL_F1_EXPR + c] : 0;
    }
    add_item(r, NULL, "p_expr", NULL, m->value[MTL_P_EXPR]);
    add_item(r, NULL, "accuracy", NULL, (double)right / (double)m->n_expr);
    add_item(r, NULL, "macro_f1", NULL, sum / present);
    add_score(r, "p_expr", m->value[MTL_P_EXPR]);
}

static void add_au(task_report *r, const mtl_report *m)
{
    bool has_auc = false;
    if (m->n_au == 0)
        return;
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        add_shown(r, "f1_au", challenge_au_names[k], challenge_au_names[k], m->value[MTL_F1_AU + k]);
    add_item(r, NULL, "p_au", NULL, m->value[MTL_P_AU]);
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        has_auc |= m->is_known[MTL_AUC_AU + k];
    for (int k = 0; has_auc && k < CHALLENGE_AU_COUNT; k++)
        add_item(r, NULL, "auc_au", challenge_au_names[k],
                 m->is_known[MTL_AUC_AU + k] ? m->value[MTL_AUC_AU + k] : (double)NAN);
    add_score(r, "p_au", m->value[MTL_P_AU]);
}

/* What trainings go by: of the challenge's tasks that are known the sum, which of all three is P_MTL. */
static void add_sum(task_report *r, const mtl_report *m)
{
    double sum = 0;
    for (int s = 0; s < r->score_count; s++)
        sum += r->scores[s].value;
    if (r->score_count)
        add_score(r, "p_mtl", sum);
    if (m->is_known[MTL_P_MTL])
        add_item(r, NULL, "p_mtl", NULL, m->value[MTL_P_MTL]);
}

static void add_averages(task_report *r)
{
    static const char *const names[] = {"p_va", "p_expr", "p_au", "p_mtl"};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
        for (int i = 0; i < r->item_count; i++)
            if (strcmp(r->items[i].name, names[n]) == 0)
                add_column(r, names[n], i);
}

static void add_challenge(task_report *r, const mtl_report *m)
{
    r->count = m->n;
    add_va(r, m);
    add_expression(r, m);
    add_au(r, m);
    add_sum(r, m);
    add_averages(r);
    add_item(r, NULL, "n_va", NULL, (double)m->n_va);
    add_item(r, NULL, "n_expr", NULL, (double)m->n_expr);
    add_item(r, NULL, "n_au", NULL, (double)m->n_au);
}

mien_status mtl_report_of(task_report *out, const mtl_report *measured)
{
    task_report r;
    mien_status st = begin_report(&r);
    if (st == MIEN_OK) {
        add_challenge(&r, measured);
        *out = r;
    } else {
        task_report_clear(&r);
    }
    return st;
}

/* --- a pass ------------------------------------------------------------------------------------------------------- */

/* Truths and predictions of the challenge's heads; a head that is not there leaves its task out. */
typedef struct {
    mtl_truth truth[MTL_CHALLENGE_HEADS];
    int32_t *expression;
    mtl_rows rows;
} challenge_rows;

static void free_rows(challenge_rows *c)
{
    for (int i = 0; i < MTL_CHALLENGE_HEADS; i++)
        mtl_truth_free(&c->truth[i]);
    mem_free(c->expression);
}

static mien_status make_rows(challenge_rows *c, const task_pass *pass)
{
    int at[MTL_CHALLENGE_HEADS];
    *c = (challenge_rows){
        .rows = {.n = pass->count, .has_probabilities = true, .is_partial = mtl_set_of(pass->set)->is_partial}};
    for (int i = 0; i < MTL_CHALLENGE_HEADS; i++) {
        at[i] = mtl_head_find(pass->heads, pass->head_count, i);
        if (at[i] >= 0)
            TRY(mtl_truth_gather(&c->truth[i], pass, mtl_head_kinds[i]));
    }
    mtl_rows *r = &c->rows;
    r->va_truth = c->truth[MTL_VA].values;
    r->va_known = c->truth[MTL_VA].known;
    r->va = at[MTL_VA] >= 0 ? pass->outputs[at[MTL_VA]] : NULL;
    r->au_truth = c->truth[MTL_AU].values;
    r->au_known = c->truth[MTL_AU].known;
    r->au = at[MTL_AU] >= 0 ? pass->outputs[at[MTL_AU]] : NULL;
    r->thresholds = at[MTL_AU] >= 0 ? pass->heads[at[MTL_AU]].thresholds : NULL;
    if (at[MTL_EXPRESSION] < 0)
        return MIEN_OK;
    const float *probabilities = pass->outputs[at[MTL_EXPRESSION]];
    TRY(mem_alloc(&c->expression, pass->count));
    for (int64_t i = 0; i < pass->count; i++)
        c->expression[i] = metric_argmax(probabilities + i * EXPRESSION_COUNT, EXPRESSION_COUNT);
    r->expression_truth = c->truth[MTL_EXPRESSION].values;
    r->expression_known = c->truth[MTL_EXPRESSION].known;
    r->expression = c->expression;
    return MIEN_OK;
}

static mien_status measure_challenge(mtl_report *out, const task_pass *pass)
{
    challenge_rows rows;
    mien_status st = make_rows(&rows, pass);
    if (st == MIEN_OK)
        st = mtl_report_create(out, &rows.rows);
    free_rows(&rows);
    TRY(st);
    return pass->is_told ? mtl_tell_absent(out, pass->set->path) : MIEN_OK;
}

/* --- further heads ------------------------------------------------------------------------------------------------ */

/* Of each column with two labels or more its CCC, and of angles the mean error in degrees; of all the mean CCC and ICC.
 */
static void add_agreement(task_report *r, int row, const metric_agreement *each)
{
    const model_head *h = &mtl_heads[row];
    char ccc[TASK_NAME_BYTES], icc[TASK_NAME_BYTES], mae[TASK_NAME_BYTES];
    double ccc_sum = 0, icc_sum = 0;
    int count = 0;
    snprintf(ccc, sizeof ccc, "ccc_%s", h->name);
    snprintf(icc, sizeof icc, "icc_%s", h->name);
    snprintf(mae, sizeof mae, "mae_%s", h->name);
    for (int k = 0; k < h->size; k++) {
        if (each[k].count < 2)
            continue;
        count++;
        ccc_sum += each[k].ccc;
        icc_sum += each[k].icc;
    }
    if (count == 0)
        return;
    for (int k = 0; k < h->size; k++)
        add_item(r, NULL, ccc, h->columns[k], each[k].count < 2 ? (double)NAN : each[k].ccc);
    for (int k = 0; mtl_is_angles(row) && k < h->size; k++)
        add_item(r, NULL, mae, h->columns[k], each[k].mae);
    add_shown(r, h->metric, NULL, h->metric, ccc_sum / count);
    add_item(r, NULL, icc, NULL, icc_sum / count);
    add_score(r, h->metric, ccc_sum / count);
}

static mien_status add_further(task_report *r, const task_pass *pass, int row, const float *outputs)
{
    metric_agreement each[64];
    mtl_truth truth;
    const int width = mtl_heads[row].size;
    TRY(mtl_truth_gather(&truth, pass, mtl_head_kinds[row]));
    for (int k = 0; truth.values && k < width; k++)
        each[k] = metric_agree(&(metric_column){.n = pass->count,
                                                .truth = truth.values + k,
                                                .predicted = outputs + k,
                                                .truth_stride = width,
                                                .predicted_stride = width,
                                                .known = truth.known,
                                                .needed = (uint64_t)1 << k});
    if (truth.values)
        add_agreement(r, row, each);
    mtl_truth_free(&truth);
    return MIEN_OK;
}

mien_status mtl_score(task_report *out, const task_pass *pass)
{
    mtl_report measured;
    task_report r = {0};
    mien_status st;
    TRY(measure_challenge(&measured, pass));
    TRY_OUT(begin_report(&r));
    add_challenge(&r, &measured);
    for (int i = MTL_CHALLENGE_HEADS; i < MTL_HEADS; i++) {
        int h = mtl_head_find(pass->heads, pass->head_count, i);
        if (h >= 0)
            TRY_OUT(add_further(&r, pass, i, pass->outputs[h]));
    }
    if (r.score_count == 0) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no label of what the model says", pass->set->path);
        goto out;
    }
    r.count = 0;
    for (int64_t i = 0; i < pass->count; i++)
        r.count += pass->is_read[i];
    *out = r;
    r = (task_report){0};
out:
    task_report_clear(&r);
    return st;
}

const char *mtl_head_score(const model_head *head)
{
    const int row = mtl_head_of(head);
    return row < 0 ? NULL : mtl_heads[row].metric;
}

/* --- thresholds --------------------------------------------------------------------------------------------------- */

static mien_status best_threshold(float *out, const metric_column *c)
{
    metric_binary b;
    TRY(metric_binary_create(&b, c, 0.5f));
    *out = metric_best_threshold(&b, c, 0.5f);
    metric_binary_free(&b);
    return MIEN_OK;
}

mien_status mtl_best_thresholds(float out[CHALLENGE_AU_COUNT], const task_pass *pass, int head)
{
    mtl_truth truth;
    mien_status st = MIEN_OK;
    TRY(mtl_truth_gather(&truth, pass, ANNOTATION_AU));
    for (int k = 0; st == MIEN_OK && k < CHALLENGE_AU_COUNT; k++) {
        metric_column c = {.n = pass->count,
                           .truth = truth.values + k,
                           .predicted = pass->outputs[head] + k,
                           .truth_stride = CHALLENGE_AU_COUNT,
                           .predicted_stride = CHALLENGE_AU_COUNT,
                           .known = truth.known,
                           .needed = (uint64_t)1 << k};
        out[k] = 0.5f;
        st = truth.values ? best_threshold(&out[k], &c) : MIEN_OK;
    }
    mtl_truth_free(&truth);
    return st;
}

/* --- model files -------------------------------------------------------------------------------------------------- */

json_t *mtl_metrics(const task_report *r)
{
    json_t *root = json_pack("{s:I}", "n", (json_int_t)r->count);
    for (int i = 0; i < r->item_count; i++) {
        const task_score *s = &r->items[i];
        const char *dot = strchr(s->name, '.');
        json_t *value = isfinite(s->value) ? json_real(s->value) : json_null();
        if (!dot) {
            json_object_set_new(root, s->name, value);
            continue;
        }
        char name[TASK_NAME_BYTES];
        snprintf(name, sizeof name, "%.*s", (int)(dot - s->name), s->name);
        if (!json_object_get(root, name))
            json_object_set_new(root, name, json_array());
        json_array_append_new(json_object_get(root, name), value);
    }
    return root;
}
