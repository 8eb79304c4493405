/* What torch.save wrote has the same values through every container; archives made for the purpose (bombs, overlaps,
 * lying directories) are refused before they cost anything. */
#include "format/tensor_file.h"

#include "base/file.h"
#include "no_memory.h"
#include "testing.h"

#include <sys/resource.h>
#include <zlib.h>

#define FIXTURES MIEN_SOURCE_DIR "/tests/fixtures/format/"

/* --- what torch.save wrote ---------------------------------------------------------------------------------------- */

static void assert_holds(const char *path, const char *format, size_t count)
{
    tensor_file *f, *wanted;
    assert_ok(tensor_file_open(&f, path));
    assert_ok(tensor_file_open(&wanted, FIXTURES "wanted.safetensors"));
    assert_string_equal(tensor_file_format(f), format);
    assert_string_equal(tensor_file_format(wanted), "safetensors");
    assert_int_equal(tensor_file_count(f), count);
    for (size_t i = 0; i < count; i++) {
        const st_tensor *t = tensor_file_at(f, i), *w = tensor_file_find(wanted, t->name);
        assert_non_null(w);
        assert_ptr_equal(tensor_file_find(f, t->name), t);
        assert_int_equal(t->dtype, w->dtype);
        assert_int_equal(t->rank, w->rank);
        assert_int_equal(t->bytes, w->bytes);
        assert_memory_equal(t->dims, w->dims, sizeof t->dims);
        uint8_t *bytes = malloc(t->bytes + 1);
        assert_non_null(bytes);
        bytes[t->bytes] = 0xA5;
        assert_ok(tensor_file_read(bytes, f, t));
        if (t->bytes > 0)
            assert_memory_equal(bytes, w->data, t->bytes);
        assert_int_equal(bytes[t->bytes], 0xA5);
        free(bytes);
    }
    assert_null(tensor_file_find(f, "note"));
    assert_null(tensor_file_meta(f, "mien"));
    tensor_file_close(wanted);
    tensor_file_close(f);
    tensor_file_close(NULL);
}

static void tensor_file__torch_save__holds_the_same_values(void **state)
{
    (void)state;
    assert_holds(FIXTURES "wanted.safetensors", "safetensors", 28);
    assert_holds(FIXTURES "zip_2.15.pth", "pytorch zip", 28);
    assert_holds(FIXTURES "legacy_2.15.pth", "pytorch legacy", 28);
    assert_holds(FIXTURES "zip_1.13.pth", "pytorch zip", 23);
    assert_holds(FIXTURES "legacy_1.13.pth", "pytorch legacy", 23);
}

static void prefixed(void *payload, char *dst, size_t bytes, const char *name)
{
    snprintf(dst, bytes, "%s%s", (const char *)payload, name);
}

static void all_one(void *payload, char *dst, size_t bytes, const char *name)
{
    (void)payload;
    (void)name;
    snprintf(dst, bytes, "same");
}

static void tensor_file__rename__is_found_by_the_new_name(void **state)
{
    (void)state;
    static const char *const files[] = {FIXTURES "zip_1.13.pth", FIXTURES "wanted.safetensors"};
    for (int i = 0; i < 2; i++) {
        tensor_file *f;
        float got[2];
        char first[] = "first.", second[] = "second.", none[] = "";
        assert_ok(tensor_file_open(&f, files[i]));
        assert_ok(tensor_file_rename(f, prefixed, first));
        assert_failure(tensor_file_rename(f, all_one, NULL), MIEN_ERR_FORMAT, "tensor same: name repeated");
        assert_ok(tensor_file_rename(f, prefixed, second)); /* from its own name again */
        assert_null(tensor_file_find(f, "parameter"));
        assert_null(tensor_file_find(f, "second.first.parameter"));
        assert_ok(tensor_file_read(got, f, tensor_file_find(f, "second.parameter")));
        assert_true(got[0] == 0.25f && got[1] == -3.0f);
        assert_ok(tensor_file_rename(f, prefixed, none));
        assert_non_null(tensor_file_find(f, "parameter"));
        tensor_file_close(f);
    }
}

