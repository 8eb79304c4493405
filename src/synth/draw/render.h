/* A face to a picture: pose, shadow, depth buffer, light, hair, lashes, then down to the picture's size. */
#ifndef SYNTH_RENDER_H
#define SYNTH_RENDER_H

#include "image/image.h"
#include "synth/draw/look.h"
#include "synth/draw/marks.h"
#include "synth/face/head.h"

#define RENDER_MIN_SIZE 16
#define RENDER_MAX_HEADS 16 /* in one picture */
#define RENDER_MAX_SIZE 2048

/* Where a face's time goes. */
typedef enum {
    STAGE_PERSON, /* shape and colour of somebody new, what the face shows */
    STAGE_POSE,
    STAGE_LIGHT, /* shadows too */
    STAGE_RASTER,
    STAGE_SHADE,
    STAGE_BACKGROUND,
    STAGE_HAIR, /* lashes and glasses too */
    STAGE_RESOLVE,
    STAGE_POST,
    STAGE_JPEG,
    STAGE_COUNT,
} draw_stage;
extern const char *const draw_stage_names[STAGE_COUNT]; /* "pose" */

/* Measures processor time of the calling thread, from one stage's end to the next one's. */
typedef struct stage_clock {
    int64_t at;              /* the last end */
    int64_t ns[STAGE_COUNT]; /* spent in each */
} stage_clock;
void stage_begin(stage_clock *c); /* both: NULL is a no-op */
void stage_end(stage_clock *c, draw_stage stage);

typedef struct renderer renderer; /* buffers for one picture at a time; one per thread */

/* size: pixels of a side, RENDER_MIN_SIZE..RENDER_MAX_SIZE. The head and those after it are
 * borrowed: a person has one of them. */
MIEN_MUST_USE mien_status renderer_create(renderer **out, const head *h, int size);
void renderer_free(renderer *r); /* NULL is a no-op */

/* Whom the next pictures show: shapes and colours the head once. who is borrowed until the next call; identity
 * [face->identity.count] is not kept. */
void renderer_set_person(renderer *r, const person *who, const float *identity);

/* Tells where time goes from now on (borrowed); NULL: nobody asks. */
void renderer_measure(renderer *r, stage_clock *clock);

/* A picture is begun, takes one head after another, each over what lies behind it (from far to near; a person is set
 * before each), and is finished before the background of a shot. */
void render_begin(renderer *r);
/* Draws the person; marks (NULL: none) takes all but which points are seen. */
MIEN_MUST_USE mien_status render_head(renderer *r, const float *units, const shot *how, face_marks *marks);
MIEN_MUST_USE mien_status render_finish(image *out, renderer *r, const shot *how);
/* Which points of a head are seen, once all heads are drawn. */
void render_look(const renderer *r, face_marks *marks);

/* All that for one head: draws the person into out (resized to size x size); units [UNIT_COUNT] weights 0..1. The same
 * person, units and shot give the same bytes, whatever was drawn before. renderer_set_person must have been called. */
MIEN_MUST_USE mien_status render_face(image *out, renderer *r, const float *units, const shot *how);

#endif
