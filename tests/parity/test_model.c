/* Whole architectures beside torchvision's: the same parameters, pictures and labels, one training pass in f32; logits,
 * loss, every gradient and every moved statistic are compared by check_model.py, which knows the tolerance. Parameters
 * are drawn here, those that begin constant shaken, and handed over in a file: nothing large is kept.
 *
 *   parity_test_model [ARCHITECTURE...]     all of the zoo where none is named
 *
 * Needs an interpreter with torch and torchvision: $MIEN_PYTHON, python3 or /usr/bin/python3. */
#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graph/program.h"
#include "nn/model.h"

enum { CLASSES = 6, BATCH = 8, SIZE = 64, EXIT_SKIPPED = 77 };

static const char *python; /* found in main */

typedef struct {
    char folder[256];
    model *m;
    backend *b;
    program *p;
    model_io io;
    uint8_t *images;
    int32_t labels[BATCH];
    int size;
} subject;

static void create(subject *s, const char *arch)
{
    static const char *const classes[CLASSES] = {"a", "b", "c", "d", "e", "f"};
    s->size = architecture_find(arch)->min_size > SIZE ? architecture_find(arch)->min_size : SIZE;
    const model_spec spec = {.task = "lsd",
                             .arch = arch,
                             .classes = classes,
                             .class_count = CLASSES,
                             .image_size = s->size,
                             .mean = {0.5f, 0.4f, 0.3f},
                             .std = {0.25f, 0.2f, 0.3f}};
    assert_ok(model_create(&s->m, &spec));
    assert_ok(model_init(s->m, 1, true));
}

/* What begins as 0 or 1 would hide a fault. */
static void shake_constants(param_store *params)
{
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *slice = param_store_at(params, i);
        rng r = rng_at(2, 0, (uint64_t)i, RNG_TEST);
        if (slice->kind != SLICE_COUNTER && slice->init.kind == INIT_CONSTANT)
            for (size_t k = 0; k < slice->count; k++)
                param_store_memory(params)->values[slice->offset + k] += 0.1f * rng_normal(&r);
    }
}

/* Dropout and drop path draw other numbers than PyTorch's: here they drop nothing. */
static void silence_dropout(graph *g)
{
    for (node_id n = 0; n < graph_node_count(g); n++)
        if (graph_node_at(g, n)->op == &op_dropout_def)
            ((dropout_attr *)graph_node_at(g, n)->attr)->p = 1e-30f;
}

static void build(subject *s)
{
    const model_graph_options options = {
        .batch = BATCH, .activation_type = DTYPE_F32, .is_training = true, .label_smoothing = 0.1f};
    graph *g = NULL;
    assert_ok(model_describe(&g, &s->io, s->m, &options));
    silence_dropout(g);
    assert_ok(graph_fuse(g));
    assert_ok(graph_differentiate(g, s->io.loss, NO_VALUE, NULL));
    assert_ok(backend_cpu_create(&s->b, &(cpu_options){.threads = 2}));
    assert_ok(program_create(&s->p, g, s->b, param_store_memory(model_params(s->m))));
}

static void draw_batch(subject *s)
{
    const size_t bytes = (size_t)(BATCH * s->size * s->size * 3);
    rng r = rng_at(3, 0, 0, RNG_TEST);
    s->images = program_data(s->p, s->io.images);
    for (size_t i = 0; i < bytes; i++)
        s->images[i] = (uint8_t)rng_below(&r, 256);
    for (int i = 0; i < BATCH; i++)
        s->labels[i] = (i * 5 + 1) % CLASSES;
    memcpy(program_data(s->p, s->io.labels), s->labels, sizeof s->labels);
}

static void write_file(const subject *s, const char *name, st_tensor *tensors, size_t count, const st_tensor *more,
                       size_t more_count)
{
    char path[320];
    st_tensor *all = malloc((count + more_count) * sizeof *all);
    assert_non_null(all);
    memcpy(all, tensors, count * sizeof *all);
    memcpy(all + count, more, more_count * sizeof *all);
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    assert_ok(st_write(path, all, count + more_count, NULL, 0));
    free(all);
}

