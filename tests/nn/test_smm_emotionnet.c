/* SMM-EmotionNet as a description: which parameters there are and which are not, what heads are read from, and what is
 * refused. That its numbers are right is PyTorch's to say (tests/parity/check_smm.py). */
#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "graph/program.h"
#include "nn/import.h"
#include "nn/smm_emotionnet.h"

enum { HEADS = 4, BATCH = 2, SIZE = 96 };
static const model_head heads[HEADS] = {{.name = "expression", .kind = HEAD_CLASS, .size = 8},
                                        {.name = "va", .kind = HEAD_REGRESSION, .size = 2},
                                        {.name = "au", .kind = HEAD_BINARIES, .size = 12},
                                        {.name = "au_intensity", .kind = HEAD_REGRESSION, .size = 12}};

typedef struct {
    param_store *params;
    graph *g;
    value_id x;
    smm_output out[HEADS];
} fixture;

static smm_spec spec_of(const char *arch)
{
    return (smm_spec){.arch = architecture_find(arch), .heads = heads, .head_count = HEADS};
}

static void fixture_open(fixture *f, const smm_spec *spec, int64_t size, bool is_training)
{
    assert_ok(param_store_create(&f->params));
    assert_ok(graph_create(&f->g, DTYPE_F32, is_training));
    assert_ok(graph_input(f->g, &f->x, "x", DTYPE_F32, shape_of(4, (int64_t)BATCH, size, size, (int64_t)3)));
    net n = {.g = f->g, .params = f->params};
    smm_emotionnet(&n, f->out, spec, f->x);
    assert_ok(n.status);
}

static void fixture_close(fixture *f)
{
    graph_free(f->g);
    param_store_free(f->params);
}

static bool has(const fixture *f, const char *name)
{
    return param_store_find(f->params, name) >= 0;
}

/* Those that names begin with these; NULL ends. */
static void assert_only(const fixture *f, const char *const *roots)
{
    for (int i = 0; i < param_store_count(f->params); i++) {
        const char *name = param_store_at(f->params, i)->name;
        int known = 0;
        for (int k = 0; roots[k]; k++)
            known += strncmp(name, roots[k], strlen(roots[k])) == 0;
        if (known != 1)
            fail_msg("%s is not expected", name);
    }
}

static void smm__parameters__are_those_of_its_parts(void **state)
{
    (void)state;
    static const char *const roots[] = {"backbone.", "attention.", "regions.", "sign.", "message.", "heads.", NULL};
    const smm_spec spec = spec_of("inception_v3");
    fixture f;
    fixture_open(&f, &spec, 299, false);
    assert_only(&f, roots);
    assert_true(has(&f, "backbone.Mixed_6e.branch_pool.bn.bias"));
    assert_false(has(&f, "backbone.Mixed_7a.branch3x3_1.bn.bias"));
    const param_slice *first = param_store_at(f.params, param_store_find(f.params, "regions.conv1.weight"));
    const shape wanted = shape_of(4, (int64_t)3, (int64_t)3, (int64_t)(17 * 16), (int64_t)768);
    assert_true(shape_equal(&first->shape, &wanted));
    /* spec-details 3.2's count of the small part: attention, regions, transformer layer, messages, heads */
    const int64_t attention = 768 * 9 * 68 + 68 + 2 * 68 + 68 * 17 + 17 + 2 * 17 + 17 * 17 + 17;
    const int64_t region = 768 * 9 * 16 + 16 + 2 * 16 + 16 * 16 + 16 + 2 * 16 + 16 * 16 + 16;
    const int64_t layer = 4 * (16 * 16 + 16) + 2 * 16 * 1024 + 1024 + 16 + 4 * 16;
    int64_t small = 0;
    for (int i = 0; i < param_store_count(f.params); i++) {
        const param_slice *s = param_store_at(f.params, i);
        small += s->kind == SLICE_PARAMETER && strncmp(s->name, SMM_BACKBONE, strlen(SMM_BACKBONE)) ? s->count : 0;
    }
    assert_int_equal(small, attention + 17 * region + layer + 17 * 16 * 16 + 17 * 8 + 17 * 2 + 2 * (12 * 16 + 12));
    fixture_close(&f);
}

