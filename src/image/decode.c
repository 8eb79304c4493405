/* Which decoder: the content decides, a name never does. */
#include "image/image_int.h"

#include "base/file.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

/* The largest file worth reading: the largest picture as uncompressed 16-bit RGBA, and room for its metadata. */
#define MAX_FILE_BYTES ((size_t)IMAGE_MAX_PIXELS * 8 + ((size_t)64 << 20))

mien_status decode_make_room(image *dst, int64_t width, int64_t height, const char *name, int64_t max_pixels)
{
    if (width < 1 || height < 1)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %" PRId64 "x%" PRId64 " pixels (wanted at least 1x1)", name, width,
                         height);
    if (width > INT32_MAX || height > INT32_MAX || width > max_pixels / height)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %" PRId64 "x%" PRId64 " pixels (at most %" PRId64 ")", name, width,
                         height, max_pixels);
    mien_status st = image_resize_buffer(dst, (int)width, (int)height);
    return st == MIEN_OK ? st : mien_fail_in(st, "%s", name);
}

mien_status image_decode_limited(image *dst, const uint8_t *bytes, size_t length, const char *name, int64_t max_pixels)
{
    if (length == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: empty file", name);
    if (length >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        return decode_jpeg(dst, bytes, length, name, max_pixels);
    if (length >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return decode_png(dst, bytes, length, name, max_pixels);
    if (length >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
        return decode_webp(dst, bytes, length, name, max_pixels);
    return mien_fail(MIEN_ERR_FORMAT, "%s: not a JPEG, PNG or WebP image", name);
}

mien_status image_decode(image *dst, const uint8_t *bytes, size_t length, const char *name)
{
    return image_decode_limited(dst, bytes, length, name, IMAGE_MAX_PIXELS);
}

mien_status image_read(image *dst, const char *path)
{
    char *bytes;
    size_t length;
    TRY(file_read(&bytes, &length, path, MAX_FILE_BYTES));
    mien_status st = image_decode(dst, (const uint8_t *)bytes, length, path);
    mem_free(bytes);
    return st;
}
