/* mien: facial affect models, trained, evaluated and run. The one public header; it compiles alone as C99 and as C++. */
#ifndef MIEN_H
#define MIEN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MIEN_API __attribute__((visibility("default")))
#define MIEN_MUST_USE __attribute__((warn_unused_result))

/* What a call answers. A code exists only where a caller would act on it; the text is mien_error(). */
typedef enum mien_status {
    MIEN_OK = 0,
    MIEN_ERR_ARG = -1,         /* the caller's argument is wrong */
    MIEN_ERR_NOMEM = -2,
    MIEN_ERR_IO = -3,          /* a file cannot be read or written */
    MIEN_ERR_FORMAT = -4,      /* a file's content is not what it should be */
    MIEN_ERR_SHAPE = -5,
    MIEN_ERR_UNSUPPORTED = -6, /* right, but not possible here (an ISA, a device, a part not built) */
    MIEN_ERR_DEVICE = -7,
    MIEN_ERR_CANCELLED = -8,   /* a callback asked to stop, or Ctrl-C did */
    MIEN_ERR_INTERNAL = -9     /* a bug of ours */
} mien_status;

/* The message of this thread's last failure: one line, "where: what (found, wanted)". Never NULL. */
MIEN_API const char *mien_error(void);

/* Log lines (no newline inside) go to `fn`; NULL silences. level 0 notice, 1 warning. Default: silent. */
typedef void (*mien_log_fn)(void *payload, int level, const char *line);
MIEN_API void mien_set_log(mien_log_fn fn, void *payload);

/* Progress of a long call. total is 0 where unknown; note is extra text ("loss 1.23") or NULL. Return non-zero to stop the work. */
typedef int (*mien_progress_fn)(void *payload, const char *what, int64_t done, int64_t total, const char *note);

#ifdef __cplusplus
}
#endif
#endif
