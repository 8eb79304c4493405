/* Memory is the caller's own, a launch runs its grid at once, and what is captured is a list that a run goes through.
 * Memory begins as NaN, as nobody's on a GPU does. */
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/emulator.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

emulated_machine emulated;

/* Work that was captured: a launch, a library's call, or a copy (src NULL: clears). */
typedef struct {
    const device_kernel *kernel;
    device_grid grid;
    void (*call)(const void *args);
    void *args;
    size_t args_bytes;
    void *dst;
    const void *src;
    size_t bytes;
} work;

struct device_run {
    work *items;
    int count, capacity;
};

typedef struct {
    device base;
    device_run *capture; /* not NULL: what is launched is only written down */
    size_t used;
    unsigned char *staged; /* [staged_bytes] the host's; NULL: nothing */
    size_t staged_bytes;
} emulated_device;

static emulated_device *live; /* the one opened last, until it is freed: its address is its stream's too */

enum { MAX_NAMES = 256 };
static struct {
    const char *name;
    int count;
} launches[MAX_NAMES];
static int runs, blocks, waits;

static emulated_device *own(device *d)
{
    return (emulated_device *)d;
}

static mien_status emulated_use(device *d)
{
    (void)d;
    return MIEN_OK;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */
enum { HEADER = 256 }; /* before a block: its size; blocks are so aligned, as CUDA's are */

static mien_status emulated_memory(device *d, size_t *free_bytes, size_t *total_bytes)
{
    *total_bytes = emulated.total_bytes ? emulated.total_bytes : SIZE_MAX;
    *free_bytes = *total_bytes - own(d)->used;
    return MIEN_OK;
}

static mien_status emulated_alloc(device *d, void **out, size_t bytes)
{
    size_t left, total;
    TRY(emulated_memory(d, &left, &total));
    if (bytes > left)
        return mien_fail(MIEN_ERR_NOMEM, "device: out of memory (found %zu MiB free of %zu, wanted %zu)", left >> 20,
                         total >> 20, (bytes + (1 << 20) - 1) >> 20);
    unsigned char *block = NULL;
    if (posix_memalign((void **)&block, HEADER, HEADER + bytes))
        return mien_fail(MIEN_ERR_NOMEM, "emulator: %zu bytes", bytes);
    memcpy(block, &bytes, sizeof bytes);
    if (!emulated.is_idle)
        memset(block + HEADER, 0xff, bytes);
    own(d)->used += bytes;
    blocks++;
    *out = block + HEADER;
    return MIEN_OK;
}

static void emulated_dealloc(device *d, void *at)
{
    unsigned char *block = (unsigned char *)at - HEADER;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    own(d)->used -= bytes;
    blocks--;
    free(block);
}

/* --- work --------------------------------------------------------------------------------------------------------- */
static void do_work(const work *w)
{
    if (emulated.is_idle)
        return;
    if (w->kernel)
        emulator_run(w->kernel, w->grid.blocks, w->grid.threads, w->args);
    else if (w->call)
        w->call(w->args);
    else if (w->src)
        memmove(w->dst, w->src, w->bytes);
    else
        memset(w->dst, 0, w->bytes);
}

/* Does it or, while something is captured, writes it down with a copy of its arguments. */
static mien_status take_work(device *d, work w)
{
    device_run *run = own(d)->capture;
    if (!run) {
        do_work(&w);
        return MIEN_OK;
    }
    if (run->count == run->capacity) {
        const int capacity = run->capacity ? 2 * run->capacity : 64;
        void *items = realloc(run->items, (size_t)capacity * sizeof *run->items);
        if (!items)
            return mien_fail(MIEN_ERR_NOMEM, "emulator: a captured run");
        run->items = items;
        run->capacity = capacity;
    }
    if (w.args) {
        void *copy = malloc(w.args_bytes);
        if (!copy)
            return mien_fail(MIEN_ERR_NOMEM, "emulator: a captured run");
        memcpy(copy, w.args, w.args_bytes);
        w.args = copy;
    }
    run->items[run->count++] = w;
    return MIEN_OK;
}

static void count_launch(const char *name)
{
    int i = 0;
    while (i < MAX_NAMES && launches[i].name && strcmp(launches[i].name, name) != 0)
        i++;
    if (i == MAX_NAMES)
        abort();
    launches[i].name = name;
    launches[i].count++;
}

static mien_status emulated_launch(device *d, const device_kernel *kernel, device_grid grid, const void *args)
{
    count_launch(kernel->name);
    return take_work(d, (work){.kernel = kernel, .grid = grid, .args = (void *)args, .args_bytes = kernel->args_bytes});
}

void emulated_call(const void *stream, void (*call)(const void *args), const void *args, size_t bytes)
{
    if (!stream || stream != live) {
        fprintf(stderr, "emulator: work for a stream that is not the device's\n");
        abort();
    }
    if (take_work(&live->base, (work){.call = call, .args = (void *)args, .args_bytes = bytes}) != MIEN_OK)
        abort();
}

bool emulated_is_capturing(void)
{
    return live && live->capture;
}

static mien_status emulated_clear(device *d, void *dst, size_t bytes)
{
    return take_work(d, (work){.dst = dst, .bytes = bytes});
}

static mien_status emulated_copy(device *d, void *dst, const void *src, size_t bytes)
{
    return take_work(d, (work){.dst = dst, .src = src, .bytes = bytes});
}

static mien_status must_not_capture(device *d, const char *what)
{
    return own(d)->capture ? mien_fail(MIEN_ERR_INTERNAL, "emulator: %s while a run is captured", what) : MIEN_OK;
}

static mien_status emulated_upload(device *d, void *dst, const void *src, size_t bytes)
{
    TRY(must_not_capture(d, "upload"));
    waits += bytes > DEVICE_SMALL_BYTES;
    memcpy(dst, src, bytes);
    return MIEN_OK;
}

static mien_status emulated_download(device *d, void *dst, const void *src, size_t bytes)
{
    TRY(must_not_capture(d, "download"));
    waits++;
    memcpy(dst, src, bytes);
    return MIEN_OK;
}

static mien_status emulated_wait(device *d)
{
    waits++;
    return must_not_capture(d, "wait");
}

static mien_status emulated_stage(device *d, const void *src, size_t bytes)
{
    TRY(must_not_capture(d, "stage"));
    unsigned char *copy = malloc(bytes);
    if (!copy)
        return mien_fail(MIEN_ERR_NOMEM, "emulator: %zu bytes", bytes);
    memcpy(copy, src, bytes);
    free(own(d)->staged);
    own(d)->staged = copy;
    own(d)->staged_bytes = bytes;
    return MIEN_OK;
}

static mien_status emulated_take(device *d, void *dst)
{
    TRY(must_not_capture(d, "take"));
    if (!own(d)->staged)
        return mien_fail(MIEN_ERR_INTERNAL, "device: nothing was staged");
    memcpy(dst, own(d)->staged, own(d)->staged_bytes);
    return MIEN_OK;
}

static mien_status emulated_load(device *d, const device_kernel *kernel)
{
    (void)kernel;
    return must_not_capture(d, "load");
}

/* --- captured runs ------------------------------------------------------------------------------------------------ */
static mien_status emulated_capture_begin(device *d)
{
    TRY(must_not_capture(d, "capture"));
    own(d)->capture = calloc(1, sizeof *own(d)->capture);
    return own(d)->capture ? MIEN_OK : mien_fail(MIEN_ERR_NOMEM, "emulator: a captured run");
}

static mien_status emulated_capture_end(device *d, device_run **out)
{
    *out = own(d)->capture;
    own(d)->capture = NULL;
    return MIEN_OK;
}

static mien_status emulated_run(device *d, device_run *run)
{
    TRY(must_not_capture(d, "run"));
    for (int i = 0; i < run->count; i++)
        do_work(&run->items[i]);
    runs++;
    return MIEN_OK;
}

static void emulated_run_free(device *d, device_run *run)
{
    (void)d;
    for (int i = 0; run && i < run->count; i++)
        free(run->items[i].args);
    if (run)
        free(run->items);
    free(run);
}

/* --- the device --------------------------------------------------------------------------------------------------- */
static void emulated_free(device *d)
{
    free(own(d)->staged);
    live = live == own(d) ? NULL : live;
    mem_free(d);
}

mien_status device_open(device **out, int index)
{
    const int count = emulated.count ? emulated.count : 1;
    emulated_device *d = NULL;
    if (emulated.refusal)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "device: %s", emulated.refusal);
    if (index >= count)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "device: cuda:%d (found %d, wanted 0 to %d)", index, count, count - 1);
    TRY(mem_zalloc(&d, 1));
    d->base = (device){.name = "emulated GPU",
                       .capability = emulated.capability ? emulated.capability : 90,
                       .processors = emulated.processors ? emulated.processors : 2,
                       .use = emulated_use,
                       .alloc = emulated_alloc,
                       .dealloc = emulated_dealloc,
                       .memory = emulated_memory,
                       .upload = emulated_upload,
                       .download = emulated_download,
                       .clear = emulated_clear,
                       .copy = emulated_copy,
                       .launch = emulated_launch,
                       .wait = emulated_wait,
                       .stage = emulated_stage,
                       .take = emulated_take,
                       .load = emulated_load,
                       .capture_begin = emulated_capture_begin,
                       .capture_end = emulated_capture_end,
                       .run = emulated_run,
                       .run_free = emulated_run_free,
                       .free = emulated_free};
    snprintf(d->base.isa, sizeof d->base.isa, "sm_%d", d->base.capability);
    d->base.stream = live = d;
    *out = &d->base;
    return MIEN_OK;
}

int emulated_launches(const char *kernel)
{
    int count = 0;
    for (int i = 0; i < MAX_NAMES && launches[i].name; i++)
        if (!kernel || strcmp(launches[i].name, kernel) == 0)
            count += launches[i].count;
    return count;
}

int emulated_runs(void)
{
    return runs;
}

int emulated_waits(void)
{
    return waits;
}

int emulated_block_count(void)
{
    return blocks;
}
