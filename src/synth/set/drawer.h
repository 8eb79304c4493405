/* A set's faces in memory: from options and a number to a picture and what it shows, no file between. */
#ifndef SYNTH_DRAWER_H
#define SYNTH_DRAWER_H

#include "image/image.h"
#include "synth/draw/render.h"
#include "synth/set/plan.h"

/* Draws one face at a time; one per thread. The order in which faces are drawn changes none, but each change of person
 * costs some time: synth_class_count faces in a row show the same one. */
typedef struct drawer {
    image picture; /* all below: of the last face drawn */
    synth_face face;
    person who;
    struct drawer_room *room;
} drawer;

/* options and head are borrowed; options must be possible ones (synth_run checks them). */
MIEN_MUST_USE mien_status drawer_create(drawer **out, const synth_options *options, const head *h);
void drawer_free(drawer *d); /* NULL is a no-op */
/* Tells where time goes from now on (borrowed); NULL: nobody asks. */
void drawer_measure(drawer *d, stage_clock *clock);
MIEN_MUST_USE mien_status drawer_draw(drawer *d, int64_t number);

#endif