static void smm__heads_alone__declare_what_they_need(void **state)
{
    (void)state;
    static const char *const signs[] = {"backbone.", "attention.", "regions.", "sign.", "heads.au.", NULL};
    static const char *const messages[] = {"backbone.", "attention.", "regions.", "message.", "heads.va.", NULL};
    smm_spec spec = spec_of("efficientnet_b0");
    fixture f;
    spec.head_count = 1;
    spec.heads = &heads[2];
    fixture_open(&f, &spec, SIZE, true);
    assert_only(&f, signs);
    fixture_close(&f);
    spec.heads = &heads[1];
    fixture_open(&f, &spec, SIZE, true);
    assert_only(&f, messages);
    assert_int_equal(f.out[0].output, NO_VALUE);
    fixture_close(&f);
}

static void smm__baseline__has_features_and_heads_alone(void **state)
{
    (void)state;
    static const char *const roots[] = {"backbone.", "features.", "heads.", NULL};
    smm_spec spec = spec_of("resnet50");
    spec.is_baseline = true;
    fixture f;
    fixture_open(&f, &spec, SIZE, false);
    assert_only(&f, roots);
    const param_slice *units = param_store_at(f.params, param_store_find(f.params, "features.au.weight"));
    assert_int_equal(units->shape.dim[0], 12 * SMM_DIM);
    fixture_close(&f);
}

static void smm__outputs__have_the_heads_sizes(void **state)
{
    (void)state;
    for (int a = 0; architecture_at(a); a++)
        for (int is_baseline = 0; is_baseline < 2 && architecture_at(a)->maps[0].name; is_baseline++) {
            smm_spec spec = spec_of(architecture_at(a)->name);
            spec.is_baseline = is_baseline;
            fixture f;
            fixture_open(&f, &spec, SIZE, false);
            for (int h = 0; h < HEADS; h++) {
                const shape wanted = shape_of(2, (int64_t)BATCH, (int64_t)heads[h].size);
                assert_true(shape_equal(&graph_value_at(f.g, f.out[h].logits)->shape, &wanted));
                assert_true(shape_equal(&graph_value_at(f.g, f.out[h].output)->shape, &wanted));
                assert_int_equal(graph_value_at(f.g, f.out[h].output)->type, DTYPE_F32);
            }
            fixture_close(&f);
        }
}

/* Runs a fresh network on one picture; the units' logits of sample 0 into `au`, the expression's into `expression`. */
static void run_fresh(float *au, float *expression, const smm_spec *spec, const char *changed)
{
    backend *b = NULL;
    program *p = NULL;
    fixture f;
    fixture_open(&f, spec, SIZE, false);
    for (int h = 0; h < HEADS; h++)
        graph_mark_output(f.g, f.out[h].logits);
    assert_ok(graph_fuse(f.g));
    assert_ok(param_store_alloc(f.params, false));
    param_store_init(f.params, 1);
    if (changed) { /* the last region's part of a parameter */
        const param_slice *s = param_store_at(f.params, param_store_find(f.params, changed));
        for (size_t i = s->count - s->count / SMM_REGIONS; i < s->count; i++)
            param_store_memory(f.params)->values[s->offset + i] += 0.5f;
    }
    assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = 1}));
    mien_status st = program_create(&p, f.g, b, param_store_memory(f.params));
    f.g = NULL;
    assert_ok(st);
    float *pixels = malloc(BATCH * SIZE * SIZE * 3 * sizeof *pixels);
    assert_non_null(pixels);
    for (int i = 0; i < BATCH * SIZE * SIZE * 3; i++)
        pixels[i] = (float)(i % 37) / 18 - 1;
    assert_ok(program_write(p, f.x, pixels));
    free(pixels);
    assert_ok(program_run(p));
    assert_ok(program_read_rows(p, f.out[2].logits, 0, 1, au));
    assert_ok(program_read_rows(p, f.out[0].logits, 0, 1, expression));
    program_free(p);
    b->free(b);
    fixture_close(&f);
}

/* A hidden region is seen by the units through the transformer's attention, by the expression through its message. */
static void smm__hidden_region__reaches_both_spaces(void **state)
{
    (void)state;
    const smm_spec spec = spec_of("efficientnet_b0");
    float au[2][12], expression[2][8];
    run_fresh(au[0], expression[0], &spec, NULL);
    run_fresh(au[1], expression[1], &spec, "regions.linear.bias");
    assert_memory_not_equal(au[0], au[1], sizeof au[0]);
    assert_memory_not_equal(expression[0], expression[1], sizeof expression[0]);
    run_fresh(au[1], expression[1], &spec, "message.weight");
    assert_memory_equal(au[0], au[1], sizeof au[0]);
    assert_memory_not_equal(expression[0], expression[1], sizeof expression[0]);
}