static void tensor_file__other_content__says_what_is_wanted(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *fault;
        size_t length;
    } cases[] = {
        {"", "x.pth: empty (wanted safetensors, or what torch.save wrote)", 0},
        {"some text, no tensors", "x.pth: no file of tensors (wanted safetensors, or what torch.save wrote)", 21},
        {"\x89HDF\r\n\x1a\n....", "x.pth: no file of tensors (wanted", 12},
        {"\x80\x04}.", "x.pth: a pickle, but not of torch.save (wanted", 4},
        {"version https://git-lfs.github.com/spec/v1\noid", "x.pth: a Git LFS pointer, not the file itself", 46},
        {"version https://git-lfs", "x.pth: no file of tensors", 23},
        {"<!DOCTYPE html><html>", "x.pth: an HTML page (a download that", 21},
        {"\xEF\xBB\xBF\r\n  <HTML lang", "x.pth: an HTML page", 17},
        {" \n\t ", "x.pth: no file of tensors", 4},
        {"<!doctype htm", "x.pth: no file of tensors", 13},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tensor_file *f = NULL;
        assert_failure(tensor_file_open_bytes(&f, cases[i].bytes, cases[i].length, "x.pth"), MIEN_ERR_FORMAT,
                       cases[i].fault);
        assert_null(f);
    }
}

/* --- archives made for the purpose -------------------------------------------------------------------------------- */

typedef struct {
    uint8_t bytes[1 << 18];
    size_t length, directory, entries;
    struct {
        const char *name;
        size_t at, packed, stated;
        uint32_t crc;
        int method;
    } entry[16];
} archive;

static archive zip;

static void put(uint64_t number, int size)
{
    for (int i = 0; i < size; i++)
        zip.bytes[zip.length++] = (uint8_t)(number >> (8 * i));
}

static void put_bytes(const void *bytes, size_t count)
{
    memcpy(zip.bytes + zip.length, bytes, count);
    zip.length += count;
}

static void put_header(size_t i, bool is_central)
{
    put_bytes(is_central ? "PK\1\2\24\0\24\0\0\0" : "PK\3\4\24\0\0\0", is_central ? 10 : 8);
    put((uint64_t)zip.entry[i].method, 2);
    put(0, 4);
    put(zip.entry[i].crc, 4);
    put(zip.entry[i].packed, 4);
    put(zip.entry[i].stated, 4);
    put(strlen(zip.entry[i].name), 2);
    put(0, 2);
    if (is_central) {
        put(0, 8);
        put(0, 2);
        put(zip.entry[i].at, 4);
    }
    put_bytes(zip.entry[i].name, strlen(zip.entry[i].name));
}

/* An entry whose content is `bytes`, deflated where method is 8. */
static void add(const char *name, const void *bytes, size_t count, int method)
{
    size_t i = zip.entries++;
    uLongf packed = (uLongf)count;
    uint8_t *content = malloc(compressBound((uLong)count) + 1);
    assert_non_null(content);
    memcpy(content, bytes, count);
    if (method == 8) {
        z_stream s = {.next_in = (z_const Bytef *)bytes, .avail_in = (uInt)count, .next_out = content};
        s.avail_out = (uInt)compressBound((uLong)count);
        assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
        packed = s.total_out;
        deflateEnd(&s);
    }
    zip.entry[i].name = name;
    zip.entry[i].at = zip.length;
    zip.entry[i].packed = packed;
    zip.entry[i].stated = count;
    zip.entry[i].crc = (uint32_t)crc32(0, bytes, (uInt)count);
    zip.entry[i].method = method;
    put_header(i, false);
    put_bytes(content, packed);
    free(content);
}

static void put_directory(void)
{
    zip.directory = zip.length;
    for (size_t i = 0; i < zip.entries; i++)
        put_header(i, true);
}

