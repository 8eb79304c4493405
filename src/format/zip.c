/* The archive is mapped and handed to libzip as a buffer: missing files and folders then fail with our own messages,
 * and tests and the fuzzer take the same way as files. */
#include "format/zip.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/size.h"
#include "base/str.h"
#include "format/stand_in.h"

#include <string.h>
#include <zip.h>

enum { FIRST_BYTES = 1 << 20, DEFAULT_LIMIT = 1 << 30 };

/* libzip keeps some 300 bytes for each entry of the directory, which has 46 at least. */
enum { MAX_DIRECTORY_BYTES = 16 << 20 };

struct zipr_file {
    char *path;
    file_map map; /* empty where the bytes are the caller's */
    zip_t *archive;
    zipr_entry *entries;
    size_t count;
};

void zipr_close(zipr_file *z)
{
    if (!z)
        return;
    if (z->archive)
        zip_discard(z->archive);
    file_map_close(&z->map);
    mem_free(z->entries);
    mem_free(z->path);
    mem_free(z);
}

static mien_status fail_zip(const zipr_file *z, const char *place, zip_error_t *error)
{
    mien_status code = zip_error_code_zip(error) == ZIP_ER_MEMORY ? MIEN_ERR_NOMEM : MIEN_ERR_FORMAT;
    mien_status st = mien_fail(code, "%s: %s: %s", z->path, place, zip_error_strerror(error));
    zip_error_fini(error);
    return st;
}

static uint64_t number_at(const uint8_t *bytes, int size)
{
    uint64_t number = 0;
    while (size-- > 0)
        number = number << 8 | bytes[size];
    return number;
}

/* Whatever could be the record at the archive's end (it stands before a comment, so there may be several to choose
 * from), it must not announce a directory that takes more memory than an archive is worth. Where there is none, and the
 * beginning is an archive's, its end was lost. */
static mien_status check_directory(const zipr_file *z, const uint8_t *bytes, size_t length)
{
    enum { END_BYTES = 22, COMMENT_BYTES = 65535, LOCATOR_BYTES = 20, END64_BYTES = 56, SIZE_AT = 12, SIZE64_AT = 40 };
    bool has_end = false;
    size_t lowest = length > END_BYTES + COMMENT_BYTES ? length - END_BYTES - COMMENT_BYTES : 0;
    for (size_t at = length >= END_BYTES ? length - END_BYTES + 1 : 0; at > lowest; at--) {
        const uint8_t *end = bytes + at - 1;
        if (memcmp(end, "PK\5\6", 4) != 0)
            continue;
        has_end = true;
        uint64_t size = number_at(end + SIZE_AT, 4);
        if (at - 1 >= LOCATOR_BYTES && memcmp(end - LOCATOR_BYTES, "PK\6\7", 4) == 0) {
            uint64_t end64 = number_at(end - LOCATOR_BYTES + 8, 8);
            if (length < END64_BYTES || end64 > length - END64_BYTES || memcmp(bytes + end64, "PK\6\6", 4) != 0)
                return mien_fail(MIEN_ERR_FORMAT,
                                 "%s: not a readable zip archive: its zip64 record is not where it is "
                                 "said to be",
                                 z->path);
            size = number_at(bytes + end64 + SIZE64_AT, 8);
        }
        if (size <= length && size > MAX_DIRECTORY_BYTES) /* what exceeds the file, libzip refuses */
            return mien_fail(MIEN_ERR_FORMAT, "%s: directory of %llu bytes (wanted at most %d)", z->path,
                             (unsigned long long)size, MAX_DIRECTORY_BYTES);
    }
    if (!has_end && length >= 4 && memcmp(bytes, "PK\3\4", 4) == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: cut short: a zip archive of which the end is missing (%zu bytes)",
                         z->path, length);
    return MIEN_OK;
}

static mien_status open_archive(zipr_file *z, const void *bytes, size_t length)
{
    zip_error_t error;
    if (length == 0) /* which libzip would take for an archive without entries */
        return mien_fail(MIEN_ERR_FORMAT, "%s: not a readable zip archive: empty", z->path);
    TRY(stand_in_check(bytes, length, z->path));
    TRY(check_directory(z, bytes, length));
    zip_error_init(&error);
    zip_source_t *source = zip_source_buffer_create(bytes, length, 0, &error);
    if (!source)
        return fail_zip(z, "not a readable zip archive", &error);
    z->archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (!z->archive) {
        zip_source_free(source);
        return fail_zip(z, "not a readable zip archive", &error);
    }
    zip_error_fini(&error);
    return MIEN_OK;
}

