/* Each effect beside torchvision's, then all together: draws are named, so that no effect changes another's, and keep
 * their probabilities. */
#include "image/picture.h"

#include "base/rng.h"

#include <math.h>

static image_scratch *scratch;

static int set_up(void **state)
{
    (void)state;
    assert_ok(image_scratch_create(&scratch));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    image_scratch_free(scratch);
    return 0;
}

static const augment_options everything = {
    .grey = 0.5f, .low_resolution = 0.5f, .blur = 0.5f, .jitter = 0.4f, .crop = 4, .flip = true, .noise = 8.0f};

static bool same_pixels(const image *a, const image *b)
{
    return a->width == b->width && a->height == b->height && memcmp(a->pixels, b->pixels, image_bytes(a)) == 0;
}

/* --- one effect each, against torchvision ------------------------------------------------------------------------ */

/* torchvision blends in single precision, as we do, and truncates: equal levels. Contrast sums its mean in another
 * order, so that one may fall on the other side of a whole level. */
static void colour__fixtures__as_torchvision(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*change)(image *, float);
        float factor;
        int tolerance;
    } cases[] = {
        {"brightness_0.625", image_brightness, 0.625f, 0},
        {"brightness_1.375", image_brightness, 1.375f, 0},
        {"contrast_0.625", image_contrast, 0.625f, 1},
        {"contrast_1.375", image_contrast, 1.375f, 1},
        {"saturation_0.625", image_saturation, 0.625f, 0},
        {"saturation_1.375", image_saturation, 1.375f, 0},
        {"hue_-0.1", image_hue, -0.1f, 0},
        {"hue_0.1", image_hue, 0.1f, 0},
        {"hue_0.5", image_hue, 0.5f, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        image im = picture_expected("colour_source"), wanted = picture_expected(cases[i].name);
        cases[i].change(&im, cases[i].factor);
        size_t differing = assert_pictures_equal(&im, &wanted, cases[i].tolerance, cases[i].name);
        assert_in_range(differing, 0, 3);
        image_free(&im);
        image_free(&wanted);
    }
}

static void blur__fixtures__within_a_level_of_torchvision(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        float sigma;
    } cases[] = {{"blur_0.3", 0.3f}, {"blur_0.8", 0.8f}, {"blur_1.5", 1.5f}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        image im = picture_expected("colour_source"), wanted = picture_expected(cases[i].name);
        assert_ok(image_blur(&im, cases[i].sigma, scratch));
        size_t differing = assert_pictures_equal(&im, &wanted, 1, cases[i].name);
        assert_true(differing < image_bytes(&im) / 50); /* a level that lies at one half goes either way, no more */
        image_free(&im);
        image_free(&wanted);
    }
}

static void blur__flat_picture__stays_flat(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {2, 1}, {1, 3}, {40, 5}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int level = 0; level < 256; level += 51) {
            image im = {0};
            assert_ok(image_resize_buffer(&im, sizes[i][0], sizes[i][1]));
            memset(im.pixels, level, image_bytes(&im));
            assert_ok(image_blur(&im, 10.0f, scratch)); /* reaches further than the picture is large */
            for (size_t p = 0; p < image_bytes(&im); p++)
                assert_int_equal(im.pixels[p], level);
            image_free(&im);
        }
}

static void blur__impossible_sigma__refused(void **state)
{
    (void)state;
    image im = picture_hashed(4, 4);
    assert_failure(image_blur(&im, 0.0f, scratch), MIEN_ERR_ARG, "sigma 0");
    assert_failure(image_blur(&im, 10.5f, scratch), MIEN_ERR_ARG, "sigma 10.5");
    assert_failure(image_blur(&im, NAN, scratch), MIEN_ERR_ARG, "sigma nan");
    image_free(&im);
}

static void noise__grey_picture__is_normal(void **state)
{
    (void)state;
    image im = {0};
    rng r = rng_at(3, 0, 0, RNG_TEST);
    assert_ok(image_resize_buffer(&im, 200, 200));
    memset(im.pixels, 128, image_bytes(&im));
    assert_ok(image_noise(&im, 10.0f, &r, scratch));
    double n = (double)image_bytes(&im), sum = 0.0, squares = 0.0, fourth = 0.0;
    size_t within_one = 0;
    for (size_t i = 0; i < image_bytes(&im); i++) {
        double z = (im.pixels[i] - 128) / 10.0;
        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
        within_one += fabs(z) < 1.05; /* levels up to 10 of 10.5 */
    }
    assert_near(sum / n, 0.0, 0.015);
    assert_near(squares / n, 1.0, 0.03);
    assert_near(fourth / squares * n / squares, 3.0, 0.15); /* a uniform one has 1.8 */
    assert_near((double)within_one / n, 0.7063, 0.01);
    assert_failure(image_noise(&im, 256.0f, &r, scratch), MIEN_ERR_ARG, "deviation 256");
    assert_failure(image_noise(&im, NAN, &r, scratch), MIEN_ERR_ARG, "deviation nan");
    image_free(&im);
}

