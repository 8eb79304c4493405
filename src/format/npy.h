/* NumPy's .npy: a magic number, a version, a header that is a Python dict ({'descr': '<f4', 'fortran_order': False,
 * 'shape': (478, 6), }), then the numbers, little-endian. Read: versions 1.0, 2.0 and 3.0 of '<f4' and '<f8' (rounded
 * to float) in C order. Every length is checked against the file before it is believed. */
#ifndef FORMAT_NPY_H
#define FORMAT_NPY_H

#include "base/file.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define NPY_MAX_RANK 8

typedef struct {
    int rank; /* 0: one number */
    int64_t dims[NPY_MAX_RANK];
    size_t count;  /* their product */
    float *values; /* [count], owned */
} npy_array;

/* Errors: MIEN_ERR_IO as file_map_open; MIEN_ERR_FORMAT "path: byte N: what is wrong there (found, wanted)". Free with
 * npy_free. */
MIEN_MUST_USE mien_status npy_read(npy_array *out, const char *path);
/* The same from bytes in memory; `name` stands for the path in messages. */
MIEN_MUST_USE mien_status npy_read_bytes(npy_array *out, const void *bytes, size_t length, const char *name);
void npy_free(npy_array *a); /* and empties it */

/* Version 1.0, float32, C order: everything before the numbers, which the caller then writes. */
MIEN_MUST_USE mien_status npy_write_header(file_writer *w, const int64_t *dims, int rank);

#endif
