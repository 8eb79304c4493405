/* Landmarks against the outlines they mark, on faces that move; what is measured in pictures against what they show. */
#include "base/mem.h"
#include "packed.h"
#include "synth/draw/render.h"
#include "synth/face/landmarks.h"
#include "synth/mesh/raster.h"
#include "synth/set/draws.h"
#include "synth/set/plan.h"

#include <string.h>

enum { SIDE = 600, SIZE = 192 };

/* --- landmarks on the head, seen from the front ------------------------------------------------------------------- */

typedef struct {
    const head *h;
    vec3 *posed, *screen;
    float *depth;
    uint32_t *id;
} view;

static void view_draw(view *v, const head *h, const float *units)
{
    *v = (view){.h = h};
    v->posed = test_malloc((size_t)h->vertex_count * sizeof(vec3));
    v->screen = test_malloc((size_t)h->vertex_count * sizeof(vec3));
    v->depth = test_malloc(SIDE * SIDE * sizeof(float));
    v->id = test_malloc(SIDE * SIDE * sizeof(uint32_t));
    head_shape(h, v->screen, NULL);
    head_pose(h, v->posed, v->screen, units);
    for (int i = 0; i < h->vertex_count; i++)
        v->screen[i] = v3(SIDE / 2 + 300 * v->posed[i].x, 300 * (8 - v->posed[i].y), v->posed[i].z);
    for (int i = 0; i < SIDE * SIDE; i++) {
        v->depth[i] = -INFINITY;
        v->id[i] = RASTER_NOTHING;
    }
    raster_draw(v->depth, v->id, SIDE, SIDE, v->screen, h->triangles, 2 * h->quad_count, 0, false);
}

static void view_free(view *v)
{
    test_free(v->posed);
    test_free(v->screen);
    test_free(v->depth);
    test_free(v->id);
}

/* Even-odd: is the sample inside the closed line through landmarks first..first + count - 1? */
static bool is_inside(const view *v, int first, int count, int x, int y)
{
    bool inside = false;
    for (int i = 0, j = count - 1; i < count; j = i++) {
        vec3 a = surface_point_at(&v->h->landmarks.point[first + i], v->screen),
             b = surface_point_at(&v->h->landmarks.point[first + j], v->screen);
        float py = (float)y + 0.5f;
        if ((a.y > py) != (b.y > py) && (float)x + 0.5f < (b.x - a.x) * (py - a.y) / (b.y - a.y) + a.x)
            inside = !inside;
    }
    return inside;
}

/* Of the samples of some materials, the share inside the line; and of those inside, the share that is of them. */
static void overlap(const view *v, int first, int count, const material *wanted, int wanted_count, double *covered,
                    double *filled)
{
    int all = 0, inside = 0, both = 0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            uint32_t id = v->id[y * SIDE + x];
            bool is_wanted = false, is_in = is_inside(v, first, count, x, y);
            for (int k = 0; id != RASTER_NOTHING && k < wanted_count; k++)
                is_wanted |= v->h->quad_material[id / 2] == wanted[k];
            all += is_wanted;
            inside += is_in;
            both += is_wanted && is_in;
        }
    assert_true(all > 50 && inside > 50);
    *covered = both / (double)all;
    *filled = both / (double)inside;
}

