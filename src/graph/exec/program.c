/* Binding and running. All decisions fall in program_create; program_run is a loop over kernels. */
#include "graph/exec/program_int.h"

#include "base/mem.h"
#include "base/progress.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- binding ------------------------------------------------------------------------------------------------------ */

static mien_status check_params(const program *p)
{
    for (value_id v = 0; v < graph_value_count(p->g); v++) {
        const graph_value *value = graph_value_at(p->g, v);
        if (value->kind != VALUE_PARAM && value->kind != VALUE_GRAD)
            continue;
        const size_t count = (size_t)shape_count(&value->shape);
        if (value->param_offset > p->params.count || count > p->params.count - value->param_offset)
            return mien_fail(MIEN_ERR_ARG, "%s: elements %zu to %zu (wanted within %zu)", value->name,
                             value->param_offset, value->param_offset + count, p->params.count);
        if (value->kind == VALUE_GRAD && !p->params.grads)
            return mien_fail(MIEN_ERR_ARG, "%s: the parameters have no gradient arena", value->name);
    }
    return MIEN_OK;
}

/* What runs as a whole: everything or, in a graph that accumulates, its phases. */
static mien_status find_spans(program *p)
{
    const int count = p->plan.run_count;
    int sum = 0;
    while (sum < count && graph_node_at(p->g, p->plan.run[sum])->phase != PHASE_SUM)
        sum++;
    p->span_count = 1;
    p->spans[0] = (program_span){.end = sum};
    if (sum == count)
        return MIEN_OK;
    const int begins[PROGRAM_SPANS + 1] = {0, sum, sum + 1, sum + 2, count};
    for (int i = 0; i < PROGRAM_SPANS; i++)
        p->spans[i] = (program_span){.begin = begins[i], .end = begins[i + 1]};
    p->span_count = PROGRAM_SPANS;
    if (!p->params.sums)
        return mien_fail(MIEN_ERR_ARG, "%s: the parameters have no arena of sums",
                         graph_node_at(p->g, p->plan.run[sum])->name);
    return MIEN_OK;
}

static size_t largest_scratch(const program *p)
{
    size_t bytes = 0;
    for (int i = 0; i < graph_order_count(p->g); i++) {
        const kernel *k = p->kernels[graph_order_at(p->g, i)];
        bytes = k->scratch_bytes > bytes ? k->scratch_bytes : bytes;
    }
    return bytes;
}

void *program_address(const program *p, value_id v)
{
    if (v == NO_VALUE)
        return NULL;
    const graph_value *value = graph_value_at(p->g, v);
    if (value->kind == VALUE_PARAM)
        return p->params.values + value->param_offset;
    if (value->kind == VALUE_GRAD)
        return p->params.grads + value->param_offset;
    const value_plan *at = &p->plan.values[v];
    if (at->place == PLACE_NONE)
        return NULL;
    return (at->place == PLACE_CONSTANT ? p->constants->block : p->block) + at->offset;
}

static mien_status address_table(const program *p, void *const **out, const value_id *values, int count)
{
    void **table = NULL;
    TRY(arena_alloc(graph_arena(p->g), &table, count));
    for (int i = 0; i < count; i++)
        table[i] = program_address(p, values[i]);
    *out = table;
    return MIEN_OK;
}

static mien_status bind_node(program *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    kernel *k = p->kernels[n];
    kernel_io *io = &p->ios[n];
    TRY(address_table(p, &io->inputs, node->inputs, node->input_count));
    TRY(address_table(p, &io->outputs, node->outputs, node->output_count));
    io->scratch = k->scratch_bytes ? p->block + p->plan.scratch_offset : NULL;
    io->params = &p->params;
    mien_status st = k->bind(k, io);
    return st == MIEN_OK ? st : mien_fail_in(st, "%s", node->name);
}

/* Inputs and step parameters begin as zero; tensors hold what a run leaves in them. */
static mien_status clear_kept(program *p)
{
    for (value_id v = 0; v < graph_value_count(p->g); v++)
        if (p->plan.values[v].place == PLACE_KEPT)
            TRY(p->b->clear(p->b, p->block + p->plan.values[v].offset, p->plan.values[v].bytes));
    return MIEN_OK;
}

