/* Writing: the header's text first, padded so that data begin aligned, then the tensors as they come. What our own
 * reader would refuse is refused here, so that no file is written which cannot be read back. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/safetensors_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, DATA_ALIGNMENT = 8 };

static mien_status append_text(str *s, const char *text)
{
    TRY(str_append(s, "\""));
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            TRY(str_printf(s, "\\%c", *c));
        else if ((unsigned char)*c < 0x20)
            TRY(str_printf(s, "\\u%04x", (unsigned)*c));
        else
            TRY(str_append_bytes(s, c, 1));
    }
    return str_append(s, "\"");
}

static mien_status append_metadata(str *s, const st_metadata *metadata, size_t count)
{
    TRY(str_append(s, "\"__metadata__\":{"));
    for (size_t i = 0; i < count; i++) {
        TRY(str_append(s, i ? "," : ""));
        TRY(append_text(s, metadata[i].key));
        TRY(str_append(s, ":"));
        TRY(append_text(s, metadata[i].value));
    }
    return str_append(s, "}");
}

static mien_status append_tensor(str *s, const st_tensor *t, size_t begin)
{
    TRY(append_text(s, t->name));
    TRY(str_printf(s, ":{\"dtype\":\"%s\",\"shape\":[", st_dtype_name(t->dtype)));
    for (int i = 0; i < t->rank; i++)
        TRY(str_printf(s, "%s%" PRId64, i ? "," : "", t->dims[i]));
    return str_printf(s, "],\"data_offsets\":[%zu,%zu]}", begin, begin + t->bytes);
}

/* The header's text, padded with spaces so that the data begins on an aligned byte. */
static mien_status build_header(str *s, const st_tensor *tensors, size_t count, const st_metadata *metadata,
                                size_t metadata_count)
{
    size_t begin = 0;
    TRY(str_append(s, "{"));
    if (metadata_count > 0)
        TRY(append_metadata(s, metadata, metadata_count));
    for (size_t i = 0; i < count; i++) {
        TRY(str_append(s, i || metadata_count > 0 ? "," : ""));
        TRY(append_tensor(s, &tensors[i], begin));
        begin += tensors[i].bytes;
    }
    TRY(str_append(s, "}"));
    while ((LENGTH_BYTES + s->length) % DATA_ALIGNMENT != 0)
        TRY(str_append(s, " "));
    return MIEN_OK;
}

static mien_status check_tensor(const st_tensor *t, const char *path)
{
    size_t bytes;
    if (!str_is_utf8(t->name, strlen(t->name)) || strcmp(t->name, "__metadata__") == 0)
        return mien_fail(MIEN_ERR_ARG, "%s: tensor %s: not a possible name", path, t->name);
    if (t->rank < 0 || t->rank > SAFETENSORS_MAX_RANK)
        return mien_fail(MIEN_ERR_ARG, "%s: tensor %s: %d dimensions (wanted at most %d)", path, t->name, t->rank,
                         SAFETENSORS_MAX_RANK);
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0)
            return mien_fail(MIEN_ERR_ARG, "%s: tensor %s: dimension %" PRId64, path, t->name, t->dims[i]);
    if (!st_tensor_bytes(&bytes, t) || bytes != t->bytes)
        return mien_fail(MIEN_ERR_ARG, "%s: tensor %s: %zu bytes do not match shape and dtype", path, t->name,
                         t->bytes);
    return MIEN_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names [count] is sorted in place. */
static mien_status check_unique(const char **names, size_t count, const char *path)
{
    qsort(names, count, sizeof(names[0]), by_text);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return mien_fail(MIEN_ERR_ARG, "%s: %s: name repeated", path, names[i]);
    return MIEN_OK;
}

static mien_status check(const st_tensor *tensors, size_t count, const st_metadata *metadata, size_t metadata_count,
                         const char *path)
{
    mien_status st;
    const char **names;
    TRY(mem_alloc(&names, count > metadata_count ? count : metadata_count));
    for (size_t i = 0; i < count; i++) {
        TRY_OUT(check_tensor(&tensors[i], path));
        names[i] = tensors[i].name;
    }
    TRY_OUT(check_unique(names, count, path));
    for (size_t i = 0; i < metadata_count; i++) {
        names[i] = metadata[i].key;
        if (!str_is_utf8(names[i], strlen(names[i])) || !str_is_utf8(metadata[i].value, strlen(metadata[i].value))) {
            st = mien_fail(MIEN_ERR_ARG, "%s: metadata %s: not UTF-8", path, names[i]);
            goto out;
        }
    }
    st = check_unique(names, metadata_count, path);
out:
    mem_free(names);
    return st;
}

static mien_status write_parts(file_writer *w, const str *header, const st_tensor *tensors, size_t count)
{
    uint64_t header_bytes = header->length;
    TRY(file_write_bytes(w, &header_bytes, LENGTH_BYTES));
    TRY(file_write_bytes(w, header->text, header->length));
    for (size_t i = 0; i < count; i++)
        TRY(file_write_bytes(w, tensors[i].data, tensors[i].bytes));
    return MIEN_OK;
}

mien_status st_write(const char *path, const st_tensor *tensors, size_t count, const st_metadata *metadata,
                     size_t metadata_count)
{
    mien_status st;
    str header = {0};
    file_writer *w = NULL;
    TRY(check(tensors, count, metadata, metadata_count, path));
    TRY_OUT(build_header(&header, tensors, count, metadata, metadata_count));
    TRY_OUT(file_write_open(&w, path));
    TRY_OUT(write_parts(w, &header, tensors, count));
    st = file_write_commit(w);
    w = NULL;
out:
    file_write_abort(w);
    str_free(&header);
    return st;
}