static void put_end(uint64_t directory_bytes, uint64_t directory_at)
{
    put_bytes("PK\5\6\0\0\0\0", 8);
    put(zip.entries, 2);
    put(zip.entries, 2);
    put(directory_bytes, 4);
    put(directory_at, 4);
    put(0, 2);
}

static void finish(void)
{
    put_directory();
    put_end(zip.length - zip.directory, zip.directory);
}

/* {'w': a float32 tensor [2, 3] in storage '0' of six elements} */
static const char pickle[] = "\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"
                             "((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"
                             "0X\x03\x00\x00\x00"
                             "cpuK\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tRs.";
/* The same of 2^27 elements. */
static const char large_pickle[] = "\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"
                                   "((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"
                                   "0X\x03\x00\x00\x00"
                                   "cpuJ\x00\x00\x00\x08tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tRs.";
static const float values[6] = {1, 2, 3, 4, 5, 6};

static void begin(void)
{
    zip.length = zip.entries = 0;
}

/* A good archive but for what the caller adds and finishes. */
static void begin_good(void)
{
    begin();
    add("a/data.pkl", pickle, sizeof pickle - 1, 0);
    add("a/data/0", values, sizeof values, 0);
}

/* Reads all that an archive has. */
static mien_status read_all(const void *bytes, size_t length)
{
    static float room[64];
    tensor_file *f;
    TRY(tensor_file_open_bytes(&f, bytes, length, "x.pth"));
    mien_status st = MIEN_OK;
    for (size_t i = 0; i < tensor_file_count(f) && st == MIEN_OK; i++)
        if (tensor_file_at(f, i)->bytes <= sizeof room)
            st = tensor_file_read(room, f, tensor_file_at(f, i));
    tensor_file_close(f);
    return st;
}

static void assert_refused(const char *part)
{
    uint8_t *exact = malloc(zip.length);
    assert_non_null(exact);
    memcpy(exact, zip.bytes, zip.length);
    assert_failure(read_all(exact, zip.length), MIEN_ERR_FORMAT, part);
    assert_true(strncmp(mien_error(), "x.pth: ", 7) == 0);
    assert_null(strchr(mien_error(), '\n'));
    free(exact);
}

static void torch_zip__good_archive__is_read(void **state)
{
    (void)state;
    tensor_file *f;
    float got[6] = {0};
    begin_good();
    add("a/byteorder", "little", 6, 0);
    finish();
    assert_ok(tensor_file_open_bytes(&f, zip.bytes, zip.length, "x.pth"));
    assert_ok(tensor_file_read(got, f, tensor_file_find(f, "w")));
    assert_memory_equal(got, values, sizeof values);
    tensor_file_close(f);
}

static void torch_zip__packed_anew__is_read(void **state)
{
    (void)state;
    tensor_file *f;
    float got[6] = {0};
    begin();
    add("a/data.pkl", pickle, sizeof pickle - 1, 8);
    add("a/data/0", values, sizeof values, 8);
    add("a/byteorder", "little", 6, 8);
    finish();
    assert_ok(tensor_file_open_bytes(&f, zip.bytes, zip.length, "x.pth"));
    assert_ok(tensor_file_read(got, f, tensor_file_find(f, "w")));
    assert_memory_equal(got, values, sizeof values);
    assert_null(tensor_file_choice(f));
    tensor_file_close(f);
}

