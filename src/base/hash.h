/* FNV-1a in 64 bits. What it gives is kept in files and names random streams: it never changes. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN 14695981039346656037u

/* One step: of a byte as FNV has it, or of a whole number. */
static inline uint64_t hash_mix(uint64_t h, uint64_t value)
{
    return (h ^ value) * 1099511628211u;
}

static inline uint64_t hash_bytes(uint64_t h, const void *bytes, size_t count)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++)
        h = hash_mix(h, at[i]);
    return h;
}

#endif
