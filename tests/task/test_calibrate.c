/* What is fitted is least: beside the answers of closed forms, and of a search over a grid. */
#include "testing.h"

#include "base/rng.h"
#include "nn/head.h"
#include "task/calibrate.h"

#include <math.h>

enum { ROWS = 4000, CLASSES = 5 };
static float rows[3][ROWS * CLASSES];
static int32_t truth[ROWS];
static bool is_known[ROWS];

/* Logits of each row, of which the truth is drawn; member m is told them sharpened, and blurred by noise of its own. */
static void draw(double sharpness, const double *noise, int members)
{
    for (int64_t i = 0; i < ROWS; i++) {
        rng r = rng_at(5, 0, (uint64_t)i, RNG_TEST);
        double z[CLASSES], p[CLASSES], sum = 0, at;
        for (int c = 0; c < CLASSES; c++)
            sum += p[c] = exp(z[c] = 1.5 * (double)rng_normal(&r));
        at = (double)rng_float(&r) * sum;
        truth[i] = 0;
        while (truth[i] < CLASSES - 1 && at >= p[truth[i]])
            at -= p[truth[i]++];
        is_known[i] = i % 7 != 0;
        for (int m = 0; m < members; m++) {
            float *row = rows[m] + i * CLASSES;
            for (int c = 0; c < CLASSES; c++)
                row[c] = (float)(sharpness * (z[c] + noise[m] * (double)rng_normal(&r)));
            const model_head head = {.kind = HEAD_CLASS, .size = CLASSES};
            head_answer(row, &head, false);
        }
    }
}

static calibrate_set set_of(const float *const *members, int count)
{
    return (calibrate_set){members, count, truth, is_known, ROWS, CLASSES};
}

static double loss_at(const float *all, double temperature)
{
    double loss = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        double sum = 0;
        if (!is_known[i])
            continue;
        for (int c = 0; c < CLASSES; c++)
            sum += pow((double)all[i * CLASSES + c], 1 / temperature);
        loss -= log(pow((double)all[i * CLASSES + truth[i]], 1 / temperature) / sum);
    }
    return loss;
}

static void temperature__of_sharpened_logits__is_what_sharpened_them(void **state)
{
    (void)state;
    static const double silent[] = {0};
    for (double sharpness = 0.5; sharpness < 5; sharpness *= 2) {
        draw(sharpness, silent, 1);
        const float *const members[] = {rows[0]};
        const calibrate_set set = set_of(members, 1);
        const double found = (double)calibrate_temperature(&set, 0);
        assert_true(fabs(found / sharpness - 1) < 0.06); /* 3,428 draws */
        assert_true(loss_at(rows[0], found) < loss_at(rows[0], found * 1.001));
        assert_true(loss_at(rows[0], found) < loss_at(rows[0], found / 1.001));
    }
}

static void temperature__that_is_nowhere_least__is_at_an_end(void **state)
{
    (void)state;
    static const float sure[] = {0.9f, 0.1f, 0.2f, 0.8f};
    static const int32_t right[] = {0, 1}, wrong[] = {1, 0};
    static const bool nobody[] = {false, false};
    const float *const members[] = {sure};
    calibrate_set set = {members, 1, right, NULL, 2, 2};
    assert_true(calibrate_temperature(&set, 0) < 0.1f); /* the slope fades into its rounding */
    set.truth = wrong;
    assert_true(calibrate_temperature(&set, 0) == HEAD_MAX_TEMPERATURE);
    set.is_known = nobody;
    assert_true(calibrate_temperature(&set, 0) == 1);
}

static double mixture_loss(const calibrate_set *set, const double *weights)
{
    double loss = 0;
    for (int64_t i = 0; i < set->count; i++) {
        double p = 0;
        for (int m = 0; m < set->member_count; m++)
            p += weights[m] * (double)set->members[m][i * CLASSES + truth[i]];
        loss -= is_known[i] ? log(p) : 0;
    }
    return loss;
}

/* Log loss is convex: what no small step betters is least. */
static void weights__are_least_and_sum_to_one(void **state)
{
    (void)state;
    static const double noise[] = {0.2, 0.8, 5};
    double weights[3], moved[3];
    draw(1, noise, 3);
    const float *const members[] = {rows[0], rows[1], rows[2]};
    const calibrate_set set = set_of(members, 3);
    assert_ok(calibrate_weights(weights, &set));
    assert_true(fabs(weights[0] + weights[1] + weights[2] - 1) < 1e-9);
    assert_true(weights[0] > weights[1] && weights[1] > weights[2]);
    assert_true(weights[2] >= 0 && weights[2] < 0.02);
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            const double step = fmin(0.01, weights[from]);
            memcpy(moved, weights, sizeof moved);
            moved[from] -= step;
            moved[to] += step;
            assert_true(mixture_loss(&set, moved) >= mixture_loss(&set, weights) - 1e-6);
        }
}

static void weights__of_one_who_is_there_twice__are_the_same_mixture(void **state)
{
    (void)state;
    static const double noise[] = {0.2, 0.8};
    double two[2], three[3];
    draw(1, noise, 2);
    const float *const members[] = {rows[0], rows[1], rows[0]};
    calibrate_set set = set_of(members, 2);
    assert_ok(calibrate_weights(two, &set));
    set.member_count = 3;
    assert_ok(calibrate_weights(three, &set));
    assert_true(fabs(two[0] - three[0] - three[2]) < 1e-4 && fabs(three[0] - three[2]) < 1e-9);
}

/* Three who each know two classes and guess at the third; and one who knows none. */
static void greedy__takes_who_adds_and_leaves_who_does_not(void **state)
{
    (void)state;
    static const float knows_0_1[] = {.8f, .1f, .1f, .1f, .8f, .1f, .4f, .4f, .2f},
                       knows_2[] = {.3f, .3f, .4f, .3f, .3f, .4f, .0f, .0f, 1.f},
                       knows_none[] = {.1f, .8f, .1f, .8f, .1f, .1f, .8f, .1f, .1f};
    static const int32_t three[] = {0, 1, 2};
    const float *const members[] = {knows_none, knows_0_1, knows_2};
    const calibrate_set set = {members, 3, three, NULL, 3, 3};
    double weights[3];
    assert_ok(calibrate_greedy(weights, &set, 20));
    assert_true(weights[0] == 0 && weights[1] > 0 && weights[2] > 0);
    assert_true(fabs(weights[1] + weights[2] - 1) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(temperature__of_sharpened_logits__is_what_sharpened_them),
        cmocka_unit_test(temperature__that_is_nowhere_least__is_at_an_end),
        cmocka_unit_test(weights__are_least_and_sum_to_one),
        cmocka_unit_test(weights__of_one_who_is_there_twice__are_the_same_mixture),
        cmocka_unit_test(greedy__takes_who_adds_and_leaves_who_does_not),
    };
    return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
