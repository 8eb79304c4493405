/* Our side of the comparison of SMM-EmotionNet and its baseline with PyTorch: a training pass of all heads with their
 * losses. check_smm.py beside it drives it and computes the same; verbs and files are those of subject.c.
 *
 *   smm_subject isa
 *   smm_subject draw ARCH+KIND SIZE BATCH COUNT START
 *   smm_subject pass ARCH+KIND START END MOVED f32|bf16 K
 *   smm_subject predict ARCH+KIND START END logits|softmax      outputs of batch 0 from running statistics, f32
 *
 * KIND is smm, orthogonal or baseline. START has beside the images what is to be learned by each head, under the head's
 * name, COUNT batches of it; which of it is missing, is_known says. END "logits.NAME", of predict "output.NAME", too.
 */
#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "graph/precision.h"
#include "graph/program.h"
#include "nn/smm_emotionnet.h"
#include "parity/subject_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADS = 6 };
static const model_head heads[HEADS] = {{.name = "expression", .kind = HEAD_CLASS, .size = 8},
                                        {.name = "va", .kind = HEAD_REGRESSION, .size = 2},
                                        {.name = "au", .kind = HEAD_BINARIES, .size = 12},
                                        {.name = "au_intensity", .kind = HEAD_REGRESSION, .size = 12},
                                        {.name = "blendshapes", .kind = HEAD_REGRESSION, .size = 52},
                                        {.name = "pose", .kind = HEAD_REGRESSION, .size = 3}};
static const float mean[3] = {0.5f, 0.4f, 0.3f}, deviation[3] = {0.25f, 0.2f, 0.3f};

typedef struct {
    smm_spec spec;
    int64_t count, batch, size;
    param_store *params;
    uint8_t *images;       /* [count, batch, size, size, 3] */
    float *targets[HEADS]; /* [count, batch, head's size]; of a class head [count, batch] whole numbers */
} subject;

typedef struct {
    value_id images, weights[HEADS], targets[HEADS], masks[HEADS], total, dx;
    smm_output out[HEADS];
} subject_io;

static void subject_clear(subject *s)
{
    param_store_free(s->params);
    mem_free(s->images);
    for (int i = 0; i < HEADS; i++)
        mem_free(s->targets[i]);
}

static int64_t target_count(const subject *s, int head)
{
    return s->batch * (heads[head].kind == HEAD_CLASS ? 1 : heads[head].size);
}

/* Which labels there are: of units and numbers some of a row, of va and classes whole rows. What is not there holds a
 * label all the same, which must not count. */
static bool is_known(const model_head *h, int64_t row, int64_t column)
{
    const bool is_whole = h->kind == HEAD_CLASS || strcmp(h->name, "va") == 0;
    return (3 * row + (is_whole ? 0 : column)) % 4 != 0;
}

static size_t batch_bytes(const subject *s)
{
    return (size_t)(s->batch * s->size * s->size * 3);
}

/* --- the graph ---------------------------------------------------------------------------------------------------- */

/* The loss of one head over what is known of it, in its own way: expressions and units weighted, va by its
 * correlation. */
static mien_status describe_loss(graph *g, subject_io *io, graph_loss *loss, const subject *s, int i)
{
    const model_head *h = &heads[i];
    const value_id x = io->out[i].logits;
    const int64_t size = h->size;
    const bool is_class = h->kind == HEAD_CLASS;
    const regression_attr squared = {.kind = REGRESSION_SQUARED};
    char target[64], mask[64], weights[64];
    value_id probabilities = NO_VALUE;
    snprintf(target, sizeof target, "%s.target", h->name);
    snprintf(mask, sizeof mask, "%s.mask", h->name);
    snprintf(weights, sizeof weights, "%s.weights", h->name);
    const shape labels = is_class ? shape_of(1, s->batch) : shape_of(2, s->batch, size);
    TRY(graph_input(g, &io->targets[i], target, is_class ? DTYPE_I32 : DTYPE_F32, labels));
    TRY(graph_input(g, &io->masks[i], mask, DTYPE_U8, labels));
    if (h->kind != HEAD_REGRESSION)
        TRY(graph_input(g, &io->weights[i], weights, DTYPE_F32, shape_of(1, size)));
    loss->weight = 1;
    if (is_class)
        return op_cross_entropy_masked(g, &loss->value, &probabilities, h->name, x, io->targets[i], io->weights[i],
                                       io->masks[i], 0);
    if (h->kind == HEAD_BINARIES)
        return op_binary_cross_entropy(g, &loss->value, h->name, x, io->targets[i], io->weights[i], io->masks[i]);
    if (strcmp(h->name, "va") == 0)
        return op_ccc(g, &loss->value, h->name, x, io->targets[i], io->masks[i]);
    return op_regression(g, &loss->value, h->name, x, io->targets[i], io->masks[i], &squared);
}

