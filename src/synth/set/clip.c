/* Every curve of a clip is a function of time that is drawn before the first frame, so that any frame can be drawn
 * alone. Nothing moves faster than a blink closes an eye. */
#include "synth/set/clip.h"

#include "synth/draw/noise.h"

/* Seconds but where it says otherwise; of a range both ends. */
static const struct {
    float rest[2], onset[2], offset[2]; /* the first and last moments of the expression; shares of the clip */
    float speech_share, syllables[2];   /* of the clips; a second */
    float jaw[2];                       /* how far a syllable opens it */
    float blink_first[2], blink_gap[2], blink_close, blink_open;
    float wander, yaw, pitch, roll, shift; /* spread of gaze (unit weight), head (degrees), place (share of picture) */
} moves = {{0.05f, 0.20f},
           {0.12f, 0.30f},
           {0.15f, 0.35f},
           0.5f,
           {3.2f, 4.8f},
           {0.10f, 0.32f},
           {0.1f, 3.5f},
           {1.8f, 5},
           0.16f,
           0.24f,
           0.22f,
           7,
           4,
           3,
           0.012f};

/* From 0 to 1 and back: in shares of the clip. */
typedef struct {
    float start, full, fades, end;
} envelope;

static float draw_range(rng *r, const float range[2])
{
    return rng_range(r, range[0], range[1]);
}

static envelope draw_envelope(rng *r)
{
    envelope e;
    e.start = draw_range(r, moves.rest);
    e.full = e.start + draw_range(r, moves.onset);
    e.end = 1 - draw_range(r, moves.rest);
    e.fades = e.end - draw_range(r, moves.offset);
    return e;
}

static float envelope_at(const envelope *e, float share)
{
    return smooth_step(e->start, e->full, share) * (1 - smooth_step(e->fades, e->end, share));
}

/* Smooth noise in -1..1, that changes about `rate` times a second. */
static float wander(float time, float rate, uint32_t seed)
{
    return 2 * noise_1d(time * rate, seed) - 1;
}

/* Blinks come at drawn times; 1 is closed. */
static float blink_at(rng *r, float time)
{
    float at = draw_range(r, moves.blink_first), closed = 0;
    for (; at < time + moves.blink_open; at += draw_range(r, moves.blink_gap)) {
        float since = time - at; /* to the moment at which the lids touch */
        float now = since < 0 ? smooth_step(-moves.blink_close, 0, since) : 1 - smooth_step(0, moves.blink_open, since);
        closed = maxf(closed, now);
    }
    return closed;
}

static const face_unit gaze_units[] = {EYE_LOOK_DOWN_LEFT, EYE_LOOK_DOWN_RIGHT, EYE_LOOK_IN_LEFT, EYE_LOOK_IN_RIGHT,
                                       EYE_LOOK_OUT_LEFT,  EYE_LOOK_OUT_RIGHT,  EYE_LOOK_UP_LEFT, EYE_LOOK_UP_RIGHT};

/* Both eyes turn to side (positive: the head's left) and up. */
static void set_gaze(float *u, float side, float up)
{
    for (size_t i = 0; i < sizeof gaze_units / sizeof *gaze_units; i++)
        u[gaze_units[i]] = 0;
    side = maxf(-0.8f, minf(0.8f, side));
    up = maxf(-0.7f, minf(0.6f, up));
    u[side > 0 ? EYE_LOOK_OUT_LEFT : EYE_LOOK_IN_LEFT] = fabsf(side);
    u[side > 0 ? EYE_LOOK_IN_RIGHT : EYE_LOOK_OUT_RIGHT] = fabsf(side);
    u[up > 0 ? EYE_LOOK_UP_LEFT : EYE_LOOK_DOWN_LEFT] = fabsf(up);
    u[up > 0 ? EYE_LOOK_UP_RIGHT : EYE_LOOK_DOWN_RIGHT] = fabsf(up);
}