/* start.safetensors: parameters and buffers before the pass, "images" and "labels". */
static void write_start(const subject *s)
{
    st_tensor *tensors = NULL;
    size_t count = 0;
    const st_tensor more[] = {
        {.name = "images",
         .dtype = ST_U8,
         .rank = 4,
         .dims = {BATCH, s->size, s->size, 3},
         .data = s->images,
         .bytes = (size_t)(BATCH * s->size * s->size * 3)},
        {.name = "labels", .dtype = ST_I32, .rank = 1, .dims = {BATCH}, .data = s->labels, .bytes = sizeof s->labels}};
    assert_ok(param_store_tensors(model_params(s->m), &tensors, &count));
    write_file(s, "start.safetensors", tensors, count, more, 2);
    mem_free(tensors);
}

/* end.safetensors: gradients under their parameters' names, moved buffers, "logits" and "loss". */
static void write_end(const subject *s)
{
    param_store *params = model_params(s->m);
    st_tensor *tensors = NULL;
    size_t count = 0;
    const st_tensor more[] = {
        {.name = "logits",
         .dtype = ST_F32,
         .rank = 2,
         .dims = {BATCH, CLASSES},
         .data = program_data(s->p, s->io.logits),
         .bytes = BATCH * CLASSES * sizeof(float)},
        {.name = "loss", .dtype = ST_F32, .data = program_data(s->p, s->io.loss), .bytes = sizeof(float)}};
    assert_ok(param_store_tensors(params, &tensors, &count));
    for (size_t i = 0; i < count; i++) {
        const param_slice *slice = param_store_at(params, param_store_find(params, tensors[i].name));
        if (slice->kind == SLICE_PARAMETER)
            tensors[i].data = param_store_memory(params)->grads + slice->offset;
    }
    write_file(s, "end.safetensors", tensors, count, more, 2);
    mem_free(tensors);
}

/* Runs our side and lets the script compare; spoil: with one of our gradients off. */
static int compare(const char *arch, bool spoil)
{
    subject s = {0};
    char command[1024];
    temp_folder_make(s.folder, sizeof s.folder);
    create(&s, arch);
    shake_constants(model_params(s.m));
    build(&s);
    draw_batch(&s);
    write_start(&s);
    assert_ok(program_run(s.p));
    if (spoil) {
        const param_slice *slice = param_store_at(model_params(s.m), 0);
        for (size_t k = 0; k < slice->count; k++)
            param_store_memory(model_params(s.m))->grads[slice->offset + k] *= 1.001f;
    }
    write_end(&s);
    program_free(s.p);
    s.b->free(s.b);
    model_free(s.m);
    snprintf(command, sizeof command, "%s '%s/tests/parity/check_model.py' %s '%s'", python, MIEN_SOURCE_DIR, arch,
             s.folder);
    fflush(stdout);
    const int status = system(command);
    temp_folder_remove(s.folder);
    return status;
}

static void model__training_pass__is_torchvisions(void **state)
{
    assert_int_equal(compare(*state, false), 0);
}

/* A thousandth more than the truth in one gradient must not pass. */
static void model__spoiled_gradient__is_refused(void **state)
{
    assert_int_not_equal(compare(*state, true), 0);
}

static const char *find_python(void)
{
    const char *const names[] = {getenv("MIEN_PYTHON"), "python3", "/usr/bin/python3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char command[512];
        snprintf(command, sizeof command, "%s -c 'import torch, torchvision' 2>/dev/null", names[i] ? names[i] : "");
        if (names[i] && *names[i] && system(command) == 0)
            return names[i];
    }
    return NULL;
}

enum { MAX_TESTS = 32 };

int main(int argc, char **argv)
{
    struct CMUnitTest tests[MAX_TESTS];
    int count = 0;
    python = find_python();
    if (!python) {
        printf("skipped: no python3 with torch and torchvision (MIEN_PYTHON names one)\n");
        return EXIT_SKIPPED;
    }
    for (int i = 1; i < argc && count < MAX_TESTS - 1; i++)
        tests[count++] = (struct CMUnitTest){argv[i], model__training_pass__is_torchvisions, NULL, NULL, argv[i]};
    for (int i = 0; argc == 1 && architecture_at(i) && count < MAX_TESTS - 1; i++) {
        char *name = (char *)architecture_at(i)->name;
        tests[count++] = (struct CMUnitTest){name, model__training_pass__is_torchvisions, NULL, NULL, name};
    }
    char spoiled[] = "efficientnet_b0"; /* its own error is small enough for a thousandth to stand out */
    tests[count++] = (struct CMUnitTest){"model__spoiled_gradient__is_refused", model__spoiled_gradient__is_refused,
                                         NULL, NULL, spoiled};
    return _cmocka_run_group_tests("parity", tests, (size_t)count, NULL, NULL);
}
