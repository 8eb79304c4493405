/* Our side of the comparisons with torchvision: whole architectures trained for a pass or some steps, files in and out.
 * check_models.py beside it drives it, computes the same with PyTorch and knows the tolerances.
 *
 *   parity_subject list              the zoo, a name a line
 *   parity_subject isa               the instruction set it computes with, and oneDNN's version
 *   parity_subject draw ARCH SIZE BATCH COUNT START                      parameters, and COUNT batches of pictures
 *   parity_subject pass ARCH START END MOVED f32|bf16 K                  a training pass over batch K
 *   parity_subject steps ARCH START END MOVED adam|sgd LR MOMENTUM DECAY an optimizer step for each batch, in f32
 *   parity_subject picture FILE SIZE END                                 a picture as a network sees it, f32
 *
 * SIZE is raised to what ARCH takes; 0 is its own. START holds parameters, buffers, "images" and "labels"; END of a
 * pass gradients, moved buffers, "logits", "loss" and "input.grad", of steps parameters and buffers after them and
 * "loss" of each, of a picture "picture".
 *
 * MOVED is added to one weight first: a fault that must be seen.
 *
 * Exit code 77: this machine, or what MIEN_ISA leaves of it, does not compute in bf16. */
#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "graph/precision.h"
#include "graph/program.h"
#include "image/image.h"
#include "nn/model.h"
#include "parity/subject_kit.h"
#include "task/class_loss.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 6 };
#define SMOOTHING 0.1f

typedef struct {
    model *m;
    int64_t count, batch, size;
    uint8_t *images; /* [count, batch, size, size, 3] */
    int32_t *labels; /* [count, batch] */
    class_loss loss;
} subject;

static void subject_clear(subject *s)
{
    model_free(s->m);
    mem_free(s->images);
    mem_free(s->labels);
}

/* Bytes of the pictures of one batch, and of all. */
static size_t batch_bytes(const subject *s)
{
    return (size_t)(s->batch * s->size * s->size * 3);
}

static size_t image_bytes(const subject *s)
{
    return (size_t)s->count * batch_bytes(s);
}

/* A model with memory for its gradients, and room for pictures and labels. */
static const float mean[3] = {0.5f, 0.4f, 0.3f}, deviation[3] = {0.25f, 0.2f, 0.3f};

static mien_status subject_create(subject *s, const char *arch)
{
    static const char *const classes[CLASSES] = {"a", "b", "c", "d", "e", "f"};
    const model_spec spec = {.task = "lsd",
                             .arch = arch,
                             .classes = classes,
                             .class_count = CLASSES,
                             .image_size = (int)s->size,
                             .mean = {mean[0], mean[1], mean[2]},
                             .std = {deviation[0], deviation[1], deviation[2]}};
    TRY(model_create(&s->m, &spec));
    s->size = model_spec_of(s->m)->image_size;
    TRY(model_init(s->m, 1, true));
    TRY(mem_alloc(&s->images, image_bytes(s)));
    return mem_alloc(&s->labels, (size_t)(s->count * s->batch));
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static void draw_batches(subject *s)
{
    for (int64_t i = 0; i < s->count * s->batch; i++) {
        parity_draw_picture(s->images + i * s->size * s->size * 3, s->size, (uint64_t)i);
        s->labels[i] = (int32_t)((i * 5 + 1) % CLASSES);
    }
}

static mien_status draw(const char *arch, int size, int batch, int count, const char *path)
{
    mien_status st = MIEN_OK;
    st_tensor *tensors = NULL;
    size_t tensor_count = 0;
    const architecture *a = architecture_find(arch);
    subject s = {.count = count, .batch = batch, .size = size && a && size < a->min_size ? a->min_size : size};
    TRY_OUT(subject_create(&s, arch));
    parity_shake_constants(model_params(s.m));
    draw_batches(&s);
    TRY_OUT(param_store_tensors(model_params(s.m), &tensors, &tensor_count));
    const st_tensor more[] = {{.name = "images",
                               .dtype = ST_U8,
                               .rank = 5,
                               .dims = {s.count, s.batch, s.size, s.size, 3},
                               .data = s.images,
                               .bytes = image_bytes(&s)},
                              {.name = "labels",
                               .dtype = ST_I32,
                               .rank = 2,
                               .dims = {s.count, s.batch},
                               .data = s.labels,
                               .bytes = (size_t)(s.count * s.batch) * sizeof *s.labels}};
    TRY_OUT(parity_write(path, tensors, tensor_count, more, 2));
out:
    mem_free(tensors);
    subject_clear(&s);
    return st;
}

static mien_status read_start(subject *s, const char *arch, const char *path)
{
    static const char *const others[] = {"images", "labels", NULL};
    mien_status st = MIEN_OK;
    tensor_file *f = NULL;
    TRY(tensor_file_open(&f, path));
    const st_tensor *images = tensor_file_find(f, "images"), *labels = tensor_file_find(f, "labels");
    if (!images || !labels || images->rank != 5 || labels->rank != 2) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no images and labels (wanted what draw wrote)", path);
        goto out;
    }
    *s = (subject){.count = images->dims[0], .batch = images->dims[1], .size = images->dims[2]};
    TRY_OUT(subject_create(s, arch));
    TRY_OUT(param_store_load(model_params(s->m), f, path, others));
    TRY_OUT(tensor_file_read(s->images, f, images));
    TRY_OUT(tensor_file_read(s->labels, f, labels));
out:
    tensor_file_close(f);
    return st;
}

