/* The multi-task challenge's score on files: truth against predictions, no model needed. */
#ifndef TASK_SCORE_MTL_H
#define TASK_SCORE_MTL_H

#include "task/metric_mtl.h"

/* truth: whatever annotations_open takes; predictions: the challenge's 16 fields, or named columns for them, in which
 * nothing is missing. Rows are matched by image name, in any order; each task is scored over the rows that have its
 * labels (is_partial: mtl_rows). Errors MIEN_ERR_FORMAT, naming file and line: a bad row, an image twice in either
 * file, one unknown to the truth, one without a prediction; a truth without any label that is scored. */
MIEN_MUST_USE mien_status score_mtl(mtl_report *out, const char *truth_path, const char *predicted_path,
                                    bool is_partial);

#endif
