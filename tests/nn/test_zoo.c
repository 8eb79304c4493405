/* Every backbone has torchvision's parameters: the same names, shapes and counts (tests/fixtures/nn, by make_names.py).
 */
#include "testing.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "nn/model.h"
#include "nn/zoo.h"
#include "task/class_loss.h"

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
    snprintf(path, sizeof path, "%s/tests/fixtures/nn/%s.txt", MIEN_SOURCE_DIR, arch);
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
    } wanted[] = {{"resnet50", 25557032}, {"efficientnet_b0", 5288548}, {"efficientnet_lite0", 4652008},
                  {"googlenet", 6624904}, {"inception_v3", 23834568},   {"vit_b_16", 86567656}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        model *m = make(wanted[i].arch, 1000, 0);
        assert_int_equal(param_store_parameter_count(model_params(m)), wanted[i].count);
        model_free(m);
    }
}

static void zoo__any_size__describes_and_differentiates(void **state)
{
    (void)state;
    optimizer_attr adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    class_loss loss = {0};
    const model_ending ending = class_loss_ending(&loss);
    for (int a = 0; architecture_at(a); a++) {
        const int least = architecture_at(a)->min_size;
        const int sizes[] = {least, least + 1, 97, 224, architecture_at(a)->default_size, 300};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            int step = architecture_at(a)->size_step;
            if (step && sizes[i] % step != 0)
                continue;
            model *m = make(architecture_at(a)->name, 6, sizes[i]);
            assert_ok(param_store_alloc(model_params(m), false));
            graph *g = NULL;
            model_io io;
            assert_ok(model_graph(&g, &io, m,
                                  &(model_graph_options){.batch = 2,
                                                         .activation_type = DTYPE_BF16,
                                                         .is_training = true,
                                                         .ending = &ending,
                                                         .optimizer = &adam}));
            assert_int_equal(graph_value_at(g, io.features)->shape.dim[1], architecture_at(a)->feature_dim);
            graph_free(g);
            model_free(m);
        }
    }
}

/* Below its stated smallest side an Inception network has no feature map left. */
static void zoo__smallest_size__is_the_smallest(void **state)
{
    (void)state;
    static const char *const archs[] = {"googlenet", "inception_v3"};
    for (size_t i = 0; i < sizeof archs / sizeof archs[0]; i++) {
        const architecture *arch = architecture_find(archs[i]);
        for (int short_by = 0; short_by < 2; short_by++) {
            param_store *store = NULL;
            graph *g = NULL;
            value_id x = NO_VALUE;
            const int64_t size = arch->min_size - short_by;
            assert_ok(param_store_create(&store));
            assert_ok(graph_create(&g, DTYPE_F32, false));
            assert_ok(graph_input(g, &x, "x", DTYPE_F32, shape_of(4, (int64_t)1, size, size, (int64_t)3)));
            net n = {.g = g, .params = store};
            (void)arch->features(&n, x);
            if (short_by)
                assert_failure(n.status, MIEN_ERR_SHAPE, "exceeds the padded input");
            else
                assert_ok(n.status);
            graph_free(g);
            param_store_free(store);
        }
    }
}

/* What a map's description made. */
typedef struct {
    param_store *store;
    graph *g;
    shape shape;
} described_map;

static void map_describe(described_map *d, const feature_map *map, int64_t size)
{
    value_id x = NO_VALUE;
    assert_ok(param_store_create(&d->store));
    assert_ok(graph_create(&d->g, DTYPE_F32, false));
    assert_ok(graph_input(d->g, &x, "x", DTYPE_F32, shape_of(4, (int64_t)2, size, size, (int64_t)3)));
    net n = {.g = d->g, .params = d->store, .root = "backbone."};
    const value_id y = map->describe(&n, x);
    assert_ok(n.status);
    d->shape = graph_value_at(d->g, y)->shape;
}

static void map_free(described_map *d)
{
    graph_free(d->g);
    param_store_free(d->store);
}

