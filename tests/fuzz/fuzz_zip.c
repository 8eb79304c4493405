/* Any bytes as a zip archive, and as a gzip file: nothing gives more than the limit. */
#include "base/mem.h"
#include "format/zip.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(mien_status st, uint8_t *bytes, size_t length)
{
    if (st != MIEN_OK)
        return;
    if (length > LIMIT || bytes[length] != 0)
        abort();
    mem_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    mien_status st = gunzip_bytes(&bytes, &length, data, size, LIMIT, "input");
    take(st, bytes, length);
    zipr_file *z;
    if (zipr_open_bytes(&z, data, size, "input") != MIEN_OK)
        return 0;
    for (size_t i = 0; i < zipr_count(z) && i < 16; i++) {
        st = zipr_read(&bytes, &length, z, i, LIMIT);
        take(st, bytes, length);
    }
    zipr_close(z);
    return 0;
}