static bool has_constants_of(const program *p, const program *other)
{
    if (p->plan.constant_bytes != other->plan.constant_bytes || graph_value_count(p->g) != graph_value_count(other->g))
        return false;
    for (value_id v = 0; v < graph_value_count(p->g); v++) {
        const value_plan *a = &p->plan.values[v], *b = &other->plan.values[v];
        if ((a->place == PLACE_CONSTANT) != (b->place == PLACE_CONSTANT) ||
            (a->place == PLACE_CONSTANT && (a->offset != b->offset || a->bytes != b->bytes)))
            return false;
    }
    return true;
}

static mien_status make_constants(program *p)
{
    void *block = NULL;
    TRY(mem_zalloc(&p->constants, 1));
    atomic_init(&p->constants->users, 1);
    TRY(p->b->alloc(p->b, &block, p->plan.constant_bytes));
    p->constants->block = block;
    return MIEN_OK;
}

static mien_status share_constants(program *p, const program *other)
{
    if (!has_constants_of(p, other))
        return mien_fail(MIEN_ERR_INTERNAL, "program beside another: its constants are not the other's");
    p->constants = other->constants;
    p->is_beside = true;
    atomic_fetch_add(&p->constants->users, 1);
    return MIEN_OK;
}

static void leave_constants(program *p)
{
    if (!p->constants || atomic_fetch_sub(&p->constants->users, 1) > 1)
        return;
    if (p->constants->block)
        p->b->dealloc(p->b, p->constants->block);
    mem_free(p->constants);
}

static mien_status take_blocks(program *p, const program *other)
{
    void *block = NULL;
    TRY(p->b->alloc(p->b, &block, p->plan.block_bytes));
    p->block = block;
    return other ? share_constants(p, other) : make_constants(p);
}

static mien_status capture_spans(program *p)
{
    kernel **kernels = NULL;
    TRY(arena_alloc(graph_arena(p->g), &kernels, p->plan.run_count));
    for (int i = 0; i < p->plan.run_count; i++)
        kernels[i] = p->kernels[p->plan.run[i]];
    for (int i = 0; i < p->span_count; i++) {
        program_span *s = &p->spans[i];
        TRY(p->b->capture(p->b, &s->captured, kernels + s->begin, s->end - s->begin));
    }
    return MIEN_OK;
}

static mien_status prepare_and_plan(program *p)
{
    TRY(p->b->prepare(p->b, p->g, &p->kernels));
    return plan_make(&p->plan, p->g, largest_scratch(p));
}

static mien_status finalise(program *p, const program *other)
{
    graph *g = p->g;
    TRY(find_spans(p));
    TRY(take_blocks(p, other));
    TRY(clear_kept(p));
    TRY(arena_alloc(graph_arena(g), &p->ios, graph_node_count(g)));
    TRY(arena_alloc(graph_arena(g), &p->seconds, p->plan.run_count));
    for (int i = 0; i < graph_order_count(g); i++)
        TRY(bind_node(p, graph_order_at(g, i)));
    if (!other)
        TRY(program_refresh(p));
    return p->b->capture ? capture_spans(p) : MIEN_OK;
}

/* A program that is not prepared yet; the graph is its own, also on failure. */
static mien_status begin(program **out, graph *g, backend *b)
{
    program *p = NULL;
    mien_status st = mem_zalloc(&p, 1);
    if (st != MIEN_OK) {
        graph_free(g);
        return st;
    }
    *p = (program){.g = g, .b = b};
    *out = p;
    return MIEN_OK;
}

static mien_status create(program **out, graph *g, backend *b, const param_memory *params, const program *other)
{
    mien_status st;
    program *p = NULL;
    TRY(begin(&p, g, b));
    p->params = *params;
    TRY_OUT(check_params(p));
    TRY_OUT(prepare_and_plan(p));
    TRY_OUT(finalise(p, other));
    *out = p;
    p = NULL;
out:
    program_free(p);
    return st;
}

mien_status program_create(program **out, graph *g, backend *b, const param_memory *params)
{
    return create(out, g, b, params, NULL);
}

mien_status program_create_beside(program **out, graph *g, backend *b, const program *other)
{
    return create(out, g, b, &other->params, other);
}