static void landmarks__eyes_and_lips__go_around_the_openings(void **state)
{
    packed_face *p = packed_of(state);
    static const struct {
        face_unit unit[2];
    } poses[] = {{{JAW_OPEN, EYE_WIDE_LEFT}},  {{JAW_OPEN, MOUTH_SMILE_LEFT}},     {{MOUTH_UPPER_UP_LEFT, JAW_OPEN}},
                 {{EYE_WIDE_RIGHT, JAW_OPEN}}, {{EYE_LOOK_UP_LEFT, MOUTH_FUNNEL}}, {{JAW_OPEN, JAW_OPEN}}};
    static const material mouth[] = {MATERIAL_MOUTH, MATERIAL_TEETH, MATERIAL_TONGUE}, left[] = {MATERIAL_EYE_LEFT},
                          right[] = {MATERIAL_EYE_RIGHT};
    for (size_t i = 0; i < sizeof poses / sizeof *poses; i++) {
        float units[UNIT_COUNT] = {0};
        double covered, filled;
        view v;
        units[poses[i].unit[0]] = units[poses[i].unit[1]] = 0.8f;
        view_draw(&v, p->h, units);
        overlap(&v, LANDMARK_EYE_RIGHT, 6, right, 1, &covered, &filled);
        assert_true(covered > 0.84 && filled > 0.88); /* six points cut an eye's corners */
        overlap(&v, LANDMARK_EYE_LEFT, 6, left, 1, &covered, &filled);
        assert_true(covered > 0.84 && filled > 0.88); /* six points cut an eye's corners */
        if (units[JAW_OPEN] > 0) {
            overlap(&v, LANDMARK_LIPS_INSIDE, 8, mouth, 3, &covered, &filled);
            assert_true(covered > 0.90 && filled > 0.95);
        }
        view_free(&v);
    }
}

/* iBUG's order: from the picture's left to its right, and what lies above what. */
static void landmarks__order__is_ibugs(void **state)
{
    packed_face *p = packed_of(state);
    vec3 at[LANDMARK_COUNT], *shape = test_malloc((size_t)p->h->vertex_count * sizeof(vec3));
    head_shape(p->h, shape, NULL);
    for (int i = 0; i < LANDMARK_COUNT; i++)
        at[i] = surface_point_at(&p->h->landmarks.point[i], shape);
    test_free(shape);
    /* the head is alike on both sides, and so are its landmarks */
    static const int pairs[][2] = {{0, 16},  {1, 15},  {2, 14},  {3, 13},  {4, 12},  {5, 11},  {6, 10},  {7, 9},
                                   {17, 26}, {18, 25}, {19, 24}, {20, 23}, {21, 22}, {31, 35}, {32, 34}, {36, 45},
                                   {37, 44}, {38, 43}, {39, 42}, {40, 47}, {41, 46}, {48, 54}, {49, 53}, {50, 52},
                                   {59, 55}, {58, 56}, {60, 64}, {61, 63}, {67, 65}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        vec3 a = at[pairs[i][0]], b = at[pairs[i][1]];
        assert_true(a.x < 0 && b.x > 0);
        if (fabsf(a.x + b.x) > 0.02f || fabsf(a.y - b.y) > 0.02f || fabsf(a.z - b.z) > 0.05f)
            fail_msg("%d at %g %g %g, %d at %g %g %g", pairs[i][0] + 1, (double)a.x, (double)a.y, (double)a.z,
                     pairs[i][1] + 1, (double)b.x, (double)b.y, (double)b.z);
    }
    for (int i = 0; i < 16; i++)
        assert_true(at[i].x < at[i + 1].x);
    for (int i = LANDMARK_NOSE; i < LANDMARK_NOSE_TIP; i++)
        assert_true(at[i].y > at[i + 1].y && at[i].z < at[i + 1].z && fabsf(at[i].x) < 0.01f);
    assert_true(at[19].y > at[37].y && at[37].y > at[41].y && at[41].y > at[33].y && at[33].y > at[51].y);
    assert_true(at[51].y > at[62].y && at[62].y > at[66].y - 0.03f && at[66].y > at[57].y && at[57].y > at[8].y);
}

/* --- what is measured in pictures --------------------------------------------------------------------------------- */

typedef struct {
    renderer *r;
    person who;
    float *weights;
    shot how;
    image picture;
    face_marks marks;
} studio;

static void studio_open(studio *s, const packed_face *p, int64_t identity)
{
    synth_options o = SYNTH_OPTIONS_INIT;
    o.scene = p->scene;
    *s = (studio){.weights = calloc((size_t)p->face->identity.count, sizeof(float))};
    assert_ok(renderer_create(&s->r, p->h, SIZE));
    synth_person(&s->who, s->weights, &o, p->h, identity);
    s->who.glasses = false;
    s->who.style = HAIR_BALD;
    renderer_set_person(s->r, &s->who, s->weights);
    shot_studio(&s->how, &s->who);
    s->how.field = 3.2f;
}

