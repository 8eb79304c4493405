/* The message lives in a fixed thread-local buffer: failing never allocates, so running out of memory can be told too.
 */
#include "base/status.h"

#include "base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 2048 };

static _Thread_local char last_text[TEXT_BYTES];

const char *mien_error(void)
{
    return last_text;
}

/* A message longer than the buffer ends in "..." so that the cut is seen. */
static void mark_cut(char *text, size_t bytes, int wanted)
{
    if (wanted < 0 || (size_t)wanted < bytes)
        return;
    size_t end = bytes - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80) /* not inside a UTF-8 sequence */
        end--;
    strcpy(text + end, "...");
}

mien_status(mien_fail)(mien_status code, const char *format, ...)
{
    assert(code != MIEN_OK);
    char text[TEXT_BYTES]; /* apart from last_text, which may be among the arguments */
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    mark_cut(text, sizeof(text), wanted);
    str_make_line(text);
    memcpy(last_text, text, sizeof(text));
    return code;
}

mien_status mien_fail_in(mien_status code, const char *format, ...)
{
    if (code == MIEN_OK)
        return code;
    char prefix[TEXT_BYTES / 2], text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    mark_cut(prefix, sizeof(prefix), wanted);
    wanted = snprintf(text, sizeof(text), "%s: %s", prefix, last_text);
    mark_cut(text, sizeof(text), wanted);
    str_make_line(text);
    memcpy(last_text, text, sizeof(text));
    return code;
}

void status_text_save(char *dst, size_t bytes)
{
    int wanted = snprintf(dst, bytes, "%s", last_text);
    if (bytes >= 4)
        mark_cut(dst, bytes, wanted);
}

void status_text_load(const char *src)
{
    int wanted = snprintf(last_text, sizeof(last_text), "%s", src);
    mark_cut(last_text, sizeof(last_text), wanted);
}
