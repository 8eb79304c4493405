/* Packing ICT-FaceKit: a file with one thing wrong is told by that thing, ICT's blendshapes become our units, and the
 * real head has all that a head needs. The real file lies beside the checkout, or where MIEN_ICT_FACEKIT says. */
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/face_labels.h"
#include "format/safetensors.h"
#include "synth/face/face_model.h"
#include "synth/face/head.h"
#include "synth/face/ict_source.h"
#include "testing.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define HALF_ONE 0x3C00
#define HALF_MINUS_TWO 0xC000
#define HALF_NAN 0x7E00
#define HALF_SMALLEST 0x0001

enum { VERTICES = 6, QUADS = 2, UVS = 4, UNITS = 2, TENSORS = 6 };

/* Two faces, one of them a triangle: small enough to break in one place at a time. */
typedef struct {
    float neutral[VERTICES][3], uv[UVS][2];
    uint16_t identity[1][VERTICES][3], expression[UNITS][VERTICES][3];
    int32_t faces[QUADS][4], faces_uv[QUADS][4];
    const char *names;
    st_tensor tensors[TENSORS];
} small_source;

static void small_source_make(small_source *s)
{
    *s = (small_source){
        .faces = {{0, 1, 2, 3}, {1, 4, 5, -1}},
        .faces_uv = {{0, 1, 2, 3}, {1, 2, 3, -1}},
        .names = "[\"jawOpen\",\"browDown_L\"]",
    };
    for (int v = 0; v < VERTICES; v++)
        s->neutral[v][0] = (float)v;
    s->identity[0][2][1] = HALF_MINUS_TWO;
    s->expression[1][5][2] = HALF_SMALLEST;
    const st_tensor tensors[TENSORS] = {
        {"neutral", ST_F32, 2, {VERTICES, 3}, s->neutral, sizeof s->neutral},
        {"identity", ST_F16, 3, {1, VERTICES, 3}, s->identity, sizeof s->identity},
        {"expression", ST_F16, 3, {UNITS, VERTICES, 3}, s->expression, sizeof s->expression},
        {"faces", ST_I32, 2, {QUADS, 4}, s->faces, sizeof s->faces},
        {"faces_uv", ST_I32, 2, {QUADS, 4}, s->faces_uv, sizeof s->faces_uv},
        {"uv", ST_F32, 2, {UVS, 2}, s->uv, sizeof s->uv},
    };
    memcpy(s->tensors, tensors, sizeof tensors);
}

typedef struct {
    char folder[64], source[96], out[96];
} place;

static int setup(void **state)
{
    static place p;
    temp_folder_make(p.folder, sizeof p.folder);
    snprintf(p.source, sizeof p.source, "%s/ict.safetensors", p.folder);
    snprintf(p.out, sizeof p.out, "%s/face.safetensors", p.folder);
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    temp_folder_remove(((place *)*state)->folder);
    return 0;
}

static void write_source(const char *path, const st_tensor *tensors, size_t count, const char *names)
{
    st_metadata meta = {"expression_names", names};
    assert_ok(st_write(path, tensors, count, &meta, names ? 1 : 0));
}

static void synth__pack_ict__reads_what_is_written(void **state)
{
    place *p = *state;
    small_source s;
    ict_source read;
    arena *memory;
    small_source_make(&s);
    write_source(p->source, s.tensors, TENSORS, s.names);
    assert_ok(arena_create(&memory, 0));
    assert_ok(ict_source_load(&read, memory, p->source));
    assert_int_equal(read.vertex_count, VERTICES);
    assert_int_equal(read.mode_count, 1);
    assert_true(read.identity[2].y == -2);
    assert_true(read.expression[VERTICES + 5].z == 0x1p-24f);
    assert_int_equal(read.quads[7], -1);
    assert_int_equal(ict_source_find(&read, "browDown_L"), 1);
    assert_int_equal(ict_source_find(&read, "browDown"), -1);
    arena_free(memory);
    assert_failure(face_pack(p->source, p->out), MIEN_ERR_FORMAT, ": 6 vertices (wanted 26719");
    assert_false(file_exists(p->out));
}

