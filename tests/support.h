/* What several tests need: cmocka itself, a folder that vanishes, messages, and memory that runs out. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mien.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka's own says only "-4 != 0". */
static inline void assert_ok(mien_status st)
{
    if (st != MIEN_OK)
        fail_msg("status %d: %s", st, mien_error());
}

/* The call failed with this code, and its one line holds `part`. */
static inline void assert_fails(mien_status st, mien_status code, const char *part)
{
    if (st != code || !strstr(mien_error(), part) || strchr(mien_error(), '\n'))
        fail_msg("status %d (wanted %d): '%s' (wanted '...%s...')", st, code, mien_error(), part);
}

/* A fresh folder in `path` [PATH_MAX]; temp_remove deletes it with all inside. */
static inline void temp_make(char *path)
{
    const char *root = getenv("TMPDIR");
    snprintf(path, PATH_MAX, "%s/mien-test-XXXXXX", root && *root ? root : "/tmp");
    assert_non_null(mkdtemp(path));
}

static inline int temp_remove_one(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info, (void)type, (void)place;
    return remove(path);
}

static inline void temp_remove(const char *path)
{
    assert_int_equal(nftw(path, temp_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

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
