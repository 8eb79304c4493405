/* Steps may come thousands a second: at most one in 50 ms reaches the callback, and always the last one, so that no
 * caller thins its own. */
#include "base/progress.h"

#include <stdbool.h>
#include <time.h>

enum { PAUSE_NS = 50 * 1000 * 1000 };

int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int progress_tell(progress *p, const char *what, int64_t done, int64_t total, const char *note)
{
    if (!p->callback)
        return 0;
    int64_t now = clock_ns();
    bool finishes = total > 0 && done >= total;
    if (p->last_ns != 0 && now - p->last_ns < PAUSE_NS && !finishes)
        return 0;
    p->last_ns = now;
    return p->callback(p->payload, what, done, total, note) != 0;
}
