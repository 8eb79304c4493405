/* Degradations: each is off at 0, does what its name says when on, and survives any strength and size. */
#include "no_memory.h"
#include "synth/draw/caption.h"
#include "synth/draw/post.h"
#include "testing.h"

#include <math.h>

enum { SIZE = 60 };

/* Half dark, half light, with an edge in the middle and a slope from above to below. */
static void picture_fill(image *im, int width, int height)
{
    assert_ok(image_resize_buffer(im, width, height));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int k = 0; k < 3; k++)
                im->pixels[3 * (y * width + x) + k] = (uint8_t)((2 * x < width ? 60 : 170) + 20 * k + 40 * y / height);
}

typedef struct {
    double mean[3], deviation, edge; /* of each colour; of green; between the columns in the middle */
    double rough;                    /* mean difference of green between neighbours in the dark half's middle */
    int low, high;                   /* of green */
} measures;

static measures measure(const image *im)
{
    measures m = {.low = 255};
    double squares = 0, n = (double)im->width * im->height, rough = 0;
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++) {
            const uint8_t *p = &im->pixels[3 * (y * im->width + x)];
            for (int k = 0; k < 3; k++)
                m.mean[k] += p[k] / n;
            squares += (double)p[1] * p[1];
            m.low = p[1] < m.low ? p[1] : m.low;
            m.high = p[1] > m.high ? p[1] : m.high;
            if (2 * x == im->width)
                m.edge += (p[1] - p[-2]) / (double)im->height;
            if (x >= 1 && 3 * x < im->width)
                rough += abs(p[1] - p[-2]);
        }
    m.deviation = sqrt(squares / n - m.mean[1] * m.mean[1]);
    m.rough = rough / (n / 3);
    return m;
}

typedef struct {
    image im;
    post_room *room;
    shot how;
} lab;

static lab lab_open(void)
{
    lab l = {.how = {.seed = 3}};
    assert_ok(post_room_create(&l.room));
    return l;
}

static void lab_close(lab *l)
{
    image_free(&l->im);
    post_room_free(l->room);
}

static measures develop(lab *l)
{
    picture_fill(&l->im, SIZE, SIZE);
    assert_ok(post_apply(&l->im, &l->how, l->room));
    assert_int_equal(l->im.width, SIZE);
    assert_int_equal(l->im.height, SIZE);
    return measure(&l->im);
}

static void synth__post__off_is_the_identity(void **state)
{
    (void)state;
    lab l = lab_open();
    image plain = {0};
    picture_fill(&plain, SIZE, SIZE);
    develop(&l);
    assert_memory_equal(plain.pixels, l.im.pixels, 3 * SIZE * SIZE);
    image_free(&plain);
    lab_close(&l);
}

