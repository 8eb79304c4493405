/* The reader believes nothing: every header that lies about lengths, offsets or names is refused, cut files too, and
 * memory stays near the header's size. What is written reads back. */
#include "base/file.h"
#include "format/safetensors.h"
#include "no_memory.h"
#include "testing.h"

#include <sys/resource.h>

/* A file in memory: 8 bytes of length, `header`, then data bytes counting up from 0. Freed by the caller. */
static uint8_t *make_file(size_t *length, const char *header, size_t data_bytes)
{
    uint64_t header_bytes = strlen(header);
    uint8_t *bytes;
    *length = 8 + (size_t)header_bytes + data_bytes;
    assert_ok(mem_alloc(&bytes, *length)); /* exact, so that ASan sees one byte too far */
    memcpy(bytes, &header_bytes, 8);
    memcpy(bytes + 8, header, header_bytes);
    for (size_t i = 0; i < data_bytes; i++)
        bytes[8 + header_bytes + i] = (uint8_t)i;
    return bytes;
}

static void assert_refused(const char *header, size_t data_bytes, const char *part)
{
    size_t length;
    uint8_t *bytes = make_file(&length, header, data_bytes);
    st_file *f = NULL;
    assert_failure(st_open_bytes(&f, bytes, length, "m.safetensors"), MIEN_ERR_FORMAT, part);
    assert_true(strncmp(mien_error(), "m.safetensors: ", 15) == 0);
    assert_null(f);
    mem_free(bytes);
}

static st_file *open_good(uint8_t **bytes, const char *header, size_t data_bytes)
{
    size_t length;
    st_file *f;
    *bytes = make_file(&length, header, data_bytes);
    assert_ok(st_open_bytes(&f, *bytes, length, "m.safetensors"));
    return f;
}

static void st_open__good_file__is_read(void **state)
{
    (void)state;
    uint8_t *bytes;
    st_file *f =
        open_good(&bytes,
                  " {\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]},\n"
                  "\"__metadata__\":{\"format\":\"pt\",\"k\\u00e9y\\n\":\"\\ud83d\\ude00 \\\"q\\\" \\\\ \\/ \\t\"},"
                  "\"empty\":{\"data_offsets\":[8,8],\"shape\":[0,7],\"dtype\":\"BOOL\"},\t"
                  "\"a\":{\"shape\":[],\"dtype\":\"I64\",\"data_offsets\":[0,8]}}   ",
                  16);
    assert_int_equal(st_count(f), 3);
    assert_string_equal(st_at(f, 0)->name, "a");
    assert_string_equal(st_at(f, 1)->name, "empty");
    assert_string_equal(st_at(f, 2)->name, "b");
    const st_tensor *b = st_find(f, "b"), *a = st_find(f, "a"), *empty = st_find(f, "empty");
    assert_ptr_equal(b, st_at(f, 2));
    assert_int_equal(b->dtype, ST_F32);
    assert_int_equal(b->rank, 2);
    assert_int_equal(b->dims[0], 2);
    assert_int_equal(b->dims[1], 1);
    assert_int_equal(b->bytes, 8);
    static const uint8_t wanted[8] = {8, 9, 10, 11, 12, 13, 14, 15};
    assert_memory_equal(b->data, wanted, 8);
    assert_int_equal(a->rank, 0);
    assert_int_equal(a->bytes, 8);
    assert_int_equal(*(const int64_t *)a->data, 0x0706050403020100);
    assert_int_equal(empty->bytes, 0);
    assert_null(st_find(f, "c"));
    assert_null(st_find(f, ""));
    assert_int_equal(st_meta_count(f), 2);
    assert_string_equal(st_meta(f, "format"), "pt");
    assert_string_equal(st_meta_at(f, 1).key, "k\xC3\xA9y\n");
    assert_string_equal(st_meta_at(f, 1).value, "\xF0\x9F\x98\x80 \"q\" \\ / \t");
    assert_null(st_meta(f, "gone"));
    st_close(f);
    mem_free(bytes);
    st_close(NULL);
}

