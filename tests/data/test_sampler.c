/* The published sampler at the published counts. */
#include "data/sampler.h"

#include "testing.h"

#include "no_memory.h"

/* first, first + 1, ... */
static subset make_subset(uint32_t first, int64_t count)
{
    subset s = {.count = count};
    assert_ok(mem_alloc(&s.index, count));
    for (int64_t i = 0; i < count; i++)
        s.index[i] = first + (uint32_t)i;
    return s;
}

/* s-Aff-Wild2 (spec-details 3.4): 103,917 triples, 6,494 steps of 16; 601 and 13,272 rows come up once more. */
static void sampler__published_counts__published_epoch(void **state)
{
    (void)state;
    static const int64_t counts[] = {103316, 90645, 103917}, more[] = {601, 13272, 0};
    static const uint32_t first[] = {7, 50, 0};
    subset parts[3];
    for (int p = 0; p < 3; p++)
        parts[p] = make_subset(first[p], counts[p]);
    assert_ok(sampler_repeat(parts, 3));
    for (int p = 0; p < 3; p++) {
        assert_int_equal(parts[p].count, 103917);
        assert_int_equal(parts[p].count / 16, 6494);
        assert_int_equal(parts[p].count - counts[p], more[p]);
        for (int64_t i = 0; i < parts[p].count; i++)
            assert_int_equal(parts[p].index[i], first[p] + i % counts[p]);
        subset_free(&parts[p]);
    }
}

/* A part of two pictures comes up as often as one of seven is long, its first once more. */
static void sampler__short_part__comes_up_again_and_again(void **state)
{
    (void)state;
    static const uint32_t wanted[] = {40, 41, 40, 41, 40, 41, 40};
    subset parts[] = {make_subset(40, 2), make_subset(0, 7)};
    assert_ok(sampler_repeat(parts, 2));
    assert_int_equal(parts[0].count, 7);
    assert_memory_equal(parts[0].index, wanted, sizeof wanted);
    assert_ok(sampler_repeat(parts, 2)); /* nothing is left to do */
    assert_memory_equal(parts[0].index, wanted, sizeof wanted);
    subset_free(&parts[0]);
    subset_free(&parts[1]);
}

static mien_status repeat_and_free(void *unused)
{
    (void)unused;
    subset parts[2] = {{0}};
    mien_status st = MIEN_OK;
    for (int p = 0; st == MIEN_OK && p < 2; p++) {
        parts[p].count = 3 + p;
        st = mem_zalloc(&parts[p].index, parts[p].count);
    }
    if (st == MIEN_OK)
        st = sampler_repeat(parts, 2);
    subset_free(&parts[0]);
    subset_free(&parts[1]);
    return st;
}

static void sampler__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    fail_each_allocation(repeat_and_free, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampler__published_counts__published_epoch),
        cmocka_unit_test(sampler__short_part__comes_up_again_and_again),
        cmocka_unit_test(sampler__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
