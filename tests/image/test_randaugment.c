/* Every operation at every magnitude beside torchvision's results, with a tolerance that is shown to bite, and draws
 * that are uniform. */
#include "image/picture.h"

#include "base/rng.h"
#include "image/randaugment.h"

#include <math.h>

/* The pictures of make_randaugment.py: sizes odd, not square, and down to one pixel. */
static const char *const pictures[] = {
    "face_112x112",     "face_48x48", "face_53x31", "face_30x67", "noise_17x13",
    "noise_23x20_dull", "flat_8x9",   "noise_3x3",  "noise_2x5",  "noise_1x1",
};
#define PICTURES (sizeof pictures / sizeof *pictures)
#define MAX_RESULTS 64

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

static bool same_pixels(const image *a, const image *b)
{
    return a->width == b->width && a->height == b->height && memcmp(a->pixels, b->pixels, image_bytes(a)) == 0;
}

/* --- torchvision's results --------------------------------------------------------------------------------------- */

/* What torchvision made of one picture. */
typedef struct {
    image source;
    int count;
    struct {
        randaugment_op op;
        int bin;
        float value; /* with its sign */
        image picture;
    } results[MAX_RESULTS];
} fixture;

static randaugment_op op_named(const char *name)
{
    for (randaugment_op op = 0; op < RANDAUGMENT_OP_COUNT; op++)
        if (strcmp(randaugment_name(op), name) == 0)
            return op;
    fail_msg("operation %s is not ours", name);
    return RANDAUGMENT_OP_COUNT;
}

/* Picture `index` of a column of pictures of equal height. */
static image cut(const image *column, int index, int height)
{
    image im = {0};
    assert_ok(image_crop(&im, column, 0, index * height, column->width, height, 0));
    return im;
}

static fixture *fixture_read(const char *name)
{
    char path[PATH_MAX], op[32];
    image column = {0};
    fixture *f;
    assert_ok(mem_zalloc(&f, 1));
    snprintf(path, sizeof path, FIXTURES "randaugment/%s.txt", name);
    FILE *text = fopen(path, "r");
    if (!text)
        fail_msg("%s cannot be read", path);
    while (f->count < MAX_RESULTS &&
           fscanf(text, "%31s %d %f", op, &f->results[f->count].bin, &f->results[f->count].value) == 3)
        f->results[f->count++].op = op_named(op);
    assert_int_equal(fscanf(text, "%31s", op), EOF);
    fclose(text);
    snprintf(path, sizeof path, FIXTURES "randaugment/%s.webp", name);
    assert_ok(image_read(&column, path));
    assert_int_equal(column.height % (f->count + 1), 0);
    int height = column.height / (f->count + 1);
    f->source = cut(&column, 0, height);
    for (int i = 0; i < f->count; i++)
        f->results[i].picture = cut(&column, i + 1, height);
    image_free(&column);
    return f;
}

static void fixture_free(fixture *f)
{
    for (int i = 0; i < f->count; i++)
        image_free(&f->results[i].picture);
    image_free(&f->source);
    mem_free(f);
}

/* --- what counts as equal ---------------------------------------------------------------------------------------- */

static bool is_geometric(randaugment_op op)
{
    return op >= RANDAUGMENT_SHEAR_X && op <= RANDAUGMENT_ROTATE;
}

static bool is_blend(randaugment_op op)
{
    return op >= RANDAUGMENT_BRIGHTNESS && op <= RANDAUGMENT_SHARPNESS;
}

static bool is_pixel_of_neighbour(const uint8_t *pixel, const image *im, int x, int y)
{
    for (int v = y - 1; v <= y + 1; v++)
        for (int u = x - 1; u <= x + 1; u++)
            if (u >= 0 && v >= 0 && u < im->width && v < im->height &&
                memcmp(pixel, im->pixels + ((size_t)v * (size_t)im->width + (size_t)u) * 3, 3) == 0)
                return true;
    return false;
}