/* Each breaks one thing of a whole source. */
static void far_corner(small_source *s)
{
    s->faces[1][1] = VERTICES;
}
static void no_corner(small_source *s)
{
    s->faces[0][2] = -1;
}
static void far_texture(small_source *s)
{
    s->faces_uv[0][1] = UVS;
}
static void other_corners(small_source *s)
{
    s->faces_uv[1][3] = 0;
}
static void nan_vertex(small_source *s)
{
    s->neutral[3][1] = NAN;
}
static void nan_mode(small_source *s)
{
    s->identity[0][1][0] = HALF_NAN;
}
static void far_vertex(small_source *s)
{
    s->neutral[0][0] = 1e6f;
}
static void other_size(small_source *s)
{
    s->tensors[1].dims[1] = VERTICES - 1;
    s->tensors[1].bytes -= 6;
}
static void other_units(small_source *s)
{
    s->tensors[2].dims[0] = 1;
    s->tensors[2].bytes /= 2;
}
static void other_type(small_source *s)
{
    s->tensors[3].dtype = ST_U32;
}
static void other_rank(small_source *s)
{
    s->tensors[0].rank = 1;
    s->tensors[0].dims[0] = 3 * (int64_t)VERTICES;
}
static void renamed(small_source *s)
{
    s->tensors[5].name = "uvs";
}
static void no_names(small_source *s)
{
    s->names = NULL;
}
static void name_twice(small_source *s)
{
    s->names = "[\"jawOpen\",\"jawOpen\"]";
}
static void name_is_number(small_source *s)
{
    s->names = "[\"jawOpen\",7]";
}
static void names_are_none(small_source *s)
{
    s->names = "{}";
}
static void names_are_cut(small_source *s)
{
    s->names = "[\"jawOpen\",";
}

static void synth__pack_ict__names_the_fault(void **state)
{
    static const struct {
        void (*damage)(small_source *s);
        const char *message;
    } cases[] = {
        {far_corner, "faces: entry 5 is 6 (wanted 0..5)"},
        {no_corner, "faces: entry 2 is -1 (wanted 0..5)"},
        {far_texture, "faces_uv: entry 1 is 4 (wanted 0..3)"},
        {other_corners, "faces_uv: face 1 has another number of corners than in faces"},
        {nan_vertex, "neutral: value 10 is nan"},
        {nan_mode, "identity: value 3 is nan"},
        {far_vertex, "neutral: value 0 is 1e+06 (wanted at most 1000)"},
        {other_size, "identity: dimension 1 is 5 (wanted 6)"},
        {other_units, "expression_names: 2 names (wanted 1)"},
        {other_type, "faces: U32 of 2 dimensions (wanted I32 of 2)"},
        {other_rank, "neutral: F32 of 1 dimensions (wanted F32 of 2)"},
        {renamed, "tensor uv is missing"},
        {no_names, "metadata key expression_names is missing"},
        {name_twice, "expression_names: jawOpen (wanted names, none twice)"},
        {name_is_number, "expression_names: an entry is no text"},
        {names_are_none, "expression_names: 0 names (wanted 2)"},
        {names_are_cut, "ict.safetensors"},
    };
    place *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small_source s;
        small_source_make(&s);
        cases[i].damage(&s);
        write_source(p->source, s.tensors, TENSORS, s.names);
        assert_failure(face_pack(p->source, p->out), MIEN_ERR_FORMAT, cases[i].message);
        assert_true(strncmp(mien_error(), p->source, strlen(p->source)) == 0 && !strchr(mien_error(), '\n'));
        assert_false(file_exists(p->out));
    }
}

static void synth__pack_ict__refuses_a_file_that_is_cut_short(void **state)
{
    place *p = *state;
    small_source s;
    char *bytes;
    size_t length;
    small_source_make(&s);
    write_source(p->source, s.tensors, TENSORS, s.names);
    assert_ok(file_read(&bytes, &length, p->source, 0));
    for (size_t n = 16; n < length; n += 64) {
        assert_ok(file_write_all(p->source, bytes, n));
        assert_failure(face_pack(p->source, p->out), MIEN_ERR_FORMAT, "ict.safetensors");
    }
    mem_free(bytes);
}

#define SMALL_MESH                                                                                                     \
    "# ICT\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nusemtl M\nf 1/1 2/2 3/1 4/1\nf 1/1 3/2 4/2\n"

static void write_mesh(const place *p, const char *name, const char *text)
{
    char path[160];
    assert_ok(file_make_folders(p->out));
    snprintf(path, sizeof path, "%s/%s.obj", p->out, name);
    assert_ok(file_write_all(path, text, strlen(text)));
}

