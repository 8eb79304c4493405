/* What the public interface refuses, and that a machine without memory ends no program. */
#include "testing.h"

#include "base/mem.h"
#include "mien_bench.h"

static void arguments__null__are_refused_by_name(void **state)
{
    (void)state;
    const char *paths[] = {"nowhere"};
    mien_model *model = NULL;
    mien_evaluation *e = NULL;
    mien_bench *bench = NULL;
    char *text = NULL;
    mien_session *session = NULL;
    mien_train_options train;
    mien_train_options_init(&train);
    assert_failure(mien_train(NULL), MIEN_ERR_ARG, "options: missing");
    assert_failure(mien_train(&train), MIEN_ERR_ARG, "out: missing");
    train.out = "nowhere";
    assert_failure(mien_train(&train), MIEN_ERR_ARG, "data.sets: none to train on (wanted some, or --data)");
    train.data = "nowhere";
    train.sources = &(mien_source){.path = "nowhere"};
    train.source_count = 1;
    assert_failure(mien_train(&train), MIEN_ERR_ARG,
                   "mien_train: sources: 1 beside nowhere (wanted one way or the other)");
    train.data = NULL;
    train.source_count = -1;
    assert_failure(mien_train(&train), MIEN_ERR_ARG, "mien_train: sources: -1 of them (wanted an array of that many)");
    train.validation_sources = &(mien_source){.images = "nowhere"};
    train.source_count = train.validation_source_count = 1;
    assert_failure(mien_train(&train), MIEN_ERR_ARG, "mien_train: validation_sources: one without a path");
    assert_failure(mien_model_open(NULL, paths, 1, NULL), MIEN_ERR_ARG, "out: missing");
    assert_failure(mien_model_open(&model, NULL, 1, NULL), MIEN_ERR_ARG, "paths: missing");
    assert_failure(mien_model_open(&model, paths, 0, NULL), MIEN_ERR_ARG, "count: 0");
    assert_failure(mien_session_open(&session, NULL, NULL), MIEN_ERR_ARG, "model: missing");
    assert_failure(mien_session_open(NULL, NULL, NULL), MIEN_ERR_ARG, "out: missing");
    assert_failure(mien_predict_file(NULL, 0, NULL, "nowhere"), MIEN_ERR_ARG, "session: missing");
    assert_failure(mien_predict_file(NULL, 0, NULL, NULL), MIEN_ERR_ARG, "path: missing");
    assert_failure(mien_predict_bytes(NULL, 0, NULL, NULL, 0), MIEN_ERR_ARG, "bytes: missing");
    assert_failure(mien_predict_rgb(NULL, 0, NULL, NULL, 0, 0, 0), MIEN_ERR_ARG, "session: missing");
    assert_failure(mien_predict_pictures(NULL, 0, NULL, NULL), MIEN_ERR_ARG, "pictures: missing");
    assert_failure(mien_predict(NULL, paths, 1, NULL, NULL), MIEN_ERR_ARG, "session: missing");
    assert_failure(mien_evaluate(&e, paths, 1, NULL, NULL), MIEN_ERR_ARG, "data: missing");
    mien_submit_options submit;
    mien_submit_options_init(&submit);
    assert_failure(mien_submit(NULL, paths, 1, NULL), MIEN_ERR_ARG, "options: missing");
    assert_failure(mien_submit(NULL, paths, 1, &submit), MIEN_ERR_ARG, "list: missing");
    submit.list = submit.out = "nowhere.txt";
    submit.images = "/";
    assert_failure(mien_submit(NULL, NULL, 1, &submit), MIEN_ERR_ARG, "paths: missing");
    assert_failure(mien_submit(NULL, paths, 0, &submit), MIEN_ERR_ARG, "count: 0");
    submit.task = "chess";
    assert_failure(mien_submit(NULL, paths, 1, &submit), MIEN_ERR_UNSUPPORTED, "chess");
    assert_failure(mien_score(&e, "chess", "t", "p"), MIEN_ERR_UNSUPPORTED, "chess");
    mien_export_options export;
    mien_export_options_init(&export);
    assert_failure(mien_export(&text, paths, 1, NULL), MIEN_ERR_ARG, "options: missing");
    assert_failure(mien_export(&text, paths, 1, &export), MIEN_ERR_ARG, "out: missing");
    export.out = "nowhere.pt";
    assert_failure(mien_export(&text, NULL, 1, &export), MIEN_ERR_ARG, "paths: missing");
    assert_failure(mien_export(&text, paths, 0, &export), MIEN_ERR_ARG, "count: 0");
    assert_failure(mien_export(&text, paths, 1, &export), MIEN_ERR_ARG, "nowhere.pt: cannot tell the format");
    export.input = (mien_export_input)3;
    assert_failure(mien_export(&text, paths, 1, &export), MIEN_ERR_ARG, "input: 3");
    assert_failure(mien_info(&text, NULL), MIEN_ERR_ARG, "path: missing");
    assert_failure(mien_graph_text(&text, NULL, NULL), MIEN_ERR_ARG, "arch: missing");
    assert_failure(mien_score(&e, "dance", "a.csv", "b.csv"), MIEN_ERR_UNSUPPORTED, "task: dance (wanted lsd or mtl)");
    assert_string_equal(mien_task(0), "lsd");
    assert_string_equal(mien_task(1), "mtl");
    assert_null(mien_task(2));
    assert_null(mien_task(-1));
    assert_failure(mien_bench_run(&bench, NULL), MIEN_ERR_ARG, "options: missing");
    assert_failure(mien_synth(NULL), MIEN_ERR_ARG, "options: missing");
    assert_null(model);
    assert_null(e);
    assert_null(text);
    assert_null(session);
    mien_session_free(NULL);
    mien_model_free(NULL);
    mien_evaluation_free(NULL);
    mien_bench_free(NULL);
    mien_text_free(NULL);
}

