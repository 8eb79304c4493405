/* A drawer is one thread's: it keeps a renderer, and the person that the last face was of. */
#include "synth/set/drawer.h"

#include "base/mem.h"
#include "synth/draw/post.h"
#include "synth/draw/render.h"
#include "synth/set/crowd.h"

/* What is kept from face to face. */
typedef struct drawer_room {
    const synth_options *options;
    const head *h;
    renderer *renderer;
    float *weights; /* [faces of a picture, identity targets] */
    post_room *post;
    stage_clock *clock; /* NULL: nobody asks */
    int64_t identity;   /* whom the renderer is set to, of pictures with one face; -1 nobody */
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
    TRY_OUT(mem_zalloc(&room->weights, (size_t)head_weights(h) * (size_t)(options->crowd > 0 ? options->crowd : 1)));
    *out = d;
    return MIEN_OK;
out:
    drawer_free(d);
    return st;
}

void drawer_measure(drawer *d, stage_clock *clock)
{
    d->room->clock = clock;
    renderer_measure(d->room->renderer, clock);
}

static float *weights_of(const drawer_room *room, int place)
{
    return room->weights + (size_t)place * (size_t)head_weights(room->h);
}

static void find_person(drawer *d, int place, int64_t identity)
{
    const drawer_room *room = d->room;
    synth_person(&d->faces[place].who, weights_of(room, place), room->options, room->h, identity);
}

static mien_status draw_head(drawer *d, int place)
{
    synth_face *face = &d->faces[place].face;
    return render_head(d->room->renderer, face->expression.units, &face->shot, &face->marks);
}

static mien_status draw_crowd(drawer *d, int64_t picture)
{
    drawer_room *room = d->room;
    synth_face *faces[SYNTH_MAX_CROWD];
    int order[SYNTH_MAX_CROWD];
    for (int i = 0; i < d->face_count; i++) {
        const int64_t number = synth_face_number(room->options, picture, i);
        faces[i] = &d->faces[i].face;
        find_person(d, i, synth_identity(room->options, number));
        synth_face_draw(faces[i], room->options, room->h, &d->faces[i].who, number);
    }
    crowd_place(faces, order, d->face_count, room->options, picture);
    for (int k = 0; k < d->face_count; k++) {
        renderer_set_person(room->renderer, &d->faces[order[k]].who, weights_of(room, order[k]));
        TRY(draw_head(d, order[k]));
    }
    return MIEN_OK;
}

mien_status drawer_draw(drawer *d, int64_t picture)
{
    drawer_room *room = d->room;
    const synth_options *o = room->options;
    const shot *how = &d->faces[0].face.shot;
    d->face_count = synth_face_count(o, picture);
    render_begin(room->renderer);
    stage_begin(room->clock);
    if (o->crowd > 0) {
        TRY(draw_crowd(d, picture));
    } else {
        const int64_t identity = synth_identity(o, picture);
        if (identity != room->identity) {
            find_person(d, 0, identity);
            renderer_set_person(room->renderer, &d->faces[0].who, weights_of(room, 0));
            room->identity = identity;
        }
        synth_face_draw(&d->faces[0].face, o, room->h, &d->faces[0].who, picture);
        stage_end(room->clock, STAGE_PERSON);
        TRY(draw_head(d, 0));
    }
    for (int i = 0; i < d->face_count; i++)
        render_look(room->renderer, &d->faces[i].face.marks);
    TRY(render_finish(&d->picture, room->renderer, how));
    stage_begin(room->clock);
    TRY(post_apply(&d->picture, how, room->post));
    stage_end(room->clock, STAGE_POST);
    return MIEN_OK;
}
