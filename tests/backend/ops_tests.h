/* Every operator case on a backend beside the plain reference. */
#ifndef TESTS_BACKEND_OPS_TESTS_H
#define TESTS_BACKEND_OPS_TESTS_H

#include "graph/op_cases.h"
#include "graph/params.h"
#include "testing.h"

/* A case on a backend. */
typedef struct {
    backend *b;
    program *p;
    case_graph c;
    param_place place; /* of c's parameters */
} side;

/* Runs the case once. */
void side_open(side *s, backend *b, const op_case *oc, dtype type, case_mode mode);
/* Brings what runs left in parameters, gradients and sums into s->c.params. */
void side_fetch(side *s);
void side_close(side *s);

/* Compares everything that a run of the case left on both sides, and prints what differs. slack: times as far apart as
 * a kernel may be from the plain reference. */
bool sides_agree(side *got, side *wanted, const op_case *oc, dtype type, case_mode mode, double slack);

/* While working on an operator: the first four tests below go over cases alone whose names begin so. */
extern const char *ops_only;

const op_case *find_case(const char *name);
/* Runs one case on both; spoil: with one weight of b's changed by a tenth. Otherwise prints what differs. */
bool case_agrees(backend *b, const op_case *oc, dtype type, case_mode mode, bool spoil);

/* Tests whose *state is the backend. */
void ops__forward_f32__is_reference(void **state);
void ops__training_f32__is_reference(void **state);
void ops__forward_bf16__is_reference(void **state);
void ops__training_bf16__is_reference(void **state);
void ops__one_weight_off__is_noticed(void **state);
void ops__optimizers__are_reference(void **state);
void ops__accumulated_batches__are_reference(void **state);
void ops__nan_gradient__changes_nothing(void **state);
void ops__twice__same_bits(void **state);

#endif