static void studio_draw(studio *s, const float *units)
{
    render_begin(s->r);
    assert_ok(render_head(s->r, units, &s->how, &s->marks));
    render_look(s->r, &s->marks);
    assert_ok(render_finish(&s->picture, s->r, &s->how));
}

static void studio_close(studio *s)
{
    renderer_free(s->r);
    image_free(&s->picture);
    free(s->weights);
}

static bool is_seen(const studio *s, int landmark) /* from 1 on, as people name them */
{
    return s->marks.is_seen[MARK_FIVE + landmark - 1];
}

static void marks__seen__is_what_the_camera_sees(void **state)
{
    packed_face *p = packed_of(state);
    const float units[UNIT_COUNT] = {0};
    studio s;
    for (int64_t who = 0; who < 3; who++) { /* noses may hide what lies under them */
        studio_open(&s, p, who);
        s.how.yaw = 0;
        studio_draw(&s, units);
        for (int i = 18; i <= 68; i++)
            if ((i < 32 || i > 36) && !is_seen(&s, i))
                fail_msg("person %d: point %d is hidden from the front", (int)who, i);
        for (int i = 0; i < MARK_FIVE; i++)
            assert_true(s.marks.is_seen[i]);
        for (int side = -1; side <= 1; side += 2) { /* turned to its own left, it shows its right */
            s.how.yaw = 60 * (float)side;
            studio_draw(&s, units);
            for (int i = 0; i < 5; i++) {
                assert_true(is_seen(&s, side > 0 ? 1 + i : 17 - i));
                assert_false(is_seen(&s, side > 0 ? 17 - i : 1 + i));
            }
            assert_true(is_seen(&s, side > 0 ? 37 : 46) && is_seen(&s, side > 0 ? 49 : 55) && is_seen(&s, 31));
            assert_false(is_seen(&s, side > 0 ? 27 : 18)); /* the far brow's end */
        }
        s.how.yaw = 0; /* out of the picture is not seen */
        s.how.shift_x = 0.45f;
        studio_draw(&s, units);
        assert_true(!is_seen(&s, 17) && s.marks.point[MARK_FIVE + 16].x > SIZE && is_seen(&s, 37));
        studio_close(&s);
    }
}

/* Pixels that another background does not change are the person's. Above the chin they are the head's. */
static void marks__head_box__holds_all_of_the_head(void **state)
{
    packed_face *p = packed_of(state);
    const float units[UNIT_COUNT] = {[JAW_OPEN] = 0.3f};
    image other = {0};
    studio s;
    for (int64_t who = 0; who < 4; who++) {
        studio_open(&s, p, who);
        s.who.style = who % 2 ? HAIR_SHORT : HAIR_BALD;
        renderer_set_person(s.r, &s.who, s.weights);
        s.how.yaw = 25 * (float)(who - 1);
        s.how.roll = 8;
        s.how.back_kind = BACKGROUND_BLOBS;
        s.how.back_a = s.how.back_b = v3(0, 0.6f, 0);
        studio_draw(&s, units);
        assert_ok(image_copy(&other, &s.picture));
        s.how.back_a = s.how.back_b = v3(0.6f, 0, 0.6f);
        studio_draw(&s, units);
        const mark_box box = s.marks.head;
        float left = SIZE, right = 0, top = SIZE;
        for (int y = 0; (float)y + 1 < box.bottom; y++)
            for (int x = 0; x < SIZE; x++)
                if (memcmp(&s.picture.pixels[3 * (y * SIZE + x)], &other.pixels[3 * (y * SIZE + x)], 3) == 0) {
                    left = minf(left, (float)x);
                    right = maxf(right, (float)x + 1);
                    top = minf(top, (float)y);
                }
        if (left < box.left - 0.5f || top < box.top - 0.5f || left > box.left + 4 || top > box.top + 4)
            fail_msg("person %d: head from %g, %g (box %g, %g)", (int)who, (double)left, (double)top, (double)box.left,
                     (double)box.top);
        vec3 chin = s.marks.point[MARK_FIVE + LANDMARK_CHIN];
        assert_true(box.bottom > chin.y - 1 && box.bottom < chin.y + 0.25f * (chin.y - box.top));
        for (int i = 0; i < MARK_COUNT; i++) {
            vec3 at = s.marks.point[i];
            assert_true(at.x > box.left - 1 && at.x < box.right + 1 && at.y > box.top && at.y < box.bottom + 1);
            assert_true(at.x >= s.marks.face.left - 0.01f || i < MARK_FIVE);
            assert_true(at.y <= s.marks.face.bottom + 0.01f);
        }
        assert_true(s.marks.shown == 1);
        studio_close(&s);
    }
    image_free(&other);
}

