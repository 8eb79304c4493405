/* Models with drawn weights answer for pictures of noise: what is asked is who answers, and that members, batches and
 * broken pictures keep out of each other's way. */
#include "infer/infer.h"

#include "image/image.h"
#include "infer/saved_model.h"
#include "infer/scores.h"
#include "nn/model.h"
#include "train/run_kit.h"

#include <math.h>

enum { PICTURES = 11 };
static backend *cpu;

static int enter(void **state)
{
    if (temp_folder_enter(state) != 0)
        return 1;
    assert_ok(backend_cpu_create(&cpu, &(cpu_options){.threads = 2}));
    save_model("a.safetensors", 32, 1);
    save_model("b.safetensors", 40, 2);
    kit_make_set("faces", PICTURES, 5);
    return 0;
}
static int leave(void **state)
{
    cpu->free(cpu);
    return temp_folder_leave(state);
}

static ensemble *open_models(const char *const *paths, int count)
{
    ensemble *e;
    ensemble_source sources[4];
    assert_true(count <= 4);
    for (int i = 0; i < count; i++)
        sources[i] = (ensemble_source){.path = paths[i], .counts = true};
    assert_ok(ensemble_open(&e, sources, count, cpu, &(ensemble_options){.precision = PRECISION_F32}));
    return e;
}

static session *open_session(ensemble *e, int batch)
{
    session *s;
    assert_ok(session_open(&s, e, &(session_options){.batch = batch, .loader_threads = 2}));
    return s;
}

static mien_status answer_one(session *s, float p[3], const uint8_t *rgb, int width, int height)
{
    const pixel_array one = {
        .pixels = rgb, .count = 1, .width = width, .height = height, .row_stride = 3 * width, .column_stride = 3};
    return session_predict_pixels(s, p, &one, NULL);
}

typedef struct {
    int count, members;
    float mean[PICTURES][3], each[PICTURES][4][3];
    bool has_failed[PICTURES];
    char failure[PICTURES][256], name[PICTURES][64];
} answers;

static mien_status keep(void *payload, const prediction *p)
{
    answers *all = payload;
    assert_int_equal(p->index, all->count); /* in order */
    int i = all->count++;
    snprintf(all->name[i], sizeof all->name[i], "%s", p->name);
    all->has_failed[i] = p->failure != NULL;
    if (p->failure) {
        snprintf(all->failure[i], sizeof all->failure[i], "%s", p->failure);
        return MIEN_OK;
    }
    memcpy(all->mean[i], p->mean, sizeof all->mean[i]);
    assert_true(all->members <= 4);
    memcpy(all->each[i], p->members, (size_t)all->members * sizeof all->each[i][0]);
    return MIEN_OK;
}

/* Files by path, under which rows are called too. */
static mien_status predict_paths(session *s, const char *const *paths, int64_t count, prediction_fn fn, void *payload,
                                 progress *p)
{
    picture_files *files;
    assert_ok(picture_files_create(&files, "pictures", paths, count, NULL, NULL));
    mien_status st = session_predict(&s, 1, picture_files_source(files), paths, fn, payload, p);
    picture_files_free(files);
    return st;
}

static void predict_faces(answers *out, const char *const *models, int count, int batch, int pictures)
{
    char names[PICTURES][64];
    const char *paths[PICTURES];
    for (int i = 0; i < pictures; i++) {
        snprintf(names[i], sizeof names[i], "faces/anger/%d.png", i + 1);
        paths[i] = names[i];
    }
    ensemble *e = open_models(models, count);
    session *s = open_session(e, batch);
    *out = (answers){.members = ensemble_member_count(e)};
    assert_ok(predict_paths(s, paths, pictures, keep, out, NULL));
    assert_int_equal(out->count, pictures);
    session_free(s);
    ensemble_free(e);
}

static void assert_close(const float *a, const float *b)
{
    for (int c = 0; c < 3; c++)
        if (!(fabsf(a[c] - b[c]) <= 5e-6f))
            fail_msg("class %d: %.9g and %.9g", c, (double)a[c], (double)b[c]);
}

