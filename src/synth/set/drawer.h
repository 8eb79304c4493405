/* A set's pictures in memory: from options and a number to a picture and the faces it shows, no file between. */
#ifndef SYNTH_DRAWER_H
#define SYNTH_DRAWER_H

#include "image/image.h"
#include "synth/set/plan.h"

typedef struct {
    synth_face face; /* with its marks */
    person who;
} drawn_face;

/* Draws one picture at a time; one per thread. The order in which pictures are drawn changes none, but each change of
 * person costs some time: synth_row pictures in a row show the same one. */
typedef struct drawer {
    image picture; /* the last drawn, like the faces in it */
    drawn_face faces[SYNTH_MAX_CROWD];
    int face_count;
    struct drawer_room *room;
} drawer;

/* options and head are borrowed; options must be possible ones (synth_run checks them). */
MIEN_MUST_USE mien_status drawer_create(drawer **out, const synth_options *options, const head *h);
void drawer_free(drawer *d); /* NULL is a no-op */
MIEN_MUST_USE mien_status drawer_draw(drawer *d, int64_t picture);

#endif
