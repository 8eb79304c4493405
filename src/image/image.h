/* Pictures: 8-bit RGB, NHWC order, one struct. Decoders refuse what they cannot trust; nothing here reads a label. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/rng.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_PIXELS 178000000 /* above this an image is refused before anything is allocated for it */

/* The largest file worth reading: the largest picture as uncompressed 16-bit RGBA, and room for its metadata. */
#define IMAGE_MAX_FILE_BYTES ((size_t)IMAGE_MAX_PIXELS * 8 + ((size_t)64 << 20))

/* pixels [height, width, 3] uint8, rows contiguous. */
typedef struct {
    uint8_t *pixels; /* owned; NULL while empty */
    int width, height;
    size_t capacity; /* bytes behind `pixels`: buffers are reused from picture to picture */
} image;

void image_free(image *im);
/* Makes room for width x height (content undefined), reusing the buffer where it suffices. */
MIEN_MUST_USE mien_status image_resize_buffer(image *im, int width, int height);
MIEN_MUST_USE mien_status image_copy(image *dst, const image *src);

/* Decodes JPEG (grey, RGB, CMYK, YCCK), PNG (16 bit reduced, palette, alpha dropped) and WebP (first frame), and turns
 * the picture as its EXIF orientation says. The content decides, never the name. dst is left unfinished by a failure.
 *
 * Errors  MIEN_ERR_IO where the file cannot be read; MIEN_ERR_FORMAT with "PATH: " before "empty file",
 *         "truncated JPEG", "corrupt PNG: ...", "not a JPEG, PNG or WebP image",
 *         "20000x20000 pixels (at most 178000000)". Threads: any. */
/* Do the bytes (12 of a file suffice) begin as a JPEG, PNG or WebP? */
#define IMAGE_SIGNATURE_BYTES 12
bool image_begins(const void *bytes, size_t length);
MIEN_MUST_USE mien_status image_read(image *dst, const char *path);
MIEN_MUST_USE mien_status image_decode(image *dst, const uint8_t *bytes, size_t length, const char *name);
/* Encoders: atomic files. quality 1..100 (chroma at half resolution, as libjpeg does by default). PNG is RGB. */
MIEN_MUST_USE mien_status image_write_jpeg(const char *path, const image *im, int quality);
MIEN_MUST_USE mien_status image_write_png(const char *path, const image *im);
/* A JPEG file in memory; the caller frees it with mem_free. */
MIEN_MUST_USE mien_status image_encode_jpeg(uint8_t **out, size_t *out_length, const image *im, int quality);

/* Bilinear as Pillow's resize on uint8: antialiased triangle filter when shrinking, fixed-point weights, horizontal
 * pass first; equal to Pillow to the last bit. dst is resized; src and dst differ. */
typedef struct image_scratch image_scratch; /* filter tables and rows, kept between calls; one per thread */
MIEN_MUST_USE mien_status image_scratch_create(image_scratch **out);
void image_scratch_free(image_scratch *s);
/* Gives back the picture kept between two steps where it is larger than `bytes`: a giant one must not stay for ever. */
void image_scratch_trim(image_scratch *s, size_t bytes);
MIEN_MUST_USE mien_status image_resize(image *dst, const image *src, int width, int height, image_scratch *s);

/* Geometry and colour used by training; each is torchvision's uint8 tensor path where torchvision has it. */
void image_flip_horizontal(image *im);
/* The rectangle at (x, y); outside the picture is `fill`. */
MIEN_MUST_USE mien_status image_crop(image *dst, const image *src, int x, int y, int width, int height, uint8_t fill);
void image_grey(image *im); /* all three channels = (19595 R + 38470 G + 7471 B + 32768) >> 16, Pillow's convert("L") */

/* Gaussian blur with reflected borders over ceil(3 sigma) pixels each way; sigma at most 10. */
MIEN_MUST_USE mien_status image_blur(image *im, float sigma, image_scratch *s);

/* Sums for dataset statistics: adds each channel's sum and sum of squares of x/255. */
void image_add_moments(const image *im, double sum[3], double sum_squares[3]);

/* What a training recipe may do to a picture (recipe keys augment.*); zero = off. Applied in the order of fields. */
typedef struct {
    float zoom; /* a picture is made this many times the input's size, and a random part taken; at most 1: off */
    float grey; /* probability of image_grey */
    float low_resolution; /* probability of shrinking the shorter side to 24..48 pixels, and back */
    float blur;           /* probability of a Gaussian blur, sigma 0.3..1.5 */
    float jitter;         /* p 0.8: brightness, contrast, saturation by 1 +- s, in random order ... */
    float hue;            /* ... with hue turned by +-h of the circle, at most 0.5; 0.4 and 0.1 are spec 2.2 */
    int crop;             /* pad by this many pixels at the input size (fill 0) and crop back at random */
    bool flip;            /* horizontal, p 0.5 */
    float noise;          /* standard deviation in grey levels of added Gaussian noise, drawn 0..noise */
} augment_options;
/* The side to resize a picture to of which image_random_part leaves `size`. */
int image_zoom_side(const augment_options *options, int size);
/* Zoom: takes a part of size x size, anywhere; nothing of a picture of that size. The first of the effects. */
MIEN_MUST_USE mien_status image_random_part(image *im, int size, uint64_t seed, uint32_t epoch, uint64_t sample,
                                            image_scratch *s);
/* Is the picture of this name mirrored by image_augment? */
bool image_is_mirrored(const augment_options *options, uint64_t seed, uint32_t epoch, uint64_t sample);
/* All others, in place (dims unchanged), every draw from streams named (seed, epoch, sample). */
MIEN_MUST_USE mien_status image_augment(image *im, const augment_options *options, uint64_t seed, uint32_t epoch,
                                        uint64_t sample, image_scratch *s);

#endif
