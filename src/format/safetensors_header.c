/* The header's JSON, read in one pass into the tensor table.
 *
 * Not through the JSON library: a header may have 100 MB, and a tree of it would take up to seventy bytes for each of
 * them ("{},{},..."). This grammar has two shapes, {"name": {"dtype", "shape", "data_offsets"}} and
 * {"__metadata__": {"key": "value"}}, and whatever else stands there is refused at its byte. */
#include "base/mem.h"
#include "base/size.h"
#include "base/str.h"
#include "format/safetensors_int.h"

#include <inttypes.h>
#include <string.h>

enum { HEADER_STARTS = 8 };

typedef struct {
    const char *text;
    size_t at, length;
    const char *file;
    const uint8_t *data;
    size_t data_bytes;
    str string; /* the last string read, without quotes and escapes */
} scanner;

static mien_status fail_here(const scanner *s, const char *fault)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: %s", s->file, HEADER_STARTS + s->at, fault);
}

static mien_status fail_tensor(const scanner *s, const char *tensor, const char *fault)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: %s", s->file, tensor, fault);
}

/* The next byte that is not white space, 0 at the end; not consumed. */
static char peek(scanner *s)
{
    while (s->at < s->length && s->text[s->at] && strchr(" \t\r\n", s->text[s->at]))
        s->at++;
    return s->at < s->length ? s->text[s->at] : '\0';
}

static mien_status expect(scanner *s, char wanted)
{
    if (peek(s) != wanted)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: not a safetensors header (wanted '%c')", s->file,
                         HEADER_STARTS + s->at, wanted);
    s->at++;
    return MIEN_OK;
}

/* After an item: true and past the comma where another follows, false and past `close` where the list ends. */
static mien_status next_item(scanner *s, bool *has_more, char close)
{
    *has_more = peek(s) == ',';
    if (!*has_more)
        return expect(s, close);
    s->at++;
    return MIEN_OK;
}

/* Past the opening bracket; false where the list is empty and past its end too. */
static mien_status first_item(scanner *s, bool *has_more, char open, char close)
{
    TRY(expect(s, open));
    *has_more = peek(s) != close;
    if (!*has_more)
        s->at++;
    return MIEN_OK;
}

static bool read_hex4(scanner *s, uint32_t *out)
{
    uint32_t value = 0;
    if (s->length - s->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = s->text[s->at + (size_t)i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return false;
        value = value << 4 | digit;
    }
    s->at += 4;
    *out = value;
    return true;
}

/* After "\u": one code point, of two halves where it lies beyond the basic plane. */
static mien_status read_code_point(scanner *s)
{
    uint32_t code, low;
    if (!read_hex4(s, &code))
        return fail_here(s, "damaged \\u escape");
    if (code >= 0xD800 && code < 0xDC00) {
        bool has_low = s->length - s->at >= 2 && s->text[s->at] == '\\' && s->text[s->at + 1] == 'u';
        s->at += has_low ? 2 : 0;
        if (!has_low || !read_hex4(s, &low) || low < 0xDC00 || low > 0xDFFF)
            return fail_here(s, "half a \\u pair");
        code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
    } else if (code >= 0xDC00 && code < 0xE000) {
        return fail_here(s, "half a \\u pair");
    }
    if (code == 0)
        return fail_here(s, "NUL in a string");
    unsigned char utf8[4];
    size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    for (size_t i = count - 1; i > 0; i--, code >>= 6)
        utf8[i] = (unsigned char)(0x80 | (code & 0x3F));
    utf8[0] = (unsigned char)(lead[count] | code);
    return str_append_bytes(&s->string, utf8, count);
}

static mien_status read_escape(scanner *s)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = s->at < s->length ? s->text[s->at] : '\0';
    const char *found = c ? strchr(names, c) : NULL;
    if (!found && c != 'u')
        return fail_here(s, "unknown escape in a string");
    s->at++;
    return found ? str_append_bytes(&s->string, &values[found - names], 1) : read_code_point(s);
}

