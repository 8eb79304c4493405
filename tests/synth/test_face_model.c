/* The face file: what was saved is what is loaded, and nothing that a renderer could stumble over is let in. */
#include "base/mem.h"
#include "format/safetensors.h"
#include "no_memory.h"
#include "synth/face/face_model.h"

#include <math.h>

enum { VERTICES = 6, QUADS = 2, ENTRIES = 3 };

/* A face of two quads, two identity targets and one expression unit: small enough to break in one place at a time. */
typedef struct {
    float neutral[VERTICES][3], occlusion[VERTICES], masks[VERTICES][MASK_COUNT], uv[QUADS][4][2];
    uint32_t quads[QUADS][4];
    uint8_t region[QUADS];
    uint32_t identity_offsets[3], identity_vertices[ENTRIES], expression_offsets[2], expression_vertices[1];
    float identity_deltas[ENTRIES][3], expression_deltas[1][3];
    const char *meta;
} small_face;

#define SMALL_META                                                                                                     \
    "{\"version\":1,\"source\":\"test\",\"licence\":\"CC0-1.0\",\"identity\":[\"nose/a\",\"nose/b\"],\"expression\":[" \
    "\"jawOpen\"]}"

static small_face small_face_make(void)
{
    small_face f = {
        .quads = {{0, 1, 2, 3}, {1, 4, 5, 2}},
        .region = {REGION_SKIN, REGION_MOUTH},
        .identity_offsets = {0, 2, 3},
        .identity_vertices = {0, 4, 5},
        .expression_offsets = {0, 1},
        .expression_vertices = {2},
        .identity_deltas = {{0.1f, 0, 0}, {0, 0.2f, 0}, {0, 0, 0.3f}},
        .expression_deltas = {{0, -0.4f, 0}},
        .meta = SMALL_META,
    };
    for (int v = 0; v < VERTICES; v++) {
        f.neutral[v][0] = (float)(v % 3);
        f.neutral[v][1] = (float)(v / 3);
        f.occlusion[v] = 0.5f;
        f.masks[v][MASK_LIPS] = 0.25f;
    }
    return f;
}

enum { TENSORS = 12 };

static void small_face_tensors(st_tensor t[TENSORS], small_face *f)
{
    const st_tensor all[TENSORS] = {
        {"neutral", ST_F32, 2, {VERTICES, 3}, f->neutral, sizeof f->neutral},
        {"occlusion", ST_F32, 1, {VERTICES}, f->occlusion, sizeof f->occlusion},
        {"masks", ST_F32, 2, {VERTICES, MASK_COUNT}, f->masks, sizeof f->masks},
        {"quads", ST_U32, 2, {QUADS, 4}, f->quads, sizeof f->quads},
        {"uv", ST_F32, 3, {QUADS, 4, 2}, f->uv, sizeof f->uv},
        {"identity.offsets", ST_U32, 1, {3}, f->identity_offsets, sizeof f->identity_offsets},
        {"identity.vertices", ST_U32, 1, {ENTRIES}, f->identity_vertices, sizeof f->identity_vertices},
        {"identity.deltas", ST_F32, 2, {ENTRIES, 3}, f->identity_deltas, sizeof f->identity_deltas},
        {"expression.offsets", ST_U32, 1, {2}, f->expression_offsets, sizeof f->expression_offsets},
        {"expression.vertices", ST_U32, 1, {1}, f->expression_vertices, sizeof f->expression_vertices},
        {"expression.deltas", ST_F32, 2, {1, 3}, f->expression_deltas, sizeof f->expression_deltas},
        {"region", ST_U8, 1, {QUADS}, f->region, sizeof f->region},
    };
    memcpy(t, all, sizeof all);
}

typedef struct {
    char folder[64], path[96];
} place;

static int setup(void **state)
{
    static place p;
    temp_folder_make(p.folder, sizeof p.folder);
    snprintf(p.path, sizeof p.path, "%s/face.safetensors", p.folder);
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    temp_folder_remove(((place *)*state)->folder);
    return 0;
}

static void write_tensors(const char *path, const st_tensor *t, size_t count, const char *meta)
{
    st_metadata m = {"mien_face", meta};
    assert_ok(st_write(path, t, count, &m, meta ? 1 : 0));
}

