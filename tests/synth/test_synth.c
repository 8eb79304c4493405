/* Sets on disk: the same bytes whatever the threads and interruptions, labels that fit the files, folders left alone.
 */
#include "base/mem.h"
#include "base/str.h"
#include "format/csv.h"
#include "image/image.h"
#include "packed.h"
#include "synth/set/plan.h"
#include "synth/set/synth.h"

enum { COUNT = 24, SIZE = 32 };

static synth_options options_for(const packed_face *p, char out[96], const char *name)
{
    synth_options o = SYNTH_OPTIONS_INIT;
    snprintf(out, 96, "%s/%s", p->folder, name);
    o.out = out;
    o.face_path = p->path;
    o.count = COUNT;
    o.identities = 4;
    o.size = SIZE;
    o.threads = 2;
    o.scene = p->scene;
    return o;
}

static mien_status run_set(const synth_options *o)
{
    progress nobody = {0};
    return synth_run(o, &nobody);
}

static void assert_same_file(const char *folder_a, const char *folder_b, const char *name)
{
    char a_path[256], b_path[256], *a, *b;
    size_t a_length, b_length;
    snprintf(a_path, sizeof a_path, "%s/%s", folder_a, name);
    snprintf(b_path, sizeof b_path, "%s/%s", folder_b, name);
    assert_ok(file_read(&a, &a_length, a_path, 0));
    assert_ok(file_read(&b, &b_length, b_path, 0));
    if (a_length != b_length || memcmp(a, b, a_length) != 0)
        fail_msg("%s differs from %s", a_path, b_path);
    mem_free(a);
    mem_free(b);
}

static void assert_same_set(const synth_options *a, const char *folder_b)
{
    for (int64_t i = 0; i < a->count; i++) {
        char name[SYNTH_NAME_BYTES];
        synth_picture_name(name, a, i);
        assert_same_file(a->out, folder_b, name);
    }
    assert_same_file(a->out, folder_b, "labels.csv");
    assert_same_file(a->out, folder_b, "landmarks.csv");
    assert_same_file(a->out, folder_b, "synth.json");
    assert_same_file(a->out, folder_b, "scene.yaml");
}

static void synth__set__is_the_same_on_any_number_of_threads(void **state)
{
    packed_face *p = packed_of(state);
    char one[96], more[96];
    synth_options a = options_for(p, one, "one"), b = options_for(p, more, "three");
    a.threads = 1;
    b.threads = 3;
    scene *wild; /* which has every light, background and degradation */
    assert_ok(scene_load(&wild, "wild", SYNTH_LSD));
    a.scene = b.scene = wild;
    assert_ok(run_set(&a));
    assert_ok(run_set(&b));
    assert_same_set(&a, more);
    scene_free(wild);
}

static void synth__set__goes_on_where_it_stopped(void **state)
{
    packed_face *p = packed_of(state);
    char whole[96], cut[96], path[256];
    synth_options a = options_for(p, whole, "whole"), b = options_for(p, cut, "cut");
    assert_ok(run_set(&a));
    assert_ok(run_set(&b));
    for (int64_t i = 5; i < COUNT; i += 3) {
        char name[SYNTH_NAME_BYTES];
        synth_picture_name(name, &b, i);
        snprintf(path, sizeof path, "%s/%s", cut, name);
        assert_int_equal(unlink(path), 0);
    }
    snprintf(path, sizeof path, "%s/labels.csv", cut);
    assert_int_equal(unlink(path), 0);
    b.resume = true;
    b.threads = 1;
    assert_ok(run_set(&b));
    assert_same_set(&a, cut);
}

/* Who stops a run after some pictures: asked after each, however fast they come. */
typedef struct {
    progress told;
    int64_t after;
} stopper;

static int stop_after(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    (void)what, (void)note;
    stopper *s = payload;
    s->told.last_ns = 0;
    assert_int_equal(total, COUNT);
    return done >= s->after;
}

