/* Pictures for this room's tests: made by a formula, or read from the fixtures of make_pictures.py. */
#ifndef TESTS_IMAGE_PICTURE_H
#define TESTS_IMAGE_PICTURE_H

#include "no_memory.h"
#include "testing.h"

#include "base/file.h"
#include "image/image_int.h"

#include <limits.h>
#include <math.h>

#define FIXTURES MIEN_SOURCE_DIR "/tests/fixtures/image/"

/* cmocka's own compares in single precision. */
static inline void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance))
        fail_msg("%.12g (wanted %.12g within %g)", got, wanted, tolerance);
}

/* make_pictures.py's hashed(): bytes without structure. The caller frees with image_free. */
static inline image picture_hashed(int width, int height)
{
    image im = {0};
    assert_ok(image_resize_buffer(&im, width, height));
    for (size_t i = 0; i < image_bytes(&im); i++) {
        uint32_t h = (uint32_t)i * 2654435761u + 12345u;
        h ^= h >> 15;
        h *= 2246822519u;
        im.pixels[i] = (uint8_t)(h >> 24);
    }
    return im;
}

/* The expected pixels of fixture NAME, from NAME.rgb. The caller frees with image_free. */
static inline image picture_expected(const char *name)
{
    char path[PATH_MAX];
    char *bytes;
    size_t length;
    image im = {0};
    snprintf(path, sizeof path, FIXTURES "%s.rgb", name);
    assert_ok(file_read(&bytes, &length, path, 0));
    const uint8_t *b = (const uint8_t *)bytes;
    assert_true(length > 4);
    assert_ok(image_resize_buffer(&im, b[0] | b[1] << 8, b[2] | b[3] << 8));
    assert_int_equal(length, image_bytes(&im) + 4);
    memcpy(im.pixels, b + 4, image_bytes(&im));
    mem_free(bytes);
    return im;
}

/* The bytes of fixture NAME. The caller frees with mem_free. */
static inline uint8_t *picture_file(const char *name, size_t *length)
{
    char path[PATH_MAX];
    char *bytes;
    snprintf(path, sizeof path, FIXTURES "%s", name);
    assert_ok(file_read(&bytes, length, path, 0));
    return (uint8_t *)bytes;
}

/* Same size, and no level further than `tolerance` off; else the worst one is named. Returns how many differ. */
static inline size_t assert_pictures_equal(const image *got, const image *wanted, int tolerance, const char *what)
{
    if (got->width != wanted->width || got->height != wanted->height)
        fail_msg("%s: %dx%d (wanted %dx%d)", what, got->width, got->height, wanted->width, wanted->height);
    int worst = 0;
    size_t at = 0, differing = 0;
    for (size_t i = 0; i < image_bytes(wanted); i++) {
        int off = abs(got->pixels[i] - wanted->pixels[i]);
        differing += off != 0;
        if (off > worst) {
            worst = off;
            at = i;
        }
    }
    if (worst > tolerance) {
        size_t pixel = at / IMAGE_CHANNELS, width = (size_t)wanted->width;
        fail_msg("%s: pixel %zu,%zu channel %zu: %d (wanted %d within %d); %zu levels differ", what, pixel % width,
                 pixel / width, at % IMAGE_CHANNELS, got->pixels[at], wanted->pixels[at], tolerance, differing);
    }
    return differing;
}

#endif
