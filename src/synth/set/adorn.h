#ifndef SYNTH_ADORN_H
#define SYNTH_ADORN_H

#include "base/rng.h"
#include "format/face_labels.h"
#include "synth/draw/look.h"
#include "synth/set/scene.h"

/* Teeth, pores, makeup: the last part of person_draw. r: the person's stream, beside which keys are drawn. */
void person_adorn(person *p, const scene *s, const rng *r);
/* What comes between the camera and a face. Which hands do depends on the expression; nothing else of it shows. */
void occluders_draw(occluders *out, const person *who, expression_class c, const scene *s, rng *r);

#endif
