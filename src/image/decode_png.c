/* PNG through libspng, which checks every checksum. 16-bit samples keep their high byte, palettes and grey become RGB,
 * alpha is dropped rather than blended: the colours under it are what the file holds. */
#include "image/image_int.h"

#include <spng.h>
#include <string.h>

/* Metadata chunks are kept in memory by libspng; no honest picture needs more. */
#define MAX_METADATA_BYTES ((size_t)32 << 20)

static mien_status png_failure(const char *name, int error)
{
    switch (error) {
    case SPNG_EMEM:
        return mien_fail(MIEN_ERR_NOMEM, "%s: out of memory in a PNG", name);
    case SPNG_EOVERFLOW: /* libspng multiplies the size before it tells it */
        return mien_fail(MIEN_ERR_FORMAT, "%s: too many pixels in a PNG", name);
    case SPNG_IO_EOF:
    case SPNG_EIDAT_TOO_SHORT:
        return mien_fail(MIEN_ERR_FORMAT, "%s: truncated PNG", name);
    default:
        return mien_fail(MIEN_ERR_FORMAT, "%s: corrupt PNG: %s", name, spng_strerror(error));
    }
}

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* libspng knows the chunk by its content as the standard has it, and drops one that begins with JPEG's "Exif\0\0", as
 * some writers do and Pillow reads. */
static int orientation_of(const uint8_t *bytes, size_t length)
{
    enum { SIGNATURE = 8, FRAME = 12 }; /* a chunk: length, type, data, checksum */
    size_t at = SIGNATURE;
    while (length - at >= FRAME) {
        size_t data = read_u32(bytes + at);
        if (data > length - at - FRAME)
            break;
        if (memcmp(bytes + at + 4, "eXIf", 4) == 0)
            return exif_orientation(bytes + at + 8, data);
        at += FRAME + data;
    }
    return 1;
}

mien_status decode_png(image *dst, const uint8_t *bytes, size_t length, const char *name, int64_t max_pixels)
{
    mien_status st = MIEN_OK;
    spng_ctx *png = spng_ctx_new(0);
    if (png == NULL)
        return png_failure(name, SPNG_EMEM);
    struct spng_ihdr header;
    bool has_pixels = false;
    int error = spng_set_chunk_limits(png, MAX_METADATA_BYTES, MAX_METADATA_BYTES);
    if (error == 0)
        error = spng_set_png_buffer(png, bytes, length);
    if (error == 0)
        error = spng_get_ihdr(png, &header);
    if (error == 0) {
        TRY_OUT(decode_make_room(dst, header.width, header.height, name, max_pixels));
        error = spng_decode_image(png, dst->pixels, image_bytes(dst), SPNG_FMT_RGB8, 0);
        has_pixels = error == 0;
    }
    if (error == 0)
        error = spng_decode_chunks(png);
    if (error == SPNG_IO_EOF && has_pixels) /* what is cut off is an end marker, or metadata */
        error = 0;
    if (error != 0) {
        st = png_failure(name, error);
        goto out;
    }
    st = image_orient(dst, orientation_of(bytes, length));
    if (st != MIEN_OK)
        st = mien_fail_in(st, "%s", name);
out:
    spng_ctx_free(png);
    return st;
}
