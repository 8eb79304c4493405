/* The operations behind randaugment.c's table that the room did not have: each takes its value as randaugment_apply
 * does, already known to be in range. */
#ifndef IMAGE_RANDAUGMENT_INT_H
#define IMAGE_RANDAUGMENT_INT_H

#include "image/image_int.h"
#include "image/randaugment.h"

/* randaugment_geometry.c: nearest sampling, 0 from outside the picture */
MIEN_MUST_USE mien_status randaugment_shear_x(image *im, float factor, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_shear_y(image *im, float factor, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_translate_x(image *im, float pixels, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_translate_y(image *im, float pixels, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_rotate(image *im, float degrees, image_scratch *s);

/* randaugment_level.c */
MIEN_MUST_USE mien_status randaugment_sharpness(image *im, float change, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_posterize(image *im, float bits, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_solarize(image *im, float threshold, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_auto_contrast(image *im, float unused, image_scratch *s);
MIEN_MUST_USE mien_status randaugment_equalize(image *im, float unused, image_scratch *s);

/* The result of an operation that cannot work in place becomes the picture. */
static inline void swap_with_spare(image *im, image_scratch *s)
{
    image kept = *im;
    *im = s->spare;
    s->spare = kept;
}

#endif