static void synth__face_model__keeps_all_it_is_given(void **state)
{
    place *p = *state;
    small_face f = small_face_make();
    st_tensor t[TENSORS];
    face_model *a, *b;
    char again[112];
    small_face_tensors(t, &f);
    write_tensors(p->path, t, TENSORS, f.meta);
    assert_ok(face_model_load(&a, p->path));
    assert_int_equal(a->vertex_count, VERTICES);
    assert_int_equal(a->quad_count, QUADS);
    assert_string_equal(a->licence, "CC0-1.0");
    assert_int_equal(face_targets_find(&a->identity, "nose/b"), 1);
    assert_int_equal(face_targets_find(&a->identity, "nose"), -1);

    snprintf(again, sizeof again, "%s/again.safetensors", p->folder);
    assert_ok(face_model_save(a, again));
    assert_ok(face_model_load(&b, again));
    assert_memory_equal(b->neutral, f.neutral, sizeof f.neutral);
    assert_memory_equal(b->quads, f.quads, sizeof f.quads);
    assert_memory_equal(b->mask, f.masks, sizeof f.masks);
    assert_memory_equal(b->region, f.region, sizeof f.region);
    assert_memory_equal(b->identity.deltas, f.identity_deltas, sizeof f.identity_deltas);
    assert_string_equal(b->expression.names[0], "jawOpen");
    assert_string_equal(b->source, "test");
    face_model_free(a);
    face_model_free(b);
}

static void synth__targets__move_their_vertices_by_weight(void **state)
{
    place *p = *state;
    small_face f = small_face_make();
    st_tensor t[TENSORS];
    face_model *m;
    small_face_tensors(t, &f);
    write_tensors(p->path, t, TENSORS, f.meta);
    assert_ok(face_model_load(&m, p->path));
    vec3 posed[VERTICES] = {0};
    face_targets_add(&m->identity, 0, 2, posed);
    face_targets_add(&m->identity, 1, -1, posed);
    assert_float_equal(posed[0].x, 0.2f, 1e-6f);
    assert_float_equal(posed[4].y, 0.4f, 1e-6f);
    assert_float_equal(posed[5].z, -0.3f, 1e-6f);
    assert_float_equal(posed[1].x, 0, 0);
    face_model_free(m);
}

/* One break each. */
static void far_quad(small_face *f, st_tensor *t)
{
    (void)t, f->quads[1][2] = VERTICES;
}
static void odd_region(small_face *f, st_tensor *t)
{
    (void)t, f->region[0] = REGION_COUNT;
}
static void nan_vertex(small_face *f, st_tensor *t)
{
    (void)t, f->neutral[2][1] = NAN;
}
static void infinite_delta(small_face *f, st_tensor *t)
{
    (void)t, f->expression_deltas[0][0] = INFINITY;
}
static void far_target(small_face *f, st_tensor *t)
{
    (void)t, f->identity_vertices[2] = 60000;
}
static void falling_offsets(small_face *f, st_tensor *t)
{
    (void)t, f->identity_offsets[1] = 3, f->identity_offsets[2] = 2;
}
static void late_start(small_face *f, st_tensor *t)
{
    (void)t, f->identity_offsets[0] = 1;
}
static void long_offset(small_face *f, st_tensor *t)
{
    (void)t, f->identity_offsets[1] = 4000000000u;
}
static void name_twice(small_face *f, st_tensor *t)
{
    (void)t;
    f->meta = "{\"version\":1,\"source\":\"s\",\"licence\":\"l\",\"identity\":[\"a\",\"a\"],\"expression\":[\"x\"]}";
}
static void name_missing(small_face *f, st_tensor *t)
{
    (void)t;
    f->meta = "{\"version\":1,\"source\":\"s\",\"licence\":\"l\",\"identity\":[\"a\"],\"expression\":[\"x\"]}";
}
static void name_no_text(small_face *f, st_tensor *t)
{
    (void)t;
    f->meta = "{\"version\":1,\"source\":\"s\",\"licence\":\"l\",\"identity\":[\"a\",3],\"expression\":[\"x\"]}";
}
static void newer(small_face *f, st_tensor *t)
{
    (void)t, f->meta = "{\"version\":2}";
}
static void no_json(small_face *f, st_tensor *t)
{
    (void)t, f->meta = "{";
}
static void no_meta(small_face *f, st_tensor *t)
{
    (void)t, f->meta = NULL;
}
static void no_quads(small_face *f, st_tensor *t)
{
    (void)f, t[3].name = "faces";
}
static void wrong_type(small_face *f, st_tensor *t)
{
    (void)f, t[3].dtype = ST_I32;
}
static void flat_uv(small_face *f, st_tensor *t)
{
    (void)f, t[4].rank = 2, t[4].dims[1] = 8;
}
static void few_masks(small_face *f, st_tensor *t)
{
    (void)f, t[2].dims[0] = VERTICES - 1, t[2].bytes -= MASK_COUNT * 4;
}