static mien_status describe(graph *g, subject_io *io, const subject *s)
{
    graph_loss losses[HEADS];
    value_id x = NO_VALUE;
    TRY(graph_input(g, &io->images, "images", DTYPE_U8, shape_of(4, s->batch, s->size, s->size, (int64_t)3)));
    TRY(op_normalise(g, &x, "normalise", io->images, mean, deviation));
    net n = {.g = g, .params = s->params};
    smm_emotionnet(&n, io->out, &s->spec, x);
    TRY(n.status);
    for (int i = 0; i < HEADS; i++) {
        graph_mark_output(g, io->out[i].logits);
        if (io->out[i].output != NO_VALUE)
            graph_mark_output(g, io->out[i].output);
    }
    if (!graph_is_training(g))
        return graph_fuse(g);
    for (int i = 0; i < HEADS; i++)
        TRY(describe_loss(g, io, &losses[i], s, i));
    TRY(op_total(g, &io->total, "total", losses, HEADS));
    graph_mark_output(g, io->total);
    parity_silence_dropout(g);
    TRY(graph_fuse(g));
    return graph_differentiate(g, losses, HEADS, x, &io->dx);
}

static mien_status describe_new(graph **out, subject_io *io, const subject *s, dtype type, bool is_training)
{
    for (int i = 0; i < HEADS; i++)
        io->weights[i] = io->targets[i] = io->masks[i] = NO_VALUE;
    io->dx = io->total = NO_VALUE;
    TRY(graph_create(out, type, is_training));
    const mien_status st = describe(*out, io, s);
    if (st != MIEN_OK)
        graph_free(*out);
    return st;
}

/* "efficientnet_b0+smm"; size 0 is the architecture's. Parameters, with memory for gradients, and room for batches. */
static mien_status subject_create(subject *s, const char *what)
{
    char arch[64];
    const char *kind = strchr(what, '+');
    graph *g = NULL;
    subject_io io;
    if (!kind || kind - what >= (int)sizeof arch)
        return mien_fail(MIEN_ERR_ARG, "%s: no network (wanted ARCH+smm, +orthogonal or +baseline)", what);
    snprintf(arch, sizeof arch, "%.*s", (int)(kind - what), what);
    s->spec = (smm_spec){.arch = architecture_find(arch),
                         .is_baseline = strcmp(kind, "+baseline") == 0,
                         .is_orthogonal = strcmp(kind, "+orthogonal") == 0,
                         .ensemble = s->spec.ensemble,
                         .heads = heads,
                         .head_count = HEADS};
    if (!s->spec.arch)
        return mien_fail(MIEN_ERR_ARG, "%s: unknown architecture", arch);
    s->size = s->size ? s->size : s->spec.arch->default_size;
    TRY(param_store_create(&s->params));
    TRY(describe_new(&g, &io, s, DTYPE_F32, false));
    graph_free(g);
    TRY(param_store_alloc(s->params, true));
    param_store_init(s->params, 1);
    for (int i = 0; i < HEADS; i++)
        TRY(mem_alloc(&s->targets[i], s->count * target_count(s, i)));
    return mem_alloc(&s->images, (size_t)s->count * batch_bytes(s));
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static st_tensor images_tensor(const subject *s)
{
    return (st_tensor){.name = "images",
                       .dtype = ST_U8,
                       .rank = 5,
                       .dims = {s->count, s->batch, s->size, s->size, 3},
                       .data = s->images,
                       .bytes = (size_t)s->count * batch_bytes(s)};
}

static st_tensor target_tensor(const subject *s, int head)
{
    return (st_tensor){.name = heads[head].name,
                       .dtype = ST_F32,
                       .rank = 3,
                       .dims = {s->count, s->batch, target_count(s, head) / s->batch},
                       .data = s->targets[head],
                       .bytes = (size_t)(s->count * target_count(s, head)) * sizeof(float)};
}

static void draw_targets(subject *s)
{
    for (int h = 0; h < HEADS; h++)
        for (int64_t i = 0; i < s->count * target_count(s, h); i++) {
            rng r = rng_at(5, (uint32_t)h, (uint64_t)i, RNG_TEST);
            const float number = rng_range(&r, -1, 1);
            s->targets[h][i] = heads[h].kind == HEAD_CLASS      ? (float)(i * 5 % heads[h].size)
                               : heads[h].kind == HEAD_BINARIES ? (float)(number > 0.3f)
                                                                : number;
        }
}

static mien_status draw(const char *what, int size, int batch, int count, const char *path)
{
    mien_status st = MIEN_OK;
    st_tensor *tensors = NULL, more[1 + HEADS];
    size_t tensor_count = 0;
    subject s = {.count = count, .batch = batch, .size = size};
    TRY_OUT(subject_create(&s, what));
    parity_shake_constants(s.params);
    for (int64_t i = 0; i < s.count * s.batch; i++)
        parity_draw_picture(s.images + i * s.size * s.size * 3, s.size, (uint64_t)i);
    draw_targets(&s);
    more[0] = images_tensor(&s);
    for (int h = 0; h < HEADS; h++)
        more[1 + h] = target_tensor(&s, h);
    TRY_OUT(param_store_tensors(s.params, &tensors, &tensor_count));
    TRY_OUT(parity_write(path, tensors, tensor_count, more, 1 + HEADS));
out:
    mem_free(tensors);
    subject_clear(&s);
    return st;
}

static mien_status read_start(subject *s, const char *what, const char *path)
{
    static const char *const others[] = {"images", "expression", "va", "au", "blendshapes", "pose", NULL};
    mien_status st = MIEN_OK;
    tensor_file *f = NULL;
    TRY(tensor_file_open(&f, path));
    const st_tensor *images = tensor_file_find(f, "images");
    if (!images || images->rank != 5) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: no images (wanted what draw wrote)", path);
        goto out;
    }
    s->count = images->dims[0], s->batch = images->dims[1], s->size = images->dims[2];
    TRY_OUT(subject_create(s, what));
    TRY_OUT(param_store_load(s->params, f, path, others));
    TRY_OUT(tensor_file_read(s->images, f, images));
    for (int h = 0; h < HEADS; h++)
        TRY_OUT(tensor_file_read(s->targets[h], f, tensor_file_find(f, heads[h].name)));
out:
    tensor_file_close(f);
    return st;
}

