/* One camera sees all heads: how large a head is, and how low in the picture, follows from how far away it stands.
 * Places are the best of a few draws, those that cover the others least, so that heads overlap now and then but seldom
 * hide. */
#include "synth/set/crowd.h"

#define HEAD_HEIGHT 2.6f /* decimetres, with hair */
#define HEAD_WIDTH 1.9f
#define TRIES 12

typedef struct {
    float x, y, height; /* shares of the picture */
} place;

static float overlap(place a, place b)
{
    float wide = HEAD_WIDTH / HEAD_HEIGHT;
    float x = 0.5f * wide * (a.height + b.height) - fabsf(a.x - b.x),
          y = 0.5f * (a.height + b.height) - fabsf(a.y - b.y);
    return x > 0 && y > 0 ? x * y : 0;
}

/* horizon: where the heads of those who stand infinitely far away lie; drop: how much lower a head of height 1. */
static place draw_place(rng *r, const place *others, int count, float height, float horizon, float drop)
{
    place best = {0};
    float least = INFINITY;
    for (int t = 0; t < TRIES; t++) {
        place p = {rng_range(r, 0.25f * height, 1 - 0.25f * height), 0, height}; /* some end at the picture's edge */
        p.y = horizon + drop * height + 0.06f * rng_normal(r);
        p.y = maxf(0.4f * height, minf(1 - 0.5f * height, p.y));
        float covered = 0;
        for (int i = 0; i < count; i++)
            covered += overlap(p, others[i]);
        if (covered < least) {
            least = covered;
            best = p;
        }
    }
    return best;
}

void crowd_place(synth_face *const *faces, int *order, int count, const synth_options *options, int64_t picture)
{
    rng r = synth_stream(options, SYNTH_CROWD_EPOCH, picture);
    (void)rng_u32(&r);                             /* how many there are */
    const float reach = rng_range(&r, 0.9f, 1.7f); /* focal length in widths of the picture */
    const float largest = minf(0.5f, 0.85f / sqrtf((float)count)), smallest = 0.35f * largest;
    const float horizon = rng_range(&r, 0.15f, 0.4f), drop = rng_range(&r, 0.3f, 1.1f);
    place places[SYNTH_MAX_CROWD];
    float least = INFINITY, mean = 0; /* exposure for the lightest skin, and for all */
    for (int i = 0; i < count; i++) {
        least = minf(least, faces[i]->shot.exposure);
        mean += faces[i]->shot.exposure / (float)count;
    }
    faces[0]->shot.exposure = sqrtf(least * mean);
    const shot first = faces[0]->shot;
    for (int i = 0; i < count; i++) {
        float height = smallest * powf(largest / smallest, rng_float(&r));
        places[i] = draw_place(&r, places, i, height, horizon, drop);
        shot s = first, *own = &faces[i]->shot;
        s.yaw = own->yaw;
        s.pitch = own->pitch;
        s.roll = own->roll;
        s.cloth = own->cloth;
        s.worn = own->worn;
        s.field = HEAD_HEIGHT / height;
        s.distance = s.field * reach;
        s.shift_x = places[i].x - 0.5f;
        s.shift_y = places[i].y - 0.5f;
        *own = s;
        int at = i;
        for (; at > 0 && faces[order[at - 1]]->shot.distance < s.distance; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}
