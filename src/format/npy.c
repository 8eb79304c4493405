/* The header is a Python dict, read by a parser of its three keys and nothing else: no literal of Python's is
 * evaluated. The shape must then fill the file's rest to the byte. */
#include "format/npy.h"

#include "base/mem.h"
#include "base/size.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = sizeof magic - 1, VERSION_BYTES = 2, ALIGNMENT = 64, MESSAGE_BYTES = 24 };

/* --- the header: a Python dict of three known keys ---------------------------------------------------------------- */

typedef struct {
    const char *name; /* of the file, for messages */
    const uint8_t *bytes;
    size_t at, end; /* the header's rest */
} cursor;

typedef struct {
    npy_array shape; /* without values */
    size_t item_bytes;
} header;

/* What stands at the cursor, fit for a message. */
static void here(char dst[MESSAGE_BYTES], const cursor *c)
{
    size_t left = c->end - c->at, length = left < MESSAGE_BYTES - 1 ? left : MESSAGE_BYTES - 1;
    for (size_t i = 0; i < length; i++)
        dst[i] = c->bytes[c->at + i] >= ' ' && c->bytes[c->at + i] < 127 ? (char)c->bytes[c->at + i] : '?';
    dst[length] = '\0';
}

static mien_status fail_here(const cursor *c, const char *wanted)
{
    char found[MESSAGE_BYTES];
    here(found, c);
    return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: header: \"%s\" (wanted %s)", c->name, c->at, found, wanted);
}

static void skip_spaces(cursor *c)
{
    while (c->at < c->end && (c->bytes[c->at] == ' ' || c->bytes[c->at] == '\n'))
        c->at++;
}

/* Steps over `text` and the spaces after it, where it stands here. */
static bool take(cursor *c, const char *text)
{
    size_t length = strlen(text);
    if (length > c->end - c->at || memcmp(c->bytes + c->at, text, length) != 0)
        return false;
    c->at += length;
    skip_spaces(c);
    return true;
}

static bool take_quoted(cursor *c, const char *text)
{
    char single[32], twice[32];
    snprintf(single, sizeof single, "'%s'", text);
    snprintf(twice, sizeof twice, "\"%s\"", text);
    return take(c, single) || take(c, twice);
}

static mien_status parse_descr(cursor *c, header *h)
{
    h->item_bytes = take_quoted(c, "<f4") ? 4 : take_quoted(c, "<f8") ? 8 : 0;
    return h->item_bytes ? MIEN_OK : fail_here(c, "'<f4' or '<f8'");
}

static mien_status parse_order(cursor *c, header *h)
{
    (void)h;
    return take(c, "False") ? MIEN_OK : fail_here(c, "False: rows one after another, C order");
}

static mien_status parse_dim(cursor *c, int64_t *out)
{
    size_t begin = c->at;
    int64_t dim = 0;
    for (; c->at < c->end && c->bytes[c->at] >= '0' && c->bytes[c->at] <= '9'; c->at++)
        if (__builtin_mul_overflow(dim, 10, &dim) || __builtin_add_overflow(dim, c->bytes[c->at] - '0', &dim)) {
            c->at = begin;
            return fail_here(c, "a length of at most 2^63 - 1");
        }
    if (c->at == begin)
        return fail_here(c, "a length");
    skip_spaces(c);
    *out = dim;
    return MIEN_OK;
}

/* (), (478,), (478, 6), (4, 478, 6,) */
static mien_status parse_shape(cursor *c, header *h)
{
    npy_array *a = &h->shape;
    if (!take(c, "("))
        return fail_here(c, "a shape in brackets");
    for (bool has_comma = true; !take(c, ")"); has_comma = take(c, ",")) {
        if (!has_comma)
            return fail_here(c, "a comma or a bracket");
        if (a->rank == NPY_MAX_RANK)
            return fail_here(c, "at most 8 dimensions");
        TRY(parse_dim(c, &a->dims[a->rank]));
        a->rank++;
        if (a->rank == 1 && c->at < c->end && c->bytes[c->at] == ')')
            return fail_here(c, "a comma: (5) is a number"); /* to Python */
    }
    return MIEN_OK;
}

static const struct {
    const char *name;
    mien_status (*parse)(cursor *c, header *h);
} keys[] = {{"descr", parse_descr}, {"fortran_order", parse_order}, {"shape", parse_shape}};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

/* Steps over a key that was not there yet; KEY_COUNT where none stands here. */
static int take_key(cursor *c, const bool has[KEY_COUNT])
{
    int key = 0;
    while (key < KEY_COUNT && (has[key] || !take_quoted(c, keys[key].name)))
        key++;
    return key;
}

