/* mien.h is the whole contract: every function it declares is exported, and nothing else is; and it refuses what it
 * cannot use. */
#include "testing.h"

#include "base/mem.h"

#include <dlfcn.h>

/* The names in mien.h that are followed by "(" on a line with MIEN_API: its functions. */
static int each_function(void (*visit)(const char *name, void *context), void *context)
{
    FILE *f = fopen(MIEN_SOURCE_DIR "/include/mien.h", "r");
    assert_non_null(f);
    char line[512];
    int count = 0;
    while (fgets(line, sizeof line, f)) {
        char *name = strstr(line, "mien_"), *end;
        if (strncmp(line, "MIEN_API", 8) != 0)
            continue;
        for (; name; name = strstr(end, "mien_")) {
            end = name + strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
            if (*end == '(') {
                *end = '\0';
                visit(name, context);
                count++;
                break;
            }
        }
    }
    fclose(f);
    return count;
}

static void must_be_exported(const char *name, void *library)
{
    if (!dlsym(library, name))
        fail_msg("%s: declared in mien.h, not exported by libmien.so", name);
}

static void header__every_function__is_exported(void **state)
{
    (void)state;
    void *library = dlopen(MIEN_BINARY_DIR "/libmien.so", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    assert_true(each_function(must_be_exported, library) > 30);
    assert_null(dlsym(library, "graph_create")); /* what is internal stays inside */
    assert_null(dlsym(library, "mien_fail"));
    dlclose(library);
}

static void header__alone__compiles_as_c99_and_cpp(void **state)
{
    (void)state;
    static const char strict[] = "-pedantic -Wall -Wextra -Werror -fsyntax-only";
    static const char header[] = MIEN_SOURCE_DIR "/include/mien.h";
    static const char *const compilers[] = {"c++", "g++", "clang++"};
    char command[4096];
    snprintf(command, sizeof command, "cc -std=c99 %s -x c %s", strict, header);
    assert_int_equal(0, system(command));
    for (int i = 0; i < 3; i++) {
        snprintf(command, sizeof command, "%s --version >/dev/null 2>&1", compilers[i]);
        if (system(command) != 0)
            continue;
        snprintf(command, sizeof command, "%s -std=c++11 %s -x c++ %s", compilers[i], strict, header);
        assert_int_equal(0, system(command));
        return;
    }
    print_message("skipped: no C++ compiler here\n");
    skip();
}

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
    assert_failure(mien_score(&e, "chess", "t", "p"), MIEN_ERR_UNSUPPORTED, "chess");
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
        cmocka_unit_test(header__every_function__is_exported),
        cmocka_unit_test(header__alone__compiles_as_c99_and_cpp),
        cmocka_unit_test(arguments__null__are_refused_by_name),
        cmocka_unit_test(compute__impossible__is_refused),
        cmocka_unit_test(graph_text__out_of_memory_anywhere__fails_in_order),
        cmocka_unit_test(architectures__are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
