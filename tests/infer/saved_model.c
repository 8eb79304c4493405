/* With fresh weights and statistics all pictures fade to one answer: smaller variances and a larger head without bias
 * let them through. */
#include "infer/saved_model.h"

#include "base/rng.h"
#include "format/face_labels.h"
#include "nn/model.h"
#include "testing.h"

const char *const saved_classes[SAVED_CLASSES] = {"anger", "fear", "sadness"};

static void widen(param_store *params, const char *head, float factor)
{
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *slice = param_store_at(params, i);
        float *values = param_store_memory(params)->values + slice->offset;
        for (size_t k = 0; strstr(slice->name, "running_var") && k < slice->count; k++)
            values[k] = 0.2f;
        for (size_t k = 0; strncmp(slice->name, head, strlen(head)) == 0 && k < slice->count; k++)
            values[k] *= slice->shape.rank == 2 ? factor : 0;
    }
}

static void save_spec(const char *path, const model_spec *spec, float head_factor, uint64_t seed)
{
    model *m;
    assert_ok(model_create(&m, spec));
    assert_ok(model_init(m, seed, false));
    widen(model_params(m), model_architecture(m)->head_prefix, head_factor);
    assert_ok(model_save(m, path, NULL));
    model_free(m);
}

void save_model_of(const char *path, const char *task, const char *arch, int size, const char *const *classes,
                   float mean, uint64_t seed)
{
    const model_spec spec = {.task = task,
                             .arch = arch,
                             .classes = classes ? classes : saved_classes,
                             .class_count = SAVED_CLASSES,
                             .image_size = size,
                             .mean = {mean, mean - 0.1f, mean - 0.2f},
                             .std = {0.4f * mean, 0.2f, 0.2f}};
    save_spec(path, &spec, 1e6f, seed);
}

void save_multi_task(const char *path, int size, const float *thresholds, bool has_pose, uint64_t seed)
{
    static const char *const numbers[] = {"valence", "arousal"}, *const angles[] = {"yaw", "pitch", "roll"};
    const model_head heads[] = {
        {.name = "va", .kind = HEAD_REGRESSION, .size = 2, .columns = numbers},
        {.name = HEAD_EXPRESSION, .kind = HEAD_CLASS, .size = EXPRESSION_COUNT, .columns = expression_names},
        {.name = "au",
         .kind = HEAD_BINARIES,
         .size = CHALLENGE_AU_COUNT,
         .columns = challenge_au_names,
         .thresholds = thresholds},
        {.name = "pose", .kind = HEAD_REGRESSION, .size = 3, .columns = angles},
    };
    const model_spec spec = {.task = "mtl",
                             .arch = "efficientnet_b0",
                             .heads = heads,
                             .head_count = has_pose ? 4 : 3,
                             .image_size = size,
                             .mean = {0.5f, 0.4f, 0.3f},
                             .std = {0.2f, 0.2f, 0.2f}};
    save_spec(path, &spec, 2e5f, seed);
}

void save_model(const char *path, int size, uint64_t seed)
{
    save_model_of(path, "lsd", "efficientnet_b0", size, NULL, 0.5f, seed);
}

void draw_noise(uint8_t *dst, int count, int size)
{
    rng r = rng_at(1, 0, 0, 0);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < size * size * 3; k++)
            *dst++ = (uint8_t)rng_below(&r, 60 + 150 * (uint32_t)(i + 1) / (uint32_t)count);
}
