#ifndef SYNTH_CROWD_H
#define SYNTH_CROWD_H

#include "synth/set/plan.h"

/* Places the faces of one picture before one camera: distances, places and sizes are new, light, background and
 * what the camera does are the first's. order [count]: the faces from the farthest to the nearest. */
void crowd_place(synth_face *const *faces, int *order, int count, const synth_options *options, int64_t picture);

#endif
