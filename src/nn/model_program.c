/* A program of a model's graph. Where a device has no room for it, how much it wants is known without trying: graphs of
 * other batches are planned too. What they take grows with the batch as a straight line, but for what kernels of some
 * sizes want as scratch; so the line of two plans tells where to look, and plans beside it are the answer. */
#include "nn/model.h"

#include <stdio.h>

/* Bytes that a program of this batch would take. */
static mien_status measure(size_t *out, model *m, const model_graph_options *options, int batch, backend *b)
{
    model_graph_options other = *options;
    model_io io;
    graph *g;
    other.batch = batch;
    TRY(model_graph(&g, &io, m, &other));
    return program_measure(out, g, b);
}

/* The smallest batch, and what it takes: 2 where the network has statistics that one picture does not give. */
static mien_status measure_least(int *least, size_t *bytes, model *m, const model_graph_options *options, backend *b)
{
    *least = 1;
    if (measure(bytes, m, options, 1, b) == MIEN_OK)
        return MIEN_OK;
    *least = 2;
    return measure(bytes, m, options, 2, b);
}

/* The largest batch for which `room` is enough, between `least` for which `low` is and options->batch for which `whole`
 * is too much. */
static mien_status find_largest(int *out, int least, size_t low, size_t whole, size_t room, model *m,
                                const model_graph_options *options, backend *b)
{
    size_t bytes;
    const double slope = ((double)whole - (double)low) / (options->batch - least);
    int batch = least + (int)((double)(room - low) / slope);
    for (; batch > least; batch--) {
        TRY(measure(&bytes, m, options, batch, b));
        if (bytes <= room)
            break;
    }
    for (*out = batch; ++batch < options->batch; *out = batch) {
        TRY(measure(&bytes, m, options, batch, b));
        if (bytes > room)
            break;
    }
    return MIEN_OK;
}

static size_t in_mib(size_t bytes)
{
    return (bytes + (1 << 20) - 1) >> 20;
}

/* Tells of memory that did not suffice, where it was the device's: `st`, which has been told, is the host's. */
static mien_status tell_room(mien_status st, model *m, const model_graph_options *options, backend *b)
{
    backend_room room;
    size_t whole, low;
    int least, largest = 0;
    char advice[80];
    TRY(b->room(b, &room));
    TRY(measure(&whole, m, options, options->batch, b));
    if (whole <= room.free)
        return st;
    TRY(measure_least(&least, &low, m, options, b));
    if (low <= room.free)
        TRY(find_largest(&largest, least, low, whole, room.free, m, options, b));
    if (largest)
        snprintf(advice, sizeof advice, "the largest batch that fits is %d", largest);
    else
        snprintf(advice, sizeof advice, "a batch of %d takes %zu", least, in_mib(low));
    return mien_fail(MIEN_ERR_NOMEM, "batch %d: the program takes %zu MiB of %s (found %zu free of %zu; %s)",
                     options->batch, in_mib(whole), b->device, room.free >> 20, room.total >> 20, advice);
}

mien_status model_program(program **out, model_io *io, model *m, const model_graph_options *options, backend *b,
                          const program *beside)
{
    const param_memory *params;
    graph *g;
    mien_status st = param_store_place(model_params(m), &params, b);
    if (st != MIEN_OK)
        return mien_fail_in(st, "parameters");
    TRY(model_graph(&g, io, m, options));
    st = beside ? program_create_beside(out, g, b, beside) : program_create(out, g, b, params);
    return st == MIEN_ERR_NOMEM && b->room ? tell_room(st, m, options, b) : st;
}