static void synth__set__stops_when_asked_and_can_be_resumed(void **state)
{
    packed_face *p = packed_of(state);
    char whole[96], cut[96], path[256];
    synth_options a = options_for(p, whole, "unstopped"), b = options_for(p, cut, "stopped");
    stopper one = {{.callback = stop_after, .payload = &one}, .after = 1};
    b.threads = 1;
    assert_failure(synth_run(&b, &one.told), MIEN_ERR_CANCELLED, "stopped after 1 of 24 faces");
    snprintf(path, sizeof path, "%s/labels.csv", cut);
    assert_false(file_exists(path));
    b.resume = true;
    assert_ok(run_set(&b));
    assert_ok(run_set(&a));
    assert_same_set(&a, cut);
}

static void synth__set__leaves_used_folders_alone(void **state)
{
    packed_face *p = packed_of(state);
    char out[96], other[96], path[256];
    synth_options o = options_for(p, out, "used"), fresh = options_for(p, other, "reseeded");
    assert_ok(run_set(&o));
    assert_failure(run_set(&o), MIEN_ERR_IO, "not empty (wanted an empty folder, --resume or --force)");
    o.resume = true;
    o.seed = 2;
    assert_failure(run_set(&o), MIEN_ERR_IO, "synth.json: seed: the set was begun with \"1\" (now \"2\")");
    o.seed = 1;
    o.count = 30;
    assert_failure(run_set(&o), MIEN_ERR_IO, "count: the set was begun with 24 (now 30)");

    /* force replaces the set, all of it and nothing else */
    snprintf(path, sizeof path, "%s/ANGER/notes.txt", out);
    assert_ok(file_write_all(path, "mine", 4));
    o.resume = false;
    o.force = true;
    o.count = fresh.count = 6;
    o.seed = fresh.seed = 2;
    assert_ok(run_set(&o));
    assert_ok(run_set(&fresh));
    assert_same_set(&o, other);
    assert_true(file_exists(path));
    snprintf(path, sizeof path, "%s/ANGER/000007.jpg", out);
    assert_false(file_exists(path));

    snprintf(path, sizeof path, "%s/stranger", p->folder);
    assert_ok(file_make_folders(path));
    o.out = path;
    o.force = false;
    o.resume = true;
    assert_ok(run_set(&o)); /* an empty folder is a start */
    char stray[300];
    snprintf(stray, sizeof stray, "%s/synth.json", path);
    assert_int_equal(unlink(stray), 0);
    assert_failure(run_set(&o), MIEN_ERR_IO, "no synth.json inside");
}

/* A run may be ended between any two of its files; what is there then is a beginning. */
static void synth__set__goes_on_from_its_first_files(void **state)
{
    packed_face *p = packed_of(state);
    char whole[96], cut[96], path[256];
    synth_options a = options_for(p, whole, "first-whole"), b = options_for(p, cut, "first-cut");
    str text = {0};
    assert_ok(run_set(&a));
    assert_ok(file_make_folders(cut));
    assert_ok(scene_print(p->scene, &text));
    snprintf(path, sizeof path, "%s/scene.yaml", cut);
    assert_ok(file_write_all(path, text.text, text.length));
    snprintf(path, sizeof path, "%s/synth.json.part", cut);
    assert_ok(file_write_all(path, "{", 1));
    assert_failure(run_set(&b), MIEN_ERR_IO, "not empty"); /* a scene may be somebody's own */
    b.resume = true;
    assert_ok(run_set(&b));
    assert_same_set(&a, cut);
    str_free(&text);
}

static void synth__set__goes_on_with_its_scene_alone(void **state)
{
    packed_face *p = packed_of(state);
    char out[96];
    synth_options o = options_for(p, out, "scene");
    scene *other;
    static const char text[] = "pose: {yaw: 5}";
    assert_ok(scene_read(&other, "other", text, strlen(text), SYNTH_LSD));
    assert_ok(run_set(&o));
    o.resume = true;
    o.scene = other;
    assert_failure(run_set(&o), MIEN_ERR_IO, "scene.yaml: the set was begun with pose.yaw: {mean: 0");
    o.resume = false;
    o.force = true;
    assert_ok(run_set(&o));
    o.force = false;
    o.resume = true;
    assert_ok(run_set(&o));
    scene_free(other);
}

/* A row of labels.csv as numbers by column name. */
typedef struct {
    char names[CSV_MAX_FIELDS][32];
    int columns;
} header;