static void synth__face_model__refuses_what_it_cannot_trust(void **state)
{
    static const struct {
        void (*break_it)(small_face *f, st_tensor *t);
        const char *message;
    } cases[] = {
        {far_quad, "quads: entry 6 is 6 (wanted below 6)"},
        {odd_region, "region: quad 0 is 9 (wanted 0..8)"},
        {nan_vertex, "neutral: value 7 is nan"},
        {infinite_delta, "expression.deltas: value 0 is inf"},
        {far_target, "identity.vertices: entry 2 is 60000 (wanted below 6)"},
        {falling_offsets, "identity.offsets: runs from 0 to 2 (wanted 0 to 3)"},
        {late_start, "identity.offsets: runs from 1"},
        {long_offset, "identity.offsets: entry 1 is 4000000000"},
        {name_twice, "identity: a appears twice"},
        {name_missing, "identity.offsets: dimension 0 is 3 (wanted 2)"},
        {name_no_text, "identity: entry 1 is no text"},
        {newer, "face file version 2 (wanted 1)"},
        {no_json, "line 1"},
        {no_meta, "mien_face is missing: not a face file"},
        {no_quads, "tensor quads is missing"},
        {wrong_type, "quads: type I32 (wanted U32)"},
        {flat_uv, "uv: 2 dimensions (wanted 3)"},
        {few_masks, "masks: dimension 0 is 5 (wanted 6)"},
    };
    place *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small_face f = small_face_make();
        st_tensor t[TENSORS];
        face_model *m = NULL;
        small_face_tensors(t, &f);
        cases[i].break_it(&f, t);
        write_tensors(p->path, t, TENSORS, f.meta);
        assert_failure(face_model_load(&m, p->path), MIEN_ERR_FORMAT, cases[i].message);
        assert_int_equal(strncmp(mien_error(), p->path, strlen(p->path)), 0);
        assert_null(m);
    }
}

static void synth__face_model__falling_inside_is_found(void **state)
{
    /* the ends are right, the middle is not: three targets with offsets 0 2 1 3 */
    place *p = *state;
    small_face f = small_face_make();
    st_tensor t[TENSORS];
    face_model *m;
    const uint32_t offsets[4] = {0, 2, 1, 3};
    small_face_tensors(t, &f);
    t[5] = (st_tensor){"identity.offsets", ST_U32, 1, {4}, offsets, sizeof offsets};
    write_tensors(
        p->path, t, TENSORS,
        "{\"version\":1,\"source\":\"s\",\"licence\":\"l\",\"identity\":[\"a\",\"b\",\"c\"],\"expression\":[\"x\"]}");
    assert_failure(face_model_load(&m, p->path), MIEN_ERR_FORMAT, "identity.offsets: entry 2 falls");
}

static void synth__face_model__other_files_are_refused(void **state)
{
    place *p = *state;
    face_model *m;
    float x = 1;
    st_tensor t = {"x", ST_F32, 1, {1}, &x, sizeof x};
    assert_failure(face_model_load(&m, "nowhere/face.safetensors"), MIEN_ERR_IO, "nowhere/face.safetensors");
    write_tensors(p->path, &t, 1, SMALL_META);
    assert_failure(face_model_load(&m, p->path), MIEN_ERR_FORMAT, "not a face file");
    assert_failure(face_model_load_bytes(&m, "text", 4, "x.safetensors"), MIEN_ERR_FORMAT, "x.safetensors");
    assert_failure(face_model_load_bytes(&m, "", 0, "empty"), MIEN_ERR_FORMAT, "empty");
}

static mien_status load_and_free(void *path)
{
    face_model *m;
    mien_status st = face_model_load(&m, path);
    if (st == MIEN_OK)
        face_model_free(m);
    return st;
}

static void synth__face_model__survives_lack_of_memory(void **state)
{
    place *p = *state;
    small_face f = small_face_make();
    st_tensor t[TENSORS];
    small_face_tensors(t, &f);
    write_tensors(p->path, t, TENSORS, f.meta);
    fail_each_allocation(load_and_free, p->path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__face_model__keeps_all_it_is_given),
        cmocka_unit_test(synth__targets__move_their_vertices_by_weight),
        cmocka_unit_test(synth__face_model__refuses_what_it_cannot_trust),
        cmocka_unit_test(synth__face_model__falling_inside_is_found),
        cmocka_unit_test(synth__face_model__other_files_are_refused),
        cmocka_unit_test(synth__face_model__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
