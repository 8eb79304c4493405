/* The one EXIF field that changes pixels: tag 0x0112 of the first directory. Everything is checked against the bytes
 * that are there; a damaged block means upright, since a picture is worth more than its metadata. */
#include "image/image_int.h"

#include <string.h>

#define TAG_ORIENTATION 0x0112
#define TYPE_SHORT 3
#define ENTRY_BYTES 12

typedef struct {
    const uint8_t *bytes;
    size_t length;
    bool big_endian;
} tiff;

/* Callers have checked that at + 2 (or 4) bytes exist. */
static uint32_t read_u16(const tiff *t, size_t at)
{
    const uint8_t *p = t->bytes + at;
    return t->big_endian ? (uint32_t)p[0] << 8 | p[1] : (uint32_t)p[1] << 8 | p[0];
}

static uint32_t read_u32(const tiff *t, size_t at)
{
    return t->big_endian ? read_u16(t, at) << 16 | read_u16(t, at + 2) : read_u16(t, at + 2) << 16 | read_u16(t, at);
}

int exif_orientation(const uint8_t *bytes, size_t length)
{
    if (length >= 6 && memcmp(bytes, "Exif\0\0", 6) == 0) {
        bytes += 6;
        length -= 6;
    }
    tiff t = {.bytes = bytes, .length = length};
    if (length < 8)
        return 1;
    if (memcmp(bytes, "MM\0*", 4) == 0)
        t.big_endian = true;
    else if (memcmp(bytes, "II*\0", 4) != 0)
        return 1;
    size_t directory = read_u32(&t, 4);
    if (directory > length - 2)
        return 1;
    size_t entries = read_u16(&t, directory);
    size_t at = directory + 2;
    for (size_t i = 0; i < entries && at + ENTRY_BYTES <= length; i++, at += ENTRY_BYTES) {
        if (read_u16(&t, at) != TAG_ORIENTATION)
            continue;
        if (read_u16(&t, at + 2) != TYPE_SHORT || read_u32(&t, at + 4) != 1)
            return 1;
        uint32_t value = read_u16(&t, at + 8);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
