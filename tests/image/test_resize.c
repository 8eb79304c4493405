/* Resizing gives Pillow's bits, and those of the plainest loop that can be written for it. */
#include "image/picture.h"

#include "base/rng.h"

#include <inttypes.h>
#include <math.h>

/* Pillow's resize as plainly as it can be said: weights of one sample, then the rounded sum, for a channel of a line.
 * src and dst step by `src_step` and `dst_step` bytes. */
static void line_resize(uint8_t *dst, size_t dst_step, int out, const uint8_t *src, size_t src_step, int in)
{
    double scale = (double)in / out, width = scale < 1.0 ? 1.0 : scale;
    for (int i = 0; i < out; i++) {
        double center = (i + 0.5) * scale, total = 0.0;
        int first = (int)(center - width + 0.5), end = (int)(center + width + 0.5);
        first = first < 0 ? 0 : first;
        end = end > in ? in : end;
        for (int x = first; x < end; x++)
            total += fmax(0.0, 1.0 - fabs((x - center + 0.5) * (1.0 / width)));
        int64_t sum = 1 << 21;
        for (int x = first; x < end; x++) {
            double weight = fmax(0.0, 1.0 - fabs((x - center + 0.5) * (1.0 / width))) / total;
            sum += (int64_t)(0.5 + weight * (1 << 22)) * src[(size_t)x * src_step];
        }
        sum >>= 22;
        dst[(size_t)i * dst_step] = (uint8_t)(sum > 255 ? 255 : sum);
    }
}

static image resize_plainly(const image *src, int width, int height)
{
    image middle = {0}, dst = {0};
    size_t row = (size_t)width * 3, src_row = (size_t)src->width * 3;
    assert_ok(image_resize_buffer(&middle, width, src->height));
    assert_ok(image_resize_buffer(&dst, width, height));
    for (size_t y = 0; y < (size_t)src->height; y++)
        for (size_t c = 0; c < 3; c++)
            line_resize(middle.pixels + y * row + c, 3, width, src->pixels + y * src_row + c, 3, src->width);
    for (size_t i = 0; i < row; i++)
        line_resize(dst.pixels + i, row, height, middle.pixels + i, row, src->height);
    image_free(&middle);
    return dst;
}

static uint64_t fnv1a(const uint8_t *bytes, size_t count)
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < count; i++)
        h = (h ^ bytes[i]) * 0x100000001B3u;
    return h;
}

static void resize__sizes_of_pillow__same_bits(void **state)
{
    (void)state;
    size_t length;
    char *text = (char *)picture_file("resize.txt", &length);
    image_scratch *s;
    assert_ok(image_scratch_create(&s)); /* one for all: tables of another size must not survive */
    image got = {0};
    int cases = 0;
    for (char *line = text; *line; line = strchr(line, '\n') + 1, cases++) {
        int w, h, new_w, new_h;
        uint64_t hash;
        assert_int_equal(sscanf(line, "%d %d %d %d %" SCNx64, &w, &h, &new_w, &new_h, &hash), 5);
        image src = picture_hashed(w, h), plain = resize_plainly(&src, new_w, new_h);
        char what[64];
        snprintf(what, sizeof what, "%dx%d to %dx%d", w, h, new_w, new_h);
        assert_ok(image_resize(&got, &src, new_w, new_h, s));
        assert_pictures_equal(&got, &plain, 0, what);
        if (fnv1a(got.pixels, image_bytes(&got)) != hash)
            fail_msg("%s: not Pillow's bits", what);
        image_free(&src);
        image_free(&plain);
    }
    assert_true(cases > 20);
    image_free(&got);
    image_scratch_free(s);
    mem_free(text);
}

static void resize__random_sizes__as_the_plain_one(void **state)
{
    (void)state;
    rng r = rng_at(1, 0, 0, RNG_TEST);
    image_scratch *s;
    assert_ok(image_scratch_create(&s));
    image got = {0};
    for (int i = 0; i < 150; i++) {
        uint32_t most = i % 3 == 0 ? 8 : 90;
        int size[4];
        for (int d = 0; d < 4; d++)
            size[d] = 1 + (int)rng_below(&r, most);
        image src = picture_hashed(size[0], size[1]), plain;
        if (i % 2) /* black and white alone: sums at both ends */
            for (size_t b = 0; b < image_bytes(&src); b++)
                src.pixels[b] = src.pixels[b] & 1 ? 255 : 0;
        plain = resize_plainly(&src, size[2], size[3]);
        char what[64];
        snprintf(what, sizeof what, "%dx%d to %dx%d", size[0], size[1], size[2], size[3]);
        assert_ok(image_resize(&got, &src, size[2], size[3], s));
        assert_pictures_equal(&got, &plain, 0, what);
        image_free(&src);
        image_free(&plain);
    }
    image_free(&got);
    image_scratch_free(s);
}

