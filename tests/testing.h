/* What every test of ours needs beside cmocka: statuses with their text, and a folder that is gone afterwards. */
#ifndef TESTS_TESTING_H
#define TESTS_TESTING_H

#include "mien.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The call succeeds; else its message is the test's. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        if ((call) != MIEN_OK)                                                                                         \
            fail_msg("%s", mien_error());                                                                              \
    } while (0)

/* The call fails with this status and a message that contains `text`. */
#define assert_failure(call, status, text)                                                                             \
    do {                                                                                                               \
        mien_status got_ = (call);                                                                                     \
        if (got_ != (status) || !strstr(mien_error(), (text)))                                                         \
            fail_msg("status %d, \"%s\" (wanted %d, \"%s\")", (int)got_, got_ ? mien_error() : "", (int)(status),      \
                     (text));                                                                                          \
    } while (0)

/* A fresh folder under TMPDIR: path into dst (at least 64 bytes). */
static inline void temp_folder_make(char *dst, size_t bytes)
{
    const char *root = getenv("TMPDIR");
    snprintf(dst, bytes, "%s/mien-test-XXXXXX", root ? root : "/tmp");
    assert_non_null(mkdtemp(dst));
}

static inline void temp_folder_remove(const char *path)
{
    char command[4128];
    assert_non_null(strstr(path, "/mien-test-"));
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

/* A group's setup and teardown: the program works in a fresh folder, which is gone afterwards. */
static inline int temp_folder_enter(void **state)
{
    char folder[PATH_MAX];
    (void)state;
    temp_folder_make(folder, sizeof folder);
    return chdir(folder);
}

static inline int temp_folder_leave(void **state)
{
    char folder[PATH_MAX];
    (void)state;
    assert_non_null(getcwd(folder, sizeof folder));
    int rc = chdir("/");
    temp_folder_remove(folder);
    return rc;
}

/* A test's setup and teardown: *state is the path of a fresh folder, which is gone afterwards. */
static inline int temp_folder_setup(void **state)
{
    char *folder = malloc(PATH_MAX);
    assert_non_null(folder);
    temp_folder_make(folder, PATH_MAX);
    *state = folder;
    return 0;
}

static inline int temp_folder_teardown(void **state)
{
    temp_folder_remove(*state);
    free(*state);
    return 0;
}

#endif
