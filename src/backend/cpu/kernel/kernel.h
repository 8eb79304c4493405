/* Our own CPU kernels, compiled from the same sources once for each instruction set (CMakeLists.txt): what all of them
 * share. What one of them is given stands in a header of its file's name, so that a new kernel recompiles no other.
 *
 * A kernel reads one argument struct, whose pointers bind fills in, and spreads its work over `threads` parts of fixed
 * size: results depend on that number alone. Activations are rows of channels ([n, h, w, c] = rows [n h w] of c);
 * `is_bf16` is their type, everything else is f32. */
#ifndef BACKEND_CPU_KERNEL_KERNEL_H
#define BACKEND_CPU_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_PASTE_(name, isa) name##_##isa
#define KERNEL_EXPAND_(name, isa) KERNEL_PASTE_(name, isa)
/* The name of an exported kernel in this compilation: KERNEL(add) is add_avx2. */
#define KERNEL(name) KERNEL_EXPAND_(name, KERNEL_ISA)

typedef void kernel_fn(const void *args);

/* Per-channel numbers are laid out `repeat` times in a row, so that vectors divide the repeated row ("wide" row)
 * whatever the channel count, and short rows become long enough to be worth a loop. */
#define WIDE_LANES 16
#define WIDE_TARGET 128
static inline int64_t wide_repeat(int64_t c)
{
    int64_t repeat = 1;
    while (c * repeat % WIDE_LANES != 0)
        repeat++;
    int64_t base = repeat;
    while (c * repeat < WIDE_TARGET)
        repeat += base;
    return repeat;
}
static inline int64_t wide_count(int64_t c)
{
    return c * wide_repeat(c);
}

/* Elements [begin, end) of `count` things that part `index` of `parts` works on; multiples of `grain` but for the last.
 */
typedef struct {
    int64_t begin, end;
} part;
static inline part part_of(int64_t count, int64_t grain, int parts, int index)
{
    int64_t grains = (count + grain - 1) / grain;
    int64_t begin = grains * index / parts * grain, end = grains * (index + 1) / parts * grain;
    return (part){begin < count ? begin : count, end < count ? end : count};
}
/* Work below this many elements is not worth waking a thread. */
static inline int parts_for(int64_t elements, int threads)
{
    int64_t most = elements / 8192;
    return most < 1 ? 1 : most < threads ? (int)most : threads;
}

#endif
