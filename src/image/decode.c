/* Which decoder: the content decides, a name never does. */
#include "image/image_int.h"

#include "base/file.h"
#include "base/mem.h"

#include <inttypes.h>
#include <string.h>

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

typedef mien_status decoder(image *dst, const uint8_t *bytes, size_t length, const char *name, int64_t max_pixels);

/* How files of each format begin; NULL: of none. */
static decoder *decoder_of(const uint8_t *bytes, size_t length)
{
    if (length >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        return decode_jpeg;
    if (length >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return decode_png;
    if (length >= IMAGE_SIGNATURE_BYTES && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
        return decode_webp;
    return NULL;
}

bool image_begins(const void *bytes, size_t length)
{
    return decoder_of(bytes, length) != NULL;
}

mien_status image_decode_limited(image *dst, const uint8_t *bytes, size_t length, const char *name, int64_t max_pixels)
{
    if (length == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: empty file", name);
    decoder *decode = decoder_of(bytes, length);
    return decode ? decode(dst, bytes, length, name, max_pixels)
                  : mien_fail(MIEN_ERR_FORMAT, "%s: not a JPEG, PNG or WebP image", name);
}

mien_status image_decode(image *dst, const uint8_t *bytes, size_t length, const char *name)
{
    return image_decode_limited(dst, bytes, length, name, IMAGE_MAX_PIXELS);
}

mien_status image_read(image *dst, const char *path)
{
    char *bytes;
    size_t length;
    TRY(file_read(&bytes, &length, path, IMAGE_MAX_FILE_BYTES));
    mien_status st = image_decode(dst, (const uint8_t *)bytes, length, path);
    mem_free(bytes);
    return st;
}