/* --- run ---------------------------------------------------------------------------------------------------------- */

/* optimizer: NULL for a pass, whose input gradient is *dx. */
static mien_status build(program **out, model_io *io, value_id *dx, subject *s, dtype type,
                         const optimizer_attr *optimizer, backend *b)
{
    mien_status st = MIEN_OK;
    s->loss = (class_loss){.label_smoothing = SMOOTHING};
    const model_ending ending = class_loss_ending(&s->loss);
    const model_graph_options options = {
        .batch = (int)s->batch, .activation_type = type, .is_training = true, .ending = &ending};
    graph *g = NULL;
    TRY(model_describe(&g, io, s->m, &options));
    parity_silence_dropout(g);
    TRY_OUT(graph_fuse(g));
    if (optimizer) {
        optimizer_attr update = *optimizer;
        update.loss = io->losses[0].value;
        TRY_OUT(graph_differentiate(g, io->losses, io->loss_count, NO_VALUE, NULL));
        TRY_OUT(op_optimizer(g, "optimizer", &update));
    } else {
        TRY_OUT(graph_differentiate(g, io->losses, io->loss_count, graph_find(g, "normalise"), dx));
    }
    st = program_create(out, g, b, param_store_memory(model_params(s->m)));
    g = NULL;
out:
    graph_free(g);
    return st;
}

static mien_status run_batch(program *p, const model_io *io, const subject *s, int64_t k, float lr)
{
    TRY(program_write(p, io->images, s->images + (size_t)k * batch_bytes(s)));
    TRY(program_write(p, s->loss.labels, s->labels + k * s->batch));
    TRY(program_set_step(p, &(step_params){.lr = lr, .step = (uint32_t)k + 1}));
    return program_run(p);
}