/* --- all together ------------------------------------------------------------------------------------------------ */

static void augment__no_options__changes_nothing(void **state)
{
    (void)state;
    const augment_options none = {0};
    image im = picture_hashed(30, 20), kept = picture_hashed(30, 20);
    assert_ok(image_augment(&im, &none, 1, 2, 3, scratch));
    assert_pictures_equal(&im, &kept, 0, "no options");
    image_free(&im);
    image_free(&kept);
}

static void augment__same_name__same_bits_whatever_came_before(void **state)
{
    (void)state;
    for (uint64_t sample = 0; sample < 40; sample++) {
        image first = picture_hashed(70, 60), again = picture_hashed(70, 60), other = picture_hashed(33, 90);
        image_scratch *fresh;
        assert_ok(image_scratch_create(&fresh));
        assert_ok(image_augment(&first, &everything, 9, 4, sample, fresh));
        assert_ok(image_augment(&other, &everything, 9, 5, sample, scratch));
        assert_ok(image_augment(&again, &everything, 9, 4, sample, scratch));
        assert_int_equal(first.width, 70);
        assert_int_equal(first.height, 60);
        assert_pictures_equal(&again, &first, 0, "the same sample twice");
        image_scratch_free(fresh);
        image_free(&first);
        image_free(&again);
        image_free(&other);
    }
}

static void augment__other_seed_epoch_or_sample__other_picture(void **state)
{
    (void)state;
    static const uint64_t names[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 2, 1}, {1, 1, 2}};
    image made[4];
    for (int i = 0; i < 4; i++) {
        made[i] = picture_hashed(64, 64);
        assert_ok(image_augment(&made[i], &everything, names[i][0], (uint32_t)names[i][1], names[i][2], scratch));
        for (int j = 0; j < i; j++)
            assert_false(same_pixels(&made[i], &made[j]));
    }
    for (int i = 0; i < 4; i++)
        image_free(&made[i]);
}

/* Switching jitter on must not change who is flipped: streams are separate. */
static void augment__another_effect__leaves_the_draws_of_the_others(void **state)
{
    (void)state;
    const augment_options flip = {.flip = true, .crop = 3}, more = {.flip = true, .crop = 3, .jitter = 1e-6f};
    int flips = 0;
    for (uint64_t sample = 0; sample < 100; sample++) {
        image a = picture_hashed(16, 16), b = picture_hashed(16, 16), kept = picture_hashed(16, 16);
        assert_ok(image_augment(&a, &flip, 5, 0, sample, scratch));
        assert_ok(image_augment(&b, &more, 5, 0, sample, scratch));
        assert_pictures_equal(&b, &a, 3, "flip and crop beside a tiny jitter"); /* three truncations */
        flips += !same_pixels(&a, &kept);
        image_free(&a);
        image_free(&b);
        image_free(&kept);
    }
    assert_true(flips > 50);
}

static double share_changed(const augment_options *options, int samples)
{
    int changed = 0;
    for (int i = 0; i < samples; i++) {
        image im = picture_hashed(52, 50), kept = picture_hashed(52, 50);
        assert_ok(image_augment(&im, options, 11, 0, (uint64_t)i, scratch));
        changed += !same_pixels(&im, &kept);
        image_free(&im);
        image_free(&kept);
    }
    return (double)changed / samples;
}

/* Each probability is met; 0.06 is four standard deviations of 1000 draws at one half. */
static void augment__probabilities__are_kept(void **state)
{
    (void)state;
    const augment_options flip = {.flip = true}, grey = {.grey = 0.2f}, low = {.low_resolution = 0.3f},
                          blur = {.blur = 0.7f}, jitter = {.jitter = 0.4f}, noise = {.noise = 20.0f};
    assert_near(share_changed(&flip, 1000), 0.5, 0.06);
    assert_near(share_changed(&grey, 1000), 0.2, 0.06);
    assert_near(share_changed(&low, 1000), 0.3, 0.06);
    assert_near(share_changed(&blur, 1000), 0.7, 0.06);
    assert_near(share_changed(&jitter, 1000), 0.8, 0.06);
    assert_true(share_changed(&noise, 200) > 0.95);
}

