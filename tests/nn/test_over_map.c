/* Models over a feature map: SMM-EmotionNet and its baseline as models have them, from the spec to the file and back.
 * What the networks compute is test_smm_emotionnet.c's and the parity tests'. */
#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
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
enum { HEADS = sizeof heads / sizeof heads[0], BATCH = 2, SIZE = 32, OUTPUTS = BATCH * (2 + 3 + 2) };

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

static model *make(const model_spec *spec)
{
    model *m;
    assert_ok(model_create(&m, spec));
    assert_ok(model_init(m, 3, true));
    return m;
}

/* outputs: of all heads, one after another. */
static void run(float outputs[OUTPUTS], model *m)
{
    graph *g;
    model_io io;
    backend *b;
    program *p;
    uint8_t images[BATCH * SIZE * SIZE * 3];
    for (size_t i = 0; i < sizeof images; i++)
        images[i] = (uint8_t)(i * 2654435761u >> 24);
    assert_ok(model_graph(&g, &io, m, &(model_graph_options){.batch = BATCH, .activation_type = DTYPE_F32}));
    assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = 1}));
    assert_ok(program_create(&p, g, b, param_store_memory(model_params(m))));
    assert_ok(program_write(p, io.images, images));
    assert_ok(program_run(p));
    assert_int_equal(io.head_count, HEADS);
    assert_true(io.features == NO_VALUE);
    for (int h = 0; h < HEADS; outputs += BATCH * heads[h].size, h++)
        assert_ok(program_read(p, io.heads[h].output, outputs));
    program_free(p);
    b->free(b);
}

static void over_map__saved__comes_back_to_the_bit(void **state)
{
    (void)state;
    for (int kind = MODEL_SMM; kind <= MODEL_BASELINE; kind++) {
        const model_spec spec = spec_of((model_kind)kind);
        float before[OUTPUTS], after[OUTPUTS];
        model *m = make(&spec), *back;
        run(before, m);
        assert_ok(model_save(m, "over_map.safetensors", NULL));
        assert_ok(model_load(&back, "over_map.safetensors"));
        run(after, back);
        assert_memory_equal(before, after, sizeof before);
        for (int i = 0; i < BATCH; i++)
            assert_true(fabs((double)before[4 + 3 * i] + (double)before[5 + 3 * i] + (double)before[6 + 3 * i] - 1) <
                        1e-5);
        assert_int_equal(model_spec_of(back)->kind, kind);
        assert_string_equal(model_spec_of(back)->smm.map, "features");
        assert_memory_equal(model_spec_of(back)->heads[2].thresholds, thresholds, sizeof thresholds);
        assert_null(model_spec_of(back)->heads[0].thresholds);
        model_free(back);
        model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_map__saved__comes_back_to_the_bit),
    };
    return cmocka_run_group_tests(tests, temp_folder_enter, temp_folder_leave);
}
