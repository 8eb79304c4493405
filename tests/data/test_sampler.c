/* The published sampler at the published counts, and joint batches. */
#include "data/sampler.h"

#include "testing.h"

#include "no_memory.h"

static const char *const tasks[] = {"action units", "expressions", "valence and arousal"};

/* first, first + step, ... */
static subset make_subset(uint32_t first, uint32_t step, int64_t count)
{
    subset s = {.count = count};
    assert_ok(mem_alloc(&s.index, count));
    for (int64_t i = 0; i < count; i++)
        s.index[i] = first + step * (uint32_t)i;
    return s;
}

/* s-Aff-Wild2 (spec-details 3.4): 103,917 triples, 6,494 steps of 16; 601 and 13,272 rows come up once more. */
static void sampler__published_counts__published_epoch(void **state)
{
    (void)state;
    subset subsets[] = {make_subset(7, 1, 103316), make_subset(50, 1, 90645), make_subset(0, 1, 103917)};
    static const int64_t more[] = {601, 13272, 0};
    sampler s;
    assert_ok(sampler_create_tasks(&s, subsets, tasks, 3, 5));
    assert_int_equal(s.count, 3);
    for (int t = 0; t < 3; t++) {
        assert_int_equal(s.items[t].count, 103917);
        assert_int_equal(s.items[t].count / 16, 6494);
        for (int64_t i = 0; i < s.items[t].count; i++)
            assert_int_equal(s.items[t].index[i], subsets[t].index[i % subsets[t].count]);
        assert_int_equal(s.items[t].count - subsets[t].count, more[t]);
    }
    sampler_free(&s);
    assert_null(s.items[0].index);
    for (int t = 0; t < 3; t++)
        subset_free(&subsets[t]);
}

/* Loaders must not shuffle alike, and a run that goes on must shuffle as it did. */
static void sampler__seeds__differ_by_task_and_stay(void **state)
{
    (void)state;
    subset same[] = {make_subset(0, 1, 3), make_subset(0, 1, 3)};
    sampler a, b, c;
    assert_ok(sampler_create_tasks(&a, same, tasks, 2, 1));
    assert_ok(sampler_create_tasks(&b, same, tasks, 2, 1));
    assert_ok(sampler_create_tasks(&c, same, tasks, 2, 2));
    assert_true(a.seed[0] != a.seed[1]);
    assert_true(a.seed[0] == b.seed[0] && a.seed[1] == b.seed[1]);
    assert_true(a.seed[0] != c.seed[0] && a.seed[0] != c.seed[1]);
    sampler_free(&a);
    sampler_free(&b);
    sampler_free(&c);
    subset_free(&same[0]);
    subset_free(&same[1]);
}

static void sampler__joint__has_each_picture_once(void **state)
{
    (void)state;
    subset subsets[] = {make_subset(0, 2, 4), make_subset(3, 3, 3)}; /* 0 2 4 6, 3 6 9 */
    static const uint32_t wanted[] = {0, 2, 3, 4, 6, 9};
    sampler s;
    assert_ok(sampler_create_joint(&s, subsets, tasks, 2, 5));
    assert_int_equal(s.count, 1);
    assert_int_equal(s.items[0].count, 6);
    assert_memory_equal(s.items[0].index, wanted, sizeof wanted);
    sampler_free(&s);
    subset_free(&subsets[0]);
    subset_free(&subsets[1]);
}

static void sampler__tasks_that_cannot_be__are_refused(void **state)
{
    (void)state;
    subset subsets[] = {make_subset(0, 1, 2), {0}};
    sampler s;
    assert_failure(sampler_create_tasks(&s, subsets, tasks, 2, 0), MIEN_ERR_FORMAT,
                   "expressions: no picture has these labels");
    assert_failure(sampler_create_joint(&s, subsets, tasks, 2, 0), MIEN_ERR_FORMAT, "expressions: no picture");
    assert_failure(sampler_create_joint(&s, subsets, tasks, 0, 0), MIEN_ERR_ARG, "0 tasks (wanted 1..8)");
    assert_failure(sampler_create_tasks(&s, subsets, tasks, 9, 0), MIEN_ERR_ARG, "9 tasks");
    subset_free(&subsets[0]);
}

static mien_status create_and_free(void *subsets)
{
    sampler s;
    TRY(sampler_create_tasks(&s, subsets, tasks, 2, 0));
    sampler_free(&s);
    TRY(sampler_create_joint(&s, subsets, tasks, 2, 0));
    sampler_free(&s);
    return MIEN_OK;
}

static void sampler__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    subset subsets[] = {make_subset(0, 2, 4), make_subset(3, 3, 3)};
    fail_each_allocation(create_and_free, subsets);
    subset_free(&subsets[0]);
    subset_free(&subsets[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sampler__published_counts__published_epoch),
        cmocka_unit_test(sampler__seeds__differ_by_task_and_stay),
        cmocka_unit_test(sampler__joint__has_each_picture_once),
        cmocka_unit_test(sampler__tasks_that_cannot_be__are_refused),
        cmocka_unit_test(sampler__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