/* Hue joins the other three, with a draw for each of the four; without it theirs are what they were. */
static void augment__hue__is_jitter(void **state)
{
    (void)state;
    const augment_options hue = {.hue = 0.1f}, jitter = {.jitter = 0.4f}, both = {.jitter = 0.4f, .hue = 0.1f};
    assert_near(share_changed(&hue, 1000), 0.8, 0.06);
    assert_near(share_changed(&both, 1000), 0.8, 0.06);
    for (uint64_t sample = 0; sample < 20; sample++) {
        static void (*const change[3])(image *, float) = {image_brightness, image_contrast, image_saturation};
        image a = picture_expected("colour_source"), b = picture_expected("colour_source");
        uint32_t order[3];
        rng r = rng_at(5, 0, sample, RNG_JITTER);
        const bool applies = rng_float(&r) < 0.8f;
        rng_shuffle(&r, order, 3);
        for (int i = 0; i < 3; i++) {
            float factor = rng_range(&r, 0.6f, 1.4f);
            if (applies)
                change[order[i]](&b, factor);
        }
        assert_ok(image_augment(&a, &jitter, 5, 0, sample, scratch));
        assert_true(same_pixels(&a, &b));
        image_free(&a);
        image_free(&b);
    }
}

/* Where in the picture the part lies: every place comes up, about equally often. */
static void augment__zoom__takes_any_part(void **state)
{
    (void)state;
    const augment_options options = {.zoom = 1.25f}, off = {.zoom = 1.0f};
    int hits[3][3] = {{0}};
    assert_int_equal(image_zoom_side(&(augment_options){.zoom = 1.017f}, 299), 304);
    assert_int_equal(image_zoom_side(&options, 8), 10);
    assert_int_equal(image_zoom_side(&off, 8), 8);
    assert_int_equal(image_zoom_side(&(augment_options){0}, 8), 8);
    for (uint64_t sample = 0; sample < 900; sample++) {
        image im = {0};
        assert_ok(image_resize_buffer(&im, 10, 10));
        for (int i = 0; i < 100; i++)
            memset(im.pixels + 3 * i, i, 3);
        assert_ok(image_random_part(&im, 8, 6, 0, sample, scratch));
        assert_true(im.width == 8 && im.height == 8);
        const int first = im.pixels[0];
        assert_int_equal(im.pixels[(7 * 8 + 7) * 3], first + 77);
        hits[first / 10][first % 10]++;
        image_free(&im);
    }
    for (int i = 0; i < 9; i++)
        assert_in_range(hits[i / 3][i % 3], 60, 140); /* 100 expected, 9.4 standard */
}

/* A lone white pixel tells where the crop went: every offset comes up, about equally often. */
static void augment__crop__is_uniform(void **state)
{
    (void)state;
    const augment_options options = {.crop = 2};
    int hits[5][5] = {{0}};
    for (uint64_t sample = 0; sample < 2500; sample++) {
        image im = {0};
        assert_ok(image_resize_buffer(&im, 9, 9));
        memset(im.pixels, 0, image_bytes(&im));
        im.pixels[(4 * 9 + 4) * 3] = 255;
        assert_ok(image_augment(&im, &options, 6, 0, sample, scratch));
        assert_int_equal(im.width, 9);
        for (int y = 0; y < 9; y++)
            for (int x = 0; x < 9; x++)
                if (im.pixels[(y * 9 + x) * 3] == 255)
                    hits[y - 2][x - 2]++;
        image_free(&im);
    }
    for (int i = 0; i < 25; i++)
        assert_in_range(hits[i / 5][i % 5], 60, 140); /* 100 expected, 10 standard */
}

