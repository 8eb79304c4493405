/* Truth and predictions are matched by name, in whatever order the files have them: both are sorted, and one walk over
 * the two finds the first name that has no partner. */
#include "task/score.h"

#include "base/mem.h"
#include "data/list.h"

#include <inttypes.h>
#include <string.h>

/* One of the two files, and its rows in order of their names. */
typedef struct {
    const char *path;
    label_list list;
    uint32_t *by_name; /* [count] row numbers, owned */
} table;

static void table_free(table *t)
{
    list_free(&t->list);
    mem_free(t->by_name);
}

static const char *nth_name(const table *t, int64_t place)
{
    return list_name(&t->list, t->by_name[place]);
}

static uint32_t nth_line(const table *t, int64_t place)
{
    return t->list.line[t->by_name[place]];
}

static mien_status table_read(table *t, const char *path)
{
    t->path = path;
    TRY(list_read(&t->list, path, lsd_classes, LSD_CLASSES, false));
    return list_by_name(&t->by_name, &t->list, path);
}

/* Walks both tables by name; truth and predicted get a row each where they agree on the names. */
static mien_status match_rows(int32_t *truth_labels, int32_t *predicted_labels, const table *truth,
                              const table *predicted)
{
    int64_t i = 0, j = 0;
    while (i < truth->list.count || j < predicted->list.count) {
        int order = i == truth->list.count       ? 1
                    : j == predicted->list.count ? -1
                                                 : strcmp(nth_name(truth, i), nth_name(predicted, j));
        if (order < 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: no row for %s (%s: line %" PRIu32 ")", predicted->path,
                             nth_name(truth, i), truth->path, nth_line(truth, i));
        if (order > 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRIu32 ": %s is not in %s", predicted->path,
                             nth_line(predicted, j), nth_name(predicted, j), truth->path);
        truth_labels[i] = truth->list.label[truth->by_name[i]];
        predicted_labels[j] = predicted->list.label[predicted->by_name[j]];
        i++, j++;
    }
    return MIEN_OK;
}

mien_status score_lsd(metric_report *out, const char *truth_path, const char *predicted_path)
{
    table truth = {0}, predicted = {0};
    int32_t *truth_labels = NULL, *predicted_labels = NULL;
    mien_status st;
    TRY_OUT(table_read(&truth, truth_path));
    TRY_OUT(table_read(&predicted, predicted_path));
    TRY_OUT(mem_alloc(&truth_labels, truth.list.count));
    TRY_OUT(mem_alloc(&predicted_labels, truth.list.count));
    TRY_OUT(match_rows(truth_labels, predicted_labels, &truth, &predicted));
    st = metric_report_create(out, truth_labels, NULL, predicted_labels, truth.list.count, LSD_CLASSES);
out:
    table_free(&truth);
    table_free(&predicted);
    mem_free(truth_labels);
    mem_free(predicted_labels);
    return st;
}
