/* Models over a feature map: SMM-EmotionNet and its baseline as models have them, from the spec to the file and back.
 * What the networks compute is test_smm_emotionnet.c's and the parity tests'. */
#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/safetensors.h"
#include "graph/program.h"
#include "nn/import.h"
#include "nn/model.h"

#include <math.h>

static const char *const classes[] = {"anger", "fear", "joy"}, *const units[] = {"AU1", "AU2"},
                         *const va[] = {"valence", "arousal"};
static const float thresholds[] = {0.25f, 0.7f};
static const model_head heads[] = {
    {.name = "va", .kind = HEAD_REGRESSION, .size = 2, .columns = va},
    {.name = "expression", .kind = HEAD_CLASS, .size = 3, .columns = classes},
    {.name = "au", .kind = HEAD_BINARIES, .size = 2, .columns = units, .thresholds = thresholds},
};
enum { VA, EXPRESSION, AU, HEADS, BATCH = 2, SIZE = 32, OUTPUTS = BATCH * (2 + 3 + 2), NAME_MOST = 160 };

static model_spec spec_of(model_kind kind)
{
    return (model_spec){.task = "lsd",
                        .arch = "efficientnet_b0",
                        .heads = heads,
                        .head_count = HEADS,
                        .image_size = SIZE,
                        .std = {1, 1, 1},
                        .kind = kind};
}

static model *make(const model_spec *spec, uint64_t seed)
{
    model *m;
    assert_ok(model_create(&m, spec));
    assert_ok(model_init(m, seed, true));
    return m;
}

static const float *values_of(model *m, const char *name)
{
    const int at = param_store_find(model_params(m), name);
    if (at < 0)
        fail_msg("no parameter %s", name);
    return param_store_memory(model_params(m))->values + param_store_at(model_params(m), at)->offset;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

typedef struct {
    backend *b;
    program *p;
    model_io io;
} running;

static void run(running *r, model *m, const model_graph_options *options)
{
    graph *g;
    uint8_t images[BATCH * SIZE * SIZE * 3];
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 2654435761u >> 24);
    assert_ok(model_graph(&g, &r->io, m, options));
    assert_ok(backend_cpu_create(&r->b, &(cpu_options){.threads = 1}));
    assert_ok(program_create(&r->p, g, r->b, param_store_memory(model_params(m))));
    assert_ok(program_write(r->p, r->io.images, images));
    if (options->is_training)
        assert_ok(program_set_step(r->p, &(step_params){.lr = 0.1f, .step = 1}));
}

static void end(running *r)
{
    program_free(r->p);
    r->b->free(r->b);
}

