/* Both kinds are known by how they begin, and nothing more of the file is looked at: a page may have a byte order mark
 * and blanks before its first tag. */
#include "format/stand_in.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static bool begins(const char *text, size_t length, const char *word)
{
    return length >= strlen(word) && strncasecmp(text, word, strlen(word)) == 0;
}

mien_status stand_in_check(const void *bytes, size_t length, const char *name)
{
    const char *text = bytes;
    if (begins(text, length, "version https://git-lfs.github.com/spec/"))
        return mien_fail(MIEN_ERR_FORMAT, "%s: a Git LFS pointer, not the file itself (git lfs pull fetches that)",
                         name);
    if (begins(text, length, "\xEF\xBB\xBF")) {
        text += 3;
        length -= 3;
    }
    for (; length > 0 && strchr(" \t\r\n", *text) && *text; length--)
        text++;
    if (begins(text, length, "<!doctype html") || begins(text, length, "<html"))
        return mien_fail(MIEN_ERR_FORMAT, "%s: an HTML page (a download that asks for something first?)", name);
    return MIEN_OK;
}
