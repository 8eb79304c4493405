/* Kernels as lists of steps: everything is decided when they are made, addresses are set at bind, run is a loop. */
#include "backend/cpu/cpu_int.h"

#include "backend/cpu/isa.h"
#include "base/mem.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Could so many bytes be had now, under a limit of the process (ulimit -v)? */
static bool has_memory(size_t bytes)
{
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block != MAP_FAILED)
        munmap(block, bytes);
    return block != MAP_FAILED;
}

mien_status onednn_check_memory(void)
{
    enum { NODE_BYTES = 32 << 20 };
    if (has_memory(NODE_BYTES))
        return MIEN_OK;
    return mien_fail(MIEN_ERR_NOMEM, "out of memory (wanted %d MiB to make kernels in)", NODE_BYTES >> 20);
}

/* Where oneDNN finds no memory for the code that it makes, it says that it has no implementation. */
mien_status onednn_fail(const char *what, dnnl_status_t status)
{
    enum { CODE_BYTES = 64 << 20 };
    char limit[96];
    bool is_unimplemented = status == dnnl_unimplemented;
    if (status == dnnl_out_of_memory || (is_unimplemented && !has_memory(CODE_BYTES)))
        return mien_fail(MIEN_ERR_NOMEM, "oneDNN: %s: out of memory", what);
    if (is_unimplemented && isa_is_kept_from_onednn(limit, sizeof limit))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "oneDNN: %s: an instruction set is missing (%s)", what, limit);
    return mien_fail(is_unimplemented ? MIEN_ERR_UNSUPPORTED : MIEN_ERR_INTERNAL, "oneDNN: %s: status %d", what,
                     (int)status);
}

static void *behind(void *address, size_t bytes)
{
    return address ? (char *)address + bytes : NULL;
}

static mien_status bind_part(const cpu_part *one, const kernel_io *io)
{
    void *inputs[] = {behind(io->inputs[0], one->input_offset[0]), behind(io->inputs[1], one->input_offset[1])};
    void *outputs[] = {behind(io->outputs[0], one->output_offset)};
    kernel_io own = {inputs, outputs, io->scratch, io->params};
    return one->kernel->base.bind(&one->kernel->base, &own);
}

static mien_status kernel_bind(kernel *base, const kernel_io *io)
{
    cpu_kernel *k = (cpu_kernel *)base;
    for (int s = 0; s < k->step_count; s++) {
        cpu_step *step = &k->steps[s];
        for (int i = 0; i < step->part_count; i++)
            TRY(bind_part(&step->parts[i], io));
        for (int i = 0; i < step->binding_count; i++) {
            if (step->fn) {
                binding_set(step->args, io, &step->bindings[i]);
                continue;
            }
            void *address = binding_address(io, &step->bindings[i]);
            dnnl_status_t status = dnnl_memory_set_data_handle(step->exec[i].memory, address);
            if (status != dnnl_success)
                return onednn_fail("memory", status);
        }
    }
    return MIEN_OK;
}

static mien_status run_steps(const cpu_kernel *k);

/* A step's parts, each as a thread alone. */
typedef struct {
    const cpu_step *step;
    team *alone;
} parts_run;

static mien_status run_part(void *context, int index)
{
    const parts_run *run = context;
    team *before = openmp_enter(run->alone);
    mien_status st = run_steps(run->step->parts[index].kernel);
    openmp_enter(before);
    return st;
}

static mien_status run_parts(const cpu_kernel *k, const cpu_step *step)
{
    parts_run run = {step, k->b->alone};
    return team_try(k->b->team, step->part_count, run_part, &run);
}

static mien_status run_steps(const cpu_kernel *k)
{
    for (int s = 0; s < k->step_count; s++) {
        const cpu_step *step = &k->steps[s];
        if (step->parts) {
            TRY(run_parts(k, step));
            continue;
        }
        if (step->fn) {
            step->fn(step->args);
            continue;
        }
        dnnl_status_t status = dnnl_primitive_execute(step->primitive, k->stream, step->binding_count, step->exec);
        if (status != dnnl_success)
            return onednn_fail("run", status);
    }
    return MIEN_OK;
}

static mien_status kernel_run(kernel *base)
{
    const cpu_kernel *k = (cpu_kernel *)base;
    team *before = openmp_enter(k->b->team);
    mien_status st = run_steps(k);
    openmp_enter(before);
    return st;
}

void cpu_parts_free(cpu_part *parts, int count)
{
    for (int i = 0; parts && i < count; i++)
        cpu_kernel_free(parts[i].kernel);
    mem_free(parts);
}

void cpu_kernel_free(cpu_kernel *k)
{
    if (!k)
        return;
    for (int s = 0; s < CPU_MAX_STEPS; s++) {
        cpu_step *step = &k->steps[s];
        mem_free(step->args);
        cpu_parts_free(step->parts, step->part_count);
        for (int i = 0; i < CPU_MAX_ARGS; i++)
            if (step->exec[i].memory)
                dnnl_memory_destroy(step->exec[i].memory);
        if (step->primitive)
            dnnl_primitive_destroy(step->primitive);
    }
    if (k->stream)
        dnnl_stream_destroy(k->stream);
    mem_free(k);
}

