/* A model: an architecture, its numbers, and all that is needed to run it. One .safetensors file (design: "Files"). */
#ifndef NN_MODEL_H
#define NN_MODEL_H

#include "base/json.h"
#include "format/tensor_file.h"
#include "graph/program.h"
#include "nn/head.h"
#include "nn/layer.h"
#include "nn/param_store.h"

#define MODEL_FORMAT_VERSION 1

typedef struct model model;

#define FEATURE_MAP_MAX_BEHIND 4
/* A feature map of an architecture. Describing it declares nothing of what lies behind it. */
typedef struct {
    const char *name; /* "Mixed_6e"; NULL: there is no such map */
    int dim;          /* channels: 768 */
    int stride;       /* input pixels a side for each of the map's: what the strides before it multiply to */
    value_id (*describe)(net *n, value_id x); /* x [n, h, w, 3] normalised -> [n, about h / stride, .., dim] */
    /* NULL-terminated: what names of layers behind it begin with, the head's aside: "Mixed_7" */
    const char *behind[FEATURE_MAP_MAX_BEHIND + 1];
} feature_map;
#define ARCHITECTURE_MAX_MAPS 2

/* One architecture of the zoo: a row of the table in zoo.c. */
typedef struct {
    const char *name;                         /* "resnet50" */
    int default_size;                         /* pixels a side: 224 */
    int min_size;                             /* smallest input side that leaves a feature map */
    int size_step;                            /* sizes are multiples of it; 0: any */
    int feature_dim;                          /* 2048 */
    const char *head_prefix;                  /* "fc.": the names that a new head replaces */
    const char *ignored[2];                   /* "aux1.": names in init files that no part of ours has */
    bool has_tensorflow;                      /* there is a variant VARIANT_TENSORFLOW of it */
    bool is_timms;                            /* torchvision has none: names are timm's, alike for both variants */
    float mean[3], std[3];                    /* normalisation that published weights expect */
    value_id (*features)(net *n, value_id x); /* x [n, h, w, 3] normalised -> [n, feature_dim] */
    value_id (*head)(net *n, value_id features, int classes); /* dropout and classifier: logits [n, classes] f32 */
    feature_map maps[ARCHITECTURE_MAX_MAPS]; /* the first is the one that a network over maps takes unless told */
} architecture;
const architecture *architecture_find(const char *name); /* NULL if unknown */
const architecture *architecture_at(int index);          /* NULL past the end */
/* The map of this name; NULL: its first. MIEN_ERR_UNSUPPORTED "inception_v3: no feature map layer4 (wanted Mixed_6e or
 * Mixed_7c)". */
MIEN_MUST_USE mien_status architecture_map(const feature_map **out, const architecture *arch, const char *name);
/* "resnet50, efficientnet_b0 or vit_b_16", for messages */
void architecture_names(char *dst, size_t bytes);

/* How an architecture is used: on its own, twice in a deviation module (nn/deviation.h), or one of its feature maps
 * under SMM-EmotionNet or under the plain multi-task baseline (nn/smm_emotionnet.h). */
typedef enum { MODEL_PLAIN, MODEL_DEVIATION, MODEL_SMM, MODEL_BASELINE } model_kind;

bool model_is_over_map(model_kind kind); /* is it of the last two? */

/* How a class head's prediction is made of what SMM-EmotionNet's regions say; it is trained on the mean of their
 * logits. */
typedef enum {
    SMM_MEAN_SOFTMAX, /* the mean of their probabilities, as the paper has it */
    SMM_MEAN_LOGITS   /* the probabilities of their mean, as the published code has it */
} smm_ensemble;

/* Of MODEL_SMM and MODEL_BASELINE; zero is the default, and all that other kinds have. */
typedef struct {
    const char *map;       /* of the architecture; NULL: its first */
    bool is_orthogonal;    /* MODEL_SMM: the message space's matrices are orthogonal */
    smm_ensemble ensemble; /* MODEL_SMM */
} smm_options;

typedef struct {
    const char *task; /* what it was trained on */
    const char *arch;
    const model_head *heads; /* [head_count]; none given: one class head HEAD_EXPRESSION of `classes` */
    int head_count;
    const char *const *classes; /* of the first class head, lower case, in order of the outputs; NULL: it has none */
    int class_count;
    int image_size; /* pixels a side; 0 = the architecture's */
    float mean[3], std[3];
    model_variant variant;
    model_kind kind;
    smm_options smm;
} model_spec;

/* Declares the parameters (not yet allocated: model_init, model_load do). Errors: unknown arch, sizes out of range. */
MIEN_MUST_USE mien_status model_create(model **out, const model_spec *spec);
void model_free(model *m);                       /* NULL is a no-op */
const model_spec *model_spec_of(const model *m); /* its strings live as long as the model */
const architecture *model_architecture(const model *m);
param_store *model_params(model *m);
/* Is what this head answers kept within -1..1? */
bool model_clips(const model *m, int head);
/* What the names of all heads begin with, which an init file never fills: "fc.", "head." in a deviation model, "heads."
 * over a feature map. Of several heads each has its own name behind it: "fc.pose.weight". */
const char *model_head_prefix(const model *m);
/* Whatever came from a file of weights trains no more, what is new beside it does: of a plain model or a deviation
 * module the heads alone, over a feature map all but the backbone. Before the model is described. */
