/* mien_graph_text: one graph told after each pass. */
#include "mien_bench.h"

#include "api/api.h"
#include "base/mem.h"
#include "base/str.h"
#include "graph/program.h"
#include "task/class_loss.h"
#include "task/task.h"

#include <stdio.h>
#include <string.h>

#define SMALL "small"

/* What an architecture's name may end with. */
static const struct {
    const char *end;
    model_kind kind;
} kinds[] = {{"+deviation", MODEL_DEVIATION}, {"+smm", MODEL_SMM}, {"+baseline", MODEL_BASELINE}};

static const char *const units[] = {"AU1",  "AU2",  "AU4",  "AU6",  "AU7",  "AU10",
                                    "AU12", "AU15", "AU23", "AU24", "AU25", "AU26"},
                         *const va[] = {"valence", "arousal"};
enum { UNITS = sizeof units / sizeof units[0], HEADS = 3 };

/* What is told: an architecture of the zoo behind a model, or the small network with its own store. */
typedef struct {
    model *model; /* NULL: small */
    param_store *small;
    graph *graph;
    model_io io;
    class_loss loss;
} subject;

/* A network of one residual block, small enough to be read whole: docs/architecture.md goes through it. */
static mien_status describe_small(subject *s, const mien_graph_options *o, const model_graph_options *options)
{
    static const float half[3] = {0.5f, 0.5f, 0.5f};
    int64_t size = o->image_size ? o->image_size : 32;
    value_id x = NO_VALUE;
    TRY(param_store_create(&s->small));
    TRY(graph_create(&s->graph, options->activation_type, options->is_training));
    graph *g = s->graph;
    TRY(graph_input(g, &s->io.images, "images", DTYPE_U8, shape_of(4, (int64_t)o->batch, size, size, (int64_t)3)));
    TRY(op_normalise(g, &x, "normalise", s->io.images, half, half));
    net n = {.g = g, .params = s->small, .status = MIEN_OK};
    x = net_conv2d(&n, "conv1", x, (conv_spec){.out = 8, .kernel = 3, .stride = 2, .pad = 1});
    x = net_batch_norm(&n, "bn1", x, (batch_norm_spec){.eps = 1e-5f});
    x = net_activation(&n, "relu1", x, ACT_RELU);
    value_id y = net_conv2d(&n, "conv2", x, (conv_spec){.out = 8, .kernel = 3, .stride = 1, .pad = 1});
    y = net_batch_norm(&n, "bn2", y, (batch_norm_spec){.eps = 1e-5f});
    y = net_activation(&n, "relu2", net_add(&n, "add", y, x), ACT_RELU);
    y = net_global_mean(&n, "pool", y);
    y = net_linear(&n, "fc", y, (linear_spec){.out = o->classes, .bound = 0.1f, .weight_rank = 2, .is_f32 = true});
    TRY(n.status);
    s->io.heads[0].logits = y;
    if (options->is_training)
        TRY(class_loss_describe(&s->loss, g, &s->io, o->batch, o->classes));
    else
        TRY(op_softmax(g, &s->io.heads[0].output, "softmax", y));
    graph_mark_output(g, s->io.heads[0].output);
    TRY(param_store_alloc(s->small, options->is_training));
    param_store_init(s->small, 1);
    return MIEN_OK;
}

/* "resnet50+deviation": into dst without the end, which *kind tells. */
static void split_name(char dst[64], model_kind *kind, const char *arch)
{
    size_t length = strlen(arch);
    *kind = MODEL_PLAIN;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_ends(arch, kinds[i].end)) {
            *kind = kinds[i].kind;
            length -= strlen(kinds[i].end);
            break;
        }
    snprintf(dst, 64, "%.*s", (int)length, arch);
}

/* The end of a training graph: a loss of each head, by its kind. */
static mien_status describe_losses(void *context, graph *g, model_io *io, const model_spec *spec, int batch)
{
    TRY(class_loss_describe(context, g, io, batch, spec->heads[0].size));
    for (int h = 1; h < spec->head_count; h++) {
        const model_head *at = &spec->heads[h];
        const shape all = shape_of(2, (int64_t)batch, (int64_t)at->size);
        const value_id logits = io->heads[h].logits;
        value_id target, mask, loss;
        char name[3][64];
        snprintf(name[0], sizeof name[0], "%s.target", at->name);
        snprintf(name[1], sizeof name[1], "%s.mask", at->name);
        snprintf(name[2], sizeof name[2], "%s.loss", at->name);
        TRY(graph_input(g, &target, name[0], DTYPE_F32, all));
        TRY(graph_input(g, &mask, name[1], DTYPE_U8, all));
        TRY(at->kind == HEAD_BINARIES ? op_binary_cross_entropy(g, &loss, name[2], logits, target, NO_VALUE, mask)
                                      : op_ccc(g, &loss, name[2], logits, target, mask));
        graph_mark_output(g, loss);
        io->losses[io->loss_count++] = (graph_loss){loss, 1};
    }
    return MIEN_OK;
}

