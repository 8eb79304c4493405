/* Sources of this room: files by name, and pictures in memory. All names of the files lie in one block. */
#include "image/picture_source.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct picture_files {
    picture_source source;                /* first: a source that is handed back is this */
    char *what, *root, *fallback, *names; /* NUL-terminated, names one after another; fallback NULL: none */
    size_t *name_at;                      /* [count] where a name begins in `names` */
};

/* --- files -------------------------------------------------------------------------------------------------------- */

static const char *name_of(const picture_files *f, int64_t index)
{
    return f->names + f->name_at[index];
}

static mien_status print_path(char *dst, size_t bytes, const char *root, const char *name)
{
    const size_t length = strlen(root);
    const bool is_joined = length > 0 && *name != '/', needs_slash = is_joined && root[length - 1] != '/';
    int written = snprintf(dst, bytes, "%s%s%s", is_joined ? root : "", needs_slash ? "/" : "", name);
    return written < 0 || (size_t)written >= bytes ? file_fail(name, "cannot open", ENAMETOOLONG) : MIEN_OK;
}

static mien_status file_name(const picture_source *s, int64_t index, char *dst, size_t bytes)
{
    const char *name = name_of((const picture_files *)s, index);
    int length = snprintf(dst, bytes, "%s", name);
    if (length < 0 || (size_t)length >= bytes)
        return mien_fail(MIEN_ERR_ARG, "%s: name of %d bytes (room for %zu)", name, length, bytes);
    return MIEN_OK;
}

static mien_status file_path(const picture_source *s, int64_t index, char *dst, size_t bytes)
{
    const picture_files *f = (const picture_files *)s;
    return print_path(dst, bytes, f->root, name_of(f, index));
}

static mien_status read_named(const picture_source *s, int64_t index, picture_reader *r)
{
    const picture_files *f = (const picture_files *)s;
    TRY(print_path(r->path, sizeof r->path, f->root, name_of(f, index)));
    char second[PATH_MAX];
    if (f->fallback)
        TRY(print_path(second, sizeof second, f->fallback, name_of(f, index)));
    return picture_read_either(r, f->fallback ? second : NULL);
}

static mien_status copy_names(picture_files *f, const char *const *names, int64_t count)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < count; i++)
        bytes += strlen(names[i]) + 1;
    TRY(mem_alloc(&f->names, bytes ? bytes : 1));
    TRY(mem_alloc(&f->name_at, count));
    bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]) + 1;
        memcpy(f->names + bytes, names[i], length);
        f->name_at[i] = bytes;
        bytes += length;
    }
    return MIEN_OK;
}

mien_status picture_files_create(picture_files **out, const char *what, const char *const *names, int64_t count,
                                 const char *root, const char *fallback)
{
    mien_status st;
    picture_files *f = NULL;
    TRY(mem_zalloc(&f, 1));
    TRY_OUT(mem_strdup(&f->what, what));
    TRY_OUT(mem_strdup(&f->root, root ? root : ""));
    if (fallback)
        TRY_OUT(mem_strdup(&f->fallback, fallback));
    TRY_OUT(copy_names(f, names, count));
    f->source =
        (picture_source){.what = f->what, .count = count, .name = file_name, .path = file_path, .read = read_named};
    TRY_OUT(mem_zalloc(&f->source.reported, (count + 31) / 32));
    *out = f;
    f = NULL;
out:
    picture_files_free(f);
    return st;
}

void picture_files_free(picture_files *f)
{
    if (!f)
        return;
    mem_free(f->source.reported);
    mem_free(f->what);
    mem_free(f->root);
    mem_free(f->fallback);
    mem_free(f->names);
    mem_free(f->name_at);
    mem_free(f);
}

const picture_source *picture_files_source(const picture_files *f)
{
    return &f->source;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static mien_status number_name(const picture_source *s, int64_t index, char *dst, size_t bytes)
{
    (void)s;
    int length = snprintf(dst, bytes, "%" PRId64, index + 1);
    return length < 0 || (size_t)length >= bytes
               ? mien_fail(MIEN_ERR_ARG, "name of %d bytes (room for %zu)", length, bytes)
               : MIEN_OK;
}

static mien_status copy_image(const picture_source *s, int64_t index, picture_reader *r)
{
    const image *from = &((const picture_memory *)s)->images[index];
    TRY(image_resize_buffer(&r->decoded, from->width, from->height));
    memcpy(r->decoded.pixels, from->pixels, (size_t)from->width * (size_t)from->height * 3);
    return MIEN_OK;
}

mien_status picture_memory_init(picture_memory *out, const image *images, int64_t count)
{
    picture_memory m = {.images = images};
    m.source = (picture_source){.what = "pictures", .count = count, .name = number_name, .read = copy_image};
    TRY(mem_zalloc(&m.source.reported, (count + 31) / 32));
    *out = m;
    return MIEN_OK;
}

void picture_memory_clear(picture_memory *m)
{
    mem_free(m->source.reported);
    *m = (picture_memory){0};
}