static void ensemble__mean__is_that_of_its_members(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors", "b.safetensors"};
    answers both, a, b;
    predict_faces(&both, paths, 2, 4, PICTURES);
    predict_faces(&a, paths, 1, 4, PICTURES);
    predict_faces(&b, paths + 1, 1, 4, PICTURES);
    for (int i = 0; i < PICTURES; i++) {
        float sum = 0;
        assert_memory_equal(both.each[i][0], a.mean[i], sizeof a.mean[i]);
        assert_memory_equal(both.each[i][1], b.mean[i], sizeof b.mean[i]);
        for (int c = 0; c < 3; c++) {
            assert_true(both.mean[i][c] == (float)(((double)a.mean[i][c] + (double)b.mean[i][c]) / 2));
            sum += both.mean[i][c];
        }
        assert_true(fabsf(sum - 1) < 1e-5f);
    }
    assert_true(memcmp(a.mean[0], a.mean[1], sizeof a.mean[0]) != 0); /* the pictures do matter */
    assert_true(memcmp(a.mean[0], b.mean[0], sizeof a.mean[0]) != 0); /* and the models */
}

/* Other architectures, sizes and normalisations: each member answers as it does alone, whatever stands beside it. */
static void ensemble__members_of_every_kind__answer_as_alone(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors", "resnet.safetensors", "bright.safetensors", "b.safetensors"};
    save_model_of("resnet.safetensors", "lsd", "resnet50", 48, NULL, 0.3f, 7);
    save_model_of("bright.safetensors", "lsd", "efficientnet_b0", 32, NULL, 0.6f, 1); /* a, but for its normalisation */
    answers all, alone[4];
    predict_faces(&all, paths, 4, 4, PICTURES);
    for (int m = 0; m < 4; m++)
        predict_faces(&alone[m], paths + m, 1, 4, PICTURES);
    for (int i = 0; i < PICTURES; i++)
        for (int c = 0; c < 3; c++) {
            double sum = 0;
            for (int m = 0; m < 4; m++) {
                assert_true(all.each[i][m][c] == alone[m].mean[i][c]);
                sum += (double)alone[m].mean[i][c];
            }
            assert_true(all.mean[i][c] == (float)(sum / 4));
        }
    assert_true(memcmp(alone[0].mean, alone[2].mean, sizeof alone[0].mean) != 0); /* normalisation matters */
}

/* What a model says of the faces, kept. The rows `first`, `second` are NaN. */
static void keep_scores(const char *path, const answers *of, int first, int second)
{
    float rows[2][PICTURES][3];
    const float *const members[] = {rows[0][0], rows[1][0]};
    file_writer *w;
    for (int i = 0; i < PICTURES; i++)
        for (int c = 0; c < 3; c++) {
            rows[0][i][c] = i == first ? NAN : of->mean[i][c];
            rows[1][i][c] = i == second ? NAN : of->mean[i][(c + 1) % 3];
        }
    assert_ok(file_write_open(&w, path));
    assert_ok(scores_write(w, members, second < 0 ? 1 : 2, PICTURES, 3));
    assert_ok(file_write_commit(w));
}

static void ensemble__kept_scores__are_members(void **state)
{
    (void)state;
    const char *const b[] = {"b.safetensors"}, *const mixed[] = {"kept.npy", "a.safetensors"};
    const char *const both[] = {"a.safetensors", "b.safetensors"}, *const two[] = {"two.npy", "a.safetensors"};
    answers kept, wanted, got;
    predict_faces(&kept, b, 1, 4, PICTURES);
    predict_faces(&wanted, both, 2, 4, PICTURES);
    keep_scores("kept.npy", &kept, -1, -1);
    predict_faces(&got, mixed, 2, 4, PICTURES);
    assert_memory_equal(got.mean, wanted.mean, sizeof got.mean);
    assert_memory_equal(got.each[3][0], kept.mean[3], sizeof kept.mean[3]);

    keep_scores("two.npy", &kept, 3, 5);
    ensemble *e = open_models(two, 2);
    assert_int_equal(ensemble_member_count(e), 3);
    assert_string_equal(ensemble_member_name(e, 0), "two.npy#1");
    assert_string_equal(ensemble_member_name(e, 1), "two.npy#2");
    int heads;
    assert_string_equal(ensemble_heads(e, &heads)->columns[2], "sadness"); /* the model's */
    assert_ok(ensemble_check_pictures(e, PICTURES, "faces"));
    assert_failure(ensemble_check_pictures(e, PICTURES + 1, "faces"), MIEN_ERR_FORMAT,
                   "two.npy: 11 rows (wanted 12, the pictures of faces)");
    ensemble_free(e);
    predict_faces(&got, two, 2, 4, PICTURES);
    for (int i = 0; i < PICTURES; i++) {
        assert_true(got.has_failed[i] == (i == 3 || i == 5));
        for (int c = 0; c < 3 && !got.has_failed[i]; c++) {
            double sum = (double)kept.mean[i][c] + (double)kept.mean[i][(c + 1) % 3] + (double)got.each[i][2][c];
            assert_true(got.mean[i][c] == (float)(sum / 3));
        }
    }
    assert_string_equal(got.failure[5], "two.npy: no scores of this picture (row 5 is NaN)");
}

