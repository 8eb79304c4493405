/* Memory with one lifetime: things allocated one by one, freed or reset together. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/status.h"

#include <stddef.h>

typedef struct arena arena;

/* Grows in blocks of at least block_bytes (0: 64 KiB). Under ASan the freed tails are poisoned. */
MIEN_MUST_USE mien_status arena_create(arena **out, size_t block_bytes);
void arena_free(arena *a);          /* NULL is a no-op */
void arena_reset(arena *a);         /* everything allocated is gone; blocks are kept */
size_t arena_bytes(const arena *a); /* handed out since creation or the last reset, padding not counted */

/* *out = zeroed room, 16-byte aligned, living as long as the arena (or until its reset). */
MIEN_MUST_USE mien_status arena_alloc_bytes(arena *a, void **out, size_t count, size_t element_bytes);
#define arena_alloc(a, out, count) arena_alloc_bytes((a), (void **)(out), (size_t)(count), sizeof(**(out)))
MIEN_MUST_USE mien_status arena_strdup(arena *a, char **out, const char *text);
MIEN_MUST_USE mien_status arena_printf(arena *a, char **out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
