/* safetensors: 8 bytes of header length, a JSON header, raw little-endian tensors (huggingface/safetensors format).
 * Reading checks everything before it is believed: header length against the file, each offset range against the data,
 * dims against the range, no overlaps, no holes, no duplicate names. Memory: the mapping, and at most some three times
 * the header, which may have 100 MB as in the reference implementation. */
#ifndef FORMAT_SAFETENSORS_H
#define FORMAT_SAFETENSORS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_MAX_RANK 8
/* Tensors of a file that is read, and keys of its metadata: the largest networks have some ten thousand. */
#define SAFETENSORS_MAX_ENTRIES (1 << 17)

typedef enum {
    ST_BOOL,
    ST_U8,
    ST_I8,
    ST_U16,
    ST_I16,
    ST_F16,
    ST_BF16,
    ST_U32,
    ST_I32,
    ST_F32,
    ST_U64,
    ST_I64,
    ST_F64,
    ST_F8_E5M2, /* this and those below: read and shown only */
    ST_F8_E4M3,
    ST_F8_E8M0,
    ST_C64,
    ST_DTYPE_COUNT,
} st_dtype;
const char *st_dtype_name(st_dtype dtype); /* "F32" */
size_t st_dtype_bytes(st_dtype dtype);

typedef struct {
    const char *name;
    st_dtype dtype;
    int rank; /* 0 = a scalar */
    int64_t dims[SAFETENSORS_MAX_RANK];
    const void *data; /* when reading: inside the mapping, or an aligned copy where it lies at an odd place there;
                       * when writing: the caller's, borrowed until written */
    size_t bytes;
} st_tensor;

typedef struct {
    const char *key, *value;
} st_metadata;

/* An open file: tensors in offset order, metadata in file order; all borrowed from it. Threads: any, once open.
 * Errors MIEN_ERR_IO; MIEN_ERR_FORMAT "path: byte N: ..." or "path: tensor NAME: ...". */
typedef struct st_file st_file;
MIEN_MUST_USE mien_status st_open(st_file **out, const char *path);
/* The same over bytes in memory (fuzzing, embedded data); `name` stands for the path in messages; bytes must outlive
 * the file. */
MIEN_MUST_USE mien_status st_open_bytes(st_file **out, const void *bytes, size_t length, const char *name);
void st_close(st_file *f);
size_t st_count(const st_file *f);
const st_tensor *st_at(const st_file *f, size_t index);
const st_tensor *st_find(const st_file *f, const char *name); /* NULL if absent; by hash or bisection */
const char *st_meta(const st_file *f, const char *key);       /* NULL if absent */
size_t st_meta_count(const st_file *f);
st_metadata st_meta_at(const st_file *f, size_t index);

/* Writes atomically, tensors in the order given (8-byte aligned header), same input = same bytes.
 * Errors: MIEN_ERR_ARG for what st_open would refuse (a name twice, bytes that are not dims times type, text that is
 * not UTF-8), MIEN_ERR_IO as file_write_commit. */
MIEN_MUST_USE mien_status st_write(const char *path, const st_tensor *tensors, size_t count,
                                   const st_metadata *metadata, size_t metadata_count);

#endif