/* Ties of nearest sampling: one pixel in 1,000 may be its neighbour's. */
static bool geometry_matches(const image *got, const image *wanted)
{
    int moved = 0;
    for (int y = 0; y < wanted->height; y++)
        for (int x = 0; x < wanted->width; x++) {
            size_t at = ((size_t)y * (size_t)wanted->width + (size_t)x) * 3;
            if (memcmp(got->pixels + at, wanted->pixels + at, 3) == 0)
                continue;
            if (!is_pixel_of_neighbour(got->pixels + at, wanted, x, y))
                return false;
            moved++;
        }
    return moved * 1000 <= wanted->width * wanted->height;
}

/* Spec 1.3: blends may be one grey level off, geometry as above, all else is equal. */
static bool matches(randaugment_op op, const image *got, const image *wanted)
{
    if (got->width != wanted->width || got->height != wanted->height)
        return false;
    if (is_geometric(op))
        return geometry_matches(got, wanted);
    for (size_t i = 0; i < image_bytes(wanted); i++)
        if (abs(got->pixels[i] - wanted->pixels[i]) > (is_blend(op) ? 1 : 0))
            return false;
    return true;
}

static size_t count_differing(const image *a, const image *b)
{
    size_t differing = 0;
    for (size_t i = 0; i < image_bytes(a); i++)
        differing += a->pixels[i] != b->pixels[i];
    return differing;
}

/* --- each operation against torchvision -------------------------------------------------------------------------- */

static void randaugment__fixtures__as_torchvision(void **state)
{
    (void)state;
    size_t levels[RANDAUGMENT_OP_COUNT] = {0}, differing[RANDAUGMENT_OP_COUNT] = {0};
    for (size_t p = 0; p < PICTURES; p++) {
        fixture *f = fixture_read(pictures[p]);
        assert_int_equal(f->count, 54);
        for (int i = 0; i < f->count; i++) {
            randaugment_op op = f->results[i].op;
            const image *wanted = &f->results[i].picture;
            image im = {0};
            float value = randaugment_value(op, f->results[i].bin, f->source.width, f->source.height);
            assert_ok(image_copy(&im, &f->source));
            assert_ok(randaugment_apply(&im, op, signbit(f->results[i].value) ? -value : value, scratch));
            size_t off = count_differing(&im, wanted);
            if (!matches(op, &im, wanted))
                fail_msg("%s: %s at bin %d, value %g: %zu of %zu levels differ", pictures[p], randaugment_name(op),
                         f->results[i].bin, (double)f->results[i].value, off, image_bytes(wanted));
            levels[op] += image_bytes(wanted);
            differing[op] += off;
            image_free(&im);
        }
        fixture_free(f);
    }
    for (randaugment_op op = 0; op < RANDAUGMENT_OP_COUNT; op++) {
        assert_true(levels[op] > 0);
        if (differing[op] * 200 > levels[op]) /* a rounding now and then, no more */
            fail_msg("%s: %zu of %zu levels differ", randaugment_name(op), differing[op], levels[op]);
    }
}

/* The values torch's linspace gives, which may fuse a multiplication and an addition: the last bit is not ours. */
static void randaugment__fixtures__same_magnitudes(void **state)
{
    (void)state;
    for (size_t p = 0; p < PICTURES; p++) {
        fixture *f = fixture_read(pictures[p]);
        for (int i = 0; i < f->count; i++) {
            double wanted = fabs((double)f->results[i].value);
            float got = randaugment_value(f->results[i].op, f->results[i].bin, f->source.width, f->source.height);
            assert_near((double)got, wanted, 3e-7 * wanted);
            assert_true(!signbit(f->results[i].value) || randaugment_is_signed(f->results[i].op));
        }
        fixture_free(f);
    }
}