static mien_status describe_architecture(subject *s, const char *arch, const mien_graph_options *o,
                                         const model_graph_options *options)
{
    char name[64];
    model_kind kind;
    split_name(name, &kind, arch);
    const char **classes = NULL;
    TRY(mem_alloc(&classes, o->classes));
    for (int i = 0; i < o->classes; i++)
        classes[i] = "class"; /* no name is ever looked at */
    const model_head heads[HEADS] = {
        {.name = HEAD_EXPRESSION, .kind = HEAD_CLASS, .size = o->classes, .columns = classes},
        {.name = "au", .kind = HEAD_BINARIES, .size = UNITS, .columns = units},
        {.name = "va", .kind = HEAD_REGRESSION, .size = 2, .columns = va},
    };
    model_spec spec = {.task = task_all[0]->name,
                       .arch = name,
                       .kind = kind,
                       .heads = heads,
                       .head_count = model_is_over_map(kind) ? HEADS : 1,
                       .image_size = o->image_size,
                       .mean = {0.5f, 0.5f, 0.5f},
                       .std = {0.5f, 0.5f, 0.5f}};
    mien_status st = model_create(&s->model, &spec);
    mem_free(classes);
    TRY(st);
    TRY(model_init(s->model, 1, options->is_training));
    return model_describe(&s->graph, &s->io, s->model, options);
}

static mien_status add_pass(str *text, const char *title, graph *g)
{
    TRY(str_printf(text, "%s== %s\n", text->length ? "\n" : "", title));
    return graph_print(g, text);
}

/* Fuses, differentiates, adds the update: what model_graph does, told on the way. */
static mien_status run_passes(str *text, subject *s, const model_graph_options *options)
{
    TRY(add_pass(text, "described", s->graph));
    TRY(graph_fuse(s->graph));
    TRY(add_pass(text, "fused", s->graph));
    if (!options->is_training)
        return MIEN_OK;
    optimizer_attr update = *options->optimizer;
    TRY(model_differentiate(s->graph, &update.loss, &s->io));
    TRY(op_optimizer(s->graph, "optimizer", &update));
    return add_pass(text, "differentiated, with the update", s->graph);
}

/* Prepared by the backend and planned: the graph is the program's then. */
static mien_status run_program(str *text, subject *s, backend *b)
{
    program *p = NULL;
    graph *g = s->graph;
    const param_memory *params;
    TRY(param_store_place(s->model ? model_params(s->model) : s->small, &params, b));
    s->graph = NULL;
    TRY(program_create(&p, g, b, params));
    program_memory used = program_memory_used(p);
    mien_status st = str_printf(text, "\n== prepared by the %s backend for %s, and planned\n", b->name, b->isa(b));
    if (st == MIEN_OK)
        st = program_print(p, text);
    if (st == MIEN_OK)
        st = str_printf(
            text, "activations and scratch: %zu bytes planned, %zu the sum of all tensors; packed weights: %zu bytes\n",
            used.planned_bytes, used.sum_bytes, used.constant_bytes);
    program_free(p);
    return st;
}

static mien_status tell(str *text, const char *arch, const mien_graph_options *o)
{
    mien_status st = MIEN_OK;
    backend *b = NULL;
    subject s = {.io = model_io_none, .loss = {.label_smoothing = 0.2f}};
    optimizer_attr adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    const model_ending ending = {describe_losses, &s.loss};
    TRY(api_backend(&b, o->compute));
    model_graph_options options = {.batch = o->batch,
                                   .activation_type = api_activation_type(b, o->compute),
                                   .is_training = !o->is_inference,
                                   .ending = &ending,
                                   .optimizer = &adam};
    TRY_OUT(strcmp(arch, SMALL) ? describe_architecture(&s, arch, o, &options) : describe_small(&s, o, &options));
    TRY_OUT(run_passes(text, &s, &options));
    TRY_OUT(run_program(text, &s, b));
out:
    graph_free(s.graph);
    model_free(s.model);
    param_store_free(s.small);
    api_backend_free(b);
    return st;
}

mien_status mien_graph_text(char **out, const char *arch, const mien_graph_options *given)
{
    TRY(api_need(out, "mien_graph_text", "out"));
    TRY(api_need(arch, "mien_graph_text", "arch"));
    mien_graph_options o;
    mien_compute compute;
    TRY(api_options(&o, given, MIEN_OPTIONS_GRAPH, "mien_graph_text"));
    TRY(api_compute(&compute, o.compute, "mien_graph_text"));
    o.compute = &compute;
    if (o.batch < 1 || o.image_size < 0 || o.classes < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_graph_text: batch %d, image_size %d, classes %d (wanted at least 1, 0, 1)",
                         o.batch, o.image_size, o.classes);
    str text = {0};
    mien_status st = MIEN_OK;
    TRY_OUT(tell(&text, arch, &o));
    *out = text.text;
    text = (str){0};
out:
    str_free(&text);
    return st;
}
