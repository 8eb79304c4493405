/* Both files are read as annotations; predictions are put into the truth's order, and then are rows like a model's. */
#include "task/score_mtl.h"

#include "base/mem.h"
#include "data/annotation.h"

#include <string.h>

/* Predictions in the truth's order. */
typedef struct {
    float *va, *au;
    int32_t *expression;
} answers;

static mien_status order_answers(answers *out, const annotations *predicted, const uint32_t *partner)
{
    int64_t n = predicted->rows.count;
    TRY(mem_alloc(&out->va, n * 2));
    TRY(mem_alloc(&out->au, n * CHALLENGE_AU_COUNT));
    TRY(mem_alloc(&out->expression, n));
    for (int64_t i = 0; i < n; i++) {
        memcpy(out->va + i * 2, annotation_values(predicted, ANNOTATION_VA, partner[i]), 2 * sizeof(float));
        memcpy(out->au + i * CHALLENGE_AU_COUNT, annotation_values(predicted, ANNOTATION_AU, partner[i]),
               CHALLENGE_AU_COUNT * sizeof(float));
        out->expression[i] = (int32_t)*annotation_values(predicted, ANNOTATION_EXPRESSION, partner[i]);
    }
    return MIEN_OK;
}

static mtl_rows make_rows(const annotations *truth, const answers *predicted, bool is_partial)
{
    return (mtl_rows){.n = truth->rows.count,
                      .va_truth = truth->values[ANNOTATION_VA],
                      .va_known = truth->known[ANNOTATION_VA],
                      .va = predicted->va,
                      .expression_truth = truth->values[ANNOTATION_EXPRESSION],
                      .expression_known = truth->known[ANNOTATION_EXPRESSION],
                      .expression = predicted->expression,
                      .au_truth = truth->values[ANNOTATION_AU],
                      .au_known = truth->known[ANNOTATION_AU],
                      .au = predicted->au,
                      .is_partial = is_partial};
}

mien_status score_mtl(mtl_report *out, const char *truth_path, const char *predicted_path, bool is_partial)
{
    annotations truth = {0}, predicted = {0};
    uint32_t *partner = NULL;
    answers ordered = {0};
    mtl_report report;
    mien_status st;
    TRY_OUT(annotations_open(&truth, truth_path, ANNOTATIONS_EVALUATE));
    TRY_OUT(annotations_read(&predicted, predicted_path, true, true));
    TRY_OUT(list_match(&partner, &truth.rows, truth_path, &predicted.rows, predicted_path));
    TRY_OUT(order_answers(&ordered, &predicted, partner));
    mtl_rows rows = make_rows(&truth, &ordered, is_partial);
    TRY_OUT(mtl_report_create(&report, &rows));
    if (report.n_va + report.n_expr + report.n_au == 0)
        st = mien_fail(MIEN_ERR_FORMAT,
                       "%s: no label that is scored (wanted valence and arousal, expressions or action "
                       "units)",
                       truth_path);
    else
        *out = report;
out:
    annotations_free(&truth);
    annotations_free(&predicted);
    mem_free(partner);
    mem_free(ordered.va);
    mem_free(ordered.au);
    mem_free(ordered.expression);
    return st;
}