static void ensemble__scores_of_other_classes__are_told(void **state)
{
    (void)state;
    ensemble *e;
    answers kept;
    const char *const a[] = {"a.safetensors"};
    const ensemble_options options = {.precision = PRECISION_F32};
    const ensemble_source alone[] = {{.path = "three.npy", .counts = true}},
                          six[] = {{.path = "six.npy", .counts = true}},
                          mixed[] = {{.path = "six.npy", .counts = true}, {.path = "a.safetensors", .counts = true}};
    predict_faces(&kept, a, 1, 4, PICTURES);
    keep_scores("three.npy", &kept, -1, -1);
    assert_failure(ensemble_open(&e, alone, 1, cpu, &options), MIEN_ERR_FORMAT,
                   "three.npy: 3 classes (wanted the 6 of LSD, or a model beside it that names others)");
    static const float rows[12] = {1, 0, 0, 0, 0, 0, 0, 0.5f, 0, 0, 0, 0.5f};
    const float *const members[] = {rows};
    file_writer *w;
    assert_ok(file_write_open(&w, "six.npy"));
    assert_ok(scores_write(w, members, 1, 2, 6));
    assert_ok(file_write_commit(w));
    assert_failure(ensemble_open(&e, mixed, 2, cpu, &options), MIEN_ERR_FORMAT,
                   "six.npy: 6 classes (wanted 3, as of a.safetensors)");
    assert_ok(ensemble_open(&e, six, 1, cpu, &options));
    assert_string_equal(ensemble_heads(e, &(int){0})->columns[3], "happiness");
    ensemble_free(e);
}

static void ensemble__batch_size__changes_nothing(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors"};
    static const int batches[] = {1, 3, 11, 0};
    answers wanted;
    predict_faces(&wanted, paths, 1, 4, PICTURES);
    for (size_t k = 0; k < sizeof batches / sizeof batches[0]; k++) {
        answers got;
        predict_faces(&got, paths, 1, batches[k], PICTURES);
        for (int i = 0; i < PICTURES; i++)
            assert_close(got.mean[i], wanted.mean[i]);
    }
    answers few;
    predict_faces(&few, paths, 1, 4, 2);
    assert_close(few.mean[1], wanted.mean[1]);
}

static void ensemble__one_decoded_picture__is_the_same(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors", "b.safetensors"};
    answers all;
    predict_faces(&all, paths, 2, 4, PICTURES);
    ensemble *e = open_models(paths, 2);
    session *s = open_session(e, 0);
    int heads;
    assert_int_equal(ensemble_width(e), 3);
    assert_string_equal(ensemble_heads(e, &heads)->columns[2], "sadness");
    for (int i = 0; i < 3; i++) {
        char path[64];
        image picture = {0};
        float p[3];
        snprintf(path, sizeof path, "faces/anger/%d.png", i + 1);
        assert_ok(image_read(&picture, path));
        assert_ok(answer_one(s, p, picture.pixels, picture.width, picture.height));
        assert_close(p, all.mean[i]);
        image_free(&picture);
    }
    float p[3];
    const uint8_t pixel[3] = {1, 2, 3};
    assert_ok(answer_one(s, p, pixel, 1, 1));
    session_free(s);
    ensemble_free(e);
}

