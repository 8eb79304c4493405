/* Opening maps the file, parses the header and then holds it against the data: tensors sorted by offset must cover
 * every byte exactly once. Only then are they sorted by name, for finding. */
#include "format/safetensors.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/safetensors_int.h"
#include "format/stand_in.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are used as they lie in the file");

enum { LENGTH_BYTES = 8, MAX_HEADER_BYTES = 100 * 1000 * 1000, MAX_ELEMENT_BYTES = 8 };

struct st_file {
    file_map map; /* empty where the bytes are the caller's */
    st_header header;
    const st_tensor **by_name; /* [header.count] */
};

static const struct {
    const char *name;
    size_t bytes;
} dtypes[ST_DTYPE_COUNT] = {
    [ST_BOOL] = {"BOOL", 1},       [ST_U8] = {"U8", 1},           [ST_I8] = {"I8", 1},
    [ST_U16] = {"U16", 2},         [ST_I16] = {"I16", 2},         [ST_F16] = {"F16", 2},
    [ST_BF16] = {"BF16", 2},       [ST_U32] = {"U32", 4},         [ST_I32] = {"I32", 4},
    [ST_F32] = {"F32", 4},         [ST_U64] = {"U64", 8},         [ST_I64] = {"I64", 8},
    [ST_F64] = {"F64", 8},         [ST_F8_E5M2] = {"F8_E5M2", 1}, [ST_F8_E4M3] = {"F8_E4M3", 1},
    [ST_F8_E8M0] = {"F8_E8M0", 1}, [ST_C64] = {"C64", 8},
};

const char *st_dtype_name(st_dtype dtype)
{
    return dtypes[dtype].name;
}

size_t st_dtype_bytes(st_dtype dtype)
{
    return dtypes[dtype].bytes;
}

void st_close(st_file *f)
{
    if (!f)
        return;
    file_map_close(&f->map);
    st_header_free(&f->header);
    mem_free(f->by_name);
    mem_free(f);
}

/* Order in the file; empty tensors share an offset and go before the one that begins there. */
static int by_offset(const void *a, const void *b)
{
    const st_tensor *left = a, *right = b;
    if (left->data != right->data)
        return (const uint8_t *)left->data < (const uint8_t *)right->data ? -1 : 1;
    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const st_tensor *const *)a)->name, (*(const st_tensor *const *)b)->name);
}

/* Each byte of the data belongs to exactly one tensor: bytes of nobody could hide something, bytes of two lie. */
static mien_status check_cover(const st_header *h, const uint8_t *data, size_t data_bytes, const char *name)
{
    size_t covered = 0;
    for (size_t i = 0; i <= h->count; i++) {
        size_t begin = i < h->count ? (size_t)((const uint8_t *)h->tensors[i].data - data) : data_bytes;
        if (begin < covered)
            return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: data overlaps that of %s", name, h->tensors[i].name,
                             h->tensors[i - 1].name);
        if (begin > covered)
            return mien_fail(MIEN_ERR_FORMAT, "%s: data offset %zu: %zu bytes that belong to no tensor", name, covered,
                             begin - covered);
        if (i < h->count)
            covered += h->tensors[i].bytes;
    }
    return MIEN_OK;
}