void model_freeze_backbone(model *m);
/* Allocates and draws fresh values; both copies of a deviation model are drawn alike. */
MIEN_MUST_USE mien_status model_init(model *m, uint64_t seed, bool with_gradients);
/* Reads all but the head from a file of weights (recipe key `init`, or stage 1's best), opened at `path`: a model of
 * ours, or whatever import reads (nn/import.h), whose tensors are left renamed. A deviation model reads it into both
 * copies; a network over a feature map reads its backbone alone, and of a file of such a network nothing else is read.
 */
MIEN_MUST_USE mien_status model_load_backbone(model *m, tensor_file *f, const char *path);
/* Makes m the variant that the file's own metadata names, where it has any. Before the model is described. */
MIEN_MUST_USE mien_status model_adopt_variant(model *m, const tensor_file *f, const char *path);
/* "torchvision", "tensorflow"; and what a JSON object has under "variant", torchvision where it has nothing. */
const char *model_variant_name(model_variant variant);
MIEN_MUST_USE mien_status model_variant_read(model_variant *out, const json_t *root, const char *where);
const char *model_kind_name(model_kind kind); /* "plain", "smm" */
void model_set_normalisation(model *m, const float mean[3], const float std[3]);
/* Head `head`'s thresholds become values [its size], of which a copy is kept; NULL: 0.5 for all again. MIEN_ERR_ARG
 * where the head is not of binaries or a value not within 0..1. */
MIEN_MUST_USE mien_status model_set_thresholds(model *m, int head, const float *values);
/* Programs made from here on divide the class head's logits by it; 0: none. MIEN_ERR_ARG where it is no class head, of
 * a network over a feature map, or the value out of range. */
MIEN_MUST_USE mien_status model_set_temperature(model *m, int head, float value);

/* Files: *out is ready to run. metrics: a JSON object text to store, or NULL. licence likewise. */
MIEN_MUST_USE mien_status model_load(model **out, const char *path);
/* The task that a model file says it is of, and nothing else of it. Caller: mem_free. */
MIEN_MUST_USE mien_status model_file_task(char **out, const char *path);
MIEN_MUST_USE mien_status model_save(model *m, const char *path, const char *metrics_json);
/* The metadata JSON text as stored under "mien" (caller: mem_free). */
MIEN_MUST_USE mien_status model_metadata(const model *m, char **out, const char *metrics_json);

#define MODEL_MAX_LOSSES 16

/* What a program over the model reads and writes. NO_VALUE where the mode has none. */
typedef struct {
    value_id images; /* input u8 [batch, size, size, 3] */
    struct {
        value_id logits; /* output f32 [batch, head's size] */
        value_id output; /* the same as probabilities; of a regression the logits themselves. Training over a feature
                          * map: NO_VALUE unless a loss gave it */
    } heads[MODEL_MAX_HEADS];
    int head_count;
    graph_loss losses[MODEL_MAX_LOSSES]; /* training: outputs, scalar f32 */
    int loss_count;
    value_id features; /* [batch, feature_dim]; NO_VALUE over a feature map */
    value_id identity; /* deviation: the frozen copy's features [batch, feature_dim], activation type */
} model_io;
extern const model_io model_io_none; /* every value NO_VALUE */

/* What of a deviation model a graph holds. The frozen copy's features are the same bits whoever computes them, so they
 * may be kept where pictures come up again. */
typedef enum {
    MODEL_WHOLE,
    MODEL_WITHOUT_IDENTITY, /* the frozen copy's features are an input, io.identity */
    MODEL_IDENTITY          /* images to io.identity, an output, and nothing else; never trains */
} model_part;

/* How a training graph ends, behind the heads' logits: inputs for what is to be learned, the losses, and whatever
 * outputs of heads they give by the way. A task says it. */
typedef struct {
    mien_status (*describe)(void *context, graph *g, model_io *io, const model_spec *spec, int batch);
    void *context;
} model_ending;

typedef struct {
    int batch;
    dtype activation_type; /* DTYPE_F32 or DTYPE_BF16 */
    model_part part;
    bool is_training;
    const model_ending *ending; /* training */
    bool sums_batches;          /* training: gradients of several batches make one update (program_run_gradients) */
    const optimizer_attr *optimizer; /* training: NULL = no update node */
} model_graph_options;

/* Describes the model's graph and nothing more: for those who want to see the passes. The store's parameters must be
 * declared (model_create). */
MIEN_MUST_USE mien_status model_describe(graph **out, model_io *io, model *m, const model_graph_options *options);
/* Appends the backward pass of a training graph's losses. *loss: what is checked before an update, the one loss or the
 * sum of several. */
MIEN_MUST_USE mien_status model_differentiate(graph *g, value_id *loss, const model_io *io);
/* Describes, fuses and (training) differentiates the model's graph: ready for program_create. The store must be
 * allocated. */
MIEN_MUST_USE mien_status model_graph(graph **out, model_io *io, model *m, const model_graph_options *options);
/* The program of that graph on b, over the memory that the store has there, or beside another one of an equal graph
 * (NULL: of its own). Errors: program_create's; MIEN_ERR_NOMEM of a device says what the program takes and the largest
 * batch that fits. */
MIEN_MUST_USE mien_status model_program(program **out, model_io *io, model *m, const model_graph_options *options,
                                        backend *b, const program *beside);

#endif
