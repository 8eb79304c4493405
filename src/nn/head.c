/* What heads answer, words for their kinds, and heads by name. */
#include "nn/head.h"

#include "base/str.h"

#include <math.h>
#include <string.h>

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void answer_class(float *row, int size, float temperature)
{
    const double sharp = temperature != 0 ? 1 / (double)temperature : 1;
    double largest = (double)row[0], sum = 0;
    for (int c = 1; c < size; c++)
        largest = fmax(largest, (double)row[c]);
    for (int c = 0; c < size; c++)
        sum += exp(sharp * ((double)row[c] - largest));
    for (int c = 0; c < size; c++)
        row[c] = (float)(exp(sharp * ((double)row[c] - largest)) / sum);
}

static void answer_binaries(float *row, int size)
{
    for (int c = 0; c < size; c++)
        row[c] = (float)(1 / (1 + exp(-(double)row[c])));
}

static void answer_clipped(float *row, int size)
{
    for (int c = 0; c < size; c++)
        row[c] = fminf(fmaxf(row[c], -1), 1);
}

void head_answer(float *row, const model_head *h, bool is_clipped)
{
    if (h->kind == HEAD_CLASS)
        answer_class(row, h->size, h->temperature);
    else if (h->kind == HEAD_BINARIES)
        answer_binaries(row, h->size);
    else if (is_clipped)
        answer_clipped(row, h->size);
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [HEAD_CLASS] = "class", [HEAD_BINARIES] = "binaries", [HEAD_REGRESSION] = "regression"};

const char *head_kind_name(head_kind kind)
{
    return kind_names[kind];
}

mien_status head_kind_read(head_kind *out, const char *name, const char *where)
{
    enum { COUNT = sizeof kind_names / sizeof kind_names[0] };
    char known[64];
    for (int k = 0; k < COUNT; k++)
        if (strcmp(name, kind_names[k]) == 0) {
            *out = (head_kind)k;
            return MIEN_OK;
        }
    str_join_words(known, sizeof known, kind_names, COUNT);
    return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: kind %.32s (wanted %s)", where, name, known);
}

bool head_equals(const model_head *a, const model_head *b)
{
    if (strcmp(a->name, b->name) != 0 || a->kind != b->kind || a->size != b->size)
        return false;
    for (int i = 0; i < a->size; i++)
        if (strcmp(a->columns[i], b->columns[i]) != 0)
            return false;
    return true;
}

mien_status head_find(int *out, const model_head *heads, int count, const char *name, const char *where)
{
    const char *names[HEADS_FIND_MAX];
    char known[256];
    for (int h = 0; h < count; h++) {
        names[h] = heads[h].name;
        if (strcmp(names[h], name) == 0) {
            *out = h;
            return MIEN_OK;
        }
    }
    str_join_words(known, sizeof known, names, count);
    return mien_fail(MIEN_ERR_FORMAT, "%s: no head %.32s (wanted %s)", where, name, known);
}
