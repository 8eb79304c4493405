/* A GPU as the backend meets it: memory, one stream in whose order everything happens (but that the next batch may come
 * beside it), kernels of ours, and captured runs. Any thread may call, one at a time. device.c is a real one; tests
 * have one that computes on the CPU (tests/backend/cuda/emulated_device.c). */
#ifndef BACKEND_CUDA_DEVICE_H
#define BACKEND_CUDA_DEVICE_H

#include "backend/cuda/kernel/entry.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Blocks, and threads of each. */
typedef struct {
    int64_t blocks;
    int threads;
} device_grid;

/* A run that was captured: all launches and library calls between capture_begin and capture_end. */
typedef struct device_run device_run;

/* What is brought without waiting: labels, what a step computes with. */
enum { DEVICE_SMALL_BYTES = 64 << 10 };

typedef struct device device;
struct device {
    char name[128];     /* "NVIDIA H100 80GB HBM3" */
    char isa[16];       /* "sm_90" */
    int capability;     /* 90 */
    int processors;     /* streaming multiprocessors */
    int runtime;        /* version of CUDA's runtime, 13000 */
    int driver;         /* the newest CUDA that the driver knows */
    const void *stream; /* the cudaStream_t, for libraries */

    mien_status (*use)(device *d); /* what libraries are asked on this thread is of this device from then on */
    mien_status (*alloc)(device *d, void **out, size_t bytes); /* MIEN_ERR_NOMEM says what is free */
    void (*dealloc)(device *d, void *block);
    mien_status (*memory)(device *d, size_t *free_bytes, size_t *total_bytes);
    /* Takes its place in the stream; src is the caller's when it returns. It does not wait for what runs there where
     * bytes are DEVICE_SMALL_BYTES or fewer. */
    mien_status (*upload)(device *d, void *dst, const void *src, size_t bytes);
    /* Waits for the stream. */
    mien_status (*download)(device *d, void *dst, const void *src, size_t bytes);
    /* These take their place in the stream. Failures of what runs there are told by whoever waits for it. */
    mien_status (*clear)(device *d, void *dst, size_t bytes);
    mien_status (*copy)(device *d, void *dst, const void *src, size_t bytes); /* within the device */
    mien_status (*launch)(device *d, const device_kernel *fn, device_grid grid, const void *args);
    mien_status (*wait)(device *d);
    /* src goes to memory of the device's own, beside what runs in the stream: it is the caller's when this returns. */
    mien_status (*stage)(device *d, const void *src, size_t bytes);
    /* Takes its place in the stream: dst becomes what was staged last. */
    mien_status (*take)(device *d, void *dst);
    /* The kernel's code is on the device from then on: nothing is loaded while a run is captured. */
    mien_status (*load)(device *d, const device_kernel *fn);
    mien_status (*capture_begin)(device *d);
    mien_status (*capture_end)(device *d, device_run **out); /* ends the capture also where it fails */
    mien_status (*run)(device *d, device_run *run);
    void (*run_free)(device *d, device_run *run);
    void (*free)(device *d);
};

/* Errors as backend_cuda_create's. */
MIEN_MUST_USE mien_status device_open(device **out, int index);

#endif