static void st_open__empty_header__has_nothing(void **state)
{
    (void)state;
    uint8_t *bytes;
    st_file *f = open_good(&bytes, "{}", 0);
    assert_int_equal(st_count(f), 0);
    assert_int_equal(st_meta_count(f), 0);
    assert_null(st_find(f, "a"));
    st_close(f);
    mem_free(bytes);
}

/* Old writers did not pad the header: then every tensor lies at an odd address, and must still be readable as its type.
 */
static void st_open__odd_places__are_aligned(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[3,19]},"
        "\"h\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[19,21]}}",
        "{\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[3,19]},"
        "\"h\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[19,21]}} ",
    };
    for (int i = 0; i < 2; i++) {
        uint8_t *bytes, wanted[16];
        st_file *f = open_good(&bytes, headers[i], 21);
        const st_tensor *d = st_find(f, "d"), *h = st_find(f, "h");
        assert_int_equal((uintptr_t)d->data % 8, 0);
        assert_int_equal((uintptr_t)h->data % 2, 0);
        for (uint8_t k = 0; k < 16; k++)
            wanted[k] = (uint8_t)(k + 3);
        assert_memory_equal(d->data, wanted, 16);
        assert_int_equal(*(const uint16_t *)h->data, 0x1413);
        assert_string_equal(st_at(f, 2)->name, "h");
        st_close(f);
        mem_free(bytes);
    }
}

#define ONE(fields) "{\"w\":{" fields "}}"
#define W(dtype, shape, offsets) ONE("\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets)