static void ensemble__bad_pictures__are_told_and_the_others_answered(void **state)
{
    (void)state;
    const char *const only[] = {"a.safetensors"};
    const char *const paths[] = {"faces/anger/1.png", "text.jpg", "faces/anger/2.png", "missing.jpg",
                                 "faces/anger/3.png"};
    answers good, got = {.members = 1};
    assert_ok(file_write_all("text.jpg", "no picture", 10));
    predict_faces(&good, only, 1, 2, 3);
    ensemble *e = open_models(only, 1);
    session *s = open_session(e, 2);
    assert_ok(predict_paths(s, paths, 5, keep, &got, NULL));
    session_free(s);
    ensemble_free(e);
    assert_int_equal(got.count, 5);
    assert_true(got.has_failed[1] && got.has_failed[3]);
    assert_non_null(strstr(got.failure[1], "text.jpg"));
    assert_non_null(strstr(got.failure[3], "missing.jpg"));
    for (int i = 0; i < 3; i++) {
        assert_false(got.has_failed[2 * i]);
        assert_close(got.mean[2 * i], good.mean[i]);
    }
}

/* A variance below zero, which has no root: every weight is finite, no answer is. */
static void save_without_root(const char *path)
{
    model *m;
    assert_ok(model_load(&m, "a.safetensors"));
    const param_slice *variance =
        param_store_at(model_params(m), param_store_find(model_params(m), "features.8.1.running_var"));
    param_store_memory(model_params(m))->values[variance->offset] = -1;
    assert_ok(model_save(m, path, NULL));
    model_free(m);
}

static void ensemble__output_that_is_not_finite__is_a_failure(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors", "rootless.safetensors"};
    answers got;
    save_without_root(paths[1]);
    predict_faces(&got, paths, 2, 4, PICTURES);
    for (int i = 0; i < PICTURES; i++) {
        assert_true(got.has_failed[i]);
        assert_string_equal(got.failure[i], "rootless.safetensors: the model's output is not finite");
    }
    ensemble *e = open_models(paths, 2);
    session *s = open_session(e, 0);
    const uint8_t pixel[3] = {1, 2, 3};
    float p[3] = {7, 7, 7};
    assert_failure(answer_one(s, p, pixel, 1, 1), MIEN_ERR_FORMAT,
                   "rootless.safetensors: the model's output is not finite");
    assert_true(p[0] == 7); /* nothing is given */
    session_free(s);
    ensemble_free(e);
}

static mien_status refuse(void *payload, const prediction *p)
{
    (void)p;
    ++*(int *)payload;
    return mien_fail(MIEN_ERR_CANCELLED, "enough");
}

static int say_stop(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    (void)payload, (void)what, (void)done, (void)total, (void)note;
    return 1;
}

static void ensemble__who_listens__may_stop_it(void **state)
{
    (void)state;
    const char *const only[] = {"a.safetensors"}, *const paths[] = {"faces/anger/1.png", "faces/anger/2.png"};
    int rows = 0;
    ensemble *e = open_models(only, 1);
    session *s = open_session(e, 1);
    assert_failure(predict_paths(s, paths, 2, refuse, &rows, NULL), MIEN_ERR_CANCELLED, "enough");
    assert_int_equal(rows, 1);
    progress p = {.callback = say_stop};
    assert_failure(predict_paths(s, paths, 2, refuse, &rows, &p), MIEN_ERR_CANCELLED, "interrupted after 0");
    assert_int_equal(rows, 1);
    session_free(s);
    ensemble_free(e);
}

static void ensemble__weights__are_those_of_the_mean(void **state)
{
    (void)state;
    const ensemble_source sources[] = {{.path = "a.safetensors", .counts = true, .weight = 0.75},
                                       {.path = "b.safetensors", .counts = true, .weight = 0.25}};
    ensemble *e;
    float each[2][3], mean[3];
    uint8_t rgb[32 * 32 * 3];
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 2654435761u >> 24);
    for (int i = 0; i < 3; i++) {
        assert_ok(ensemble_open(&e, sources + (i < 2 ? i : 0), i < 2 ? 1 : 2, cpu,
                                &(ensemble_options){.precision = PRECISION_F32}));
        session *s = open_session(e, 1);
        assert_ok(answer_one(s, i < 2 ? each[i] : mean, rgb, 32, 32));
        session_free(s);
        ensemble_free(e);
    }
    for (int c = 0; c < 3; c++)
        assert_true(fabsf(mean[c] - (0.75f * each[0][c] + 0.25f * each[1][c])) < 1e-6f);
    assert_true(fabsf(each[0][0] - each[1][0]) > 1e-3f);
}

