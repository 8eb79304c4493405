/* Pixels moved about, each operation beside a plain statement of where every pixel goes. */
#include "image/picture.h"

#include "base/rng.h"

static uint8_t *pixel(const image *im, int x, int y)
{
    return im->pixels + ((size_t)y * (size_t)im->width + (size_t)x) * 3;
}

static void resize_buffer__smaller_picture__keeps_its_memory(void **state)
{
    (void)state;
    image im = {0};
    assert_ok(image_resize_buffer(&im, 10, 10));
    uint8_t *kept = im.pixels;
    size_t capacity = im.capacity;
    assert_true(capacity >= 300);
    assert_ok(image_resize_buffer(&im, 5, 20));
    assert_ptr_equal(im.pixels, kept);
    assert_int_equal(im.capacity, capacity);
    assert_int_equal(im.width, 5);
    assert_int_equal(im.height, 20);
    assert_failure(image_resize_buffer(&im, 0, 5), MIEN_ERR_ARG, "0x5 pixels");
    assert_failure(image_resize_buffer(&im, INT32_MAX, INT32_MAX), MIEN_ERR_NOMEM, "");
    assert_ptr_equal(im.pixels, kept); /* a refused size leaves the picture as it was */
    assert_int_equal(im.width, 5);
    image_free(&im);
    assert_null(im.pixels);
    image_free(&im);
}

static void copy__any_picture__equal_and_apart(void **state)
{
    (void)state;
    image a = picture_hashed(9, 4), b = {0};
    assert_ok(image_copy(&b, &a));
    assert_pictures_equal(&b, &a, 0, "copy");
    b.pixels[0] ^= 1;
    assert_int_not_equal(a.pixels[0], b.pixels[0]);
    image_free(&a);
    image_free(&b);
}

static void crop__every_place__as_pixel_by_pixel(void **state)
{
    (void)state;
    static const int places[] = {INT32_MIN, -12, -5, -1, 0, 1, 3, 6, 7, 12, INT32_MAX};
    enum { PLACES = sizeof places / sizeof *places };
    image src = picture_hashed(7, 5), got = {0};
    for (int i = 0; i < PLACES * PLACES; i++) {
        int64_t left = places[i % PLACES], top = places[i / PLACES];
        for (int size = 1; size < 12; size += 5) {
            assert_ok(image_crop(&got, &src, (int)left, (int)top, size, size + 1, 77));
            assert_int_equal(got.width, size);
            assert_int_equal(got.height, size + 1);
            for (int y = 0; y < got.height; y++)
                for (int x = 0; x < got.width; x++) {
                    int64_t from_x = left + x, from_y = top + y;
                    bool inside = from_x >= 0 && from_x < src.width && from_y >= 0 && from_y < src.height;
                    for (int c = 0; c < 3; c++)
                        assert_int_equal(pixel(&got, x, y)[c], inside ? pixel(&src, (int)from_x, (int)from_y)[c] : 77);
                }
        }
    }
    image_free(&src);
    image_free(&got);
}

static void flip_horizontal__twice__is_nothing(void **state)
{
    (void)state;
    for (int width = 1; width < 6; width++) {
        image im = picture_hashed(width, 3), kept = picture_hashed(width, 3);
        image_flip_horizontal(&im);
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < width; x++)
                assert_memory_equal(pixel(&im, x, y), pixel(&kept, width - 1 - x, y), 3);
        image_flip_horizontal(&im);
        assert_pictures_equal(&im, &kept, 0, "flipped twice");
        image_free(&im);
        image_free(&kept);
    }
}

static void orient__unknown_value__changes_nothing(void **state)
{
    (void)state;
    static const int values[] = {-1, 0, 1, 9, 1000000};
    image im = picture_hashed(4, 3), kept = picture_hashed(4, 3);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_ok(image_orient(&im, values[i]));
        assert_pictures_equal(&im, &kept, 0, "orientation");
    }
    image_free(&im);
    image_free(&kept);
}

static void grey__fixture__as_pillow(void **state)
{
    (void)state;
    image im = picture_expected("colour_source"), wanted = picture_expected("grey");
    image_grey(&im);
    assert_pictures_equal(&im, &wanted, 0, "grey");
    image_free(&im);
    image_free(&wanted);
}

static void add_moments__two_pictures__as_by_hand(void **state)
{
    (void)state;
    image a = picture_hashed(13, 7), b = picture_hashed(5, 3);
    double sum[3] = {0}, squares[3] = {0}, wanted_sum[3] = {0}, wanted_squares[3] = {0};
    const image *both[] = {&a, &b};
    for (int i = 0; i < 2; i++) {
        image_add_moments(both[i], sum, squares);
        for (size_t p = 0; p < image_bytes(both[i]); p++) {
            double value = both[i]->pixels[p] / 255.0;
            wanted_sum[p % 3] += value;
            wanted_squares[p % 3] += value * value;
        }
    }
    for (int c = 0; c < 3; c++) {
        assert_near(sum[c], wanted_sum[c], 1e-9);
        assert_near(squares[c], wanted_squares[c], 1e-9);
    }
    image_free(&a);
    image_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resize_buffer__smaller_picture__keeps_its_memory),
        cmocka_unit_test(copy__any_picture__equal_and_apart),
        cmocka_unit_test(crop__every_place__as_pixel_by_pixel),
        cmocka_unit_test(flip_horizontal__twice__is_nothing),
        cmocka_unit_test(orient__unknown_value__changes_nothing),
        cmocka_unit_test(grey__fixture__as_pillow),
        cmocka_unit_test(add_moments__two_pictures__as_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
