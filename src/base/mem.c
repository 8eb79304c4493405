/* Every block comes from posix_memalign with its exact size: 64-byte lines for the vector kernels, and nothing stored
 * beside the block, so ASan sees the first byte past its end. */
#include "base/mem.h"

#include "base/size.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

/* Test hooks; the price in a release build is one relaxed increment and one load per allocation. */
static _Atomic int64_t allocations;
static _Atomic int64_t until_failure; /* counts down to the one that fails; 0 and below: none */

int64_t mem_count(void)
{
    return atomic_load_explicit(&allocations, memory_order_relaxed);
}

void mem_fail_after(int64_t n)
{
    atomic_store(&until_failure, n);
}

static bool is_chosen_to_fail(void)
{
    return atomic_load_explicit(&until_failure, memory_order_relaxed) > 0 && atomic_fetch_sub(&until_failure, 1) == 1;
}

mien_status mem_alloc_bytes(void **out, size_t bytes)
{
    void *block = NULL;
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    if (bytes > PTRDIFF_MAX || is_chosen_to_fail() || posix_memalign(&block, ALIGNMENT, bytes ? bytes : 1) != 0)
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (wanted %zu bytes)", bytes);
    memcpy(out, &block, sizeof(block)); /* *out may really be a float *: a plain store would break the aliasing rules */
    return MIEN_OK;
}

mien_status mem_array_(void **out, size_t count, size_t element_bytes, int zero)
{
    size_t bytes;
    if (!size_mul(&bytes, count, element_bytes))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (wanted %zu times %zu bytes)", count, element_bytes);
    void *block;
    TRY(mem_alloc_bytes(&block, bytes));
    if (zero)
        memset(block, 0, bytes);
    memcpy(out, &block, sizeof(block));
    return MIEN_OK;
}

mien_status mem_zalloc_bytes(void **out, size_t count, size_t element_bytes)
{
    return mem_array_(out, count, element_bytes, 1);
}

mien_status mem_resize_bytes(void **block, size_t old_bytes, size_t new_bytes)
{
    void *old, *grown;
    memcpy(&old, block, sizeof(old));
    TRY(mem_alloc_bytes(&grown, new_bytes)); /* realloc would lose the alignment */
    if (old)
        memcpy(grown, old, old_bytes < new_bytes ? old_bytes : new_bytes);
    free(old);
    memcpy(block, &grown, sizeof(grown));
    return MIEN_OK;
}

void mem_free(void *block)
{
    free(block);
}

mien_status mem_strdup(char **out, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy;
    TRY(mem_alloc(&copy, bytes));
    memcpy(copy, text, bytes);
    *out = copy;
    return MIEN_OK;
}
