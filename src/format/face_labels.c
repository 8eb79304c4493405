/* Each unit's name stands at its own constant, so that the table cannot slip against the enumeration. */
#include "format/face_labels.h"

#include "base/str.h"

#include <string.h>

const char *const expression_names[EXPRESSION_COUNT] = {"neutral",   "anger",   "disgust",  "fear",
                                                        "happiness", "sadness", "surprise", "other"};
const int au_numbers[AU_COUNT] = {1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 20, 23, 24, 25, 26};
const char *const au_names[AU_COUNT] = {"AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12",
                                        "AU14", "AU15", "AU16", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26"};
const char *const au_level_names[AU_COUNT] = {"AU01_i", "AU02_i", "AU04_i", "AU05_i", "AU06_i", "AU07_i",
                                              "AU09_i", "AU10_i", "AU12_i", "AU14_i", "AU15_i", "AU16_i",
                                              "AU17_i", "AU20_i", "AU23_i", "AU24_i", "AU25_i", "AU26_i"};
const char *const challenge_au_names[CHALLENGE_AU_COUNT] = {"AU01", "AU02", "AU04", "AU06", "AU07", "AU10",
                                                            "AU12", "AU15", "AU23", "AU24", "AU25", "AU26"};

const char *const unit_names[UNIT_COUNT] = {
    [BROW_DOWN_LEFT] = "browDownLeft",
    [BROW_DOWN_RIGHT] = "browDownRight",
    [BROW_INNER_UP] = "browInnerUp",
    [BROW_OUTER_UP_LEFT] = "browOuterUpLeft",
    [BROW_OUTER_UP_RIGHT] = "browOuterUpRight",
    [CHEEK_PUFF] = "cheekPuff",
    [CHEEK_SQUINT_LEFT] = "cheekSquintLeft",
    [CHEEK_SQUINT_RIGHT] = "cheekSquintRight",
    [EYE_BLINK_LEFT] = "eyeBlinkLeft",
    [EYE_BLINK_RIGHT] = "eyeBlinkRight",
    [EYE_LOOK_DOWN_LEFT] = "eyeLookDownLeft",
    [EYE_LOOK_DOWN_RIGHT] = "eyeLookDownRight",
    [EYE_LOOK_IN_LEFT] = "eyeLookInLeft",
    [EYE_LOOK_IN_RIGHT] = "eyeLookInRight",
    [EYE_LOOK_OUT_LEFT] = "eyeLookOutLeft",
    [EYE_LOOK_OUT_RIGHT] = "eyeLookOutRight",
    [EYE_LOOK_UP_LEFT] = "eyeLookUpLeft",
    [EYE_LOOK_UP_RIGHT] = "eyeLookUpRight",
    [EYE_SQUINT_LEFT] = "eyeSquintLeft",
    [EYE_SQUINT_RIGHT] = "eyeSquintRight",
    [EYE_WIDE_LEFT] = "eyeWideLeft",
    [EYE_WIDE_RIGHT] = "eyeWideRight",
    [JAW_FORWARD] = "jawForward",
    [JAW_LEFT] = "jawLeft",
    [JAW_OPEN] = "jawOpen",
    [JAW_RIGHT] = "jawRight",
    [MOUTH_CLOSE] = "mouthClose",
    [MOUTH_DIMPLE_LEFT] = "mouthDimpleLeft",
    [MOUTH_DIMPLE_RIGHT] = "mouthDimpleRight",
    [MOUTH_FROWN_LEFT] = "mouthFrownLeft",
    [MOUTH_FROWN_RIGHT] = "mouthFrownRight",
    [MOUTH_FUNNEL] = "mouthFunnel",
    [MOUTH_LEFT] = "mouthLeft",
    [MOUTH_LOWER_DOWN_LEFT] = "mouthLowerDownLeft",
    [MOUTH_LOWER_DOWN_RIGHT] = "mouthLowerDownRight",
    [MOUTH_PRESS_LEFT] = "mouthPressLeft",
    [MOUTH_PRESS_RIGHT] = "mouthPressRight",
    [MOUTH_PUCKER] = "mouthPucker",
    [MOUTH_RIGHT] = "mouthRight",
    [MOUTH_ROLL_LOWER] = "mouthRollLower",
    [MOUTH_ROLL_UPPER] = "mouthRollUpper",
    [MOUTH_SHRUG_LOWER] = "mouthShrugLower",
    [MOUTH_SHRUG_UPPER] = "mouthShrugUpper",
    [MOUTH_SMILE_LEFT] = "mouthSmileLeft",
    [MOUTH_SMILE_RIGHT] = "mouthSmileRight",
    [MOUTH_STRETCH_LEFT] = "mouthStretchLeft",
    [MOUTH_STRETCH_RIGHT] = "mouthStretchRight",
    [MOUTH_UPPER_UP_LEFT] = "mouthUpperUpLeft",
    [MOUTH_UPPER_UP_RIGHT] = "mouthUpperUpRight",
    [NOSE_SNEER_LEFT] = "noseSneerLeft",
    [NOSE_SNEER_RIGHT] = "noseSneerRight",
    [TONGUE_OUT] = "tongueOut",
};

face_unit unit_mirrored(face_unit unit)
{
    static const char left[] = "Left", right[] = "Right";
    const char *name = unit_names[unit];
    const bool is_left = str_ends(name, left);
    if (!is_left && !str_ends(name, right))
        return unit;
    const size_t stem = strlen(name) - (is_left ? sizeof left : sizeof right) + 1;
    for (int other = 0; other < UNIT_COUNT; other++)
        if (strncmp(unit_names[other], name, stem) == 0 &&
            strcmp(unit_names[other] + stem, is_left ? right : left) == 0)
            return (face_unit)other;
    return unit;
}