mien_status st_index_sort(const st_tensor **index, size_t count, const char *path)
{
    if (count > 0)
        qsort(index, count, sizeof index[0], by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(index[i - 1]->name, index[i]->name) == 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: name repeated", path, index[i]->name);
    return MIEN_OK;
}

static int name_against(const void *name, const void *element)
{
    return strcmp(name, (*(const st_tensor *const *)element)->name);
}

const st_tensor *st_index_find(const st_tensor *const *index, size_t count, const char *name)
{
    const st_tensor *const *found = count ? bsearch(name, index, count, sizeof index[0], name_against) : NULL;
    return found ? *found : NULL;
}

static mien_status index_names(st_file *f, const char *name)
{
    const st_header *h = &f->header;
    TRY(mem_alloc(&f->by_name, h->count));
    for (size_t i = 0; i < h->count; i++)
        f->by_name[i] = &h->tensors[i];
    return st_index_sort(f->by_name, h->count, name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static mien_status check_metadata_keys(const st_header *h, const char *name)
{
    const char **keys;
    mien_status st = MIEN_OK;
    TRY(mem_alloc(&keys, h->metadata_count));
    for (size_t i = 0; i < h->metadata_count; i++)
        keys[i] = h->metadata[i].key;
    qsort(keys, h->metadata_count, sizeof(keys[0]), by_key);
    for (size_t i = 1; i < h->metadata_count && st == MIEN_OK; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            st = mien_fail(MIEN_ERR_FORMAT, "%s: __metadata__: key '%s' repeated", name, keys[i]);
    mem_free(keys);
    return st;
}

/* The format does not promise alignment (a U8 tensor of 3 bytes may stand before an F32 one), but reading a float at an
 * odd address is undefined: such tensors are copied. */
static mien_status align_tensors(st_header *h)
{
    for (size_t i = 0; i < h->count; i++) {
        st_tensor *t = &h->tensors[i];
        if ((uintptr_t)t->data % st_dtype_bytes(t->dtype) == 0)
            continue;
        void *copy;
        TRY(arena_alloc_bytes(h->texts, &copy, t->bytes, 1));
        if (t->bytes > 0)
            memcpy(copy, t->data, t->bytes);
        t->data = copy;
    }
    return MIEN_OK;
}

static mien_status read_tables(st_file *f, const uint8_t *bytes, size_t length, const char *name)
{
    uint64_t header_bytes = 0;
    TRY(stand_in_check(bytes, length, name));
    if (length < LENGTH_BYTES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: not a safetensors file (%zu bytes, wanted at least 8)", name, length);
    memcpy(&header_bytes, bytes, LENGTH_BYTES);
    if (header_bytes > length - LENGTH_BYTES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte 0: header length %" PRIu64 " exceeds file (wanted at most %zu)",
                         name, header_bytes, length - LENGTH_BYTES);
    if (header_bytes > MAX_HEADER_BYTES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte 0: header length %" PRIu64 " (wanted at most %d)", name,
                         header_bytes, MAX_HEADER_BYTES);
    const uint8_t *data = bytes + LENGTH_BYTES + header_bytes;
    size_t data_bytes = length - LENGTH_BYTES - (size_t)header_bytes;
    st_header *h = &f->header;
    TRY(st_header_parse(h, (const char *)bytes + LENGTH_BYTES, (size_t)header_bytes, data, data_bytes, name));
    if (h->count > 0)
        qsort(h->tensors, h->count, sizeof(h->tensors[0]), by_offset);
    TRY(index_names(f, name));
    TRY(check_metadata_keys(h, name));
    TRY(check_cover(h, data, data_bytes, name));
    return align_tensors(h);
}

/* Takes over `map`, which is empty where the bytes are borrowed. */
static mien_status open_mapped(st_file **out, file_map map, const void *bytes, size_t length, const char *name)
{
    mien_status st;
    st_file *f = NULL;
    TRY_OUT(mem_zalloc(&f, 1));
    f->map = map;
    map = (file_map){0};
    TRY_OUT(read_tables(f, bytes, length, name));
    *out = f;
    return MIEN_OK;
out:
    file_map_close(&map);
    st_close(f);
    return st;
}

mien_status st_open(st_file **out, const char *path)
{
    file_map map;
    TRY(file_map_open(&map, path));
    return open_mapped(out, map, map.data, map.length, path);
}

mien_status st_open_bytes(st_file **out, const void *bytes, size_t length, const char *name)
{
    return open_mapped(out, (file_map){0}, bytes, length, name);
}

size_t st_count(const st_file *f)
{
    return f->header.count;
}

const st_tensor *st_at(const st_file *f, size_t index)
{
    return &f->header.tensors[index];
}

const st_tensor *st_find(const st_file *f, const char *name)
{
    return st_index_find(f->by_name, f->header.count, name);
}

size_t st_meta_count(const st_file *f)
{
    return f->header.metadata_count;
}

st_metadata st_meta_at(const st_file *f, size_t index)
{
    return f->header.metadata[index];
}

const char *st_meta(const st_file *f, const char *key)
{
    for (size_t i = 0; i < f->header.metadata_count; i++)
        if (strcmp(f->header.metadata[i].key, key) == 0)
            return f->header.metadata[i].value;
    return NULL;
}
