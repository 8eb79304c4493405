/* Encoders. A file is complete or absent: JPEG is made in memory first, PNG streams into the atomic writer. */
#include "image/image_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/size.h"

#include <setjmp.h>
#include <spng.h>
#include <stdio.h>

#include <jpeglib.h> /* needs stdio.h before it */

/* libjpeg's destination over a mem_ block that doubles. */
typedef struct {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr error;
    struct jpeg_destination_mgr destination;
    jmp_buf failed;
    mien_status status; /* set before the jump to `failed` */
    uint8_t *bytes;     /* owned */
    size_t capacity;
} encoder;

static void fail_and_jump(encoder *e, mien_status status)
{
    e->status = status;
    longjmp(e->failed, 1);
}

static void on_error(j_common_ptr jpeg)
{
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    fail_and_jump(jpeg->client_data, mien_fail(MIEN_ERR_UNSUPPORTED, "JPEG encoder: %s", text));
}

static void on_message(j_common_ptr jpeg, int level)
{
    (void)jpeg;
    (void)level; /* the encoder has nothing to warn of, and the library never prints */
}

static void destination_keep(j_compress_ptr jpeg)
{
    (void)jpeg;
}

static boolean destination_grow(j_compress_ptr jpeg)
{
    encoder *e = jpeg->client_data;
    void *block = e->bytes;
    size_t wanted;
    mien_status st = size_mul(&wanted, e->capacity, 2)
                         ? mem_resize_bytes(&block, e->capacity, wanted)
                         : mien_fail(MIEN_ERR_NOMEM, "JPEG encoder: more than %zu bytes", e->capacity);
    if (st != MIEN_OK)
        fail_and_jump(e, st);
    e->bytes = block;
    e->destination.next_output_byte = e->bytes + e->capacity; /* libjpeg calls when all of it is full */
    e->destination.free_in_buffer = wanted - e->capacity;
    e->capacity = wanted;
    return TRUE;
}

/* All of libjpeg's work; tells in e->status how it went. */
static void encode(encoder *e, const image *im, int quality)
{
    struct jpeg_compress_struct *jpeg = &e->jpeg;
    if (setjmp(e->failed) != 0)
        return;
    jpeg_create_compress(jpeg);
    jpeg->dest = &e->destination;
    jpeg->image_width = (JDIMENSION)im->width;
    jpeg->image_height = (JDIMENSION)im->height;
    jpeg->input_components = IMAGE_CHANNELS;
    jpeg->in_color_space = JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, quality, TRUE);
    jpeg_start_compress(jpeg, TRUE);
    while (jpeg->next_scanline < jpeg->image_height) {
        uint8_t *row = im->pixels + (size_t)jpeg->next_scanline * (size_t)im->width * IMAGE_CHANNELS;
        jpeg_write_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_compress(jpeg);
}

mien_status image_encode_jpeg(uint8_t **out, size_t *out_length, const image *im, int quality)
{
    if (quality < 1 || quality > 100)
        return mien_fail(MIEN_ERR_ARG, "JPEG quality %d (wanted 1..100)", quality);
    encoder e = {.status = MIEN_OK, .capacity = image_bytes(im) / 4 + 4096};
    TRY(mem_alloc(&e.bytes, e.capacity));
    e.jpeg.err = jpeg_std_error(&e.error);
    e.jpeg.client_data = &e;
    e.error.error_exit = on_error;
    e.error.emit_message = on_message;
    e.destination.init_destination = destination_keep;
    e.destination.empty_output_buffer = destination_grow;
    e.destination.term_destination = destination_keep;
    e.destination.next_output_byte = e.bytes;
    e.destination.free_in_buffer = e.capacity;
    encode(&e, im, quality);
    jpeg_destroy_compress(&e.jpeg);
    if (e.status != MIEN_OK) {
        mem_free(e.bytes);
        return e.status;
    }
    *out = e.bytes;
    *out_length = e.capacity - e.destination.free_in_buffer;
    return MIEN_OK;
}

mien_status image_write_jpeg(const char *path, const image *im, int quality)
{
    uint8_t *bytes;
    size_t length;
    mien_status st = image_encode_jpeg(&bytes, &length, im, quality);
    if (st != MIEN_OK)
        return mien_fail_in(st, "%s", path);
    st = file_write_all(path, bytes, length);
    mem_free(bytes);
    return st;
}

typedef struct {
    file_writer *file;
    mien_status status; /* of the write that failed */
} png_sink;

static int png_write(spng_ctx *png, void *user, void *bytes, size_t count)
{
    (void)png;
    png_sink *sink = user;
    sink->status = file_write_bytes(sink->file, bytes, count);
    return sink->status == MIEN_OK ? 0 : SPNG_IO_ERROR;
}

mien_status image_write_png(const char *path, const image *im)
{
    mien_status st = MIEN_OK;
    png_sink sink = {.status = MIEN_OK};
    spng_ctx *png = NULL;
    struct spng_ihdr header = {.width = (uint32_t)im->width,
                               .height = (uint32_t)im->height,
                               .bit_depth = 8,
                               .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    TRY_OUT(file_write_open(&sink.file, path));
    png = spng_ctx_new(SPNG_CTX_ENCODER);
    int error = png == NULL ? SPNG_EMEM : spng_set_png_stream(png, png_write, &sink);
    if (error == 0)
        error = spng_set_ihdr(png, &header);
    if (error == 0)
        error = spng_encode_image(png, im->pixels, image_bytes(im), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (sink.status != MIEN_OK) {
        st = sink.status; /* the writer has named the file and the reason */
        goto out;
    }
    if (error != 0) {
        st = mien_fail(error == SPNG_EMEM ? MIEN_ERR_NOMEM : MIEN_ERR_INTERNAL, "%s: PNG encoder: %s", path,
                       spng_strerror(error));
        goto out;
    }
    st = file_write_commit(sink.file);
    sink.file = NULL;
out:
    spng_ctx_free(png);
    file_write_abort(sink.file);
    return st;
}
