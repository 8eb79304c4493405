/* What the public interface refuses, and that a machine without memory ends no program. */
#include "testing.h"

#include "base/mem.h"

static void arguments__null__are_refused_by_name(void **state)
{
    (void)state;
    const char *paths[] = {"nowhere"};
    mien_model *model = NULL;
    mien_evaluation *e = NULL;
    mien_bench *bench = NULL;
    char *text = NULL;
    mien_train_options train = MIEN_TRAIN_OPTIONS_INIT;
    assert_failure(mien_train(NULL), MIEN_ERR_ARG, "options: missing");
    assert_failure(mien_train(&train), MIEN_ERR_ARG, "data: missing");
    assert_failure(mien_model_open(NULL, paths, 1, NULL), MIEN_ERR_ARG, "out: missing");
    assert_failure(mien_model_open(&model, NULL, 1, NULL), MIEN_ERR_ARG, "paths: missing");
    assert_failure(mien_model_open(&model, paths, 0, NULL), MIEN_ERR_ARG, "count: 0");
    assert_failure(mien_classify_file(NULL, 0, NULL, NULL), MIEN_ERR_ARG, "missing");
    assert_failure(mien_evaluate(&e, paths, 1, NULL, NULL), MIEN_ERR_ARG, "data: missing");
    mien_submit_options submit = MIEN_SUBMIT_OPTIONS_INIT;
    assert_failure(mien_submit(NULL, paths, 1, NULL), MIEN_ERR_ARG, "options: missing");
    assert_failure(mien_submit(NULL, paths, 1, &submit), MIEN_ERR_ARG, "list: missing");
    submit.list = submit.out = "nowhere.txt";
    submit.images = "/";
    assert_failure(mien_submit(NULL, NULL, 1, &submit), MIEN_ERR_ARG, "paths: missing");
    assert_failure(mien_submit(NULL, paths, 0, &submit), MIEN_ERR_ARG, "count: 0");
    submit.task = "chess";
    assert_failure(mien_submit(NULL, paths, 1, &submit), MIEN_ERR_UNSUPPORTED, "chess");
    assert_failure(mien_score(&e, "chess", "t", "p"), MIEN_ERR_UNSUPPORTED, "chess");
    mien_export_options export = MIEN_EXPORT_OPTIONS_INIT;
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
    assert_failure(mien_bench_run(&bench, NULL), MIEN_ERR_ARG, "options: missing");
    assert_failure(mien_synth(NULL), MIEN_ERR_ARG, "options: missing");
    assert_null(model);
    assert_null(e);
    assert_null(text);
    mien_model_free(NULL);
    mien_evaluation_free(NULL);
    mien_bench_free(NULL);
    mien_text_free(NULL);
}

static void compute__impossible__is_refused(void **state)
{
    (void)state;
    char *text = NULL;
    mien_graph_options o = MIEN_GRAPH_OPTIONS_INIT;
    o.compute.device = "abacus";
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_UNSUPPORTED, "device: abacus");
    o = (mien_graph_options)MIEN_GRAPH_OPTIONS_INIT;
    o.compute.threads = -1;
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "threads: -1");
    o = (mien_graph_options)MIEN_GRAPH_OPTIONS_INIT;
    o.batch = 0;
    assert_failure(mien_graph_text(&text, "small", &o), MIEN_ERR_ARG, "batch 0");
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
        cmocka_unit_test(graph_text__out_of_memory_anywhere__fails_in_order),
        cmocka_unit_test(architectures__are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
