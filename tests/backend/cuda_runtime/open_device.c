/* Opens the first GPU by the real runtime, and prints why that fails. */
#include "backend/cuda/device.h"

#include <stdio.h>

int main(void)
{
    device *d = NULL;
    if (device_open(&d, 0) != MIEN_OK) {
        printf("%s\n", mien_error());
        return 1;
    }
    printf("%s\n", d->name);
    d->free(d);
    return 0;
}
