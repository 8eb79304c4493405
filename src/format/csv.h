/* CSV as people write it: commas, optional "quotes" with "" and line breaks inside, LF or CRLF, a BOM, spaces around
 * unquoted fields ignored. A streaming reader over a mapped file: no allocation per field. */
#ifndef FORMAT_CSV_H
#define FORMAT_CSV_H

#include "base/file.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_MAX_FIELDS 256
#define CSV_MAX_ROW_BYTES (1 << 20)

typedef struct {
    const char *text; /* not NUL-terminated */
    size_t length;
} csv_field;

typedef struct {
    const char *path; /* for messages, borrowed */
    file_map map;
    bool is_borrowed; /* map holds the caller's bytes */
    char separator;   /* of fields: a comma, unless csv_separate_by said otherwise */
    size_t at;
    int64_t line; /* 1-based line on which the current row began */
    csv_field fields[CSV_MAX_FIELDS];
    int count;
    char
        *scratch; /* [CSV_MAX_ROW_BYTES], once a field with "" inside was met: this row's fields without the doubling */
    size_t scratch_used;
    int64_t next_line; /* the line that `at` is on */
} csv_reader;

/* Errors MIEN_ERR_IO as file_map_open. `path` is borrowed until csv_close. */
MIEN_MUST_USE mien_status csv_open(csv_reader *r, const char *path);
/* The same over bytes in memory (fuzzing, embedded lists), which must outlive the reader. */
void csv_open_bytes(csv_reader *r, const void *bytes, size_t length, const char *name);
void csv_close(csv_reader *r);
/* Begins again at the first row, with fields separated by ';' (spreadsheets of some countries) or '\t'. */
void csv_separate_by(csv_reader *r, char separator);
/* Advances to the next non-blank row; *has_row false at the end. Its fields live until the next call.
 * Errors MIEN_ERR_FORMAT "path: line N: ...": a quote never closed, text after a closing quote, too many fields, too
 * long a row, a NUL byte, UTF-16. */
MIEN_MUST_USE mien_status csv_next(csv_reader *r, bool *has_row);
bool csv_field_equals(csv_field f, const char *text); /* exact */
/* The field's text as a C string in dst; false where it does not fit into `bytes`. */
bool csv_field_text(char *dst, size_t bytes, csv_field f);
/* Writes text as one field into dst, quoted where it must be so that csv_next reads it back. MIEN_ERR_ARG naming the
 * bytes needed where it does not fit (2 * strlen + 3 always do). */
MIEN_MUST_USE mien_status csv_quote(char *dst, size_t bytes, const char *text);

#endif
