/* Expressions as combinations of action units (AUs), the expression units that make them, and the labels that follow.
 * The labels come from the recipe that moves the face: docs/synth.md states every table and threshold in here. */
#ifndef SYNTH_EXPRESSION_H
#define SYNTH_EXPRESSION_H

#include "base/rng.h"
#include "synth/head.h"
#include "synth/units.h"

#include <stdint.h>

/* The eight classes of MTL, in its order; LSD's six are ANGER..SURPRISE, in theirs. */
typedef enum {
    EXPRESSION_NEUTRAL,
    EXPRESSION_ANGER,
    EXPRESSION_DISGUST,
    EXPRESSION_FEAR,
    EXPRESSION_HAPPINESS,
    EXPRESSION_SADNESS,
    EXPRESSION_SURPRISE,
    EXPRESSION_OTHER,
    EXPRESSION_COUNT,
} expression_class;
extern const char *const expression_names[EXPRESSION_COUNT]; /* "anger" */

#define AU_COUNT 18
extern const int au_numbers[AU_COUNT]; /* 1 2 4 5 6 7 9 10 12 14 15 16 17 20 23 24 25 26 */

typedef struct {
    expression_class expression;
    float intensity;          /* 0..1; 0 for neutral */
    float valence, arousal;   /* -1..1 */
    float units[UNIT_COUNT];  /* 0..1, what the face is moved by */
    uint8_t au[AU_COUNT];     /* 1 where the level reaches the AU's threshold */
    float au_level[AU_COUNT]; /* 0..1 */
} face_expression;

/* Draws one of the class' variants at an intensity in [low, high], with asymmetry, gaze and small movements that mean
 * nothing, and labels it. */
void expression_draw(face_expression *out, const head *h, expression_class c, float low, float high, rng *r);
/* The class' first variant at full strength without any variation: for sheets and tests. */
void expression_plain(face_expression *out, const head *h, expression_class c);
/* AU levels and labels from unit weights; AU25 from the gap between the lips. */
void expression_label(face_expression *e, const head *h);

#endif
