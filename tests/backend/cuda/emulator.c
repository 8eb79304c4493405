/* Threads of a block as fibers. One runs until it reaches a barrier or a shuffle, then the next; when all that are to
 * meet have come, they go on. A fiber begins as a ucontext; from then on places are changed by the compiler's own
 * setjmp, since swapcontext asks the kernel for the signal mask each time, which was half of what tests took. */
#include "backend/cuda/emulator.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

enum { MAX_THREADS = 1024, LANES = 32, STACK_BYTES = 64 << 10, MAX_SHARED = 32 };

_Thread_local emulator_index threadIdx, blockIdx, blockDim, gridDim;

typedef enum { READY, AT_BARRIER, AT_SHUFFLE, DONE } fiber_state;

typedef void *place[5]; /* what __builtin_setjmp fills in */

typedef struct {
    ucontext_t context; /* where it begins */
    place place;        /* where it goes on */
    bool has_begun;
    fiber_state state;
    double given; /* to a shuffle */
} fiber;

typedef struct {
    const char *key;
    void *array;
} shared_array;

/* The grid that runs on this thread. */
typedef struct {
    const device_kernel *kernel;
    const void *args;
    int count; /* threads of a block */
    int current;
    place scheduler;
    fiber fibers[MAX_THREADS];
    unsigned char *stacks;
    shared_array shared[MAX_SHARED];
    int shared_count;
} grid_run;
static _Thread_local grid_run *grid;

static void die(const char *why)
{
    fprintf(stderr, "emulator: %s: block %u, thread %u: %s\n", grid->kernel->name, blockIdx.x, threadIdx.x, why);
    abort();
}

static void call_kernel(void)
{
    void (*entry)(const void *) = (void (*)(const void *))grid->kernel->entry;
    entry(grid->args);
}

/* --- changing places ---------------------------------------------------------------------------------------------- */
/* AddressSanitizer is told of every change of stacks. */
static void leave_for(const void *stack, size_t bytes, void **fake)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(fake, stack, bytes);
#else
    (void)stack;
    (void)bytes;
    (void)fake;
#endif
}

static void arrive(void *fake, const void **from, size_t *bytes)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake, from, bytes);
#else
    (void)fake;
    (void)from;
    (void)bytes;
#endif
}

static _Thread_local const void *scheduler_stack;
static _Thread_local size_t scheduler_bytes;

__attribute__((noinline, noreturn)) static void go_to(place p)
{
    __builtin_longjmp(p, 1);
}

/* These two return when the other side comes back. They are functions of their own, without variables: what
 * __builtin_setjmp returns to for the second time has lost its registers. */
__attribute__((noinline)) static void go_to_fiber(fiber *f)
{
    static _Thread_local ucontext_t unused;
    if (__builtin_setjmp(grid->scheduler) != 0)
        return;
    if (f->has_begun)
        go_to(f->place);
    f->has_begun = true;
    swapcontext(&unused, &f->context);
}

__attribute__((noinline)) static void go_to_scheduler(fiber *f)
{
    if (__builtin_setjmp(f->place) == 0)
        go_to(grid->scheduler);
}

static void back_to_scheduler(fiber_state state)
{
    fiber *f = &grid->fibers[grid->current];
    void *fake = NULL;
    f->state = state;
    leave_for(scheduler_stack, scheduler_bytes, state == DONE ? NULL : &fake);
    go_to_scheduler(f);
    arrive(fake, &scheduler_stack, &scheduler_bytes);
}

static void fiber_main(void)
{
    arrive(NULL, &scheduler_stack, &scheduler_bytes);
    call_kernel();
    back_to_scheduler(DONE);
}

static void switch_to(int index)
{
    void *fake = NULL;
    grid->current = index;
    threadIdx.x = (unsigned)index;
    leave_for(grid->stacks + (size_t)index * STACK_BYTES, STACK_BYTES, &fake);
    go_to_fiber(&grid->fibers[index]);
    arrive(fake, NULL, NULL);
}

/* --- a block ------------------------------------------------------------------------------------------------------ */
static int count_in(fiber_state state, int begin, int end)
{
    int count = 0;
    for (int i = begin; i < end; i++)
        count += grid->fibers[i].state == state;
    return count;
}

static void release(int begin, int end)
{
    for (int i = begin; i < end; i++)
        grid->fibers[i].state = READY;
}