static void kernel_free(kernel *base)
{
    cpu_kernel_free((cpu_kernel *)base);
}

mien_status cpu_kernel_create(cpu_kernel **out, const cpu_backend *b)
{
    cpu_kernel *k = NULL;
    TRY(mem_zalloc(&k, 1));
    k->base = (kernel){.bind = kernel_bind, .run = kernel_run, .free = kernel_free};
    k->b = b;
    snprintf(k->implementation, sizeof k->implementation, "%s", b->own->name);
    k->base.implementation = k->implementation;
    *out = k;
    return MIEN_OK;
}

size_t cpu_kernel_scratch(cpu_kernel *k, size_t bytes)
{
    size_t offset = size_align(k->base.scratch_bytes, 64);
    k->base.scratch_bytes = offset + bytes;
    return offset;
}

mien_status cpu_kernel_add_own(cpu_kernel *k, kernel_fn *fn, const void *args, size_t args_bytes,
                               const binding *bindings, int count)
{
    if (k->step_count == CPU_MAX_STEPS || count > CPU_MAX_ARGS)
        return mien_fail(MIEN_ERR_INTERNAL, "kernel of too many steps or operands");
    cpu_step *step = &k->steps[k->step_count];
    TRY(mem_alloc_bytes(&step->args, args_bytes));
    memcpy(step->args, args, args_bytes);
    if (count)
        memcpy(step->bindings, bindings, (size_t)count * sizeof *bindings);
    step->binding_count = count;
    step->fn = fn;
    k->step_count++;
    return MIEN_OK;
}

mien_status cpu_kernel_add_reorder(cpu_kernel *k, const_dnnl_memory_desc_t from, binding src,
                                   const_dnnl_memory_desc_t to, binding dst, bool is_main)
{
    mien_status st = MIEN_OK;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    src.at = DNNL_ARG_FROM;
    dst.at = DNNL_ARG_TO;
    TRY_DNNL("attributes", dnnl_primitive_attr_create(&attr));
    TRY_DNNL("attributes", dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    TRY_DNNL("reorder", dnnl_reorder_primitive_desc_create(&pd, from, k->b->engine, to, k->b->engine, attr));
    TRY_OUT(cpu_kernel_add_primitive(k, pd, (const binding[]){src, dst}, (const const_dnnl_memory_desc_t[]){from, to},
                                     2, is_main));
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

mien_status cpu_kernel_add_parts(cpu_kernel *k, cpu_part *parts, int count)
{
    if (k->step_count == CPU_MAX_STEPS) {
        cpu_parts_free(parts, count);
        return mien_fail(MIEN_ERR_INTERNAL, "kernel of too many steps");
    }
    cpu_step *step = &k->steps[k->step_count++];
    step->parts = parts;
    step->part_count = count;
    snprintf(k->implementation, sizeof k->implementation, "%s", parts[0].kernel->implementation);
    return MIEN_OK;
}

void cpu_kernel_bind(cpu_kernel *k, binding one)
{
    cpu_step *step = &k->steps[k->step_count - 1];
    step->bindings[step->binding_count++] = one;
}

static mien_status take_name(cpu_kernel *k, const_dnnl_primitive_desc_t pd)
{
    const char *name = NULL;
    dnnl_status_t status = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
    if (status != dnnl_success)
        return onednn_fail("implementation name", status);
    snprintf(k->implementation, sizeof k->implementation, "%s", name);
    return MIEN_OK;
}

mien_status cpu_kernel_add_primitive(cpu_kernel *k, const_dnnl_primitive_desc_t pd, const binding *bindings,
                                     const const_dnnl_memory_desc_t *mds, int count, bool is_main)
{
    mien_status st = MIEN_OK;
    if (k->step_count == CPU_MAX_STEPS || count >= CPU_MAX_ARGS)
        return mien_fail(MIEN_ERR_INTERNAL, "kernel of too many steps or operands");
    cpu_step *step = &k->steps[k->step_count];
    if (!k->stream)
        TRY_DNNL("stream", dnnl_stream_create(&k->stream, k->b->engine, dnnl_stream_default_flags));
    TRY_DNNL("primitive", dnnl_primitive_create(&step->primitive, pd));
    const_dnnl_memory_desc_t pad = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    for (int i = 0; i <= count; i++) {
        bool is_pad = i == count;
        step->bindings[i] = is_pad ? (binding){FROM_SCRATCH, 0, DNNL_ARG_SCRATCHPAD} : bindings[i];
        if (is_pad && dnnl_memory_desc_get_size(pad) == 0)
            break;
        if (is_pad)
            step->bindings[i].index = cpu_kernel_scratch(k, dnnl_memory_desc_get_size(pad));
        TRY_DNNL("memory",
                 dnnl_memory_create(&step->exec[i].memory, is_pad ? pad : mds[i], k->b->engine, DNNL_MEMORY_NONE));
        step->exec[i].arg = (int)step->bindings[i].at;
        step->binding_count++;
    }
    if (is_main)
        TRY_OUT(take_name(k, pd));
    k->step_count++;
out:
    return st;
}