/* outputs: of all heads, one after another. */
static void predict(float outputs[OUTPUTS], model *m)
{
    running r;
    run(&r, m, &(model_graph_options){.batch = BATCH, .activation_type = DTYPE_F32});
    assert_ok(program_run(r.p));
    assert_int_equal(r.io.head_count, HEADS);
    assert_true(r.io.features == NO_VALUE);
    for (int h = 0; h < HEADS; outputs += BATCH * heads[h].size, h++)
        assert_ok(program_read(r.p, r.io.heads[h].output, outputs));
    end(&r);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void check_spec(const model_spec *read, const model_spec *wanted)
{
    assert_int_equal(read->kind, wanted->kind);
    assert_string_equal(read->smm.map, wanted->smm.map ? wanted->smm.map : "features");
    assert_int_equal(read->smm.is_orthogonal, wanted->smm.is_orthogonal);
    assert_int_equal(read->smm.ensemble, wanted->smm.ensemble);
    assert_int_equal(read->head_count, HEADS);
    assert_memory_equal(read->heads[AU].thresholds, thresholds, sizeof thresholds);
    assert_null(read->heads[VA].thresholds);
    assert_string_equal(read->classes[2], "joy");
}

static void over_map__saved__comes_back_to_the_bit(void **state)
{
    (void)state;
    static const struct {
        model_kind kind;
        smm_options smm;
    } cases[] = {{MODEL_SMM, {0}},
                 {MODEL_SMM, {.is_orthogonal = true}},
                 {MODEL_SMM, {.ensemble = SMM_MEAN_LOGITS}},
                 {MODEL_SMM, {.map = "features.5"}},
                 {MODEL_BASELINE, {0}},
                 {MODEL_BASELINE, {.map = "features.5"}}};
    enum { CASES = sizeof cases / sizeof cases[0] };
    float before[CASES][OUTPUTS], after[OUTPUTS];
    for (int i = 0; i < CASES; i++) {
        model_spec spec = spec_of(cases[i].kind);
        spec.smm = cases[i].smm;
        model *m = make(&spec, 3), *back;
        predict(before[i], m);
        assert_ok(model_save(m, "over_map.safetensors", NULL));
        model_free(m);
        assert_ok(model_load(&back, "over_map.safetensors"));
        predict(after, back);
        assert_memory_equal(before[i], after, sizeof after);
        check_spec(model_spec_of(back), &spec);
        model_free(back);
        for (int k = 0; k < i; k++) /* each option says something else */
            assert_memory_not_equal(before[i], before[k], sizeof after);
        const float *shares = after + (size_t)BATCH * 2;
        for (int row = 0; row < BATCH; row++)
            assert_true(fabs((double)shares[3 * row] + (double)shares[3 * row + 1] + (double)shares[3 * row + 2] - 1) <
                        1e-5);
    }
}

static void over_map__info__tells_kind_options_and_thresholds(void **state)
{
    (void)state;
    model_spec spec = spec_of(MODEL_SMM);
    spec.smm.ensemble = SMM_MEAN_LOGITS;
    model *m = make(&spec, 3);
    char *text;
    assert_ok(model_save(m, "info.safetensors", NULL));
    assert_ok(mien_info(&text, "info.safetensors"));
    static const char *const wanted[] = {
        "\"kind\":\"smm\"", "\"options\":{\"map\":\"features\",\"orthogonal\":false,\"expr_ensemble\":\"logits\"}",
        "\"thresholds\":[0.25,0.69999"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!strstr(text, wanted[i]))
            fail_msg("no %s in %s", wanted[i], text);
    mien_text_free(text);
    model_free(m);
}

/* `mien import` makes plain models: one of several tasks over a map is none. */
static void over_map__imported__is_refused(void **state)
{
    (void)state;
    const model_spec spec = spec_of(MODEL_SMM);
    model *m = make(&spec, 3), *imported = NULL;
    assert_ok(model_save(m, "smm.safetensors", NULL));
    assert_failure(import_model(&imported, "smm.safetensors", &(import_options){.arch = "efficientnet_b0"}),
                   MIEN_ERR_UNSUPPORTED, "smm.safetensors: is a model of kind smm (wanted plain)");
    assert_null(imported);
    model_free(m);
}

/* A file whose metadata say this, and whose one tensor is nobody's. */
static void save_with(const char *path, const char *metadata)
{
    const float one = 1;
    const st_tensor t = {.name = "w", .dtype = ST_F32, .rank = 1, .dims = {1}, .data = &one, .bytes = sizeof one};
    assert_ok(st_write(path, &t, 1, &(st_metadata){"mien", metadata}, 1));
}

#define UNITS(more) "{\"name\": \"au\", \"kind\": \"binaries\", \"columns\": [\"AU1\", \"AU2\"]" more "}"
#define OPTIONS(map, orthogonal, ensemble)                                                                             \
    "{\"map\": " map ", \"orthogonal\": " orthogonal ", \"expr_ensemble\": " ensemble "}"
#define GOOD OPTIONS("\"features\"", "false", "\"softmax\"")

static void over_map__hostile_metadata__is_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *options, *head;
        mien_status status;
        const char *text;
    } cases[] = {
        {"smm", GOOD, UNITS(""), MIEN_ERR_FORMAT, "tensors do not fit"}, /* the metadata are good */
        {"baseline", "{\"map\": \"features.5\"}", UNITS(", \"thresholds\": [0, 1]"), MIEN_ERR_FORMAT,
         "tensors do not fit"},
        {"smn", GOOD, UNITS(""), MIEN_ERR_UNSUPPORTED, "kind smn (wanted plain, deviation, smm or baseline)"},
        {"smm", "[]", UNITS(""), MIEN_ERR_FORMAT, "options: missing or not an object"},
        {"smm", "{}", UNITS(""), MIEN_ERR_FORMAT, "options: map"},
        {"smm", OPTIONS("7", "false", "\"softmax\""), UNITS(""), MIEN_ERR_FORMAT, "options: map"},
        {"smm", OPTIONS("\"Mixed_6e\"", "false", "\"softmax\""), UNITS(""), MIEN_ERR_UNSUPPORTED,
         "efficientnet_b0: no feature map Mixed_6e (wanted features or features.5)"},
        {"smm", OPTIONS("\"features\"", "0", "\"softmax\""), UNITS(""), MIEN_ERR_FORMAT,
         "options: orthogonal: missing or neither true nor false"},
        {"smm", OPTIONS("\"features\"", "true", "3"), UNITS(""), MIEN_ERR_FORMAT, "options: expr_ensemble"},
        {"smm", OPTIONS("\"features\"", "true", "\"votes\""), UNITS(""), MIEN_ERR_UNSUPPORTED,
         "expr_ensemble votes (wanted softmax or logits)"},
        {"baseline", GOOD, UNITS(""), MIEN_ERR_UNSUPPORTED, "options: 3 (wanted map alone)"},
        {"smm", GOOD, UNITS(", \"thresholds\": 0.5"), MIEN_ERR_FORMAT, "heads: entry 0: thresholds"},
        {"smm", GOOD, UNITS(", \"thresholds\": [0.5]"), MIEN_ERR_FORMAT,
         "heads: entry 0: thresholds: 1 numbers (wanted 2)"},
        {"smm", GOOD, UNITS(", \"thresholds\": [0.5, null]"), MIEN_ERR_FORMAT, "thresholds: entry 1 is not a number"},
        {"smm", GOOD, UNITS(", \"thresholds\": [0.5, NaN]"), MIEN_ERR_FORMAT, "metadata"},
        {"smm", GOOD, UNITS(", \"thresholds\": [0.5, 1e39]"), MIEN_ERR_ARG,
         "heads: au: threshold inf of output 1 (wanted 0 to 1)"},
        {"smm", GOOD, UNITS(", \"thresholds\": [-0.5, 0.5]"), MIEN_ERR_ARG, "heads: au: threshold -0.5 of output 0"},
        {"smm", GOOD, "{\"name\": \"va\", \"kind\": \"regression\", \"columns\": [\"valence\"], \"thresholds\": [0.5]}",
         MIEN_ERR_ARG, "heads: va: thresholds of a head of kind regression (wanted binaries)"},
        {"smm", GOOD, "{\"name\": \"au\", \"kind\": \"class\", \"columns\": [\"one\"]}", MIEN_ERR_ARG,
         "head au: classes (wanted a number an action unit)"},
    };
    char metadata[1024];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        model *m = NULL;
        snprintf(metadata, sizeof metadata,
                 "{\"version\": 1, \"kind\": \"%s\", \"options\": %s, \"task\": \"lsd\", \"arch\": "
                 "\"efficientnet_b0\", \"image_size\": 32, \"mean\": [0, 0, 0], \"std\": [1, 1, 1], \"heads\": [%s]}",
                 cases[i].kind, cases[i].options, cases[i].head);
        save_with("hostile.safetensors", metadata);
        assert_failure(model_load(&m, "hostile.safetensors"), cases[i].status, cases[i].text);
        assert_null(m);
        assert_null(strchr(mien_error(), '\n'));
        assert_memory_equal(mien_error(), "hostile.safetensors: ", strlen("hostile.safetensors: "));
    }
}

