/* Expressions as combinations of action units (AUs), the expression units that make them, and the labels that follow.
 * The labels come from the recipe that moves the face: docs/synth.md states every table and threshold in here. */
#ifndef SYNTH_EXPRESSION_H
#define SYNTH_EXPRESSION_H

#include "base/rng.h"
#include "format/face_labels.h"
#include "synth/face/head.h"

#include <stdint.h>

typedef struct {
    expression_class expression;
    float intensity;          /* 0..1; 0 for neutral */
    float valence, arousal;   /* -1..1 */
    float nod;                /* degrees by which the head goes up with it, beside the shot's pitch */
    float units[UNIT_COUNT];  /* 0..1, what the face is moved by */
    uint8_t au[AU_COUNT];     /* 1 where the level reaches the AU's threshold */
    float au_level[AU_COUNT]; /* 0..1 */
    /* What the face shows where it shows anything: one class, or two that it lies between, and their shares, sum 1. */
    expression_class toward[2];
    float toward_share[2];
} face_expression;

/* Draws one of the class' variants at an intensity in [low, high], with asymmetry, gaze and small movements that mean
 * nothing, and labels it. */
void expression_draw(face_expression *out, const head *h, expression_class c, float low, float high, rng *r);
/* The class' first variant at full strength without any variation: for sheets and tests. */
void expression_plain(face_expression *out, const head *h, expression_class c);
/* The probability of a class: a movement below EXPRESSION_CLEAR is partly neutral, and a blend is partly either. */
#define EXPRESSION_CLEAR 0.30f
float expression_share(const face_expression *e, expression_class c);
/* Moves units to what an AU (a place in au_numbers) at a level moves; AU25 is shown by parted lips. */
void expression_unit(float *units, int au, float level);
/* AU levels and labels from unit weights; AU25 from the gap between the lips. */
void expression_label(face_expression *e, const head *h);

#endif