/* Reads a string into s->string. */
static mien_status read_string(scanner *s)
{
    TRY(expect(s, '"'));
    s->string.length = 0;
    TRY(str_append(&s->string, ""));
    size_t start = s->at;
    for (;;) {
        size_t plain = s->at;
        while (s->at < s->length && s->text[s->at] != '"' && s->text[s->at] != '\\' &&
               (unsigned char)s->text[s->at] >= 0x20)
            s->at++;
        TRY(str_append_bytes(&s->string, s->text + plain, s->at - plain));
        if (s->at == s->length)
            return fail_here(s, "string never closed");
        char c = s->text[s->at];
        if (c != '"' && c != '\\')
            return fail_here(s, "control character in a string");
        s->at++;
        if (c == '"')
            break;
        TRY(read_escape(s));
    }
    if (!str_is_utf8(s->string.text, s->string.length)) {
        s->at = start;
        return fail_here(s, "string is not UTF-8");
    }
    return MIEN_OK;
}

static mien_status read_key(scanner *s)
{
    TRY(read_string(s));
    return expect(s, ':');
}

/* A whole number from 0 to 2^63 - 1. */
static mien_status read_count(scanner *s, int64_t *out)
{
    static const char digits[] = "0123456789";
    char c = peek(s);
    size_t start = s->at;
    int64_t value = 0;
    if (!c || !strchr(digits, c))
        return fail_here(s, "not a whole number of 0 or more");
    for (; s->at < s->length && s->text[s->at] && strchr(digits, s->text[s->at]); s->at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, s->text[s->at] - '0', &value))
            return fail_here(s, "number beyond 2^63");
    char after = s->at < s->length ? s->text[s->at] : '\0';
    if ((s->text[start] == '0' && s->at - start > 1) || after == '.' || after == 'e' || after == 'E') {
        s->at = start;
        return fail_here(s, "not a whole number of 0 or more");
    }
    *out = value;
    return MIEN_OK;
}

static mien_status read_dtype(scanner *s, st_tensor *t)
{
    TRY(read_string(s));
    for (int dtype = 0; dtype < ST_DTYPE_COUNT; dtype++)
        if (strcmp(s->string.text, st_dtype_name((st_dtype)dtype)) == 0) {
            t->dtype = (st_dtype)dtype;
            return MIEN_OK;
        }
    return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: unknown dtype %.32s", s->file, t->name, s->string.text);
}

static mien_status read_shape(scanner *s, st_tensor *t)
{
    bool has_more;
    TRY(first_item(s, &has_more, '[', ']'));
    for (t->rank = 0; has_more; t->rank++) {
        if (t->rank == SAFETENSORS_MAX_RANK)
            return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: too many dimensions (wanted at most %d)", s->file,
                             t->name, SAFETENSORS_MAX_RANK);
        TRY(read_count(s, &t->dims[t->rank]));
        TRY(next_item(s, &has_more, ']'));
    }
    return MIEN_OK;
}

static mien_status read_offsets(scanner *s, st_tensor *t)
{
    bool has_more;
    int64_t offsets[2] = {0};
    TRY(expect(s, '['));
    TRY(read_count(s, &offsets[0]));
    TRY(expect(s, ','));
    TRY(read_count(s, &offsets[1]));
    TRY(next_item(s, &has_more, ']'));
    if (has_more)
        return fail_tensor(s, t->name, "more than two data offsets");
    if (offsets[0] > offsets[1])
        return fail_tensor(s, t->name, "data ends before it begins");
    if ((uint64_t)offsets[1] > s->data_bytes)
        return mien_fail(MIEN_ERR_FORMAT,
                         "%s: tensor %s: data end %" PRId64 " exceeds file (wanted at most %zu; cut short?)", s->file,
                         t->name, offsets[1], s->data_bytes);
    t->data = s->data + offsets[0];
    t->bytes = (size_t)(offsets[1] - offsets[0]);
    return MIEN_OK;
}

bool st_tensor_bytes(size_t *out, const st_tensor *t)
{
    size_t bytes = st_dtype_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++)
        if (!size_mul(&bytes, bytes, (size_t)t->dims[i]))
            return false;
    *out = bytes;
    return true;
}