static void over_map__thresholds__are_set_and_taken_back(void **state)
{
    (void)state;
    const model_spec spec = spec_of(MODEL_BASELINE);
    model *m = make(&spec, 3);
    float values[2] = {0.5f, 0.125f};
    assert_ok(model_set_thresholds(m, AU, values));
    values[0] = NAN;
    assert_true(model_spec_of(m)->heads[AU].thresholds[0] == 0.5f);
    assert_true(model_spec_of(m)->heads[AU].thresholds[1] == 0.125f);
    assert_failure(model_set_thresholds(m, AU, values), MIEN_ERR_ARG, "heads: au: threshold nan of output 0");
    assert_failure(model_set_thresholds(m, VA, thresholds), MIEN_ERR_ARG, "heads: va: thresholds");
    assert_true(model_spec_of(m)->heads[AU].thresholds[0] == 0.5f);
    assert_ok(model_set_thresholds(m, AU, NULL));
    assert_null(model_spec_of(m)->heads[AU].thresholds);
    model_free(m);
}

static void over_map__baseline__has_no_options_of_messages(void **state)
{
    (void)state;
    model_spec spec = spec_of(MODEL_BASELINE);
    model *m = NULL;
    spec.smm.is_orthogonal = true;
    assert_failure(model_create(&m, &spec), MIEN_ERR_ARG, "options: orthogonal or expr_ensemble of a baseline");
    assert_null(m);
}

