/* JPEG through libjpeg-turbo. libjpeg repairs damaged data with a warning; a training set must not be fed half a face,
 * so the warnings that mean lost data are failures here. A file that merely lacks its end marker has lost nothing and
 * is read, as browsers do. Errors leave libjpeg by longjmp, so all state lives in one struct. */
#include "image/image_int.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h> /* needs stdio.h before it */

#include <jerror.h> /* needs jpeglib.h before it */

/* Progressive files have about ten scans; a crafted one has thousands, each a pass over the whole picture. */
#define MAX_SCANS 200
#define MARKER_EXIF (JPEG_APP0 + 1)

typedef struct {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    const char *name;
    int orientation;
    bool has_begun;     /* the header is read: pixels follow */
    bool is_cut;        /* the file ended before its end marker, which libjpeg then made up */
    mien_status status; /* set before the jump to `failed` */
} decoder;

static void fail_and_jump(decoder *d, mien_status status)
{
    d->status = status;
    longjmp(d->failed, 1);
}

static void fail_truncated(decoder *d)
{
    fail_and_jump(d, mien_fail(MIEN_ERR_FORMAT, "%s: truncated JPEG", d->name));
}

static void on_error(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    switch (jpeg->err->msg_code) {
    case JERR_OUT_OF_MEMORY:
        fail_and_jump(d, mien_fail(MIEN_ERR_NOMEM, "%s: %s", d->name, text));
        break;
    case JWRN_JPEG_EOF:
        fail_truncated(d);
        break;
    default:
        if (d->is_cut) /* the fault follows from what libjpeg made up */
            fail_truncated(d);
        fail_and_jump(d, mien_fail(MIEN_ERR_FORMAT, "%s: corrupt JPEG: %s", d->name, text));
        break;
    }
}

/* level -1 is a warning, 0 and above are traces. */
static void on_message(j_common_ptr jpeg, int level)
{
    decoder *d = jpeg->client_data;
    if (level >= 0)
        return;
    switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF: /* its bits are taken in advance: only one that is missed is a fault */
        d->is_cut = true;
        if (!d->has_begun)
            on_error(jpeg);
        break;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
        on_error(jpeg);
        break;
    default: /* stray bytes between markers, odd version numbers: every pixel is still there */
        break;
    }
}

static void on_progress(j_common_ptr jpeg)
{
    decoder *d = jpeg->client_data;
    if (d->jpeg.input_scan_number > MAX_SCANS)
        fail_and_jump(d, mien_fail(MIEN_ERR_FORMAT, "%s: more than %d scans in a JPEG", d->name, MAX_SCANS));
}

/* Of a file that was cut in the marker or the metadata after a scan: was that the last scan of all? Components that no
 * scan has shown have no quantisation table yet, and a progressive picture knows to which bit its coefficients are
 * there. Arithmetic coding leaves no trace of bits that are missing. */
static bool has_all_scans(const struct jpeg_decompress_struct *jpeg)
{
    if (jpeg->arith_code)
        return false;
    for (int c = 0; c < jpeg->num_components; c++) {
        if (jpeg->comp_info[c].quant_table == NULL)
            return false;
        for (int k = 0; jpeg->progressive_mode && k < DCTSIZE2; k++)
            if (jpeg->coef_bits == NULL || jpeg->coef_bits[c][k] != 0)
                return false;
    }
    return true;
}

/* Ink to light as Pillow's CMYK to RGB does, from inks stored inverted (255 = none): Adobe's habit, which every writer
 * of such files and every browser follows, marker or no marker. src [count, 4], dst [count, 3]; product / 255 rounded.
 */
static void cmyk_row_to_rgb(uint8_t *dst, const uint8_t *src, int count)
{
    for (int x = 0; x < count; x++, src += 4, dst += IMAGE_CHANNELS) {
        int black = src[3];
        for (int c = 0; c < IMAGE_CHANNELS; c++) {
            int product = (255 - src[c]) * black + 128;
            int light = black - (((product >> 8) + product) >> 8);
            dst[c] = (uint8_t)(light < 0 ? 0 : light);
        }
    }
}

/* All of libjpeg's work; tells in d->status how it went. */
static void decode(decoder *d, image *dst, const uint8_t *bytes, size_t length, int64_t max_pixels)
{
    struct jpeg_decompress_struct *jpeg = &d->jpeg;
    if (setjmp(d->failed) != 0)
        return;
    jpeg_create_decompress(jpeg);
    jpeg->client_data = d;
    d->progress.progress_monitor = on_progress;
    jpeg->progress = &d->progress;
    jpeg_mem_src(jpeg, bytes, (unsigned long)length);
    jpeg_save_markers(jpeg, MARKER_EXIF, 0xffff);
    jpeg_read_header(jpeg, TRUE);

    bool is_cmyk = jpeg->num_components == 4;
    if (jpeg->num_components != 1 && jpeg->num_components != 3 && !is_cmyk)
        fail_and_jump(d, mien_fail(MIEN_ERR_FORMAT, "%s: JPEG of %d components (wanted 1, 3 or 4)", d->name,
                                   jpeg->num_components));
    jpeg->out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    mien_status st = decode_make_room(dst, jpeg->image_width, jpeg->image_height, d->name, max_pixels);
    if (st != MIEN_OK)
        fail_and_jump(d, st);
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m != NULL && d->orientation == 1; m = m->next)
        d->orientation = exif_orientation(m->data, m->data_length); /* 1 for the other kind of APP1, XMP */

    d->has_begun = true;
    jpeg_start_decompress(jpeg); /* of several scans all but the rows; of one, which the rows are read from, nothing */
    size_t row_bytes = (size_t)dst->width * IMAGE_CHANNELS;
    JSAMPARRAY inks =
        is_cmyk ? jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, jpeg->output_width * 4, 1) : NULL;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *row = dst->pixels + (size_t)jpeg->output_scanline * row_bytes;
        if (is_cmyk) {
            jpeg_read_scanlines(jpeg, inks, 1);
            cmyk_row_to_rgb(row, inks[0], dst->width);
        } else {
            jpeg_read_scanlines(jpeg, &row, 1);
        }
    }
    if (d->is_cut && !has_all_scans(jpeg)) /* what follows the last row is not looked at: an end marker, or whatever */
        fail_truncated(d);
}

mien_status decode_jpeg(image *dst, const uint8_t *bytes, size_t length, const char *name, int64_t max_pixels)
{
    decoder d = {.name = name, .orientation = 1, .status = MIEN_OK};
    d.jpeg.err = jpeg_std_error(&d.error);
    d.jpeg.client_data = &d; /* for an error inside jpeg_create_decompress, which keeps it */
    d.error.error_exit = on_error;
    d.error.emit_message = on_message;
    decode(&d, dst, bytes, length, max_pixels);
    jpeg_destroy_decompress(&d.jpeg);
    TRY(d.status);
    mien_status st = image_orient(dst, d.orientation);
    return st == MIEN_OK ? st : mien_fail_in(st, "%s", name);
}