/* Everyone waits or is done: who has met goes on. */
static void let_go_on(void)
{
    bool is_any = false;
    if (count_in(AT_BARRIER, 0, grid->count) == grid->count) {
        release(0, grid->count);
        return;
    }
    for (int begin = 0; begin < grid->count; begin += LANES) {
        int end = begin + LANES < grid->count ? begin + LANES : grid->count;
        if (count_in(AT_SHUFFLE, begin, end) == LANES) {
            release(begin, end);
            is_any = true;
        }
    }
    if (!is_any)
        die("some threads wait at a barrier or shuffle that others do not reach");
}

static void fiber_make(fiber *f, unsigned char *stack)
{
    f->state = READY;
    f->has_begun = false;
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = NULL;
    makecontext(&f->context, fiber_main, 0);
}

static void run_team(void)
{
    for (int i = 0; i < grid->count; i++)
        fiber_make(&grid->fibers[i], grid->stacks + (size_t)i * STACK_BYTES);
    for (;;) {
        for (int i = 0; i < grid->count; i++)
            if (grid->fibers[i].state == READY)
                switch_to(i);
        if (count_in(DONE, 0, grid->count) == grid->count)
            return;
        let_go_on();
    }
}

static void run_block(void)
{
    if (grid->kernel->is_team) {
        run_team();
    } else {
        for (int i = 0; i < grid->count; i++) {
            threadIdx.x = (unsigned)i;
            call_kernel();
        }
    }
    for (int i = 0; i < grid->shared_count; i++)
        free(grid->shared[i].array);
    grid->shared_count = 0;
}

/* Stacks of this thread's grids, kept from one to the next: mapping them anew took a third of all time. They go with
 * the process. */
static unsigned char *own_stacks(void)
{
    static _Thread_local unsigned char *stacks;
    if (!stacks) {
        void *block = mmap(NULL, (size_t)MAX_THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (block == MAP_FAILED)
            die("no memory for stacks");
        stacks = block;
    }
    return stacks;
}

void emulator_run(const device_kernel *kernel, int64_t blocks, int threads, const void *args)
{
    grid = calloc(1, sizeof *grid);
    if (!grid || blocks < 1 || threads < 1 || threads > MAX_THREADS) {
        fprintf(stderr, "emulator: %s: %lld blocks of %d threads (wanted 1 to %d threads)\n", kernel->name,
                (long long)blocks, threads, MAX_THREADS);
        abort();
    }
    grid->kernel = kernel;
    grid->args = args;
    grid->count = threads;
    blockDim.x = (unsigned)threads;
    gridDim.x = (unsigned)blocks;
    if (kernel->is_team) {
        grid->stacks = own_stacks();
    }
    for (int64_t b = 0; b < blocks; b++) {
        blockIdx.x = (unsigned)b;
        run_block();
    }
    free(grid);
    grid = NULL;
}

/* --- what kernels call -------------------------------------------------------------------------------------------- */
void *emulator_shared(const char *key, size_t bytes)
{
    for (int i = 0; i < grid->shared_count; i++)
        if (grid->shared[i].key == key)
            return grid->shared[i].array;
    if (!grid->kernel->is_team)
        die("shared memory in a kernel whose threads do not meet");
    if (grid->shared_count == MAX_SHARED)
        die("too many shared arrays");
    void *array = malloc(bytes);
    if (!array)
        die("no memory for a shared array");
    memset(array, 0xff, bytes); /* NaN, in every float type */
    grid->shared[grid->shared_count++] = (shared_array){key, array};
    return array;
}

void emulator_aligned(const void *p, size_t bytes)
{
    if ((uintptr_t)p % bytes != 0)
        die("a vector access that is not aligned");
}

static void meet(fiber_state state)
{
    if (!grid->kernel->is_team)
        die("a barrier or shuffle in a kernel whose threads do not meet");
    back_to_scheduler(state);
}

void barrier(void)
{
    meet(AT_BARRIER);
}

/* Twice: nobody gives the next number before all have taken this one. */
double shuffle_xor_f64(double v, int mask)
{
    const int own = grid->current;
    if (mask < 1 || mask >= LANES)
        die("a shuffle across warps");
    grid->fibers[own].given = v;
    meet(AT_SHUFFLE);
    v = grid->fibers[own ^ mask].given;
    meet(AT_SHUFFLE);
    return v;
}

float shuffle_xor(float v, int mask)
{
    return (float)shuffle_xor_f64((double)v, mask);
}
