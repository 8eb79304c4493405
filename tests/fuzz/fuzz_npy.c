/* Any bytes as a NumPy array: refused, or read with numbers for its whole shape. */
#include "format/npy.h"

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
    npy_array a = {0};
    if (npy_read_bytes(&a, data, size, "input") != MIEN_OK) {
        check(a.values == NULL && strncmp(mien_error(), "input: ", 7) == 0);
        return 0;
    }
    check(a.rank >= 0 && a.rank <= NPY_MAX_RANK && a.count <= size);
    float *copy = malloc(a.count ? a.count * sizeof *copy : 1);
    check(copy != NULL);
    memcpy(copy, a.values, a.count * sizeof *copy);
    free(copy);
    npy_free(&a);
    return 0;
}