static void compute__impossible__is_refused(void **state)
{
    (void)state;
    char *text = NULL;
    mien_graph_options o;
    mien_compute compute;
    mien_graph_options_init(&o);
    mien_compute_init(&compute);
    o.compute = &compute;
    compute.device = "abacus";
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "device: abacus (wanted cpu, cuda or cuda:N)");
    mien_compute_init(&compute);
    compute.threads = -1;
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "threads: -1");
    mien_compute_init(&compute);
    compute.precision = (mien_precision)7;
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "precision: 7");
    mien_compute_init(&compute);
    compute.is_fast = 1;
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "fast: for a GPU alone (device cpu, wanted");
    mien_compute_init(&compute);
    compute.is_tf32 = 1;
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "tf32: for a GPU alone (device cpu, wanted");
    mien_compute_init(&compute);
    o.batch = 0;
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "batch 0");
    assert_null(text);
}

static void getters__of_null__give_nothing(void **state)
{
    (void)state;
    const char *text = "untouched";
    int64_t number = 5;
    assert_null(mien_model_task(NULL));
    assert_int_equal(mien_model_column_count(NULL), 0);
    assert_null(mien_model_column(NULL, 0));
    assert_null(mien_column_label(NULL, 0));
    assert_int_equal(mien_session_column_count(NULL), 0);
    assert_null(mien_session_column(NULL, 0));
    assert_null(mien_evaluation_task(NULL));
    assert_int_equal(mien_evaluation_count(NULL), 0);
    assert_int_equal(mien_evaluation_class_count(NULL), 0);
    assert_null(mien_evaluation_class(NULL, 0));
    assert_int_equal(mien_evaluation_skipped_count(NULL), 0);
    assert_null(mien_evaluation_skipped(NULL, 0, &text, NULL));
    assert_int_equal(mien_evaluation_ignored_count(NULL), 0);
    assert_null(mien_evaluation_ignored(NULL, 0, &number));
    assert_int_equal(mien_evaluation_member_count(NULL), 0);
    assert_null(mien_evaluation_member(NULL, 0));
    assert_null(mien_evaluation_ensemble(NULL));
    assert_null(mien_metrics_find(NULL, "macro_f1"));
    assert_null(mien_bench_result_of(NULL));
    assert_int_equal(mien_bench_row_count(NULL), 0);
    assert_null(mien_bench_row_at(NULL, 0));
    assert_string_equal(text, "untouched");
    assert_int_equal(number, 5);
}

/* An older caller's struct ends earlier than ours, a newer one's later. */
static void options__of_another_version__are_taken_as_far_as_known(void **state)
{
    (void)state;
    struct {
        mien_graph_options known;
        int64_t newer;
    } o = {.newer = 0};
    char *text = NULL;
    mien_options_init(&o, sizeof o, MIEN_OPTIONS_GRAPH);
    assert_true(o.known.size == sizeof o && o.known.batch == 1 && o.known.classes == 6 && o.newer == 0);
    assert_ok(mien_graph_text(&text, "small", &o.known));
    mien_text_free(text);
    o.newer = 1;
    text = NULL;
    assert_failure(mien_graph_text(&text, "small", &o.known), MIEN_ERR_UNSUPPORTED, "newer than this library");
    memset(&o, 0xff, sizeof o); /* nothing behind the size is looked at, nor set */
    mien_options_init(&o, offsetof(mien_graph_options, classes), MIEN_OPTIONS_GRAPH);
    assert_true(o.known.batch == 1 && o.known.classes == -1);
    o.known.batch = 0;
    assert_failure(mien_graph_text(&text, "small", &o.known), MIEN_ERR_ARG, "batch 0, image_size 0, classes 6");
    o.known.size = 0;
    assert_failure(mien_graph_text(&text, "small", &o.known), MIEN_ERR_ARG, "options: size 0 (wanted");
    o.known.size = (size_t)-1;
    assert_failure(mien_graph_text(&text, "small", &o.known), MIEN_ERR_ARG, "as their _init sets it");
    mien_options_init(NULL, 8, MIEN_OPTIONS_GRAPH);
    assert_null(text);
}

/* Whichever allocation fails, the call says so, leaves its out parameter alone and leaks nothing (AddressSanitizer
 * looks). */
static void graph_text__out_of_memory_anywhere__fails_in_order(void **state)
{
    (void)state;
    for (int64_t n = 1;; n++) {
        char *text = NULL;
        mem_fail_after(n);
        mien_status st = mien_graph_text(&text, "small", NULL);
        mem_fail_after(-1);
        if (st == MIEN_OK) {
            assert_non_null(text);
            mien_text_free(text);
            assert_true(n > 10);
            return;
        }
        assert_int_equal(st, MIEN_ERR_NOMEM);
        assert_null(text);
    }
}

static void architectures__are_listed(void **state)
{
    (void)state;
    assert_string_equal(mien_architecture(0), "resnet50");
    assert_string_equal(mien_architecture(1), "efficientnet_b0");
    assert_null(mien_architecture(-1));
    assert_null(mien_architecture(1000));
    assert_string_equal(mien_version(), MIEN_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments__null__are_refused_by_name),
        cmocka_unit_test(compute__impossible__is_refused),
        cmocka_unit_test(getters__of_null__give_nothing),
        cmocka_unit_test(options__of_another_version__are_taken_as_far_as_known),
        cmocka_unit_test(graph_text__out_of_memory_anywhere__fails_in_order),
        cmocka_unit_test(architectures__are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