/* --- training ----------------------------------------------------------------------------------------------------- */

typedef struct {
    value_id target[HEADS];
} targets;

/* A loss of each head: regression of the numbers, cross entropy of the classes, one of the units. */
static mien_status describe_losses(void *context, graph *g, model_io *io, const model_spec *spec, int batch)
{
    targets *t = context;
    static const regression_attr squared = {.kind = REGRESSION_SQUARED};
    for (int h = 0; h < HEADS; h++) {
        const shape all = shape_of(2, (int64_t)batch, (int64_t)spec->heads[h].size);
        const value_id logits = io->heads[h].logits;
        value_id loss;
        assert_true(io->heads[h].output == NO_VALUE);
        TRY(graph_input(g, &t->target[h], spec->heads[h].name, h == EXPRESSION ? DTYPE_I32 : DTYPE_F32,
                        h == EXPRESSION ? shape_of(1, (int64_t)batch) : all));
        if (h == VA)
            TRY(op_regression(g, &loss, "va.loss", logits, t->target[h], NO_VALUE, &squared));
        else if (h == EXPRESSION)
            TRY(op_cross_entropy(g, &loss, &io->heads[h].output, "loss", logits, t->target[h], NO_VALUE, 0));
        else
            TRY(op_binary_cross_entropy(g, &loss, "au.loss", logits, t->target[h], NO_VALUE, NO_VALUE));
        graph_mark_output(g, loss);
        io->losses[io->loss_count++] = (graph_loss){loss, 1};
    }
    return MIEN_OK;
}

/* One step with plain gradients. */
static void train(model *m)
{
    static const optimizer_attr sgd = {.kind = OPTIMIZER_SGD};
    static const float numbers[BATCH * 2] = {0.5f, -0.5f, 1, 0}, yes[BATCH * 2] = {1, 0, 0, 1};
    static const int32_t labels[BATCH] = {2, 0};
    targets t;
    const model_ending ending = {describe_losses, &t};
    running r;
    run(&r, m,
        &(model_graph_options){
            .batch = BATCH, .activation_type = DTYPE_F32, .is_training = true, .ending = &ending, .optimizer = &sgd});
    assert_true(r.io.heads[VA].output == NO_VALUE && r.io.heads[AU].output == NO_VALUE);
    assert_true(r.io.heads[EXPRESSION].output != NO_VALUE);
    assert_ok(program_write(r.p, t.target[VA], numbers));
    assert_ok(program_write(r.p, t.target[EXPRESSION], labels));
    assert_ok(program_write(r.p, t.target[AU], yes));
    assert_ok(program_run(r.p));
    end(&r);
}

static void over_map__frozen__trains_all_but_the_backbone(void **state)
{
    (void)state;
    for (int kind = MODEL_SMM; kind <= MODEL_BASELINE; kind++)
        for (int is_frozen = 0; is_frozen < 2; is_frozen++) {
            const model_spec spec = spec_of((model_kind)kind);
            model *m = make(&spec, 3), *before = make(&spec, 3);
            const param_store *s = model_params(m);
            int moved = 0, moved_in_backbone = 0, own = 0;
            if (is_frozen)
                model_freeze_backbone(m);
            train(m);
            for (int i = 0; i < param_store_count(s); i++) {
                const param_slice *at = param_store_at(s, i);
                if (at->kind != SLICE_PARAMETER)
                    continue;
                const bool is_moved =
                    memcmp(values_of(m, at->name), values_of(before, at->name), at->count * sizeof(float)) != 0;
                const bool is_backbone = str_starts(at->name, "backbone.");
                own += !is_backbone;
                moved += is_moved && !is_backbone;
                moved_in_backbone += is_moved && is_backbone;
            }
            assert_int_equal(moved, own);
            if (is_frozen)
                assert_int_equal(moved_in_backbone, 0);
            else
                assert_true(moved_in_backbone > 0);
            model_free(before);
            model_free(m);
        }
}

/* --- beginning with weights --------------------------------------------------------------------------------------- */