/* Brightness factors of a grey picture: within 1 +- s, both sides, mean 1. */
static void augment__jitter__stays_in_its_range(void **state)
{
    (void)state;
    const augment_options options = {.jitter = 0.4f};
    double sum = 0.0;
    int low = 255, high = 0;
    for (uint64_t sample = 0; sample < 1000; sample++) {
        image im = {0};
        assert_ok(image_resize_buffer(&im, 2, 2));
        memset(im.pixels, 100, image_bytes(&im));
        assert_ok(image_augment(&im, &options, 7, 0, sample, scratch));
        int level = im.pixels[0];
        assert_in_range(level, 58, 140); /* contrast and saturation move a grey picture by a truncation each */
        low = level < low ? level : low;
        high = level > high ? level : high;
        sum += level;
        image_free(&im);
    }
    assert_true(low < 65 && high > 135);
    assert_near(sum / 1000, 99.5, 2.5);
}

/* Low resolution really loses detail, keeps the size, and leaves alone what is small already. */
static void augment__low_resolution__blurs_but_keeps_the_size(void **state)
{
    (void)state;
    const augment_options options = {.low_resolution = 1.0f};
    image im = picture_hashed(150, 100), small = picture_hashed(24, 90), kept = picture_hashed(24, 90);
    double before = 0.0, after = 0.0;
    for (size_t i = 3; i < image_bytes(&im); i++)
        before += abs(im.pixels[i] - im.pixels[i - 3]);
    assert_ok(image_augment(&im, &options, 1, 0, 0, scratch));
    assert_int_equal(im.width, 150);
    assert_int_equal(im.height, 100);
    for (size_t i = 3; i < image_bytes(&im); i++)
        after += abs(im.pixels[i] - im.pixels[i - 3]);
    assert_true(after < before / 3);
    assert_ok(image_augment(&small, &options, 1, 0, 0, scratch));
    assert_pictures_equal(&small, &kept, 0, "a small picture");
    image_free(&im);
    image_free(&small);
    image_free(&kept);
}

static void augment__one_pixel__survives(void **state)
{
    (void)state;
    for (uint64_t sample = 0; sample < 50; sample++) {
        image im = picture_hashed(1, 1);
        assert_ok(image_augment(&im, &everything, 1, 0, sample, scratch));
        assert_int_equal(im.width * im.height, 1);
        image_free(&im);
    }
}

static mien_status attempt_augment(void *context)
{
    (void)context;
    augment_options always = everything;
    always.low_resolution = always.blur = 1.0f;
    mien_status st = MIEN_OK;
    image im = {0};
    image_scratch *s = NULL;
    TRY_OUT(image_scratch_create(&s));
    TRY_OUT(image_resize_buffer(&im, 60, 70));
    memset(im.pixels, 9, image_bytes(&im));
    TRY_OUT(image_augment(&im, &always, 1, 0, 0, s));
out:
    image_free(&im);
    image_scratch_free(s);
    return st;
}

static void augment__no_memory__fails_cleanly(void **state)
{
    (void)state;
    fail_each_allocation(attempt_augment, NULL);
}

/* A training step allocates nothing once every buffer has its size. */
static void augment__second_round__allocates_nothing(void **state)
{
    (void)state;
    image src = picture_hashed(112, 112), im = {0};
    int64_t before = 0;
    for (uint64_t sample = 0; sample < 60; sample++) {
        if (sample == 30)
            before = mem_count();
        const augment_options options = {.grey = 0.5f, .blur = 1.0f, .jitter = 0.4f, .crop = 4, .noise = 5.0f};
        assert_ok(image_resize(&im, &src, 160, 160, scratch));
        assert_ok(image_augment(&im, &options, 1, 0, sample % 30, scratch));
    }
    assert_int_equal(mem_count(), before);
    image_free(&src);
    image_free(&im);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(colour__fixtures__as_torchvision),
        TEST(blur__fixtures__within_a_level_of_torchvision),
        TEST(blur__flat_picture__stays_flat),
        TEST(blur__impossible_sigma__refused),
        TEST(noise__grey_picture__is_normal),
        TEST(augment__no_options__changes_nothing),
        TEST(augment__same_name__same_bits_whatever_came_before),
        TEST(augment__other_seed_epoch_or_sample__other_picture),
        TEST(augment__another_effect__leaves_the_draws_of_the_others),
        TEST(augment__probabilities__are_kept),
        TEST(augment__crop__is_uniform),
        TEST(augment__hue__is_jitter),
        TEST(augment__zoom__takes_any_part),
        TEST(augment__jitter__stays_in_its_range),
        TEST(augment__low_resolution__blurs_but_keeps_the_size),
        TEST(augment__one_pixel__survives),
        TEST(augment__no_memory__fails_cleanly),
        TEST(augment__second_round__allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
