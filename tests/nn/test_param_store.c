/* The store: slices, fresh values, and files in and out. */
#include "testing.h"

#include "base/mem.h"
#include "nn/model.h"

#include <float.h>
#include <math.h>

static model *make(const char *arch)
{
    static const char *const classes[] = {"anger", "joy", "fear"};
    model_spec spec = {.task = "lsd",
                       .arch = arch,
                       .classes = classes,
                       .class_count = 3,
                       .image_size = 64,
                       .mean = {0.5f, 0.4f, 0.3f},
                       .std = {0.2f, 0.25f, 0.3f}};
    model *m = NULL;
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, 7, false));
    return m;
}

static void param_store__slices__are_aligned_and_disjoint(void **state)
{
    (void)state;
    model *m = make("efficientnet_b0");
    size_t end = 0;
    for (int i = 0; i < param_store_count(model_params(m)); i++) {
        const param_slice *s = param_store_at(model_params(m), i);
        if (s->kind == SLICE_COUNTER)
            continue;
        assert_int_equal(s->offset % 16, 0);
        assert_true(s->offset >= end);
        end = s->offset + s->count;
    }
    assert_true(end <= param_store_memory(model_params(m))->count);
    model_free(m);
}

static void param_store__init__has_the_stated_spread(void **state)
{
    (void)state;
    model *m = make("resnet50");
    param_store *s = model_params(m);
    const param_slice *w = param_store_at(s, param_store_find(s, "layer3.0.conv2.weight"));
    double sum = 0, squares = 0;
    const float *values = param_store_memory(s)->values + w->offset;
    for (size_t i = 0; i < w->count; i++) {
        sum += values[i];
        squares += (double)values[i] * values[i];
    }
    double std = sqrt(2.0 / (256 * 9)), n = (double)w->count;
    assert_true(fabs(sum / n) < 4 * std / sqrt(n));
    assert_true(fabs(sqrt(squares / n) / std - 1) < 0.01);
    model *again = make("resnet50");
    assert_memory_equal(values, param_store_memory(model_params(again))->values + w->offset, w->count * sizeof(float));
    model_free(again);
    model_free(m);
}

static void param_store__declared_twice__is_one_slice(void **state)
{
    (void)state;
    param_store *s = NULL;
    int a = -1, b = -1;
    param_init zero = {INIT_CONSTANT, 0};
    assert_ok(param_store_create(&s));
    assert_ok(param_store_declare(s, &a, "w", shape_of(1, (int64_t)3), SLICE_PARAMETER, zero));
    assert_ok(param_store_declare(s, &b, "w", shape_of(1, (int64_t)3), SLICE_PARAMETER, zero));
    assert_int_equal(a, b);
    assert_failure(param_store_declare(s, &b, "w", shape_of(1, (int64_t)4), SLICE_PARAMETER, zero), MIEN_ERR_SHAPE,
                   "w: declared twice");
    param_store_free(s);
}

