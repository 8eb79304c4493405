/* Deviation models with programs over them, pictures and targets, as the tests of the deviation module share them. */
#ifndef TESTS_NN_DEVIATION_KIT_H
#define TESTS_NN_DEVIATION_KIT_H

#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graph/exec/program_int.h"
#include "nn/deviation.h"
#include "task/class_loss.h"

enum { CLASSES = 6, BATCH = 4 };

static inline model *make(const char *arch, int size, model_kind kind)
{
    static const char *const classes[CLASSES] = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"};
    const model_spec spec = {.task = "lsd",
                             .arch = arch,
                             .classes = classes,
                             .class_count = CLASSES,
                             .image_size = size,
                             .mean = {0.5f, 0.5f, 0.5f},
                             .std = {0.25f, 0.25f, 0.25f},
                             .kind = kind};
    model *m = NULL;
    assert_ok(model_create(&m, &spec));
    return m;
}

/* A program over a model, with a backend of its own. */
typedef struct {
    model *model;
    backend *b;
    program *p;
    model_io io;
    class_loss loss; /* training */
    size_t image_bytes;
} subject;

static const optimizer_attr adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};

static inline subject bind(model *m, model_graph_options options)
{
    subject s = {.model = m, .loss = {.label_smoothing = 0.2f, .has_class_weights = true}};
    const model_ending ending = class_loss_ending(&s.loss);
    options.ending = &ending;
    graph *g = NULL;
    const size_t side = (size_t)model_spec_of(m)->image_size;
    s.image_bytes = (size_t)options.batch * side * side * 3;
    assert_ok(model_graph(&g, &s.io, m, &options));
    assert_ok(backend_cpu_create(&s.b, &(cpu_options){.threads = 2}));
    assert_ok(program_create(&s.p, g, s.b, param_store_memory(model_params(m))));
    return s;
}

static inline void unbind(subject *s)
{
    program_free(s->p);
    s->b->free(s->b);
}

static inline model_graph_options training(dtype type, const optimizer_attr *optimizer)
{
    return (model_graph_options){.batch = BATCH, .activation_type = type, .is_training = true, .optimizer = optimizer};
}

static inline void fill_images(const subject *s, uint64_t seed)
{
    rng r = rng_at(seed, 0, 0, RNG_TEST);
    uint8_t *images;
    assert_ok(mem_alloc(&images, s->image_bytes));
    for (size_t i = 0; i < s->image_bytes; i++)
        images[i] = (uint8_t)rng_below(&r, 256);
    assert_ok(program_write(s->p, s->io.images, images));
    mem_free(images);
}

static inline void fill_targets(const subject *s)
{
    static const float weights[CLASSES] = {1, 3, 5, 1, 1, 1};
    int32_t labels[BATCH];
    for (int i = 0; i < BATCH; i++)
        labels[i] = i * 2 % CLASSES;
    assert_ok(program_write(s->p, s->loss.labels, labels));
    assert_ok(program_write(s->p, s->loss.class_weights, weights));
}

#endif
