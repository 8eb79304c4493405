/* One thread's means of reading pictures: every buffer is kept from picture to picture. */
#ifndef DATA_PICTURE_H
#define DATA_PICTURE_H

#include "data/dataset.h"
#include "image/image.h"

#include <limits.h>

typedef struct {
    image decoded;          /* what picture_read left */
    image sized;            /* what picture_fit left */
    image_scratch *scratch; /* owned */
    uint8_t *bytes;         /* the file, owned */
    size_t capacity;
    char path[PATH_MAX];
} picture_reader;

MIEN_MUST_USE mien_status picture_reader_init(picture_reader *p);
void picture_reader_clear(picture_reader *p); /* a zeroed reader is a no-op */

/* Reads and decodes picture `index` into p->decoded. Errors as image_read's; where the file of a list cannot be opened
 * or read, "set.csv: line 7: " stands before it. */
MIEN_MUST_USE mien_status picture_read(picture_reader *p, const dataset *d, int64_t index);
/* p->sized = p->decoded resized to size x size. */
MIEN_MUST_USE mien_status picture_fit(picture_reader *p, int size);

#endif