static void torch_zip__what_is_missing__is_named(void **state)
{
    (void)state;
    begin();
    add("a/data.txt", "x", 1, 0);
    finish();
    assert_refused("x.pth: a zip archive, but not one of PyTorch (no data.pkl in its folder)");
    begin();
    add("a/data.pkl", pickle, sizeof pickle - 1, 0);
    finish();
    assert_refused("x.pth: a/data/0: not in the archive");
    begin_good();
    add("b/data.pkl", pickle, sizeof pickle - 1, 0);
    finish();
    assert_refused("x.pth: two pickles, a/data.pkl and b/data.pkl");
    begin();
    add("a/data.pkl", pickle, sizeof pickle - 1, 0);
    add("a/data/0", values, sizeof values - 4, 0);
    finish();
    assert_refused("x.pth: tensor w: its storage has 20 bytes (wanted 6 elements of F32)");
    begin_good();
    add("a/byteorder", "big", 3, 0);
    finish();
    assert_failure(read_all(zip.bytes, zip.length), MIEN_ERR_UNSUPPORTED, "x.pth: a/byteorder: big (wanted little)");
    begin();
    add("a/data.pkl", "\x80\x02}X\1\0\0\0aK\1s.", 13, 0);
    finish();
    assert_refused("x.pth: a/data.pkl: no state dict (wanted a dict of tensors, or one under state_dict or model)");
    begin_good();
    finish();
    zip.bytes[zip.entry[1].at + 30 + strlen("a/data/0")] ^= 1;
    assert_refused("x.pth: a/data/0: CRC error");
}

static void torch_zip__hostile_names__are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"../../etc/passwd", "a/../../x", "/etc/passwd", "a/..", "a\\..\\x"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "x.pth: entry %s: a path that leaves its folder", names[i]);
        begin_good();
        add(names[i], "x", 1, 0);
        finish();
        assert_refused(wanted);
    }
    begin_good();
    add("a/..data/..x..", "x", 1, 0); /* dots alone leave nothing */
    finish();
    assert_ok(read_all(zip.bytes, zip.length));
}

static void torch_zip__bombs__do_not_go_off(void **state)
{
    (void)state;
    enum { LARGE = 64 << 20 };
    uint8_t *zeros = calloc(1, LARGE);
    assert_non_null(zeros);
    begin();
    add("a/data.pkl", zeros, LARGE, 8);
    add("a/data/0", values, sizeof values, 0);
    finish();
    assert_refused("x.pth: a/data.pkl: too large (wanted at most 16777216 bytes)");
    begin(); /* the same, and it says that it is small */
    add("a/data.pkl", zeros, LARGE, 8);
    zip.entry[0].stated = 100;
    memcpy(zip.bytes + 22, "\144\0\0\0", 4);
    add("a/data/0", values, sizeof values, 0);
    finish();
    assert_refused("x.pth: a/data.pkl: ");
    begin();
    add("a/data.pkl", pickle, sizeof pickle - 1, 0);
    add("a/data/0", zeros, LARGE, 8);
    finish();
    assert_refused("x.pth: a/data/0: compressed, 67108864 bytes (wanted 24, and at most 268435456, or stored)");
    begin(); /* and one that the pickle says to be that large: a tensor of two of its 2^27 numbers */
    add("a/data.pkl", large_pickle, sizeof large_pickle - 1, 0);
    add("a/data/0", zeros, LARGE, 8);
    zip.entry[1].stated = 4u << 27;
    memcpy(zip.bytes + zip.entry[1].at + 22, "\0\0\0\x20", 4);
    finish();
    assert_refused("x.pth: a/data/0: compressed, 536870912 bytes (wanted 536870912, and at most 268435456, or stored)");
    begin(); /* it says that it is small, and is not */
    add("a/data.pkl", pickle, sizeof pickle - 1, 0);
    add("a/data/0", zeros, LARGE, 8);
    zip.entry[1].stated = sizeof values;
    memcpy(zip.bytes + zip.entry[1].at + 22, "\30\0\0\0", 4);
    finish();
    assert_refused("x.pth: a/data/0: ");
    free(zeros);
    /* a tuple of 10 GB, as its entry says */
    begin();
    add("a/data.pkl", "(NNNNNNNNt.", 11, 0);
    zip.entry[0].stated = zip.entry[0].packed = 0xF0000000u;
    memcpy(zip.bytes + 18, "\0\0\0\xF0\0\0\0\xF0", 8);
    finish();
    assert_refused("x.pth: ");
}