static mien_status write_pass(const char *path, const subject *s, program *p, const model_io *io, value_id dx,
                              dtype type)
{
    mien_status st = MIEN_OK;
    param_store *params = model_params(s->m);
    st_tensor *tensors = NULL;
    size_t count = 0;
    float *logits = NULL, loss;
    char *gradient = NULL;
    TRY_OUT(mem_alloc(&logits, s->batch * CLASSES));
    TRY_OUT(mem_alloc(&gradient, batch_bytes(s) * dtype_bytes(type)));
    const st_tensor more[] = {{.name = "logits",
                               .dtype = ST_F32,
                               .rank = 2,
                               .dims = {s->batch, CLASSES},
                               .data = logits,
                               .bytes = (size_t)s->batch * CLASSES * sizeof(float)},
                              {.name = "loss", .dtype = ST_F32, .data = &loss, .bytes = sizeof loss},
                              {.name = "input.grad",
                               .dtype = type == DTYPE_BF16 ? ST_BF16 : ST_F32,
                               .rank = 4,
                               .dims = {s->batch, s->size, s->size, 3},
                               .data = gradient,
                               .bytes = batch_bytes(s) * dtype_bytes(type)}};
    TRY_OUT(program_read(p, io->heads[0].logits, logits));
    TRY_OUT(program_read(p, io->losses[0].value, &loss));
    TRY_OUT(program_read(p, dx, gradient));
    TRY_OUT(param_store_tensors(params, &tensors, &count));
    for (size_t i = 0; i < count; i++) {
        const param_slice *slice = param_store_at(params, param_store_find(params, tensors[i].name));
        if (slice->kind == SLICE_PARAMETER)
            tensors[i].data = param_store_memory(params)->grads + slice->offset;
    }
    TRY_OUT(parity_write(path, tensors, count, more, 3));
out:
    mem_free(logits);
    mem_free(gradient);
    mem_free(tensors);
    return st;
}

static mien_status write_steps(const char *path, const subject *s, const float *losses)
{
    st_tensor *tensors = NULL;
    size_t count = 0;
    const st_tensor loss = {.name = "loss",
                            .dtype = ST_F32,
                            .rank = 1,
                            .dims = {s->count},
                            .data = losses,
                            .bytes = (size_t)s->count * sizeof *losses};
    TRY(param_store_tensors(model_params(s->m), &tensors, &count));
    mien_status st = parity_write(path, tensors, count, &loss, 1);
    mem_free(tensors);
    return st;
}

typedef struct {
    const char *arch, *start, *end;
    float moved;
    precision_kind precision;
    int64_t k;                       /* a pass: which batch */
    const optimizer_attr *optimizer; /* steps over all batches; NULL: a pass */
    float lr;
} run_options;

static mien_status run(const void *options, backend *b)
{
    const run_options *o = options;
    mien_status st = MIEN_OK;
    subject s = {0};
    program *p = NULL;
    float *losses = NULL;
    model_io io;
    value_id dx = NO_VALUE;
    dtype type;
    TRY_OUT(precision_resolve(&type, o->precision, b));
    TRY_OUT(read_start(&s, o->arch, o->start));
    if (o->k < 0 || o->k >= s.count) {
        st = mien_fail(MIEN_ERR_ARG, "%s: batch %d (wanted 0 to %d)", o->start, (int)o->k, (int)s.count - 1);
        goto out;
    }
    parity_move_weight(model_params(s.m), o->moved);
    TRY_OUT(build(&p, &io, &dx, &s, type, o->optimizer, b));
    if (!o->optimizer) {
        TRY_OUT(run_batch(p, &io, &s, o->k, 0));
        TRY_OUT(write_pass(o->end, &s, p, &io, dx, type));
        goto out;
    }
    TRY_OUT(mem_alloc(&losses, (size_t)s.count));
    for (int64_t k = 0; k < s.count; k++) {
        TRY_OUT(run_batch(p, &io, &s, k, o->lr));
        TRY_OUT(program_read(p, io.losses[0].value, &losses[k]));
    }
    TRY_OUT(write_steps(o->end, &s, losses));
out:
    mem_free(losses);
    program_free(p);
    subject_clear(&s);
    return st;
}

/* --- picture ------------------------------------------------------------------------------------------------------ */

/* p: normalises one picture [size, size, 3], from `images` to `y`. */
static mien_status build_normalise(program **out, value_id *images, value_id *y, int64_t size, backend *b)
{
    static const param_memory none = {0};
    mien_status st = MIEN_OK;
    graph *g = NULL;
    TRY(graph_create(&g, DTYPE_F32, false));
    TRY_OUT(graph_input(g, images, "images", DTYPE_U8, shape_of(4, (int64_t)1, size, size, (int64_t)3)));
    TRY_OUT(op_normalise(g, y, "normalise", *images, mean, deviation));
    graph_mark_output(g, *y);
    st = program_create(out, g, b, &none);
    g = NULL;
out:
    graph_free(g);
    return st;
}

