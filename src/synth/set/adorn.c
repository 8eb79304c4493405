/* What a person's face wears and carries: drawn after who they are, from a stream of its own, so that people keep their
 * shapes and colours when there is something new to wear. */
#include "synth/set/draws.h"

#define ADORN_EPOCH 3 /* streams (person's seed, 3, 0); 2 is the axes of shape */

void person_adorn(person *p)
{
    rng r = rng_at(p->seed, ADORN_EPOCH, 0, RNG_SYNTH);
    float stain = rng_float(&r) * rng_float(&r) * (0.5f + 0.5f * p->lines);
    p->teeth = v3_scale(v3_mix(v3(0.80f, 0.77f, 0.70f), v3(0.66f, 0.58f, 0.42f), stain), 1 - 0.38f * p->tone);
}