/* Many taps round to weights that sum above 2^22; white must stay white, not wrap to black. */
static void resize__very_long_white_line__stays_white(void **state)
{
    (void)state;
    image_scratch *s;
    image src = {0}, got = {0};
    assert_ok(image_scratch_create(&s));
    assert_ok(image_resize_buffer(&src, 2000000, 1));
    memset(src.pixels, 255, image_bytes(&src));
    assert_ok(image_resize(&got, &src, 1, 1, s));
    assert_in_range(got.pixels[0], 250, 255);
    assert_ok(image_resize(&got, &src, 7, 3, s));
    assert_in_range(got.pixels[0], 250, 255);
    image_free(&src);
    image_free(&got);
    image_scratch_free(s);
}

/* The source may lie in memory without slack behind it: nothing past its last byte is read (ASan watches). */
static void resize__source_without_slack__stays_inside(void **state)
{
    (void)state;
    uint8_t *pixels;
    image_scratch *s;
    assert_ok(image_scratch_create(&s));
    assert_ok(mem_alloc(&pixels, 5 * 3 * 3));
    memset(pixels, 7, 5 * 3 * 3);
    image src = {.pixels = pixels, .width = 5, .height = 3}, got = {0};
    assert_ok(image_resize(&got, &src, 11, 8, s));
    assert_int_equal(got.pixels[image_bytes(&got) - 1], 7);
    image_free(&got);
    mem_free(pixels);
    image_scratch_free(s);
}

static void resize__target_without_pixels__refused(void **state)
{
    (void)state;
    image_scratch *s;
    assert_ok(image_scratch_create(&s));
    image src = picture_hashed(4, 4), got = {0};
    assert_failure(image_resize(&got, &src, 0, 4, s), MIEN_ERR_ARG, "0x4 pixels");
    assert_failure(image_resize(&got, &src, 4, -1, s), MIEN_ERR_ARG, "4x-1 pixels");
    assert_null(got.pixels);
    image_free(&src);
    image_scratch_free(s);
    image_scratch_free(NULL);
}

static mien_status attempt_resize(void *context)
{
    mien_status st = MIEN_OK;
    image_scratch *s = NULL;
    image got = {0};
    TRY_OUT(image_scratch_create(&s));
    TRY_OUT(image_resize(&got, context, 5, 9, s));
    TRY_OUT(image_resize(&got, context, 40, 3, s));
out:
    image_free(&got);
    image_scratch_free(s);
    return st;
}

static void resize__no_memory__fails_cleanly(void **state)
{
    (void)state;
    image src = picture_hashed(20, 13);
    fail_each_allocation(attempt_resize, &src);
    image_free(&src);
}

/* A failed resize must not leave half a table that the next call trusts. */
static void resize__after_failure__still_right(void **state)
{
    (void)state;
    image_scratch *s;
    image src = picture_hashed(20, 13), got = {0}, plain = resize_plainly(&src, 33, 7);
    assert_ok(image_scratch_create(&s));
    for (int64_t n = 1; n < 9; n++) {
        image_free(&got);
        mem_fail_after(n);
        mien_status st = image_resize(&got, &src, 33, 7, s);
        mem_fail_after(-1);
        if (st == MIEN_OK)
            assert_pictures_equal(&got, &plain, 0, "before");
        assert_ok(image_resize(&got, &src, 33, 7, s));
        assert_pictures_equal(&got, &plain, 0, "after a failure");
        image_scratch_free(s);
        assert_ok(image_scratch_create(&s));
    }
    image_free(&src);
    image_free(&got);
    image_free(&plain);
    image_scratch_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize__sizes_of_pillow__same_bits),
        cmocka_unit_test(resize__random_sizes__as_the_plain_one),
        cmocka_unit_test(resize__very_long_white_line__stays_white),
        cmocka_unit_test(resize__source_without_slack__stays_inside),
        cmocka_unit_test(resize__target_without_pixels__refused),
        cmocka_unit_test(resize__no_memory__fails_cleanly),
        cmocka_unit_test(resize__after_failure__still_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
