/* A program as text: each node with the kernel behind it and the rooms it writes to. */
#include "graph/exec/program_int.h"

#include "graph/print.h"

static double mib(size_t bytes)
{
    return (double)bytes / (1024.0 * 1024.0);
}

static mien_status print_room(const program *p, str *out, value_id v)
{
    const graph_value *value = graph_value_at(p->g, v);
    const value_plan *at = &p->plan.values[v];
    if (at->place == PLACE_NONE)
        return MIEN_OK;
    TRY(str_printf(out, "\n             %s at %zu, %zu bytes", value->name, at->offset, at->bytes));
    if (value->layout != LAYOUT_PLAIN)
        TRY(str_printf(out, ", packed as %s", graph_layout_text(p->g, value->layout)));
    if (at->place == PLACE_CONSTANT)
        return str_append(out, ", kept");
    if (at->last >= p->plan.run_count)
        TRY(str_printf(out, ", nodes %d to the end", at->first));
    else
        TRY(str_printf(out, ", nodes %d to %d", at->first, at->last));
    if (at->shares != NO_VALUE)
        TRY(str_printf(out, ", in place of %s", graph_value_at(p->g, at->shares)->name));
    return MIEN_OK;
}

static mien_status print_nodes(const program *p, str *out, const node_id *nodes, int count)
{
    for (int i = 0; i < count; i++) {
        const graph_node *node = graph_node_at(p->g, nodes[i]);
        const kernel *k = p->kernels[nodes[i]];
        TRY(str_printf(out, "%4d ", i));
        TRY(print_node(p->g, out, nodes[i]));
        TRY(str_printf(out, "\n             %s", k->implementation));
        if (k->scratch_bytes)
            TRY(str_printf(out, ", scratch %zu bytes", k->scratch_bytes));
        for (int o = 0; o < node->output_count; o++)
            if (node->outputs[o] != NO_VALUE)
                TRY(print_room(p, out, node->outputs[o]));
        TRY(str_append(out, "\n"));
    }
    return MIEN_OK;
}

mien_status program_print(program *p, str *out)
{
    const plan *m = &p->plan;
    if (m->refresh_count) {
        TRY(str_printf(out, "at refresh, %d nodes:\n", m->refresh_count));
        TRY(print_nodes(p, out, m->refresh, m->refresh_count));
    }
    TRY(str_printf(out, "each run, %d nodes:\n", m->run_count));
    TRY(print_nodes(p, out, m->run, m->run_count));
    return str_printf(out,
                      "memory: %.1f MiB planned (%.1f inputs, %.1f tensors, %.1f scratch) where all tensors side by "
                      "side take %.1f MiB; %.1f MiB constants\n",
                      mib(m->kept_bytes + m->reused_bytes + m->scratch_bytes), mib(m->kept_bytes), mib(m->reused_bytes),
                      mib(m->scratch_bytes), mib(m->sum_bytes), mib(m->constant_bytes));
}
