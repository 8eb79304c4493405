/* Watches every node of a run: whoever writes where another value lives is named. Reading what was never written shows
 * as NaN, because rooms are filled with 0xff before their node runs. */
#include "graph/exec/program_int.h"

#include "base/mem.h"

#include <string.h>

/* FNV-1a over 8 bytes at a time, then the rest. */
static uint64_t checksum(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t sum = 0xcbf29ce484222325u, word;
    for (; count >= sizeof word; at += sizeof word, count -= sizeof word) {
        memcpy(&word, at, sizeof word);
        sum = (sum ^ word) * 0x100000001b3u;
        sum ^= sum >> 29;
    }
    for (; count > 0; at++, count--)
        sum = (sum ^ *at) * 0x100000001b3u;
    return sum;
}

/* Whether v holds something before and after the node at `position` runs. */
static bool is_live(const program *p, value_id v, int position)
{
    const value_plan *at = &p->plan.values[v];
    if (graph_value_at(p->g, v)->kind == VALUE_PARAM || at->place == PLACE_KEPT || at->place == PLACE_CONSTANT)
        return true;
    return at->place == PLACE_REUSED && at->first < position && at->last >= position;
}

/* Whether the node may change v: its in-place input, the parameters it moves, the step parameters. */
static bool may_change(const program *p, const graph_node *node, value_id v)
{
    const graph_value *value = graph_value_at(p->g, v);
    if (value->kind == VALUE_STEP || (value->kind == VALUE_PARAM && node->op == &op_optimizer_def))
        return value->is_mutated || node->op == &op_optimizer_def;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] == v && value->is_mutated)
            return true;
    return node->output_count > 0 && node->outputs[0] != NO_VALUE && p->plan.values[node->outputs[0]].shares == v;
}

static void spoil_outputs(const program *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    for (int i = 0; i < node->output_count; i++) {
        const value_id v = node->outputs[i];
        if (v != NO_VALUE && p->plan.values[v].place == PLACE_REUSED && p->plan.values[v].shares == NO_VALUE)
            memset(program_address(p, v), 0xff, p->plan.values[v].bytes);
    }
    if (p->ios[n].scratch)
        memset(p->ios[n].scratch, 0xff, p->kernels[n]->scratch_bytes);
}

static mien_status run_watched(program *p, int position, uint64_t *sums)
{
    const node_id n = p->plan.run[position];
    const graph_node *node = graph_node_at(p->g, n);
    const int value_count = graph_value_count(p->g);
    spoil_outputs(p, n);
    for (value_id v = 0; v < value_count; v++)
        if (is_live(p, v, position))
            sums[v] = checksum(program_address(p, v), p->plan.values[v].bytes);
    mien_status st = p->kernels[n]->run(p->kernels[n]);
    if (st != MIEN_OK)
        return mien_fail_in(st, "%s", node->name);
    for (value_id v = 0; v < value_count; v++)
        if (is_live(p, v, position) && !may_change(p, node, v) &&
            sums[v] != checksum(program_address(p, v), p->plan.values[v].bytes))
            return mien_fail(MIEN_ERR_INTERNAL, "%s (%s): spoiled %s", node->name, p->kernels[n]->implementation,
                             graph_value_at(p->g, v)->name);
    return MIEN_OK;
}

mien_status program_run_checked(program *p)
{
    uint64_t *sums = NULL;
    TRY(mem_alloc(&sums, graph_value_count(p->g)));
    mien_status st = MIEN_OK;
    for (int i = 0; i < p->plan.run_count && st == MIEN_OK; i++)
        st = run_watched(p, i, sums);
    mem_free(sums);
    return st;
}
