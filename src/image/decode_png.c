/* PNG through libspng, which checks every checksum. 16-bit samples keep their high byte, palettes and grey become RGB,
 * alpha is dropped rather than blended: the colours under it are what the file holds. */
#include "image/image_int.h"

#include <spng.h>

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

mien_status decode_png(image *dst, const uint8_t *bytes, size_t length, const char *name, int64_t max_pixels)
{
    mien_status st = MIEN_OK;
    spng_ctx *png = spng_ctx_new(0);
    if (png == NULL)
        return png_failure(name, SPNG_EMEM);
    struct spng_ihdr header;
    struct spng_exif exif;
    int orientation = 1;
    int error = spng_set_chunk_limits(png, MAX_METADATA_BYTES, MAX_METADATA_BYTES);
    if (error == 0)
        error = spng_set_png_buffer(png, bytes, length);
    if (error == 0)
        error = spng_get_ihdr(png, &header);
    if (error == 0) {
        TRY_OUT(decode_make_room(dst, header.width, header.height, name, max_pixels));
        error = spng_decode_image(png, dst->pixels, image_bytes(dst), SPNG_FMT_RGB8, 0);
    }
    if (error == 0)
        error = spng_decode_chunks(png); /* to the end marker: its absence is truncation too */
    if (error != 0) {
        st = png_failure(name, error);
        goto out;
    }
    if (spng_get_exif(png, &exif) == 0)
        orientation = exif_orientation((const uint8_t *)exif.data, exif.length);
    st = image_orient(dst, orientation);
    if (st != MIEN_OK)
        st = mien_fail_in(st, "%s", name);
out:
    spng_ctx_free(png);
    return st;
}
