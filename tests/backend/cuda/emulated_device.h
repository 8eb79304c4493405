/* A device of which everything happens on the CPU, at once: device_open gives it in programs that link it. */
#ifndef TESTS_BACKEND_CUDA_EMULATED_DEVICE_H
#define TESTS_BACKEND_CUDA_EMULATED_DEVICE_H

#include "backend/cuda/device.h"

/* What the next device_open meets. */
typedef struct {
    int count;           /* devices; 0: one */
    size_t total_bytes;  /* of each one's memory; 0: no bound */
    int capability;      /* 0: 90 */
    int processors;      /* 0: 2; how many blocks a grid has depends on it */
    const char *refusal; /* not NULL: device_open fails with it */
    bool is_idle;        /* nothing is computed, and memory is never touched: for accounts of what is planned */
} emulated_machine;
extern emulated_machine emulated;

/* Launches of kernels of this name, NULL: of all, and runs of captured work, since the program began. */
int emulated_launches(const char *kernel);
int emulated_runs(void);
int emulated_waits(void);       /* calls that return when all work is over */
int emulated_block_count(void); /* blocks of memory that are not given back */

/* For libraries that are faked: their work takes its place in the stream (args are copied), or in the run that is being
 * captured. Aborts where the stream is not the device's. */
void emulated_call(const void *stream, void (*call)(const void *args), const void *args, size_t bytes);
bool emulated_is_capturing(void);

#endif
