/* Fewer vertices for the same shape, and smooth maps through pairs of places. */
#include "base/mem.h"
#include "synth/mesh/simplify.h"
#include "synth/mesh/warp.h"
#include "testing.h"

#include <math.h>
#include <stdbool.h>

enum { SIDE = 21, VERTICES = SIDE * SIDE, TRIANGLES = 2 * (SIDE - 1) * (SIDE - 1) };

/* A square of SIDE x SIDE vertices, with a hill in its middle; the second pose has another on the left. */
typedef struct {
    vec3 poses[2][VERTICES];
    uint32_t triangles[TRIANGLES][3];
    uint8_t part[TRIANGLES];
    float weight[VERTICES];
    simplify_mesh mesh;
} hills;

static float hill(float x, float y, float at_x)
{
    return 0.3f * expf(-40 * ((x - at_x) * (x - at_x) + (y - 0.5f) * (y - 0.5f)));
}

static void hills_make(hills *h, int poses)
{
    *h = (hills){0};
    for (int v = 0; v < VERTICES; v++) {
        float x = (float)(v % SIDE) / (SIDE - 1), y = (float)(v / SIDE) / (SIDE - 1);
        h->poses[0][v] = v3(x, y, hill(x, y, 0.7f));
        h->poses[1][v] = v3(x, y, hill(x, y, 0.7f) + hill(x, y, 0.2f));
        h->weight[v] = 1;
    }
    for (int t = 0; t < TRIANGLES; t++) {
        uint32_t a = (uint32_t)(t / 2 / (SIDE - 1) * SIDE + t / 2 % (SIDE - 1)), b = a + SIDE;
        uint32_t two[2][3] = {{a, a + 1, b + 1}, {a, b + 1, b}};
        memcpy(h->triangles[t], two[t % 2], sizeof two[0]);
        h->part[t] = h->poses[0][a].x > 0.45f;
    }
    h->mesh = (simplify_mesh){VERTICES, TRIANGLES, poses, h->triangles[0], h->part, h->poses[0], h->weight};
}

static int used_vertices(const hills *h, bool used[VERTICES])
{
    int n = 0;
    memset(used, 0, VERTICES * sizeof *used);
    for (int t = 0; t < TRIANGLES; t++)
        for (int i = 0; i < 3 && h->part[t] != SIMPLIFY_GONE; i++) {
            n += !used[h->triangles[t][i]];
            used[h->triangles[t][i]] = true;
        }
    return n;
}

/* The height of a pose of the simplified surface over (x, y). */
static float height_at(const hills *h, int pose, float x, float y)
{
    for (int t = 0; t < TRIANGLES; t++) {
        if (h->part[t] == SIMPLIFY_GONE)
            continue;
        vec3 a = h->poses[pose][h->triangles[t][0]], b = h->poses[pose][h->triangles[t][1]],
             c = h->poses[pose][h->triangles[t][2]];
        float area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        float u = ((b.x - x) * (c.y - y) - (b.y - y) * (c.x - x)) / area;
        float v = ((c.x - x) * (a.y - y) - (c.y - y) * (a.x - x)) / area;
        if (u >= -1e-4f && v >= -1e-4f && u + v <= 1.0001f)
            return u * a.z + v * b.z + (1 - u - v) * c.z;
    }
    fail_msg("no surface over %g, %g", (double)x, (double)y);
    return 0;
}

static float worst_error(const hills *h, int pose)
{
    float worst = 0;
    for (int v = 0; v < VERTICES; v++) {
        vec3 p = h->poses[pose][v];
        worst = fmaxf(worst, fabsf(height_at(h, pose, p.x, p.y) - p.z));
    }
    return worst;
}