/* `length`: of the archive. Entries that overlap give more bytes than there are. */
static mien_status list_entries(zipr_file *z, size_t length)
{
    enum { ENTRY_BYTES = 30 + 46 }; /* of an entry's two headers at least, beside its name */
    zip_int64_t count = zip_get_num_entries(z->archive, 0);
    size_t used = 0;
    TRY(mem_zalloc(&z->entries, count));
    for (zip_int64_t i = 0; i < count; i++) {
        zip_stat_t info;
        if (zip_stat_index(z->archive, (zip_uint64_t)i, 0, &info) != 0 || !(info.valid & ZIP_STAT_NAME) ||
            !(info.valid & ZIP_STAT_SIZE) || !(info.valid & ZIP_STAT_COMP_SIZE))
            return mien_fail(MIEN_ERR_FORMAT, "%s: entry %lld: damaged", z->path, (long long)i);
        z->entries[i] =
            (zipr_entry){.name = info.name,
                         .bytes = info.size,
                         .is_folder = str_ends(info.name, "/"),
                         .is_stored = (info.valid & ZIP_STAT_COMP_METHOD) && info.comp_method == ZIP_CM_STORE};
        if (!size_add(&used, used, info.comp_size) || !size_add(&used, used, ENTRY_BYTES) || used > length)
            return mien_fail(MIEN_ERR_FORMAT,
                             "%s: entries overlap (those up to %s take more than the file's %zu bytes)", z->path,
                             info.name, length);
    }
    z->count = (size_t)count;
    return MIEN_OK;
}

/* Takes over `map`, which is empty where the bytes are borrowed. */
static mien_status open_mapped(zipr_file **out, file_map map, const void *bytes, size_t length, const char *name)
{
    mien_status st;
    zipr_file *z = NULL;
    TRY_OUT(mem_zalloc(&z, 1));
    z->map = map;
    map = (file_map){0};
    TRY_OUT(mem_strdup(&z->path, name));
    TRY_OUT(open_archive(z, bytes, length));
    TRY_OUT(list_entries(z, length));
    *out = z;
    return MIEN_OK;
out:
    file_map_close(&map);
    zipr_close(z);
    return st;
}

mien_status zipr_open(zipr_file **out, const char *path)
{
    file_map map;
    TRY(file_map_open(&map, path));
    return open_mapped(out, map, map.data, map.length, path);
}

mien_status zipr_open_bytes(zipr_file **out, const void *bytes, size_t length, const char *name)
{
    return open_mapped(out, (file_map){0}, bytes, length, name);
}

size_t zipr_count(const zipr_file *z)
{
    return z->count;
}

const zipr_entry *zipr_at(const zipr_file *z, size_t index)
{
    return &z->entries[index];
}

mien_status zipr_find(size_t *out, const zipr_file *z, const char *name)
{
    zip_int64_t index = zip_name_locate(z->archive, name, 0);
    if (index < 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not in the archive", z->path, name);
    *out = (size_t)index;
    return MIEN_OK;
}

static mien_status fail_too_large(const zipr_file *z, const char *name, size_t limit)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: %s: too large (wanted at most %zu bytes)", z->path, name, limit);
}

/* Reads to the end of `entry`; the buffer grows with what really comes, so a lying size costs nothing. */
static mien_status read_entry(uint8_t **out, size_t *out_length, const zipr_file *z, const char *name,
                              zip_file_t *entry, uint64_t stated, size_t limit)
{
    mien_status st;
    uint8_t *bytes = NULL;
    size_t length = 0, capacity = (stated < FIRST_BYTES ? (size_t)stated : FIRST_BYTES) + 2;
    TRY_OUT(mem_alloc(&bytes, capacity));
    for (;;) {
        zip_int64_t got = zip_fread(entry, bytes + length, capacity - 1 - length);
        if (got < 0) { /* a wrong checksum is reported here, at the end */
            st = mien_fail(MIEN_ERR_FORMAT, "%s: %s: %s", z->path, name, zip_file_strerror(entry));
            goto out;
        }
        length += (size_t)got;
        if (length > limit) {
            st = fail_too_large(z, name, limit);
            goto out;
        }
        if (got == 0)
            break;
        if (length == capacity - 1) {
            TRY_OUT(mem_resize_bytes((void **)&bytes, length, capacity * 2));
            capacity *= 2;
        }
    }
    if (length != stated) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: %s: %zu bytes (wanted %llu, as its header states)", z->path, name, length,
                       (unsigned long long)stated);
        goto out;
    }
    bytes[length] = '\0';
    *out = bytes;
    *out_length = length;
    return MIEN_OK;
out:
    mem_free(bytes);
    return st;
}

mien_status zipr_read(uint8_t **out, size_t *out_length, zipr_file *z, size_t index, size_t max_bytes)
{
    size_t limit = max_bytes ? max_bytes : DEFAULT_LIMIT;
    if (index >= z->count)
        return mien_fail(MIEN_ERR_ARG, "%s: entry %zu (wanted below %zu)", z->path, index, z->count);
    const zipr_entry *entry = &z->entries[index];
    if (entry->bytes > limit)
        return fail_too_large(z, entry->name, limit);
    zip_file_t *stream = zip_fopen_index(z->archive, index, 0);
    if (!stream)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %s", z->path, entry->name, zip_strerror(z->archive));
    mien_status st = read_entry(out, out_length, z, entry->name, stream, entry->bytes, limit);
    zip_fclose(stream);
    return st;
}

mien_status zipr_read_name(uint8_t **out, size_t *out_length, zipr_file *z, const char *name, size_t max_bytes)
{
    size_t index;
    TRY(zipr_find(&index, z, name));
    return zipr_read(out, out_length, z, index, max_bytes);
}
