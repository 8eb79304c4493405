/* Models with drawn weights leave: what the file says of itself, and which inputs it has. What it computes is
 * parity/check_export.py's to see. */
#include "infer/export.h"

#include "format/onnx.pb-c.h"
#include "format/tensor_file.h"
#include "nn/model.h"
#include "no_memory.h"
#include "train/run_kit.h"

#include <sys/mman.h>

static const char *const classes[] = {"anger", "fear"};

static void save(const char *path, int size, float mean, model_kind kind)
{
    model *m;
    const model_spec spec = {.task = "lsd",
                             .arch = "efficientnet_b0",
                             .classes = classes,
                             .class_count = 2,
                             .image_size = size,
                             .mean = {mean, 0.5f, 0.5f},
                             .std = {0.25f, 0.25f, 0.25f},
                             .kind = kind};
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, (uint64_t)size, false));
    assert_ok(model_save(m, path, "{\"epoch\":3}"));
    model_free(m);
}

static const char *const axes[] = {"valence", "arousal"}, *const units[] = {"AU1", "AU2"};
static const model_head heads[] = {
    {.name = "va", .kind = HEAD_REGRESSION, .size = 2, .columns = axes},
    {.name = "expression", .kind = HEAD_CLASS, .size = 2, .columns = classes},
    {.name = "au", .kind = HEAD_BINARIES, .size = 2, .columns = units, .thresholds = (const float[]){0.25f, 0.75f}},
    {.name = "au_intensity", .kind = HEAD_BINARIES, .size = 2, .columns = units},
};
enum { HEADS = sizeof heads / sizeof heads[0] };

static model_spec spec_of(const architecture *arch, int size, model_kind kind, int head_count)
{
    return (model_spec){.task = "lsd",
                        .arch = arch->name,
                        .heads = heads,
                        .head_count = head_count,
                        .image_size = size,
                        .mean = {0.5f, 0.5f, 0.5f},
                        .std = {0.5f, 0.5f, 0.5f},
                        .kind = kind};
}

/* Of the heads above, or the first `head_count` of them. */
static void save_heads(const char *path, model_kind kind, int head_count, bool is_orthogonal)
{
    model *m;
    model_spec spec = spec_of(architecture_find("efficientnet_b0"), 32, kind, head_count);
    spec.smm.is_orthogonal = is_orthogonal;
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, 5, false));
    assert_ok(model_save(m, path, NULL));
    model_free(m);
}

static int enter(void **state)
{
    if (temp_folder_enter(state) != 0)
        return 1;
    save("a.safetensors", 32, 0.5f, MODEL_PLAIN);
    save("b.safetensors", 32, 0.25f, MODEL_DEVIATION);
    save("c.safetensors", 40, 0.5f, MODEL_PLAIN);
    save_heads("smm.safetensors", MODEL_SMM, HEADS, true);
    save_heads("baseline.safetensors", MODEL_BASELINE, HEADS, false);
    save_heads("va.safetensors", MODEL_SMM, 1, false);
    return 0;
}

static ensemble *open_models(const char *const *paths, int count)
{
    ensemble *e;
    ensemble_source sources[4];
    for (int i = 0; i < count; i++)
        sources[i] = (ensemble_source){.path = paths[i], .counts = true};
    assert_ok(ensemble_open(&e, sources, count, NULL, &(ensemble_options){0}));
    return e;
}

/* Exports `count` models to m.onnx; caller: json_decref. */
static json_t *export_models(const char *const *paths, int count, onnx_form form)
{
    json_t *report = NULL;
    ensemble *e = open_models(paths, count);
    assert_ok(export_onnx(&report, e, "m.onnx", form));
    ensemble_free(e);
    return report;
}

static Onnx__ModelProto *read_back(void)
{
    size_t length;
    char *bytes = kit_read("m.onnx", &length);
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, length, (const uint8_t *)bytes);
    mem_free(bytes);
    assert_non_null(m);
    return m;
}