static void synth__pack_ict__reads_a_folder_of_meshes(void **state)
{
    place *p = *state;
    ict_source read;
    arena *memory;
    char raised[sizeof SMALL_MESH + 8] = SMALL_MESH;
    memcpy(strstr(raised, "v 1 1 0"), "v 1 1 5", 7);
    write_mesh(p, "generic_neutral_mesh", SMALL_MESH);
    assert_failure(face_pack(p->out, p->source), MIEN_ERR_FORMAT, ": 0 identity and 0 expression meshes");
    write_mesh(p, "identity000", raised);
    write_mesh(p, "jawOpen", SMALL_MESH);
    write_mesh(p, "browDown_L", raised);
    assert_ok(arena_create(&memory, 0));
    assert_ok(ict_source_load_folder(&read, memory, p->out));
    assert_int_equal(read.vertex_count, 4);
    assert_int_equal(read.mode_count, 1);
    assert_int_equal(read.unit_count, 2);
    assert_true(read.identity[2].z == 5 && read.identity[1].z == 0);
    assert_true(read.expression[4 * ict_source_find(&read, "browDown_L") + 2].z == 5);
    assert_true(read.expression[4 * ict_source_find(&read, "jawOpen") + 2].z == 0);
    assert_int_equal(read.quads[3], 3);
    assert_int_equal(read.quads[7], -1);
    assert_int_equal(read.quad_uv[7], -1);
    arena_free(memory);
    assert_failure(face_pack(p->out, p->source), MIEN_ERR_FORMAT, ": 4 vertices (wanted 26719");
    write_mesh(p, "mouthLeft", "v 9 9 9\n" SMALL_MESH);
    assert_failure(face_pack(p->out, p->source), MIEN_ERR_FORMAT,
                   "mouthLeft.obj: 5 vertices (wanted 4, as generic_neutral_mesh.obj)");
    write_mesh(p, "mouthLeft", "v 0 0 0\nv 1 nan 0\n");
    assert_failure(face_pack(p->out, p->source), MIEN_ERR_FORMAT, "mouthLeft.obj: 2 vertices");
    temp_folder_remove(p->out);
}

/* A source of the true size whose vertices are spread over a box, with one quad of skin on the forehead; what is no
 * landmark stands where it disturbs nothing. */
enum { ALL = 26719, ALL_UNITS = 57, FIRST = 20 };

static const char *const all_units[ALL_UNITS] = {
    "PupilDilate_L",   "PupilDilate_R", "browDown_L",   "browDown_R",       "browInnerUp_L",    "browInnerUp_R",
    "browOuterUp_L",   "browOuterUp_R", "cheekPuff_L",  "cheekPuff_R",      "cheekRaiser_L",    "cheekRaiser_R",
    "cheekSquint_L",   "cheekSquint_R", "eyeBlink_L",   "eyeBlink_R",       "eyeLookDown_L",    "eyeLookDown_R",
    "eyeLookIn_L",     "eyeLookIn_R",   "eyeLookOut_L", "eyeLookOut_R",     "eyeLookUp_L",      "eyeLookUp_R",
    "eyeSquint_L",     "eyeSquint_R",   "eyeWide_L",    "eyeWide_R",        "jawForward",       "jawLeft",
    "jawOpen",         "jawRight",      "mouthClose",   "mouthDimple_L",    "mouthDimple_R",    "mouthFrown_L",
    "mouthFrown_R",    "mouthFunnel",   "mouthLeft",    "mouthLowerDown_L", "mouthLowerDown_R", "mouthPress_L",
    "mouthPress_R",    "mouthPucker",   "mouthRight",   "mouthRollLower",   "mouthRollUpper",   "mouthShrugLower",
    "mouthShrugUpper", "mouthSmile_L",  "mouthSmile_R", "mouthStretch_L",   "mouthStretch_R",   "mouthUpperUp_L",
    "mouthUpperUp_R",  "noseSneer_L",   "noseSneer_R"};

static int unit_index(const char *name)
{
    for (int i = 0; i < ALL_UNITS; i++)
        if (strcmp(all_units[i], name) == 0)
            return i;
    fail_msg("no unit %s", name);
    return -1;
}

/* Writes it without `left_out` (NULL: with all). Vertex FIRST goes 1 cm along x for the two inner brows, and -2 cm for
 * the left half of the smile; identity 0 moves it 1 cm up. */