static void synth__simplify__keeps_the_shape_and_one_surface(void **state)
{
    (void)state;
    static hills h;
    bool used[VERTICES];
    hills_make(&h, 1);
    assert_ok(simplify(&h.mesh, 120));
    int vertices = used_vertices(&h, used), triangles = 0;
    assert_true(vertices <= 120 && vertices > 100);
    double area = 0;
    for (int t = 0; t < TRIANGLES; t++) {
        if (h.part[t] == SIMPLIFY_GONE)
            continue;
        triangles++;
        vec3 a = h.poses[0][h.triangles[t][0]], b = h.poses[0][h.triangles[t][1]], c = h.poses[0][h.triangles[t][2]];
        float twice = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        assert_true(twice > 0); /* none turned over */
        area += (double)twice / 2;
    }
    assert_float_equal(area, 1, 1e-4); /* no holes, and the square's border is where it was */
    assert_true(triangles < 2 * vertices);
    assert_true(worst_error(&h, 0) < 0.03f);
}

static void synth__simplify__keeps_what_only_a_pose_shows(void **state)
{
    (void)state;
    static hills one, two;
    hills_make(&one, 1);
    hills_make(&two, 2);
    assert_ok(simplify(&one.mesh, 100));
    assert_ok(simplify(&two.mesh, 100));
    assert_true(worst_error(&one, 1) > 0.1f); /* where the first is flat it keeps nothing */
    assert_true(worst_error(&two, 1) < 0.04f);
}

static void synth__simplify__keeps_borders_between_parts(void **state)
{
    (void)state;
    static hills h;
    double area[2] = {0};
    hills_make(&h, 1);
    assert_ok(simplify(&h.mesh, 60));
    for (int t = 0; t < TRIANGLES; t++) {
        if (h.part[t] == SIMPLIFY_GONE)
            continue;
        vec3 a = h.poses[0][h.triangles[t][0]], b = h.poses[0][h.triangles[t][1]], c = h.poses[0][h.triangles[t][2]];
        area[h.part[t]] += (double)((b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)) / 2;
    }
    assert_float_equal(area[0], 0.5, 1e-4);
    assert_float_equal(area[1], 0.5, 1e-4);
}

static void synth__simplify__ends_where_nothing_can_go(void **state)
{
    (void)state;
    static hills h;
    bool used[VERTICES];
    hills_make(&h, 1);
    assert_ok(simplify(&h.mesh, 0));
    int left = used_vertices(&h, used);
    if (left < 3 || left > 60)
        fail_msg("%d vertices are left", left);
}

static void synth__warp__goes_through_its_pairs(void **state)
{
    (void)state;
    vec3 from[] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 1}, {0.3f, 0.4f, 0.6f}};
    vec3 to[6];
    warp w;
    for (int i = 0; i < 6; i++)
        to[i] = v3(2 * from[i].x + 1, from[i].y - from[i].z, 0.5f * from[i].z);
    assert_ok(warp_create(&w, from, to, 6)); /* an affine map is found as it is, and goes on outside */
    vec3 out = warp_apply(&w, v3(3, -2, 5));
    assert_true(v3_length(v3_sub(out, v3(7, -7, 2.5f))) < 1e-4f);
    warp_free(&w);
    to[5] = v3_add(to[5], v3(0.2f, 0, -0.1f));
    assert_ok(warp_create(&w, from, to, 6));
    for (int i = 0; i < 6; i++)
        assert_true(v3_length(v3_sub(warp_apply(&w, from[i]), to[i])) < 1e-5f);
    warp_free(&w);
}

static void synth__warp__refuses_pairs_that_fix_none(void **state)
{
    (void)state;
    vec3 flat[] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {1, 1, 0}},
         twice[] = {{0, 0, 0}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 1}};
    warp w;
    assert_failure(warp_create(&w, flat, flat, 4), MIEN_ERR_ARG, "4 pairs of places do not fix a map");
    assert_failure(warp_create(&w, twice, twice, 5), MIEN_ERR_ARG, "5 pairs of places do not fix a map");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__simplify__keeps_the_shape_and_one_surface),
        cmocka_unit_test(synth__simplify__keeps_what_only_a_pose_shows),
        cmocka_unit_test(synth__simplify__keeps_borders_between_parts),
        cmocka_unit_test(synth__simplify__ends_where_nothing_can_go),
        cmocka_unit_test(synth__warp__goes_through_its_pairs),
        cmocka_unit_test(synth__warp__refuses_pairs_that_fix_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
