/* The CPU backend: oneDNN where it is fast, our own kernels where it has none or is not. */
#ifndef BACKEND_CPU_CPU_H
#define BACKEND_CPU_CPU_H

#include "graph/backend.h"

typedef struct {
    int threads;       /* 0: one a core this process may run on */
    all_reduce reduce; /* among processes */
} cpu_options;

/* A backend for any number of graphs and threads; free it (backend->free) after their programs.
 * Kernels run on `threads` OpenMP threads of whichever thread runs the program: its default number of OpenMP threads is
 * set to that. Results depend on threads and instruction set, on nothing else.
 * Errors: MIEN_ERR_UNSUPPORTED where MIEN_ISA asks for what is unknown or what this machine has not. options may be
 * NULL. */
MIEN_MUST_USE mien_status backend_cpu_create(backend **out, const cpu_options *options);

#endif
