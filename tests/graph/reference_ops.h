/* The formulas of the reference backend, one function an operator. */
#ifndef TESTS_GRAPH_REFERENCE_OPS_H
#define TESTS_GRAPH_REFERENCE_OPS_H

#include "graph/backend.h"

/* A tensor as formulas see it: element i, row-major, as a double. */
typedef struct {
    void *data;    /* in its own type; NULL where the operand is absent */
    double *exact; /* REFERENCE_EXACT tensors: what is read and written instead; data gets a rounded copy */
    dtype type;
    shape shape;
    int64_t count;
} operand;

typedef struct {
    operand *in, *out;
    int in_count, out_count;
    const void *attr;
    const param_memory *params;
    double *scratch; /* reference_scratch() doubles */
} reference_call;

typedef void (*reference_fn)(const reference_call *c);

/* The formula of an operator; NULL where it has none here. */
reference_fn reference_find(const op_def *op);
/* Of those in reference_regions.c alone. */
reference_fn reference_find_regions(const op_def *op);

/* Doubles of scratch that any operator with these operands needs: as many as its largest one has. */
static inline int64_t reference_scratch(int64_t largest_count)
{
    return largest_count < 2 ? 2 : largest_count;
}

double operand_get(const operand *o, int64_t i);
void operand_set(const operand *o, int64_t i, double x);

#endif
