/* A list of blocks, filled front to back. Under ASan whatever is not handed out is poisoned, and a poisoned gap follows
 * each piece, so that a use after reset and an overrun into the neighbour are both caught. */
#include "base/arena.h"

#include "base/mem.h"
#include "base/size.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP_BYTES = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
enum { GAP_BYTES = 0 };
#endif

enum { ALIGNMENT = 16, DEFAULT_BLOCK_BYTES = 64 * 1024 };

typedef struct block {
    struct block *next;
    size_t capacity, used; /* bytes of data[] */
    _Alignas(64) unsigned char data[];
} block;

struct arena {
    block *first, *current; /* blocks after `current` are empty, kept from before a reset */
    size_t block_bytes;
    size_t handed_out;
};

mien_status arena_create(arena **out, size_t block_bytes)
{
    arena *a;
    TRY(mem_zalloc(&a, 1));
    a->block_bytes = block_bytes ? block_bytes : DEFAULT_BLOCK_BYTES;
    *out = a;
    return MIEN_OK;
}

void arena_free(arena *a)
{
    if (!a)
        return;
    for (block *b = a->first, *next; b; b = next) {
        next = b->next;
        ASAN_UNPOISON_MEMORY_REGION(b->data, b->capacity);
        mem_free(b);
    }
    mem_free(a);
}

void arena_reset(arena *a)
{
    for (block *b = a->first; b; b = b->next) {
        ASAN_POISON_MEMORY_REGION(b->data, b->capacity);
        b->used = 0;
    }
    a->current = a->first;
    a->handed_out = 0;
}

size_t arena_bytes(const arena *a)
{
    return a->handed_out;
}

static bool block_fits(const block *b, size_t bytes)
{
    return b && b->capacity - b->used >= bytes;
}

/* Makes a->current a block with room for `bytes`; on failure the arena is as before. */
static mien_status find_room(arena *a, size_t bytes)
{
    if (block_fits(a->current, bytes))
        return MIEN_OK;
    if (a->current && block_fits(a->current->next, bytes)) {
        a->current = a->current->next;
        return MIEN_OK;
    }
    size_t capacity = bytes > a->block_bytes ? bytes : a->block_bytes, total;
    if (!size_add(&total, sizeof(block), capacity))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (wanted %zu bytes)", bytes);
    void *memory;
    TRY(mem_alloc_bytes(&memory, total));
    block *b = memory;
    *b = (block){.capacity = capacity};
    ASAN_POISON_MEMORY_REGION(b->data, capacity);
    if (a->current) { /* before the kept blocks, which later and smaller requests can still use */
        b->next = a->current->next;
        a->current->next = b;
    } else {
        a->first = b;
    }
    a->current = b;
    return MIEN_OK;
}

mien_status arena_alloc_bytes(arena *a, void **out, size_t count, size_t element_bytes)
{
    size_t bytes, room;
    if (!size_mul(&bytes, count, element_bytes) || !size_add(&room, bytes, ALIGNMENT - 1 + GAP_BYTES))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (wanted %zu times %zu bytes)", count, element_bytes);
    room = size_align(bytes ? bytes : 1, ALIGNMENT) + GAP_BYTES;
    TRY(find_room(a, room));
    void *piece = a->current->data + a->current->used;
    ASAN_UNPOISON_MEMORY_REGION(piece, bytes);
    memset(piece, 0, bytes);
    a->current->used += room;
    a->handed_out += bytes;
    memcpy(out, &piece, sizeof(piece)); /* *out may really be a float **: see mem_alloc_bytes */
    return MIEN_OK;
}

mien_status arena_strdup(arena *a, char **out, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy;
    TRY(arena_alloc(a, &copy, bytes));
    memcpy(copy, text, bytes);
    *out = copy;
    return MIEN_OK;
}

mien_status arena_printf(arena *a, char **out, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = NULL;
    mien_status st = length < 0 ? mien_fail(MIEN_ERR_INTERNAL, "cannot format '%s'", format)
                                : arena_alloc(a, &text, (size_t)length + 1);
    if (st == MIEN_OK) {
        vsnprintf(text, (size_t)length + 1, format, again);
        *out = text;
    }
    va_end(again);
    return st;
}