static void model__saved_and_loaded__is_the_same(void **state)
{
    (void)state;
    char folder[64], path[128], again_path[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    snprintf(again_path, sizeof again_path, "%s/b.safetensors", folder);
    model *m = make("efficientnet_b0"), *loaded = NULL;
    assert_ok(model_save(m, path, "{\"macro_f1\": 0.5}"));
    assert_ok(model_load(&loaded, path));
    const model_spec *spec = model_spec_of(loaded);
    assert_string_equal(spec->arch, "efficientnet_b0");
    assert_string_equal(spec->classes[1], "joy");
    assert_int_equal(spec->image_size, 64);
    assert_true(spec->mean[0] == 0.5f && spec->std[2] == 0.3f);
    assert_memory_equal(param_store_memory(model_params(m))->values, param_store_memory(model_params(loaded))->values,
                        param_store_memory(model_params(m))->count * sizeof(float));
    assert_ok(model_save(loaded, again_path, "{\"macro_f1\": 0.5}"));
    char command[300];
    snprintf(command, sizeof command, "cmp %s %s", path, again_path);
    assert_int_equal(system(command), 0);
    model_free(loaded);
    model_free(m);
    temp_folder_remove(folder);
}

static void model__half_precision_file__loads(void **state)
{
    (void)state;
    char folder[64], path[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/half.safetensors", folder);
    param_store *s = NULL;
    int w = -1;
    assert_ok(param_store_create(&s));
    assert_ok(
        param_store_declare(s, &w, "w", shape_of(1, (int64_t)6), SLICE_PARAMETER, (param_init){INIT_CONSTANT, 9}));
    assert_ok(param_store_alloc(s, false));
    static const uint16_t halves[6] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0x0000, 0x3555};
    st_tensor t = {.name = "w", .dtype = ST_F16, .rank = 1, .dims = {6}, .data = halves, .bytes = sizeof halves};
    assert_ok(st_write(path, &t, 1, NULL, 0));
    tensor_file *f = NULL;
    assert_ok(tensor_file_open(&f, path));
    assert_ok(param_store_load(s, f, path, NULL));
    const float *v = param_store_memory(s)->values;
    assert_true(v[0] == 1 && v[1] == -2 && v[2] == 0x1p-24f && v[3] == 65504 && v[4] == 0 &&
                fabsf(v[5] - 1 / 3.0f) < 1e-4f);
    tensor_file_close(f);
    param_store_free(s);
    temp_folder_remove(folder);
}

/* A store of one parameter of `count` elements, and what loading a file of one such tensor answers. */
static mien_status load_one(const char *path, st_dtype type, const void *elements, size_t element_bytes, size_t count)
{
    param_store *s = NULL;
    tensor_file *f = NULL;
    int w = -1;
    const st_tensor t = {.name = "fc.weight",
                         .dtype = type,
                         .rank = 1,
                         .dims = {(int64_t)count},
                         .data = elements,
                         .bytes = element_bytes * count};
    assert_ok(st_write(path, &t, 1, NULL, 0));
    assert_ok(param_store_create(&s));
    assert_ok(param_store_declare(s, &w, "fc.weight", shape_of(1, (int64_t)count), SLICE_PARAMETER,
                                  (param_init){INIT_CONSTANT, 0}));
    assert_ok(param_store_alloc(s, false));
    assert_ok(tensor_file_open(&f, path));
    mien_status st = param_store_load(s, f, path, NULL);
    tensor_file_close(f);
    param_store_free(s);
    return st;
}

static void param_store__what_is_not_finite__is_refused_by_name(void **state)
{
    (void)state;
    enum { COUNT = 3000 }; /* two blocks that are looked at whole, and a rest */
    static float values[COUNT];
    static const size_t places[] = {0, 1023, 1024, 2047, 2048, COUNT - 1};
    static const float faults[] = {NAN, -NAN, INFINITY, -INFINITY};
    static const uint16_t half[] = {0x3c00, 0x7c00}, bhalf[] = {0x3f80, 0x7fc0};
    static const double wide[] = {1, 1e300};
    char folder[64], path[128], wanted[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    for (int i = 0; i < COUNT; i++)
        values[i] = i % 2 ? -FLT_MAX : FLT_TRUE_MIN;
    assert_ok(load_one(path, ST_F32, values, sizeof values[0], COUNT));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++) {
            const float kept = values[places[i]];
            values[places[i]] = faults[k];
            snprintf(wanted, sizeof wanted,
                     "w.safetensors: tensor fc.weight: element %zu is %s (wanted finite numbers)", places[i],
                     k < 2 ? "NaN" : "infinite");
            assert_failure(load_one(path, ST_F32, values, sizeof values[0], COUNT), MIEN_ERR_FORMAT, wanted);
            values[places[i]] = kept;
        }
    assert_failure(load_one(path, ST_F16, half, sizeof half[0], 2), MIEN_ERR_FORMAT, "element 1 is infinite");
    assert_failure(load_one(path, ST_BF16, bhalf, sizeof bhalf[0], 2), MIEN_ERR_FORMAT, "element 1 is NaN");
    assert_failure(load_one(path, ST_F64, wide, sizeof wide[0], 2), MIEN_ERR_FORMAT, "element 1 is infinite");
    temp_folder_remove(folder);
}

static void param_store__three_parts__are_one_slice(void **state)
{
    (void)state;
    static const float numbers[14] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    static const struct {
        const char *names[3];
        int64_t rows[3], rank;
        const char *fault; /* NULL: none */
    } cases[] = {
        {{"2:qkv", "0:qkv", "1:qkv"}, {2, 2, 2}, 2, NULL},
        {{"0:qkv", "1:qkv", "2:qkx"}, {2, 2, 2}, 2, "(1 missing, 0 wrong, 3 extra)"},
        {{"0:qkv", "1:qkv", "2:qkv"}, {2, 3, 1}, 2, "(0 missing, 1 wrong, 0 extra)"},
        {{"0:qkv", "1:qkv", "2:qkv"}, {2, 2, 2}, 1, "(0 missing, 1 wrong, 0 extra)"},
        {{"0:qkv", "1:qkv", "qkv"}, {2, 2, 6}, 2, "(0 missing, 0 wrong, 2 extra)"},
        {{"0:qkv", "1:qkv", "3:qkv"}, {2, 2, 2}, 2, "(1 missing, 0 wrong, 3 extra)"},
    };
    char folder[64], path[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/parts.safetensors", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        st_tensor tensors[3];
        param_store *s = NULL;
        tensor_file *f = NULL;
        int w = -1;
        for (int k = 0; k < 3; k++)
            tensors[k] = (st_tensor){.name = cases[i].names[k],
                                     .dtype = ST_F32,
                                     .rank = (int)cases[i].rank,
                                     .dims = {cases[i].rows[k], 2},
                                     .data = numbers + (cases[i].rows[k] < 6 ? 4 * k : 0),
                                     .bytes = (size_t)cases[i].rows[k] * (cases[i].rank == 2 ? 8 : 4)};
        assert_ok(st_write(path, tensors, 3, NULL, 0));
        assert_ok(param_store_create(&s));
        assert_ok(param_store_declare(s, &w, "qkv", shape_of(2, (int64_t)6, (int64_t)2), SLICE_PARAMETER,
                                      (param_init){INIT_CONSTANT, 9}));
        assert_ok(param_store_alloc(s, false));
        assert_ok(tensor_file_open(&f, path));
        const char *const skipped[] = {"-", NULL};
        assert_true(param_store_is_in(s, f, skipped) ==
                    (!cases[i].fault || strstr(cases[i].fault, "0 missing, 0 wrong")));
        if (cases[i].fault) {
            assert_failure(param_store_load(s, f, path, NULL), MIEN_ERR_FORMAT, cases[i].fault);
        } else {
            static const float wanted[12] = {4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3};
            assert_ok(param_store_load(s, f, path, NULL));
            assert_memory_equal(param_store_memory(s)->values, wanted, sizeof wanted);
        }
        tensor_file_close(f);
        param_store_free(s);
    }
    temp_folder_remove(folder);
}

static void save_with(const char *path, const char *metadata)
{
    float one = 1;
    st_tensor t = {.name = "w", .dtype = ST_F32, .rank = 1, .dims = {1}, .data = &one, .bytes = sizeof one};
    assert_ok(st_write(path, &t, 1, &(st_metadata){"mien", metadata}, 1));
}

static void model__bad_file__is_one_clear_line(void **state)
{
    (void)state;
    static const struct {
        const char *metadata;
        mien_status status;
        const char *text;
    } cases[] = {
        {"{}", MIEN_ERR_FORMAT, "version"},
        {"not json", MIEN_ERR_FORMAT, "bad.safetensors: metadata"},
        {"{\"version\": 99}", MIEN_ERR_UNSUPPORTED, "version 99 (wanted 1)"},
        {"{\"version\": 1, \"kind\": \"twice\"}", MIEN_ERR_UNSUPPORTED,
         "kind twice (wanted plain, deviation, smm or baseline)"},
        {"{\"version\": 1, \"kind\": \"plain\", \"task\": \"lsd\", \"arch\": \"vgg\", \"image_size\": 64, \"mean\": "
         "[0, 0, 0], "
         "\"std\": [1, 1, 1], \"classes\": [\"a\"]}",
         MIEN_ERR_UNSUPPORTED, "unknown architecture vgg"},
        {"{\"version\": 1, \"kind\": \"plain\", \"task\": \"lsd\", \"arch\": \"resnet50\", \"image_size\": 64, "
         "\"mean\": [0, 0], "
         "\"std\": [1, 1, 1], \"classes\": [\"a\"]}",
         MIEN_ERR_FORMAT, "mean: 2 numbers (wanted 3)"},
        {"{\"version\": 1, \"kind\": \"plain\", \"task\": \"lsd\", \"arch\": \"resnet50\", \"image_size\": 64, "
         "\"mean\": [0, 0, 0], "
         "\"std\": [1, 1, 1], \"classes\": [\"a\"]}",
         MIEN_ERR_FORMAT, "tensors do not fit"},
    };
    char folder[64], path[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/bad.safetensors", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        model *m = NULL;
        save_with(path, cases[i].metadata);
        assert_failure(model_load(&m, path), cases[i].status, cases[i].text);
        assert_null(m);
    }
    temp_folder_remove(folder);
}

static mien_status load_backbone(model *m, const char *path)
{
    tensor_file *f;
    assert_ok(tensor_file_open(&f, path));
    mien_status st = model_load_backbone(m, f, path);
    tensor_file_close(f);
    return st;
}

/* A weights file as torchvision has it: names of auxiliary heads that nothing here reads, a head of other classes. */
static void model__init_file__may_hold_auxiliary_heads(void **state)
{
    (void)state;
    char folder[64], path[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/googlenet.safetensors", folder);
    model *from = make("googlenet"), *into = make("googlenet");
    st_tensor *tensors = NULL, with_more[1024];
    size_t count = 0;
    assert_ok(param_store_tensors(model_params(from), &tensors, &count));
    assert_true(count + 2 <= sizeof with_more / sizeof with_more[0]);
    memcpy(with_more, tensors, count * sizeof *tensors);
    const float one = 1;
    static const char *const names[] = {"aux1.conv.conv.weight", "aux2.fc2.bias", "aux3.fc2.bias"};
    for (int i = 0; i < 3; i++)
        with_more[count + (size_t)i] =
            (st_tensor){.name = names[i], .dtype = ST_F32, .rank = 1, .dims = {1}, .data = &one, .bytes = sizeof one};
    const param_slice *conv =
        param_store_at(model_params(from), param_store_find(model_params(from), "conv3.conv.weight"));
    const float *read = param_store_memory(model_params(into))->values + conv->offset;
    memset(param_store_memory(model_params(into))->values, 0, conv->count * sizeof(float));

    assert_ok(st_write(path, with_more, count + 3, NULL, 0));
    assert_failure(load_backbone(into, path), MIEN_ERR_FORMAT, "(0 missing, 0 wrong, 1 extra)"); /* aux3 */
    assert_ok(st_write(path, with_more, count + 2, NULL, 0));
    assert_ok(load_backbone(into, path));
    assert_memory_equal(read, param_store_memory(model_params(from))->values + conv->offset,
                        conv->count * sizeof(float));
    mem_free(tensors);
    model_free(into);
    model_free(from);
    temp_folder_remove(folder);
}

static void model__allocation_failing__is_clean(void **state)
{
    (void)state;
    static const char *const classes[] = {"a", "b"};
    model_spec spec = {
        .task = "lsd", .arch = "efficientnet_b0", .classes = classes, .class_count = 2, .std = {1, 1, 1}};
    mien_status st = MIEN_ERR_NOMEM;
    int tries = 0;
    for (int64_t n = 1; st == MIEN_ERR_NOMEM; n++, tries++) {
        model *m = NULL;
        mem_fail_after(n);
        st = model_create(&m, &spec);
        mem_fail_after(-1);
        if (st != MIEN_OK)
            assert_null(m);
        model_free(m);
    }
    assert_int_equal(st, MIEN_OK);
    assert_true(tries > 5);
}

static void alloc_sums__comes_beside_gradients_alone(void **state)
{
    (void)state;
    param_store *s = NULL;
    int index;
    assert_ok(param_store_create(&s));
    assert_ok(param_store_declare(s, &index, "w", shape_of(1, 3L), SLICE_PARAMETER, (param_init){0}));
    assert_ok(param_store_alloc(s, false));
    assert_failure(param_store_alloc_sums(s), MIEN_ERR_INTERNAL, "sums of gradients without gradients");
    assert_ok(param_store_alloc(s, true));
    assert_null(param_store_memory(s)->sums);
    assert_ok(param_store_alloc_sums(s));
    const float *sums = param_store_memory(s)->sums;
    assert_non_null(sums);
    assert_ok(param_store_alloc_sums(s));
    assert_ptr_equal(param_store_memory(s)->sums, sums);
    param_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_sums__comes_beside_gradients_alone),
        cmocka_unit_test(param_store__slices__are_aligned_and_disjoint),
        cmocka_unit_test(param_store__init__has_the_stated_spread),
        cmocka_unit_test(param_store__declared_twice__is_one_slice),
        cmocka_unit_test(model__saved_and_loaded__is_the_same),
        cmocka_unit_test(model__half_precision_file__loads),
        cmocka_unit_test(param_store__what_is_not_finite__is_refused_by_name),
        cmocka_unit_test(param_store__three_parts__are_one_slice),
        cmocka_unit_test(model__bad_file__is_one_clear_line),
        cmocka_unit_test(model__init_file__may_hold_auxiliary_heads),
        cmocka_unit_test(model__allocation_failing__is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