static void marks__gaze__turns_with_eyes_and_head(void **state)
{
    packed_face *p = packed_of(state);
    const float still[UNIT_COUNT] = {0}, left[UNIT_COUNT] = {[EYE_LOOK_OUT_LEFT] = 0.6f, [EYE_LOOK_IN_RIGHT] = 0.6f},
                up[UNIT_COUNT] = {[EYE_LOOK_UP_LEFT] = 0.6f, [EYE_LOOK_UP_RIGHT] = 0.6f};
    studio s;
    studio_open(&s, p, 1);
    studio_draw(&s, still);
    float rest[2][2];
    memcpy(rest, s.marks.gaze, sizeof rest);
    for (int eye = 0; eye < 2; eye++)
        assert_true(fabsf(rest[eye][0]) < 8 && fabsf(rest[eye][1]) < 8);
    studio_draw(&s, left);
    for (int eye = 0; eye < 2; eye++)
        assert_true(s.marks.gaze[eye][0] > rest[eye][0] + 8 && s.marks.gaze[eye][0] < rest[eye][0] + 40);
    studio_draw(&s, up);
    for (int eye = 0; eye < 2; eye++)
        assert_true(s.marks.gaze[eye][1] > rest[eye][1] + 5 && s.marks.gaze[eye][1] < rest[eye][1] + 40);
    s.how.yaw = 25;
    studio_draw(&s, still);
    for (int eye = 0; eye < 2; eye++)
        assert_true(fabsf(s.marks.gaze[eye][0] - rest[eye][0] - 25) < 0.5f);
    s.how.yaw = 0;
    s.how.pitch = -15;
    studio_draw(&s, still);
    for (int eye = 0; eye < 2; eye++)
        assert_true(fabsf(s.marks.gaze[eye][1] - rest[eye][1] + 15) < 0.5f);
    studio_close(&s);
}

/* The similarity follows the head's roll, size and place. */
static void marks__alignment__takes_the_standard_to_the_picture(void **state)
{
    packed_face *p = packed_of(state);
    const float units[UNIT_COUNT] = {0};
    studio s;
    studio_open(&s, p, 2);
    studio_draw(&s, units);
    const face_marks was = s.marks;
    const float scale = hypotf(was.align_a, was.align_b);
    assert_true(fabsf(was.align_b) < 0.05f * scale);
    float x = was.align_a * 56.0252f - was.align_b * 71.7366f + was.align_x; /* the standard's nose */
    float y = was.align_b * 56.0252f + was.align_a * 71.7366f + was.align_y;
    assert_true(fabsf(x - was.point[2].x) < 4 * scale && fabsf(y - was.point[2].y) < 16 * scale);
    s.how.field *= 0.5f;
    s.how.roll = 12;
    studio_draw(&s, units);
    assert_true(fabsf(hypotf(s.marks.align_a, s.marks.align_b) / scale - 2) < 0.06f);
    float turned = atan2f(s.marks.align_b, s.marks.align_a) - atan2f(was.align_b, was.align_a);
    assert_true(fabsf(turned * 57.29578f + 12) < 0.5f);
    studio_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(landmarks__eyes_and_lips__go_around_the_openings),
        cmocka_unit_test(landmarks__order__is_ibugs),
        cmocka_unit_test(marks__seen__is_what_the_camera_sees),
        cmocka_unit_test(marks__head_box__holds_all_of_the_head),
        cmocka_unit_test(marks__gaze__turns_with_eyes_and_head),
        cmocka_unit_test(marks__alignment__takes_the_standard_to_the_picture),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
