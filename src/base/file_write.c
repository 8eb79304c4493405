/* The atomic writer: whatever happens and whenever, PATH holds the old bytes or all of the new ones. */
#include "base/file.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

struct file_writer {
    char *path;      /* as the caller named it, for messages */
    char *target;    /* the same with symbolic links resolved */
    char *folder;    /* the target's */
    char *temporary; /* target.part; NULL when the target is a device or pipe, which is written directly */
    int fd;
    bool has_failed; /* a failed write stays failed: commit must not put a torn file in place */
    size_t used;
    char *buffer; /* [BUFFER_BYTES] */
};

/* Opens the temporary and locks it. A lock held means another writer lives. The lock may also be won on a file that its
 * writer has just renamed away: then the name and the descriptor differ, and we start again. */
static mien_status open_temporary(int *out, const char *temporary, const char *path)
{
    for (;;) {
        int fd = file_open(temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
        if (fd < 0)
            return file_fail(path, "cannot create", errno);
        struct stat opened, named;
        mien_status st = MIEN_OK;
        if (fstat(fd, &opened) != 0 || !S_ISREG(opened.st_mode))
            st = mien_fail(MIEN_ERR_IO, "%s: its temporary %s is not a regular file", path, temporary);
        else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
            st = errno == EWOULDBLOCK ? mien_fail(MIEN_ERR_IO, "%s: in use by another writer", path)
                                      : file_fail(path, "cannot lock", errno);
        if (st != MIEN_OK) {
            close(fd);
            return st;
        }
        if (stat(temporary, &named) != 0 || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) {
            close(fd);
            continue;
        }
        if (ftruncate(fd, 0) != 0) {
            st = file_fail(path, "cannot empty", errno);
            close(fd);
            return st;
        }
        *out = fd;
        return MIEN_OK;
    }
}

/* Decides where the bytes go. Renaming over /dev/stdout or /dev/null would replace the device itself. */
static mien_status choose_target(file_writer *w)
{
    struct stat info;
    bool exists = stat(w->path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return mien_fail(MIEN_ERR_IO, "%s: is a folder (wanted a file)", w->path);
    if (exists && !S_ISREG(info.st_mode)) {
        w->fd = file_open(w->path, O_WRONLY, 0);
        return w->fd >= 0 ? MIEN_OK : file_fail(w->path, "cannot write", errno);
    }
    char resolved[PATH_MAX];
    TRY(mem_strdup(&w->target, exists && realpath(w->path, resolved) ? resolved : w->path));
    char *slash = strrchr(w->target, '/');
    TRY(mem_strdup(&w->folder, slash ? w->target : "."));
    if (slash)
        w->folder[slash == w->target ? 1 : slash - w->target] = '\0';
    str name = {0};
    TRY(str_printf(&name, "%s.part", w->target));
    mien_status st = open_temporary(&w->fd, name.text, w->path);
    if (st != MIEN_OK) {
        str_free(&name);
        return st;
    }
    w->temporary = name.text;
    return MIEN_OK;
}

static void writer_free(file_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    mem_free(w->path);
    mem_free(w->target);
    mem_free(w->folder);
    mem_free(w->temporary);
    mem_free(w->buffer);
    mem_free(w);
}

mien_status file_write_open(file_writer **out, const char *path)
{
    mien_status st;
    file_writer *w;
    TRY(mem_zalloc(&w, 1));
    w->fd = -1;
    TRY_OUT(mem_strdup(&w->path, path));
    TRY_OUT(mem_alloc(&w->buffer, BUFFER_BYTES));
    TRY_OUT(choose_target(w));
    *out = w;
    return MIEN_OK;
out:
    writer_free(w);
    return st;
}

mien_status file_write_fd(int fd, const char *path, const void *bytes, size_t count)
{
    for (const char *from = bytes; count > 0;) {
        ssize_t written = write(fd, from, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return file_fail(path, "cannot write", written < 0 ? errno : ENOSPC);
        from += written;
        count -= (size_t)written;
    }
    return MIEN_OK;
}

static mien_status write_through(file_writer *w, const char *bytes, size_t count)
{
    mien_status st = file_write_fd(w->fd, w->path, bytes, count);
    w->has_failed |= st != MIEN_OK;
    return st;
}

mien_status file_write_bytes(file_writer *w, const void *bytes, size_t count)
{
    if (w->has_failed)
        return mien_fail(MIEN_ERR_IO, "%s: cannot write: an earlier write failed", w->path);
    if (count > BUFFER_BYTES - w->used) {
        size_t used = w->used;
        w->used = 0;
        TRY(write_through(w, w->buffer, used));
        if (count >= BUFFER_BYTES)
            return write_through(w, bytes, count);
    }
    if (count > 0)
        memcpy(w->buffer + w->used, bytes, count);
    w->used += count;
    return MIEN_OK;
}

/* A rename survives a power cut only once its folder is on the disk. Some file systems cannot do that, and say EINVAL.
 */
static mien_status sync_folder(const file_writer *w)
{
    int fd = file_open(w->folder, O_RDONLY | O_DIRECTORY, 0);
    mien_status st = MIEN_OK;
    if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
        st = file_fail(w->path, "cannot sync its folder", errno);
    if (fd >= 0)
        close(fd);
    return st;
}

/* Allocates nothing: what fails here fails before the rename, and the old file is still there. */
mien_status file_write_commit(file_writer *w)
{
    mien_status st;
    if (w->has_failed) {
        st = mien_fail(MIEN_ERR_IO, "%s: cannot write: an earlier write failed", w->path);
        goto out;
    }
    TRY_OUT(write_through(w, w->buffer, w->used));
    if (!w->temporary)
        goto out;
    if (fsync(w->fd) != 0) {
        st = file_fail(w->path, "cannot write", errno);
        goto out;
    }
    if (rename(w->temporary, w->target) != 0) {
        st = file_fail(w->path, "cannot rename into place", errno);
        goto out;
    }
    mem_free(w->temporary);
    w->temporary = NULL; /* nothing left to remove */
    st = sync_folder(w);
out:
    file_write_abort(w);
    return st;
}

void file_write_abort(file_writer *w)
{
    if (!w)
        return;
    if (w->temporary)
        unlink(w->temporary); /* while the lock is still held: the name is ours */
    writer_free(w);
}

mien_status file_write_all(const char *path, const void *bytes, size_t count)
{
    file_writer *w;
    TRY(file_write_open(&w, path));
    mien_status st = file_write_bytes(w, bytes, count);
    if (st != MIEN_OK) {
        file_write_abort(w);
        return st;
    }
    return file_write_commit(w);
}
