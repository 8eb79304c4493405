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

/* The largest batch below options->batch, for which `whole` bytes are too many; 0 where there is none, and *one is what
 * a single picture takes. */
static mien_status find_largest(int *out, size_t *one, size_t whole, size_t room, model *m,
                                const model_graph_options *options, backend *b)
{
    size_t bytes;
    int batch = options->batch - 1;
    *out = 0;
    *one = whole;
    if (options->batch == 1)
        return MIEN_OK;
    TRY(measure(one, m, options, 1, b));
    if (*one > room)
        return MIEN_OK;
    const double slope = ((double)whole - (double)*one) / batch;
    if (slope > 0 && (double)(room - *one) / slope < batch - 1)
        batch = 1 + (int)((double)(room - *one) / slope);
    for (;; batch--) {
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
    size_t whole, one;
    int largest;
    TRY(b->room(b, &room));
    TRY(measure(&whole, m, options, options->batch, b));
    if (whole <= room.free)
        return st;
    TRY(find_largest(&largest, &one, whole, room.free, m, options, b));
    char advice[80];
    if (largest)
        snprintf(advice, sizeof advice, "the largest batch that fits is %d", largest);
    else
        snprintf(advice, sizeof advice, "a batch of 1 takes %zu", in_mib(one));
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