mien_status program_measure(size_t *out, graph *g, backend *b)
{
    program *p = NULL;
    TRY(begin(&p, g, b));
    mien_status st = prepare_and_plan(p);
    if (st == MIEN_OK)
        *out = p->plan.block_bytes + p->plan.constant_bytes;
    program_free(p);
    return st;
}

void program_free(program *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->span_count; i++)
        if (p->spans[i].captured)
            p->spans[i].captured->free(p->spans[i].captured);
    for (node_id n = 0; p->kernels && n < graph_node_count(p->g); n++)
        if (p->kernels[n])
            p->kernels[n]->free(p->kernels[n]);
    if (p->block)
        p->b->dealloc(p->b, p->block);
    leave_constants(p);
    graph_free(p->g);
    mem_free(p);
}

/* --- numbers in and out ------------------------------------------------------------------------------------------- */

static int64_t row_count(const program *p, value_id v)
{
    const shape *s = &graph_value_at(p->g, v)->shape;
    return s->rank > 0 ? s->dim[0] : 1;
}

/* Where rows first .. first + count of v begin, and their bytes. */
static mien_status find_rows(const program *p, value_id v, int64_t first, int64_t count, unsigned char **out,
                             size_t *bytes)
{
    const graph_value *value = graph_value_at(p->g, v);
    const int64_t rows = row_count(p, v);
    if (first < 0 || count < 0 || first > rows || count > rows - first)
        return mien_fail(MIEN_ERR_INTERNAL, "%s: rows %" PRId64 " to %" PRId64 " (wanted within %" PRId64 ")",
                         value->name, first, first + count, rows);
    const size_t row_bytes = p->plan.values[v].bytes / (size_t)rows;
    *out = (unsigned char *)program_address(p, v) + (size_t)first * row_bytes;
    *bytes = (size_t)count * row_bytes;
    return MIEN_OK;
}

static mien_status check_input(const program *p, value_id v)
{
    const graph_value *value = graph_value_at(p->g, v);
    if (value->kind != VALUE_INPUT)
        return mien_fail(MIEN_ERR_INTERNAL, "%s: written from outside (wanted an input)", value->name);
    return MIEN_OK;
}

mien_status program_write_rows(program *p, value_id v, int64_t first, int64_t count, const void *src)
{
    unsigned char *dst = NULL;
    size_t bytes = 0;
    TRY(check_input(p, v));
    TRY(find_rows(p, v, first, count, &dst, &bytes));
    return bytes ? p->b->upload(p->b, dst, src, bytes) : MIEN_OK;
}

mien_status program_write(program *p, value_id v, const void *src)
{
    return program_write_rows(p, v, 0, row_count(p, v), src);
}

mien_status program_stage(program *p, value_id v, const void *src)
{
    TRY(check_input(p, v));
    return p->b->stage ? p->b->stage(p->b, src, p->plan.values[v].bytes) : program_write(p, v, src);
}

mien_status program_take(program *p, value_id v)
{
    TRY(check_input(p, v));
    return p->b->take ? p->b->take(p->b, program_address(p, v)) : MIEN_OK;
}

mien_status program_read_rows(program *p, value_id v, int64_t first, int64_t count, void *dst)
{
    unsigned char *src = NULL;
    size_t bytes = 0;
    const graph_value *value = graph_value_at(p->g, v);
    if (value->kind != VALUE_INPUT && !(value->kind == VALUE_TENSOR && value->is_output))
        return mien_fail(MIEN_ERR_INTERNAL, "%s: read from outside (wanted an input or an output)", value->name);
    TRY(find_rows(p, v, first, count, &src, &bytes));
    return bytes ? p->b->download(p->b, dst, src, bytes) : MIEN_OK;
}

mien_status program_read(program *p, value_id v, void *dst)
{
    return program_read_rows(p, v, 0, row_count(p, v), dst);
}

mien_status program_set_step(program *p, const step_params *step)
{
    return p->b->upload(p->b, program_address(p, graph_step(p->g)), step, sizeof *step);
}

mien_status program_get_step(step_params *out, program *p)
{
    return p->b->download(p->b, out, program_address(p, graph_step(p->g)), sizeof *out);
}

