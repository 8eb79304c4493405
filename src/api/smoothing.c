/* Options of smoothing: the public words for what infer/answers.h does. */
#include "api/api.h"

#include <math.h>

_Static_assert((int)MIEN_SMOOTH_EXPONENTIAL == (int)SMOOTH_EXPONENTIAL &&
                   (int)MIEN_SMOOTH_GAUSSIAN == (int)SMOOTH_GAUSSIAN && (int)MIEN_SMOOTH_BOX == (int)SMOOTH_BOX,
               "kinds of smoothing are numbered alike");
_Static_assert(API_MAX_HEADS <= HEADS_FIND_MAX, "heads of all tasks can be looked among");

/* widths [head_count]; is_set [head_count]: heads that have a width already */
static mien_status take_width(double *widths, bool *is_set, const mien_head_width *given, const model_head *heads,
                              int head_count)
{
    int only = 0;
    if (!(isfinite(given->width) && given->width >= 0))
        return mien_fail(MIEN_ERR_ARG, "smoothing: width %g (wanted 0 or more)", given->width);
    if (given->head && head_find(&only, heads, head_count, given->head, "smoothing") != MIEN_OK)
        return MIEN_ERR_ARG; /* of options, not of a file */
    for (int h = 0; h < head_count; h++) {
        if (given->head && h != only)
            continue;
        if (is_set[h])
            return mien_fail(MIEN_ERR_ARG, "smoothing: a second width of head %.32s (wanted one)", heads[h].name);
        widths[h] = given->width;
        is_set[h] = true;
    }
    return MIEN_OK;
}

mien_status api_smoothing(smooth_kind *out, double *widths, mien_smoothing kind, const mien_head_width *given,
                          int count, const model_head *heads, int head_count)
{
    bool is_set[API_MAX_HEADS] = {false};
    if ((int)kind < MIEN_SMOOTH_NONE || (int)kind > MIEN_SMOOTH_BOX)
        return mien_fail(MIEN_ERR_ARG, "smoothing: %d (wanted a mien_smoothing)", (int)kind);
    if (count < 0 || (count > 0 && !given))
        return mien_fail(MIEN_ERR_ARG, "smoothing: %d widths (wanted an array of that many, or none)", count);
    for (int h = 0; h < head_count; h++)
        widths[h] = 0;
    for (int i = 0; i < count; i++)
        TRY(take_width(widths, is_set, &given[i], heads, head_count));
    *out = (smooth_kind)kind;
    return MIEN_OK;
}
