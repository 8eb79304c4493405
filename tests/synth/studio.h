/* One person before a camera: what tests of pictures change and take again. */
#ifndef TESTS_SYNTH_STUDIO_H
#define TESTS_SYNTH_STUDIO_H

#include "packed.h"
#include "synth/draw/render.h"
#include "synth/set/draws.h"

enum { STUDIO_SIZE = 64 };

typedef struct {
    packed_face *p;
    renderer *r;
    float *weights;
    person who;
    shot how;
    image im;
} studio;

static inline studio studio_open(packed_face *p, uint64_t identity)
{
    studio s = {.p = p};
    assert_ok(renderer_create(&s.r, p->h, STUDIO_SIZE));
    s.weights = calloc((size_t)p->face->identity.count, sizeof *s.weights);
    assert_non_null(s.weights);
    rng r = rng_at(1, 1, identity, RNG_TEST);
    person_draw(&s.who, s.weights, p->face, p->scene, &r);
    shot_studio(&s.how, &s.who);
    return s;
}

static inline void studio_close(studio *s)
{
    renderer_free(s->r);
    free(s->weights);
    image_free(&s->im);
}

/* A picture of s with unit weights; the person is set each time: the renderer borrows it, and it may have changed. */
static inline void studio_take(studio *s, const float *units)
{
    renderer_set_person(s->r, &s->who, s->weights);
    assert_ok(render_face(&s->im, s->r, units, &s->how));
    assert_int_equal(s->im.width, STUDIO_SIZE);
    assert_int_equal(s->im.height, STUDIO_SIZE);
}

#endif
