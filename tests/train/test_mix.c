/* Mixup and CutMix: draws have their distributions, boxes their areas, mixed pixels and rows their shares. */
#include "train/mix.h"

#include "image/picture.h" /* assert_near */

#include <math.h>
#include <string.h>

/* --- Beta(alpha, alpha) ------------------------------------------------------------------------------------------- */

/* Mean 1/2 and variance 1 / (8 alpha + 4), within four deviations of 20,000 draws' mean. */
static void beta__any_alpha__has_its_moments(void **state)
{
    (void)state;
    static const double alphas[] = {0.1, 0.2, 0.5, 1, 1.5, 8, 1000};
    enum { DRAWS = 20000 };
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        double variance = 1 / (8 * alphas[i] + 4), sum = 0, squares = 0;
        rng r = rng_at(3, 0, i, RNG_TEST);
        for (int k = 0; k < DRAWS; k++) {
            double x = mix_beta(alphas[i], &r);
            assert_true(x >= 0 && x <= 1);
            sum += x - 0.5;
            squares += (x - 0.5) * (x - 0.5);
        }
        assert_near(sum / DRAWS, 0, 4 * sqrt(variance / DRAWS));
        assert_near(squares / DRAWS, variance, 0.04 * variance); /* kurtosis at most 3: deviation 1% */
    }
}

/* Beta(1, 1) is uniform: largest distance of the distributions (Kolmogorov), exceeded once in 1,000 seeds. */
static void beta__of_one__is_uniform(void **state)
{
    (void)state;
    enum { DRAWS = 10000, BINS = 100 };
    int below[BINS + 1] = {0};
    rng r = rng_at(4, 0, 0, RNG_TEST);
    for (int k = 0; k < DRAWS; k++) {
        double x = mix_beta(1, &r);
        for (int bin = (int)(x * BINS) + 1; bin <= BINS; bin++)
            below[bin]++;
    }
    for (int bin = 0; bin <= BINS; bin++)
        assert_near((double)below[bin] / DRAWS, (double)bin / BINS, 1.95 / sqrt(DRAWS));
}

/* Where U^(1/alpha) is 0 in double for both: one of the ends, either as often. */
static void beta__of_almost_nothing__is_a_coin(void **state)
{
    (void)state;
    int ones = 0;
    rng r = rng_at(5, 0, 0, RNG_TEST);
    for (int k = 0; k < 1000; k++) {
        double x = mix_beta((double)1e-30f, &r);
        assert_true(x == 0 || x == 1);
        ones += x == 1;
    }
    assert_in_range(ones, 437, 563); /* four deviations */
}

/* --- plans -------------------------------------------------------------------------------------------------------- */

static void draw__each_option__does_its_own(void **state)
{
    (void)state;
    enum { BATCHES = 1000 };
    static const struct {
        mix_options o;
        int least_cut, most_cut;
    } cases[] = {{{0.2f, 0}, 0, 0}, {{0, 1}, BATCHES, BATCHES}, {{0.2f, 1}, 437, 563}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int cut = 0;
        assert_true(mix_is_on(&cases[i].o));
        for (int64_t b = 0; b < BATCHES; b++)
            cut += mix_draw(&cases[i].o, 32, 1, 0, b).is_cut;
        assert_in_range(cut, cases[i].least_cut, cases[i].most_cut);
    }
    assert_false(mix_is_on(&(mix_options){0, 0}));
}

/* The same name, the same plan; seed, epoch and batch each give another. */
static void draw__name__decides(void **state)
{
    (void)state;
    const mix_options o = {1, 1};
    const mix_plan a = mix_draw(&o, 224, 1, 2, 3), again = mix_draw(&o, 224, 1, 2, 3);
    assert_int_equal(a.own, again.own);
    assert_int_equal(a.x1, again.x1);
    assert_int_not_equal(a.own, mix_draw(&o, 224, 9, 2, 3).own);
    assert_int_not_equal(a.own, mix_draw(&o, 224, 1, 9, 3).own);
    assert_int_not_equal(a.own, mix_draw(&o, 224, 1, 2, 9).own);
}