static void synth__post__each_does_what_its_name_says(void **state)
{
    (void)state;
    lab l = lab_open();
    degradation *d = &l.how.degraded, none = {0};
    measures before = develop(&l), m;
    assert_true(before.edge > 100 && before.rough == 0);
#define ON(assignment, claim)                                                                                          \
    do {                                                                                                               \
        assignment;                                                                                                    \
        m = develop(&l);                                                                                               \
        if (!(claim))                                                                                                  \
            fail_msg("%s: not %s", #assignment, #claim);                                                               \
        *d = none;                                                                                                     \
        l.how.blur = l.how.grain = 0;                                                                                  \
    } while (0)
    ON(l.how.blur = 1.5f, m.edge < 50 && fabs(m.mean[1] - before.mean[1]) < 1);
    ON(l.how.grain = 8, m.rough > 2 && fabs(m.mean[1] - before.mean[1]) < 1);
    ON(d->motion = 0.1f, m.edge < 50 && fabs(m.mean[1] - before.mean[1]) < 1);
    ON((d->motion = 0.1f, d->motion_angle = 1.5708f), m.edge > 100); /* along the edge */
    ON(d->shrink = 0.6f, m.edge < 70);
    ON(d->warmth = 0.8f, m.mean[0] > before.mean[0] + 5 && m.mean[2] < before.mean[2] - 5);
    ON(d->tint = 0.8f, m.mean[1] < before.mean[1] - 5);
    ON(d->gamma = 0.5f, m.mean[1] > before.mean[1] + 10);
    ON(d->gamma = -0.5f, m.mean[1] < before.mean[1] - 10);
    ON(d->contrast = 0.9f, m.deviation > before.deviation + 3);
    ON(d->contrast = -0.5f, m.deviation < 0.6 * before.deviation);
    ON(d->vignette = 0.5f, m.mean[1] < before.mean[1] - 3 && m.edge > 90);
    ON(d->halo = 1, m.edge > before.edge + 20);
    ON(d->grey = 1, m.mean[0] == m.mean[1] && m.mean[1] == m.mean[2]);
    ON((d->grey = 1, d->sepia = 1), m.mean[0] > m.mean[1] + 3 && m.mean[1] > m.mean[2] + 3);
    ON(d->fade = 0.5f, m.deviation < 0.8 * before.deviation);
    ON(d->film_grain = 8, m.rough > 2 && fabs(m.mean[1] - before.mean[1]) < 2);
    ON(d->halftone = 0.5f, m.rough > 10);
    ON(d->dust = 0.5f, m.mean[1] != before.mean[1] && fabs(m.mean[1] - before.mean[1]) < 8);
    ON(d->scratches = 0.5f, m.rough > 0 && m.rough < 5);
    ON(d->first_quality = 20, m.low < before.low && m.high > before.high && fabs(m.mean[1] - before.mean[1]) < 2);
    ON(d->stretch = 1, m.low == 0 && m.high == 255);
    ON(d->watermark = 0.6f, m.deviation != before.deviation && fabs(m.mean[1] - before.mean[1]) < 25);
    ON(d->border = 0.1f, m.mean[1] != before.mean[1] && (m.low == 0 || m.high == 255 || m.high == before.high));
#undef ON
    lab_close(&l);
}

static void synth__post__repeats_to_the_byte(void **state)
{
    (void)state;
    lab a = lab_open(), b = lab_open();
    a.how.blur = 0.7f;
    a.how.grain = 5;
    a.how.degraded = (degradation){.motion = 0.04f,
                                   .shrink = 0.4f,
                                   .halo = 1,
                                   .grey = 1,
                                   .film_grain = 5,
                                   .dust = 1,
                                   .scratches = 1,
                                   .first_quality = 40,
                                   .watermark = 0.5f,
                                   .border = 0.05f};
    develop(&a);
    b.how = a.how;
    b.how.degraded.shrink = 0.7f; /* another picture before leaves nothing behind */
    develop(&b);
    b.how = a.how;
    develop(&b);
    assert_memory_equal(a.im.pixels, b.im.pixels, 3 * SIZE * SIZE);
    lab_close(&a);
    lab_close(&b);
}

static void synth__post__survives_extremes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {16, 16}, {3, 200}, {331, 7}};
    lab l = lab_open();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (uint32_t seed = 0; seed < 8; seed++) {
            l.how = (shot){.seed = seed, .blur = 1e6f, .grain = 1e6f};
            l.how.degraded = (degradation){.motion = 3,
                                           .motion_angle = 2,
                                           .shrink = 9,
                                           .warmth = 50,
                                           .tint = -50,
                                           .gamma = -9,
                                           .contrast = 9,
                                           .vignette = 9,
                                           .halo = 1e6f,
                                           .grey = 9,
                                           .sepia = 9,
                                           .fade = 9,
                                           .film_grain = 1e6f,
                                           .halftone = 9,
                                           .dust = 9,
                                           .scratches = 9,
                                           .first_quality = 1,
                                           .stretch = 9,
                                           .watermark = 9,
                                           .border = 9};
            picture_fill(&l.im, sizes[i][0], sizes[i][1]);
            assert_ok(post_apply(&l.im, &l.how, l.room));
            assert_int_equal(l.im.width, sizes[i][0]);
            assert_int_equal(l.im.height, sizes[i][1]);
        }
    lab_close(&l);
}

static void synth__caption__letters_differ(void **state)
{
    (void)state;
    static const char set[] = "abcdefghijklmnopqrstuvwxyz123456789.-@";
    enum { SIDE = 24 };
    static float kept[sizeof set][SIDE * SIDE];
    caption c = {0};
    for (size_t i = 0; set[i]; i++) {
        char text[2] = {set[i], 0};
        assert_ok(caption_start(&c, SIDE, SIDE));
        caption_text(&c, text, 4, 20, 16, 0, 1.5f);
        float total = 0;
        for (int k = 0; k < SIDE * SIDE; k++) {
            assert_true(c.cover[k] >= 0 && c.cover[k] <= 1);
            kept[i][k] = c.cover[k];
            total += c.cover[k];
        }
        assert_true(total > 2);
        for (size_t j = 0; j < i; j++) {
            float apart = 0;
            for (int k = 0; k < SIDE * SIDE; k++)
                apart += fabsf(kept[i][k] - kept[j][k]);
            if (apart < 3)
                fail_msg("%c and %c look alike", set[i], set[j]);
        }
    }
    assert_ok(caption_start(&c, SIDE, SIDE)); /* far outside draws nothing, and harms nothing */
    caption_text(&c, "zz", -1e9f, 1e9f, 8, 1, 2);
    caption_line(&c, -1e30f, -1e30f, -1e20f, -1e20f, 3);
    for (int k = 0; k < SIDE * SIDE; k++)
        assert_true(c.cover[k] == 0);
    caption_free(&c);
}

static mien_status develop_once(void *unused)
{
    (void)unused;
    image im = {0};
    post_room *room = NULL;
    shot how = {.seed = 1, .blur = 1};
    how.degraded = (degradation){.motion = 0.1f, .shrink = 0.5f, .halo = 1, .dust = 1, .first_quality = 50};
    mien_status st;
    TRY_OUT(post_room_create(&room));
    TRY_OUT(image_resize_buffer(&im, 20, 20));
    memset(im.pixels, 99, 3 * 20 * 20);
    TRY_OUT(post_apply(&im, &how, room));
out:
    image_free(&im);
    post_room_free(room);
    return st;
}

static void synth__post__survives_lack_of_memory(void **state)
{
    (void)state;
    fail_each_allocation(develop_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__post__off_is_the_identity), cmocka_unit_test(synth__post__each_does_what_its_name_says),
        cmocka_unit_test(synth__post__repeats_to_the_byte), cmocka_unit_test(synth__post__survives_extremes),
        cmocka_unit_test(synth__caption__letters_differ),   cmocka_unit_test(synth__post__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