static void torch_zip__overlapping_entries__are_refused(void **state)
{
    (void)state;
    begin_good(); /* one content under two names */
    zip.entries = 3;
    zip.entry[2] = zip.entry[1];
    zip.entry[2].name = "a/data/1";
    finish();
    assert_refused("x.pth: not a readable zip archive: Zip archive inconsistent");
    begin_good(); /* one entry listed twice */
    zip.entries = 3;
    zip.entry[2] = zip.entry[1];
    finish();
    assert_refused("x.pth: not a readable zip archive: File already exists");
    begin(); /* each entry's content holds the entries after it: more content than there are bytes */
    static const char *const names[] = {"a/0", "a/1", "a/2", "a/3", "a/4", "a/5", "a/6", "a/7", "a/8", "a/9"};
    for (int i = 0; i < 10; i++)
        add(names[i], values, sizeof values, 0);
    for (int i = 0; i < 10; i++) {
        uint32_t packed = (uint32_t)(zip.length - zip.entry[i].at - 30 - strlen(names[i]));
        zip.entry[i].packed = zip.entry[i].stated = packed;
        memcpy(zip.bytes + zip.entry[i].at + 18, &packed, 4);
        memcpy(zip.bytes + zip.entry[i].at + 22, &packed, 4);
    }
    finish();
    assert_refused("x.pth: entries overlap (those up to a/");
}

/* The end of a zip64 archive: record and locator before the short record. */
static void put_end64(uint64_t entries, uint64_t bytes, uint64_t at, uint64_t record_at)
{
    size_t record = zip.length;
    put_bytes("PK\6\6", 4);
    put(44, 8);
    put(45, 2);
    put(45, 2);
    put(0, 8);
    put(entries, 8);
    put(entries, 8);
    put(bytes, 8);
    put(at, 8);
    put_bytes("PK\6\7\0\0\0\0", 8);
    put(record_at ? record_at : record, 8);
    put(1, 4);
    put_bytes("PK\5\6\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0", 22);
}

static void torch_zip__zip64_lies__are_seen(void **state)
{
    (void)state;
    const uint64_t far = (uint64_t)1 << 60;
    begin_good();
    put_directory();
    put_end64(2, zip.length - zip.directory, zip.directory, 0);
    assert_ok(read_all(zip.bytes, zip.length)); /* no lie */
    begin_good();
    put_directory();
    put_end64(far, far * 46, zip.directory, 0);
    assert_refused("x.pth: not a readable zip archive: ");
    begin_good();
    put_directory();
    put_end64(far, zip.length - zip.directory, zip.directory, 0);
    assert_refused("x.pth: not a readable zip archive: ");
    begin_good();
    put_directory();
    put_end64(2, zip.length - zip.directory, far, 0);
    assert_refused("x.pth: not a readable zip archive: ");
    begin_good();
    put_directory();
    put_end64(2, zip.length - zip.directory, zip.directory, far);
    assert_refused("x.pth: not a readable zip archive: its zip64 record is not where it is said to be");
}

/* A directory of a million entries, which libzip would keep 300 bytes for each of. */
static void torch_zip__huge_directory__is_refused(void **state)
{
    (void)state;
    size_t count = 1000000, entry_bytes = 46 + 1;
    uint8_t *bytes = calloc(count, entry_bytes + 1);
    assert_non_null(bytes);
    begin();
    memcpy(bytes, "PK\3\4", 4);
    for (size_t i = 0; i < count; i++) {
        memcpy(bytes + 31 + i * entry_bytes, "PK\1\2", 4);
        bytes[31 + i * entry_bytes + 28] = 1;
        bytes[31 + i * entry_bytes + 46] = 'x';
    }
    put_end(count * entry_bytes, 31);
    memcpy(bytes + 31 + count * entry_bytes, zip.bytes, zip.length);
    assert_failure(read_all(bytes, 31 + count * entry_bytes + zip.length), MIEN_ERR_FORMAT,
                   "x.pth: directory of 47000000 bytes (wanted at most 16777216)");
    free(bytes);
}

/* {'a': w, 'b': w, ..} of half a million names for one tensor: each would take 200 bytes here, and more where listed.
 */
