/* Every backbone has torchvision's parameters: the same names, shapes and counts (fixtures/ by make_names.py). */
#include "testing.h"

#include "base/file.h"
#include "base/mem.h"
#include "nn/model.h"

#include <stdlib.h>

static const char *class_names[1000];

static model *make(const char *arch, int classes, int size)
{
    for (int i = 0; i < classes; i++)
        class_names[i] = "some";
    model_spec spec = {.task = "lsd",
                       .arch = arch,
                       .classes = class_names,
                       .class_count = classes,
                       .image_size = size,
                       .std = {1, 1, 1}};
    model *m = NULL;
    assert_ok(model_create(&m, &spec));
    return m;
}

static void check_names(const char *arch)
{
    model *m = make(arch, 1000, 0);
    char path[512], *text = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s/tests/nn/fixtures/%s.txt", MIEN_SOURCE_DIR, arch);
    assert_ok(file_read(&text, &length, path, 0));
    int lines = 0;
    for (char *save = NULL, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save), lines++) {
        char *fields = NULL, *name = strtok_r(line, " ", &fields);
        int index = param_store_find(model_params(m), name);
        if (index < 0)
            fail_msg("%s: %s is missing", arch, name);
        const param_slice *slice = param_store_at(model_params(m), index);
        int rank = 0;
        for (char *dim = strtok_r(NULL, " ", &fields); dim; dim = strtok_r(NULL, " ", &fields), rank++)
            assert_int_equal(slice->shape.dim[rank], atoll(dim));
        assert_int_equal(slice->shape.rank, rank);
    }
    assert_int_equal(param_store_count(model_params(m)), lines);
    mem_free(text);
    model_free(m);
}

static void zoo__names__are_torchvisions(void **state)
{
    (void)state;
    for (int i = 0; architecture_at(i); i++)
        check_names(architecture_at(i)->name);
}

static void zoo__parameter_counts__are_torchvisions(void **state)
{
    (void)state;
    static const struct {
        const char *arch;
        int64_t count;
    } wanted[] = {{"resnet50", 25557032}, {"efficientnet_b0", 5288548}, {"vit_b_16", 86567656}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        model *m = make(wanted[i].arch, 1000, 0);
        assert_int_equal(param_store_parameter_count(model_params(m)), wanted[i].count);
        model_free(m);
    }
}

static void zoo__any_size__describes_and_differentiates(void **state)
{
    (void)state;
    static const int sizes[] = {32, 33, 48, 97, 224, 300};
    optimizer_attr adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    for (int a = 0; architecture_at(a); a++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            int step = architecture_at(a)->size_step;
            if (step && sizes[i] % step != 0)
                continue;
            model *m = make(architecture_at(a)->name, 6, sizes[i]);
            assert_ok(model_init(m, 1, false));
            graph *g = NULL;
            model_io io;
            assert_ok(
                model_graph(&g, &io, m,
                            &(model_graph_options){
                                .batch = 2, .activation_type = DTYPE_BF16, .is_training = true, .optimizer = &adam}));
            assert_int_equal(graph_value_at(g, io.features)->shape.dim[1], architecture_at(a)->feature_dim);
            graph_free(g);
            model_free(m);
        }
}

static void zoo__bad_spec__is_one_line(void **state)
{
    (void)state;
    const char *classes[] = {"a", "b"};
    model *m = NULL;
    model_spec spec = {.task = "lsd", .arch = "resnet51", .classes = classes, .class_count = 2, .std = {1, 1, 1}};
    assert_failure(model_create(&m, &spec), MIEN_ERR_UNSUPPORTED,
                   "arch: unknown architecture resnet51 (wanted resnet50, efficientnet_b0 or vit_b_16)");
    spec.arch = "resnet50";
    spec.image_size = 16;
    assert_failure(model_create(&m, &spec), MIEN_ERR_ARG, "image_size: 16 (wanted 32 to 1024 for resnet50)");
    spec.arch = "vit_b_16";
    spec.image_size = 50;
    assert_failure(model_create(&m, &spec), MIEN_ERR_ARG, "image_size: 50 (wanted a multiple of 16 for vit_b_16)");
    spec.image_size = 64;
    spec.std[1] = 0;
    assert_failure(model_create(&m, &spec), MIEN_ERR_ARG,
                   "normalisation: mean 0, std 0 of channel 1 (wanted finite, std above 0)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zoo__names__are_torchvisions),
        cmocka_unit_test(zoo__parameter_counts__are_torchvisions),
        cmocka_unit_test(zoo__any_size__describes_and_differentiates),
        cmocka_unit_test(zoo__bad_spec__is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
