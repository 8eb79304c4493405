/* Truth and predictions are matched by name, in whatever order the files have them. */
#include "task/score.h"

#include "base/mem.h"
#include "data/list.h"

mien_status score_lsd(metric_report *out, const char *truth_path, const char *predicted_path)
{
    label_list truth = {0}, predicted = {0};
    uint32_t *partner = NULL;
    int32_t *truth_labels = NULL, *predicted_labels = NULL;
    mien_status st;
    TRY_OUT(list_read(&truth, truth_path, lsd_classes, LSD_CLASSES, false));
    TRY_OUT(list_read(&predicted, predicted_path, lsd_classes, LSD_CLASSES, false));
    TRY_OUT(list_match(&partner, &truth, truth_path, &predicted, predicted_path));
    TRY_OUT(mem_alloc(&truth_labels, truth.count));
    TRY_OUT(mem_alloc(&predicted_labels, truth.count));
    for (int64_t i = 0; i < truth.count; i++) {
        truth_labels[i] = truth.label[i];
        predicted_labels[i] = predicted.label[partner[i]];
    }
    st = metric_report_create(out, truth_labels, NULL, predicted_labels, truth.count, LSD_CLASSES);
out:
    list_free(&truth);
    list_free(&predicted);
    mem_free(partner);
    mem_free(truth_labels);
    mem_free(predicted_labels);
    return st;
}
