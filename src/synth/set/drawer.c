#include "synth/set/drawer.h"

#include "base/mem.h"
#include "synth/draw/post.h"
#include "synth/draw/render.h"

/* What is kept from face to face. */
typedef struct drawer_room {
    const synth_options *options;
    const head *h;
    renderer *renderer;
    float *weights;
    post_room *post;
    int64_t identity; /* whom `who` and the renderer are set to; -1 nobody */
} drawer_room;

void drawer_free(drawer *d)
{
    if (!d)
        return;
    if (d->room) {
        renderer_free(d->room->renderer);
        mem_free(d->room->weights);
        post_room_free(d->room->post);
    }
    image_free(&d->picture);
    mem_free(d->room);
    mem_free(d);
}

mien_status drawer_create(drawer **out, const synth_options *options, const head *h)
{
    drawer *d;
    mien_status st;
    TRY(mem_zalloc(&d, 1));
    TRY_OUT(mem_zalloc(&d->room, 1));
    drawer_room *room = d->room;
    room->options = options;
    room->h = h;
    room->identity = -1;
    TRY_OUT(renderer_create(&room->renderer, h, options->size));
    TRY_OUT(post_room_create(&room->post));
    TRY_OUT(mem_zalloc(&room->weights, (size_t)head_weights(h)));
    *out = d;
    return MIEN_OK;
out:
    drawer_free(d);
    return st;
}

mien_status drawer_draw(drawer *d, int64_t number)
{
    drawer_room *room = d->room;
    const synth_options *o = room->options;
    int64_t identity = synth_identity(o, number);
    if (identity != room->identity) {
        synth_person(&d->who, room->weights, o, room->h, identity);
        renderer_set_person(room->renderer, &d->who, room->weights);
        room->identity = identity;
    }
    synth_face_draw(&d->face, o, room->h, &d->who, number);
    TRY(render_face(&d->picture, room->renderer, d->face.expression.units, &d->face.shot));
    return post_apply(&d->picture, &d->face.shot, room->post);
}
