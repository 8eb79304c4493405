/* What becomes of a picture after the lens: the shot's degradations, each off at 0. */
#ifndef SYNTH_POST_H
#define SYNTH_POST_H

#include "image/image.h"
#include "synth/draw/look.h"

typedef struct post_room post_room; /* memory for one picture at a time, kept from call to call; one per thread */

MIEN_MUST_USE mien_status post_room_create(post_room **out);
void post_room_free(post_room *room); /* NULL is a no-op */

/* Blur, grain and how->degraded, to a picture of any size. The same picture and shot give the same bytes. */
MIEN_MUST_USE mien_status post_apply(image *im, const shot *how, post_room *room);

#endif
