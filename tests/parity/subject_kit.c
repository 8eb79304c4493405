/* Numbers that hide nothing: no weight at 0 or 1, no two pictures alike, nothing dropped. */
#include "parity/subject_kit.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_SKIPPED = 77 };

void parity_shake_constants(param_store *params)
{
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *slice = param_store_at(params, i);
        rng r = rng_at(2, 0, (uint64_t)i, RNG_TEST);
        if (slice->kind != SLICE_COUNTER && slice->init.kind == INIT_CONSTANT)
            for (size_t k = 0; k < slice->count; k++)
                param_store_memory(params)->values[slice->offset + k] += 0.1f * rng_normal(&r);
    }
}

void parity_move_weight(param_store *params, float by)
{
    for (int i = 0; i < param_store_count(params); i++)
        if (param_store_at(params, i)->shape.rank == 4) {
            param_store_memory(params)->values[param_store_at(params, i)->offset] += by;
            return;
        }
}

void parity_draw_picture(uint8_t *pixels, int64_t size, uint64_t number)
{
    enum { CELL = 8 };
    rng colour = rng_at(3, 0, number, RNG_TEST), noise = rng_at(3, 1, number, RNG_TEST);
    uint32_t base[3];
    for (int c = 0; c < 3; c++)
        base[c] = rng_below(&colour, 112);
    for (int64_t y = 0; y < size; y++)
        for (int64_t x = 0; x < size; x++) {
            rng cell = rng_at(4, (uint32_t)(y / CELL * size + x / CELL), number, RNG_TEST);
            for (int c = 0; c < 3; c++)
                *pixels++ = (uint8_t)(base[c] + rng_below(&cell, 112) + rng_below(&noise, 32));
        }
}

void parity_silence_dropout(graph *g)
{
    for (node_id n = 0; n < graph_node_count(g); n++)
        if (graph_node_at(g, n)->op == &op_dropout_def)
            ((dropout_attr *)graph_node_at(g, n)->attr)->p = 1e-30f;
}

mien_status parity_write(const char *path, const st_tensor *tensors, size_t count, const st_tensor *more,
                         size_t more_count)
{
    st_tensor *all = NULL;
    TRY(mem_alloc(&all, count + more_count));
    memcpy(all, tensors, count * sizeof *all);
    memcpy(all + count, more, more_count * sizeof *all);
    mien_status st = st_write(path, all, count + more_count, NULL, 0);
    mem_free(all);
    return st;
}

int parity_end(const char *program, mien_status st)
{
    if (st != MIEN_OK)
        fprintf(stderr, "%s: %s\n", program, mien_error());
    return st != MIEN_OK;
}

int parity_compute(const char *program, precision_kind precision, mien_status (*run)(const void *options, backend *b),
                   const void *options)
{
    backend *b = NULL;
    int code = 0;
    if (parity_end(program, backend_cpu_create(&b, &(cpu_options){.threads = 2})))
        return 1;
    puts(b->isa(b));
    if (run)
        code =
            precision == PRECISION_BF16 && !b->computes_bf16(b) ? EXIT_SKIPPED : parity_end(program, run(options, b));
    b->free(b);
    return code;
}
