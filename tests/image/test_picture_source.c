/* Sources of pictures: files below a root or else below another, and pictures that lie in memory. */
#include "image/picture_source.h"

#include "base/file.h"
#include "no_memory.h"
#include "testing.h"

#include <string.h>

static void write_picture(const char *path, int side, uint8_t grey)
{
    image im = {0};
    assert_ok(image_resize_buffer(&im, side, side));
    memset(im.pixels, grey, (size_t)side * (size_t)side * 3);
    assert_ok(image_write_png(path, &im));
    image_free(&im);
}

static void files__missing_below_the_root__come_from_the_other(void **state)
{
    (void)state;
    static const char *const names[] = {"1.png", "2.png", "3.png"};
    picture_files *files;
    picture_reader r;
    char text[64];
    assert_ok(file_make_folders("aligned"));
    assert_ok(file_make_folders("whole"));
    write_picture("aligned/1.png", 4, 10);
    write_picture("whole/1.png", 4, 20);
    write_picture("whole/2.png", 4, 30);
    assert_ok(file_write_all("aligned/2.png", "no picture", 10));
    assert_ok(picture_reader_init(&r));
    assert_ok(picture_files_create(&files, "list.txt", names, 3, "aligned", "whole/"));
    const picture_source *s = picture_files_source(files);
    assert_int_equal(s->count, 3);
    assert_string_equal(s->what, "list.txt");
    assert_ok(s->read(s, 0, &r));
    assert_int_equal(r.decoded.pixels[0], 10);
    assert_ok(s->read(s, 1, &r)); /* unreadable below the first */
    assert_int_equal(r.decoded.pixels[0], 30);
    assert_failure(s->read(s, 2, &r), MIEN_ERR_IO, "whole/3.png: cannot open");
    assert_ok(s->name(s, 1, text, sizeof text));
    assert_string_equal(text, "2.png");
    assert_ok(s->path(s, 1, text, sizeof text));
    assert_string_equal(text, "aligned/2.png");
    assert_failure(s->name(s, 1, text, 4), MIEN_ERR_ARG, "2.png");
    assert_true(picture_report(s, 2) && !picture_report(s, 2) && picture_report(s, 0)); /* one line each */
    picture_files_free(files);

    assert_ok(picture_files_create(&files, "list.txt", names, 3, NULL, NULL));
    s = picture_files_source(files);
    assert_failure(s->read(s, 0, &r), MIEN_ERR_IO, "1.png: cannot open");
    picture_files_free(files);
    picture_reader_clear(&r);
}

static void memory__pictures__are_read_as_they_lie(void **state)
{
    (void)state;
    uint8_t pixels[2][2 * 3 * 3];
    image images[2] = {{.pixels = pixels[0], .width = 2, .height = 3}, {.pixels = pixels[1], .width = 3, .height = 2}};
    picture_memory m;
    picture_reader r;
    char text[8];
    for (size_t i = 0; i < sizeof pixels; i++)
        ((uint8_t *)pixels)[i] = (uint8_t)(7 * i);
    assert_ok(picture_reader_init(&r));
    assert_ok(picture_memory_init(&m, images, 2));
    for (int i = 1; i >= 0; i--) {
        assert_ok(m.source.read(&m.source, i, &r));
        assert_int_equal(r.decoded.width, images[i].width);
        assert_int_equal(r.decoded.height, images[i].height);
        assert_memory_equal(r.decoded.pixels, pixels[i], sizeof pixels[i]);
    }
    assert_null(m.source.path); /* they are no files */
    assert_ok(m.source.name(&m.source, 1, text, sizeof text));
    assert_string_equal(text, "2");
    picture_memory_clear(&m);
    picture_reader_clear(&r);
}

static mien_status create_and_free(void *context)
{
    static const char *const names[] = {"a.png", "b.png"};
    picture_files *files = NULL;
    (void)context;
    mien_status st = picture_files_create(&files, "list.txt", names, 2, "here", "there");
    picture_files_free(files);
    return st;
}

static void files__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    fail_each_allocation(create_and_free, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files__missing_below_the_root__come_from_the_other),
        cmocka_unit_test(memory__pictures__are_read_as_they_lie),
        cmocka_unit_test(files__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("picture_source", tests, temp_folder_enter, temp_folder_leave);
}
