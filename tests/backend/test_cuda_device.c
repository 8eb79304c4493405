/* A real device's file before a runtime that answers as CUDA's would: what is refused and how, and what is in which
 * order. The streams here are as late as they may be: nothing happens in them before somebody waits for it, and pinned
 * memory is read only then. What is not pinned is read at once, as CUDA does. */
#include "backend/cuda/device.h"
#include "backend/cuda_runtime/cuda_runtime_api.h"
#include "testing.h"

/* --- the runtime -------------------------------------------------------------------------------------------------- */
enum { MAX_WORK = 256, MAX_PINNED = 8 };

typedef struct {
    void *dst;
    const void *src;        /* pinned, or the device's */
    void *copy;             /* owned: of a source that was read at once; NULL: src */
    size_t bytes;           /* 0: waits for another stream */
    struct fake_stream *of; /* until it has done this much */
    int done;
} work;

struct fake_stream {
    work queue[MAX_WORK];
    int count, done;
};

struct fake_event {
    struct fake_stream *stream; /* NULL: never recorded */
    int done;
};

static struct {
    int driver, runtime, count;
    cudaError_t count_error, load_error;
    size_t free_bytes;
    int calls_left; /* then one fails; 0: none does */
} machine;
static int live;         /* streams, events, blocks that are not given back */
static int stream_syncs; /* waits for whole streams */
static int current = -1; /* the device that calls are about */
static cudaError_t last_error;
static struct {
    char *begin;
    size_t bytes;
} pinned[MAX_PINNED];

static cudaError_t say(cudaError_t error)
{
    last_error = error == cudaSuccess ? last_error : error;
    return error;
}

/* Every call that may fail asks. */
static cudaError_t begin_call(void)
{
    return say(machine.calls_left && --machine.calls_left == 0 ? cudaErrorLaunchFailure : cudaSuccess);
}

#define BEGIN_CALL()                                                                                                   \
    do {                                                                                                               \
        if (begin_call() != cudaSuccess)                                                                               \
            return last_error;                                                                                         \
    } while (0)

static void do_until(struct fake_stream *s, int count)
{
    while (s->done < count) {
        work *w = &s->queue[s->done++];
        if (w->of)
            do_until(w->of, w->done);
        else if (w->src || w->copy)
            memcpy(w->dst, w->copy ? w->copy : w->src, w->bytes);
        else
            memset(w->dst, 0, w->bytes);
        free(w->copy);
        w->copy = NULL;
    }
}

static bool is_pinned(const void *p)
{
    for (int i = 0; i < MAX_PINNED; i++)
        if (pinned[i].begin && (const char *)p >= pinned[i].begin &&
            (const char *)p < pinned[i].begin + pinned[i].bytes)
            return true;
    return false;
}

static work *add(struct fake_stream *s)
{
    assert_true(s->count < MAX_WORK);
    return &s->queue[s->count++];
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaErrorMemoryAllocation ? "out of memory" : "a failure";
}

