/* The message lives in a fixed thread-local buffer: failing never allocates, so running out of memory can be told too.
 */
#include "base/status.h"

#include "base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 2048, WHOLE_BYTES = 4 * TEXT_BYTES };

static _Thread_local char last_text[TEXT_BYTES];

const char *mien_error(void)
{
    return last_text;
}

/* A message that is too long loses its middle: what stands there is a path. */
static void set_text(const char *text)
{
    char fitted[TEXT_BYTES]; /* apart from last_text, which may be what `text` is */
    str_fit(fitted, sizeof(fitted), text);
    str_make_line(fitted);
    memcpy(last_text, fitted, sizeof(fitted));
}

mien_status(mien_fail)(mien_status code, const char *format, ...)
{
    assert(code != MIEN_OK);
    char text[WHOLE_BYTES]; /* apart from last_text, which may be among the arguments */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    set_text(text);
    return code;
}

mien_status mien_fail_in(mien_status code, const char *format, ...)
{
    if (code == MIEN_OK)
        return code;
    char prefix[WHOLE_BYTES / 2], text[WHOLE_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    (void)snprintf(text, sizeof(text), "%s: %s", prefix, last_text);
    set_text(text);
    return code;
}

void status_text_save(char *dst, size_t bytes)
{
    str_fit(dst, bytes, last_text);
}

void status_text_load(const char *src)
{
    str_fit(last_text, sizeof(last_text), src);
}