static void ensemble__wrong_models__are_told(void **state)
{
    (void)state;
    static const char *const others[] = {"anger", "fear", "joy"};
    const ensemble_source mixed[] = {{.path = "a.safetensors", .counts = true},
                                     {.path = "c.safetensors", .counts = true}},
                          text[] = {{.path = "text.safetensors", .counts = true}};
    ensemble *e;
    const ensemble_options options = {.precision = PRECISION_F32};
    save_model_of("c.safetensors", "lsd", "efficientnet_b0", 32, others, 0.5f, 3);
    assert_failure(ensemble_open(&e, mixed, 2, cpu, &options), MIEN_ERR_FORMAT,
                   "c.safetensors: classes differ from those of a.safetensors (anger fear joy, wanted anger fear "
                   "sadness)");
    static const char *const turned[] = {"fear", "anger", "sadness"};
    save_model_of("c.safetensors", "lsd", "efficientnet_b0", 32, turned, 0.5f, 3);
    assert_failure(ensemble_open(&e, mixed, 2, cpu, &options), MIEN_ERR_FORMAT,
                   "c.safetensors: classes differ from those of a.safetensors (fear anger sadness, wanted anger fear");
    save_model_of("c.safetensors", "mtl", "efficientnet_b0", 32, NULL, 0.5f, 3);
    assert_failure(ensemble_open(&e, mixed, 2, cpu, &options), MIEN_ERR_FORMAT,
                   "c.safetensors: task mtl (wanted lsd, as of a.safetensors)");
    unlink("c.safetensors");
    assert_failure(ensemble_open(&e, mixed, 2, cpu, &options), MIEN_ERR_IO, "c.safetensors: cannot open: No such file");
    assert_failure(ensemble_open(&e, mixed, 0, cpu, &options), MIEN_ERR_ARG, "no model");
    assert_ok(file_write_all("text.safetensors", "no model at all", 15));
    assert_failure(ensemble_open(&e, text, 1, cpu, &options), MIEN_ERR_FORMAT, "text.safetensors");
}

static void ensemble__names__tell_members_apart(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors", "x/net-stage1/best.safetensors", "a.safetensors", "a.safetensors"};
    assert_ok(file_make_folders("x/net-stage1"));
    save_model("x/net-stage1/best.safetensors", 32, 4);
    ensemble *e = open_models(paths, 4);
    assert_int_equal(ensemble_member_count(e), 4);
    assert_string_equal(ensemble_member_name(e, 0), "a.safetensors");
    assert_string_equal(ensemble_member_name(e, 1), "net-stage1");
    assert_string_equal(ensemble_member_name(e, 2), "a.safetensors#2");
    assert_string_equal(ensemble_member_name(e, 3), "a.safetensors#3");
    assert_true(ensemble_member_counts(e, 3));
    ensemble_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ensemble__mean__is_that_of_its_members),
        cmocka_unit_test(ensemble__members_of_every_kind__answer_as_alone),
        cmocka_unit_test(ensemble__kept_scores__are_members),
        cmocka_unit_test(ensemble__scores_of_other_classes__are_told),
        cmocka_unit_test(ensemble__batch_size__changes_nothing),
        cmocka_unit_test(ensemble__one_decoded_picture__is_the_same),
        cmocka_unit_test(ensemble__bad_pictures__are_told_and_the_others_answered),
        cmocka_unit_test(ensemble__output_that_is_not_finite__is_a_failure),
        cmocka_unit_test(ensemble__who_listens__may_stop_it),
        cmocka_unit_test(ensemble__weights__are_those_of_the_mean),
        cmocka_unit_test(ensemble__wrong_models__are_told),
        cmocka_unit_test(ensemble__names__tell_members_apart),
    };
    return cmocka_run_group_tests_name("ensemble", tests, enter, leave);
}
