/* Faces in memory are those of the set's folder, whoever draws them and from wherever one begins. */
#include "base/str.h"
#include "image/image.h"
#include "packed.h"
#include "synth/set/faces.h"
#include "synth/set/labels.h"

enum { COUNT = 28, SIZE = 32 }; /* the last person has fewer faces than the others */

static synth_options options_for(const packed_face *p, synth_task task)
{
    synth_options o = SYNTH_OPTIONS_INIT;
    o.face_path = p->path;
    o.scene = p->scene;
    o.count = COUNT;
    o.identities = 5;
    o.size = SIZE;
    o.task = task;
    if (task == SYNTH_MTL)
        o.missing = SYNTH_AFF_WILD2;
    return o;
}

static faces *open_faces(const packed_face *p, const synth_options *o, int rank, int ranks, int threads)
{
    faces *f;
    assert_ok(faces_open(&f, &(faces_options){o, p->h, rank, ranks, threads}));
    return f;
}

/* The next face, as the JPEG that the set's folder has. */
static void assert_is_in_folder(const faces_face *face, const char *folder, int quality)
{
    char path[256], *file;
    size_t file_length, length;
    uint8_t *bytes;
    snprintf(path, sizeof path, "%s/%s", folder, face->name);
    assert_ok(file_read(&file, &file_length, path, 0));
    assert_ok(image_encode_jpeg(&bytes, &length, face->picture, quality));
    if (length != file_length || memcmp(bytes, file, length) != 0)
        fail_msg("face %lld is not %s", (long long)face->number, path);
    mem_free(bytes);
    mem_free(file);
}

/* The row of labels.csv that the face's values make, but for the picture's name. */
static void assert_labels(const faces *f, const faces_face *face, const char *table)
{
    const char *row = strstr(table, face->name);
    assert_non_null(row);
    row += strlen(face->name);
    for (int i = 0; i < faces_column_count(f); i++) {
        const face_column *c = faces_column(f, i);
        assert_int_equal(*row++, ',');
        const size_t length = strcspn(row, ",\n");
        char field[64];
        snprintf(field, sizeof field, "%.*s", (int)length, row);
        row += length;
        char *end;
        (void)strtof(field, &end);
        assert_true(c->words || *end == '\0'); /* what is no number is one of the column's words */
        if (!face->told[i])
            assert_true(strcmp(field, "-1") == 0 || strcmp(field, "-5") == 0);
        else if (c->words)
            assert_string_equal(field, c->words[(int)face->values[i]]);
        else
            assert_true(fabs(strtod(field, NULL) - (double)face->values[i]) < 1e-4 * (1 + fabs(strtod(field, NULL))));
    }
    assert_int_equal(*row, '\n');
}

static int column_of(const faces *f, const char *name)
{
    for (int i = 0; i < faces_column_count(f); i++)
        if (strcmp(faces_column(f, i)->name, name) == 0)
            return i;
    fail_msg("no column %s", name);
    return -1;
}

static void assert_is_the_folder(const packed_face *p, const synth_options *o, int ranks, int threads)
{
    char path[256], *table;
    size_t length;
    bool is_seen[COUNT] = {false};
    snprintf(path, sizeof path, "%s/labels.csv", o->out);
    assert_ok(file_read(&table, &length, path, 0));
    for (int rank = 0; rank < ranks; rank++) {
        faces *f = open_faces(p, o, rank, ranks, threads);
        faces_face face;
        int64_t last = -1;
        for (;;) {
            assert_ok(faces_next(&face, f));
            if (face.number < 0)
                break;
            assert_true(face.number > last && face.number < COUNT && !is_seen[face.number]);
            is_seen[last = face.number] = true;
            assert_is_in_folder(&face, o->out, (int)face.values[column_of(f, "jpeg_quality")]);
            assert_labels(f, &face, table);
        }
        assert_ok(faces_next(&face, f)); /* and stays at the end */
        assert_int_equal(face.number, -1);
        faces_close(f);
    }
    for (int i = 0; i < COUNT; i++)
        assert_true(is_seen[i]);
    mem_free(table);
}

static void synth__faces__are_those_of_the_folder(void **state)
{
    packed_face *p = packed_of(state);
    for (int task = SYNTH_LSD; task <= SYNTH_MTL; task++) {
        char out[128];
        progress nobody = {0};
        synth_options o = options_for(p, (synth_task)task);
        snprintf(out, sizeof out, "%s/folder%d", p->folder, task);
        o.out = out;
        assert_ok(synth_run(&o, &nobody));
        for (int threads = 1; threads <= 3; threads++)
            assert_is_the_folder(p, &o, 1, threads);
        assert_is_the_folder(p, &o, 3, 1);
        assert_is_the_folder(p, &o, 8, 2); /* more than there are people */
    }
}

static void synth__faces__begin_where_they_are_told(void **state)
{
    packed_face *p = packed_of(state);
    synth_options o = options_for(p, SYNTH_LSD);
    faces *whole = open_faces(p, &o, 0, 1, 2);
    static uint8_t pixels[COUNT][3 * SIZE * SIZE];
    faces_face face;
    for (int i = 0; i < COUNT; i++) {
        assert_ok(faces_next(&face, whole));
        memcpy(pixels[i], face.picture->pixels, sizeof pixels[i]);
    }
    const int64_t begins[] = {13, 0, 27, 5, 28, 100, 6};
    for (size_t k = 0; k < sizeof begins / sizeof *begins; k++) {
        assert_ok(faces_seek(whole, begins[k]));
        for (int64_t i = begins[k]; i < begins[k] + 8; i++) {
            assert_ok(faces_next(&face, whole));
            assert_int_equal(face.number, i < COUNT ? i : -1);
            if (i < COUNT)
                assert_memory_equal(face.picture->pixels, pixels[i], sizeof pixels[i]);
        }
    }
    faces_close(whole);
    faces *half = open_faces(p, &o, 1, 2, 1); /* faces 6 to 11, 18 to 23 */
    const int64_t first[][2] = {{0, 6}, {6, 6}, {9, 9}, {12, 18}, {23, 23}, {24, -1}};
    for (size_t k = 0; k < sizeof first / sizeof *first; k++) {
        assert_ok(faces_seek(half, first[k][0]));
        assert_ok(faces_next(&face, half));
        assert_int_equal(face.number, first[k][1]);
    }
    assert_failure(faces_seek(half, -1), MIEN_ERR_ARG, "face -1 (wanted 0 or more)");
    faces_close(half);
}

static void synth__faces__impossible_shares_are_named(void **state)
{
    packed_face *p = packed_of(state);
    synth_options o = options_for(p, SYNTH_LSD);
    faces *f = NULL;
    assert_failure(faces_open(&f, &(faces_options){&o, p->h, 2, 2, 1}), MIEN_ERR_ARG, "rank: 2 of 2");
    assert_failure(faces_open(&f, &(faces_options){&o, p->h, 0, 0, 1}), MIEN_ERR_ARG, "rank: 0 of 0");
    o.size = 4;
    assert_failure(faces_open(&f, &(faces_options){&o, p->h, 0, 1, 1}), MIEN_ERR_ARG, "size: 4");
    assert_null(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__faces__are_those_of_the_folder),
        cmocka_unit_test(synth__faces__begin_where_they_are_told),
        cmocka_unit_test(synth__faces__impossible_shares_are_named),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