static void torch_zip__too_many_tensors__are_refused(void **state)
{
    (void)state;
    enum { COUNT = 500000, BATCH = 1000, ITEM_BYTES = 6 + 2 };
    static const char first[] = "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
                                "X\x01\x00\x00\x00"
                                "0X\x03\x00\x00\x00"
                                "cpuK\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89}tRq\0000}";
    size_t room = sizeof first + (size_t)COUNT * ITEM_BYTES + 2 * COUNT / BATCH + 4096, length = sizeof first - 1;
    uint8_t *bytes = calloc(1, room);
    assert_non_null(bytes);
    memcpy(bytes, "PK\3\4", 4);
    uint8_t *data = bytes + 30 + strlen("a/data.pkl");
    memcpy(data, first, length);
    for (int i = 0; i < COUNT; i++) {
        if (i % BATCH == 0)
            data[length++] = '(';
        memcpy(data + length, "\x8c\x04", 2);
        for (int d = 0, rest = i; d < 4; d++, rest /= 36)
            data[length + 2 + (size_t)d] = (uint8_t) "0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36];
        memcpy(data + length + 6, "h", 2);
        length += ITEM_BYTES;
        if (i % BATCH == BATCH - 1)
            data[length++] = 'u';
    }
    data[length++] = '.';
    begin();
    zip.entries = 1;
    zip.entry[0].name = "a/data.pkl";
    zip.entry[0].at = 0;
    zip.entry[0].packed = zip.entry[0].stated = length;
    zip.entry[0].crc = (uint32_t)crc32(0, data, (uInt)length);
    zip.entry[0].method = 0;
    put_header(0, false);
    memcpy(bytes, zip.bytes, zip.length);
    zip.length = 0;
    put_header(0, true);
    put_end(zip.length, (size_t)(data - bytes) + length);
    memcpy(data + length, zip.bytes, zip.length);
    assert_failure(read_all(bytes, (size_t)(data - bytes) + length + zip.length), MIEN_ERR_FORMAT,
                   "x.pth: a/data.pkl: 500000 tensors (wanted at most 131072)");
    free(bytes);
}

/* --- the older format --------------------------------------------------------------------------------------------- */

static void torch_legacy__cut_anywhere__is_refused(void **state)
{
    (void)state;
    char *bytes;
    size_t length;
    assert_ok(file_read(&bytes, &length, FIXTURES "legacy_1.13.pth", 0));
    assert_ok(read_all(bytes, length));
    for (size_t cut = 0; cut < length; cut++) {
        uint8_t *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact, bytes, cut);
        mien_status st = read_all(exact, cut);
        if (st != MIEN_ERR_FORMAT)
            fail_msg("cut at %zu: status %d", cut, st);
        assert_true(strncmp(mien_error(), "x.pth: ", 7) == 0);
        free(exact);
    }
    mem_free(bytes);
}

#define HEAD "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define OBJECT(count)                                                                                                  \
    "\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"                                                   \
    "((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"                                                \
    "0X\x03\x00\x00\x00"                                                                                               \
    "cpuK" count "NtQK\x00K\x02\x85K\x01\x85\x89}tRs."
#define FACTS "\x80\x02M\xe9\x03.\x80\x02}."
#define KEYS                                                                                                           \
    "\x80\x02]X\x01\x00\x00\x00"                                                                                       \
    "0a."
#define DATA "\x02\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40"

