/* A backend whose memory is not the caller's, as a device's is not: the CPU's kernels, on blocks at addresses that
 * nobody can read or write; only kernels and the backend's own calls know where the numbers are. Fresh blocks hold a
 * pattern that no number has, blocks end with more of it, which is looked at when they are freed, and kernels are bound
 * to nothing outside. */
#ifndef TESTS_BACKEND_APART_BACKEND_H
#define TESTS_BACKEND_APART_BACKEND_H

#include "graph/backend.h"

/* On `inner`, which it owns from now on (also on failure). captures: programs run whole spans at once. */
MIEN_MUST_USE mien_status apart_backend_create(backend **out, backend *inner, bool captures);
/* Runs of captured spans so far, and blocks that are not freed. */
int apart_captured_runs(const backend *b);
int apart_block_count(const backend *b);

#endif
