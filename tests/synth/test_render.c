/* Pictures: they repeat to the byte, show who and what they are told to, and people differ in shape. */
#include "no_memory.h"
#include "synth/mesh/raster.h"
#include "synth/set/expression.h"
#include "synth/studio.h"

#include <math.h>

enum { SIZE = STUDIO_SIZE };

static double difference(const uint8_t *a, const uint8_t *b)
{
    double sum = 0;
    for (int i = 0; i < 3 * SIZE * SIZE; i++)
        sum += abs(a[i] - b[i]);
    return sum / (3 * SIZE * SIZE);
}

static void synth__render__repeats_to_the_byte(void **state)
{
    packed_face *p = packed_of(state);
    studio s = studio_open(p, 1), other = studio_open(p, 2);
    static uint8_t first[3 * SIZE * SIZE];
    face_expression e;
    expression_plain(&e, p->h, EXPRESSION_SURPRISE);
    studio_take(&s, e.units);
    memcpy(first, s.im.pixels, sizeof first);
    renderer_set_person(s.r, &other.who, other.weights); /* somebody else in between leaves nothing behind */
    float none[UNIT_COUNT] = {0};
    assert_ok(render_face(&s.im, s.r, none, &other.how));
    assert_true(difference(first, s.im.pixels) > 5);
    studio_take(&s, e.units);
    assert_memory_equal(first, s.im.pixels, sizeof first);
    studio_close(&s);
    studio_close(&other);
}

static void synth__render__each_unit_is_seen(void **state)
{
    packed_face *p = packed_of(state);
    studio s = studio_open(p, 3);
    static uint8_t neutral[3 * SIZE * SIZE];
    float units[UNIT_COUNT] = {0};
    studio_take(&s, units);
    memcpy(neutral, s.im.pixels, sizeof neutral);
    for (int u = 0; u < UNIT_COUNT; u++) {
        units[u] = 1;
        if (u == TONGUE_OUT)
            units[JAW_OPEN] = 1; /* seen through an open mouth */
        studio_take(&s, units);
        if (difference(neutral, s.im.pixels) < 0.05)
            fail_msg("%s changes nothing", unit_names[u]);
        units[u] = 0;
    }
    studio_close(&s);
}

static void synth__render__expressions_have_different_mean_pictures(void **state)
{
    enum { PEOPLE = 5 };
    packed_face *p = packed_of(state);
    static double mean[EXPRESSION_COUNT][3 * SIZE * SIZE];
    for (uint64_t k = 0; k < PEOPLE; k++) {
        studio s = studio_open(p, 10 + k);
        for (int c = 0; c <= EXPRESSION_SURPRISE; c++) {
            face_expression e;
            expression_plain(&e, p->h, (expression_class)c);
            studio_take(&s, e.units);
            for (int i = 0; i < 3 * SIZE * SIZE; i++)
                mean[c][i] += s.im.pixels[i] / (double)PEOPLE;
        }
        studio_close(&s);
    }
    for (int a = 0; a <= EXPRESSION_SURPRISE; a++)
        for (int b = 0; b < a; b++) {
            double sum = 0;
            for (int i = 0; i < 3 * SIZE * SIZE; i++)
                sum += fabs(mean[a][i] - mean[b][i]) / (3 * SIZE * SIZE);
            if (sum < 0.7)
                fail_msg("%s and %s differ by %.3f grey levels on the mean", expression_names[a], expression_names[b],
                         sum);
        }
}

static void synth__render__people_differ_in_shape(void **state)
{
    enum { PEOPLE = 8 };
    packed_face *p = packed_of(state);
    size_t n = (size_t)p->h->vertex_count;
    vec3 *shape[PEOPLE];
    for (uint64_t k = 0; k < PEOPLE; k++) {
        studio s = studio_open(p, k);
        shape[k] = calloc(n, sizeof(vec3));
        assert_non_null(shape[k]);
        head_shape(p->h, shape[k], s.weights);
        studio_close(&s);
    }
    for (int a = 0; a < PEOPLE; a++)
        for (int b = 0; b < a; b++) {
            double sum = 0, most = 0;
            for (int v = 0; v < p->face->vertex_count; v++) {
                double d = v3_length(v3_sub(shape[a][v], shape[b][v]));
                sum += d * d / p->face->vertex_count;
                most = d > most ? d : most;
            }
            /* decimetres: 2.5 mm on the mean, 1 cm somewhere, and nobody's head explodes */
            if (sqrt(sum) < 0.025 || most < 0.1 || most > 1)
                fail_msg("people %d and %d: rms %.4f, most %.4f", a, b, sqrt(sum), most);
        }
    for (int k = 0; k < PEOPLE; k++)
        free(shape[k]);
}