/* "images uint8 [..]; .." of the report, which the file agrees with. */
static void assert_inputs(const json_t *report, const char *wanted)
{
    size_t i;
    Onnx__ModelProto *m = read_back();
    str text = {0};
    json_t *input;
    assert_int_equal(json_array_size(json_object_get(report, "inputs")), m->graph->n_input);
    json_array_foreach(json_object_get(report, "inputs"), i, input)
    {
        char *dims;
        assert_ok(json_print(&dims, json_object_get(input, "shape")));
        assert_ok(str_printf(&text, "%s%s %s %s", i ? "; " : "", json_string_value(json_object_get(input, "name")),
                             json_string_value(json_object_get(input, "type")), dims));
        mem_free(dims);
        const Onnx__TypeProto__Tensor *t = m->graph->input[i]->type->tensor_type;
        assert_string_equal(m->graph->input[i]->name, json_string_value(json_object_get(input, "name")));
        for (size_t d = 1; d < t->shape->n_dim; d++)
            assert_int_equal(t->shape->dim[d]->dim_value,
                             json_integer_value(json_array_get(json_object_get(input, "shape"), d)));
    }
    assert_string_equal(text.text, wanted);
    str_free(&text);
    onnx__model_proto__free_unpacked(m, NULL);
}

static const char *metadata_of(const Onnx__ModelProto *m, const char *key)
{
    for (size_t i = 0; i < m->n_metadata_props; i++)
        if (!strcmp(m->metadata_props[i]->key, key))
            return m->metadata_props[i]->value;
    return NULL;
}

static void assert_metadata(const char *const (*wanted)[2], size_t count)
{
    Onnx__ModelProto *m = read_back();
    for (size_t i = 0; i < count; i++)
        assert_string_equal(metadata_of(m, wanted[i][0]), wanted[i][1]);
    onnx__model_proto__free_unpacked(m, NULL);
}

static void export__one_model__says_what_it_is(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        {"task", "lsd"},
        {"kind", "plain"},
        {"arch", "efficientnet_b0"},
        {"classes", "[\"anger\",\"fear\"]"},
        {"image_size", "32"},
        {"mean", "[0.5,0.5,0.5]"},
        {"std", "[0.25,0.25,0.25]"},
        {"input", "uint8"},
        {"licence", "not stated"},
        {"members", "[{\"name\":\"efficientnet_b0\",\"input\":\"images\",\"arch\":\"efficientnet_b0\",\"variant\":"
                    "\"torchvision\",\"kind\":\"plain\",\"image_size\":32,\"mean\":[0.5,0.5,0.5],\"std\":[0.25,0.25,"
                    "0.25],\"licence\":null}]"},
        {"mien_version", MIEN_VERSION},
    };
    const char *const paths[] = {"a.safetensors"};
    json_t *report = export_models(paths, 1, ONNX_UINT8);
    assert_inputs(report, "images uint8 [\"batch\",32,32,3]");
    assert_metadata(wanted, sizeof wanted / sizeof wanted[0]);
    json_decref(report);
    report = export_models(paths, 1, ONNX_RAW);
    assert_inputs(report, "images float32 [\"batch\",3,32,32]");
    json_decref(report);
}

static void export__ensemble__shares_inputs_that_agree(void **state)
{
    (void)state;
    static const char *const wanted[][2] = {
        {"kind", "ensemble"}, {"arch", "efficientnet_b0"}, {"image_size", "[32,32,40]"},
        {"input", "float"},   {"std", "[0.25,0.25,0.25]"}, {"mean", "[[0.5,0.5,0.5],[0.25,0.5,0.5],[0.5,0.5,0.5]]"},
    };
    const char *const paths[] = {"a.safetensors", "b.safetensors", "c.safetensors"};
    json_t *report = export_models(paths, 3, ONNX_FLOAT);
    assert_inputs(report, "images_32 float32 [\"batch\",32,32,3]; images_40 float32 [\"batch\",40,40,3]");
    assert_metadata(wanted, sizeof wanted / sizeof wanted[0]);
    const json_t *members = json_object_get(json_object_get(report, "metadata"), "members");
    static const char *const names[] = {"efficientnet_b0", "efficientnet_b0.2", "efficientnet_b0.3"};
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(members, i), "name")), names[i]);
    assert_string_equal(json_string_value(json_object_get(json_array_get(members, 1), "kind")), "deviation");
    json_decref(report);
    report = export_models(paths, 2, ONNX_UINT8);
    assert_inputs(report, "images uint8 [\"batch\",32,32,3]");
    json_decref(report);
    /* normalised outside, two normalisations are two inputs */
    report = export_models(paths, 3, ONNX_RAW);
    assert_inputs(report, "images_32 float32 [\"batch\",3,32,32]; images_32_2 float32 [\"batch\",3,32,32]; "
                          "images_40 float32 [\"batch\",3,40,40]");
    json_decref(report);
}

