/* A thread's own time: others that compute beside it do not count. */
#include "synth/draw/render.h"

#include <time.h>

const char *const draw_stage_names[STAGE_COUNT] = {"person",     "pose", "light",   "raster", "shade",
                                                   "background", "hair", "resolve", "post",   "jpeg"};

static int64_t processor_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void stage_begin(stage_clock *c)
{
    if (c)
        c->at = processor_ns();
}

void stage_end(stage_clock *c, draw_stage stage)
{
    if (!c)
        return;
    const int64_t now = processor_ns();
    c->ns[stage] += now - c->at;
    c->at = now;
}