static double number_at(const csv_reader *r, const header *h, const char *name)
{
    for (int i = 0; i < h->columns; i++)
        if (strcmp(h->names[i], name) == 0) {
            char text[64];
            double v;
            snprintf(text, sizeof text, "%.*s", (int)r->fields[i].length, r->fields[i].text);
            if (!str_to_double(&v, text))
                fail_msg("%s: '%s'", name, text);
            return v;
        }
    fail_msg("no column %s", name);
    return 0;
}

/* Reads labels.csv; visit is told each row. Returns how many. */
static int read_labels(const char *folder, void (*visit)(const csv_reader *r, const header *h, const char *folder))
{
    char path[256];
    csv_reader r;
    header h = {0};
    bool has_row;
    int rows = 0;
    snprintf(path, sizeof path, "%s/labels.csv", folder);
    assert_ok(csv_open(&r, path));
    assert_ok(csv_next(&r, &has_row));
    assert_true(has_row);
    h.columns = r.count;
    for (int i = 0; i < r.count; i++)
        snprintf(h.names[i], sizeof h.names[i], "%.*s", (int)r.fields[i].length, r.fields[i].text);
    for (;;) {
        assert_ok(csv_next(&r, &has_row));
        if (!has_row)
            break;
        assert_int_equal(r.count, h.columns);
        visit(&r, &h, folder);
        rows++;
    }
    csv_close(&r);
    return rows;
}