/* {"dtype": .., "shape": [..], "data_offsets": [..]}, in any order, each once, nothing else. */
static mien_status read_tensor(scanner *s, st_tensor *t)
{
    static const struct {
        const char *key;
        mien_status (*read)(scanner *s, st_tensor *t);
    } fields[] = {{"dtype", read_dtype}, {"shape", read_shape}, {"data_offsets", read_offsets}};
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
    bool is_read[FIELDS] = {false}, has_more;
    TRY(first_item(s, &has_more, '{', '}'));
    while (has_more) {
        TRY(read_key(s));
        int i = 0;
        while (i < FIELDS && strcmp(s->string.text, fields[i].key) != 0)
            i++;
        if (i == FIELDS || is_read[i])
            return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: %s key '%.32s'", s->file, t->name,
                             i == FIELDS ? "unknown" : "repeated", s->string.text);
        is_read[i] = true;
        TRY(fields[i].read(s, t));
        TRY(next_item(s, &has_more, '}'));
    }
    for (int i = 0; i < FIELDS; i++)
        if (!is_read[i])
            return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: %s: missing", s->file, t->name, fields[i].key);
    size_t bytes;
    if (!st_tensor_bytes(&bytes, t))
        return fail_tensor(s, t->name, "shape exceeds file");
    if (bytes != t->bytes)
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: %zu bytes of data (wanted %zu, by shape and dtype)", s->file,
                         t->name, t->bytes, bytes);
    return MIEN_OK;
}

static mien_status fail_many(const scanner *s, const char *what)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: too many %s (wanted at most %d)", s->file, HEADER_STARTS + s->at,
                     what, SAFETENSORS_MAX_ENTRIES);
}

static mien_status add_tensor(st_header *h, scanner *s)
{
    if (h->count == SAFETENSORS_MAX_ENTRIES)
        return fail_many(s, "tensors");
    if (h->count == h->capacity) {
        size_t capacity = h->capacity ? h->capacity * 2 : 64;
        TRY(mem_resize_bytes((void **)&h->tensors, h->count * sizeof(st_tensor), capacity * sizeof(st_tensor)));
        h->capacity = capacity;
    }
    st_tensor t = {0};
    char *name;
    TRY(arena_strdup(h->texts, &name, s->string.text));
    t.name = name;
    TRY(read_tensor(s, &t));
    h->tensors[h->count++] = t;
    return MIEN_OK;
}

static mien_status add_metadata(st_header *h, scanner *s)
{
    if (h->metadata_count == SAFETENSORS_MAX_ENTRIES)
        return fail_many(s, "keys of __metadata__");
    if (h->metadata_count == h->metadata_capacity) {
        size_t capacity = h->metadata_capacity ? h->metadata_capacity * 2 : 16;
        TRY(mem_resize_bytes((void **)&h->metadata, h->metadata_count * sizeof(st_metadata),
                             capacity * sizeof(st_metadata)));
        h->metadata_capacity = capacity;
    }
    char *key, *value;
    TRY(read_key(s));
    TRY(arena_strdup(h->texts, &key, s->string.text));
    TRY(read_string(s));
    TRY(arena_strdup(h->texts, &value, s->string.text));
    h->metadata[h->metadata_count++] = (st_metadata){key, value};
    return MIEN_OK;
}

static mien_status read_metadata(st_header *h, scanner *s)
{
    bool has_more;
    TRY(first_item(s, &has_more, '{', '}'));
    while (has_more) {
        TRY(add_metadata(h, s));
        TRY(next_item(s, &has_more, '}'));
    }
    return MIEN_OK;
}

static mien_status read_header(st_header *h, scanner *s)
{
    bool has_more, has_metadata = false;
    TRY(first_item(s, &has_more, '{', '}'));
    while (has_more) {
        TRY(read_key(s));
        if (strcmp(s->string.text, "__metadata__") == 0) {
            if (has_metadata)
                return fail_here(s, "__metadata__ repeated");
            has_metadata = true;
            TRY(read_metadata(h, s));
        } else {
            TRY(add_tensor(h, s));
        }
        TRY(next_item(s, &has_more, '}'));
    }
    if (peek(s) != '\0' || s->at != s->length)
        return fail_here(s, "text after the header");
    return MIEN_OK;
}

mien_status st_header_parse(st_header *h, const char *text, size_t length, const uint8_t *data, size_t data_bytes,
                            const char *name)
{
    scanner s = {.text = text, .length = length, .file = name, .data = data, .data_bytes = data_bytes};
    *h = (st_header){0};
    TRY(arena_create(&h->texts, 0));
    mien_status st = read_header(h, &s);
    str_free(&s.string);
    return st;
}

void st_header_free(st_header *h)
{
    arena_free(h->texts);
    mem_free(h->tensors);
    mem_free(h->metadata);
    *h = (st_header){0};
}
