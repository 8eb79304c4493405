/* The challenges' scores on files: truth against predictions, no model needed. */
#ifndef TASK_SCORE_H
#define TASK_SCORE_H

#include "task/lsd.h"
#include "task/metric.h"

/* Both files: rows `image,expression` with a header or without, the expression a number or a name of the six (spec 1);
 * CRLF, a BOM and spaces after commas are accepted. Rows are matched by image name, in any order. out->count rows.
 * Errors MIEN_ERR_FORMAT, naming file and line: a bad row, an image twice in either file, one unknown to the truth, one
 * without a prediction. Free with metric_report_free. */
MIEN_MUST_USE mien_status score_lsd(metric_report *out, const char *truth_path, const char *predicted_path);

#endif
