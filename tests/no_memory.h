/* Memory that runs out at every possible moment. */
#ifndef TESTS_NO_MEMORY_H
#define TESTS_NO_MEMORY_H

#include "base/mem.h"
#include "testing.h"

/* Runs attempt(context) with its first, second, ... allocation failing, until it makes fewer than that. Each earlier
 * run must answer MIEN_ERR_NOMEM: an attempt that swallows a failure is found too. Leaks are ASan's to find. */
static inline void fail_each_allocation(mien_status (*attempt)(void *context), void *context)
{
    for (int64_t n = 1;; n++) {
        int64_t before = mem_count();
        mem_fail_after(n);
        mien_status st = attempt(context);
        mem_fail_after(-1);
        if (mem_count() - before < n) {
            assert_ok(st);
            assert_true(n > 1); /* or nothing was tried */
            return;
        }
        if (st != MIEN_ERR_NOMEM)
            fail_msg("allocation %lld failed, and the status is %d: %s", (long long)n, st, mien_error());
    }
}

#endif
