/* Any bytes as annotations: what is accepted holds together, and no sentinel passes the reader. */
#include "data/annotation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_row(const annotations *a, int64_t row, bool must_be_whole)
{
    check(*list_name(&a->rows, row) != '\0' && !file_leads_out(list_name(&a->rows, row)));
    for (int k = 0; k < ANNOTATION_KINDS; k++) {
        const annotation_form *form = &annotation_forms[k];
        uint64_t known = annotation_known(a, (annotation_kind)k, row);
        check((known & ~annotation_all((annotation_kind)k)) == 0);
        check(!must_be_whole || k > ANNOTATION_AU || known == annotation_all((annotation_kind)k));
        for (int i = 0; a->values[k] && i < form->width; i++) {
            float value = annotation_values(a, (annotation_kind)k, row)[i];
            check(known >> i & 1 ? value >= form->low && value <= form->high : value == 0);
            check(!form->is_whole || value == floorf(value));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool must_be_whole = size % 3 == 0, is_strict = size % 2 == 0;
    csv_reader r;
    annotations a = {0};
    csv_open_bytes(&r, data, size, "input");
    if (annotations_parse(&a, &r, must_be_whole, is_strict) == MIEN_OK) {
        check(a.rows.count > 0);
        for (int64_t i = 0; i < a.rows.count; i++)
            check_row(&a, i, must_be_whole);
    } else {
        check(a.rows.count == 0 && !a.rows.names);
    }
    annotations_free(&a);
    csv_close(&r);
    return 0;
}