program_memory program_memory_used(const program *p)
{
    const plan *m = &p->plan;
    return (program_memory){.planned_bytes = m->kept_bytes + m->reused_bytes + m->scratch_bytes,
                            .sum_bytes = m->sum_bytes,
                            .constant_bytes = p->is_beside ? 0 : m->constant_bytes,
                            .scratch_bytes = m->scratch_bytes};
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static mien_status fail_at(const program *p, node_id n, mien_status st)
{
    return mien_fail_in(st, "%s", graph_node_at(p->g, n)->name);
}

mien_status program_refresh(program *p)
{
    assert(!p->is_beside);
    for (int i = 0; i < p->plan.refresh_count; i++) {
        kernel *k = p->kernels[p->plan.refresh[i]];
        mien_status st = k->run(k);
        if (st != MIEN_OK)
            return fail_at(p, p->plan.refresh[i], st);
    }
    return MIEN_OK;
}

static mien_status run_profiled(program *p, int begin, int end)
{
    const int slot = p->profiled_runs % PROFILE_RUNS;
    int64_t before = clock_ns();
    for (int i = begin; i < end; i++) {
        kernel *k = p->kernels[p->plan.run[i]];
        mien_status st = k->run(k);
        if (st == MIEN_OK)
            st = program_wait(p);
        if (st != MIEN_OK)
            return fail_at(p, p->plan.run[i], st);
        int64_t after = clock_ns();
        p->seconds[i][slot] = (float)((double)(after - before) * 1e-9);
        before = after;
    }
    if (end == p->plan.run_count)
        p->profiled_runs++;
    return MIEN_OK;
}

static mien_status run_span(program *p, int which)
{
    const program_span *span = &p->spans[which];
    if (p->is_profiling)
        return run_profiled(p, span->begin, span->end);
    if (span->captured)
        return span->captured->run(span->captured);
    for (int i = span->begin; i < span->end; i++) {
        kernel *k = p->kernels[p->plan.run[i]];
        mien_status st = k->run(k);
        if (st != MIEN_OK)
            return fail_at(p, p->plan.run[i], st);
    }
    return MIEN_OK;
}

static bool accumulates(const program *p)
{
    return p->span_count == PROGRAM_SPANS;
}

static mien_status check_accumulates(const program *p)
{
    return accumulates(p) ? MIEN_OK : mien_fail(MIEN_ERR_ARG, "a program of one batch a step (wanted op_accumulate)");
}

mien_status program_run_gradients(program *p, bool is_first)
{
    TRY(check_accumulates(p));
    TRY(run_span(p, SPAN_GRADIENTS));
    return run_span(p, is_first ? SPAN_FIRST : SPAN_OTHERS);
}

mien_status program_run_update(program *p)
{
    TRY(check_accumulates(p));
    return run_span(p, SPAN_UPDATE);
}

mien_status program_run(program *p)
{
    if (!accumulates(p))
        return run_span(p, 0);
    TRY(program_run_gradients(p, true));
    return program_run_update(p);
}

mien_status program_wait(program *p)
{
    return p->b->wait ? p->b->wait(p->b) : MIEN_OK;
}

/* --- profile ------------------------------------------------------------------------------------------------------ */

void program_profile(program *p, bool is_on)
{
    if (is_on && !p->is_profiling)
        p->profiled_runs = 0;
    p->is_profiling = is_on;
}

int program_timing_count(const program *p)
{
    return p->plan.run_count;
}

static int compare_seconds(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median_seconds(const program *p, int position)
{
    float sorted[PROFILE_RUNS];
    const int count = p->profiled_runs < PROFILE_RUNS ? p->profiled_runs : PROFILE_RUNS;
    if (count == 0)
        return 0;
    memcpy(sorted, p->seconds[position], (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_seconds);
    return ((double)sorted[(count - 1) / 2] + (double)sorted[count / 2]) / 2;
}

program_timing program_timing_at(const program *p, int index)
{
    assert(index >= 0 && index < p->plan.run_count);
    const node_id n = p->plan.run[index];
    const graph_node *node = graph_node_at(p->g, n);
    const kernel *k = p->kernels[n];
    return (program_timing){.node = node->name,
                            .op = node->op->name,
                            .implementation = k->implementation,
                            .phase = node->phase,
                            .seconds = median_seconds(p, index),
                            .flops = node->op->flops ? node->op->flops(p->g, n) : 0,
                            .bytes = k->bytes_moved};
}
