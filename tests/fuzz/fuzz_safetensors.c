/* Any bytes as a safetensors file: opened or refused, and what was opened can be read to its last byte. */
#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    st_file *f = NULL;
    if (st_open_bytes(&f, data, size, "input") != MIEN_OK) {
        check(f == NULL && strncmp(mien_error(), "input: ", 7) == 0);
        return 0;
    }
    size_t total = 0;
    for (size_t i = 0; i < st_count(f); i++) {
        const st_tensor *t = st_at(f, i);
        uint8_t *copy = malloc(t->bytes ? t->bytes : 1);
        check(copy && st_find(f, t->name) == t && t->rank <= SAFETENSORS_MAX_RANK);
        check((uintptr_t)t->data % st_dtype_bytes(t->dtype) == 0);
        memcpy(copy, t->data, t->bytes);
        free(copy);
        total += t->bytes;
    }
    check(total < size);
    for (size_t i = 0; i < st_meta_count(f); i++)
        check(st_meta(f, st_meta_at(f, i).key) == st_meta_at(f, i).value);
    st_close(f);
    return 0;
}
