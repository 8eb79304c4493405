/* What a scene's keys are set to: what to draw a number, a yes or no, or a name from. Each key has random streams of
 * its own, one for every face or person: what one key is set to moves no other's draws, and neither does a new key. */
#ifndef SYNTH_DISTRIBUTION_H
#define SYNTH_DISTRIBUTION_H

#include "base/rng.h"
#include "recipe/key.h"

typedef enum {
    DISTRIBUTION_CONSTANT, /* 0.5: low and high are the number */
    DISTRIBUTION_UNIFORM,  /* [0.3, 1] */
    DISTRIBUTION_NORMAL,   /* {mean: 0, std: 11, low: -32, high: 32}: drawn again where it falls outside */
} distribution_kind;

typedef struct {
    distribution_kind kind;
    float low, high;
    float mean, std; /* of a normal one */
    uint32_t stream; /* the key's */
} distribution;

typedef struct {
    float probability; /* 0..1 */
    uint32_t stream;
} scene_share;

#define CHOICE_MAX 16
typedef struct {
    float weights[CHOICE_MAX]; /* [count], by the key's words; 0: never */
    int count;
    uint32_t stream;
} choice;

extern const recipe_key_type distribution_type, share_type, choice_type;

/* The draw of the face or person whose stream `whose` is; that stream does not move, and the same draw comes again. */
float distribution_draw(const distribution *d, const rng *whose);
bool share_draw(const scene_share *s, const rng *whose);
int choice_draw(const choice *c, const rng *whose); /* 0..count-1 */
/* As choice_draw, each weight times a factor [count] that the face or person brings; where that leaves nothing, the
 * weights alone. */
int choice_draw_among(const choice *c, const float *factors, const rng *whose);
/* Of keys that are drawn from more than once a face: the next draw from r, which begins as rng_branch(whose, stream).
 */
float distribution_next(const distribution *d, rng *r);
bool share_next(const scene_share *s, rng *r);

#endif
