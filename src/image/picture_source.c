/* Files are read, not mapped: another process may shorten one meanwhile, and small files read faster. */
#include "image/picture_source.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEEP_BYTES = 64 << 20 }; /* one giant picture must not occupy its memory for the rest of the run */

mien_status picture_reader_init(picture_reader *p)
{
    *p = (picture_reader){0};
    return image_scratch_create(&p->scratch);
}

void picture_reader_clear(picture_reader *p)
{
    image_free(&p->decoded);
    image_free(&p->sized);
    image_scratch_free(p->scratch);
    mem_free(p->bytes);
    *p = (picture_reader){0};
}

static mien_status reserve(picture_reader *p, size_t bytes)
{
    if (bytes <= p->capacity)
        return MIEN_OK;
    mem_free(p->bytes);
    p->bytes = NULL;
    p->capacity = 0;
    TRY(mem_alloc(&p->bytes, bytes + bytes / 2)); /* the next may be larger: settle soon */
    p->capacity = bytes + bytes / 2;
    return MIEN_OK;
}

static mien_status read_bytes(picture_reader *p, int fd, size_t *length)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return file_fail(p->path, "cannot read", errno);
    if (!S_ISREG(info.st_mode))
        return mien_fail(MIEN_ERR_IO, "%s: not a regular file", p->path);
    if ((size_t)info.st_size > IMAGE_MAX_FILE_BYTES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %" PRId64 " bytes (at most %zu)", p->path, (int64_t)info.st_size,
                         IMAGE_MAX_FILE_BYTES);
    size_t size = (size_t)info.st_size, have = 0;
    TRY(reserve(p, size));
    while (have < size) { /* a file that shrinks meanwhile is found truncated by its decoder */
        ssize_t got = read(fd, p->bytes + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return file_fail(p->path, "cannot read", errno);
        if (got == 0)
            break;
        have += (size_t)got;
    }
    *length = have;
    return MIEN_OK;
}

static mien_status read_file(picture_reader *p, size_t *length)
{
    int fd = file_open(p->path, O_RDONLY | O_NONBLOCK, 0); /* a pipe without writer would block for ever */
    if (fd < 0)
        return file_fail(p->path, "cannot open", errno);
    mien_status st = read_bytes(p, fd, length);
    close(fd);
    return st;
}

mien_status picture_read_file(picture_reader *p)
{
    size_t length = 0;
    TRY(read_file(p, &length));
    if (p->decoded.capacity > KEEP_BYTES)
        image_free(&p->decoded);
    image_scratch_trim(p->scratch, KEEP_BYTES); /* RandAugment swaps the two */
    mien_status st = image_decode(&p->decoded, p->bytes, length, p->path);
    if (p->capacity > KEEP_BYTES) {
        mem_free(p->bytes);
        p->bytes = NULL;
        p->capacity = 0;
    }
    return st;
}

mien_status picture_read_either(picture_reader *r, const char *second)
{
    char why[1024];
    mien_status first = picture_read_file(r);
    if (!second || !picture_is_bad(first))
        return first;
    status_text_save(why, sizeof why);
    if ((size_t)snprintf(r->path, sizeof r->path, "%s", second) >= sizeof r->path)
        return file_fail(second, "cannot open", ENAMETOOLONG);
    mien_status st = picture_read_file(r);
    if (st != MIEN_ERR_IO || first == MIEN_ERR_IO)
        return st;
    status_text_load(why);
    return first;
}

mien_status picture_fit(picture_reader *p, int size)
{
    return image_resize(&p->sized, &p->decoded, size, size, p->scratch);
}

bool picture_is_bad(mien_status st)
{
    return st == MIEN_ERR_IO || st == MIEN_ERR_FORMAT || st == MIEN_ERR_UNSUPPORTED;
}

bool picture_report(const picture_source *s, int64_t index)
{
    uint32_t bit = 1u << (index % 32);
    return !(atomic_fetch_or_explicit(&s->reported[index / 32], bit, memory_order_relaxed) & bit);
}
