/* Any bytes as a list of pictures with labels: what is accepted holds together. */
#include "data/list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const classes[] = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"};
    csv_reader r;
    label_list l = {0};
    csv_open_bytes(&r, data, size, "input");
    if (list_parse(&l, &r, classes, 6, size % 2 == 0) == MIEN_OK) {
        check(l.count > 0);
        for (int64_t i = 0; i < l.count; i++) {
            check(l.label[i] < 6 && l.line[i] > (i ? l.line[i - 1] : 0));
            size_t length = strlen(list_name(&l, i));
            check(length > 0 && l.name_at[i] + length < l.names_bytes);
        }
    } else {
        check(l.count == 0 && !l.names);
    }
    list_free(&l);
    csv_close(&r);
    return 0;
}