/* A file of the whole of Inception v3 fills the backbone up to the map, and nothing else. */
static void smm__backbone__is_loaded_from_the_whole(void **state)
{
    (void)state;
    static const char *const classes[] = {"a", "b"};
    const model_spec whole = {
        .task = "lsd", .arch = "inception_v3", .classes = classes, .class_count = 2, .std = {1, 1, 1}};
    const smm_spec spec = spec_of("inception_v3");
    model *m = NULL;
    tensor_file *file = NULL;
    fixture f;
    assert_ok(model_create(&m, &whole));
    assert_ok(model_init(m, 5, false));
    assert_ok(model_save(m, "whole.safetensors", NULL));
    fixture_open(&f, &spec, 299, false);
    assert_ok(param_store_alloc(f.params, false));
    param_store_init(f.params, 6);
    const param_slice *to =
        param_store_at(f.params, param_store_find(f.params, "backbone.Mixed_6e.branch1x1.conv.weight"));
    const param_slice *from =
        param_store_at(model_params(m), param_store_find(model_params(m), "Mixed_6e.branch1x1.conv.weight"));
    const param_slice *head = param_store_at(f.params, param_store_find(f.params, "heads.va.weight"));
    const float *values = param_store_memory(f.params)->values, before = values[head->offset];
    assert_ok(tensor_file_open(&file, "whole.safetensors"));
    assert_ok(import_rename(file, &(import_naming){.arch = spec.arch}));
    assert_ok(smm_load_backbone(f.params, &spec, file, "whole.safetensors"));
    assert_memory_equal(values + to->offset, param_store_memory(model_params(m))->values + from->offset,
                        to->count * sizeof *values);
    assert_true(values[head->offset] == before);
    tensor_file_close(file);
    fixture_close(&f);
    model_free(m);
}

static void smm__bad_spec__is_one_line(void **state)
{
    (void)state;
    smm_spec spec = spec_of("efficientnet_b0");
    const model_head wide = {.name = "au", .kind = HEAD_BINARIES, .size = 18};
    const model_head classes = {.name = "au", .kind = HEAD_CLASS, .size = 12};
    const model_head twice[2] = {heads[1], heads[1]};
    spec.map = "Mixed_6e";
    assert_failure(smm_check(&spec), MIEN_ERR_UNSUPPORTED,
                   "efficientnet_b0: no feature map Mixed_6e (wanted features or features.5)");
    spec.map = NULL;
    spec.head_count = 0;
    assert_failure(smm_check(&spec), MIEN_ERR_ARG, "heads: 0 (wanted 1 to 8)");
    spec.head_count = 1;
    spec.heads = &wide;
    assert_failure(smm_check(&spec), MIEN_ERR_ARG, "head au: 18 numbers (wanted 1 to 17)");
    spec.regions = 18;
    assert_ok(smm_check(&spec));
    spec.heads = &classes;
    assert_failure(smm_check(&spec), MIEN_ERR_ARG, "head au: classes (wanted a number an action unit)");
    spec.heads = twice;
    spec.head_count = 2;
    assert_failure(smm_check(&spec), MIEN_ERR_ARG, "head va: twice (wanted once)");
    spec.regions = -1;
    assert_failure(smm_check(&spec), MIEN_ERR_ARG, "regions: -1 (wanted 1 to 256)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smm__parameters__are_those_of_its_parts),
        cmocka_unit_test(smm__heads_alone__declare_what_they_need),
        cmocka_unit_test(smm__baseline__has_features_and_heads_alone),
        cmocka_unit_test(smm__outputs__have_the_heads_sizes),
        cmocka_unit_test(smm__hidden_region__reaches_both_spaces),
        cmocka_unit_test(smm__backbone__is_loaded_from_the_whole),
        cmocka_unit_test(smm__bad_spec__is_one_line),
    };
    return cmocka_run_group_tests(tests, temp_folder_enter, temp_folder_leave);
}