static void maps__of_every_architecture__are_as_their_rows_say(void **state)
{
    (void)state;
    for (int a = 0; architecture_at(a); a++) {
        const architecture *arch = architecture_at(a);
        for (int i = 0; i < ARCHITECTURE_MAX_MAPS && arch->maps[i].name; i++) {
            const feature_map *map = NULL;
            described_map d;
            assert_ok(architecture_map(&map, arch, arch->maps[i].name));
            assert_ptr_equal(map, &arch->maps[i]);
            map_describe(&d, map, arch->default_size);
            assert_int_equal(d.shape.rank, 4);
            assert_int_equal(d.shape.dim[3], map->dim);
            /* an Inception network cuts a pixel or two from borders */
            assert_in_range(d.shape.dim[1], arch->default_size / map->stride - 1, arch->default_size / map->stride);
            for (int k = 0; k < param_store_count(d.store); k++) {
                const char *name = param_store_at(d.store, k)->name;
                assert_memory_equal(name, "backbone.", strlen("backbone."));
                assert_memory_not_equal(name + strlen("backbone."), arch->head_prefix, strlen(arch->head_prefix));
            }
            map_free(&d);
        }
    }
}

static bool is_behind(const architecture *arch, const feature_map *map, const char *name)
{
    if (str_starts(name, arch->head_prefix))
        return true;
    for (int i = 0; map->behind[i]; i++)
        if (str_starts(name, map->behind[i]))
            return true;
    return false;
}

/* What the whole declares, less the head and what the row says is behind the map, in its order. */
static void maps__of_every_architecture__declare_all_but_what_is_behind(void **state)
{
    (void)state;
    for (int a = 0; architecture_at(a); a++) {
        const architecture *arch = architecture_at(a);
        model *m = make(arch->name, 2, 0);
        const param_store *whole = model_params(m);
        for (int i = 0; i < ARCHITECTURE_MAX_MAPS && arch->maps[i].name; i++) {
            described_map d;
            int count = 0;
            map_describe(&d, &arch->maps[i], arch->default_size);
            for (int k = 0; k < param_store_count(whole); k++) {
                const char *name = param_store_at(whole, k)->name;
                if (is_behind(arch, &arch->maps[i], name))
                    continue;
                assert_true(count < param_store_count(d.store));
                assert_string_equal(param_store_at(d.store, count)->name + strlen("backbone."), name);
                count++;
            }
            assert_int_equal(count, param_store_count(d.store));
            map_free(&d);
        }
        model_free(m);
    }
}

static void maps__inception_v3_mixed_6e__is_17_by_17_and_nothing_behind(void **state)
{
    (void)state;
    const feature_map *map = NULL;
    described_map d;
    assert_ok(architecture_map(&map, architecture_find("inception_v3"), NULL));
    assert_string_equal(map->name, "Mixed_6e");
    map_describe(&d, map, 299);
    const shape wanted = shape_of(4, (int64_t)2, (int64_t)17, (int64_t)17, (int64_t)768);
    assert_true(shape_equal(&d.shape, &wanted));
    assert_true(param_store_find(d.store, "backbone.Mixed_6e.branch_pool.bn.bias") >= 0);
    for (int i = 0; i < param_store_count(d.store); i++)
        assert_null(strstr(param_store_at(d.store, i)->name, "Mixed_7"));
    map_free(&d);
}

static void maps__unknown_name__is_one_line(void **state)
{
    (void)state;
    const feature_map *map = NULL;
    assert_failure(architecture_map(&map, architecture_find("inception_v3"), "layer4"), MIEN_ERR_UNSUPPORTED,
                   "inception_v3: no feature map layer4 (wanted Mixed_6e or Mixed_7c)");
}

static void zoo__bad_spec__is_one_line(void **state)
{
    (void)state;
    const char *classes[] = {"a", "b"};
    model *m = NULL;
    model_spec spec = {.task = "lsd", .arch = "resnet51", .classes = classes, .class_count = 2, .std = {1, 1, 1}};
    assert_failure(model_create(&m, &spec), MIEN_ERR_UNSUPPORTED,
                   "arch: unknown architecture resnet51 (wanted resnet50");
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
        cmocka_unit_test(zoo__smallest_size__is_the_smallest),
        cmocka_unit_test(maps__of_every_architecture__are_as_their_rows_say),
        cmocka_unit_test(maps__of_every_architecture__declare_all_but_what_is_behind),
        cmocka_unit_test(maps__inception_v3_mixed_6e__is_17_by_17_and_nothing_behind),
        cmocka_unit_test(maps__unknown_name__is_one_line),
        cmocka_unit_test(zoo__bad_spec__is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
