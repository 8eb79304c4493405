/* Files of rows: what a run keeps of its held-out share, and the challenge's own. */
#include "task/mtl_int.h"

#include "base/mem.h"
#include "format/csv.h"
#include "task/score_mtl.h"
#include "task/submission.h"

#include <string.h>

/* --- validation.csv ----------------------------------------------------------------------------------------------- */

static mien_status append_names(str *text, const model_head *h, const char *suffix)
{
    for (int c = 0; c < h->size; c++)
        TRY(str_printf(text, ",%s%s", h->columns[c], suffix));
    return MIEN_OK;
}

/* Truths of a picture; what is not known is an empty field. */
static mien_status append_truth(str *text, int row, const annotations *a, int64_t picture)
{
    const annotation_kind kind = mtl_head_kinds[row];
    const uint64_t known = annotation_known(a, kind, picture);
    if (row == MTL_EXPRESSION)
        return str_printf(text, ",%s", known ? expression_names[(int)*annotation_values(a, kind, picture)] : "");
    for (int c = 0; c < mtl_heads[row].size; c++) {
        if (known >> c & 1)
            TRY(str_printf(text, ",%.6g", (double)annotation_values(a, kind, picture)[c]));
        else
            TRY(str_append(text, ","));
    }
    return MIEN_OK;
}

static mien_status append_row(str *text, const task_pass *pass, int64_t i)
{
    char name[PICTURE_NAME_BYTES], quoted[2 * PICTURE_NAME_BYTES + 3];
    const picture_source *source = pass->set->pictures->source;
    TRY(source->name(source, pass->pictures[i], name, sizeof name));
    TRY(csv_quote(quoted, sizeof quoted, name));
    TRY(str_printf(text, "\n%s", quoted));
    for (int h = 0; h < pass->head_count; h++)
        TRY(append_truth(text, mtl_head_of(&pass->heads[h]), &mtl_set_of(pass->set)->known, pass->pictures[i]));
    for (int h = 0; h < pass->head_count; h++)
        for (int c = 0; c < pass->heads[h].size; c++)
            TRY(str_printf(text, ",%.6f", (double)pass->outputs[h][i * pass->heads[h].size + c]));
    return MIEN_OK;
}

/* `image`, truths of every head (`valence_truth` .., `expression_truth`, ..), then their outputs. */
mien_status mtl_write_validation(str *text, const task_pass *pass)
{
    TRY(str_append(text, "image"));
    for (int h = 0; h < pass->head_count; h++) {
        if (pass->heads[h].kind == HEAD_CLASS)
            TRY(str_printf(text, ",%s_truth", pass->heads[h].name));
        else
            TRY(append_names(text, &pass->heads[h], "_truth"));
    }
    for (int h = 0; h < pass->head_count; h++)
        TRY(append_names(text, &pass->heads[h], ""));
    for (int64_t i = 0; i < pass->count; i++)
        if (pass->is_read[i])
            TRY(append_row(text, pass, i));
    return str_append(text, "\n");
}

/* --- the challenge ------------------------------------------------------------------------------------------------ */

mien_status mtl_check_challenge(const model_head *heads, int head_count, const char *where)
{
    for (int i = 0; i < MTL_CHALLENGE_HEADS; i++) {
        int h;
        TRY(head_find(&h, heads, head_count, mtl_heads[i].name, where));
        if (mtl_head_of(&heads[h]) != i)
            return mien_fail(MIEN_ERR_FORMAT, "%s: head %s is not the challenge's", where, heads[h].name);
    }
    return MIEN_OK;
}

static mien_status write_answers(task_challenge *out, file_writer *w, label_list *rows, const task_pass *pass,
                                 float *va, uint8_t *au)
{
    int at[MTL_CHALLENGE_HEADS], fallback;
    for (int i = 0; i < MTL_CHALLENGE_HEADS; i++)
        at[i] = mtl_head_find(pass->heads, pass->head_count, i);
    const model_head *units = &pass->heads[at[MTL_AU]];
    for (int64_t i = 0; i < pass->count; i++) {
        if (!pass->is_read[i])
            continue;
        rows->label[i] =
            (uint16_t)metric_argmax(pass->outputs[at[MTL_EXPRESSION]] + i * EXPRESSION_COUNT, EXPRESSION_COUNT);
        memcpy(va + i * 2, pass->outputs[at[MTL_VA]] + i * 2, 2 * sizeof *va);
        for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
            au[i * CHALLENGE_AU_COUNT + k] = pass->outputs[at[MTL_AU]][i * CHALLENGE_AU_COUNT + k] >
                                             (units->thresholds ? units->thresholds[k] : 0.5f);
    }
    (void)submission_fill(rows, EXPRESSION_COUNT, &out->skipped, &fallback); /* one was read, at least */
    out->fallback = out->skipped ? expression_names[fallback] : NULL;
    return submission_write_mtl(w, rows, va, au);
}

mien_status mtl_write_challenge(task_challenge *out, file_writer *w, label_list *rows, const task_pass *pass)
{
    float *va = NULL;
    uint8_t *au = NULL;
    mien_status st;
    TRY_OUT(mem_zalloc(&va, pass->count * 2));
    TRY_OUT(mem_zalloc(&au, pass->count * CHALLENGE_AU_COUNT));
    st = write_answers(out, w, rows, pass, va, au);
out:
    mem_free(va);
    mem_free(au);
    return st;
}

mien_status mtl_score_files(task_report *out, const char *truth, const char *predictions)
{
    mtl_report measured;
    TRY(score_mtl(&measured, truth, predictions, false));
    TRY(mtl_tell_absent(&measured, truth));
    return mtl_report_of(out, &measured);
}
