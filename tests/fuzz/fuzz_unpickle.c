/* Any bytes as a pickle: run to its end or refused, and what it built can be walked: every tensor decoded, every
 * storage named, every text inside the input. */
#include "format/unpickle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void check_value(const pickle *p, pickle_value v, const uint8_t *data, size_t size)
{
    pickle_tensor t;
    if (v.kind == PICKLE_TEXT || v.kind == PICKLE_BYTES || v.kind == PICKLE_LONG)
        check((const uint8_t *)v.text >= data && (const uint8_t *)v.text + v.length <= data + size);
    if (v.kind != PICKLE_TENSOR || pickle_tensor_of(&t, p, v, "t") != MIEN_OK || t.bytes == 0)
        return;
    int64_t last = t.offset;
    for (int i = 0; i < t.rank; i++)
        last += (t.dims[i] - 1) * t.strides[i];
    check(t.rank <= SAFETENSORS_MAX_RANK && last >= 0 && last < t.storage_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pickle *p = NULL;
    pickle_value v;
    pickle_storage s;
    size_t used = 0;
    if (unpickle(&p, &used, data, size, "input") != MIEN_OK) {
        check(p == NULL && strncmp(mien_error(), "input: byte ", 12) == 0);
        return 0;
    }
    check(used > 0 && used <= size);
    check_value(p, pickle_root(p), data, size);
    uint32_t items = 0;
    for (pickle_cursor c = pickle_items(p, pickle_root(p)); pickle_next(&c, &v); items++)
        check_value(p, v, data, size);
    check(items == pickle_count(p, pickle_root(p)));
    for (uint32_t at = 0; pickle_next_storage(p, &at, &s);)
        check(s.count >= 0 && (const uint8_t *)s.key + s.key_length <= data + size);
    pickle_free(p);
    return 0;
}