static void write_full_source(const char *path, const char *left_out)
{
    float(*neutral)[3] = calloc(ALL, sizeof *neutral), uv[1][2] = {{0.5f, 0.5f}};
    uint16_t(*identity)[3] = calloc(ALL, sizeof *identity),
    (*moves)[3] = calloc((size_t)ALL_UNITS * ALL, sizeof *moves);
    int32_t faces[1][4] = {{FIRST, FIRST + 1, FIRST + 2, FIRST + 3}}, faces_uv[1][4] = {{0}};
    char names[2048] = "[";
    assert_true(neutral && identity && moves);
    for (uint32_t v = 0; v < ALL; v++)
        for (uint32_t i = 0; i < 3; i++)
            neutral[v][i] = (float)((v * 2654435761u + i * 40503u) * 2246822519u >> 16) / 65536 * 20 - 10;
    static const float square[4][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}};
    for (int i = 0; i < 4; i++) {
        neutral[FIRST + i][0] = square[i][0];
        neutral[FIRST + i][1] = square[i][1] + 9;
        neutral[FIRST + i][2] = 9;
    }
    identity[FIRST][1] = HALF_ONE;
    moves[(size_t)unit_index("browInnerUp_L") * ALL + FIRST][0] = HALF_ONE;
    moves[(size_t)unit_index("browInnerUp_R") * ALL + FIRST][0] = HALF_ONE;
    moves[(size_t)unit_index("mouthSmile_L") * ALL + FIRST][0] = HALF_MINUS_TWO;
    for (int i = 0; i < ALL_UNITS; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s\"%s%s\"", i ? "," : "", all_units[i],
                 left_out && strcmp(left_out, all_units[i]) == 0 ? "?" : "");
    snprintf(names + strlen(names), sizeof names - strlen(names), "]");
    const st_tensor tensors[] = {
        {"neutral", ST_F32, 2, {ALL, 3}, neutral, ALL * sizeof *neutral},
        {"identity", ST_F16, 3, {1, ALL, 3}, identity, ALL * sizeof *identity},
        {"expression", ST_F16, 3, {ALL_UNITS, ALL, 3}, moves, (size_t)ALL_UNITS * ALL * sizeof *moves},
        {"faces", ST_I32, 2, {1, 4}, faces, sizeof faces},
        {"faces_uv", ST_I32, 2, {1, 4}, faces_uv, sizeof faces_uv},
        {"uv", ST_F32, 2, {1, 2}, uv, sizeof uv},
    };
    write_source(path, tensors, TENSORS, names);
    free(neutral);
    free(identity);
    free(moves);
}

/* The displacement of vertex 0 by a target. */
static vec3 first_move(const face_targets *t, const char *name)
{
    int i = face_targets_find(t, name);
    assert_true(i >= 0);
    return t->offsets[i] < t->offsets[i + 1] && t->vertices[t->offsets[i]] == 0 ? t->deltas[t->offsets[i]] : v3_all(0);
}

static void synth__pack_ict__makes_our_units_of_its_blendshapes(void **state)
{
    place *p = *state;
    face_model *f;
    write_full_source(p->source, NULL);
    assert_ok(face_pack(p->source, p->out));
    assert_ok(face_model_load(&f, p->out));
    assert_int_equal(f->vertex_count, 4);
    assert_int_equal(f->quad_count, 1);
    assert_int_equal(f->expression.count, UNIT_COUNT);
    for (int u = 0; u < UNIT_COUNT; u++)
        assert_true(face_targets_find(&f->expression, unit_names[u]) >= 0);
    assert_float_equal(f->neutral[1].x - f->neutral[0].x, 0.1f, 1e-6f); /* centimetres to decimetres */
    assert_float_equal(first_move(&f->identity, "pca/000").y, 0.1f, 1e-6f);
    assert_float_equal(first_move(&f->expression, "browInnerUp").x, 0.17f, 1e-6f);
    assert_float_equal(first_move(&f->expression, "mouthSmileLeft").x, -0.22f, 1e-6f);
    assert_true(first_move(&f->expression, "mouthSmileRight").x == 0);
    assert_true(first_move(&f->expression, "jawOpen").x == 0);
    face_model_free(f);
}