static mien_status see_picture(const char *path, int size, const char *end_path)
{
    mien_status st = MIEN_OK;
    image decoded = {0}, sized = {0};
    image_scratch *scratch = NULL;
    backend *b = NULL;
    program *p = NULL;
    value_id images, y;
    float *numbers = NULL;
    TRY_OUT(image_scratch_create(&scratch));
    TRY_OUT(image_read(&decoded, path));
    TRY_OUT(image_resize(&sized, &decoded, size, size, scratch));
    TRY_OUT(backend_cpu_create(&b, NULL));
    TRY_OUT(build_normalise(&p, &images, &y, size, b));
    const size_t count = (size_t)size * (size_t)size * 3;
    TRY_OUT(mem_alloc(&numbers, count));
    TRY_OUT(program_write(p, images, sized.pixels));
    TRY_OUT(program_run(p));
    TRY_OUT(program_read(p, y, numbers));
    const st_tensor picture = {.name = "picture",
                               .dtype = ST_F32,
                               .rank = 3,
                               .dims = {size, size, 3},
                               .data = numbers,
                               .bytes = count * sizeof(float)};
    TRY_OUT(st_write(end_path, &picture, 1, NULL, 0));
out:
    program_free(p);
    if (b)
        b->free(b);
    image_scratch_free(scratch);
    image_free(&sized);
    image_free(&decoded);
    return st;
}

/* --- command ------------------------------------------------------------------------------------------------------ */

static int end(mien_status st)
{
    return parity_end("parity_subject", st);
}

static int compute(const run_options *o)
{
    return parity_compute("parity_subject", o->precision, run, o);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(verb, "list") == 0) {
        for (int i = 0; architecture_at(i); i++)
            puts(architecture_at(i)->name);
        return 0;
    }
    if (argc == 2 && strcmp(verb, "isa") == 0) {
        const int code = parity_compute("parity_subject", PRECISION_F32, NULL, NULL);
        const dnnl_version_t *v = dnnl_version();
        printf("%d.%d.%d\n", v->major, v->minor, v->patch);
        return code;
    }
    if (argc == 7 && strcmp(verb, "draw") == 0)
        return end(draw(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), argv[6]));
    if (argc == 5 && strcmp(verb, "picture") == 0)
        return end(see_picture(argv[2], atoi(argv[3]), argv[4]));
    if (argc == 8 && strcmp(verb, "pass") == 0)
        return compute(&(run_options){.arch = argv[2],
                                      .start = argv[3],
                                      .end = argv[4],
                                      .moved = strtof(argv[5], NULL),
                                      .precision = strcmp(argv[6], "bf16") == 0 ? PRECISION_BF16 : PRECISION_F32,
                                      .k = atoi(argv[7])});
    if (argc == 10 && strcmp(verb, "steps") == 0) {
        const optimizer_attr optimizer = {.kind = strcmp(argv[6], "sgd") == 0 ? OPTIMIZER_SGD : OPTIMIZER_ADAM,
                                          .beta1 = 0.9f,
                                          .beta2 = 0.999f,
                                          .eps = 1e-8f,
                                          .momentum = strtof(argv[8], NULL),
                                          .weight_decay = strtof(argv[9], NULL)};
        return compute(&(run_options){.arch = argv[2],
                                      .start = argv[3],
                                      .end = argv[4],
                                      .moved = strtof(argv[5], NULL),
                                      .precision = PRECISION_F32,
                                      .optimizer = &optimizer,
                                      .lr = strtof(argv[7], NULL)});
    }
    fprintf(stderr, "parity_subject: wrong usage (the head of its source says what is wanted)\n");
    return 2;
}