static void st_open__bad_headers__are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *part;
    } bad[] = {
        /* not such a file at all */
        {"", 0, "byte 8: not a safetensors header (wanted '{')"},
        {"[]", 0, "byte 8: not a safetensors header (wanted '{')"},
        {"{", 0, "byte 9: not a safetensors header (wanted '\"')"},
        {"{} {}", 0, "byte 11: text after the header"},
        {"{},", 0, "byte 10: text after the header"},
        {"{\"w\":1}", 0, "byte 13: not a safetensors header (wanted '{')"},
        {"{\"w\" {}}", 0, "byte 13: not a safetensors header (wanted ':')"},
        /* strings */
        {"{\"w", 0, "string never closed"},
        {"{\"w\n\":1}", 0, "control character in a string"},
        {"{\"\\x\":1}", 0, "unknown escape in a string"},
        {"{\"\\", 0, "unknown escape in a string"},
        {"{\"\\u12", 0, "damaged \\u escape"},
        {"{\"\\u12g4\":1}", 0, "damaged \\u escape"},
        {"{\"\\ud800\":1}", 0, "half a \\u pair"},
        {"{\"\\ud800\\u0041\":1}", 0, "half a \\u pair"},
        {"{\"\\ude00\":1}", 0, "half a \\u pair"},
        {"{\"a\\u0000b\":1}", 0, "NUL in a string"},
        {"{\"\xFF\":1}", 0, "byte 10: string is not UTF-8"},
        /* numbers */
        {W("U8", "[-1]", "[0,0]"), 0, "not a whole number of 0 or more"},
        {W("U8", "[1.5]", "[0,0]"), 0, "not a whole number of 0 or more"},
        {W("U8", "[1e3]", "[0,0]"), 0, "not a whole number of 0 or more"},
        {W("U8", "[01]", "[0,1]"), 1, "not a whole number of 0 or more"},
        {W("U8", "[null]", "[0,0]"), 0, "not a whole number of 0 or more"},
        {W("U8", "[9223372036854775808]", "[0,0]"), 0, "number beyond 2^63"},
        {W("U8", "[1", ""), 1, "not a whole number"},
        {"{\"w\":{\"shape\":[1}}", 1, "wanted ']'"},
        {W("U8", "[1,]", "[0,1]"), 1, "not a whole number"},
        /* a tensor's fields */
        {ONE("\"dtype\":\"U8\",\"shape\":[1]"), 1, "tensor w: data_offsets: missing"},
        {ONE("\"dtype\":\"U8\",\"data_offsets\":[0,1]"), 1, "tensor w: shape: missing"},
        {ONE("\"shape\":[1],\"data_offsets\":[0,1]"), 1, "tensor w: dtype: missing"},
        {"{\"w\":{}}", 0, "tensor w: dtype: missing"},
        {ONE("\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]"), 1,
         "tensor w: repeated key 'dtype'"},
        {ONE("\"dtype\":\"U8\",\"strides\":[1]"), 1, "tensor w: unknown key 'strides'"},
        {W("F31", "[1]", "[0,4]"), 4, "tensor w: unknown dtype F31"},
        {W("f32", "[1]", "[0,4]"), 4, "tensor w: unknown dtype f32"},
        {W("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, "tensor w: too many dimensions (wanted at most 8)"},
        {W("U8", "[1]", "[0]"), 1, "wanted ','"},
        {W("U8", "[1]", "[0,1,1]"), 1, "tensor w: more than two data offsets"},
        {W("U8", "[1]", "[1,0]"), 1, "tensor w: data ends before it begins"},
        {W("U8", "[2]", "[0,2]"), 1, "tensor w: data end 2 exceeds file (wanted at most 1; cut short?)"},
        {W("U8", "[1]", "[9223372036854775806,9223372036854775807]"), 1, "exceeds file"},
        {W("U8", "[2]", "[0,1]"), 1, "tensor w: 1 bytes of data (wanted 2, by shape and dtype)"},
        {W("F32", "[1]", "[0,1]"), 1, "tensor w: 1 bytes of data (wanted 4, by shape and dtype)"},
        {W("F64", "[4611686018427387904,2]", "[0,0]"), 0, "tensor w: shape exceeds file"},
        {W("F64", "[4294967296,4294967296]", "[0,0]"), 0, "tensor w: shape exceeds file"},
        /* the file as a whole */
        {W("U8", "[1]", "[0,1]"), 2, "data offset 1: 1 bytes that belong to no tensor"},
        {W("U8", "[1]", "[1,2]"), 2, "data offset 0: 1 bytes that belong to no tensor"},
        {"{}", 1, "data offset 0: 1 bytes that belong to no tensor"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3, "tensor b: data overlaps that of a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
         2, "tensor b: data overlaps that of a"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}",
         3, "data offset 1: 1 bytes that belong to no tensor"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
         2, "tensor a: name repeated"},
        /* metadata */
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ repeated"},
        {"{\"__metadata__\":{\"k\":\"1\",\"l\":\"2\",\"k\":\"3\"}}", 0, "__metadata__: key 'k' repeated"},
        {"{\"__metadata__\":{\"k\":1}}", 0, "wanted '\"'"},
        {"{\"__metadata__\":[]}", 0, "wanted '{'"},
        {"{\"__metadata__\":null}", 0, "wanted '{'"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(bad[i].header, bad[i].data_bytes, bad[i].part);
}

static void st_open__lying_length__is_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        const char *part;
    } lies[] = {
        {1ull << 60, "byte 0: header length 1152921504606846976 exceeds file (wanted at most 2)"},
        {UINT64_MAX, "byte 0: header length 18446744073709551615 exceeds file"},
        {UINT64_MAX - 7, "exceeds file"},
        {3, "byte 0: header length 3 exceeds file (wanted at most 2)"},
    };
    st_file *f = NULL;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        uint8_t bytes[10] = "........{}";
        memcpy(bytes, &lies[i].length, 8);
        assert_failure(st_open_bytes(&f, bytes, sizeof(bytes), "m"), MIEN_ERR_FORMAT, lies[i].part);
    }
    for (size_t length = 0; length < 8; length++)
        assert_failure(st_open_bytes(&f, "\2\0\0\0\0\0\0\0{}", length, "m"), MIEN_ERR_FORMAT, "not a safetensors file");
    assert_null(f);
}

