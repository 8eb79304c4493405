/* Which number type a program computes in. */
#ifndef GRAPH_PRECISION_H
#define GRAPH_PRECISION_H

#include "graph/backend.h"

typedef enum { PRECISION_AUTO, PRECISION_F32, PRECISION_BF16 } precision_kind;

/* *out = DTYPE_F32 or DTYPE_BF16; auto is bf16 where the backend computes in it. Errors: MIEN_ERR_UNSUPPORTED where
 * bf16 was asked for and it does not. */
MIEN_MUST_USE mien_status precision_resolve(dtype *out, precision_kind asked, const backend *b);

#endif
