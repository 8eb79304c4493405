/* What of a kernel of ours the rest of the backend sees: one symbol a kernel, kernel_NAME. */
#ifndef BACKEND_CUDA_KERNEL_ENTRY_H
#define BACKEND_CUDA_KERNEL_ENTRY_H

#include <stdbool.h>
#include <stddef.h>

/* A kernel takes one argument struct, by value. */
typedef struct {
    const char *name;
    void (*entry)(void); /* what CUDA launches by; the emulator calls it with the arguments' address */
    size_t args_bytes;
    bool is_team; /* a block's threads meet (barriers, shuffles, shared memory) */
} device_kernel;

#ifdef __cplusplus
#define KERNEL_DECLARE(name) extern "C" const device_kernel kernel_##name
#else
#define KERNEL_DECLARE(name) extern const device_kernel kernel_##name
#endif

#endif
