/* What comes in a file's place when it was fetched wrongly: told by what it is, where "not a zip archive" would tell
 * nobody what to do. */
#ifndef FORMAT_STAND_IN_H
#define FORMAT_STAND_IN_H

#include "base/status.h"

#include <stddef.h>

/* MIEN_ERR_FORMAT "name: a Git LFS pointer ..." or "name: an HTML page ..." where the bytes are one. */
MIEN_MUST_USE mien_status stand_in_check(const void *bytes, size_t length, const char *name);

#endif
