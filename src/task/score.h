/* The challenges' scores on files: truth against predictions, no model needed. */
#ifndef TASK_SCORE_H
#define TASK_SCORE_H

#include "task/metric.h"

/* What LSD files speak of, in the order of their numbers (spec 1). */
enum { LSD_CLASSES = 6 };
extern const char *const lsd_classes[LSD_CLASSES];

/* Both files: rows `image,expression` with a header or without, the expression a number or a name of the six (spec 1);
 * CRLF, a BOM and spaces after commas are accepted. Rows are matched by image name, in any order. out->count rows.
 * Errors MIEN_ERR_FORMAT, naming file and line: a bad row, an image twice in either file, one unknown to the truth, one
 * without a prediction. Free with metric_report_free. */
MIEN_MUST_USE mien_status score_lsd(metric_report *out, const char *truth_path, const char *predicted_path);

#endif