static void check_row(const csv_reader *r, const header *h, const char *folder)
{
    char path[400];
    image im = {0};
    static const char *const first[] = {"image", "identity", "expression", "intensity", "valence", "arousal", "AU01"};
    for (int i = 0; i < 7; i++)
        assert_string_equal(h->names[i], first[i]);
    snprintf(path, sizeof path, "%s/%.*s", folder, (int)r->fields[0].length, r->fields[0].text);
    assert_ok(image_read(&im, path));
    assert_int_equal(im.width, SIZE);
    assert_int_equal(im.height, SIZE);
    image_free(&im);
    for (int a = 0; a < AU_COUNT; a++) {
        char name[16];
        snprintf(name, sizeof name, "AU%02d", au_numbers[a]);
        double au = number_at(r, h, name);
        assert_true(au == 0 || au == 1); /* a face that was drawn misses no label */
        strcat(name, "_i");
        double level = number_at(r, h, name);
        assert_true(level >= 0 && level <= 1 && (au == 1 || level < 0.41));
    }
    assert_true(number_at(r, h, "intensity") >= 0 && number_at(r, h, "valence") >= -1 &&
                number_at(r, h, "arousal") <= 1);
    static const char *const columns[] = {"yaw", "pitch", "roll", "age", "beard", "moustache", "glasses"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        number_at(r, h, columns[i]);
    for (int u = 0; u < UNIT_COUNT; u++)
        assert_true(number_at(r, h, unit_names[u]) >= 0 && number_at(r, h, unit_names[u]) <= 1);
}

static void synth__labels__fit_the_files(void **state)
{
    packed_face *p = packed_of(state);
    char lsd[96], mtl[96], path[256];
    synth_options a = options_for(p, lsd, "labels-lsd"), b = options_for(p, mtl, "labels-mtl");
    b.task = SYNTH_MTL;
    assert_ok(run_set(&a));
    assert_ok(run_set(&b));
    assert_int_equal(read_labels(lsd, check_row), COUNT);
    assert_int_equal(read_labels(mtl, check_row), COUNT);
    snprintf(path, sizeof path, "%s/ANGER/000001.jpg", lsd);
    assert_true(file_exists(path));
    snprintf(path, sizeof path, "%s/000001.jpg", mtl);
    assert_true(file_exists(path));
}

static bool is_missing(const csv_reader *r, const header *h, const char *name, const char *marker)
{
    for (int i = 0; i < h->columns; i++)
        if (strcmp(h->names[i], name) == 0)
            return csv_field_equals(r->fields[i], marker);
    fail_msg("no column %s", name);
    return false;
}

/* A task's labels are there or not as a whole, and one task's always are. */
static void check_missing_row(const csv_reader *r, const header *h, const char *folder)
{
    static const char *const of_au[] = {"AU01", "AU26", "AU01_i", "AU26_i", "browDownLeft", "jawOpen", "tongueOut"};
    (void)folder;
    const bool va = is_missing(r, h, "valence", "-5"), expression = is_missing(r, h, "expression", "-1"),
               au = is_missing(r, h, "AU12", "-1");
    assert_false(va && expression && au);
    assert_int_equal(is_missing(r, h, "arousal", "-5"), va);
    assert_int_equal(is_missing(r, h, "intensity", "-1"), expression);
    for (size_t i = 0; i < sizeof of_au / sizeof *of_au; i++)
        assert_int_equal(is_missing(r, h, of_au[i], "-1"), au);
    number_at(r, h, "yaw");
}

static void synth__missing__takes_labels_a_task_at_a_time(void **state)
{
    packed_face *p = packed_of(state);
    char whole[96], less[96];
    synth_options a = options_for(p, whole, "labels-whole"), b = options_for(p, less, "labels-less");
    a.task = b.task = SYNTH_MTL;
    b.missing = SYNTH_AFF_WILD2;
    assert_ok(run_set(&a));
    assert_ok(run_set(&b));
    assert_int_equal(read_labels(less, check_missing_row), COUNT);
    assert_same_file(whole, less, "000001.jpg");
    b.missing = SYNTH_COMPLETE;
    b.resume = true;
    assert_failure(run_set(&b), MIEN_ERR_IO, "missing");
}

static void synth__missing__shares_are_the_published_ones(void **state)
{
    enum { FACES = 100000 };
    const synth_options o = {.task = SYNTH_MTL, .missing = SYNTH_AFF_WILD2, .seed = 3};
    int va = 0, expression = 0, au = 0;
    (void)state;
    for (int64_t i = 0; i < FACES; i++) {
        const synth_told told = synth_labels_told(&o, i);
        va += told.va;
        expression += told.expression;
        au += told.au;
    }
    /* of 142,333 pictures; four standard deviations of a share are .006 */
    assert_true(fabs(va / (double)FACES - 103917 / 142333.) < .006);
    assert_true(fabs(expression / (double)FACES - 90645 / 142333.) < .006);
    assert_true(fabs(au / (double)FACES - 103316 / 142333.) < .006);
}

static void synth__set__shares_out_classes_and_people(void **state)
{
    packed_face *p = packed_of(state);
    char out[96];
    synth_options o = options_for(p, out, "unused");
    int faces[4][EXPRESSION_COUNT] = {0};
    float *weights = calloc((size_t)p->face->identity.count, sizeof *weights);
    assert_non_null(weights);
    o.first_identity = 7;
    for (int64_t i = 0; i < 48; i++) {
        synth_face f;
        person who;
        synth_person(&who, weights, &o, p->h, synth_identity(&o, i));
        synth_face_draw(&f, &o, p->h, &who, i);
        assert_true(f.identity >= 7 && f.identity < 11 && f.number == i);
        faces[f.identity - 7][f.expression.expression]++;
    }
    for (int k = 0; k < 4; k++)
        for (int c = 0; c < EXPRESSION_COUNT; c++)
            assert_int_equal(faces[k][c], c >= EXPRESSION_ANGER && c <= EXPRESSION_SURPRISE ? 2 : 0);

    /* another identity, or another seed, is another person */
    person a, b, c;
    synth_person(&a, weights, &o, p->h, 7);
    synth_person(&b, weights, &o, p->h, 8);
    o.seed = 2;
    synth_person(&c, weights, &o, p->h, 7);
    assert_true(a.seed != b.seed && a.seed != c.seed);
    free(weights);
}

/* One set of each kind, small. */
typedef struct {
    const char *name;
    synth_task task;
    int clip, crowd;
} set_kind;
static const set_kind kinds[] = {{"people", SYNTH_IDENTITY, 0, 0},
                                 {"clips", SYNTH_LSD, 8, 0},
                                 {"moods", SYNTH_MTL, 12, 0},
                                 {"crowd", SYNTH_MTL, 0, 4}};

static synth_options kind_options(const packed_face *p, char out[96], const set_kind *kind, const char *suffix)
{
    char name[32];
    snprintf(name, sizeof name, "%s-%s", kind->name, suffix);
    synth_options o = options_for(p, out, name);
    o.task = kind->task;
    o.clip = kind->clip;
    o.crowd = kind->crowd;
    o.size = kind->crowd ? 64 : SIZE;
    return o;
}

static void synth__kinds__are_the_same_on_threads_and_after_a_stop(void **state)
{
    packed_face *p = packed_of(state);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char one[96], more[96], cut[96], path[256];
        synth_options a = kind_options(p, one, &kinds[k], "one"), b = kind_options(p, more, &kinds[k], "more"),
                      c = kind_options(p, cut, &kinds[k], "cut");
        a.threads = 1;
        b.threads = 3;
        assert_ok(run_set(&a));
        assert_ok(run_set(&b));
        assert_same_set(&a, more);

        stopper nine = {{.callback = stop_after, .payload = &nine}, .after = 9};
        c.threads = 1; /* of two, the other could be done before the caller's is asked to stop */
        assert_failure(synth_run(&c, &nine.told), MIEN_ERR_CANCELLED, "stopped after 9 of 24");
        snprintf(path, sizeof path, "%s/labels.csv", cut);
        assert_false(file_exists(path));
        c.resume = true;
        assert_ok(run_set(&c));
        assert_same_set(&a, cut);
    }
}