static void synth__pack_ict__misses_a_blendshape(void **state)
{
    place *p = *state;
    write_full_source(p->source, "noseSneer_R");
    assert_failure(face_pack(p->source, p->out), MIEN_ERR_FORMAT, "expression noseSneer_R is missing");
}

/* ---- the real head ---- */

typedef struct {
    face_model *face;
    head *h;
    vec3 *rest, *posed;
} real_head;

/* False, and says so, where the file is not there. */
static bool real_head_open(real_head *out, const place *p)
{
    const char *path = getenv("MIEN_ICT_FACEKIT");
    if (!path)
        path = MIEN_SOURCE_DIR "/../shared/data/ict-facekit/ict_facekit.safetensors";
    if (!file_exists(path)) {
        print_message("skipped: no %s (MIEN_ICT_FACEKIT names another)\n", path);
        return false;
    }
    assert_ok(face_pack(path, p->out));
    assert_ok(face_model_load(&out->face, p->out));
    assert_ok(head_create(&out->h, out->face));
    out->rest = calloc((size_t)out->h->vertex_count, sizeof *out->rest);
    out->posed = calloc((size_t)out->h->vertex_count, sizeof *out->posed);
    assert_true(out->rest && out->posed);
    head_shape(out->h, out->rest, NULL);
    return true;
}

static void real_head_close(real_head *r)
{
    head_free(r->h);
    face_model_free(r->face);
    free(r->rest);
    free(r->posed);
}

/* The vertex that is coloured nearest to a place of MakeHuman's head. */
static int vertex_at(const real_head *r, vec3 where)
{
    int best = 0;
    float nearest = INFINITY;
    for (int v = 0; v < r->face->vertex_count; v++) {
        float d = v3_length(v3_sub(r->face->rest[v], where));
        if (d < nearest) {
            nearest = d;
            best = v;
        }
    }
    assert_true(nearest < 0.05f);
    return best;
}

/* How a unit at weight 1 moves that vertex. */
static vec3 move_of(real_head *r, face_unit unit, vec3 where)
{
    float units[UNIT_COUNT] = {0};
    int v = vertex_at(r, where);
    units[unit] = 1;
    head_pose(r->h, r->posed, r->rest, units);
    return v3_sub(r->posed[v], r->rest[v]);
}

static void synth__pack_ict__finds_the_head(void **state)
{
    real_head r;
    if (!real_head_open(&r, *state))
        skip();
    const face_model *f = r.face;
    int regions[REGION_COUNT] = {0}, lips = 0, lids = 0, ears = 0;
    assert_true(f->vertex_count <= 5700 && f->quad_count <= 6500); /* about MakeHuman's, as fast to draw */
    assert_int_equal(f->identity.count, 100);
    assert_string_equal(f->source, "ict-facekit light");
    assert_non_null(strstr(f->licence, "MIT"));
    for (int q = 0; q < f->quad_count; q++)
        regions[f->region[q]]++;
    for (int i = 0; i < REGION_COUNT; i++)
        assert_true(regions[i] >= 30);
    for (int v = 0; v < f->vertex_count; v++) {
        const float *mask = &f->mask[v * MASK_COUNT];
        vec3 p = f->rest[v];
        /* colour is decided by MakeHuman's places: its lips, lids and ears are where ICT's are */
        if (mask[MASK_LIPS] > 0.5f) {
            lips++;
            assert_true(fabsf(p.x) < 0.27f && p.y > 6.47f && p.y < 6.73f);
        }
        if (mask[MASK_LIDS] > 0.5f) {
            lids++;
            assert_true(fabsf(fabsf(p.x) - 0.31f) < 0.2f && fabsf(p.y - 7.28f) < 0.1f);
        }
        ears += mask[MASK_EARS] > 0.5f;
    }
    assert_true(lips > 100 && lids > 100 && ears > 100);
    for (int side = 0; side < 2; side++) {
        vec3 eye = head_eye_middle(r.h, r.rest, side);
        assert_true(v3_length(v3_sub(eye, v3(side ? -0.309f : 0.309f, 7.284f, 1.245f))) < 0.004f);
        assert_true(v3_length(v3_sub(r.h->eye_middle[side], v3(side ? -0.308f : 0.308f, 7.284f, 1.245f))) < 0.004f);
    }
    assert_true(r.h->rim_count > 10 && r.rest[r.h->rim[0]].y < 5.7f); /* the cut is below the shoulders */
    real_head_close(&r);
}