cudaError_t cudaGetLastError(void)
{
    const cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaRuntimeGetVersion(int *out)
{
    BEGIN_CALL();
    *out = machine.runtime;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *out)
{
    BEGIN_CALL();
    *out = machine.driver;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *out)
{
    BEGIN_CALL();
    *out = machine.count;
    return say(machine.count_error);
}

cudaError_t cudaSetDevice(int index)
{
    BEGIN_CALL();
    assert_in_range(index, 0, machine.count - 1);
    current = index;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *out, int index)
{
    BEGIN_CALL();
    assert_int_equal(index, current);
    *out = (struct cudaDeviceProp){.name = "NVIDIA Test", .major = 9, .minor = 0, .multiProcessorCount = 132};
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes)
{
    BEGIN_CALL();
    *free_bytes = machine.free_bytes;
    *total_bytes = (size_t)80 << 30;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    BEGIN_CALL();
    if (bytes > machine.free_bytes)
        return say(cudaErrorMemoryAllocation);
    *out = malloc(bytes);
    live++;
    return cudaSuccess;
}

cudaError_t cudaFree(void *block)
{
    free(block);
    live--;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **out, size_t bytes)
{
    BEGIN_CALL();
    int i = 0;
    while (pinned[i].begin)
        assert_in_range(++i, 0, MAX_PINNED - 1);
    pinned[i].begin = *out = malloc(bytes);
    pinned[i].bytes = bytes;
    live++;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *block)
{
    for (int i = 0; i < MAX_PINNED; i++)
        if (pinned[i].begin == block)
            pinned[i].begin = NULL;
    return cudaFree(block);
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, int kind, cudaStream_t stream)
{
    BEGIN_CALL();
    work *w = add(stream);
    *w = (work){.dst = dst, .src = src, .bytes = bytes};
    if (kind == cudaMemcpyHostToDevice && !is_pinned(src)) {
        w->copy = malloc(bytes);
        memcpy(w->copy, src, bytes);
    }
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *dst, int value, size_t bytes, cudaStream_t stream)
{
    BEGIN_CALL();
    assert_int_equal(value, 0);
    *add(stream) = (work){.dst = dst, .bytes = bytes};
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    BEGIN_CALL();
    assert_int_equal(flags, cudaStreamNonBlocking);
    *out = calloc(1, sizeof **out);
    live++;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    do_until(stream, stream->count);
    return cudaFree(stream);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    BEGIN_CALL();
    stream_syncs++;
    do_until(stream, stream->count);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    BEGIN_CALL();
    assert_int_equal(flags, 0);
    if (event->stream)
        *add(stream) = (work){.of = event->stream, .done = event->done};
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    BEGIN_CALL();
    assert_int_equal(flags, cudaEventDisableTiming);
    *out = calloc(1, sizeof **out);
    live++;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    return cudaFree(event);
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    BEGIN_CALL();
    *event = (struct fake_event){stream, stream->count};
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    BEGIN_CALL();
    if (event->stream)
        do_until(event->stream, event->done);
    return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *out, const void *entry)
{
    BEGIN_CALL();
    assert_non_null(entry);
    out->numRegs = 32;
    return say(machine.load_error);
}

/* Kernels, and captured runs, are not what is tried here. */
cudaError_t cudaLaunchKernel(const void *entry, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t stream)
{
    (void)entry, (void)grid, (void)block, (void)args, (void)shared, (void)stream;
    return cudaErrorLaunchFailure;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, int mode)
{
    (void)stream, (void)mode;
    return cudaErrorLaunchFailure;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    (void)stream, (void)out;
    return cudaErrorLaunchFailure;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long flags)
{
    (void)out, (void)graph, (void)flags;
    return cudaErrorLaunchFailure;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    (void)graph;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t run, cudaStream_t stream)
{
    (void)run, (void)stream;
    return cudaErrorLaunchFailure;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t run)
{
    (void)run;
    return cudaSuccess;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */
static int enter(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    machine.driver = machine.runtime = 13000;
    machine.count = 2;
    machine.free_bytes = (size_t)1 << 30;
    last_error = cudaSuccess;
    return 0;
}

static device *open_device(void)
{
    device *d = NULL;
    assert_ok(device_open(&d, 1));
    assert_int_equal(current, 1);
    return d;
}

static void close_device(device *d)
{
    d->free(d);
    assert_int_equal(live, 0);
}

static void device__that_cannot_be_had__says_why(void **state)
{
    (void)state;
    device *d = NULL;
    assert_failure(device_open(&d, 2), MIEN_ERR_UNSUPPORTED, "device: cuda:2 (found 2, wanted 0 to 1)");
    machine.count = 0;
    assert_failure(device_open(&d, 0), MIEN_ERR_UNSUPPORTED, "device: no GPU on this machine");
    machine.count_error = cudaErrorNoDevice;
    assert_failure(device_open(&d, 0), MIEN_ERR_UNSUPPORTED, "device: no GPU on this machine");
    machine.count_error = cudaErrorInsufficientDriver;
    machine.driver = 12040;
    assert_failure(device_open(&d, 0), MIEN_ERR_UNSUPPORTED,
                   "device: the driver is too old (found CUDA 12.4, wanted 13.0)");
    machine.driver = 0;
    assert_failure(device_open(&d, 0), MIEN_ERR_UNSUPPORTED, "device: no CUDA driver on this machine");
    assert_null(d);
    assert_int_equal(live, 0);
}

static void device__that_is_there__is_described(void **state)
{
    (void)state;
    device *d = open_device();
    assert_string_equal(d->name, "NVIDIA Test");
    assert_string_equal(d->isa, "sm_90");
    assert_int_equal(d->processors, 132);
    close_device(d);
}

/* Whichever call fails: nothing stays behind. */
static void device__opening_fails__leaves_nothing(void **state)
{
    (void)state;
    int fails = 0;
    for (int n = 1;; n++) {
        device *d = NULL;
        machine.calls_left = n;
        mien_status st = device_open(&d, 0);
        machine.calls_left = 0;
        if (st == MIEN_OK) {
            close_device(d);
            break;
        }
        fails++;
        assert_null(d);
        assert_int_equal(live, 0);
    }
    assert_true(fails > 10);
}

static void device__memory_too_small__says_how_much_there_is(void **state)
{
    (void)state;
    void *block = NULL;
    device *d = open_device();
    machine.free_bytes = (size_t)300 << 20;
    assert_failure(d->alloc(d, &block, (size_t)400 << 20), MIEN_ERR_NOMEM,
                   "device: out of memory (found 300 MiB free of 81920, wanted 400)");
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    close_device(d);
}

static void device__of_another_kind__has_no_kernels(void **state)
{
    (void)state;
    static const device_kernel kernel = {.name = "any", .entry = (void (*)(void))close_device};
    device *d = open_device();
    assert_ok(d->load(d, &kernel));
    machine.load_error = cudaErrorNoKernelImageForDevice;
    assert_failure(d->load(d, &kernel), MIEN_ERR_UNSUPPORTED,
                   "device: this build has no kernels for sm_90 (NVIDIA Test)");
    close_device(d);
}

/* More of them than there are slots, none waited for: each arrives as it was when it was handed over. */
static void device__small_uploads__do_not_wait(void **state)
{
    (void)state;
    enum { COUNT = 30, BYTES = 100 };
    char *block = NULL, src[BYTES], got[COUNT * BYTES];
    device *d = open_device();
    assert_ok(d->alloc(d, (void **)&block, sizeof got));
    const int before = stream_syncs;
    for (int i = 0; i < COUNT; i++) {
        memset(src, i, sizeof src);
        assert_ok(d->upload(d, block + (size_t)i * BYTES, src, sizeof src));
    }
    assert_int_equal(stream_syncs, before);
    assert_ok(d->download(d, got, block, sizeof got));
    assert_int_equal(stream_syncs, before + 1);
    for (int i = 0; i < COUNT * BYTES; i++)
        assert_int_equal(got[i], i / BYTES);
    d->dealloc(d, block);
    close_device(d);
}

static void device__large_uploads__wait(void **state)
{
    (void)state;
    static char src[DEVICE_SMALL_BYTES + 1], got[sizeof src];
    char *block = NULL;
    device *d = open_device();
    memset(src, 7, sizeof src);
    assert_ok(d->alloc(d, (void **)&block, sizeof src));
    const int before = stream_syncs;
    assert_ok(d->upload(d, block, src, sizeof src));
    assert_int_equal(stream_syncs, before + 1);
    assert_ok(d->download(d, got, block, sizeof got));
    assert_memory_equal(got, src, sizeof src);
    d->dealloc(d, block);
    close_device(d);
}

/* Batches are staged while what takes the one before lies in the stream: each is taken as it was, larger ones too. */
static void device__staged_batches__come_in_order(void **state)
{
    (void)state;
    enum { COUNT = 6, MOST = 4096 };
    char *block = NULL, *kept = NULL, src[MOST], got[COUNT * MOST];
    device *d = open_device();
    assert_failure(d->take(d, NULL), MIEN_ERR_INTERNAL, "nothing was staged");
    assert_ok(d->alloc(d, (void **)&block, MOST));
    assert_ok(d->alloc(d, (void **)&kept, sizeof got));
    assert_ok(d->clear(d, kept, sizeof got));
    for (int i = 0; i < COUNT; i++) {
        const size_t bytes = i < 3 ? MOST / 2 : MOST;
        memset(src, i + 1, bytes);
        assert_ok(d->stage(d, src, bytes));
        memset(src, 99, sizeof src);
        assert_ok(d->take(d, block));
        assert_ok(d->copy(d, kept + (size_t)i * MOST, block, bytes)); /* stands for a run */
    }
    assert_ok(d->download(d, got, kept, sizeof got));
    for (int i = 0; i < COUNT * MOST; i++)
        assert_int_equal(got[i], i / MOST < 3 && i % MOST >= MOST / 2 ? 0 : i / MOST + 1);
    d->dealloc(d, kept);
    d->dealloc(d, block);
    close_device(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(device__that_cannot_be_had__says_why, enter),
        cmocka_unit_test_setup(device__that_is_there__is_described, enter),
        cmocka_unit_test_setup(device__opening_fails__leaves_nothing, enter),
        cmocka_unit_test_setup(device__memory_too_small__says_how_much_there_is, enter),
        cmocka_unit_test_setup(device__of_another_kind__has_no_kernels, enter),
        cmocka_unit_test_setup(device__small_uploads__do_not_wait, enter),
        cmocka_unit_test_setup(device__large_uploads__wait, enter),
        cmocka_unit_test_setup(device__staged_batches__come_in_order, enter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
