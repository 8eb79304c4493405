/* Every operator at sizes that networks have: the large rows of the one case table (tests/graph/op_cases.h), forward
 * and backward, on the CPU backend. A row an operator of the case, its packing included: median times, added up where
 * it has several nodes, GFLOP/s, GB/s and the first one's implementation.
 *
 *   build/bench/bench_ops [PART OF A CASE'S NAME]        MIEN_ISA=avx2 build/bench/bench_ops conv2d */
#include "graph/op_cases.h"

#include "backend/cpu/cpu.h"

#include <stdio.h>
#include <string.h>

enum { WARM_UP = 2, RUNS = 7 };

/* Is `node` the case's own, and not one of those that make a loss of it? Backward and packing nodes carry its name and
 * a colon. */
static bool is_of_case(const program_timing *t, const char *output)
{
    size_t length = strlen(output);
    return strncmp(t->node, output, length) == 0 && (t->node[length] == '\0' || t->node[length] == ':');
}

/* A row of what nodes of one operator took together, the first one's implementation with it. */
typedef struct {
    const char *op, *implementation;
    double seconds, flops, bytes;
} row;

static void row_add(row *r, const program_timing *t)
{
    r->seconds += t->seconds;
    r->flops += t->flops;
    r->bytes += t->bytes;
}

static void row_print(const row *r, const op_case *oc, dtype type)
{
    printf("%-34s %-5s %-16s %9.3f %9.1f %8.1f  %s\n", oc->name, dtype_name(type), r->op, r->seconds * 1e3,
           r->flops / r->seconds * 1e-9, r->bytes / r->seconds * 1e-9, r->implementation);
}

/* A row an operator; and, where there are several, one for all. */
static void print_rows(program *p, const op_case *oc, dtype type, const char *output)
{
    enum { MOST = 32 };
    row rows[MOST], all = {.op = "all", .implementation = ""};
    int count = 0;
    for (int i = 0; i < program_timing_count(p); i++) {
        const program_timing t = program_timing_at(p, i);
        int k = 0;
        while (k < count && strcmp(rows[k].op, t.op) != 0)
            k++;
        if (!is_of_case(&t, output) || k == MOST)
            continue;
        if (k == count)
            rows[count++] = (row){.op = t.op, .implementation = t.implementation};
        row_add(&rows[k], &t);
        row_add(&all, &t);
    }
    for (int k = 0; k < count; k++)
        row_print(&rows[k], oc, type);
    if (count > 1)
        row_print(&all, oc, type);
}

static mien_status time_case(backend *b, const op_case *oc, dtype type)
{
    case_graph c;
    program *p = NULL;
    TRY(case_graph_build(&c, oc, type, oc->is_forward_only ? CASE_FORWARD : CASE_TRAINING));
    char output[128];
    snprintf(output, sizeof output, "%s", graph_value_at(c.g, oc->is_loss ? c.loss : c.y)->name);
    mien_status st = program_create(&p, c.g, b, &c.params);
    c.g = NULL; /* the program's, also where it failed */
    TRY_OUT(st);
    TRY_OUT(case_graph_fill(&c, p, 1));
    TRY_OUT(program_refresh(p));
    for (int i = 0; i < WARM_UP; i++)
        TRY_OUT(program_run(p));
    program_profile(p, true);
    for (int i = 0; i < RUNS; i++)
        TRY_OUT(program_run(p));
    print_rows(p, oc, type, output);
out:
    program_free(p);
    case_graph_free(&c);
    return st;
}

static mien_status time_cases(backend *b, const char *part)
{
    printf("%-34s %-5s %-16s %9s %9s %8s  %s\n", "case", "type", "operator", "ms", "GFLOP/s", "GB/s", "implementation");
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        if (!oc->is_large || !strstr(oc->name, part))
            continue;
        TRY(time_case(b, oc, DTYPE_F32));
        if (b->computes_bf16(b))
            TRY(time_case(b, oc, DTYPE_BF16));
    }
    return MIEN_OK;
}

int main(int argc, char **argv)
{
    backend *b = NULL;
    mien_status st = backend_cpu_create(&b, &(cpu_options){0});
    if (st == MIEN_OK) {
        printf("isa %s, %d threads\n", b->isa(b), b->threads(b));
        st = time_cases(b, argc > 1 ? argv[1] : "");
        b->free(b);
    }
    if (st != MIEN_OK)
        fprintf(stderr, "bench_ops: %s\n", mien_error());
    return st == MIEN_OK ? 0 : 1;
}
