/* The classifier of a file, whatever its number: one who wants dropout before it makes it nn.Sequential(Dropout,
 * Linear), and "fc.weight" becomes "fc.1.weight". Whatever else lies under the head's prefix would be lost with a fresh
 * head, so it is refused by name, unless it is asked to be left out. */
#include "base/str.h"
#include "nn/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Whether the tensor is a Linear's bias, beside its weight. */
static bool is_bias(const tensor_file *f, const st_tensor *t)
{
    char weight[512];
    int stem = (int)strlen(t->name) - (int)strlen("bias");
    if (!str_ends(t->name, ".bias") || t->rank != 1)
        return false;
    if (snprintf(weight, sizeof weight, "%.*sweight", stem, t->name) >= (int)sizeof weight)
        return false;
    const st_tensor *w = tensor_file_find(f, weight);
    return w && w->rank == 2 && w->dims[0] == t->dims[0];
}

import_head import_find_head(const tensor_file *f, const architecture *arch)
{
    import_head head = {0};
    for (size_t i = 0; i < tensor_file_count(f); i++) {
        const st_tensor *t = tensor_file_at(f, i);
        if (!str_starts(t->name, arch->head_prefix) || is_bias(f, t))
            continue;
        if (!str_ends(t->name, ".weight") || t->rank != 2)
            head.other = t;
        else if (!head.linear)
            head.linear = t;
        else
            head.second = t;
    }
    head.is_one = head.linear && !head.second && !head.other && head.linear->dims[1] == arch->feature_dim &&
                  head.linear->dims[0] >= 1 && head.linear->dims[0] < INT32_MAX;
    return head;
}

mien_status import_check_head(const import_head *h, const architecture *arch, const char *path)
{
    char what[1100];
    if (h->is_one || (!h->linear && !h->other))
        return MIEN_OK;
    if (h->other)
        snprintf(what, sizeof what, "%.500s is no part of a Linear layer", h->other->name);
    else if (h->second)
        snprintf(what, sizeof what, "%.400s [%" PRId64 ", %" PRId64 "] and %.400s [%" PRId64 ", %" PRId64 "] are two",
                 h->linear->name, h->linear->dims[0], h->linear->dims[1], h->second->name, h->second->dims[0],
                 h->second->dims[1]);
    else
        snprintf(what, sizeof what, "%.500s is [%" PRId64 ", %" PRId64 "]", h->linear->name, h->linear->dims[0],
                 h->linear->dims[1]);
    return mien_fail(MIEN_ERR_FORMAT,
                     "%s: its head: %s (wanted one Linear of %d features, or none, as with --ignore %s)", path, what,
                     arch->feature_dim, arch->head_prefix);
}
