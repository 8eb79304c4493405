/* What the programs of ours that PyTorch's results are compared with share: numbers to begin with, and files. */
#ifndef TESTS_PARITY_SUBJECT_KIT_H
#define TESTS_PARITY_SUBJECT_KIT_H

#include "graph/backend.h"
#include "graph/op.h"
#include "graph/precision.h"
#include "nn/param_store.h"

/* What begins as 0 or 1 would hide a fault. */
void parity_shake_constants(param_store *params);
/* Adds to the first weight of the first convolution. */
void parity_move_weight(param_store *params, float by);
/* pixels [size, size, 3]. Every picture has a colour, cells and noise of its own. Of noise alone all would look alike
 * to a network, and batch norm would compare nothing but their roundings. */
void parity_draw_picture(uint8_t *pixels, int64_t size, uint64_t number);
/* Dropout and drop path draw other numbers than PyTorch's: here they drop nothing. */
void parity_silence_dropout(graph *g);
/* The model's tensors and further ones, in one file. */
MIEN_MUST_USE mien_status parity_write(const char *path, const st_tensor *tensors, size_t count, const st_tensor *more,
                                       size_t more_count);

/* Prints what failed, if anything did: the exit code of `program`. */
int parity_end(const char *program, mien_status st);
/* Prints the instruction set, then runs on it (run NULL: no more than that). 77 where it does not compute so. */
int parity_compute(const char *program, precision_kind precision, mien_status (*run)(const void *options, backend *b),
                   const void *options);

#endif