/* A table that was cut anywhere, as by a full disk or a lost machine, is completed to the same bytes. */
static void synth__resume__mends_tables_that_were_cut(void **state)
{
    packed_face *p = packed_of(state);
    static const struct {
        size_t labels, landmarks; /* bytes left; SIZE_MAX: all */
    } cuts[] = {{0, SIZE_MAX}, {40, SIZE_MAX}, {SIZE_MAX, 5000}, {9000, 3000}, {SIZE_MAX, SIZE_MAX}};
    char whole[96], cut[96], path[256];
    synth_options a = kind_options(p, whole, &kinds[3], "whole"), b = kind_options(p, cut, &kinds[3], "mended");
    assert_ok(run_set(&a));
    assert_ok(run_set(&b));
    b.resume = true;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        static const char *const names[] = {"labels.csv", "landmarks.csv"};
        for (int t = 0; t < 2; t++) {
            char part[300];
            size_t left = t ? cuts[i].landmarks : cuts[i].labels;
            snprintf(path, sizeof path, "%s/%s", cut, names[t]);
            snprintf(part, sizeof part, "%s.part", path);
            assert_int_equal(rename(path, part), 0);
            if (left != SIZE_MAX)
                assert_int_equal(truncate(part, (off_t)left), 0);
        }
        snprintf(path, sizeof path, "%s/00000%zu.jpg", cut, i + 1);
        assert_int_equal(unlink(path), 0);
        assert_ok(run_set(&b));
        assert_same_set(&a, cut);
    }
}

static void synth__identity__has_a_folder_a_person(void **state)
{
    packed_face *p = packed_of(state);
    char out[96], path[256];
    synth_options o = kind_options(p, out, &kinds[0], "folders");
    o.first_identity = 11;
    assert_ok(run_set(&o));
    for (int who = 11; who < 15; who++)
        for (int i = 1; i <= COUNT / 4; i++) {
            snprintf(path, sizeof path, "%s/%06d/%06d.jpg", out, who, i);
            assert_true(file_exists(path));
        }
    /* another kind of set in its place leaves nothing of it */
    synth_options other = o;
    other.task = SYNTH_MTL;
    other.force = true;
    assert_ok(run_set(&other));
    snprintf(path, sizeof path, "%s/000011", out);
    assert_false(file_exists(path));
}

/* Change from one frame to the next at most: lids fall in a sixth of a second, a jaw opens and shuts five times in one.
 */
