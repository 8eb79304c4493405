/* The generator gives Random123's published numbers; streams of neighbouring names are strangers to each other;
 * distributions have their moments. */
#include "base/rng.h"
#include "testing.h"

#include <math.h>

/* Random123's published known answers (tests/kat_vectors, "philox 4x32 10"). */
static void rng_block__known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], wanted[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        uint32_t got[4];
        rng_block(got, known[i].key, known[i].counter);
        assert_memory_equal(got, known[i].wanted, sizeof(got));
    }
}

/* Checkpoints and golden files hold what these streams give: a change of the packing is a change of format. */
static void rng_at__streams__never_change(void **state)
{
    (void)state;
    rng r = rng_at(0x0123456789abcdef, 7, 0x00fedcba98765432, RNG_CROP);
    static const uint32_t key[2] = {0x89abcdef, 0x01234567}, counter[4] = {1, 7, 0x98765432, 0x03fedcba};
    uint32_t second[4];
    rng_block(second, key, counter);
    for (int i = 0; i < 4; i++)
        rng_u32(&r);
    for (int i = 0; i < 4; i++)
        assert_int_equal(rng_u32(&r), second[i]);
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint64_t first_64(uint64_t seed, uint32_t epoch, uint64_t sample, rng_use use)
{
    rng r = rng_at(seed, epoch, sample, use);
    uint64_t high = rng_u32(&r);
    return high << 32 | rng_u32(&r);
}

/* Any two of many neighbouring names give other numbers: a shared stream would show as an equal pair. */
static void rng_at__neighbours__share_nothing(void **state)
{
    (void)state;
    enum { SIDE = 12, COUNT = SIDE * SIDE * SIDE * SIDE };
    static uint64_t firsts[COUNT];
    static const uint64_t odd[SIDE] = {
        0, 1, 2, 3, 1ull << 24, 1ull << 31, 1ull << 32, (1ull << 32) + 1, 255, 256, 257, (1ull << 56) - 1};
    int n = 0;
    for (int seed = 0; seed < SIDE; seed++)
        for (uint32_t epoch = 0; epoch < SIDE; epoch++)
            for (int sample = 0; sample < SIDE; sample++)
                for (int use = 0; use < SIDE; use++)
                    firsts[n++] = first_64(odd[seed], epoch, odd[sample], (rng_use)use);
    qsort(firsts, COUNT, sizeof(firsts[0]), by_value);
    for (int i = 1; i < COUNT; i++)
        assert_true(firsts[i] != firsts[i - 1]);
}

/* Pearson's correlation of n pairs is below 5 / sqrt(n) but for one run in a million; these are fixed seeds. */
static void rng_at__neighbours__are_uncorrelated(void **state)
{
    (void)state;
    enum { N = 50000 };
    for (int lag = 0; lag < 4; lag++) {
        double sum = 0;
        for (uint32_t i = 0; i < N; i++) {
            rng a = lag == 0   ? rng_at(i, 0, 0, RNG_TEST)
                    : lag == 1 ? rng_at(5, i, 0, RNG_TEST)
                    : lag == 2 ? rng_at(5, 0, i, RNG_TEST)
                               : rng_at(5, 1, i, RNG_FLIP);
            rng b = lag == 0   ? rng_at(i + 1, 0, 0, RNG_TEST)
                    : lag == 1 ? rng_at(5, i + 1, 0, RNG_TEST)
                    : lag == 2 ? rng_at(5, 0, i + 1, RNG_TEST)
                               : rng_at(5, 1, i, RNG_CROP);
            sum += (rng_double(&a) - 0.5) * (rng_double(&b) - 0.5);
        }
        assert_true(fabs(sum / N * 12) < 5 / sqrt(N));
    }
}

static void rng_float__range_and_moments(void **state)
{
    (void)state;
    enum { N = 400000 };
    rng r = rng_at(1, 0, 0, RNG_TEST);
    double sum = 0, squares = 0, double_sum = 0;
    for (int i = 0; i < N; i++) {
        float x = rng_float(&r);
        double y = rng_double(&r);
        assert_true(x >= 0 && x < 1 && y >= 0 && y < 1);
        sum += x;
        squares += x * x;
        double_sum += y;
    }
    double tolerance = 5 * sqrt(1.0 / 12 / N); /* five standard errors of the mean */
    assert_true(fabs(sum / N - 0.5) < tolerance);
    assert_true(fabs(double_sum / N - 0.5) < tolerance);
    assert_true(fabs(squares / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));
}

static void rng_normal__moments_and_tails(void **state)
{
    (void)state;
    enum { N = 400000 };
    rng r = rng_at(2, 0, 0, RNG_TEST);
    double sum = 0, squares = 0, cubes = 0, fourths = 0;
    int beyond_two = 0;
    for (int i = 0; i < N; i++) {
        double x = rng_normal(&r);
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
        cubes += x * x * x;
        fourths += x * x * x * x;
        beyond_two += fabs(x) > 2;
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(cubes / N) < 5 * sqrt(15.0 / N));
    assert_true(fabs(fourths / N - 3) < 5 * sqrt(96.0 / N));
    double share = 0.0455002638963584;
    assert_true(fabs((double)beyond_two / N - share) < 5 * sqrt(share * (1 - share) / N));
}

/* With n = 3 * 2^30 a product without rejection would favour every third number by a third: far outside the bounds. */
static void rng_below__each_number__equally_often(void **state)
{
    (void)state;
    enum { N = 300000 };
    static const uint32_t limits[] = {1, 2, 6, 7, 1000, 3u << 30, UINT32_MAX};
    for (size_t l = 0; l < sizeof(limits) / sizeof(limits[0]); l++) {
        rng r = rng_at(3, 0, l, RNG_TEST);
        int by_third[3] = {0}, by_remainder[3] = {0};
        for (int i = 0; i < N; i++) {
            uint32_t x = rng_below(&r, limits[l]);
            assert_true(x < limits[l]);
            by_third[(uint64_t)x * 3 / limits[l]]++;
            by_remainder[x % 3]++;
        }
        if (limits[l] < 6 || limits[l] == 7 || limits[l] == 1000)
            continue; /* no equal thirds */
        for (int k = 0; k < 3; k++) {
            assert_true(abs(by_third[k] - N / 3) < 5 * sqrt(N * 2.0 / 9));
            assert_true(abs(by_remainder[k] - N / 3) < 5 * sqrt(N * 2.0 / 9));
        }
    }
}

static void rng_bool_and_range__behave(void **state)
{
    (void)state;
    enum { N = 200000 };
    rng r = rng_at(4, 0, 0, RNG_TEST);
    int heads = 0;
    for (int i = 0; i < N; i++) {
        heads += rng_bool(&r);
        float x = rng_range(&r, -1.0f, 1.0f), y = rng_range(&r, 1.0f, nextafterf(1.0f, 2.0f));
        assert_true(x >= -1.0f && x < 1.0f);
        assert_true(y == 1.0f);
    }
    assert_true(abs(heads - N / 2) < 5 * sqrt(N / 4.0));
    assert_true(rng_range(&r, 3.0f, 3.0f) == 3.0f);
}

static void rng_shuffle__every_place__is_reached_equally(void **state)
{
    (void)state;
    enum { SIZE = 5, N = 60000 };
    int counts[SIZE][SIZE] = {{0}};
    for (uint32_t i = 0; i < N; i++) {
        rng r = rng_at(5, 0, i, RNG_SHUFFLE);
        uint32_t order[SIZE], seen = 0;
        rng_shuffle(&r, order, SIZE);
        for (int k = 0; k < SIZE; k++) {
            seen |= 1u << order[k];
            counts[k][order[k]]++;
        }
        assert_int_equal(seen, (1u << SIZE) - 1);
    }
    for (int k = 0; k < SIZE; k++)
        for (int v = 0; v < SIZE; v++)
            assert_true(abs(counts[k][v] - N / SIZE) < 5 * sqrt(N * 0.2 * 0.8));
    rng r = rng_at(5, 0, 0, RNG_SHUFFLE);
    rng_shuffle(&r, NULL, 0);
}

/* A branch is named by its stream and a number alone: whatever was taken of the stream, it begins the same. */
static void rng_branch__does_not_move_its_stream(void **state)
{
    (void)state;
    rng r = rng_at(6, 1, 2, RNG_TEST), same = r, a = rng_branch(&r, 17), b = rng_branch(&r, 18);
    uint32_t first = rng_u32(&a);
    assert_int_not_equal(first, rng_u32(&b));
    assert_int_equal(rng_u32(&r), rng_u32(&same));
    rng late = rng_branch(&r, 17);
    assert_int_equal(rng_u32(&late), first);
    assert_int_not_equal(rng_u32(&same), first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_block__known_answers),
        cmocka_unit_test(rng_at__streams__never_change),
        cmocka_unit_test(rng_at__neighbours__share_nothing),
        cmocka_unit_test(rng_at__neighbours__are_uncorrelated),
        cmocka_unit_test(rng_float__range_and_moments),
        cmocka_unit_test(rng_normal__moments_and_tails),
        cmocka_unit_test(rng_below__each_number__equally_often),
        cmocka_unit_test(rng_bool_and_range__behave),
        cmocka_unit_test(rng_branch__does_not_move_its_stream),
        cmocka_unit_test(rng_shuffle__every_place__is_reached_equally),
    };
    return cmocka_run_group_tests_name("base/rng", tests, NULL, NULL);
}
