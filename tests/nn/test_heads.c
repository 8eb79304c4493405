/* Models of several heads: described, saved and loaded; a file of classes alone stays what it always was. */
#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "graph/program.h"
#include "nn/model.h"

#include <math.h>

static const char *const classes[] = {"anger", "fear", "joy"}, *const units[] = {"AU01", "AU02"},
                         *const angles[] = {"roll"};
static const model_head heads[] = {
    {.name = "expression", .kind = HEAD_CLASS, .size = 3, .loss = "cross_entropy", .metric = "f1", .columns = classes},
    {.name = "au", .kind = HEAD_BINARIES, .size = 2, .columns = units},
    {.name = "pose", .kind = HEAD_REGRESSION, .size = 1, .columns = angles},
};
enum { HEADS = sizeof heads / sizeof heads[0], BATCH = 2, SIZE = 32 };

static model_spec spec_of(const model_head *of, int count, model_kind kind)
{
    return (model_spec){.task = "lsd",
                        .arch = "efficientnet_b0",
                        .heads = of,
                        .head_count = count,
                        .image_size = SIZE,
                        .std = {1, 1, 1},
                        .kind = kind};
}

static model *make(const model_head *of, int count)
{
    const model_spec spec = spec_of(of, count, MODEL_PLAIN);
    model *m;
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, 3, false));
    return m;
}

/* What one model says of a picture: logits, and probabilities. */
static void ask(float logits[3], float p[3], model *m)
{
    uint8_t images[SIZE * SIZE * 3];
    model_io io;
    graph *g;
    backend *b;
    program *run;
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 2654435761u >> 24);
    assert_ok(model_graph(&g, &io, m, &(model_graph_options){.batch = 1, .activation_type = DTYPE_F32}));
    assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = 1}));
    assert_ok(program_create(&run, g, b, param_store_memory(model_params(m))));
    assert_ok(program_write(run, io.images, images));
    assert_ok(program_run(run));
    assert_ok(program_read(run, io.heads[0].logits, logits));
    assert_ok(program_read(run, io.heads[0].output, p));
    program_free(run);
    b->free(b);
}

/* Alone and beside others; logits stay what they are. */
static void heads__temperature__divides_logits(void **state)
{
    (void)state;
    for (int count = 1; count <= HEADS; count += HEADS - 1) {
        float logits[3], p[3], again[3], wanted[3];
        model *m = make(heads, count), *back;
        ask(logits, p, m);
        assert_ok(model_set_temperature(m, 0, 2.5f));
        assert_ok(model_save(m, "warm.safetensors", NULL));
        model_free(m);
        assert_ok(model_load(&back, "warm.safetensors"));
        assert_true(model_spec_of(back)->heads[0].temperature == 2.5f);
        ask(again, p, back);
        assert_memory_equal(again, logits, sizeof logits);
        memcpy(wanted, logits, sizeof wanted);
        head_answer(wanted, &model_spec_of(back)->heads[0], false);
        float sum = 0, other[3];
        for (int c = 0; c < 3; c++) {
            assert_true(fabsf(p[c] - wanted[c]) < 1e-6f);
            sum += other[c] = expf(logits[c] / 2.5f);
        }
        for (int c = 0; c < 3; c++)
            assert_true(fabsf(p[c] - other[c] / sum) < 1e-6f);
        model_free(back);
    }
}

static void heads__temperature_that_cannot_be__is_refused(void **state)
{
    (void)state;
    model *m = make(heads, HEADS);
    assert_failure(model_set_temperature(m, 1, 2), MIEN_ERR_ARG, "heads: au: temperature of a head of kind binaries");
    assert_failure(model_set_temperature(m, 0, NAN), MIEN_ERR_ARG, "heads: expression: temperature nan");
    assert_failure(model_set_temperature(m, 0, 51), MIEN_ERR_ARG,
                   "heads: expression: temperature 51 (wanted 0.02 to 50)");
    assert_ok(model_set_temperature(m, 0, 0));
    model_free(m);
}

static void heads__saved__come_back(void **state)
{
    (void)state;
    model *m = make(heads, HEADS), *back;
    assert_ok(model_save(m, "several.safetensors", NULL));
    assert_ok(model_load(&back, "several.safetensors"));
    const model_spec *spec = model_spec_of(back);
    assert_int_equal(spec->head_count, HEADS);
    for (int h = 0; h < HEADS; h++) {
        assert_string_equal(spec->heads[h].name, heads[h].name);
        assert_int_equal(spec->heads[h].kind, heads[h].kind);
        assert_int_equal(spec->heads[h].size, heads[h].size);
        for (int i = 0; i < heads[h].size; i++)
            assert_string_equal(spec->heads[h].columns[i], heads[h].columns[i]);
    }
    assert_string_equal(spec->heads[0].loss, "cross_entropy");
    assert_null(spec->heads[1].loss);
    assert_int_equal(spec->class_count, 3);
    assert_true(param_store_find(model_params(back), "classifier.pose.weight") >= 0);
    model_free(back);
    model_free(m);
}

/* Metadata of a model of classes alone has no heads, and a file without them has the one. */
static void heads__of_classes_alone__are_not_said(void **state)
{
    (void)state;
    model_spec spec = spec_of(NULL, 0, MODEL_PLAIN);
    model *m, *back;
    char *text;
    spec.classes = classes;
    spec.class_count = 3;
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, 3, false));
    assert_ok(model_metadata(m, &text, NULL));
    assert_null(strstr(text, "heads"));
    assert_non_null(strstr(text, "\"classes\""));
    assert_ok(model_save(m, "plain.safetensors", NULL));
    assert_ok(model_load(&back, "plain.safetensors"));
    const model_spec *read = model_spec_of(back);
    assert_int_equal(read->head_count, 1);
    assert_string_equal(read->heads[0].name, HEAD_EXPRESSION);
    assert_int_equal(read->heads[0].kind, HEAD_CLASS);
    assert_string_equal(read->heads[0].columns[2], "joy");
    mem_free(text);
    model_free(back);
    model_free(m);
}