/* Syllables open the jaw; vowels are wide or round by turns. */
static void speak(float *u, float strength, float syllables, float jaw, float time, uint32_t seed)
{
    float open = 0.5f - 0.5f * cosf(6.2831853f * syllables * time), loud = noise_1d(time * 1.7f, seed);
    float round = noise_1d(time * syllables * 0.7f, seed + 1), amount = strength * open * (0.4f + 0.6f * loud);
    u[JAW_OPEN] = clamp01(u[JAW_OPEN] + jaw * amount);
    u[MOUTH_FUNNEL] = clamp01(u[MOUTH_FUNNEL] + 0.45f * round * amount);
    u[MOUTH_PUCKER] = clamp01(u[MOUTH_PUCKER] + 0.35f * round * strength * loud);
    u[MOUTH_LOWER_DOWN_LEFT] = clamp01(u[MOUTH_LOWER_DOWN_LEFT] + 0.30f * (1 - round) * amount);
    u[MOUTH_LOWER_DOWN_RIGHT] = clamp01(u[MOUTH_LOWER_DOWN_RIGHT] + 0.30f * (1 - round) * amount);
    u[MOUTH_UPPER_UP_LEFT] = clamp01(u[MOUTH_UPPER_UP_LEFT] + 0.12f * (1 - round) * amount);
    u[MOUTH_UPPER_UP_RIGHT] = clamp01(u[MOUTH_UPPER_UP_RIGHT] + 0.12f * (1 - round) * amount);
}

void clip_move(synth_face *face, const head *h, rng *r, int frame, int frames)
{
    const float time = (float)frame / SYNTH_FRAMES_PER_SECOND,
                share = frames > 1 ? (float)frame / (float)(frames - 1) : 0.5f;
    face_expression rest, *e = &face->expression;
    const face_expression apex = *e;
    expression_draw(&rest, h, EXPRESSION_NEUTRAL, 0, 0, r);
    const envelope shape = draw_envelope(r);
    const envelope talk = draw_envelope(r);
    const bool speaks = rng_float(r) < moves.speech_share;
    const float syllables = draw_range(r, moves.syllables), jaw = draw_range(r, moves.jaw);
    const uint32_t seed = rng_u32(r);
    const float blink = blink_at(r, time), level = envelope_at(&shape, share);

    for (int u = 0; u < UNIT_COUNT; u++)
        e->units[u] = mixf(rest.units[u], apex.units[u], level);
    if (speaks)
        speak(e->units, envelope_at(&talk, share), syllables, jaw, time, seed + 20);
    set_gaze(e->units,
             rest.units[EYE_LOOK_OUT_LEFT] - rest.units[EYE_LOOK_IN_LEFT] + moves.wander * wander(time, 0.9f, seed),
             rest.units[EYE_LOOK_UP_LEFT] - rest.units[EYE_LOOK_DOWN_LEFT] +
                 0.6f * moves.wander * wander(time, 0.7f, seed + 1));
    /* eyes that are drawn half shut are in a blink, which has a time of its own here; a wink shuts one */
    const bool winks = fabsf(apex.units[EYE_BLINK_LEFT] - apex.units[EYE_BLINK_RIGHT]) > 0.3f;
    for (face_unit u = EYE_BLINK_LEFT; u <= EYE_BLINK_RIGHT; u++)
        e->units[u] = maxf(winks ? e->units[u] : minf(e->units[u], 0.3f), blink);

    e->intensity = apex.intensity * level;
    e->valence = mixf(rest.valence, apex.valence, level);
    e->arousal = mixf(rest.arousal, apex.arousal, level);
    e->nod = mixf(rest.nod, 0.5f * apex.nod, level); /* half, or heads that feel it suddenly would jerk */
    expression_label(e, h);
    e->expression = e->intensity < 0.5f * EXPRESSION_CLEAR ? EXPRESSION_NEUTRAL : apex.expression;

    face->shot.yaw += moves.yaw * wander(time, 0.5f, seed + 2);
    face->shot.pitch += moves.pitch * wander(time, 0.6f, seed + 3) + (speaks ? 1.2f * wander(time, 2, seed + 6) : 0);
    face->shot.roll += moves.roll * wander(time, 0.4f, seed + 4);
    face->shot.shift_x += moves.shift * wander(time, 0.5f, seed + 5);
    face->shot.shift_y += moves.shift * wander(time, 0.5f, seed + 7);
    face->shot.frame = (uint32_t)frame;
}