static void synth__clip__moves_smoothly_and_says_so(void **state)
{
    enum { FRAMES = 50, CLIPS = 16 };
    packed_face *p = packed_of(state);
    char out[96];
    synth_options o = options_for(p, out, "unused");
    float *weights = calloc((size_t)p->face->identity.count, sizeof *weights);
    int blinked = 0;
    scene *grown; /* children's units are less than their levels */
    static const char text[] = "age: {children: 0}";
    assert_ok(scene_read(&grown, "grown", text, strlen(text), SYNTH_MTL));
    o.scene = grown;
    assert_non_null(weights);
    o.task = SYNTH_MTL;
    o.clip = FRAMES;
    o.count = FRAMES * CLIPS;
    for (int64_t clip = 0; clip < CLIPS; clip++) {
        synth_face was = {0}, f;
        person who;
        float apex = 0, lids = 0;
        expression_class shown = EXPRESSION_NEUTRAL;
        synth_person(&who, weights, &o, p->h, synth_identity(&o, clip * FRAMES));
        for (int i = 0; i < FRAMES; i++) {
            synth_face_draw(&f, &o, p->h, &who, clip * FRAMES + i);
            face_expression again = f.expression;
            expression_label(&again, p->h);
            if (who.motion == 1) /* labels are this frame's units'; children's move less than they say */
                assert_memory_equal(again.au, f.expression.au, sizeof again.au);
            for (int u = 0; u < UNIT_COUNT; u++) {
                bool is_lid = u == EYE_BLINK_LEFT || u == EYE_BLINK_RIGHT;
                float step = fabsf(f.expression.units[u] - was.expression.units[u]);
                assert_true(f.expression.units[u] >= 0 && f.expression.units[u] <= 1);
                if (i > 0 && step > (is_lid ? 0.45f : 0.25f))
                    fail_msg("clip %d, frame %d: %s steps by %g", (int)clip, i, unit_names[u], (double)step);
            }
            if (i > 0) {
                assert_true(f.identity == was.identity && f.shot.seed == was.shot.seed);
                assert_true(f.shot.key_from.x == was.shot.key_from.x && f.shot.distance == was.shot.distance);
                assert_true(fabsf(f.shot.yaw - was.shot.yaw) < 1 && fabsf(f.shot.pitch - was.shot.pitch) < 2.5f);
                assert_true(fabsf(f.expression.valence - was.expression.valence) < 0.3f);
                assert_true(fabsf(f.expression.intensity - was.expression.intensity) < 0.3f);
            }
            apex = maxf(apex, f.expression.intensity);
            lids = maxf(lids, f.expression.units[EYE_BLINK_LEFT]);
            if (f.expression.expression != EXPRESSION_NEUTRAL)
                shown = f.expression.expression;
            if (i == 0 || i == FRAMES - 1)
                assert_true(f.expression.expression == EXPRESSION_NEUTRAL && f.expression.intensity == 0);
            was = f;
        }
        assert_int_equal(shown, clip % 8); /* classes take turns, a clip each */
        assert_true(shown == EXPRESSION_NEUTRAL ? apex == 0 : apex >= 0.29f);
        blinked += lids > 0.9f;
    }
    assert_true(blinked > CLIPS / 4);
    free(weights);
    scene_free(grown);
}

/* Rows of a crowd: several heads a picture, each with a box, and nobody twice. */
static int crowd_heads[COUNT + 1], crowd_people[COUNT + 1][16], crowd_covered;
static void check_crowd_row(const csv_reader *r, const header *h, const char *folder)
{
    (void)folder;
    char name[16];
    snprintf(name, sizeof name, "%.6s", r->fields[0].text);
    int picture = atoi(name), place = (int)number_at(r, h, "head"), who = (int)number_at(r, h, "identity");
    assert_int_equal(place, ++crowd_heads[picture]);
    for (int i = 0; i < place - 1; i++)
        assert_int_not_equal(crowd_people[picture][i], who);
    crowd_people[picture][place - 1] = who;
    double left = number_at(r, h, "head_left"), right = number_at(r, h, "head_right"),
           top = number_at(r, h, "head_top"), bottom = number_at(r, h, "head_bottom"), shown = number_at(r, h, "shown");
    assert_true(left >= 0 && right <= 64 && top >= 0 && bottom <= 64 && right > left && bottom > top);
    assert_true(shown >= 0 && shown <= 1);
    crowd_covered += shown < 1;
}