static void synth__pack_ict__moves_what_each_unit_says(void **state)
{
    static const vec3 brow = {0.11f, 7.52f, 1.51f}, lid = {0.31f, 7.325f, 1.40f}, corner = {0.254f, 6.61f, 1.424f},
                      chin = {0, 6.3f, 1.49f}, lip = {0, 6.69f, 1.596f}, nose = {0.131f, 6.82f, 1.506f};
    real_head r;
    if (!real_head_open(&r, *state))
        skip();
    assert_true(move_of(&r, BROW_INNER_UP, brow).y > 0.04f);
    assert_true(move_of(&r, BROW_DOWN_LEFT, brow).y < -0.03f);
    assert_true(v3_length(move_of(&r, BROW_DOWN_RIGHT, (vec3){0.4f, 7.55f, 1.39f})) < 0.01f);
    assert_true(move_of(&r, EYE_BLINK_LEFT, lid).y < -0.06f);
    assert_true(move_of(&r, EYE_WIDE_LEFT, lid).y > 0.02f);
    vec3 smile = move_of(&r, MOUTH_SMILE_LEFT, corner);
    assert_true(smile.x > 0.04f && smile.y > 0.06f);
    assert_true(v3_length(move_of(&r, MOUTH_SMILE_RIGHT, corner)) < 0.02f);
    assert_true(move_of(&r, MOUTH_FROWN_LEFT, corner).y < -0.04f);
    assert_true(move_of(&r, JAW_OPEN, chin).y < -0.2f);
    assert_true(v3_length(move_of(&r, JAW_OPEN, lip)) < 0.06f);
    assert_true(move_of(&r, NOSE_SNEER_LEFT, nose).y > 0.03f);
    assert_true(r.h->lip_part[JAW_OPEN] > 0.2f && r.h->lip_part[MOUTH_CLOSE] < -0.2f);
    assert_true(fabsf(r.h->lip_part[BROW_DOWN_LEFT]) < 0.005f);
    real_head_close(&r);
}

static void synth__pack_ict__turns_the_eyes_and_closes_the_lids(void **state)
{
    real_head r;
    if (!real_head_open(&r, *state))
        skip();
    static const vec3 pupil = {0.308f, 7.284f, 1.385f};
    assert_true(move_of(&r, EYE_LOOK_OUT_LEFT, pupil).x > 0.04f);
    assert_true(move_of(&r, EYE_LOOK_IN_LEFT, pupil).x < -0.04f);
    assert_true(move_of(&r, EYE_LOOK_UP_LEFT, pupil).y > 0.02f);
    assert_true(move_of(&r, EYE_LOOK_DOWN_LEFT, pupil).y < -0.03f);
    assert_true(v3_length(move_of(&r, EYE_LOOK_DOWN_RIGHT, pupil)) < 1e-6f);
    /* closed, no skin before the eyeball lies inside of it */
    float units[UNIT_COUNT] = {[EYE_BLINK_LEFT] = 1};
    head_pose(r.h, r.posed, r.rest, units);
    vec3 middle = head_eye_middle(r.h, r.posed, 0);
    int checked = 0;
    for (int q = 0; q < r.face->quad_count; q++)
        for (int i = 0; i < 4 && r.face->region[q] == REGION_SKIN; i++) {
            uint32_t v = r.face->quads[4 * q + i];
            vec3 out = v3_sub(r.posed[v], middle);
            if (r.face->mask[v * MASK_COUNT + MASK_LIDS] < 0.5f || out.z < 0.05f)
                continue;
            assert_true(v3_length(out) > 0.1385f);
            checked++;
        }
    assert_true(checked > 50);
    real_head_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__pack_ict__reads_what_is_written),
        cmocka_unit_test(synth__pack_ict__names_the_fault),
        cmocka_unit_test(synth__pack_ict__refuses_a_file_that_is_cut_short),
        cmocka_unit_test(synth__pack_ict__reads_a_folder_of_meshes),
        cmocka_unit_test(synth__pack_ict__makes_our_units_of_its_blendshapes),
        cmocka_unit_test(synth__pack_ict__misses_a_blendshape),
        cmocka_unit_test(synth__pack_ict__finds_the_head),
        cmocka_unit_test(synth__pack_ict__moves_what_each_unit_says),
        cmocka_unit_test(synth__pack_ict__turns_the_eyes_and_closes_the_lids),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
