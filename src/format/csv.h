/* CSV as people write it: commas, optional "quotes" with "" inside, LF or CRLF, a BOM, spaces after commas ignored.
 * A streaming reader over a mapped file: no allocation per field. */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "base/file.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_MAX_FIELDS 64

typedef struct {
    const char *text; /* not NUL-terminated */
    size_t length;
} csv_field;

typedef struct {
    const char *path; /* for messages, borrowed */
    file_map map;
    size_t at;
    int64_t line; /* 1-based line on which the current row began */
    csv_field fields[CSV_MAX_FIELDS];
    int count;
    char *scratch; /* unquoted copies of quoted fields of this row */
    size_t scratch_capacity;
} csv_reader;

MIEN_MUST_USE mien_status csv_open(csv_reader *r, const char *path);
void csv_close(csv_reader *r);
/* Advances to the next non-blank row; *has_row false at the end. Errors MIEN_ERR_FORMAT "path: line N: ...": a quote never
 * closed, text after a closing quote, too many fields, a NUL byte. */
MIEN_MUST_USE mien_status csv_next(csv_reader *r, bool *has_row);
bool csv_field_equals(csv_field f, const char *text); /* exact */
/* Appends one field, quoted where it must be. */
struct file_writer;
MIEN_MUST_USE mien_status csv_quote(char *dst, size_t bytes, const char *text);

#endif
