/* A real device, through CUDA's runtime (linked statically: a machine without a driver runs everything else). Which
 * device a call is about is a property of the calling thread, and callers change threads: every entry says it anew.
 *
 * There is a second stream, for what is staged: bytes go to a pinned buffer of ours, and from there to a block on the
 * device while the first stream computes; what takes them is a copy within the device, in the first stream. Two events
 * keep the order: nothing is taken before it has come, and nothing comes before the last was taken.
 *
 * A few small pinned buffers in turn let what is small (labels, a step's parameters) be brought in the first stream
 * without waiting for what runs there: the host puts a step behind another before that is over. */
#include "backend/cuda/device.h"

#include "base/mem.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <string.h>

enum { SMALL_SLOTS = 8 };

typedef struct {
    device base;
    int index;
    cudaStream_t stream, copies;
    struct {
        void *pinned, *block; /* [capacity] of the host, and of the device */
        size_t capacity, bytes;
        cudaEvent_t come, taken;
    } staged;
    struct {
        unsigned char *pinned; /* [SMALL_SLOTS, DEVICE_SMALL_BYTES] */
        cudaEvent_t sent[SMALL_SLOTS];
        int next;
    } small;
} real_device;

static real_device *real(device *d)
{
    return (real_device *)d;
}

static mien_status fail(const char *what, cudaError_t error)
{
    return mien_fail(error == cudaErrorMemoryAllocation ? MIEN_ERR_NOMEM : MIEN_ERR_DEVICE, "device: %s: %s", what,
                     cudaGetErrorString(error));
}

#define TRY_CUDA(what, call)                                                                                           \
    do {                                                                                                               \
        cudaError_t error_ = (call);                                                                                   \
        if (error_ != cudaSuccess)                                                                                     \
            return fail((what), error_);                                                                               \
    } while (0)

static mien_status use(device *d)
{
    TRY_CUDA("device", cudaSetDevice(real(d)->index));
    return MIEN_OK;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
static mien_status real_memory(device *d, size_t *free_bytes, size_t *total_bytes)
{
    TRY(use(d));
    TRY_CUDA("memory", cudaMemGetInfo(free_bytes, total_bytes));
    return MIEN_OK;
}

static mien_status real_alloc(device *d, void **out, size_t bytes)
{
    size_t left = 0, total = 0;
    TRY(use(d));
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
    if (use(d) == MIEN_OK)
        (void)cudaFree(block);
}

static mien_status real_wait(device *d)
{
    TRY(use(d));
    TRY_CUDA("run", cudaStreamSynchronize(real(d)->stream));
    return MIEN_OK;
}

static mien_status upload_small(real_device *d, void *dst, const void *src, size_t bytes)
{
    const int slot = d->small.next;
    unsigned char *pinned = d->small.pinned + (size_t)slot * DEVICE_SMALL_BYTES;
    TRY_CUDA("upload", cudaEventSynchronize(d->small.sent[slot])); /* the slot is ours again */
    memcpy(pinned, src, bytes);
    TRY_CUDA("upload", cudaMemcpyAsync(dst, pinned, bytes, cudaMemcpyHostToDevice, d->stream));
    TRY_CUDA("upload", cudaEventRecord(d->small.sent[slot], d->stream));
    d->small.next = (slot + 1) % SMALL_SLOTS;
    return MIEN_OK;
}

static mien_status real_upload(device *d, void *dst, const void *src, size_t bytes)
{
    TRY(use(d));
    if (bytes <= DEVICE_SMALL_BYTES)
        return upload_small(real(d), dst, src, bytes);
    TRY_CUDA("upload", cudaMemcpyAsync(dst, src, bytes, cudaMemcpyHostToDevice, real(d)->stream));
    return real_wait(d);
}

static mien_status real_download(device *d, void *dst, const void *src, size_t bytes)
{
    TRY(use(d));
    TRY_CUDA("download", cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToHost, real(d)->stream));
    return real_wait(d);
}

static mien_status real_clear(device *d, void *dst, size_t bytes)
{
    TRY(use(d));
    TRY_CUDA("clear", cudaMemsetAsync(dst, 0, bytes, real(d)->stream));
    return MIEN_OK;
}

static mien_status real_copy(device *d, void *dst, const void *src, size_t bytes)
{
    TRY(use(d));
    TRY_CUDA("copy", cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, real(d)->stream));
    return MIEN_OK;
}

/* --- what is staged ----------------------------------------------------------------------------------------------- */
static void staged_free(real_device *d)
{
    if (d->staged.pinned)
        (void)cudaFreeHost(d->staged.pinned);
    if (d->staged.block)
        (void)cudaFree(d->staged.block);
    d->staged.pinned = d->staged.block = NULL;
    d->staged.capacity = d->staged.bytes = 0;
}

/* Both streams are done with what there was before it goes. */
static mien_status staged_reserve(real_device *d, size_t bytes)
{
    if (bytes <= d->staged.capacity)
        return MIEN_OK;
    TRY_CUDA("stage", cudaStreamSynchronize(d->copies));
    TRY_CUDA("stage", cudaStreamSynchronize(d->stream));
    staged_free(d);
    TRY_CUDA("pinned memory", cudaMallocHost(&d->staged.pinned, bytes));
    TRY(real_alloc(&d->base, &d->staged.block, bytes));
    d->staged.capacity = bytes;
    return MIEN_OK;
}

