/* The only door to the heap: it counts, and tests can make the n-th allocation fail. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* *out = `bytes` bytes (zeroed by mem_zalloc), 64-byte aligned; bytes 0 gives a pointer that may be freed.
 * Errors MIEN_ERR_NOMEM with the size; *out is untouched then. Threads: any. Free with mem_free. */
MIEN_MUST_USE mien_status mem_alloc_bytes(void **out, size_t bytes);
MIEN_MUST_USE mien_status mem_zalloc_bytes(void **out, size_t count, size_t element_bytes);
/* Grows or shrinks a mem_ block that holds old_bytes; on failure the old block stays. */
MIEN_MUST_USE mien_status mem_resize_bytes(void **block, size_t old_bytes, size_t new_bytes);
void mem_free(void *block); /* NULL is a no-op */

/* Typed forms: mem_alloc(&p, n) gives p room for n elements of its type; mem_zalloc zeroes them. */
#define mem_alloc(out, count) mem_array_((void **)(out), (size_t)(count), sizeof(**(out)), 0)
#define mem_zalloc(out, count) mem_array_((void **)(out), (size_t)(count), sizeof(**(out)), 1)
MIEN_MUST_USE mien_status mem_array_(void **out, size_t count, size_t element_bytes, int zero);

/* A copy of text. */
MIEN_MUST_USE mien_status mem_strdup(char **out, const char *text);

/* Test hooks. mem_count: allocations so far in this process. mem_fail_after(n): the n-th allocation from now fails
 * once; -1 none. */
int64_t mem_count(void);
void mem_fail_after(int64_t n);

#endif
