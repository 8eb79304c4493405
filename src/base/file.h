/* Files: read whole or mapped; written beside their name and renamed into place after fsync. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/progress.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Records "path: what: reason of errno_value" and returns MIEN_ERR_IO. */
mien_status file_fail(const char *path, const char *what, int errno_value);

/* open(2), closed across exec, whose answer is never 0, 1 or 2: in a process that has closed one of these, whatever is
 * printed would end in the file. */
int file_open(const char *path, int flags, mode_t mode);

/* The whole file, NUL-terminated beyond its length; caller frees with mem_free. Larger than max_bytes (0: no limit):
 * MIEN_ERR_FORMAT. A folder, a missing or unreadable file: MIEN_ERR_IO "path: reason". */
MIEN_MUST_USE mien_status file_read(char **out, size_t *out_length, const char *path, size_t max_bytes);

/* The same of what is left to read from a descriptor, which stays open; `name` is for messages. p (NULL: nobody) is
 * asked whether to go on when a signal comes while a pipe is waited for: MIEN_ERR_CANCELLED. */
MIEN_MUST_USE mien_status file_read_fd(char **out, size_t *out_length, int fd, const char *name, size_t max_bytes,
                                       progress *p);

/* A read-only mapping of a regular file. An empty file gives data NULL, length 0. (Who shortens a file while it is
 * mapped kills its readers by SIGBUS; our own writers never do, they replace files.) */
typedef struct {
    const uint8_t *data;
    size_t length;
} file_map;
MIEN_MUST_USE mien_status file_map_open(file_map *out, const char *path);
void file_map_close(file_map *map);

/* All `count` bytes at the descriptor's place. Errors MIEN_ERR_IO naming path. */
MIEN_MUST_USE mien_status file_write_fd(int fd, const char *path, const void *bytes, size_t count);

/* Atomic replacement: bytes go to "PATH.part" (created with O_EXCL-like safety for our own use), then fsync, rename,
 * fsync of the folder. file_write_commit frees the writer whatever happens; file_write_abort (NULL ok) removes the
 * temporary. A full disk fails with MIEN_ERR_IO and leaves the old file. */
typedef struct file_writer file_writer;
MIEN_MUST_USE mien_status file_write_open(file_writer **out, const char *path);
MIEN_MUST_USE mien_status file_write_bytes(file_writer *w, const void *bytes, size_t count);
MIEN_MUST_USE mien_status file_write_commit(file_writer *w);
void file_write_abort(file_writer *w);
/* All three in one. */
MIEN_MUST_USE mien_status file_write_all(const char *path, const void *bytes, size_t count);

/* Bytes as a file without a place in any folder: *out_path (caller: mem_free) opens it as long as *out_fd is open.
 * `name` is for messages. */
MIEN_MUST_USE mien_status file_hold(int *out_fd, char **out_path, const char *name, const void *bytes, size_t count);

bool file_exists(const char *path);
bool file_is_folder(const char *path);
/* A path that was written on Windows: where there is no such file but one with slashes for backslashes, it becomes
 * that.
 */
void file_mend_backslashes(char *path);
/* Does a name below some folder lead out of it: absolute, or with a part `..` between slashes or backslashes, which may
 * come to mean folders (file_mend_backslashes)? */
bool file_leads_out(const char *name);
MIEN_MUST_USE mien_status file_make_folders(const char *path); /* like mkdir -p */
/* Is a file or folder of this name none of the user's: hidden (a leading dot), or left behind by a system that showed
 * the folder (Thumbs.db, desktop.ini, __MACOSX ...)? */
bool file_is_litter(const char *name);
/* Names in a folder (without . and ..), naturally ordered; each and the array freed with mem_free via file_list_free.
 */
MIEN_MUST_USE mien_status file_list(char ***out, size_t *out_count, const char *folder);
void file_list_free(char **names, size_t count);
/* "a/b" into fresh memory; b alone where b is absolute or a is empty. */
MIEN_MUST_USE mien_status file_join(char **out, const char *a, const char *b);
/* What follows the last slash, trailing slashes apart: "c.png" of "a/c.png", "b/" of "a/b/". Points into path. */
const char *file_base_name(const char *path);

#endif
