/* A real device, through CUDA's runtime (linked statically: a machine without a driver runs everything else). */
#include "backend/cuda/device.h"

#include "base/mem.h"

#include <cuda_runtime_api.h>
#include <stdio.h>

typedef struct {
    device base;
    int index;
    cudaStream_t stream;
} real_device;

static real_device *real(device *d)
{
    return (real_device *)d;
}

static mien_status fail(const char *what, cudaError_t error)
{
    return mien_fail(error == cudaErrorMemoryAllocation ? MIEN_ERR_NOMEM : MIEN_ERR_INTERNAL, "device: %s: %s", what,
                     cudaGetErrorString(error));
}

#define TRY_CUDA(what, call)                                                                                           \
    do {                                                                                                               \
        cudaError_t error_ = (call);                                                                                   \
        if (error_ != cudaSuccess)                                                                                     \
            return fail((what), error_);                                                                               \
    } while (0)

/* --- memory ------------------------------------------------------------------------------------------------------- */
static mien_status real_memory(device *d, size_t *free_bytes, size_t *total_bytes)
{
    (void)d;
    TRY_CUDA("memory", cudaMemGetInfo(free_bytes, total_bytes));
    return MIEN_OK;
}

static mien_status real_alloc(device *d, void **out, size_t bytes)
{
    size_t left = 0, total = 0;
    cudaError_t error = cudaMalloc(out, bytes ? bytes : 1);
    if (error != cudaErrorMemoryAllocation)
        return error == cudaSuccess ? MIEN_OK : fail("memory", error);
    (void)cudaGetLastError(); /* it would be told again by the next call */
    TRY(real_memory(d, &left, &total));
    return mien_fail(MIEN_ERR_NOMEM, "device: out of memory (found %zu MiB free of %zu, wanted %zu)", left >> 20,
                     total >> 20, (bytes + (1 << 20) - 1) >> 20);
}

static void real_dealloc(device *d, void *block)
{
    (void)d;
    (void)cudaFree(block);
}

static mien_status real_wait(device *d)
{
    TRY_CUDA("run", cudaStreamSynchronize(real(d)->stream));
    return MIEN_OK;
}

static mien_status real_upload(device *d, void *dst, const void *src, size_t bytes)
{
    TRY_CUDA("upload", cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, real(d)->stream));
    return real_wait(d);
}

static mien_status real_download(device *d, void *dst, const void *src, size_t bytes)
{
    TRY_CUDA("download", cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, real(d)->stream));
    return real_wait(d);
}

static mien_status real_clear(device *d, void *dst, size_t bytes)
{
    TRY_CUDA("clear", cudaMemsetAsync(dst, 0, bytes, real(d)->stream));
    return MIEN_OK;
}

static mien_status real_copy(device *d, void *dst, const void *src, size_t bytes)
{
    TRY_CUDA("copy", cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, real(d)->stream));
    return MIEN_OK;
}

/* --- runs --------------------------------------------------------------------------------------------------------- */
static mien_status real_launch(device *d, const device_kernel *fn, device_grid grid, const void *args)
{
    void *all[] = {(void *)args};
    TRY_CUDA(fn->name, cudaLaunchKernel((const void *)fn->entry, (dim3){(unsigned)grid.blocks, 1, 1},
                                        (dim3){(unsigned)grid.threads, 1, 1}, all, 0, real(d)->stream));
    return MIEN_OK;
}

static mien_status real_capture_begin(device *d)
{
    TRY_CUDA("capture", cudaStreamBeginCapture(real(d)->stream, cudaStreamCaptureModeThreadLocal));
    return MIEN_OK;
}

static mien_status real_capture_end(device *d, device_run **out)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t run = NULL;
    TRY_CUDA("capture", cudaStreamEndCapture(real(d)->stream, &graph));
    cudaError_t error = cudaGraphInstantiate(&run, graph, 0);
    (void)cudaGraphDestroy(graph);
    if (error != cudaSuccess)
        return fail("capture", error);
    *out = (device_run *)run;
    return MIEN_OK;
}

static mien_status real_run(device *d, device_run *run)
{
    TRY_CUDA("run", cudaGraphLaunch((cudaGraphExec_t)run, real(d)->stream));
    return MIEN_OK;
}

static void real_run_free(device *d, device_run *run)
{
    (void)d;
    if (run)
        (void)cudaGraphExecDestroy((cudaGraphExec_t)run);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */
static void real_free(device *d)
{
    if (real(d)->stream)
        (void)cudaStreamDestroy(real(d)->stream);
    mem_free(d);
}

static mien_status find_device(int index)
{
    int count = 0, driver = 0, runtime = 0;
    TRY_CUDA("runtime", cudaRuntimeGetVersion(&runtime));
    TRY_CUDA("driver", cudaDriverGetVersion(&driver));
    if (driver == 0)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "device: no CUDA driver on this machine");
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaErrorInsufficientDriver)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "device: the driver is too old (found CUDA %d.%d, wanted %d.%d)",
                         driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (error == cudaErrorNoDevice || (error == cudaSuccess && count == 0))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "device: no GPU on this machine");
    TRY_CUDA("devices", error);
    if (index >= count)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "device: cuda:%d (found %d, wanted 0 to %d)", index, count, count - 1);
    return MIEN_OK;
}

static mien_status fill_in(real_device *d, int index)
{
    struct cudaDeviceProp about;
    TRY_CUDA("device", cudaSetDevice(index));
    TRY_CUDA("device", cudaGetDeviceProperties(&about, index));
    TRY_CUDA("runtime", cudaRuntimeGetVersion(&d->base.runtime));
    TRY_CUDA("driver", cudaDriverGetVersion(&d->base.driver));
    TRY_CUDA("stream", cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking));
    d->index = index;
    d->base.stream = d->stream;
    d->base.capability = about.major * 10 + about.minor;
    d->base.processors = about.multiProcessorCount;
    snprintf(d->base.name, sizeof d->base.name, "%.127s", about.name);
    snprintf(d->base.isa, sizeof d->base.isa, "sm_%d", d->base.capability);
    return MIEN_OK;
}

mien_status device_open(device **out, int index)
{
    real_device *d = NULL;
    TRY(find_device(index));
    TRY(mem_zalloc(&d, 1));
    d->base = (device){.alloc = real_alloc,
                       .dealloc = real_dealloc,
                       .memory = real_memory,
                       .upload = real_upload,
                       .download = real_download,
                       .clear = real_clear,
                       .copy = real_copy,
                       .launch = real_launch,
                       .wait = real_wait,
                       .capture_begin = real_capture_begin,
                       .capture_end = real_capture_end,
                       .run = real_run,
                       .run_free = real_run_free,
                       .free = real_free};
    mien_status st = fill_in(d, index);
    if (st != MIEN_OK) {
        real_free(&d->base);
        return st;
    }
    *out = &d->base;
    return MIEN_OK;
}