/* The part of the report as JSON. */
static void assert_part(const json_t *report, const char *key, const char *wanted)
{
    char *text;
    assert_ok(json_print(&text, json_object_get(report, key)));
    assert_string_equal(text, wanted);
    mem_free(text);
}

/* An output's name is a head's, where there is more than the one of classes. */
static void export__several_heads__are_outputs(void **state)
{
    (void)state;
    static const char *const alone[] = {"smm.safetensors"}, *const one[] = {"va.safetensors"};
    static const char *const metadata[][2] = {
        {"kind", "smm"},
        {"classes", "[\"anger\",\"fear\"]"},
        {"heads", "[{\"name\":\"va\",\"kind\":\"regression\",\"columns\":[\"valence\",\"arousal\"]},"
                  "{\"name\":\"expression\",\"kind\":\"class\",\"columns\":[\"anger\",\"fear\"]},"
                  "{\"name\":\"au\",\"kind\":\"binaries\",\"columns\":[\"AU1\",\"AU2\"],\"thresholds\":[0.25,0.75]},"
                  "{\"name\":\"au_intensity\",\"kind\":\"binaries\",\"columns\":[\"AU1\",\"AU2\"],"
                  "\"thresholds\":[0.5,0.5]}]"},
    };
    json_t *report = export_models(alone, 1, ONNX_UINT8);
    assert_null(json_object_get(report, "output"));
    assert_part(
        report, "outputs",
        "[{\"name\":\"va\",\"type\":\"float32\",\"shape\":[\"batch\",2],\"columns\":[\"valence\",\"arousal\"]},"
        "{\"name\":\"expression\",\"type\":\"float32\",\"shape\":[\"batch\",2],\"columns\":[\"anger\",\"fear\"]},"
        "{\"name\":\"au\",\"type\":\"float32\",\"shape\":[\"batch\",2],\"columns\":[\"AU1\",\"AU2\"]},"
        "{\"name\":\"au_intensity\",\"type\":\"float32\",\"shape\":[\"batch\",2],\"columns\":[\"AU1\",\"AU2\"]}]");
    json_decref(report);
    assert_metadata(metadata, sizeof metadata / sizeof metadata[0]);
    Onnx__ModelProto *m = read_back();
    assert_int_equal(m->graph->n_output, HEADS);
    for (int h = 0; h < HEADS; h++) {
        assert_string_equal(m->graph->output[h]->name, heads[h].name);
        assert_int_equal(m->graph->output[h]->type->tensor_type->shape->dim[1]->dim_value, heads[h].size);
    }
    onnx__model_proto__free_unpacked(m, NULL);
    report = export_models(one, 1, ONNX_UINT8);
    assert_part(report, "output", "{\"name\":\"va\",\"type\":\"float32\",\"shape\":[\"batch\",2]}");
    json_decref(report);
}