static void st_open__cut_anywhere__is_refused(void **state)
{
    (void)state;
    size_t length;
    uint8_t *bytes = make_file(&length,
                               "{\"__metadata__\":{\"a\":\"b\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,2],"
                               "\"data_offsets\":[0,16]}}",
                               16);
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *part;
        st_file *f = NULL;
        assert_ok(mem_alloc(&part, cut)); /* exact: ASan watches its end */
        memcpy(part, bytes, cut);
        assert_int_equal(st_open_bytes(&f, part, cut, "cut"), MIEN_ERR_FORMAT);
        if (cut > 8) { /* and with a length that fits what is left */
            uint64_t left = cut - 8;
            memcpy(part, &left, 8);
            assert_int_equal(st_open_bytes(&f, part, cut, "cut"), MIEN_ERR_FORMAT);
        }
        assert_null(f);
        mem_free(part);
    }
    mem_free(bytes);
}

static void st_open__files__name_the_path(void **state)
{
    (void)state;
    char folder[1024], path[1100];
    st_file *f = NULL;
    temp_folder_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/x", folder);
    assert_failure(st_open(&f, path), MIEN_ERR_IO, "/x: cannot open: No such file");
    assert_failure(st_open(&f, folder), MIEN_ERR_IO, "is a folder");
    assert_ok(file_write_all(path, "", 0));
    assert_failure(st_open(&f, path), MIEN_ERR_FORMAT, "/x: not a safetensors file (0 bytes, wanted at least 8)");
    assert_null(f);
    temp_folder_remove(folder);
}

static long peak_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* Memory follows the header's own size: neither deep nesting nor many tiny items make it a multiple. */
static void st_open__large_hostile_headers__stay_small(void **state)
{
    (void)state;
    enum { BYTES = 8 << 20 };
    static const char *const starts[] = {"{\"w\":[[[[",
                                         "{\"__metadata__\":{\"k\":{\"a\":", "{\"w\":{\"dtype\":\"U8\",\"shape\":[0",
                                         "{\"__metadata__\":{\"a\":\"\""};
    static const char *const repeats[] = {"[", "{\"a\":", ",0", ",\"a\":\"\""};
    uint8_t *bytes;
    assert_ok(mem_alloc(&bytes, 8 + BYTES));
    memset(bytes, ' ', 8 + BYTES);
    long before = peak_kib();
    for (int i = 0; i < 4; i++) {
        size_t unit = strlen(repeats[i]), at = 8 + strlen(starts[i]);
        uint64_t header_bytes = BYTES;
        memcpy(bytes, &header_bytes, 8);
        memcpy(bytes + 8, starts[i], strlen(starts[i]));
        for (; at + unit <= 8 + BYTES; at += unit)
            memcpy(bytes + at, repeats[i], unit);
        st_file *f = NULL;
        assert_int_equal(st_open_bytes(&f, bytes, 8 + BYTES, "big"), MIEN_ERR_FORMAT);
    }
#ifdef __SANITIZE_ADDRESS__ /* which puts bytes of its own around each, and keeps what was freed */
    assert_in_range(peak_kib() - before, 0, 32 * 1024);
#else
    assert_in_range(peak_kib() - before, 0, 8 * 1024);
#endif
    mem_free(bytes);
}

