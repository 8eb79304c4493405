/* Sets whose people have the heads of several face models. The second one is the first under other names, with modes of
 * a population for an identity: what a set does with it is told by labels.csv. */
#include "base/mem.h"
#include "packed.h"
#include "synth/set/plan.h"

#include <stdbool.h>

enum { PEOPLE = 20, COUNT = 6 * PEOPLE, MODES = 5 };

/* Saves the packed face with MODES of its identity targets as modes. */
static void save_population(const packed_face *p, char path[112], const char *source)
{
    static const char *const names[MODES] = {"pca/000", "pca/001", "pca/002", "pca/003", "pca/004"};
    face_model f = *p->face;
    snprintf(path, 112, "%s/other.safetensors", p->folder);
    f.source = source;
    f.identity.count = MODES;
    f.identity.names = (const char **)names;
    assert_ok(face_model_save(&f, path));
}

static synth_options options_for(const packed_face *p, char out[112], const char *name, const char *const *more)
{
    synth_options o = SYNTH_OPTIONS_INIT;
    snprintf(out, 112, "%s/%s", p->folder, name);
    o.out = out;
    o.face_path = p->path;
    o.scene = p->scene;
    o.more_faces = more;
    o.more_face_count = 1;
    o.count = COUNT;
    o.identities = PEOPLE;
    o.size = 16;
    o.threads = 2;
    return o;
}

static mien_status run_set(const synth_options *o)
{
    progress nobody = {0};
    return synth_run(o, &nobody);
}

/* What a row says of a person: which model, whether all that a shape shows is told, and the first beside it. */
typedef struct {
    int64_t identity;
    bool is_other, is_told, is_tone_told;
} row;

static int read_rows(row rows[COUNT], const char *folder)
{
    char path[160], *text;
    size_t length;
    int columns = 0, n = 0, age = -1, male = -1, asian = -1, tone = -1, model = -1;
    snprintf(path, sizeof path, "%s/labels.csv", folder);
    assert_ok(file_read(&text, &length, path, 0));
    char *line = text, *end;
    for (bool is_header = true; (end = strchr(line, '\n')); line = end + 1, is_header = false) {
        *end = 0;
        char *fields[256], *at = line;
        int count = 0;
        for (; at; count++) {
            fields[count] = at;
            at = strchr(at, ',');
            if (at)
                *at++ = 0;
        }
        if (is_header) {
            columns = count;
            for (int i = 0; i < count; i++) {
                age = strcmp(fields[i], "age") == 0 ? i : age;
                male = strcmp(fields[i], "male") == 0 ? i : male;
                asian = strcmp(fields[i], "asian") == 0 ? i : asian;
                tone = strcmp(fields[i], "skin_tone") == 0 ? i : tone;
                model = strcmp(fields[i], "face_model") == 0 ? i : model;
            }
            assert_true(age > 0 && male > 0 && asian > 0 && tone > 0);
            assert_int_equal(model, count - 1);
            continue;
        }
        assert_int_equal(count, columns);
        assert_true(n < COUNT);
        bool is_told = atof(fields[age]) > 0 && atof(fields[male]) >= 0 && atof(fields[asian]) >= 0;
        bool is_none = atof(fields[age]) == -1 && atof(fields[male]) == -1 && atof(fields[asian]) == -1;
        assert_true(is_told != is_none);
        bool is_other = strcmp(fields[model], "population") == 0;
        assert_true(is_other || strcmp(fields[model], "anny") == 0);
        rows[n++] = (row){atoll(fields[1]), is_other, is_told, atof(fields[tone]) >= 0};
    }
    mem_free(text);
    return n;
}

static void synth__cast__gives_each_person_one_head(void **state)
{
    packed_face *p = packed_of(state);
    char other[112], out[112], again[112];
    const char *const more[] = {other};
    static row a[COUNT], b[COUNT];
    save_population(p, other, "population 1");
    synth_options o = options_for(p, out, "mixed", more), second = options_for(p, again, "mixed_again", more);
    assert_ok(run_set(&o));
    assert_int_equal(read_rows(a, out), COUNT);
    int others = 0;
    for (int i = 0; i < COUNT; i++) {
        others += a[i].is_other;
        assert_true(a[i].is_told == !a[i].is_other); /* nobody knows what age a mode shows */
        assert_true(a[i].is_tone_told);
        for (int k = 0; k < i; k++)
            assert_true(a[k].identity != a[i].identity || a[k].is_other == a[i].is_other);
    }
    assert_true(others > COUNT / 5 && others < COUNT * 4 / 5);
    second.threads = 1;
    assert_ok(run_set(&second));
    assert_int_equal(read_rows(b, again), COUNT);
    assert_memory_equal(a, b, sizeof a);
}

static void synth__cast__keeps_to_the_share(void **state)
{
    packed_face *p = packed_of(state);
    char other[112], out[112];
    const char *const more[] = {other};
    static row rows[COUNT];
    save_population(p, other, "population 1");
    synth_options o = options_for(p, out, "share", more);
    o.force = true;
    for (int percent = 100; percent >= 10; percent -= 90) {
        int others = 0;
        o.face_share = (float)percent / 100;
        assert_ok(run_set(&o));
        assert_int_equal(read_rows(rows, out), COUNT);
        for (int i = 0; i < COUNT; i++)
            others += rows[i].is_other;
        assert_true(percent == 100 ? others == 0 : others > COUNT / 2);
    }
    o.face_share = 1.5f;
    assert_failure(run_set(&o), MIEN_ERR_ARG, "share of 1.5 (wanted at most 8, 0..1)");
}

static void synth__cast__goes_on_with_the_same_heads_alone(void **state)
{
    packed_face *p = packed_of(state);
    char other[112], out[112];
    const char *const more[] = {other};
    save_population(p, other, "population 1");
    synth_options o = options_for(p, out, "resumed", more);
    assert_ok(run_set(&o));
    o.resume = true;
    assert_ok(run_set(&o));
    o.face_share = 0.25f;
    assert_failure(run_set(&o), MIEN_ERR_IO, "face_share: the set was begun with");
    o.face_share = 0;
    o.more_face_count = 0;
    assert_failure(run_set(&o), MIEN_ERR_IO, "face: the set was begun with \"anny 0.6.2 + population 1\"");
}

static void synth__cast__tells_its_heads_apart(void **state)
{
    packed_face *p = packed_of(state);
    char other[112], out[112];
    const char *const more[] = {other};
    save_population(p, other, "anny 7");
    synth_options o = options_for(p, out, "alike", more);
    assert_failure(run_set(&o), MIEN_ERR_ARG, "another model of anny");
    o.more_face_count = 8;
    assert_failure(run_set(&o), MIEN_ERR_ARG, "face: 9 models");
    assert_ok(file_write_all(other, "", 0));
    o.more_face_count = 1;
    assert_failure(run_set(&o), MIEN_ERR_FORMAT, "other.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__cast__gives_each_person_one_head),
        cmocka_unit_test(synth__cast__keeps_to_the_share),
        cmocka_unit_test(synth__cast__goes_on_with_the_same_heads_alone),
        cmocka_unit_test(synth__cast__tells_its_heads_apart),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
