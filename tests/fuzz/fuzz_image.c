/* Bytes from anywhere into the picture decoders. The pixel limit is low so that a run spends its time on parsing. */
#include "image/image_int.h"

#define MAX_PIXELS (1 << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    image im = {0};
    uint8_t seen = 0;
    if (image_decode_limited(&im, data, size, "fuzz", MAX_PIXELS) == MIEN_OK)
        for (size_t i = 0; i < image_bytes(&im); i++)
            seen |= im.pixels[i]; /* every pixel that was promised is there */
    exif_orientation(data, size);
    image_free(&im);
    volatile uint8_t kept = seen;
    (void)kept;
    return 0;
}