/* The table of spec 1.3, by hand. */
static void randaugment__spec__magnitudes(void **state)
{
    (void)state;
    static const struct {
        randaugment_op op;
        int bin, width, height;
        double value;
    } cases[] = {
        {RANDAUGMENT_IDENTITY, 9, 112, 112, 0},
        {RANDAUGMENT_SHEAR_X, 9, 112, 112, 0.09},
        {RANDAUGMENT_SHEAR_Y, 30, 112, 112, 0.3},
        {RANDAUGMENT_TRANSLATE_X, 9, 112, 48, 150.0 / 331 * 112 * 0.3},
        {RANDAUGMENT_TRANSLATE_Y, 9, 112, 48, 150.0 / 331 * 48 * 0.3},
        {RANDAUGMENT_ROTATE, 9, 112, 112, 9},
        {RANDAUGMENT_BRIGHTNESS, 9, 112, 112, 0.27},
        {RANDAUGMENT_COLOR, 20, 112, 112, 0.6},
        {RANDAUGMENT_CONTRAST, 0, 112, 112, 0},
        {RANDAUGMENT_SHARPNESS, 30, 112, 112, 0.9},
        {RANDAUGMENT_POSTERIZE, 0, 112, 112, 8},
        {RANDAUGMENT_POSTERIZE, 9, 112, 112, 7},
        {RANDAUGMENT_POSTERIZE, 30, 112, 112, 4},
        {RANDAUGMENT_SOLARIZE, 0, 112, 112, 255},
        {RANDAUGMENT_SOLARIZE, 9, 112, 112, 178.5},
        {RANDAUGMENT_SOLARIZE, 30, 112, 112, 0},
        {RANDAUGMENT_AUTO_CONTRAST, 9, 112, 112, 0},
        {RANDAUGMENT_EQUALIZE, 30, 112, 112, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float value = randaugment_value(cases[i].op, cases[i].bin, cases[i].width, cases[i].height);
        assert_near((double)value, cases[i].value, 1e-6 * (1 + cases[i].value));
    }
    int negated = 0;
    for (randaugment_op op = 0; op < RANDAUGMENT_OP_COUNT; op++)
        negated += randaugment_is_signed(op);
    assert_int_equal(negated, 9);
}

/* --- the comparison bites ---------------------------------------------------------------------------------------- */

/* A little too much of each value; the two operations without one are taken for each other. */
static void comparison__wrong_value__is_seen(void **state)
{
    (void)state;
    static const float excess[RANDAUGMENT_OP_COUNT] = {
        [RANDAUGMENT_SHEAR_X] = 0.005f,    [RANDAUGMENT_SHEAR_Y] = 0.005f,  [RANDAUGMENT_TRANSLATE_X] = 1.0f,
        [RANDAUGMENT_TRANSLATE_Y] = -1.0f, [RANDAUGMENT_ROTATE] = 0.6f,     [RANDAUGMENT_BRIGHTNESS] = 0.02f,
        [RANDAUGMENT_COLOR] = 0.04f,       [RANDAUGMENT_CONTRAST] = -0.03f, [RANDAUGMENT_SHARPNESS] = 0.1f,
        [RANDAUGMENT_POSTERIZE] = -1.0f,   [RANDAUGMENT_SOLARIZE] = -1.5f,
    };
    fixture *f = fixture_read("face_112x112");
    for (int i = 0; i < f->count; i++) {
        randaugment_op op = f->results[i].op, other = op;
        if (op == RANDAUGMENT_IDENTITY || f->results[i].bin == 30)
            continue; /* bin 30 stands at the end of a range or takes the whole picture */
        if (op == RANDAUGMENT_SOLARIZE && f->results[i].bin == 0)
            continue; /* no pixel is that bright */
        if (op == RANDAUGMENT_AUTO_CONTRAST)
            other = RANDAUGMENT_EQUALIZE;
        if (op == RANDAUGMENT_EQUALIZE)
            other = RANDAUGMENT_AUTO_CONTRAST;
        image im = {0};
        assert_ok(image_copy(&im, &f->source));
        assert_ok(randaugment_apply(&im, other, f->results[i].value + excess[op], scratch));
        if (matches(op, &im, &f->results[i].picture))
            fail_msg("%s at bin %d, value %g and %g more: not seen", randaugment_name(op), f->results[i].bin,
                     (double)f->results[i].value, (double)excess[op]);
        image_free(&im);
    }
    fixture_free(f);
}

/* The tolerance ends where spec 1.3 ends it. */
static void comparison__past_its_tolerance__is_seen(void **state)
{
    (void)state;
    fixture *f = fixture_read("face_48x48");
    const image *wanted = &f->source;
    image im = {0};
    assert_ok(image_copy(&im, wanted));
    im.pixels[0]++;
    assert_true(matches(RANDAUGMENT_COLOR, &im, wanted));
    assert_false(matches(RANDAUGMENT_POSTERIZE, &im, wanted));
    assert_false(matches(RANDAUGMENT_ROTATE, &im, wanted)); /* nobody's neighbour */
    im.pixels[0]++;
    assert_false(matches(RANDAUGMENT_COLOR, &im, wanted));

    assert_ok(image_copy(&im, wanted));
    for (int moved = 1; moved <= 3; moved++) { /* 2 of 2304 are within one in 1,000 */
        size_t at = (size_t)moved * 300;
        memcpy(im.pixels + at, wanted->pixels + at + 3, 3);
        assert_true(matches(RANDAUGMENT_ROTATE, &im, wanted) == (moved <= 2));
    }
    image_free(&im);
    fixture_free(f);
}

/* --- drawing ----------------------------------------------------------------------------------------------------- */

static double chi_square(const int *counts, int n, double expected)
{
    double sum = 0.0;
    for (int i = 0; i < n; i++)
        sum += (counts[i] - expected) * (counts[i] - expected) / expected;
    return sum;
}

/* 24,000 pictures of two operations: each alone, and the pairs. The limits are exceeded once in 1,000 seeds. */
static void draw__many__is_uniform_over_twelve(void **state)
{
    (void)state;
    enum { SAMPLES = 24000, OPS = 12 };
    const randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
    int place[RANDAUGMENT_OP_COUNT], first[OPS] = {0}, second[OPS] = {0}, pairs[OPS * OPS] = {0}, used = 0;
    for (int op = 0; op < RANDAUGMENT_OP_COUNT; op++)
        place[op] = op == RANDAUGMENT_SOLARIZE || op == RANDAUGMENT_EQUALIZE ? -1 : used++;
    assert_int_equal(used, OPS);
    for (int i = 0; i < SAMPLES; i++) {
        rng r = rng_at(17, 0, randaugment_copy_id(3, i), RNG_RANDAUGMENT);
        int a = place[randaugment_draw(&o, 112, 112, &r).op], b = place[randaugment_draw(&o, 112, 112, &r).op];
        assert_true(a >= 0 && b >= 0);
        first[a]++, second[b]++, pairs[a * OPS + b]++;
    }
    assert_true(chi_square(first, OPS, SAMPLES / 12.0) < 31.3);         /* 11 degrees of freedom */
    assert_true(chi_square(second, OPS, SAMPLES / 12.0) < 31.3);        /* 11 */
    assert_true(chi_square(pairs, OPS * OPS, SAMPLES / 144.0) < 200.0); /* 143: with replacement, independent */
    first[0] += 300, first[1] -= 300;                                   /* the limit is one that a bias exceeds */
    assert_true(chi_square(first, OPS, SAMPLES / 12.0) > 31.3);
}

static void draw__all_included__is_uniform_over_fourteen(void **state)
{
    (void)state;
    randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
    int counts[RANDAUGMENT_OP_COUNT] = {0};
    o.include_solarize = true;
    for (int i = 0; i < 7000; i++) {
        rng r = rng_at(18, 0, (uint64_t)i, RNG_RANDAUGMENT);
        randaugment_op op = randaugment_draw(&o, 112, 112, &r).op;
        assert_int_not_equal(op, RANDAUGMENT_EQUALIZE);
    }
    o.include_equalize = true;
    for (int i = 0; i < 14000; i++) {
        rng r = rng_at(18, 0, (uint64_t)i, RNG_RANDAUGMENT);
        counts[randaugment_draw(&o, 112, 112, &r).op]++;
    }
    assert_true(chi_square(counts, RANDAUGMENT_OP_COUNT, 1000.0) < 34.6); /* 13 degrees of freedom */
}

/* Half of the values of those nine are negated, and never any other's. */
static void draw__signs__flip_half_of_the_time(void **state)
{
    (void)state;
    randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
    o.include_solarize = o.include_equalize = true;
    int counts[RANDAUGMENT_OP_COUNT] = {0}, negative[RANDAUGMENT_OP_COUNT] = {0};
    for (int i = 0; i < 28000; i++) {
        rng r = rng_at(19, 0, (uint64_t)i, RNG_RANDAUGMENT);
        randaugment_step step = randaugment_draw(&o, 112, 64, &r);
        assert_true(fabsf(step.value) == randaugment_value(step.op, o.magnitude, 112, 64));
        counts[step.op]++;
        negative[step.op] += step.value < 0.0f;
    }
    for (randaugment_op op = 0; op < RANDAUGMENT_OP_COUNT; op++) {
        if (randaugment_is_signed(op))
            assert_near((double)negative[op] / counts[op], 0.5, 0.045); /* four deviations of 2000 */
        else
            assert_int_equal(negative[op], 0);
    }
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

static void randaugment__any_count__is_its_draws_in_order(void **state)
{
    (void)state;
    for (int ops = 0; ops <= 4; ops++)
        for (uint64_t sample = 0; sample < 60; sample++) {
            randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
            o.ops = ops;
            o.include_equalize = o.include_solarize = sample % 2;
            image im = picture_hashed(37, 29), wanted = picture_hashed(37, 29);
            rng r = rng_at(5, 2, sample, RNG_RANDAUGMENT);
            for (int i = 0; i < ops; i++) {
                randaugment_step step = randaugment_draw(&o, 37, 29, &r);
                assert_ok(randaugment_apply(&wanted, step.op, step.value, scratch));
            }
            assert_ok(image_randaugment(&im, &o, 5, 2, sample, scratch));
            assert_pictures_equal(&im, &wanted, 0, "drawn one by one");
            image_free(&im);
            image_free(&wanted);
        }
}

static void randaugment__same_name__same_bits_whatever_came_before(void **state)
{
    (void)state;
    randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
    for (int64_t copy = 0; copy < 200; copy++) {
        image first = picture_hashed(70, 60), again = picture_hashed(70, 60), other = picture_hashed(33, 90);
        image_scratch *fresh;
        assert_ok(image_scratch_create(&fresh));
        assert_ok(image_randaugment(&first, &o, 9, 4, randaugment_copy_id(2, copy), fresh));
        assert_ok(image_randaugment(&other, &o, 9, 5, randaugment_copy_id(2, copy), scratch));
        assert_ok(image_randaugment(&again, &o, 9, 4, randaugment_copy_id(2, copy), scratch));
        assert_int_equal(first.width, 70);
        assert_int_equal(first.height, 60);
        assert_pictures_equal(&again, &first, 0, "the same copy twice");
        image_scratch_free(fresh);
        image_free(&first);
        image_free(&again);
        image_free(&other);
    }
}

/* What seed, epoch, class and copy each change: most of 200 pictures (one in 12 x 12 is identity twice, and others
 * meet too). */
static void randaugment__another_name__another_picture(void **state)
{
    (void)state;
    randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
    static const struct {
        uint64_t seed;
        uint32_t epoch;
        int label;
        int64_t skip;
    } names[] = {{1, 0, 0, 0}, {2, 0, 0, 0}, {1, 1, 0, 0}, {1, 0, 1, 0}, {1, 0, 0, 1000}};
    for (size_t n = 1; n < sizeof names / sizeof *names; n++) {
        int differing = 0;
        for (int64_t copy = 0; copy < 200; copy++) {
            image a = picture_hashed(24, 24), b = picture_hashed(24, 24);
            assert_ok(image_randaugment(&a, &o, 1, 0, randaugment_copy_id(0, copy), scratch));
            assert_ok(image_randaugment(&b, &o, names[n].seed, names[n].epoch,
                                        randaugment_copy_id(names[n].label, copy + names[n].skip), scratch));
            differing += !same_pixels(&a, &b);
            image_free(&a);
            image_free(&b);
        }
        assert_in_range(differing, 180, 200);
    }
}

static void randaugment__copy_ids__never_meet(void **state)
{
    (void)state;
    const int64_t most = (INT64_C(1) << 40) - 1;
    assert_true(randaugment_copy_id(0, most) < randaugment_copy_id(1, 0));
    assert_true(randaugment_copy_id(7, 144630) < randaugment_copy_id(7, 144631));
    assert_true(randaugment_copy_id(65535, most) < UINT64_C(1) << 56);
}

static void randaugment__impossible_options__refused(void **state)
{
    (void)state;
    image im = picture_hashed(4, 4), kept = picture_hashed(4, 4);
    static const struct {
        int ops, magnitude;
        const char *text;
    } cases[] = {{-1, 9, "-1 operations"}, {17, 9, "17 operations"}, {2, -1, "magnitude -1"}, {2, 31, "magnitude 31"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        randaugment_options o = {.ops = cases[i].ops, .magnitude = cases[i].magnitude};
        assert_failure(image_randaugment(&im, &o, 1, 0, 0, scratch), MIEN_ERR_ARG, cases[i].text);
    }
    assert_pictures_equal(&im, &kept, 0, "refused options");
    image_free(&im);
    image_free(&kept);
}

static void apply__impossible_value__refused(void **state)
{
    (void)state;
    image im = picture_hashed(4, 4), kept = picture_hashed(4, 4);
    static const struct {
        randaugment_op op;
        float value;
        const char *text;
    } cases[] = {
        {RANDAUGMENT_SHEAR_X, 1.5f, "ShearX: 1.5 (wanted -1..1)"},
        {RANDAUGMENT_SHEAR_Y, NAN, "ShearY: nan"},
        {RANDAUGMENT_TRANSLATE_X, 1e30f, "TranslateX: 1e+30"},
        {RANDAUGMENT_TRANSLATE_Y, -INFINITY, "TranslateY: -inf"},
        {RANDAUGMENT_ROTATE, 181.0f, "Rotate: 181"},
        {RANDAUGMENT_BRIGHTNESS, -1.01f, "Brightness: -1.01"},
        {RANDAUGMENT_POSTERIZE, 9.0f, "Posterize: 9"},
        {RANDAUGMENT_SOLARIZE, 256.0f, "Solarize: 256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_failure(randaugment_apply(&im, cases[i].op, cases[i].value, scratch), MIEN_ERR_ARG, cases[i].text);
    assert_pictures_equal(&im, &kept, 0, "refused values");
    image_free(&im);
    image_free(&kept);
}

/* Every operation at the ends of its values on every small size: nothing is read or written outside (ASan's to find),
 * and sizes stay. */
static void apply__ends_of_ranges_and_small_sizes__survive(void **state)
{
    (void)state;
    static const float ends[RANDAUGMENT_OP_COUNT][2] = {
        {0, 0},
        {-1, 1},
        {-1, 1},
        {-178e6f, 178e6f},
        {-178e6f, 178e6f},
        {-180, 180},
        {-1, 10},
        {-1, 10},
        {-1, 10},
        {-1, 10},
        {0, 8},
        {0, 255},
        {0, 0},
        {0, 0},
    };
    for (randaugment_op op = 0; op < RANDAUGMENT_OP_COUNT; op++)
        for (int width = 1; width < 40; width += width < 5 ? 1 : 7)
            for (int height = 1; height < 40; height += height < 5 ? 1 : 9)
                for (int end = 0; end < 2; end++) {
                    image im = picture_hashed(width, height);
                    assert_ok(randaugment_apply(&im, op, ends[op][end], scratch));
                    assert_int_equal(im.width, width);
                    assert_int_equal(im.height, height);
                    image_free(&im);
                }
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static mien_status attempt_every_op(void *context)
{
    (void)context;
    image im = {0};
    image_scratch *s = NULL;
    mien_status st;
    TRY_OUT(image_scratch_create(&s));
    for (randaugment_op op = 0; op < RANDAUGMENT_OP_COUNT; op++) {
        TRY_OUT(image_resize_buffer(&im, 20 + 9 * (int)op, 15)); /* each needs more than the one before */
        memset(im.pixels, 90, image_bytes(&im));
        TRY_OUT(randaugment_apply(&im, op, randaugment_value(op, 9, im.width, im.height), s));
    }
out:
    image_free(&im);
    image_scratch_free(s);
    return st;
}

static void apply__no_memory__fails_cleanly(void **state)
{
    (void)state;
    fail_each_allocation(attempt_every_op, NULL);
}

static mien_status attempt_randaugment(void *context)
{
    (void)context;
    randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
    image im = {0};
    image_scratch *s = NULL;
    mien_status st;
    TRY_OUT(image_resize_buffer(&im, 30, 30));
    memset(im.pixels, 120, image_bytes(&im));
    TRY_OUT(image_scratch_create(&s));
    for (uint64_t sample = 0; sample < 30; sample++)
        TRY_OUT(image_randaugment(&im, &o, 1, 0, sample, s));
out:
    image_free(&im);
    image_scratch_free(s);
    return st;
}

static void randaugment__no_memory__fails_cleanly(void **state)
{
    (void)state;
    fail_each_allocation(attempt_randaugment, NULL);
}

static void randaugment__second_round__allocates_nothing(void **state)
{
    (void)state;
    randaugment_options o = RANDAUGMENT_OPTIONS_INIT;
    image im = picture_hashed(112, 112);
    int64_t before = 0;
    for (uint64_t i = 0; i < 200; i++) {
        if (i == 100)
            before = mem_count();
        assert_ok(image_randaugment(&im, &o, 1, 0, i % 100, scratch));
    }
    assert_int_equal(mem_count(), before);
    image_free(&im);
}

/* The picture that an operation left behind goes where it is large, and only there. */
static void scratch__trimmed__keeps_what_is_small(void **state)
{
    (void)state;
    image im = picture_hashed(100, 50);
    assert_ok(randaugment_apply(&im, RANDAUGMENT_ROTATE, 9, scratch));
    size_t kept = scratch->spare.capacity;
    assert_true(kept >= image_bytes(&im));
    image_scratch_trim(scratch, kept);
    assert_int_equal(scratch->spare.capacity, kept);
    image_scratch_trim(scratch, kept - 1);
    assert_int_equal(scratch->spare.capacity, 0);
    assert_ok(randaugment_apply(&im, RANDAUGMENT_ROTATE, 9, scratch));
    image_free(&im);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(randaugment__fixtures__as_torchvision),
        TEST(randaugment__fixtures__same_magnitudes),
        TEST(randaugment__spec__magnitudes),
        TEST(comparison__wrong_value__is_seen),
        TEST(comparison__past_its_tolerance__is_seen),
        TEST(draw__many__is_uniform_over_twelve),
        TEST(draw__all_included__is_uniform_over_fourteen),
        TEST(draw__signs__flip_half_of_the_time),
        TEST(randaugment__any_count__is_its_draws_in_order),
        TEST(randaugment__same_name__same_bits_whatever_came_before),
        TEST(randaugment__another_name__another_picture),
        TEST(randaugment__copy_ids__never_meet),
        TEST(randaugment__impossible_options__refused),
        TEST(apply__impossible_value__refused),
        TEST(apply__ends_of_ranges_and_small_sizes__survive),
        TEST(apply__no_memory__fails_cleanly),
        TEST(randaugment__no_memory__fails_cleanly),
        TEST(randaugment__second_round__allocates_nothing),
        TEST(scratch__trimmed__keeps_what_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
