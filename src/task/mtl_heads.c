/* The only list of what the multi-task task can learn. */
#include "task/mtl_int.h"

#define HEAD(head_name, head_kind, width, loss_name, metric_name, names)                                               \
    {                                                                                                                  \
        .name = head_name, .kind = head_kind, .size = width, .loss = loss_name, .metric = metric_name,                 \
        .columns = names                                                                                               \
    }

static const char *const va_columns[] = {"valence", "arousal"}, *const pose_columns[] = {"yaw", "pitch", "roll"},
                         *const gaze_columns[] = {"gaze_left_yaw", "gaze_left_pitch", "gaze_right_yaw",
                                                  "gaze_right_pitch"};

const model_head mtl_heads[MTL_HEADS] = {
    HEAD("va", HEAD_REGRESSION, 2, "ccc", "p_va", va_columns),
    HEAD(HEAD_EXPRESSION, HEAD_CLASS, EXPRESSION_COUNT, "cross_entropy", "p_expr", expression_names),
    HEAD("au", HEAD_BINARIES, CHALLENGE_AU_COUNT, "binary_cross_entropy", "p_au", challenge_au_names),
    HEAD("au_intensity", HEAD_REGRESSION, AU_COUNT, "ccc", "p_au_intensity", au_level_names),
    HEAD("blendshapes", HEAD_REGRESSION, UNIT_COUNT, "ccc", "p_blendshapes", unit_names),
    HEAD("pose", HEAD_REGRESSION, 3, "smooth_l1", "p_pose", pose_columns),
    HEAD("gaze", HEAD_REGRESSION, 4, "smooth_l1", "p_gaze", gaze_columns),
};
const annotation_kind mtl_head_kinds[MTL_HEADS] = {ANNOTATION_VA,       ANNOTATION_EXPRESSION, ANNOTATION_AU,
                                                   ANNOTATION_AU_LEVEL, ANNOTATION_UNITS,      ANNOTATION_POSE,
                                                   ANNOTATION_GAZE};
const char *const mtl_head_words[] = {"va", HEAD_EXPRESSION, "au", "au_intensity", "blendshapes", "pose", "gaze", NULL};

int mtl_head_of(const model_head *h)
{
    for (int row = 0; row < MTL_HEADS; row++)
        if (head_equals(&mtl_heads[row], h))
            return row;
    return -1;
}

int mtl_head_find(const model_head *heads, int head_count, int row)
{
    for (int h = 0; h < head_count; h++)
        if (mtl_head_of(&heads[h]) == row)
            return h;
    return -1;
}
