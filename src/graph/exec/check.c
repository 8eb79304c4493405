/* Watches every node of a run: whoever writes where another value lives is named. Reading what was never written shows
 * as NaN, because rooms are filled with 0xff before their node runs. */
#include "graph/exec/program_int.h"

#include "base/mem.h"

#include <string.h>

static uint64_t mixed(uint64_t sum, uint64_t word)
{
    sum ^= word;
    return (sum << 27 | sum >> 37) + 0x9e3779b97f4a7c15u;
}

/* Another sum where any one word is another. Four sums run side by side, since a step takes longer than a read: all
 * parameters are summed after every node. */
static uint64_t checksum(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t a = 1, b = 2, c = 3, d = 4, word[4];
    for (; count >= sizeof word; at += sizeof word, count -= sizeof word) {
        memcpy(word, at, sizeof word);
        a = mixed(a, word[0]);
        b = mixed(b, word[1]);
        c = mixed(c, word[2]);
        d = mixed(d, word[3]);
    }
    for (; count > 0; at++, count--)
        a = mixed(a, *at);
    return mixed(mixed(mixed(a, b), c), d);
}

/* Whether v holds something before and after the node at `position` runs. */
static bool is_live(const program *p, value_id v, int position)
{
    const value_plan *at = &p->plan.values[v];
    if (at->place == PLACE_REUSED)
        return at->first < position && at->last >= position;
    return graph_value_at(p->g, v)->kind != VALUE_TENSOR || at->place == PLACE_CONSTANT;
}

/* Whether the node may change v: gradients it writes, its in-place input, parameters and step parameters it moves. */
static bool may_change(const program *p, const graph_node *node, value_id v)
{
    const graph_value *value = graph_value_at(p->g, v);
    if (node->op == &op_optimizer_def)
        return value->kind == VALUE_STEP || (value->kind == VALUE_PARAM && value->is_mutated);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] == v)
            return true;
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] == v && value->is_mutated && !value->requires_grad) /* running statistics */
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

/* Sums of what is live after `position` (-1: before the run), against `sums` where a value was live before too. */
static mien_status compare_sums(const program *p, int position, uint64_t *sums)
{
    const graph_node *node = position < 0 ? NULL : graph_node_at(p->g, p->plan.run[position]);
    for (value_id v = 0; v < graph_value_count(p->g); v++) {
        if (!is_live(p, v, position + 1) && !is_live(p, v, position))
            continue;
        const uint64_t sum = checksum(program_address(p, v), p->plan.values[v].bytes);
        if (node && is_live(p, v, position) && !may_change(p, node, v) && sums[v] != sum)
            return mien_fail(MIEN_ERR_INTERNAL, "%s (%s): spoiled %s", node->name,
                             p->kernels[p->plan.run[position]]->implementation, graph_value_at(p->g, v)->name);
        sums[v] = sum;
    }
    return MIEN_OK;
}

static mien_status run_watched(program *p, uint64_t *sums)
{
    TRY(compare_sums(p, -1, sums));
    for (int i = 0; i < p->plan.run_count; i++) {
        const node_id n = p->plan.run[i];
        if (p->span_count == PROGRAM_SPANS && i == p->spans[SPAN_OTHERS].begin) /* for batches behind the first */
            continue;
        spoil_outputs(p, n);
        mien_status st = p->kernels[n]->run(p->kernels[n]);
        if (st != MIEN_OK)
            return mien_fail_in(st, "%s", graph_node_at(p->g, n)->name);
        TRY(compare_sums(p, i, sums));
    }
    return MIEN_OK;
}

mien_status program_run_checked(program *p)
{
    uint64_t *sums = NULL;
    TRY(mem_alloc(&sums, graph_value_count(p->g)));
    mien_status st = run_watched(p, sums);
    mem_free(sums);
    return st;
}