/* The heads' values as a run left them. */
typedef struct {
    char names[HEADS][64];
    float *values[HEADS];
    st_tensor tensors[HEADS];
} outputs;

static void outputs_clear(outputs *o)
{
    for (int h = 0; h < HEADS; h++)
        mem_free(o->values[h]);
}

/* "PART.NAME" of each head: its logits, or its output. */
static mien_status outputs_read(outputs *o, program *p, const subject *s, const subject_io *io, const char *part,
                                bool is_logits)
{
    for (int h = 0; h < HEADS; h++) {
        const int64_t count = s->batch * heads[h].size;
        snprintf(o->names[h], sizeof o->names[h], "%s.%s", part, heads[h].name);
        TRY(mem_alloc(&o->values[h], count));
        TRY(program_read(p, is_logits ? io->out[h].logits : io->out[h].output, o->values[h]));
        o->tensors[h] = (st_tensor){.name = o->names[h],
                                    .dtype = ST_F32,
                                    .rank = 2,
                                    .dims = {s->batch, heads[h].size},
                                    .data = o->values[h],
                                    .bytes = (size_t)count * sizeof(float)};
    }
    return MIEN_OK;
}

static mien_status write_pass(const char *path, const subject *s, program *p, const subject_io *io, dtype type)
{
    mien_status st = MIEN_OK;
    st_tensor *tensors = NULL, more[2 + HEADS];
    outputs logits = {0};
    float loss;
    char *gradient = NULL;
    size_t count = 0;
    TRY_OUT(mem_alloc(&gradient, batch_bytes(s) * dtype_bytes(type)));
    TRY_OUT(program_read(p, io->total, &loss));
    TRY_OUT(program_read(p, io->dx, gradient));
    TRY_OUT(outputs_read(&logits, p, s, io, "logits", true));
    TRY_OUT(param_store_tensors(s->params, &tensors, &count));
    for (size_t i = 0; i < count; i++) {
        const param_slice *slice = param_store_at(s->params, param_store_find(s->params, tensors[i].name));
        if (slice->kind == SLICE_PARAMETER)
            tensors[i].data = param_store_memory(s->params)->grads + slice->offset;
    }
    memcpy(more, logits.tensors, sizeof logits.tensors);
    more[HEADS] = (st_tensor){.name = "loss", .dtype = ST_F32, .data = &loss, .bytes = sizeof loss};
    more[HEADS + 1] = (st_tensor){.name = "input.grad",
                                  .dtype = type == DTYPE_BF16 ? ST_BF16 : ST_F32,
                                  .rank = 4,
                                  .dims = {s->batch, s->size, s->size, 3},
                                  .data = gradient,
                                  .bytes = batch_bytes(s) * dtype_bytes(type)};
    TRY_OUT(parity_write(path, tensors, count, more, 2 + HEADS));
out:
    outputs_clear(&logits);
    mem_free(gradient);
    mem_free(tensors);
    return st;
}

