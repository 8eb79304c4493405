/* A growing text, and small helpers on text. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *text; /* NUL-terminated; NULL until the first append, even of nothing */
    size_t length, capacity;
} str;

/* Append; the str owns its text, str_free releases it (and leaves it empty). What is appended must not be the str's own
 * text. */
MIEN_MUST_USE mien_status str_append(str *s, const char *text);
MIEN_MUST_USE mien_status str_append_bytes(str *s, const void *bytes, size_t count);
MIEN_MUST_USE mien_status str_printf(str *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void str_free(str *s);

bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);
/* ASCII, locale-free. */
bool str_equal_nocase(const char *a, const char *b);
/* Orders names as a person would: runs of digits by value ("2.jpg" before "10.jpg"), the rest by byte; a total order.
 */
int str_compare_natural(const char *a, const char *b);
/* Whole-text numbers, locale-free, no surrounding spaces; false where it is not one or does not fit. Doubles: finite
 * only. */
bool str_to_int64(int64_t *out, const char *text);
bool str_to_double(double *out, const char *text);
/* Whether the bytes are UTF-8: no overlong form, no surrogate, nothing beyond U+10FFFF. */
bool str_is_utf8(const char *text, size_t length);
/* Makes text fit for one line of a terminal: control characters become '?'. */
void str_make_line(char *text);
/* Whether a file's first bytes are those of UTF-16: its byte order mark, or letters with a zero before or behind each.
 */
bool str_is_utf16(const char *text, size_t length);
/* text into dst [bytes]; of one that is too long the middle becomes "...", since both ends of a message count. */
void str_fit(char *dst, size_t bytes, const char *text);
/* The wanted words for a message: "a, b or c" into dst. */
void str_join_words(char *dst, size_t bytes, const char *const *words, int count);

#endif
