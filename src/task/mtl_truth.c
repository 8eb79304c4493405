/* Truths and predictions stand in one order, so that metrics go row by row. */
#include "task/mtl_int.h"

#include "base/mem.h"

#include <string.h>

void mtl_truth_free(mtl_truth *t)
{
    mem_free(t->values);
    mem_free(t->known);
    *t = (mtl_truth){0};
}

mien_status mtl_truth_gather(mtl_truth *out, const task_pass *pass, annotation_kind kind)
{
    const annotations *a = &mtl_set_of(pass->set)->known;
    const int64_t width = annotation_forms[kind].width;
    mtl_truth t = {0};
    mien_status st;
    *out = t;
    if (!a->values[kind])
        return MIEN_OK;
    TRY_OUT(mem_zalloc(&t.values, pass->count * width));
    TRY_OUT(mem_zalloc(&t.known, pass->count));
    for (int64_t i = 0; i < pass->count; i++) {
        if (!pass->is_read[i])
            continue;
        t.known[i] = annotation_known(a, kind, pass->pictures[i]);
        memcpy(t.values + i * width, annotation_values(a, kind, pass->pictures[i]), (size_t)width * sizeof *t.values);
    }
    *out = t;
    t = (mtl_truth){0};
out:
    mtl_truth_free(&t);
    return st;
}
