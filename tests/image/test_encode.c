/* What is written comes back: PNG exactly, JPEG nearly, and nothing is left where writing failed. */
#include "image/picture.h"

#include <sys/stat.h>

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    temp_folder_make(folder, sizeof folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_folder_remove(folder);
    return 0;
}

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void assert_folder_holds(size_t wanted)
{
    char **names;
    size_t count;
    assert_ok(file_list(&names, &count, folder));
    assert_int_equal(count, wanted);
    file_list_free(names, count);
}

static void write_png__any_size__comes_back(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 9}, {7, 1}, {33, 21}, {256, 256}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        image im = picture_hashed(sizes[i][0], sizes[i][1]), got = {0};
        assert_ok(image_write_png(in_folder("a.png"), &im));
        assert_ok(image_read(&got, in_folder("a.png")));
        assert_pictures_equal(&got, &im, 0, "PNG written and read");
        image_free(&im);
        image_free(&got);
    }
    assert_folder_holds(1);
}

static void write_jpeg__smooth_picture__comes_back_nearly(void **state)
{
    (void)state;
    image im = picture_expected("rgb8.png"), got = {0};
    assert_ok(image_write_jpeg(in_folder("a.jpg"), &im, 95));
    assert_ok(image_read(&got, in_folder("a.jpg")));
    double sum = 0.0;
    assert_int_equal(got.width, im.width);
    assert_int_equal(got.height, im.height);
    for (size_t i = 0; i < image_bytes(&im); i++)
        sum += (got.pixels[i] - im.pixels[i]) * (got.pixels[i] - im.pixels[i]);
    assert_true(sum / (double)image_bytes(&im) < 100.0); /* half the chroma is gone; a wrong channel makes thousands */
    image_free(&im);
    image_free(&got);
    assert_folder_holds(1);
}

static void encode_jpeg__lower_quality__fewer_bytes(void **state)
{
    (void)state;
    image im = picture_hashed(128, 128);
    size_t length[3];
    static const int quality[3] = {1, 50, 100};
    for (int i = 0; i < 3; i++) {
        uint8_t *bytes;
        assert_ok(image_encode_jpeg(&bytes, &length[i], &im, quality[i]));
        assert_memory_equal(bytes, "\xff\xd8\xff", 3);
        assert_memory_equal(bytes + length[i] - 2, "\xff\xd9", 2);
        mem_free(bytes);
    }
    assert_true(length[0] < length[1] && length[1] < length[2]);
    assert_true(length[2] > image_bytes(&im) / 4 + 4096); /* the first buffer was too small: it grew */
    image_free(&im);
}

static void encode_jpeg__quality_out_of_range__refused(void **state)
{
    (void)state;
    image im = picture_hashed(8, 8);
    uint8_t *bytes;
    size_t length;
    assert_failure(image_encode_jpeg(&bytes, &length, &im, 0), MIEN_ERR_ARG, "JPEG quality 0 (wanted 1..100)");
    assert_failure(image_encode_jpeg(&bytes, &length, &im, 101), MIEN_ERR_ARG, "JPEG quality 101 (wanted 1..100)");
    assert_failure(image_write_jpeg(in_folder("a.jpg"), &im, 101), MIEN_ERR_ARG, "a.jpg: JPEG quality 101");
    assert_folder_holds(0);
    image_free(&im);
}

static void encode_jpeg__wider_than_jpeg_can__refused(void **state)
{
    (void)state;
    image im = {0};
    uint8_t *bytes;
    size_t length;
    assert_ok(image_resize_buffer(&im, 70000, 1));
    memset(im.pixels, 1, image_bytes(&im));
    assert_failure(image_encode_jpeg(&bytes, &length, &im, 90), MIEN_ERR_UNSUPPORTED, "JPEG encoder: ");
    image_free(&im);
}

static void write__impossible_place__leaves_nothing(void **state)
{
    (void)state;
    image im = picture_hashed(8, 8);
    assert_failure(image_write_png(in_folder("none/a.png"), &im), MIEN_ERR_IO, "none/a.png");
    assert_failure(image_write_jpeg(in_folder("none/a.jpg"), &im, 90), MIEN_ERR_IO, "none/a.jpg");
    assert_folder_holds(0);
    image_free(&im);
}

static mien_status attempt_write_png(void *context)
{
    return image_write_png(in_folder("a.png"), context);
}

static mien_status attempt_write_jpeg(void *context)
{
    return image_write_jpeg(in_folder("a.jpg"), context, 100);
}

static void write__no_memory__leaves_no_part(void **state)
{
    (void)state;
    image im = picture_hashed(128, 128);
    fail_each_allocation(attempt_write_png, &im);
    fail_each_allocation(attempt_write_jpeg, &im);
    assert_folder_holds(2);
    image_free(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_png__any_size__comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(write_jpeg__smooth_picture__comes_back_nearly, set_up, tear_down),
        cmocka_unit_test(encode_jpeg__lower_quality__fewer_bytes),
        cmocka_unit_test_setup_teardown(encode_jpeg__quality_out_of_range__refused, set_up, tear_down),
        cmocka_unit_test(encode_jpeg__wider_than_jpeg_can__refused),
        cmocka_unit_test_setup_teardown(write__impossible_place__leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(write__no_memory__leaves_no_part, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
