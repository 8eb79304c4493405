/* The header's text, parsed: shared by safetensors_header.c and safetensors.c; and tables of tensors by name, which
 * tensor_file.c has too. */
#ifndef FORMAT_SAFETENSORS_INT_H
#define FORMAT_SAFETENSORS_INT_H

#include "base/arena.h"
#include "format/safetensors.h"

#include <stdbool.h>

typedef struct {
    arena *texts;       /* names, keys, values */
    st_tensor *tensors; /* in header order; dims, bytes and offsets agree and lie inside the data */
    size_t count, capacity;
    st_metadata *metadata;
    size_t metadata_count, metadata_capacity;
} st_header;

/* Parses `length` bytes of JSON that stand at byte 8 of `name`; `data` [data_bytes] is what follows them. On failure
 * the header holds what must still be freed. */
MIEN_MUST_USE mien_status st_header_parse(st_header *h, const char *text, size_t length, const uint8_t *data,
                                          size_t data_bytes, const char *name);
void st_header_free(st_header *h);

/* Sorts a table of tensors by their names. Errors: MIEN_ERR_FORMAT "path: tensor NAME: name repeated". */
MIEN_MUST_USE mien_status st_index_sort(const st_tensor **index, size_t count, const char *path);
/* NULL if absent. */
const st_tensor *st_index_find(const st_tensor *const *index, size_t count, const char *name);

/* dims times element size; false where that does not fit. */
bool st_tensor_bytes(size_t *out, const st_tensor *t);

#endif