static void torch_legacy__lies__are_seen(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *fault;
        size_t length;
    } cases[] = {
#define CASE(text, fault) {text, fault, sizeof(text) - 1}
        CASE(HEAD FACTS OBJECT("\x02") KEYS DATA, NULL),
        CASE(HEAD "\x80\x02M\xea\x03.", "unknown protocol (wanted 1001)"),
        CASE(HEAD "\x80\x02M\xe9\x03.\x80\x02}X\x0d\x00\x00\x00little_endian\x89s.", "not little-endian"),
        CASE(HEAD FACTS "\x80\x02"
                        "cos\nsystem\n.",
             "pickle at byte 25: byte 2: os.system: not allowed"),
        CASE(HEAD FACTS OBJECT("\x03") KEYS DATA, "tensor w: its storage has 8 bytes (wanted 3 elements of F32)"),
        CASE(HEAD FACTS OBJECT("\x02") "\x80\x02].", "x.pth: storage 0: not in the file"),
        CASE(HEAD FACTS OBJECT("\x02") "\x80\x02].", "x.pth: storage 0: not in the file"),
        CASE(HEAD FACTS OBJECT("\x02") "\x80\x02N.", "no list of storages"),
        CASE(HEAD FACTS OBJECT("\x02") "\x80\x02]X\x01\x00\x00\x00"
                                       "1a.",
             "a storage that no tensor names"),
        CASE(HEAD FACTS OBJECT("\x02") "\x80\x02](X\x01\x00\x00\x00"
                                       "0X\x01\x00\x00\x00"
                                       "0e." DATA DATA,
             "a storage twice"),
        CASE(HEAD FACTS OBJECT("\x02") KEYS "\xff\xff\xff\xff\xff\xff\xff\xff....", "storage 0 exceeds the file"),
        CASE(HEAD FACTS OBJECT("\x02") KEYS "\x03\0\0\0\0\0\0\0........", "storage 0 exceeds the file (8 bytes left)"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mien_status st = read_all(cases[i].bytes, cases[i].length);
        if (!cases[i].fault)
            assert_ok(st);
        else if (st == MIEN_OK || !strstr(mien_error(), cases[i].fault))
            fail_msg("case %zu: \"%s\" (wanted \"%s\")", i, st ? mien_error() : "", cases[i].fault);
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void tensor_file__all_that_was_bad__took_little_memory(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    print_message("skipped: AddressSanitizer's own memory is counted too\n");
#else
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    assert_in_range(use.ru_maxrss / 1024, 1, 500);
#endif
}

static mien_status attempt(void *context)
{
    const char *path = context;
    static uint8_t room[4096];
    tensor_file *f;
    TRY(tensor_file_open(&f, path));
    mien_status st = MIEN_OK;
    for (size_t i = 0; i < tensor_file_count(f) && st == MIEN_OK; i++)
        st = tensor_file_read(room, f, tensor_file_at(f, i));
    tensor_file_close(f);
    return st;
}

static void tensor_file__no_memory__is_told(void **state)
{
    (void)state;
    fail_each_allocation(attempt, (char[]){FIXTURES "legacy_1.13.pth"});
    fail_each_allocation(attempt, (char[]){FIXTURES "zip_1.13.pth"});
    fail_each_allocation(attempt, (char[]){FIXTURES "wanted.safetensors"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensor_file__torch_save__holds_the_same_values),
        cmocka_unit_test(tensor_file__rename__is_found_by_the_new_name),
        cmocka_unit_test(tensor_file__other_content__says_what_is_wanted),
        cmocka_unit_test(torch_zip__good_archive__is_read),
        cmocka_unit_test(torch_zip__packed_anew__is_read),
        cmocka_unit_test(torch_zip__what_is_missing__is_named),
        cmocka_unit_test(torch_zip__hostile_names__are_refused),
        cmocka_unit_test(torch_zip__bombs__do_not_go_off),
        cmocka_unit_test(torch_zip__overlapping_entries__are_refused),
        cmocka_unit_test(torch_zip__zip64_lies__are_seen),
        cmocka_unit_test(torch_zip__huge_directory__is_refused),
        cmocka_unit_test(torch_zip__too_many_tensors__are_refused),
        cmocka_unit_test(torch_legacy__cut_anywhere__is_refused),
        cmocka_unit_test(torch_legacy__lies__are_seen),
        cmocka_unit_test(tensor_file__all_that_was_bad__took_little_memory),
        cmocka_unit_test(tensor_file__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("format/tensor_file", tests, NULL, NULL);
}
