/* gunzip of bytes in memory, declared in format/zip.h: the wheels that we read keep .gz files inside. */
#include "base/mem.h"
#include "base/size.h"
#include "format/zip.h"

#include <zlib.h>

enum { FIRST_BYTES = 1 << 16, DEFAULT_LIMIT = 1 << 30, GZIP_WINDOW = 15 + 16 };

static void *zlib_alloc(void *context, unsigned count, unsigned bytes)
{
    (void)context;
    void *block = NULL;
    return mem_zalloc_bytes(&block, count, bytes) == MIEN_OK ? block : NULL;
}

static void zlib_free(void *context, void *block)
{
    (void)context;
    mem_free(block);
}

typedef struct {
    uint8_t *bytes;
    size_t length, capacity;
} buffer;

/* Room for at least one byte more and the final NUL. */
static mien_status make_room(buffer *b)
{
    if (b->capacity - b->length >= 2)
        return MIEN_OK;
    size_t capacity = b->capacity ? b->capacity * 2 : FIRST_BYTES;
    TRY(mem_resize_bytes((void **)&b->bytes, b->length, capacity));
    b->capacity = capacity;
    return MIEN_OK;
}

static mien_status fail_inflate(int code, const z_stream *stream, const char *where)
{
    if (code == Z_MEM_ERROR)
        return mien_fail(MIEN_ERR_NOMEM, "%s: out of memory (decompressing)", where);
    if (code == Z_BUF_ERROR)
        return mien_fail(MIEN_ERR_FORMAT, "%s: cut short", where);
    return mien_fail(MIEN_ERR_FORMAT, "%s: not gzip, or damaged: %s", where,
                     stream->msg ? stream->msg : "unexpected content");
}

/* Inflates one member from the stream's input to the end of b. */
static mien_status inflate_member(buffer *b, z_stream *stream, size_t limit, const char *where)
{
    for (;;) {
        TRY(make_room(b));
        size_t room = b->capacity - 1 - b->length;
        stream->next_out = b->bytes + b->length;
        stream->avail_out = room < UINT32_MAX ? (unsigned)room : UINT32_MAX;
        size_t offered = stream->avail_out;
        int code = inflate(stream, Z_NO_FLUSH);
        b->length += offered - stream->avail_out;
        if (b->length > limit)
            return mien_fail(MIEN_ERR_FORMAT, "%s: too large (wanted at most %zu bytes)", where, limit);
        if (code == Z_STREAM_END)
            return MIEN_OK;
        if (code != Z_OK)
            return fail_inflate(code, stream, where);
    }
}

/* What may follow a member: nothing, or the zeros that tapes and some tools pad with. */
static bool is_padding(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

mien_status gunzip_bytes(uint8_t **out, size_t *out_length, const void *bytes, size_t length, size_t max_bytes,
                         const char *where)
{
    size_t limit = max_bytes ? max_bytes : DEFAULT_LIMIT;
    if (length > UINT32_MAX) /* zlib counts its input in 32 bits */
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: gzip of %zu bytes (wanted below 4 GiB)", where, length);
    z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free};
    stream.next_in = (z_const Bytef *)bytes;
    stream.avail_in = (unsigned)length;
    int code = inflateInit2(&stream, GZIP_WINDOW);
    if (code != Z_OK)
        return fail_inflate(code, &stream, where);
    mien_status st;
    buffer b = {0};
    do {
        TRY_OUT(inflate_member(&b, &stream, limit, where));
        if (is_padding(stream.next_in, stream.avail_in))
            break;
        inflateReset(&stream);
    } while (true);
    b.bytes[b.length] = '\0';
    *out = b.bytes;
    *out_length = b.length;
    b.bytes = NULL;
    st = MIEN_OK;
out:
    mem_free(b.bytes);
    inflateEnd(&stream);
    return st;
}