/* Alpha 1000 has lambda near 1/2: sides of 2 int(size sqrt(1/2) / 2), cut at the borders; own is the area left. */
static void draw__box__has_the_area_it_says(void **state)
{
    (void)state;
    const mix_options o = {0, 1000};
    int whole = 0, wide = 0, left = 0;
    for (int64_t b = 0; b < 1000; b++) {
        mix_plan p = mix_draw(&o, 100, 1, 0, b);
        assert_true(p.x0 >= 0 && p.x1 <= 100 && p.x0 <= p.x1 && p.y0 >= 0 && p.y1 <= 100 && p.y0 <= p.y1);
        assert_near((double)p.own / 65536, 1 - (p.x1 - p.x0) * (p.y1 - p.y0) / 1e4, 1e-5);
        assert_true(p.x1 - p.x0 >= 31 && p.x1 - p.x0 <= 74); /* at the border half of it is left */
        whole += p.x0 > 0 && p.x1 < 100;
        wide += p.x0 > 0 && p.x1 < 100 && p.x1 - p.x0 >= 66;
        left += p.x0 == 0;
    }
    assert_int_equal(wide, whole);
    assert_in_range(whole, 240, 360); /* the centre is in the middle 30 of 100 */
    assert_in_range(left, 290, 420);  /* ... or within 35 of the left */
}

/* --- batches ------------------------------------------------------------------------------------------------------ */

enum { SIZE = 6, BYTES = SIZE * SIZE * 3, COUNT = 4 };

typedef struct {
    uint8_t source[COUNT * BYTES], mixed[COUNT * BYTES];
    task_row rows[COUNT];
    loader_batch batch;
} fixture;

static const int64_t pictures[COUNT] = {2, 0, 7, 1};

static void fill(fixture *f)
{
    rng r = rng_at(6, 0, 0, RNG_TEST);
    for (int i = 0; i < COUNT * BYTES; i++)
        f->source[i] = (uint8_t)rng_below(&r, 256);
    memset(f->mixed, 77, sizeof f->mixed);
    f->batch = (loader_batch){.images = f->source, .pictures = pictures, .count = COUNT};
}

static void assert_rows(const fixture *f, float own)
{
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(f->rows[i].picture, pictures[i]);
        assert_int_equal(f->rows[i].other, pictures[(i + COUNT - 1) % COUNT]);
        assert_true(f->rows[i].own == own);
    }
}

static void batch__mixup__is_the_nearest_level(void **state)
{
    (void)state;
    static const uint32_t shares[] = {0, 1, 13107, 32768, 50000, 65535, 65536};
    for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
        fixture f;
        fill(&f);
        mix_batch(f.mixed, f.rows, &(mix_plan){.own = shares[s]}, &f.batch, SIZE);
        double own = shares[s] / 65536.0;
        for (int i = 0; i < COUNT * BYTES; i++) {
            double before = f.source[(i + (COUNT - 1) * BYTES) % (COUNT * BYTES)];
            assert_near(f.mixed[i], own * f.source[i] + (1 - own) * before, 0.5);
        }
        assert_rows(&f, (float)own);
    }
}

static void batch__cutmix__pastes_the_box(void **state)
{
    (void)state;
    fixture f;
    fill(&f);
    const mix_plan plan = {.is_cut = true, .x0 = 1, .x1 = 4, .y0 = 2, .y1 = 6, .own = 65536 * 2 / 3};
    mix_batch(f.mixed, f.rows, &plan, &f.batch, SIZE);
    for (int i = 0; i < COUNT * BYTES; i++) {
        int x = i / 3 % SIZE, y = i / 3 / SIZE % SIZE;
        bool is_inside = x >= 1 && x < 4 && y >= 2;
        assert_int_equal(f.mixed[i], f.source[is_inside ? (i + (COUNT - 1) * BYTES) % (COUNT * BYTES) : i]);
    }
    assert_rows(&f, (float)(65536 * 2 / 3) / 65536);
    fill(&f);
    mix_batch(f.mixed, f.rows, &(mix_plan){.is_cut = true, .own = 65536}, &f.batch, SIZE); /* empty */
    assert_memory_equal(f.mixed, f.source, sizeof f.source);
    assert_rows(&f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(beta__any_alpha__has_its_moments),
        cmocka_unit_test(beta__of_one__is_uniform),
        cmocka_unit_test(beta__of_almost_nothing__is_a_coin),
        cmocka_unit_test(draw__each_option__does_its_own),
        cmocka_unit_test(draw__name__decides),
        cmocka_unit_test(draw__box__has_the_area_it_says),
        cmocka_unit_test(batch__mixup__is_the_nearest_level),
        cmocka_unit_test(batch__cutmix__pastes_the_box),
    };
    return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}
