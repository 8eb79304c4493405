/* Archives whose headers lie, patched field by field, and gzip streams that end early or never. */
#include "base/file.h"
#include "format/zip.h"
#include "no_memory.h"
#include "testing.h"

#include <zip.h>
#include <zlib.h>

enum { STORED_BYTES = 300, LARGE_BYTES = 5 << 20 };

static char folder[1024], path[1100];
static uint8_t stored[STORED_BYTES], large[LARGE_BYTES];

static void add_entry(zip_t *archive, const char *name, const void *bytes, size_t length, zip_int32_t method)
{
    zip_source_t *source = zip_source_buffer(archive, bytes, length, 0);
    assert_non_null(source);
    zip_int64_t index = zip_file_add(archive, name, source, 0);
    assert_true(index >= 0);
    assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)index, method, 0), 0);
}

/* data/ (a folder), data/stored.bin, data/large.bin (compressed zeros, then counting), empty.txt */
static int set_up(void **state)
{
    (void)state;
    int error;
    temp_folder_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/a.zip", folder);
    for (size_t i = 0; i < STORED_BYTES; i++)
        stored[i] = (uint8_t)(i * 7);
    for (size_t i = LARGE_BYTES / 2; i < LARGE_BYTES; i++)
        large[i] = (uint8_t)(i >> 4);
    zip_t *archive = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    assert_non_null(archive);
    assert_true(zip_dir_add(archive, "data", 0) >= 0);
    add_entry(archive, "data/stored.bin", stored, STORED_BYTES, ZIP_CM_STORE);
    add_entry(archive, "data/large.bin", large, LARGE_BYTES, ZIP_CM_DEFLATE);
    add_entry(archive, "empty.txt", "", 0, ZIP_CM_STORE);
    assert_int_equal(zip_close(archive), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_folder_remove(folder);
    return 0;
}

static void zipr__good_archive__is_read(void **state)
{
    (void)state;
    zipr_file *z;
    uint8_t *bytes;
    size_t length, index = 99;
    assert_ok(zipr_open(&z, path));
    assert_int_equal(zipr_count(z), 4);
    assert_string_equal(zipr_at(z, 0)->name, "data/");
    assert_true(zipr_at(z, 0)->is_folder);
    assert_string_equal(zipr_at(z, 2)->name, "data/large.bin");
    assert_false(zipr_at(z, 2)->is_folder);
    assert_int_equal(zipr_at(z, 2)->bytes, LARGE_BYTES);
    assert_ok(zipr_find(&index, z, "empty.txt"));
    assert_int_equal(index, 3);
    assert_failure(zipr_find(&index, z, "data/Stored.bin"), MIEN_ERR_FORMAT,
                   "a.zip: data/Stored.bin: not in the archive");
    assert_int_equal(index, 3);
    assert_ok(zipr_read_name(&bytes, &length, z, "data/stored.bin", STORED_BYTES));
    assert_int_equal(length, STORED_BYTES);
    assert_memory_equal(bytes, stored, STORED_BYTES);
    assert_int_equal(bytes[length], 0);
    mem_free(bytes);
    assert_ok(zipr_read(&bytes, &length, z, 2, 0));
    assert_int_equal(length, LARGE_BYTES);
    assert_memory_equal(bytes, large, LARGE_BYTES);
    mem_free(bytes);
    assert_ok(zipr_read(&bytes, &length, z, 3, 0));
    assert_int_equal(length, 0);
    assert_string_equal((char *)bytes, "");
    mem_free(bytes);
    zipr_close(z);
    zipr_close(NULL);
}

static void zipr__limits__are_held(void **state)
{
    (void)state;
    zipr_file *z;
    uint8_t *bytes = NULL;
    size_t length;
    assert_ok(zipr_open(&z, path));
    assert_failure(zipr_read_name(&bytes, &length, z, "data/stored.bin", STORED_BYTES - 1), MIEN_ERR_FORMAT,
                   "a.zip: data/stored.bin: too large (wanted at most 299 bytes)");
    assert_failure(zipr_read(&bytes, &length, z, 4, 0), MIEN_ERR_ARG, "a.zip: entry 4 (wanted below 4)");
    assert_null(bytes);
    zipr_close(z);
}

/* Overwrites `count` bytes at `offset` of each header of entry `name`, local and central ("PK\3\4" and "PK\1\2"; the
 * central one has the same fields two bytes later, from offset 4 on). */
static void patch(uint8_t *zip, size_t length, const char *name, size_t offset, const void *bytes, size_t count)
{
    int patched = 0;
    for (size_t i = 0; i + 60 < length; i++) {
        bool is_local = memcmp(zip + i, "PK\3\4", 4) == 0, is_central = memcmp(zip + i, "PK\1\2", 4) == 0;
        size_t name_at = i + (is_local ? 30 : 46);
        if ((is_local || is_central) && name_at + strlen(name) <= length &&
            memcmp(zip + name_at, name, strlen(name)) == 0) {
            memcpy(zip + i + offset + (is_local ? 0 : 2), bytes, count);
            patched++;
        }
    }
    assert_int_equal(patched, 2);
}

enum { AT_FLAGS = 6, AT_METHOD = 8, AT_CRC = 14, AT_SIZE = 22 };

/* Patches a copy of the archive, reads entry `name` from it, and wants this failure. */
static void assert_damage(const char *name, size_t offset, const void *bytes, size_t count, const char *part)
{
    char *zip;
    size_t length, got;
    zipr_file *z = NULL;
    uint8_t *content = NULL;
    assert_ok(file_read(&zip, &length, path, 0));
    patch((uint8_t *)zip, length, name, offset, bytes, count);
    mien_status st = zipr_open_bytes(&z, zip, length, "a.zip");
    if (st == MIEN_OK)
        st = zipr_read_name(&content, &got, z, name, 64 << 20);
    assert_failure(st, MIEN_ERR_FORMAT, part);
    assert_null(content);
    zipr_close(z);
    mem_free(zip);
}

static void zipr__lies__are_seen(void **state)
{
    (void)state;
    assert_damage("data/large.bin", AT_SIZE, "\x10\0\0\0", 4, "a.zip: data/large.bin: ");
    assert_damage("data/large.bin", AT_SIZE, "\0\0\0\2", 4, "a.zip: data/large.bin: ");
    assert_damage("data/large.bin", AT_SIZE, "\0\0\0\xF0", 4, "too large (wanted at most 67108864 bytes)");
    assert_damage("data/large.bin", AT_CRC, "\1\2\3\4", 4, "a.zip: data/large.bin: CRC error");
    assert_damage("data/stored.bin", AT_CRC, "\1\2\3\4", 4, "a.zip: data/stored.bin: CRC error");
    assert_damage("data/stored.bin", AT_FLAGS, "\1\0", 2, "a.zip: ");
    assert_damage("data/stored.bin", AT_METHOD, "\x61\0", 2, "a.zip: data/stored.bin: ");
}

static void zipr__cut_or_alien_file__is_refused(void **state)
{
    (void)state;
    char *zip;
    size_t length;
    zipr_file *z = NULL;
    assert_ok(file_read(&zip, &length, path, 0));
    for (size_t cut = 0; cut < length; cut += 1 + cut / 8) /* the list of entries is at the end: no cut leaves one */
        assert_failure(zipr_open_bytes(&z, zip, cut, "cut.zip"), MIEN_ERR_FORMAT,
                       cut < 4 ? "cut.zip: not a readable zip archive: "
                               : "cut.zip: cut short: a zip archive of which the end is missing (");
    mem_free(zip);
    assert_failure(zipr_open_bytes(&z, "just some text", 14, "t"), MIEN_ERR_FORMAT, "t: not a readable zip archive");
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n";
    assert_failure(zipr_open_bytes(&z, pointer, sizeof pointer - 1, "t"), MIEN_ERR_FORMAT, "t: a Git LFS pointer");
    assert_failure(zipr_open(&z, folder), MIEN_ERR_IO, "is a folder");
    assert_failure(zipr_open(&z, "gone.zip"), MIEN_ERR_IO, "gone.zip: cannot open: No such file");
    assert_null(z);
}

static mien_status read_all(void *context)
{
    (void)context;
    zipr_file *z;
    uint8_t *bytes;
    size_t length;
    TRY(zipr_open(&z, path));
    mien_status st = MIEN_OK;
    for (size_t i = 0; i < zipr_count(z) && st == MIEN_OK; i++) {
        st = zipr_read(&bytes, &length, z, i, 0);
        if (st == MIEN_OK)
            mem_free(bytes);
    }
    zipr_close(z);
    return st;
}

static void zipr__no_memory__is_told(void **state)
{
    (void)state;
    fail_each_allocation(read_all, NULL);
}

/* Appends text as a gzip member to dst; answers the new length. */
static size_t gzip(uint8_t *dst, size_t at, size_t room, const void *text, size_t length)
{
    z_stream stream = {.next_in = (z_const Bytef *)text, .avail_in = (unsigned)length};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_out = dst + at;
    stream.avail_out = (unsigned)(room - at);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    at = room - stream.avail_out;
    deflateEnd(&stream);
    return at;
}

static void gunzip__members__are_joined(void **state)
{
    (void)state;
    uint8_t packed[512] = {0}, *bytes;
    size_t length, used = gzip(packed, 0, sizeof(packed), "one ", 4);
    assert_ok(gunzip_bytes(&bytes, &length, packed, used, 4, "t.gz"));
    assert_string_equal((char *)bytes, "one ");
    assert_int_equal(length, 4);
    mem_free(bytes);
    used = gzip(packed, used, sizeof(packed), "", 0);
    used = gzip(packed, used, sizeof(packed), "two", 3);
    assert_ok(gunzip_bytes(&bytes, &length, packed, used, 0, "t.gz"));
    assert_string_equal((char *)bytes, "one two");
    mem_free(bytes);
    assert_ok(gunzip_bytes(&bytes, &length, packed, used + 10, 0, "t.gz")); /* zeros behind are padding */
    assert_int_equal(length, 7);
    mem_free(bytes);
    bytes = NULL;
    packed[used + 3] = 'x';
    assert_failure(gunzip_bytes(&bytes, &length, packed, used + 4, 0, "t.gz"), MIEN_ERR_FORMAT,
                   "t.gz: not gzip, or damaged");
    assert_null(bytes);
}

static void gunzip__damage__is_refused(void **state)
{
    (void)state;
    uint8_t packed[512], *bytes = NULL;
    size_t length, used = gzip(packed, 0, sizeof(packed), stored, STORED_BYTES);
    for (size_t cut = 0; cut < used; cut++) {
        uint8_t *exact;
        assert_ok(mem_alloc(&exact, cut));
        memcpy(exact, packed, cut);
        assert_failure(gunzip_bytes(&bytes, &length, exact, cut, 0, "t.gz"), MIEN_ERR_FORMAT, "t.gz: cut short");
        mem_free(exact);
    }
    packed[used - 5] ^= 1;
    assert_failure(gunzip_bytes(&bytes, &length, packed, used, 0, "t.gz"), MIEN_ERR_FORMAT, "incorrect data check");
    assert_failure(gunzip_bytes(&bytes, &length, "no gzip at all", 14, 0, "t.gz"), MIEN_ERR_FORMAT,
                   "t.gz: not gzip, or damaged: incorrect header check");
    assert_null(bytes);
}

static void gunzip__bomb__stops_at_the_limit(void **state)
{
    (void)state;
    static uint8_t packed[1 << 20];
    uint8_t *bytes = NULL;
    size_t length, used = gzip(packed, 0, sizeof(packed), large, LARGE_BYTES);
    assert_failure(gunzip_bytes(&bytes, &length, packed, used, LARGE_BYTES - 1, "t.gz"), MIEN_ERR_FORMAT,
                   "t.gz: too large (wanted at most 5242879 bytes)");
    assert_null(bytes);
    assert_ok(gunzip_bytes(&bytes, &length, packed, used, LARGE_BYTES, "t.gz"));
    assert_memory_equal(bytes, large, LARGE_BYTES);
    mem_free(bytes);
}

typedef struct {
    const uint8_t *bytes;
    size_t length;
} packed_text;

static mien_status gunzip_it(void *context)
{
    const packed_text *p = context;
    uint8_t *bytes;
    size_t length;
    TRY(gunzip_bytes(&bytes, &length, p->bytes, p->length, 0, "t.gz"));
    mem_free(bytes);
    return MIEN_OK;
}

static void gunzip__no_memory__is_told(void **state)
{
    (void)state;
    static uint8_t packed[1 << 20];
    packed_text p = {packed, gzip(packed, 0, sizeof(packed), large, LARGE_BYTES)};
    fail_each_allocation(gunzip_it, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zipr__good_archive__is_read), cmocka_unit_test(zipr__limits__are_held),
        cmocka_unit_test(zipr__lies__are_seen),        cmocka_unit_test(zipr__cut_or_alien_file__is_refused),
        cmocka_unit_test(zipr__no_memory__is_told),    cmocka_unit_test(gunzip__members__are_joined),
        cmocka_unit_test(gunzip__damage__is_refused),  cmocka_unit_test(gunzip__bomb__stops_at_the_limit),
        cmocka_unit_test(gunzip__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("format/zip", tests, set_up, tear_down);
}
