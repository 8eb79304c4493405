/* Words for kinds of heads, and heads by name. */
#include "nn/head.h"

#include "base/str.h"

#include <string.h>

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

mien_status head_find(int *out, const model_head *heads, int count, const char *name, const char *where)
{
    const char *names[MODEL_MAX_HEADS];
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
