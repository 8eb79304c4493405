/* A rate is a function of the step alone, in double: a resumed run needs no state of it. Warm-up rises to the full rate
 * at its last step, and the cosine begins behind it. */
#include "train/schedule.h"

#include <math.h>

float schedule_lr(const recipe_stage *stage, int64_t step, int64_t total)
{
    int64_t warmup = stage->schedule.warmup;
    double lr = (double)stage->lr;
    if (step < warmup)
        return (float)(lr * (double)(step + 1) / (double)warmup);
    if (stage->schedule.name == SCHEDULE_CONSTANT)
        return stage->lr;
    int64_t t_max = stage->schedule.t_max ? stage->schedule.t_max : total - warmup;
    if (t_max < 1)
        t_max = 1;
    return (float)(lr * (1 + cos(M_PI * (double)(step - warmup) / (double)t_max)) / 2);
}
