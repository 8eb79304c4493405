/* Who is drawn and how the picture is taken, from a scene and a random stream. Keys of the scene have streams of their
 * own beside it; nothing else depends on the model but the identity weights. */
#ifndef SYNTH_DRAWS_H
#define SYNTH_DRAWS_H

#include "base/rng.h"
#include "synth/draw/look.h"
#include "synth/face/face_model.h"
#include "synth/set/scene.h"

/* Draws a person and the model's identity weights [face->identity.count], which depend on it. */
void person_draw(person *out, float *identity, const face_model *face, const scene *s, rng *r);
/* Draws a shot of a person (lighting exposes for the skin, as a camera does). */
void shot_draw(shot *out, const person *who, const scene *s, rng *r);
/* The shot's degradations, blur, grain and JPEG. */
void degradation_draw(shot *s, const scene *from, const rng *r);
/* A plain studio shot, the same for everybody: for sheets. */
void shot_studio(shot *out, const person *who);

#endif
