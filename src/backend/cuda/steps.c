/* Kernels as lists of steps: everything is decided when they are made, addresses are set at bind, run is a loop that
 * puts them into the stream. */
#include "backend/cuda/cuda_int.h"

#include "base/mem.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

static mien_status kernel_bind(kernel *base, const kernel_io *io)
{
    cuda_kernel *k = (cuda_kernel *)base;
    for (int s = 0; s < k->step_count; s++) {
        cuda_step *step = &k->steps[s];
        for (int i = 0; i < step->binding_count; i++) {
            const binding *b = &step->bindings[i];
            if (step->call)
                step->call->operands[b->at] = binding_address(io, b);
            else
                binding_set(step->args, io, b);
        }
        if (step->call && step->call->bind)
            TRY(step->call->bind(step->call));
    }
    return MIEN_OK;
}

static mien_status run_call(cuda_call *c, device *d)
{
    TRY(d->use(d));
    return c->run(c, d);
}

static mien_status kernel_run(kernel *base)
{
    const cuda_kernel *k = (const cuda_kernel *)base;
    device *d = k->b->device;
    for (int s = 0; s < k->step_count; s++) {
        const cuda_step *step = &k->steps[s];
        if (step->call)
            TRY(run_call(step->call, d));
        else
            TRY(d->launch(d, step->kernel, step->grid, step->args));
    }
    return MIEN_OK;
}

mien_status cuda_kernel_warm_up(const cuda_kernel *k)
{
    for (int s = 0; s < k->step_count; s++)
        if (k->steps[s].call)
            TRY(run_call(k->steps[s].call, k->b->device));
    return MIEN_OK;
}

static void kernel_free(kernel *base)
{
    cuda_kernel *k = (cuda_kernel *)base;
    for (int s = 0; s < k->step_count; s++) {
        mem_free(k->steps[s].args);
        if (k->steps[s].call)
            k->steps[s].call->free(k->steps[s].call);
    }
    if (k->kept)
        k->b->device->dealloc(k->b->device, k->kept);
    mem_free(k);
}

mien_status cuda_kernel_create(cuda_kernel **out, cuda_backend *b)
{
    cuda_kernel *k = NULL;
    TRY(mem_zalloc(&k, 1));
    k->base = (kernel){.bind = kernel_bind, .run = kernel_run, .free = kernel_free};
    k->b = b;
    k->base.implementation = k->implementation;
    *out = k;
    return MIEN_OK;
}

size_t cuda_kernel_scratch(cuda_kernel *k, size_t bytes)
{
    enum { ALIGNMENT = 256 };
    size_t offset = size_align(k->base.scratch_bytes, ALIGNMENT);
    k->base.scratch_bytes = offset + bytes;
    return offset;
}

mien_status cuda_kernel_keep(cuda_kernel *k, const void **out, const void *data, size_t bytes)
{
    device *d = k->b->device;
    if (k->kept)
        return mien_fail(MIEN_ERR_INTERNAL, "kernel of two blocks of its own");
    TRY(d->alloc(d, &k->kept, bytes));
    TRY(d->upload(d, k->kept, data, bytes));
    *out = k->kept;
    return MIEN_OK;
}

static mien_status add_step(cuda_kernel *k, cuda_step **out, const binding *bindings, int count)
{
    if (k->step_count == CUDA_MAX_STEPS || count > CUDA_MAX_BINDINGS)
        return mien_fail(MIEN_ERR_INTERNAL, "kernel of too many steps or operands");
    cuda_step *step = &k->steps[k->step_count];
    if (count)
        memcpy(step->bindings, bindings, (size_t)count * sizeof *bindings);
    step->binding_count = count;
    *out = step;
    return MIEN_OK;
}

mien_status cuda_kernel_add_own(cuda_kernel *k, const device_kernel *fn, device_grid grid, const void *args,
                                size_t args_bytes, const binding *bindings, int count)
{
    cuda_step *step;
    if (args_bytes != fn->args_bytes)
        return mien_fail(MIEN_ERR_INTERNAL, "%s: %zu bytes of arguments (wanted %zu)", fn->name, args_bytes,
                         fn->args_bytes);
    TRY(k->b->device->load(k->b->device, fn));
    TRY(add_step(k, &step, bindings, count));
    TRY(mem_alloc_bytes(&step->args, args_bytes));
    memcpy(step->args, args, args_bytes);
    step->kernel = fn;
    step->grid = grid;
    if (k->step_count++ == 0)
        snprintf(k->implementation, sizeof k->implementation, "cuda:%s", fn->name);
    return MIEN_OK;
}

mien_status cuda_kernel_add_call(cuda_kernel *k, cuda_call *call, const char *name, const binding *bindings, int count)
{
    cuda_step *step;
    mien_status st = add_step(k, &step, bindings, count);
    if (st != MIEN_OK) {
        call->free(call);
        return st;
    }
    step->call = call;
    k->step_count++;
    snprintf(k->implementation, sizeof k->implementation, "%s", name);
    return MIEN_OK;
}

/* --- grids -------------------------------------------------------------------------------------------------------- */
enum { ELEMENT_THREADS = 256, BLOCKS_A_PROCESSOR = 8 };

device_grid grid_of_elements(const cuda_backend *b, int64_t count)
{
    int64_t blocks = (count + ELEMENT_THREADS - 1) / ELEMENT_THREADS;
    int64_t most = (int64_t)b->device->processors * BLOCKS_A_PROCESSOR;
    return (device_grid){.blocks = blocks < most ? blocks : most, .threads = ELEMENT_THREADS};
}

device_grid grid_of_rows(const cuda_backend *b, int64_t rows, int threads)
{
    int64_t most = (int64_t)b->device->processors * BLOCKS_A_PROCESSOR * ELEMENT_THREADS / threads;
    return (device_grid){.blocks = rows < most ? rows : most, .threads = threads};
}