static mien_status parse_header(cursor *c, header *h)
{
    bool has[KEY_COUNT] = {false};
    skip_spaces(c);
    if (!take(c, "{"))
        return fail_here(c, "{");
    for (bool has_comma = true; !take(c, "}"); has_comma = take(c, ",")) {
        if (!has_comma)
            return fail_here(c, ", or }");
        int key = take_key(c, has);
        if (key == KEY_COUNT)
            return fail_here(c, "'descr', 'fortran_order' and 'shape', each once");
        if (!take(c, ":"))
            return fail_here(c, ":");
        has[key] = true;
        TRY(keys[key].parse(c, h));
    }
    if (c->at < c->end)
        return fail_here(c, "nothing after the }");
    for (int key = 0; key < KEY_COUNT; key++)
        if (!has[key])
            return mien_fail(MIEN_ERR_FORMAT, "%s: header: no '%s'", c->name, keys[key].name);
    return MIEN_OK;
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

/* Sets the cursor to the header's text. */
static mien_status find_header(cursor *c, const uint8_t *bytes, size_t length, const char *name)
{
    if (length < MAGIC_BYTES + VERSION_BYTES || memcmp(bytes, magic, MAGIC_BYTES) != 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s", name,
                         length ? "not a NumPy array (wanted one that begins with \\x93NUMPY)" : "empty file");
    int major = bytes[MAGIC_BYTES], minor = bytes[MAGIC_BYTES + 1];
    if (major < 1 || major > 3 || minor != 0)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: NumPy format version %d.%d (wanted 1.0, 2.0 or 3.0)", name, major,
                         minor);
    size_t at = MAGIC_BYTES + VERSION_BYTES, field = major == 1 ? 2 : 4, header_bytes = 0;
    for (size_t i = 0; i < field && at + i < length; i++)
        header_bytes |= (size_t)bytes[at + i] << 8 * i;
    if (length < at + field || header_bytes > length - at - field)
        return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: header of %zu bytes in a file of %zu", name, at, header_bytes,
                         length);
    *c = (cursor){name, bytes, at + field, at + field + header_bytes};
    return MIEN_OK;
}

static void print_shape(char *dst, size_t bytes, const npy_array *a)
{
    size_t at = 0;
    dst[0] = '\0';
    for (int i = 0; i < a->rank && at < bytes; i++)
        at += (size_t)snprintf(dst + at, bytes - at, "%s%" PRId64, i ? "x" : "", a->dims[i]);
}

/* The numbers fill the file's rest exactly. */
static mien_status check_size(npy_array *a, size_t item_bytes, size_t data_bytes, const char *name)
{
    char shape[NPY_MAX_RANK * 21];
    size_t wanted;
    bool fits = true;
    a->count = 1;
    for (int i = 0; i < a->rank; i++)
        fits = fits && size_mul(&a->count, a->count, (size_t)a->dims[i]);
    if (fits && size_mul(&wanted, a->count, item_bytes) && wanted == data_bytes)
        return MIEN_OK;
    print_shape(shape, sizeof shape, a);
    return mien_fail(MIEN_ERR_FORMAT, "%s: %zu bytes of numbers (wanted %s of %zu bytes each)", name, data_bytes,
                     a->rank ? shape : "one", item_bytes);
}

mien_status npy_read_bytes(npy_array *out, const void *bytes, size_t length, const char *name)
{
    cursor c;
    header h = {0};
    TRY(find_header(&c, bytes, length, name));
    TRY(parse_header(&c, &h));
    npy_array a = h.shape;
    const uint8_t *data = (const uint8_t *)bytes + c.end;
    TRY(check_size(&a, h.item_bytes, length - c.end, name));
    TRY(mem_alloc(&a.values, a.count));
    if (h.item_bytes == sizeof(float) && a.count > 0)
        memcpy(a.values, data, a.count * sizeof(float));
    for (size_t i = 0; h.item_bytes == sizeof(double) && i < a.count; i++) {
        double value;
        memcpy(&value, data + i * sizeof value, sizeof value);
        a.values[i] = (float)value;
    }
    *out = a;
    return MIEN_OK;
}

mien_status npy_read(npy_array *out, const char *path)
{
    file_map map;
    TRY(file_map_open(&map, path));
    mien_status st = npy_read_bytes(out, map.data, map.length, path);
    file_map_close(&map);
    return st;
}

void npy_free(npy_array *a)
{
    mem_free(a->values);
    *a = (npy_array){0};
}

mien_status npy_write_header(file_writer *w, const int64_t *dims, int rank)
{
    str text = {0};
    mien_status st;
    TRY_OUT(str_append(&text, "{'descr': '<f4', 'fortran_order': False, 'shape': ("));
    for (int i = 0; i < rank; i++)
        TRY_OUT(str_printf(&text, i == 0 ? "%" PRId64 "," : i == 1 ? " %" PRId64 : ", %" PRId64, dims[i]));
    TRY_OUT(str_append(&text, "), }"));
    size_t before = MAGIC_BYTES + VERSION_BYTES + 2;
    size_t padded = size_align(before + text.length + 1, ALIGNMENT) - before; /* the numbers begin aligned */
    while (text.length + 1 < padded)
        TRY_OUT(str_append(&text, " "));
    TRY_OUT(str_append(&text, "\n"));
    const uint8_t lead[] = {1, 0, (uint8_t)text.length, (uint8_t)(text.length >> 8)};
    TRY_OUT(file_write_bytes(w, magic, MAGIC_BYTES));
    TRY_OUT(file_write_bytes(w, lead, sizeof lead));
    TRY_OUT(file_write_bytes(w, text.text, text.length));
out:
    str_free(&text);
    return st;
}