static mien_status write_outputs(const char *path, const subject *s, program *p, const subject_io *io)
{
    outputs o = {0};
    mien_status st = outputs_read(&o, p, s, io, "output", false);
    if (st == MIEN_OK)
        st = st_write(path, o.tensors, HEADS, NULL, 0);
    outputs_clear(&o);
    return st;
}

/* --- run ---------------------------------------------------------------------------------------------------------- */

static mien_status fill_mask(program *p, const subject_io *io, const subject *s, int h)
{
    const int64_t columns = target_count(s, h) / s->batch;
    uint8_t mask[64];
    for (int64_t i = 0; io->masks[h] != NO_VALUE && i < s->batch; i++) {
        for (int64_t k = 0; k < columns; k++)
            mask[k] = is_known(&heads[h], i, k);
        TRY(program_write_rows(p, io->masks[h], i, 1, mask));
    }
    return MIEN_OK;
}

static mien_status fill(program *p, const subject_io *io, const subject *s, int64_t k)
{
    TRY(program_write(p, io->images, s->images + (size_t)k * batch_bytes(s)));
    TRY(program_set_step(p, &(step_params){.step = 1}));
    for (int h = 0; h < HEADS; h++) {
        const int64_t count = target_count(s, h);
        const float *targets = s->targets[h] + k * count;
        float weights[64];
        for (int i = 0; i < heads[h].size; i++)
            weights[i] = 1 + 0.5f * (float)(i % 3);
        TRY(fill_mask(p, io, s, h));
        if (io->weights[h] != NO_VALUE)
            TRY(program_write(p, io->weights[h], weights));
        if (io->targets[h] != NO_VALUE && heads[h].kind != HEAD_CLASS)
            TRY(program_write(p, io->targets[h], targets));
        for (int64_t i = 0; io->targets[h] != NO_VALUE && heads[h].kind == HEAD_CLASS && i < count; i++)
            TRY(program_write_rows(p, io->targets[h], i, 1, &(int32_t){(int32_t)targets[i]}));
    }
    return MIEN_OK;
}

typedef struct {
    const char *what, *start, *end;
    float moved;
    precision_kind precision;
    int64_t k;
    bool is_prediction;
    smm_ensemble ensemble;
} run_options;

static mien_status run(const void *options, backend *b)
{
    const run_options *o = options;
    mien_status st = MIEN_OK;
    subject s = {.spec = {.ensemble = o->ensemble}};
    graph *g = NULL;
    program *p = NULL;
    subject_io io;
    dtype type;
    TRY_OUT(precision_resolve(&type, o->precision, b));
    TRY_OUT(read_start(&s, o->what, o->start));
    if (o->k < 0 || o->k >= s.count) {
        st = mien_fail(MIEN_ERR_ARG, "%s: batch %d (wanted 0 to %d)", o->start, (int)o->k, (int)s.count - 1);
        goto out;
    }
    parity_move_weight(s.params, o->moved);
    TRY_OUT(describe_new(&g, &io, &s, type, !o->is_prediction));
    TRY_OUT(program_create(&p, g, b, param_store_memory(s.params)));
    TRY_OUT(fill(p, &io, &s, o->k));
    TRY_OUT(program_run(p));
    st = o->is_prediction ? write_outputs(o->end, &s, p, &io) : write_pass(o->end, &s, p, &io, type);
out:
    program_free(p);
    subject_clear(&s);
    return st;
}

/* --- command ------------------------------------------------------------------------------------------------------ */

static int end(mien_status st)
{
    return parity_end("smm_subject", st);
}

static int compute(const run_options *o)
{
    return parity_compute("smm_subject", o->precision, run, o);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(verb, "isa") == 0)
        return parity_compute("smm_subject", PRECISION_F32, NULL, NULL);
    if (argc == 7 && strcmp(verb, "draw") == 0)
        return end(draw(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), argv[6]));
    if (argc == 8 && strcmp(verb, "pass") == 0)
        return compute(&(run_options){.what = argv[2],
                                      .start = argv[3],
                                      .end = argv[4],
                                      .moved = strtof(argv[5], NULL),
                                      .precision = strcmp(argv[6], "bf16") == 0 ? PRECISION_BF16 : PRECISION_F32,
                                      .k = atoi(argv[7])});
    if (argc == 6 && strcmp(verb, "predict") == 0)
        return compute(&(run_options){.what = argv[2],
                                      .start = argv[3],
                                      .end = argv[4],
                                      .precision = PRECISION_F32,
                                      .is_prediction = true,
                                      .ensemble = strcmp(argv[5], "logits") == 0 ? SMM_MEAN_LOGITS : SMM_MEAN_SOFTMAX});
    fprintf(stderr, "smm_subject: wrong usage (the head of its source says what is wanted)\n");
    return 2;
}
