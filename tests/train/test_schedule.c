/* Rates at the steps where they could be off by one: the first, the last of the warm-up, the turns of the cosine, as
 * PyTorch's scheduler gives them. */
#include "train/schedule.h"

#include "testing.h"

#include <math.h>

static void assert_near(float got, double wanted)
{
    if (!(fabs((double)got - wanted) <= 1e-7))
        fail_msg("%.9g (wanted %.9g)", (double)got, wanted);
}

static void schedule__constant__stays(void **state)
{
    (void)state;
    recipe_stage stage = {.lr = 0.25f, .schedule = {.name = SCHEDULE_CONSTANT}};
    assert_true(schedule_lr(&stage, 0, 10) == 0.25f);
    assert_true(schedule_lr(&stage, 9, 10) == 0.25f);
}

/* The values that torch's CosineAnnealingLR(T_max=4), stepped every batch, gives from 1. */
static void schedule__cosine__falls_over_the_run(void **state)
{
    (void)state;
    const double wanted[] = {1, 0.853553390593273762, 0.5, 0.146446609406726238};
    recipe_stage stage = {.lr = 1, .schedule = {.name = SCHEDULE_COSINE}};
    for (int s = 0; s < 4; s++)
        assert_near(schedule_lr(&stage, s, 4), wanted[s]);
}

static void schedule__t_max__falls_and_climbs(void **state)
{
    (void)state;
    recipe_stage stage = {.lr = 1e-3f, .schedule = {.name = SCHEDULE_COSINE, .t_max = 10000}};
    assert_near(schedule_lr(&stage, 10000, 32470), 0);
    assert_near(schedule_lr(&stage, 20000, 32470), 1e-3);
    assert_near(schedule_lr(&stage, 30000, 32470), 0);
    assert_near(schedule_lr(&stage, 32470, 32470), 1.4313e-4);
}

static void schedule__warmup__rises_first(void **state)
{
    (void)state;
    recipe_stage stage = {.lr = 1, .schedule = {.name = SCHEDULE_COSINE, .warmup = 4}};
    assert_near(schedule_lr(&stage, 0, 8), 0.25);
    assert_near(schedule_lr(&stage, 3, 8), 1);
    assert_near(schedule_lr(&stage, 4, 8), 1);
    assert_near(schedule_lr(&stage, 6, 8), 0.5);
    stage.schedule.name = SCHEDULE_CONSTANT;
    assert_near(schedule_lr(&stage, 1, 8), 0.5);
    assert_near(schedule_lr(&stage, 7, 8), 1);
    assert_true(isfinite(schedule_lr(&(recipe_stage){.lr = 1, .schedule = {SCHEDULE_COSINE, 0, 8}}, 8, 8)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedule__constant__stays),
        cmocka_unit_test(schedule__cosine__falls_over_the_run),
        cmocka_unit_test(schedule__t_max__falls_and_climbs),
        cmocka_unit_test(schedule__warmup__rises_first),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