static mien_status begin(model *m, const char *path)
{
    tensor_file *f;
    assert_ok(tensor_file_open(&f, path));
    mien_status st = model_adopt_variant(m, f, path);
    if (st == MIEN_OK)
        st = model_load_backbone(m, f, path);
    tensor_file_close(f);
    return st;
}

/* The backbone has the values that are in `from` behind `root`, all else those of a fresh one. */
static void check_begun(model *m, model *from, const char *root, const model_spec *spec, uint64_t seed)
{
    model *fresh = make(spec, seed);
    const param_store *s = model_params(m);
    for (int i = 0; i < param_store_count(s); i++) {
        const param_slice *at = param_store_at(s, i);
        char name[NAME_MOST];
        if (at->kind == SLICE_COUNTER)
            continue;
        const bool is_backbone = str_starts(at->name, "backbone.");
        snprintf(name, sizeof name, "%s%s", root, at->name + strlen("backbone."));
        assert_memory_equal(values_of(m, at->name), is_backbone ? values_of(from, name) : values_of(fresh, at->name),
                            at->count * sizeof(float));
    }
    model_free(fresh);
}

static void over_map__backbone__begins_with_a_file_of_the_whole(void **state)
{
    (void)state;
    static const char *const archs[] = {"efficientnet_b0", "efficientnet_lite0", "googlenet"};
    for (size_t a = 0; a < sizeof archs / sizeof archs[0]; a++)
        for (int map = 0; map < 2; map++) {
            model_spec whole = spec_of(MODEL_PLAIN), spec = spec_of(MODEL_SMM);
            whole.arch = spec.arch = archs[a];
            spec.smm.map = architecture_find(archs[a])->maps[map].name;
            model *from = make(&whole, 7), *m = make(&spec, 8);
            st_tensor *tensors;
            size_t count;
            assert_ok(param_store_tensors(model_params(from), &tensors, &count));
            assert_ok(st_write("whole.safetensors", tensors, count, NULL, 0)); /* as torchvision saves it */
            assert_ok(begin(m, "whole.safetensors"));
            check_begun(m, from, "", &spec, 8);
            mem_free(tensors);
            model_free(from);
            model_free(m);
        }
}

/* What one network learned of faces another of other heads, or a plain model, may begin with. */
static void over_map__backbone__begins_with_another_such_model(void **state)
{
    (void)state;
    model_spec other = spec_of(MODEL_BASELINE), spec = spec_of(MODEL_SMM), plain = spec_of(MODEL_PLAIN);
    other.head_count = 1;
    other.variant = VARIANT_TENSORFLOW;
    model *from = make(&other, 7), *m = make(&spec, 8), *single = make(&plain, 9);
    assert_ok(model_save(from, "other.safetensors", NULL));
    assert_ok(begin(m, "other.safetensors"));
    assert_int_equal(model_spec_of(m)->variant, VARIANT_TENSORFLOW);
    check_begun(m, from, "backbone.", &spec, 8);
    assert_ok(begin(single, "other.safetensors"));
    assert_memory_equal(values_of(single, "features.0.0.weight"), values_of(from, "backbone.features.0.0.weight"),
                        32 * 27 * sizeof(float));
    model_free(single);
    model_free(m);

    spec.smm.map = "features.5"; /* less is in the other's, more is not */
    m = make(&spec, 8);
    assert_ok(begin(m, "other.safetensors"));
    check_begun(m, from, "backbone.", &spec, 8);
    assert_ok(model_save(m, "less.safetensors", NULL));
    assert_failure(begin(from, "less.safetensors"), MIEN_ERR_FORMAT, "less.safetensors: tensors do not fit");
    model_free(m);
    model_free(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_map__saved__comes_back_to_the_bit),
        cmocka_unit_test(over_map__info__tells_kind_options_and_thresholds),
        cmocka_unit_test(over_map__imported__is_refused),
        cmocka_unit_test(over_map__hostile_metadata__is_one_line),
        cmocka_unit_test(over_map__thresholds__are_set_and_taken_back),
        cmocka_unit_test(over_map__baseline__has_no_options_of_messages),
        cmocka_unit_test(over_map__frozen__trains_all_but_the_backbone),
        cmocka_unit_test(over_map__backbone__begins_with_a_file_of_the_whole),
        cmocka_unit_test(over_map__backbone__begins_with_another_such_model),
    };
    return cmocka_run_group_tests(tests, temp_folder_enter, temp_folder_leave);
}
