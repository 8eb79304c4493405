/* The arenas of a parameter store where a backend computes with them. Where that is the caller's memory they are the
 * store's own, and nothing is ever moved; elsewhere they are copies, and whoever reads or writes files moves numbers
 * before or after. */
#ifndef GRAPH_PARAMS_H
#define GRAPH_PARAMS_H

#include "graph/backend.h"

typedef struct {
    param_memory memory; /* what programs compute with */
    backend *owner;      /* its arenas are this one's; NULL: they are the host's, or there are none yet */
} param_place;

/* Places those of the host's arenas that are not there yet, and fills them with its numbers (gradients with zero). The
 * backend outlives `place`. Errors: MIEN_ERR_UNSUPPORTED where they are in another memory than b's; on failure what was
 * placed stays. */
MIEN_MUST_USE mien_status params_place(param_place *place, backend *b, const param_memory *host);
void params_leave(param_place *place); /* frees what it has; all zero is a no-op */

/* Values and optimizer state, all of them. No-ops where memory is one, or nothing is placed. */
MIEN_MUST_USE mien_status params_upload(const param_place *place, const param_memory *host);
MIEN_MUST_USE mien_status params_download(const param_place *place, const param_memory *host);

#endif
