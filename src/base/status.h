/* Failure: a status and its one-line message, made by one call so that they cannot disagree.
 * The codes are public (mien.h); the message lives in a fixed thread-local buffer, so failing never allocates. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "mien.h"

/* Records the message and returns the code. Order of words: "file: place: fault (found, wanted)", one line, no full
 * stop. */
mien_status mien_fail(mien_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* mien_fail, whose answer the compiler knows to be no success: without this gcc warns wherever a callee that fails
 * leaves its *out unset. */
static inline mien_status status_is_failure(mien_status code)
{
    if (code == MIEN_OK)
        __builtin_unreachable();
    return code;
}
#define mien_fail(...) status_is_failure(mien_fail(__VA_ARGS__))

/* Puts "format: " before the message that the failing callee left, and returns its code. */
mien_status mien_fail_in(mien_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For worker threads: carry a failure's text to the thread that joins them. */
void status_text_save(char *dst, size_t bytes);
void status_text_load(const char *src);

/* Propagate a failure: TRY where no cleanup is owed, TRY_OUT where one `out:` label frees (needs `mien_status st`). */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        mien_status try_st_ = (call);                                                                                  \
        if (try_st_ != MIEN_OK)                                                                                        \
            return try_st_;                                                                                            \
    } while (0)
#define TRY_OUT(call)                                                                                                  \
    do {                                                                                                               \
        st = (call);                                                                                                   \
        if (st != MIEN_OK)                                                                                             \
            goto out;                                                                                                  \
    } while (0)

#endif
