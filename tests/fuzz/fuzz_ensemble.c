/* Any bytes as an ensemble file: refused, or members with paths and weights that sum to 1. */
#include "format/ensemble_file.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ensemble_file f = {0};
    double sum = 0;
    if (ensemble_file_read_bytes(&f, (const char *)data, size, "folder/input") != MIEN_OK) {
        if (f.count || strncmp(mien_error(), "folder/input: ", 14) != 0)
            abort();
        return 0;
    }
    for (int i = 0; i < f.count; i++) {
        if (!f.members[i].path[0] || !(f.members[i].weight >= 0))
            abort();
        sum += f.members[i].weight;
    }
    if (f.count < 1 || !(fabs(sum - 1) < 1e-6))
        abort();
    ensemble_file_free(&f);
    return 0;
}