static mien_status real_stage(device *base, const void *src, size_t bytes)
{
    real_device *d = real(base);
    TRY(use(base));
    TRY(staged_reserve(d, bytes));
    TRY_CUDA("stage", cudaEventSynchronize(d->staged.come)); /* the pinned buffer is ours again */
    memcpy(d->staged.pinned, src, bytes);
    TRY_CUDA("stage", cudaStreamWaitEvent(d->copies, d->staged.taken, 0));
    TRY_CUDA("stage", cudaMemcpyAsync(d->staged.block, d->staged.pinned, bytes, cudaMemcpyHostToDevice, d->copies));
    TRY_CUDA("stage", cudaEventRecord(d->staged.come, d->copies));
    d->staged.bytes = bytes;
    return MIEN_OK;
}

static mien_status real_take(device *base, void *dst)
{
    real_device *d = real(base);
    if (d->staged.bytes == 0)
        return mien_fail(MIEN_ERR_INTERNAL, "device: nothing was staged");
    TRY(use(base));
    TRY_CUDA("take", cudaStreamWaitEvent(d->stream, d->staged.come, 0));
    TRY(real_copy(base, dst, d->staged.block, d->staged.bytes));
    TRY_CUDA("take", cudaEventRecord(d->staged.taken, d->stream));
    return MIEN_OK;
}

/* --- runs --------------------------------------------------------------------------------------------------------- */
/* A build may have kernels for other GPUs than this one: its first kernel finds out. */
static mien_status real_load(device *d, const device_kernel *fn)
{
    struct cudaFuncAttributes about;
    TRY(use(d));
    cudaError_t error = cudaFuncGetAttributes(&about, (const void *)fn->entry);
    if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction ||
        error == cudaErrorUnsupportedPtxVersion)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "device: this build has no kernels for %s (%s)", d->isa, d->name);
    TRY_CUDA(fn->name, error);
    return MIEN_OK;
}

static mien_status real_launch(device *d, const device_kernel *fn, device_grid grid, const void *args)
{
    void *all[] = {(void *)args};
    TRY(use(d));
    TRY_CUDA(fn->name, cudaLaunchKernel((const void *)fn->entry, (dim3){(unsigned)grid.blocks, 1, 1},
                                        (dim3){(unsigned)grid.threads, 1, 1}, all, 0, real(d)->stream));
    return MIEN_OK;
}

static mien_status real_capture_begin(device *d)
{
    TRY(use(d));
    TRY_CUDA("capture", cudaStreamBeginCapture(real(d)->stream, cudaStreamCaptureModeThreadLocal));
    return MIEN_OK;
}

static mien_status real_capture_end(device *d, device_run **out)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t run = NULL;
    TRY(use(d));
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
    TRY(use(d));
    TRY_CUDA("run", cudaGraphLaunch((cudaGraphExec_t)run, real(d)->stream));
    return MIEN_OK;
}

static void real_run_free(device *d, device_run *run)
{
    if (run && use(d) == MIEN_OK)
        (void)cudaGraphExecDestroy((cudaGraphExec_t)run);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */
static mien_status small_create(real_device *d)
{
    TRY_CUDA("pinned memory", cudaMallocHost((void **)&d->small.pinned, (size_t)SMALL_SLOTS * DEVICE_SMALL_BYTES));
    for (int i = 0; i < SMALL_SLOTS; i++)
        TRY_CUDA("event", cudaEventCreateWithFlags(&d->small.sent[i], cudaEventDisableTiming));
    return MIEN_OK;
}

static void small_free(real_device *d)
{
    for (int i = 0; i < SMALL_SLOTS; i++)
        if (d->small.sent[i])
            (void)cudaEventDestroy(d->small.sent[i]);
    if (d->small.pinned)
        (void)cudaFreeHost(d->small.pinned);
}

static void real_free(device *base)
{
    real_device *d = real(base);
    if (use(base) == MIEN_OK) {
        staged_free(d);
        if (d->staged.come)
            (void)cudaEventDestroy(d->staged.come);
        if (d->staged.taken)
            (void)cudaEventDestroy(d->staged.taken);
        small_free(d);
        if (d->copies)
            (void)cudaStreamDestroy(d->copies);
        if (d->stream)
            (void)cudaStreamDestroy(d->stream);
    }
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
    d->index = index;
    TRY(use(&d->base));
    TRY_CUDA("device", cudaGetDeviceProperties(&about, index));
    TRY_CUDA("runtime", cudaRuntimeGetVersion(&d->base.runtime));
    TRY_CUDA("driver", cudaDriverGetVersion(&d->base.driver));
    TRY_CUDA("stream", cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking));
    TRY_CUDA("stream", cudaStreamCreateWithFlags(&d->copies, cudaStreamNonBlocking));
    TRY_CUDA("event", cudaEventCreateWithFlags(&d->staged.come, cudaEventDisableTiming));
    TRY_CUDA("event", cudaEventCreateWithFlags(&d->staged.taken, cudaEventDisableTiming));
    TRY(small_create(d));
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
    d->base = (device){.use = use,
                       .alloc = real_alloc,
                       .dealloc = real_dealloc,
                       .memory = real_memory,
                       .upload = real_upload,
                       .download = real_download,
                       .clear = real_clear,
                       .copy = real_copy,
                       .launch = real_launch,
                       .wait = real_wait,
                       .stage = real_stage,
                       .take = real_take,
                       .load = real_load,
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
