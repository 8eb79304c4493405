/* WebP through libwebp. Every file goes through the demuxer: a still picture is its one frame, an animation gives its
 * first frame, on black where the frame leaves the canvas uncovered (as Pillow shows it). Alpha is dropped. */
#include "image/image_int.h"

#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

/* Decodes the first frame into its rectangle of dst, which has the canvas' size. */
static mien_status decode_first_frame(image *dst, const WebPDemuxer *webp, const char *name)
{
    mien_status st = MIEN_OK;
    WebPIterator frame;
    if (!WebPDemuxGetFrame(webp, 1, &frame))
        return mien_fail(MIEN_ERR_FORMAT, "%s: WebP without a frame", name);
    bool inside = frame.x_offset >= 0 && frame.y_offset >= 0 && frame.width >= 1 && frame.height >= 1 &&
                  frame.width <= dst->width - frame.x_offset && frame.height <= dst->height - frame.y_offset;
    /* the frame's header and its bitstream each tell a size; rows would run into one another if they disagreed */
    int width, height;
    if (!inside || !WebPGetInfo(frame.fragment.bytes, frame.fragment.size, &width, &height) || width != frame.width ||
        height != frame.height) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: corrupt WebP: frame and canvas disagree", name);
        goto out;
    }
    size_t row_bytes = (size_t)dst->width * IMAGE_CHANNELS;
    size_t start = (size_t)frame.y_offset * row_bytes + (size_t)frame.x_offset * IMAGE_CHANNELS;
    if (frame.width < dst->width || frame.height < dst->height)
        memset(dst->pixels, 0, image_bytes(dst));
    if (WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, dst->pixels + start, image_bytes(dst) - start,
                          (int)row_bytes) == NULL)
        st = mien_fail(MIEN_ERR_FORMAT, "%s: corrupt WebP", name);
out:
    WebPDemuxReleaseIterator(&frame);
    return st;
}

static int webp_orientation(const WebPDemuxer *webp)
{
    WebPChunkIterator chunk;
    int orientation = 1;
    if (WebPDemuxGetChunk(webp, "EXIF", 1, &chunk)) {
        orientation = exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return orientation;
}

mien_status decode_webp(image *dst, const uint8_t *bytes, size_t length, const char *name, int64_t max_pixels)
{
    mien_status st = MIEN_OK;
    WebPData data = {.bytes = bytes, .size = length};
    WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
    WebPDemuxer *webp = WebPDemuxPartial(&data, &state);
    if (webp == NULL || state != WEBP_DEMUX_DONE) {
        bool truncated = state == WEBP_DEMUX_PARSING_HEADER || state == WEBP_DEMUX_PARSED_HEADER;
        st = mien_fail(MIEN_ERR_FORMAT, "%s: %s WebP", name, truncated ? "truncated" : "corrupt");
        goto out;
    }
    TRY_OUT(decode_make_room(dst, WebPDemuxGetI(webp, WEBP_FF_CANVAS_WIDTH), WebPDemuxGetI(webp, WEBP_FF_CANVAS_HEIGHT),
                             name, max_pixels));
    TRY_OUT(decode_first_frame(dst, webp, name));
    st = image_orient(dst, webp_orientation(webp));
    if (st != MIEN_OK)
        st = mien_fail_in(st, "%s", name);
out:
    WebPDemuxDelete(webp);
    return st;
}