/* Each head answers in its own way. */
static void heads__answers__are_of_their_kind(void **state)
{
    (void)state;
    model *m = make(heads, HEADS);
    graph *g;
    model_io io;
    backend *b;
    program *p;
    uint8_t images[BATCH * SIZE * SIZE * 3];
    float logits[HEADS][BATCH * 3], outputs[HEADS][BATCH * 3];
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 2654435761u >> 24);
    assert_ok(model_graph(&g, &io, m, &(model_graph_options){.batch = BATCH, .activation_type = DTYPE_F32}));
    assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = 1}));
    assert_ok(program_create(&p, g, b, param_store_memory(model_params(m))));
    assert_ok(program_write(p, io.images, images));
    assert_ok(program_run(p));
    assert_int_equal(io.head_count, HEADS);
    for (int h = 0; h < HEADS; h++) {
        assert_ok(program_read(p, io.heads[h].logits, logits[h]));
        assert_ok(program_read(p, io.heads[h].output, outputs[h]));
    }
    for (int row = 0; row < BATCH; row++) {
        double sum = 0;
        for (int c = 0; c < 3; c++)
            sum += (double)outputs[0][row * 3 + c];
        assert_true(fabs(sum - 1) < 1e-5);
        for (int u = 0; u < 2; u++)
            assert_true(fabs((double)outputs[1][row * 2 + u] - 1 / (1 + exp(-(double)logits[1][row * 2 + u]))) < 1e-5);
        assert_true(outputs[2][row] == logits[2][row]);
    }
    program_free(p);
    b->free(b);
    model_free(m);
}

static void heads__faults__are_told(void **state)
{
    (void)state;
    const model_head twice[] = {heads[1], heads[1]}, empty = {.name = "none", .kind = HEAD_CLASS, .columns = classes};
    model_spec spec = spec_of(twice, 2, MODEL_PLAIN);
    model *m;
    int h;
    assert_failure(model_create(&m, &spec), MIEN_ERR_ARG, "heads: au twice");
    spec = spec_of(&empty, 1, MODEL_PLAIN);
    assert_failure(model_create(&m, &spec), MIEN_ERR_ARG, "heads: none: 0 outputs");
    spec = spec_of(heads, HEADS, MODEL_DEVIATION);
    assert_failure(model_create(&m, &spec), MIEN_ERR_UNSUPPORTED, "heads: 3 (wanted 1 in a deviation module)");

    assert_ok(head_find(&h, heads, HEADS, "pose", "a.safetensors"));
    assert_int_equal(h, 2);
    assert_failure(head_find(&h, heads, HEADS, "gaze", "a.safetensors"), MIEN_ERR_FORMAT,
                   "a.safetensors: no head gaze (wanted expression, au or pose)");
}

static void heads__bad_metadata__is_told(void **state)
{
    (void)state;
    static const struct {
        const char *heads;
        mien_status status;
        const char *message;
    } cases[] = {
        {"[]", MIEN_ERR_FORMAT, "heads: 0 (wanted 1 to 8)"},
        {"5", MIEN_ERR_FORMAT, "heads"},
        {"[{\"name\": \"pose\", \"columns\": [\"roll\"]}]", MIEN_ERR_FORMAT, "heads: entry 0: kind"},
        {"[{\"name\": \"pose\", \"kind\": \"dance\", \"columns\": [\"roll\"]}]", MIEN_ERR_UNSUPPORTED,
         "heads: entry 0: kind dance (wanted class, binaries or regression)"},
        {"[{\"name\": \"pose\", \"kind\": \"regression\", \"columns\": []}]", MIEN_ERR_FORMAT,
         "heads: entry 0: columns: 0 (wanted"},
        {"[{\"name\": \"pose\", \"kind\": \"regression\", \"columns\": [1]}]", MIEN_ERR_FORMAT,
         "columns: entry 0 is not a name"},
    };
    const float one = 1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        model *m;
        snprintf(
            text, sizeof text,
            "{\"version\": 1, \"kind\": \"plain\", \"task\": \"lsd\", \"arch\": \"efficientnet_b0\", \"image_size\": "
            "64, \"mean\": [0, 0, 0], \"std\": [1, 1, 1], \"classes\": [], \"heads\": %s}",
            cases[i].heads);
        assert_ok(st_write("bad.safetensors", &(st_tensor){"w", ST_F32, 1, {1}, &one, sizeof one}, 1,
                           &(st_metadata){"mien", text}, 1));
        assert_failure(model_load(&m, "bad.safetensors"), cases[i].status ? cases[i].status : MIEN_ERR_FORMAT,
                       cases[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads__saved__come_back),
        cmocka_unit_test(heads__of_classes_alone__are_not_said),
        cmocka_unit_test(heads__answers__are_of_their_kind),
        cmocka_unit_test(heads__faults__are_told),
        cmocka_unit_test(heads__bad_metadata__is_told),
        cmocka_unit_test(heads__temperature__divides_logits),
        cmocka_unit_test(heads__temperature_that_cannot_be__is_refused),
    };
    return cmocka_run_group_tests_name("heads", tests, temp_folder_enter, temp_folder_leave);
}