static void synth__render__turns_the_way_the_labels_say(void **state)
{
    (void)state;
    const float radian = 0.01745329f;
    mat3 left = mat3_head(20 * radian, 0, 0), up = mat3_head(0, 20 * radian, 0), roll = mat3_head(0, 0, 20 * radian);
    assert_true(mat3_apply(&left, v3(0, 0, 1)).x > 0.3f);
    assert_true(mat3_apply(&up, v3(0, 0, 1)).y > 0.3f);
    assert_true(mat3_apply(&roll, v3(1, 0, 0)).y > 0.3f);
    mat3 all = mat3_head(0.3f, -0.2f, 0.1f);
    vec3 v = mat3_apply_back(&all, mat3_apply(&all, v3(1, 2, 3)));
    assert_float_equal(v.x, 1, 1e-5f);
    assert_float_equal(v.y, 2, 1e-5f);
    assert_float_equal(v.z, 3, 1e-5f);
}

static void synth__render__refuses_impossible_sizes(void **state)
{
    renderer *r = NULL;
    const head *h = packed_of(state)->h;
    assert_failure(renderer_create(&r, h, RENDER_MIN_SIZE - 1), MIEN_ERR_ARG, "size 15 (wanted 16..2048)");
    assert_failure(renderer_create(&r, h, RENDER_MAX_SIZE + 1), MIEN_ERR_ARG, "size 2049");
    assert_ok(renderer_create(&r, h, RENDER_MIN_SIZE));
    renderer_free(r);
    renderer_free(NULL);
}

static void synth__render__any_drawn_shot_works(void **state)
{
    packed_face *p = packed_of(state);
    for (uint64_t i = 0; i < 40; i++) {
        studio s = studio_open(p, 100 + i);
        rng r = rng_at(9, 0, i, RNG_TEST);
        face_expression e;
        shot_draw(&s.how, &s.who, p->scene, &r);
        expression_draw(&e, p->h, (expression_class)(i % EXPRESSION_COUNT), p->scene, &r);
        studio_take(&s, e.units);
        double sum = 0, squares = 0;
        for (int k = 0; k < 3 * SIZE * SIZE; k++) {
            sum += s.im.pixels[k];
            squares += (double)s.im.pixels[k] * s.im.pixels[k];
        }
        double mean = sum / (3 * SIZE * SIZE), deviation = sqrt(squares / (3 * SIZE * SIZE) - mean * mean);
        if (mean < 25 || mean > 225 || deviation < 15)
            fail_msg("face %d: mean %.1f, deviation %.1f", (int)i, mean, deviation);
        studio_close(&s);
    }
}

/* Two triangles that share an edge cover each sample of their square exactly once. */
static int covered[32 * 32];
static void count_sample(void *context, const raster_sample *s)
{
    (void)context;
    covered[s->y * 32 + s->x]++;
    assert_float_equal(s->b[0] + s->b[1] + s->b[2], 1, 1e-5f);
}

static void synth__raster__neighbours_neither_overlap_nor_gap(void **state)
{
    (void)state;
    const vec3 a = {2.5f, 3.5f, 0}, b = {27.5f, 6.25f, 0}, c = {25.5f, 29.5f, 0}, d = {4.125f, 26.5f, 0};
    raster_triangle t;
    memset(covered, 0, sizeof covered);
    assert_true(raster_setup(&t, a, b, c, 32, 32, true));
    raster_walk(&t, count_sample, NULL);
    assert_true(raster_setup(&t, a, c, d, 32, 32, true));
    raster_walk(&t, count_sample, NULL);
    int inside = 0;
    for (int i = 0; i < 32 * 32; i++) {
        assert_true(covered[i] <= 1);
        inside += covered[i];
    }
    for (int y = 8; y < 25; y++)
        for (int x = 6; x < 24; x++)
            assert_int_equal(covered[y * 32 + x], 1);
    double area = 0.5 * fabs((c.x - a.x) * (d.y - b.y) - (c.y - a.y) * (d.x - b.x));
    assert_true(fabs(inside - area) < 12);

    assert_false(raster_setup(&t, a, b, c, 32, 32, false)); /* clockwise on the screen: its back */
    assert_true(raster_setup(&t, a, c, b, 32, 32, false));
    assert_false(raster_setup(&t, a, a, b, 32, 32, true));
    assert_false(raster_setup(&t, v3(NAN, 0, 0), b, c, 32, 32, true));
    assert_false(raster_setup(&t, v3(1e30f, 0, 0), b, c, 32, 32, true));
    assert_false(raster_setup(&t, v3(-9, -9, 0), v3(-5, -9, 0), v3(-5, -3, 0), 32, 32, true));
}

static mien_status make_renderer(void *h)
{
    renderer *r;
    mien_status st = renderer_create(&r, h, SIZE);
    if (st == MIEN_OK)
        renderer_free(r);
    return st;
}

static void synth__render__survives_lack_of_memory(void **state)
{
    fail_each_allocation(make_renderer, packed_of(state)->h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__raster__neighbours_neither_overlap_nor_gap),
        cmocka_unit_test(synth__render__repeats_to_the_byte),
        cmocka_unit_test(synth__render__each_unit_is_seen),
        cmocka_unit_test(synth__render__expressions_have_different_mean_pictures),
        cmocka_unit_test(synth__render__people_differ_in_shape),
        cmocka_unit_test(synth__render__turns_the_way_the_labels_say),
        cmocka_unit_test(synth__render__refuses_impossible_sizes),
        cmocka_unit_test(synth__render__any_drawn_shot_works),
        cmocka_unit_test(synth__render__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