/* The last nodes are a mean for each head, of that head's answers. */
static void export__several_heads__have_a_mean_each(void **state)
{
    (void)state;
    static const char *const paths[] = {"smm.safetensors", "baseline.safetensors"};
    static const char *const wanted[HEADS][2] = {
        {"efficientnet_b0/heads.va:clipped", "efficientnet_b0.2/heads.va:clipped"},
        {"efficientnet_b0/heads.expression:ensemble", "efficientnet_b0.2/heads.expression:softmax"},
        {"efficientnet_b0/heads.au:probabilities", "efficientnet_b0.2/heads.au:probabilities"},
        {"efficientnet_b0/heads.au_intensity:probabilities", "efficientnet_b0.2/heads.au_intensity:probabilities"}};
    json_decref(export_models(paths, 2, ONNX_UINT8));
    Onnx__ModelProto *m = read_back();
    for (int h = 0; h < HEADS; h++) {
        const Onnx__NodeProto *n = m->graph->node[m->graph->n_node - HEADS + (size_t)h];
        assert_string_equal(n->op_type, "Mean");
        assert_string_equal(n->output[0], heads[h].name);
        assert_int_equal(n->n_input, 2);
        for (int i = 0; i < 2; i++)
            assert_string_equal(n->input[i], wanted[h][i]);
    }
    onnx__model_proto__free_unpacked(m, NULL);
}

/* A model's licence is its file's. */
static void export__licence__goes_along(void **state)
{
    (void)state;
    tensor_file *f;
    assert_ok(tensor_file_open(&f, "a.safetensors"));
    str text = {0};
    const char *about = tensor_file_meta(f, "mien"), *at = strstr(about, "\"licence\":null");
    assert_non_null(at);
    assert_ok(str_printf(&text, "%.*s\"licence\":\"CC BY 4.0\"%s", (int)(at - about), about, at + 14));
    st_tensor *tensors;
    const size_t count = tensor_file_count(f);
    assert_ok(mem_alloc(&tensors, count));
    for (size_t i = 0; i < count; i++)
        tensors[i] = *tensor_file_at(f, i);
    assert_ok(st_write("licensed.safetensors", tensors, count, &(st_metadata){"mien", text.text}, 1));
    const char *const paths[] = {"licensed.safetensors", "c.safetensors"};
    static const char *const one[][2] = {{"licence", "CC BY 4.0"}}, *const two[][2] = {
                                                                        {"licence", "[\"CC BY 4.0\",null]"}};
    json_decref(export_models(paths, 1, ONNX_UINT8));
    assert_metadata(one, 1);
    json_decref(export_models(paths, 2, ONNX_UINT8));
    assert_metadata(two, 1);
    mem_free(tensors);
    str_free(&text);
    tensor_file_close(f);
}

/* Names of files do not reach the bytes. */
static void export__same_models__same_bytes(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors", "c.safetensors"}, *const moved[] = {"a2.safetensors",
                                                                                      "c.safetensors"};
    json_decref(export_models(paths, 2, ONNX_UINT8));
    assert_int_equal(rename("m.onnx", "first.onnx"), 0);
    assert_int_equal(rename("a.safetensors", "a2.safetensors"), 0);
    json_decref(export_models(moved, 2, ONNX_UINT8));
    assert_int_equal(rename("a2.safetensors", "a.safetensors"), 0);
    kit_assert_same_file("first.onnx", "m.onnx");
}

static void export__safetensors__is_the_model(void **state)
{
    (void)state;
    const char *const paths[] = {"b.safetensors", "c.safetensors"};
    json_t *report = NULL;
    ensemble *e = open_models(paths, 1);
    assert_ok(export_safetensors(&report, e, "out.safetensors"));
    ensemble_free(e);
    json_decref(report);
    tensor_file *was, *is;
    assert_ok(tensor_file_open(&was, "b.safetensors"));
    assert_ok(tensor_file_open(&is, "out.safetensors"));
    assert_int_equal(tensor_file_count(is), tensor_file_count(was));
    for (size_t i = 0; i < tensor_file_count(was); i++) {
        const st_tensor *t = tensor_file_at(was, i), *copy = tensor_file_find(is, t->name);
        assert_non_null(copy);
        assert_int_equal(copy->bytes, t->bytes);
        assert_memory_equal(copy->data, t->data, t->bytes);
    }
    assert_string_equal(tensor_file_meta(is, "mien"), tensor_file_meta(was, "mien")); /* metrics and all */
    assert_string_equal(tensor_file_meta(is, "format"), "pt");
    tensor_file_close(was);
    tensor_file_close(is);
    model *m;
    assert_ok(model_load(&m, "out.safetensors"));
    model_free(m);
    e = open_models(paths, 2);
    assert_failure(export_safetensors(&report, e, "two.safetensors"), MIEN_ERR_ARG,
                   "two.safetensors: 2 models (wanted one");
    ensemble_free(e);
    assert_false(file_exists("two.safetensors"));
}

