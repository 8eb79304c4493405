/* The operator computes probabilities on its way to the loss: they are the head's output, and not computed twice. */
#include "task/class_loss.h"

mien_status class_loss_describe(class_loss *l, graph *g, model_io *io, int batch, int classes)
{
    const shape labels =
        l->has_soft_targets ? shape_of(2, (int64_t)batch, (int64_t)classes) : shape_of(1, (int64_t)batch);
    value_id loss;
    l->class_weights = NO_VALUE;
    TRY(graph_input(g, &l->labels, "labels", l->has_soft_targets ? DTYPE_F32 : DTYPE_I32, labels));
    if (l->has_class_weights)
        TRY(graph_input(g, &l->class_weights, "class_weights", DTYPE_F32, shape_of(1, (int64_t)classes)));
    TRY(op_cross_entropy(g, &loss, &io->heads[0].output, "loss", io->heads[0].logits, l->labels, l->class_weights,
                         l->label_smoothing));
    graph_mark_output(g, loss);
    io->losses[io->loss_count++] = (graph_loss){loss, 1};
    return MIEN_OK;
}

static mien_status describe(void *context, graph *g, model_io *io, const model_spec *spec, int batch)
{
    return class_loss_describe(context, g, io, batch, spec->heads[0].size);
}

model_ending class_loss_ending(class_loss *l)
{
    return (model_ending){describe, l};
}