/* 20,000 tensors, and each is found: a linear search or a quadratic check would show in the test's time. */
static void st_write__many_tensors__come_back(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static char names[COUNT][24];
    static st_tensor tensors[COUNT];
    static float values[COUNT];
    char folder[1024], path[1100];
    temp_folder_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/m.safetensors", folder);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "layer.%d.weight", i * 7919 % COUNT);
        values[i] = (float)i;
        tensors[i] =
            (st_tensor){.name = names[i], .dtype = ST_F32, .rank = 1, .dims = {1}, .data = &values[i], .bytes = 4};
    }
    assert_ok(st_write(path, tensors, COUNT, NULL, 0));
    st_file *f;
    assert_ok(st_open(&f, path));
    assert_int_equal(st_count(f), COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(st_at(f, (size_t)i)->name, names[i]);
        assert_true(*(const float *)st_find(f, names[i])->data == (float)i);
    }
    st_close(f);
    temp_folder_remove(folder);
}

static void st_write__read_back__is_the_same(void **state)
{
    (void)state;
    char folder[1024], path[1100], again[1100];
    temp_folder_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/m", folder);
    snprintf(again, sizeof(again), "%s/n", folder);
    static const float weight[6] = {1, -2, 3.5f, 0, 5, 6};
    static const uint8_t mask[3] = {1, 0, 1};
    static const int64_t step = 42;
    const st_tensor tensors[] = {
        {.name = "conv.weight", .dtype = ST_F32, .rank = 2, .dims = {2, 3}, .data = weight, .bytes = 24},
        {.name = "mask \"\\\t\xC3\xA9", .dtype = ST_BOOL, .rank = 1, .dims = {3}, .data = mask, .bytes = 3},
        {.name = "step", .dtype = ST_I64, .data = &step, .bytes = 8},
        {.name = "none", .dtype = ST_F16, .rank = 2, .dims = {0, 5}, .data = NULL, .bytes = 0},
    };
    const st_metadata metadata[] = {{"mien", "{\"version\":1}\n"}, {"format", "pt"}};
    assert_ok(st_write(path, tensors, 4, metadata, 2));
    assert_ok(st_write(again, tensors, 4, metadata, 2));
    file_map one, two;
    assert_ok(file_map_open(&one, path));
    assert_ok(file_map_open(&two, again));
    assert_int_equal(one.length, two.length);
    assert_memory_equal(one.data, two.data, one.length);
    uint64_t header_bytes;
    memcpy(&header_bytes, one.data, 8);
    assert_int_equal(header_bytes % 8, 0);
    assert_int_equal(one.length, 8 + header_bytes + 24 + 3 + 8);
    file_map_close(&one);
    file_map_close(&two);
    st_file *f;
    assert_ok(st_open(&f, path));
    assert_int_equal(st_count(f), 4);
    for (size_t i = 0; i < 4; i++) {
        const st_tensor *t = st_find(f, tensors[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, tensors[i].dtype);
        assert_int_equal(t->rank, tensors[i].rank);
        assert_memory_equal(t->dims, tensors[i].dims, sizeof(t->dims));
        assert_int_equal(t->bytes, tensors[i].bytes);
        if (t->bytes > 0)
            assert_memory_equal(t->data, tensors[i].data, t->bytes);
    }
    assert_string_equal(st_meta(f, "mien"), metadata[0].value);
    assert_string_equal(st_meta_at(f, 1).key, "format");
    st_close(f);
    temp_folder_remove(folder);
}

static void st_write__what_cannot_be_read__is_refused(void **state)
{
    (void)state;
    char folder[1024], path[1100];
    temp_folder_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/m", folder);
    static const float x[2] = {0};
    const st_tensor good = {.name = "w", .dtype = ST_F32, .rank = 1, .dims = {2}, .data = x, .bytes = 8};
    st_tensor bad[2] = {good, good};
    assert_failure(st_write(path, bad, 2, NULL, 0), MIEN_ERR_ARG, "w: name repeated");
    bad[0].bytes = 4;
    assert_failure(st_write(path, bad, 1, NULL, 0), MIEN_ERR_ARG, "tensor w: 4 bytes do not match");
    bad[0] = good;
    bad[0].dims[0] = -2;
    assert_failure(st_write(path, bad, 1, NULL, 0), MIEN_ERR_ARG, "tensor w: dimension -2");
    bad[0] = good;
    bad[0].rank = 9;
    assert_failure(st_write(path, bad, 1, NULL, 0), MIEN_ERR_ARG, "9 dimensions (wanted at most 8)");
    bad[0] = good;
    bad[0].name = "__metadata__";
    assert_failure(st_write(path, bad, 1, NULL, 0), MIEN_ERR_ARG, "not a possible name");
    bad[0].name = "\xFF";
    assert_failure(st_write(path, bad, 1, NULL, 0), MIEN_ERR_ARG, "not a possible name");
    const st_metadata twice[] = {{"k", "1"}, {"k", "2"}}, binary[] = {{"k", "\xFF"}};
    assert_failure(st_write(path, &good, 1, twice, 2), MIEN_ERR_ARG, "k: name repeated");
    assert_failure(st_write(path, &good, 1, binary, 1), MIEN_ERR_ARG, "metadata k: not UTF-8");
    assert_false(file_exists(path));
    temp_folder_remove(folder);
}

typedef struct {
    const char *path;
    const st_tensor *tensors;
    size_t count;
} write_case;

static mien_status write_and_read(void *context)
{
    const write_case *c = context;
    const st_metadata metadata[] = {{"a", "b"}, {"c", "d"}};
    TRY(st_write(c->path, c->tensors, c->count, metadata, 2));
    st_file *f;
    TRY(st_open(&f, c->path));
    mien_status st = st_count(f) == c->count && st_find(f, "t70") ? MIEN_OK : mien_fail(MIEN_ERR_INTERNAL, "lost one");
    st_close(f);
    return st;
}

static void st__no_memory__is_told(void **state)
{
    (void)state;
    enum { COUNT = 71 };
    char folder[1024], path[1100], names[COUNT][16];
    static const uint8_t bytes[3] = {1, 2, 3};
    static const float number = 1;
    st_tensor tensors[COUNT];
    temp_folder_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/m", folder);
    for (int i = 0; i < COUNT; i++) { /* odd and even sizes: some are copied to be aligned; 71 make the table grow */
        snprintf(names[i], sizeof(names[i]), "t%d", i);
        tensors[i] =
            i % 2 ? (st_tensor){.name = names[i], .dtype = ST_F32, .data = &number, .bytes = 4}
                  : (st_tensor){.name = names[i], .dtype = ST_U8, .rank = 1, .dims = {3}, .data = bytes, .bytes = 3};
    }
    write_case c = {path, tensors, COUNT};
    fail_each_allocation(write_and_read, &c);
    temp_folder_remove(folder);
}

static void st_dtype__names_and_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < ST_DTYPE_COUNT; i++) {
        const char *name = st_dtype_name((st_dtype)i);
        size_t bytes = st_dtype_bytes((st_dtype)i), digits = strcspn(name, "0123456789");
        assert_int_equal(bytes, i == ST_BOOL ? 1 : (size_t)atoi(name + digits) / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(st_open__large_hostile_headers__stay_small), /* first: it reads the peak of memory */
        cmocka_unit_test(st_open__good_file__is_read),
        cmocka_unit_test(st_open__empty_header__has_nothing),
        cmocka_unit_test(st_open__odd_places__are_aligned),
        cmocka_unit_test(st_open__bad_headers__are_refused),
        cmocka_unit_test(st_open__lying_length__is_refused),
        cmocka_unit_test(st_open__cut_anywhere__is_refused),
        cmocka_unit_test(st_open__files__name_the_path),
        cmocka_unit_test(st_write__many_tensors__come_back),
        cmocka_unit_test(st_write__read_back__is_the_same),
        cmocka_unit_test(st_write__what_cannot_be_read__is_refused),
        cmocka_unit_test(st__no_memory__is_told),
        cmocka_unit_test(st_dtype__names_and_sizes),
    };
    return cmocka_run_group_tests_name("format/safetensors", tests, NULL, NULL);
}
