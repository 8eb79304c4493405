/* What faces are labelled with, as files name it: who draws faces writes these columns, who learns from them reads
 * them.
 */
#ifndef FORMAT_FACE_LABELS_H
#define FORMAT_FACE_LABELS_H

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

/* Action units of FACS: all that are labelled anywhere, and those of them that MTL's challenge scores. */
#define AU_COUNT 18
extern const int au_numbers[AU_COUNT];             /* 1 2 4 5 6 7 9 10 12 14 15 16 17 20 23 24 25 26 */
extern const char *const au_names[AU_COUNT];       /* "AU01": 0 or 1 */
extern const char *const au_level_names[AU_COUNT]; /* "AU01_i": 0..1 */
#define CHALLENGE_AU_COUNT 12
extern const char *const challenge_au_names[CHALLENGE_AU_COUNT]; /* 1 2 4 6 7 10 12 15 23 24 25 26 */

/* The 52 expression units, under ARKit's names and in its alphabetical order. Left and right are the face's own. */
typedef enum {
    BROW_DOWN_LEFT,
    BROW_DOWN_RIGHT,
    BROW_INNER_UP,
    BROW_OUTER_UP_LEFT,
    BROW_OUTER_UP_RIGHT,
    CHEEK_PUFF,
    CHEEK_SQUINT_LEFT,
    CHEEK_SQUINT_RIGHT,
    EYE_BLINK_LEFT,
    EYE_BLINK_RIGHT,
    EYE_LOOK_DOWN_LEFT,
    EYE_LOOK_DOWN_RIGHT,
    EYE_LOOK_IN_LEFT,
    EYE_LOOK_IN_RIGHT,
    EYE_LOOK_OUT_LEFT,
    EYE_LOOK_OUT_RIGHT,
    EYE_LOOK_UP_LEFT,
    EYE_LOOK_UP_RIGHT,
    EYE_SQUINT_LEFT,
    EYE_SQUINT_RIGHT,
    EYE_WIDE_LEFT,
    EYE_WIDE_RIGHT,
    JAW_FORWARD,
    JAW_LEFT,
    JAW_OPEN,
    JAW_RIGHT,
    MOUTH_CLOSE,
    MOUTH_DIMPLE_LEFT,
    MOUTH_DIMPLE_RIGHT,
    MOUTH_FROWN_LEFT,
    MOUTH_FROWN_RIGHT,
    MOUTH_FUNNEL,
    MOUTH_LEFT,
    MOUTH_LOWER_DOWN_LEFT,
    MOUTH_LOWER_DOWN_RIGHT,
    MOUTH_PRESS_LEFT,
    MOUTH_PRESS_RIGHT,
    MOUTH_PUCKER,
    MOUTH_RIGHT,
    MOUTH_ROLL_LOWER,
    MOUTH_ROLL_UPPER,
    MOUTH_SHRUG_LOWER,
    MOUTH_SHRUG_UPPER,
    MOUTH_SMILE_LEFT,
    MOUTH_SMILE_RIGHT,
    MOUTH_STRETCH_LEFT,
    MOUTH_STRETCH_RIGHT,
    MOUTH_UPPER_UP_LEFT,
    MOUTH_UPPER_UP_RIGHT,
    NOSE_SNEER_LEFT,
    NOSE_SNEER_RIGHT,
    TONGUE_OUT,
    UNIT_COUNT,
} face_unit;

extern const char *const unit_names[UNIT_COUNT]; /* "browDownLeft" */
/* The unit that it is in a mirrored picture: the other side's, or itself. */
face_unit unit_mirrored(face_unit unit);

#endif