static void synth__crowd__shows_several_people(void **state)
{
    packed_face *p = packed_of(state);
    char out[96];
    synth_options o = kind_options(p, out, &kinds[3], "rows");
    o.crowd = 8;
    o.identities = 9;
    assert_ok(run_set(&o));
    int rows = (int)read_labels(out, check_crowd_row), most = 0;
    assert_true(rows > 2 * COUNT && rows < 8 * COUNT);
    for (int i = 1; i <= COUNT; i++) {
        assert_true(crowd_heads[i] >= 2 && crowd_heads[i] <= 8);
        most = crowd_heads[i] > most ? crowd_heads[i] : most;
    }
    assert_true(most >= 7 && crowd_covered > 0);
}

static void synth__sheet__shows_rows_of_people(void **state)
{
    packed_face *p = packed_of(state);
    char out[96], sheet[112];
    synth_options o = options_for(p, out, "none");
    image im = {0};
    snprintf(sheet, sizeof sheet, "%s/sheet.png", p->folder);
    o.out = NULL;
    o.count = 0;
    o.sheet = sheet;
    assert_ok(run_set(&o));
    assert_ok(image_read(&im, sheet));
    assert_int_equal(im.width, 6 * SYNTH_SHEET_CELL);
    assert_int_equal(im.height, SYNTH_SHEET_ROWS * SYNTH_SHEET_CELL);
    image_free(&im);
}

static void synth__options__impossible_ones_are_named(void **state)
{
    packed_face *p = packed_of(state);
    char out[96];
    synth_options o = options_for(p, out, "refused"), bad = o;
    bad.count = 0;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "count: 0");
    bad = o, bad.size = 4000;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "size: 4000 (wanted 16..2048)");
    bad = o, bad.identities = -1;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "identities: -1");
    bad = o, bad.identities = COUNT + 1;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "identities: 25 (wanted at most the count, 24)");
    bad = o, bad.size = 15;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "size: 15");
    bad = o, bad.resume = bad.force = true;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "exclude each other");
    bad = o, bad.missing = SYNTH_AFF_WILD2; /* of the lsd task */
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "missing");
    bad = o, bad.clip = 1;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "clip: 1 frames (wanted 2..");
    bad = o, bad.clip = 7;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "count: 24 (wanted a multiple of a clip's 7 frames)");
    bad = o, bad.crowd = 17;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "crowd: 17 heads (wanted 2..16)");
    bad = o, bad.crowd = 8;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "identities: 4 (wanted 8 or more");
    bad = o, bad.crowd = 4, bad.clip = 4;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "exclude each other");
    bad = o, bad.task = SYNTH_IDENTITY, bad.identities = 5;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "count: 24 (wanted a multiple of the 5 identities)");
    bad = o, bad.face_path = NULL;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "no face model");
    bad = o, bad.out = NULL;
    assert_failure(run_set(&bad), MIEN_ERR_ARG, "neither a folder nor a sheet or quiz");
    bad = o, bad.face_path = "nowhere.safetensors";
    assert_failure(run_set(&bad), MIEN_ERR_IO, "nowhere.safetensors");
    assert_false(file_exists(out)); /* nothing was begun */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__set__is_the_same_on_any_number_of_threads),
        cmocka_unit_test(synth__set__goes_on_where_it_stopped),
        cmocka_unit_test(synth__set__stops_when_asked_and_can_be_resumed),
        cmocka_unit_test(synth__set__leaves_used_folders_alone),
        cmocka_unit_test(synth__set__goes_on_from_its_first_files),
        cmocka_unit_test(synth__set__goes_on_with_its_scene_alone),
        cmocka_unit_test(synth__labels__fit_the_files),
        cmocka_unit_test(synth__missing__takes_labels_a_task_at_a_time),
        cmocka_unit_test(synth__missing__shares_are_the_published_ones),
        cmocka_unit_test(synth__set__shares_out_classes_and_people),
        cmocka_unit_test(synth__kinds__are_the_same_on_threads_and_after_a_stop),
        cmocka_unit_test(synth__resume__mends_tables_that_were_cut),
        cmocka_unit_test(synth__identity__has_a_folder_a_person),
        cmocka_unit_test(synth__clip__moves_smoothly_and_says_so),
        cmocka_unit_test(synth__crowd__shows_several_people),
        cmocka_unit_test(synth__sheet__shows_rows_of_people),
        cmocka_unit_test(synth__options__impossible_ones_are_named),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