/* What parameters would take: pages of zeros that nobody wrote. */
static void *zeros_of(param_store *params, size_t *bytes)
{
    *bytes = 0;
    for (int k = 0; k < param_store_count(params); k++) {
        const param_slice *slice = param_store_at(params, k);
        const size_t end = (slice->offset + slice->count) * sizeof(float);
        *bytes = slice->kind != SLICE_COUNTER && end > *bytes ? end : *bytes;
    }
    void *zeros = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(zeros != MAP_FAILED);
    return zeros;
}

/* Writes a model of zeros to nowhere. */
static void assert_has_form(const model_spec *spec)
{
    model *m;
    graph *g;
    model_io io;
    size_t bytes;
    value_id ends[HEADS];
    const char *names[HEADS];
    assert_ok(model_create(&m, spec));
    assert_ok(model_describe(&g, &io, m, &(model_graph_options){.batch = 1, .activation_type = DTYPE_F32}));
    for (int h = 0; h < io.head_count; h++) {
        ends[h] = io.heads[h].output;
        names[h] = heads[h].name;
    }
    void *zeros = zeros_of(model_params(m), &bytes);
    const onnx_member member = {g, io.images, ends, zeros, "images", ""};
    assert_ok(onnx_write("/dev/null", &(onnx_file){.name = spec->arch,
                                                   .members = &member,
                                                   .member_count = 1,
                                                   .outputs = names,
                                                   .output_count = io.head_count}));
    assert_int_equal(munmap(zeros, bytes), 0);
    graph_free(g);
    model_free(m);
}

/* Every network of the zoo, alone, in a deviation module and under heads of all kinds: no operator of theirs is without
 * its translation. */
static void export__every_architecture__has_a_form(void **state)
{
    (void)state;
    const architecture *arch;
    const feature_map *map;
    for (int i = 0; (arch = architecture_at(i)); i++)
        for (int kind = MODEL_PLAIN; kind <= MODEL_BASELINE; kind++) {
            const bool is_over_map = kind == MODEL_SMM || kind == MODEL_BASELINE;
            model_spec spec = spec_of(arch, arch->min_size, (model_kind)kind, kind == MODEL_DEVIATION ? 1 : HEADS);
            if (!is_over_map || architecture_map(&map, arch, NULL) == MIEN_OK)
                assert_has_form(&spec);
        }
}

static mien_status attempt(void *context)
{
    json_t *report = NULL;
    TRY(export_onnx(&report, context, "m.onnx", ONNX_UINT8));
    json_decref(report);
    return MIEN_OK;
}

static void export__no_memory__is_told(void **state)
{
    (void)state;
    const char *const paths[] = {"a.safetensors", "b.safetensors"}, *const alone[] = {"smm.safetensors"};
    ensemble *e = open_models(paths, 2);
    fail_each_allocation(attempt, e);
    ensemble_free(e);
    e = open_models(alone, 1);
    fail_each_allocation(attempt, e);
    ensemble_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export__one_model__says_what_it_is),
        cmocka_unit_test(export__ensemble__shares_inputs_that_agree),
        cmocka_unit_test(export__several_heads__are_outputs),
        cmocka_unit_test(export__several_heads__have_a_mean_each),
        cmocka_unit_test(export__licence__goes_along),
        cmocka_unit_test(export__same_models__same_bytes),
        cmocka_unit_test(export__safetensors__is_the_model),
        cmocka_unit_test(export__every_architecture__has_a_form),
        cmocka_unit_test(export__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("infer/export", tests, enter, temp_folder_leave);
}
