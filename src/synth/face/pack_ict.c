/* Packs the head of USC ICT-FaceKit light (MIT) into a face model. Its mesh has 26,719 vertices, numbered as USC's
 * README says; what no picture shows is left out (sockets behind the eyes, the inner eyeball, gums behind the teeth),
 * and the rest is simplified to about MakeHuman's number. Its places are those of MakeHuman's head within a few
 * millimetres; where colour is decided, a warp through landmarks takes the one's skin to the other's. */
#include "synth/face/pack_ict.h"

#include "base/arena.h"
#include "base/file.h"
#include "format/face_labels.h"
#include "synth/face/bake.h"
#include "synth/face/ict_source.h"
#include "synth/mesh/simplify.h"
#include "synth/mesh/warp.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ICT_VERTICES 26719
#define DECIMETRES 0.1f /* of a centimetre */
#define WANTED_VERTICES 5600
#define CUT_Y 5.2f         /* decimetres: through the shoulders */
#define LEAST_MOVE 0.0003f /* decimetres: a target that moves a vertex less leaves it alone */
#define SOCKETS_Z 1.26f    /* in front of which the eye's sockets show, between ball and lids */
#define EYE_RADIUS 0.1385f /* of the eyeballs, without ICT's bulging cornea, which closing lids would cut */
#define LID_RADIUS 0.1420f /* to which closed lids keep away from their middles */
#define ARCH_Z 1.05f       /* what the rows of teeth bend around */
#define LIPS_Z 1.38f       /* the lips and the lids are nearer to the viewer than these */
#define LIDS_Z 1.2f
#define TOOTH_WIDTH 0.085f  /* in the pattern that teeth are coloured with */
#define TOOTH_UPPER_Y 6.65f /* where that has enamel and gums */
#define TOOTH_LOWER_Y 6.58f
#define GUMS_UPPER_Y 6.80f
#define GUMS_LOWER_Y 6.45f
#define NO_VERTEX UINT32_MAX

/* Between the eyeballs' middles: in ICT's centimetres, and where MakeHuman's head has it. */
static const vec3 ict_between_eyes = {0, 3.61433f, 7.99481f}, between_eyes = {0, 7.28414f, 1.24536f};
static const vec3 eye_middle = {0.30944f, 7.28414f, 1.24536f}; /* the left one's, here and after the move */
static const vec3 anny_eye_middle = {0.30777f, 7.28414f, 1.24536f};

/* What the vertices are, by their numbers; a quad belongs where its highest one does. */
typedef enum {
    PART_FACE,
    PART_NECK,
    PART_MOUTH,
    PART_SOCKETS,
    PART_GUMS_UPPER,
    PART_GUMS_LOWER,
    PART_TEETH_UPPER,
    PART_TEETH_LOWER,
    PART_TONGUE,
    PART_EYE_LEFT,
    PART_EYE_RIGHT,
    PART_LASH_UPPER,
    PART_LASH_LOWER,
    PART_UNSEEN,
} ict_part;

static const struct {
    int last; /* vertex */
    ict_part part;
} parts[] = {
    {9408, PART_FACE},         {11247, PART_NECK},       {13293, PART_MOUTH},  {14061, PART_SOCKETS},
    {14629, PART_GUMS_UPPER},  {15186, PART_GUMS_LOWER}, {16536, PART_UNSEEN}, /* gums behind the teeth, palate, throat
                                                                                */
    {17038, PART_TONGUE},      {17415, PART_UNSEEN},                           /* molars */
    {18869, PART_TEETH_UPPER}, {19601, PART_UNSEEN},                           /* molars */
    {21095, PART_TEETH_LOWER}, {21450, PART_UNSEEN},                           /* molars */
    {22220, PART_EYE_LEFT},    {23020, PART_UNSEEN},                           /* the iris's own ball */
    {23790, PART_EYE_RIGHT},   {25350, PART_UNSEEN}, /* the iris's own ball, and films over the eyes */
    {25464, PART_LASH_UPPER},                        /* of three strips a lid, the first */
    {25692, PART_UNSEEN},      {25806, PART_LASH_LOWER}, {26034, PART_UNSEEN}, {26148, PART_LASH_UPPER},
    {26376, PART_UNSEEN},      {26490, PART_LASH_LOWER}, {26718, PART_UNSEEN},
};

/* Each tooth that is kept: its vertices, and its place from the middle line. */
static const struct {
    int first, last, place;
} teeth[] = {
    {17607, 17729, 4}, {17730, 17894, 3}, {17895, 17990, 2}, {17991, 18066, 1}, {18067, 18142, 0}, {18143, 18218, 0},
    {18219, 18294, 1}, {18295, 18390, 2}, {18391, 18555, 3}, {18556, 18678, 4}, {20079, 20168, 2}, {20169, 20262, 1},
    {20263, 20348, 0}, {20349, 20434, 0}, {20435, 20528, 1}, {20529, 20619, 2},
};

/* How ICT's blendshapes make our units, which mean what MakeHuman's do: weights bring both to the same strength. */
typedef struct {
    face_unit unit;
    struct {
        const char *name;
        float weight;
    } part[2];
} unit_recipe;

#define BOTH_SIDES(unit, name, weight)                                                                                 \
    {unit##_LEFT, {{name "_L", weight}}},                                                                              \
    {                                                                                                                  \
        unit##_RIGHT,                                                                                                  \
        {                                                                                                              \
            {                                                                                                          \
                name "_R", weight                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
static const unit_recipe recipes[] = {
    BOTH_SIDES(BROW_DOWN, "browDown", 1.05f),
    {BROW_INNER_UP, {{"browInnerUp_L", 0.85f}, {"browInnerUp_R", 0.85f}}},
    BOTH_SIDES(BROW_OUTER_UP, "browOuterUp", 0.85f),
    {CHEEK_PUFF, {{"cheekPuff_L", 1}, {"cheekPuff_R", 1}}},
    {CHEEK_SQUINT_LEFT, {{"cheekSquint_L", 0.6f}, {"cheekRaiser_L", 0.7f}}},
    {CHEEK_SQUINT_RIGHT, {{"cheekSquint_R", 0.6f}, {"cheekRaiser_R", 0.7f}}},
    BOTH_SIDES(EYE_BLINK, "eyeBlink", 1),
    BOTH_SIDES(EYE_LOOK_DOWN, "eyeLookDown", 0.5f), /* lids; the balls turn by gaze_turns */
    BOTH_SIDES(EYE_LOOK_IN, "eyeLookIn", 0.5f),
    BOTH_SIDES(EYE_LOOK_OUT, "eyeLookOut", 0.5f),
    BOTH_SIDES(EYE_LOOK_UP, "eyeLookUp", 0.7f),
    BOTH_SIDES(EYE_SQUINT, "eyeSquint", 1),
    BOTH_SIDES(EYE_WIDE, "eyeWide", 1.05f),
    {JAW_FORWARD, {{"jawForward", 0.8f}}},
    {JAW_LEFT, {{"jawLeft", 0.9f}}},
    {JAW_OPEN, {{"jawOpen", 0.92f}}},
    {JAW_RIGHT, {{"jawRight", 0.9f}}},
    {MOUTH_CLOSE, {{"mouthClose", 0.92f}}},
    BOTH_SIDES(MOUTH_DIMPLE, "mouthDimple", 0.9f),
    BOTH_SIDES(MOUTH_FROWN, "mouthFrown", 1.1f),
    {MOUTH_FUNNEL, {{"mouthFunnel", 1}}},
    {MOUTH_LEFT, {{"mouthLeft", 0.6f}}},
    BOTH_SIDES(MOUTH_LOWER_DOWN, "mouthLowerDown", 1.1f),
    BOTH_SIDES(MOUTH_PRESS, "mouthPress", 1.4f),
    {MOUTH_PUCKER, {{"mouthPucker", 0.75f}}},
    {MOUTH_RIGHT, {{"mouthRight", 0.6f}}},
    {MOUTH_ROLL_LOWER, {{"mouthRollLower", 0.6f}}},
    {MOUTH_ROLL_UPPER, {{"mouthRollUpper", 0.9f}}},
    {MOUTH_SHRUG_LOWER, {{"mouthShrugLower", 0.65f}}},
    {MOUTH_SHRUG_UPPER, {{"mouthShrugUpper", 0.85f}}},
    BOTH_SIDES(MOUTH_SMILE, "mouthSmile", 1.1f),
    BOTH_SIDES(MOUTH_STRETCH, "mouthStretch", 0.85f),
    BOTH_SIDES(MOUTH_UPPER_UP, "mouthUpperUp", 0.75f),
    BOTH_SIDES(NOSE_SNEER, "noseSneer", 0.7f),
    {TONGUE_OUT, {{NULL, 0}}}, /* ICT's tongue moves with the jaw alone */
};
#define RECIPES (sizeof recipes / sizeof *recipes)

/* ICT's blendshapes leave the eyeballs where they are: they turn as far as MakeHuman's do, in degrees about y
 * (positive: to the head's left) and about x (positive: down). */
static const struct {
    face_unit unit;
    int side;
    float about_y, about_x;
} gaze_turns[] = {
    {EYE_LOOK_DOWN_LEFT, 0, 0, 16.8f}, {EYE_LOOK_DOWN_RIGHT, 1, 0, 16.8f}, {EYE_LOOK_UP_LEFT, 0, 0, -11.1f},
    {EYE_LOOK_UP_RIGHT, 1, 0, -11.1f}, {EYE_LOOK_IN_LEFT, 0, -21, 0},      {EYE_LOOK_IN_RIGHT, 1, 21, 0},
    {EYE_LOOK_OUT_LEFT, 0, 21.5f, 0},  {EYE_LOOK_OUT_RIGHT, 1, -21.5f, 0},
};

/* Landmarks on the left half and the middle line, ICT's vertex and its place on MakeHuman's neutral head; those off the
 * middle stand for their mirror images too. Found by closest points after the eyes' corners, the lips and the profile
 * had been laid on each other. */
static const struct {
    int vertex;
    vec3 to;
} landmarks[] = {
    {966, {0, 6.213f, 1.428f}}, /* the jaw from the chin to the ear */
    {3661, {0.145f, 6.240f, 1.413f}}, {4390, {0.284f, 6.276f, 1.259f}}, {3927, {0.392f, 6.347f, 1.116f}},
    {3924, {0.522f, 6.512f, 0.983f}}, {2608, {0.614f, 6.710f, 0.880f}}, {3272, {0.670f, 6.896f, 0.815f}},
    {4088, {0.703f, 7.087f, 0.748f}}, {3443, {0.708f, 7.307f, 0.730f}}, {3615, {0.112f, 7.573f, 1.516f}}, /* the brow */
    {4240, {0.230f, 7.584f, 1.480f}}, {4114, {0.364f, 7.586f, 1.407f}}, {2734, {0.490f, 7.556f, 1.310f}},
    {2509, {0.598f, 7.467f, 1.157f}}, {978, {0, 7.274f, 1.500f}}, /* the nose */
    {4527, {0, 7.179f, 1.549f}},      {4942, {0, 7.065f, 1.606f}},      {4857, {0, 6.943f, 1.678f}},
    {1147, {0, 6.780f, 1.562f}},      {4269, {0.060f, 6.798f, 1.545f}}, {3360, {0.131f, 6.817f, 1.506f}},
    {3742, {0.205f, 7.275f, 1.343f}}, /* the eye */
    {3751, {0.279f, 7.324f, 1.398f}}, {3756, {0.377f, 7.323f, 1.365f}}, {3721, {0.434f, 7.285f, 1.306f}},
    {3725, {0.374f, 7.247f, 1.365f}}, {3732, {0.270f, 7.246f, 1.374f}}, {0, {0, 6.697f, 1.596f}}, /* the lips */
    {4275, {0.069f, 6.713f, 1.586f}}, {6200, {0.165f, 6.690f, 1.530f}}, {6213, {0.255f, 6.612f, 1.424f}},
    {6346, {0.179f, 6.542f, 1.479f}}, {6461, {0.100f, 6.507f, 1.527f}}, {5518, {0, 6.491f, 1.555f}},
    {5533, {0, 6.604f, 1.538f}},      {6216, {0.098f, 6.610f, 1.515f}}, {6470, {0.103f, 6.603f, 1.515f}},
    {10553, {0, 8.482f, 0.455f}}, /* the skull and the neck */
    {8315, {0, 7.975f, 1.416f}},      {9860, {0.742f, 7.727f, 0.417f}}, {9440, {0, 7.662f, -0.387f}},
    {2538, {0.678f, 7.539f, 0.918f}}, {3421, {0.539f, 6.983f, 1.274f}}, {9461, {0, 6.473f, -0.123f}},
};
#define LANDMARKS (sizeof landmarks / sizeof *landmarks)

/* Around the left half of the mouth and the left eye: vertices of the lips' outer edge from top to bottom, and of the
 * lids' from the inner corner over the top. */
static const int lip_edge[] = {0, 4275, 6200, 6213, 6346, 6461, 5518};
static const int lid_edge[] = {3742, 3751, 3756, 3721, 3725, 3732};
#define LIP_EDGES (sizeof lip_edge / sizeof *lip_edge)
#define LID_EDGES (sizeof lid_edge / sizeof *lid_edge)

/* Around an ear, seen from its side: z and y. */
static const float ear_edge[][2] = {{0.564f, 7.20f}, {0.520f, 7.27f}, {0.430f, 7.29f}, {0.330f, 7.22f}, {0.276f, 7.08f},
                                    {0.310f, 6.92f}, {0.420f, 6.80f}, {0.530f, 6.72f}, {0.610f, 6.72f}, {0.634f, 6.81f},
                                    {0.600f, 6.91f}, {0.624f, 7.01f}, {0.570f, 7.12f}};
#define EAR_EDGES (sizeof ear_edge / sizeof *ear_edge)
#define EAR_X 0.55f /* farther from the middle than the throat, whose z and y are the same */

/* Shapes that the simplified mesh has to keep, beside the neutral one. */
static const char *const kept_shapes[][4] = {
    {"jawOpen"},
    {"eyeBlink_L", "eyeBlink_R"},
    {"mouthSmile_L", "mouthSmile_R", "cheekSquint_L", "cheekSquint_R"},
    {"browDown_L", "browDown_R", "noseSneer_L", "noseSneer_R"},
    {"browInnerUp_L", "browInnerUp_R", "browOuterUp_L", "browOuterUp_R"},
    {"mouthFunnel"},
    {"mouthUpperUp_L", "mouthUpperUp_R", "mouthLowerDown_L", "mouthLowerDown_R"},
    {"mouthFrown_L", "mouthFrown_R", "mouthShrugLower"},
};
#define POSES (1 + (int)(sizeof kept_shapes / sizeof *kept_shapes))

typedef struct {
    const char *path;
    arena *memory; /* the source, and what packing needs */
    ict_source source;
    vec3 *place;         /* [ICT_VERTICES] in our coordinates */
    uint8_t *part;       /* [triangles] ict_part, or SIMPLIFY_GONE */
    uint32_t *triangles; /* [triangles, 3] */
    float *triangle_uv;  /* [triangles, 3, 2] of the corners as they were */
    int triangle_count;
    uint32_t *kept;       /* [ICT_VERTICES] index in the head, or NO_VERTEX */
    uint32_t *from;       /* [face->vertex_count] ICT's vertex */
    uint8_t *vertex_part; /* [ICT_VERTICES] ict_part */
    face_model *face;
} packer;

static ict_part part_of(int vertex)
{
    size_t i = 0;
    while (vertex > parts[i].last)
        i++;
    return parts[i].part;
}

/* Those that are left out have no region. */
static const face_region part_regions[] = {
    [PART_FACE] = REGION_SKIN,
    [PART_NECK] = REGION_SKIN,
    [PART_MOUTH] = REGION_MOUTH,
    [PART_SOCKETS] = REGION_SKIN,
    [PART_GUMS_UPPER] = REGION_TEETH_UPPER,
    [PART_GUMS_LOWER] = REGION_TEETH_LOWER,
    [PART_TONGUE] = REGION_TONGUE,
    [PART_TEETH_UPPER] = REGION_TEETH_UPPER,
    [PART_TEETH_LOWER] = REGION_TEETH_LOWER,
    [PART_EYE_LEFT] = REGION_EYE_LEFT,
    [PART_EYE_RIGHT] = REGION_EYE_RIGHT,
    [PART_LASH_UPPER] = REGION_LASH_UPPER,
    [PART_LASH_LOWER] = REGION_LASH_LOWER,
    [PART_UNSEEN] = REGION_COUNT,
};

static vec3 mirrored(vec3 p)
{
    return v3(-p.x, p.y, p.z);
}

static bool is_tooth(ict_part part)
{
    return part >= PART_GUMS_UPPER && part <= PART_TEETH_LOWER;
}

/* Whether a triangle can be seen in any picture, from what it belongs to and where it is. */
static bool is_seen(ict_part part, const vec3 p[3])
{
    if (part_regions[part] == REGION_COUNT)
        return false;
    for (int i = 0; i < 3; i++) {
        if (part <= PART_NECK && p[i].y < CUT_Y)
            return false;
        if (part == PART_SOCKETS && p[i].z < SOCKETS_Z)
            return false;
    }
    if (!is_tooth(part))
        return true;
    /* the rows of teeth are arches: their backs face the tongue */
    vec3 normal = v3_cross(v3_sub(p[1], p[0]), v3_sub(p[2], p[0]));
    vec3 outward = v3(p[0].x, 0, p[0].z - ARCH_Z);
    return v3_dot(v3_unit(normal), v3_unit(outward)) > -0.25f;
}

/* Moves the head to where ours is, and tells triangles and what they belong to. */
static mien_status cut_head(packer *p)
{
    const ict_source *s = &p->source;
    TRY(arena_alloc(p->memory, &p->place, ICT_VERTICES));
    TRY(arena_alloc(p->memory, &p->vertex_part, ICT_VERTICES));
    for (int v = 0; v < ICT_VERTICES; v++) {
        p->place[v] = v3_madd(between_eyes, v3_sub(s->neutral[v], ict_between_eyes), DECIMETRES);
        p->vertex_part[v] = (uint8_t)part_of(v);
        if (p->vertex_part[v] == PART_EYE_LEFT || p->vertex_part[v] == PART_EYE_RIGHT) {
            vec3 middle = p->vertex_part[v] == PART_EYE_LEFT ? eye_middle : mirrored(eye_middle);
            p->place[v] = v3_madd(middle, v3_unit(v3_sub(p->place[v], middle)), EYE_RADIUS);
        }
    }
    TRY(arena_alloc(p->memory, &p->triangles, 6 * (size_t)s->quad_count));
    TRY(arena_alloc(p->memory, &p->triangle_uv, 12 * (size_t)s->quad_count));
    TRY(arena_alloc(p->memory, &p->part, 2 * (size_t)s->quad_count));
    for (int q = 0; q < s->quad_count; q++)
        for (int half = 0; half < (s->quads[4 * q + 3] < 0 ? 1 : 2); half++) {
            int corner[3] = {0, 1 + half, 2 + half}, highest = 0;
            vec3 at[3];
            for (int i = 0; i < 3; i++) {
                int v = s->quads[4 * q + corner[i]];
                highest = v > highest ? v : highest;
                at[i] = p->place[v];
                p->triangles[3 * p->triangle_count + i] = (uint32_t)v;
                memcpy(&p->triangle_uv[6 * p->triangle_count + 2 * i],
                       &s->uv[2 * (size_t)s->quad_uv[4 * q + corner[i]]], 2 * sizeof(float));
            }
            ict_part part = part_of(highest);
            p->part[p->triangle_count] = (uint8_t)part;
            p->triangle_count += is_seen(part, at); /* the next overwrites one that is not */
        }
    if (p->triangle_count == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no face of the head above y = %g dm", p->path, (double)CUT_Y);
    return MIEN_OK;
}

/* The sum of an expression's displacements, in decimetres. */
static mien_status add_shape(packer *p, vec3 *dst, const char *name, float weight)
{
    int e = ict_source_find(&p->source, name);
    if (e < 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: expression %s is missing", p->path, name);
    const vec3 *moves = &p->source.expression[(size_t)e * ICT_VERTICES];
    for (int v = 0; v < ICT_VERTICES; v++)
        dst[v] = v3_madd(dst[v], moves[v], weight * DECIMETRES);
    return MIEN_OK;
}

/* How much an error matters: most around eyes and mouth, least where hair or lips cover it. */
static float importance(ict_part part, vec3 p)
{
    static const float of_part[] = {
        [PART_NECK] = 0.3f,       [PART_MOUTH] = 0.05f,      [PART_SOCKETS] = 0.5f,     [PART_GUMS_UPPER] = 0.1f,
        [PART_GUMS_LOWER] = 0.1f, [PART_TEETH_UPPER] = 0.5f, [PART_TEETH_LOWER] = 0.3f, [PART_TONGUE] = 0.1f,
        [PART_EYE_LEFT] = 1,      [PART_EYE_RIGHT] = 1,      [PART_LASH_UPPER] = 1,     [PART_LASH_LOWER] = 1,
        [PART_UNSEEN] = 0,
    };
    if (part != PART_FACE)
        return of_part[part];
    vec3 eye = v3((fabsf(p.x) - 0.31f) / 0.17f, (p.y - 7.28f) / 0.09f, 0),
         mouth = v3(p.x / 0.28f, (p.y - 6.58f) / 0.12f, 0);
    float near = bump(0.7f * v3_length(eye)) + bump(0.7f * v3_length(mouth));
    return p.z < 0.75f ? 0.4f : 1 + 14 * near * smooth_step(1.1f, 1.25f, p.z);
}

static mien_status simplify_head(packer *p)
{
    vec3 *poses;
    float *weight;
    TRY(arena_alloc(p->memory, &poses, (size_t)POSES * ICT_VERTICES));
    TRY(arena_alloc(p->memory, &weight, ICT_VERTICES));
    for (int k = 0; k < POSES; k++) {
        vec3 *pose = &poses[(size_t)k * ICT_VERTICES];
        memcpy(pose, p->place, ICT_VERTICES * sizeof *pose);
        for (int i = 0; k > 0 && i < 4 && kept_shapes[k - 1][i]; i++)
            TRY(add_shape(p, pose, kept_shapes[k - 1][i], 1));
    }
    for (int v = 0; v < ICT_VERTICES; v++)
        weight[v] = importance(p->vertex_part[v], p->place[v]);
    return simplify(&(simplify_mesh){.vertex_count = ICT_VERTICES,
                                     .triangle_count = p->triangle_count,
                                     .pose_count = POSES,
                                     .triangles = p->triangles,
                                     .part = p->part,
                                     .poses = poses,
                                     .weight = weight},
                    WANTED_VERTICES);
}

/* Numbers the vertices that are left. */
static mien_status keep_vertices(packer *p)
{
    face_model *face = p->face;
    TRY(arena_alloc(p->memory, &p->kept, ICT_VERTICES));
    TRY(arena_alloc(p->memory, &p->from, ICT_VERTICES));
    for (int v = 0; v < ICT_VERTICES; v++)
        p->kept[v] = NO_VERTEX;
    for (int c = 0; c < 3 * p->triangle_count; c++)
        if (p->part[c / 3] != SIMPLIFY_GONE)
            p->kept[p->triangles[c]] = 0;
    for (uint32_t v = 0; v < ICT_VERTICES; v++)
        if (p->kept[v] != NO_VERTEX) {
            p->from[face->vertex_count] = v;
            p->kept[v] = (uint32_t)face->vertex_count++;
        }
    TRY(arena_alloc(face->memory, &face->neutral, face->vertex_count));
    TRY(arena_alloc(face->memory, &face->rest, face->vertex_count));
    TRY(arena_alloc(face->memory, &face->occlusion, face->vertex_count));
    TRY(arena_alloc(face->memory, &face->mask, (size_t)face->vertex_count * MASK_COUNT));
    for (int v = 0; v < face->vertex_count; v++)
        face->neutral[v] = p->place[p->from[v]];
    return MIEN_OK;
}

/* An edge of a triangle, and how long it is. */
typedef struct {
    uint32_t low, high; /* vertices */
    float length;
    int triangle, corner; /* the edge runs from this corner to the next */
} edge;

static int compare_edges(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1; /* diagonals first */
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return x->triangle < y->triangle ? -1 : x->triangle > y->triangle;
}

/* Texture coordinates of a triangle's corner: as the corner had them before it slid. Slides are shorter than anything
 * that a texture would show. */
static void add_corner(packer *p, int quad, int at, int triangle, int corner)
{
    p->face->quads[4 * quad + at] = p->kept[p->triangles[3 * triangle + corner]];
    memcpy(&p->face->uv[8 * quad + 2 * at], &p->triangle_uv[6 * triangle + 2 * corner], 2 * sizeof(float));
}

/* Two triangles that share a long edge are a quad, with that edge as its diagonal; one that is left over is a quad
 * whose last two corners are one. */
static mien_status join_quads(packer *p)
{
    face_model *face = p->face;
    edge *edges;
    bool *is_done;
    int n = 0;
    TRY(arena_alloc(p->memory, &edges, 3 * (size_t)p->triangle_count));
    TRY(arena_alloc(p->memory, &is_done, p->triangle_count));
    TRY(arena_alloc(face->memory, &face->quads, 4 * (size_t)p->triangle_count));
    TRY(arena_alloc(face->memory, &face->uv, 8 * (size_t)p->triangle_count));
    TRY(arena_alloc(face->memory, &face->region, p->triangle_count));
    for (int t = 0; t < p->triangle_count; t++)
        for (int i = 0; i < 3 && p->part[t] != SIMPLIFY_GONE; i++) {
            uint32_t v = p->triangles[3 * t + i], w = p->triangles[3 * t + (i + 1) % 3];
            float length = v3_length(v3_sub(p->place[v], p->place[w]));
            edges[n++] = (edge){v < w ? v : w, v < w ? w : v, length, t, i};
        }
    qsort(edges, (size_t)n, sizeof *edges, compare_edges);
    for (int i = 0; i + 1 < n; i++) {
        const edge *a = &edges[i], *b = &edges[i + 1];
        if (a->low != b->low || a->high != b->high || is_done[a->triangle] || is_done[b->triangle] ||
            p->part[a->triangle] != p->part[b->triangle] ||
            p->triangles[3 * a->triangle + a->corner] == p->triangles[3 * b->triangle + b->corner])
            continue;
        is_done[a->triangle] = is_done[b->triangle] = true;
        add_corner(p, face->quad_count, 0, a->triangle, a->corner);
        add_corner(p, face->quad_count, 1, b->triangle, (b->corner + 2) % 3);
        add_corner(p, face->quad_count, 2, a->triangle, (a->corner + 1) % 3);
        add_corner(p, face->quad_count, 3, a->triangle, (a->corner + 2) % 3);
        face->region[face->quad_count++] = (uint8_t)part_regions[p->part[a->triangle]];
    }
    for (int t = 0; t < p->triangle_count; t++) {
        if (is_done[t] || p->part[t] == SIMPLIFY_GONE)
            continue;
        for (int i = 0; i < 4; i++)
            add_corner(p, face->quad_count, i, t, i < 3 ? i : 2);
        face->region[face->quad_count++] = (uint8_t)part_regions[p->part[t]];
    }
    return MIEN_OK;
}

/* A tooth's place in its row, so that the gaps which teeth are coloured with fall between the teeth. */
static float tooth_x(const packer *p, int vertex)
{
    const size_t count = sizeof teeth / sizeof *teeth;
    size_t i = 0;
    while (i < count && vertex > teeth[i].last)
        i++;
    if (i == count || vertex < teeth[i].first) /* lower canines and what lies behind them: the middle of one */
        return (p->place[vertex].x < 0 ? -1 : 1) * TOOTH_WIDTH * 3.5f;
    int first = teeth[i].first;
    float low = INFINITY, high = 0;
    for (int v = first; v <= teeth[i].last; v++) {
        low = minf(low, fabsf(p->place[v].x));
        high = maxf(high, fabsf(p->place[v].x));
    }
    float x =
        TOOTH_WIDTH * ((float)teeth[i].place + clamp01((fabsf(p->place[vertex].x) - low) / maxf(1e-6f, high - low)));
    return p->place[vertex].x < 0 ? -x : x;
}

/* Where on MakeHuman's neutral head a vertex is coloured as. */
static vec3 rest_of(const packer *p, const warp *skin, int vertex)
{
    vec3 at = p->place[vertex], to = warp_apply(skin, at);
    ict_part part = p->vertex_part[vertex];
    if (part == PART_EYE_LEFT)
        return v3_add(anny_eye_middle, v3_sub(at, eye_middle));
    if (part == PART_EYE_RIGHT)
        return v3_add(mirrored(anny_eye_middle), v3_sub(at, mirrored(eye_middle)));
    if (part == PART_GUMS_UPPER || part == PART_GUMS_LOWER)
        return v3(to.x, part == PART_GUMS_UPPER ? GUMS_UPPER_Y : GUMS_LOWER_Y, to.z);
    if (part == PART_TEETH_UPPER)
        return v3(tooth_x(p, vertex), TOOTH_UPPER_Y, to.z);
    if (part == PART_TEETH_LOWER) /* that row's pattern is shifted by half a tooth */
        return v3(tooth_x(p, vertex) + 0.5f * TOOTH_WIDTH, TOOTH_LOWER_Y, to.z);
    return to;
}

static mien_status map_rest(packer *p)
{
    mien_status st;
    vec3 from[2 * LANDMARKS], to[2 * LANDMARKS];
    int n = 0;
    for (size_t i = 0; i < LANDMARKS; i++) {
        vec3 a = p->place[landmarks[i].vertex], b = landmarks[i].to;
        bool is_middle = b.x == 0;
        if (is_middle)
            a.x = 0;
        for (int side = 0; side < (is_middle ? 1 : 2); side++) {
            from[n] = side ? mirrored(a) : a;
            to[n++] = side ? mirrored(b) : b;
        }
    }
    warp skin;
    st = warp_create(&skin, from, to, n);
    if (st != MIEN_OK)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no head: its landmarks lie on each other", p->path);
    for (int v = 0; v < p->face->vertex_count; v++)
        p->face->rest[v] = rest_of(p, &skin, (int)p->from[v]);
    warp_free(&skin);
    return MIEN_OK;
}

/* The signed distance to an outline in a plane, positive inside. An outline that is not closed ends on the first
 * axis. */
static float inside_by(const float (*outline)[2], size_t count, bool is_closed, float x, float y)
{
    float nearest = INFINITY;
    bool is_inside = false;
    for (size_t i = 0; i + !is_closed < count; i++) {
        const float *a = outline[i], *b = outline[(i + 1) % count];
        float dx = b[0] - a[0], dy = b[1] - a[1];
        float t = clamp01(((x - a[0]) * dx + (y - a[1]) * dy) / maxf(1e-9f, dx * dx + dy * dy));
        float ex = x - a[0] - t * dx, ey = y - a[1] - t * dy;
        nearest = minf(nearest, sqrtf(ex * ex + ey * ey));
        if ((a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / dy * dx)
            is_inside = !is_inside;
    }
    return is_inside ? nearest : -nearest;
}

static void outline_of(float (*dst)[2], const packer *p, const int *vertices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dst[i][0] = p->place[vertices[i]].x;
        dst[i][1] = p->place[vertices[i]].y;
    }
}

/* Masks of the skin, by where it lies. */
static void paint_masks(packer *p)
{
    face_model *face = p->face;
    float lips[LIP_EDGES][2], lids[LID_EDGES][2];
    outline_of(lips, p, lip_edge, LIP_EDGES);
    outline_of(lids, p, lid_edge, LID_EDGES);
    for (int v = 0; v < face->vertex_count; v++) {
        vec3 at = face->neutral[v];
        float x = fabsf(at.x), *mask = &face->mask[(size_t)v * MASK_COUNT];
        if (p->vertex_part[p->from[v]] != PART_FACE)
            continue;
        if (at.z > LIPS_Z)
            mask[MASK_LIPS] = smooth_step(-0.012f, 0.012f, inside_by(lips, LIP_EDGES, false, x, at.y));
        if (at.z > LIDS_Z)
            mask[MASK_LIDS] = smooth_step(-0.05f, -0.02f, inside_by(lids, LID_EDGES, true, x, at.y));
        if (x > EAR_X)
            mask[MASK_EARS] = smooth_step(-0.01f, 0.02f, inside_by(ear_edge, EAR_EDGES, true, at.z, at.y));
    }
}

/* Appends a target's displacements [ICT_VERTICES], decimetres. */
static void add_target(face_targets *t, const packer *p, const char *name, const vec3 *moves)
{
    uint32_t n = t->offsets[t->count];
    for (int v = 0; v < p->face->vertex_count; v++) {
        vec3 d = moves[p->from[v]];
        if (v3_length(d) < LEAST_MOVE)
            continue;
        t->vertices[n] = (uint32_t)v;
        t->deltas[n++] = d;
    }
    t->names[t->count++] = name;
    t->offsets[t->count] = n;
}

static mien_status targets_create(face_targets *t, const packer *p, int count)
{
    arena *m = p->face->memory;
    size_t entries = (size_t)count * (size_t)p->face->vertex_count;
    TRY(arena_alloc(m, &t->names, count));
    TRY(arena_alloc(m, &t->offsets, count + 1));
    TRY(arena_alloc(m, &t->vertices, entries));
    return arena_alloc(m, &t->deltas, entries);
}

static mien_status read_identity(packer *p)
{
    const ict_source *s = &p->source;
    vec3 *moves;
    TRY(arena_alloc(p->memory, &moves, ICT_VERTICES));
    TRY(targets_create(&p->face->identity, p, s->mode_count));
    for (int i = 0; i < s->mode_count; i++) {
        char *name;
        TRY(arena_printf(p->face->memory, &name, FACE_PCA_PREFIX "%03d", i));
        for (int v = 0; v < ICT_VERTICES; v++)
            moves[v] = v3_scale(s->identity[(size_t)i * ICT_VERTICES + (size_t)v], DECIMETRES);
        add_target(&p->face->identity, p, name, moves);
    }
    return MIEN_OK;
}

/* Turns an eyeball about its middle. */
static void turn_eye(packer *p, vec3 *moves, int side, float about_y, float about_x)
{
    const float radians = 0.01745329f;
    float cy = cosf(about_y * radians), sy = sinf(about_y * radians), cx = cosf(about_x * radians),
          sx = sinf(about_x * radians);
    vec3 middle = side ? mirrored(eye_middle) : eye_middle;
    for (int v = 0; v < ICT_VERTICES; v++) {
        if (p->vertex_part[v] != (side ? PART_EYE_RIGHT : PART_EYE_LEFT))
            continue;
        vec3 d = v3_sub(p->place[v], middle);
        vec3 turned = v3(cy * d.x + sy * d.z, d.y, cy * d.z - sy * d.x);
        turned = v3(turned.x, cx * turned.y - sx * turned.z, cx * turned.z + sx * turned.y);
        moves[v] = v3_sub(turned, d);
    }
}

/* A lid's way is straight, the eyeball is round: what ends inside of it is pushed out. */
static void keep_lids_off(packer *p, vec3 *moves, vec3 middle)
{
    for (int v = 0; v < ICT_VERTICES; v++) {
        vec3 out = v3_sub(v3_add(p->place[v], moves[v]), middle);
        float r = v3_length(out);
        if (p->vertex_part[v] == PART_FACE && v3_length(moves[v]) > LEAST_MOVE && r < LID_RADIUS && out.z > 0)
            moves[v] = v3_madd(moves[v], v3_unit(out), LID_RADIUS - r);
    }
}

static mien_status read_units(packer *p)
{
    vec3 *moves;
    TRY(arena_alloc(p->memory, &moves, ICT_VERTICES));
    TRY(targets_create(&p->face->expression, p, RECIPES));
    for (size_t i = 0; i < RECIPES; i++) {
        memset(moves, 0, ICT_VERTICES * sizeof *moves);
        for (int k = 0; k < 2 && recipes[i].part[k].name; k++)
            TRY(add_shape(p, moves, recipes[i].part[k].name, recipes[i].part[k].weight));
        for (size_t g = 0; g < sizeof gaze_turns / sizeof *gaze_turns; g++)
            if (gaze_turns[g].unit == recipes[i].unit)
                turn_eye(p, moves, gaze_turns[g].side, gaze_turns[g].about_y, gaze_turns[g].about_x);
        if (recipes[i].unit == EYE_BLINK_LEFT || recipes[i].unit == EYE_BLINK_RIGHT)
            keep_lids_off(p, moves, recipes[i].unit == EYE_BLINK_LEFT ? eye_middle : mirrored(eye_middle));
        add_target(&p->face->expression, p, unit_names[recipes[i].unit], moves);
    }
    return MIEN_OK;
}

static mien_status pack(face_model **out, packer *p)
{
    if (p->source.vertex_count != ICT_VERTICES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %d vertices (wanted %d, ICT-FaceKit light)", p->path,
                         p->source.vertex_count, ICT_VERTICES);
    p->face->source = "ict-facekit light";
    p->face->licence = "MIT, Copyright (c) 2020 USC Institute for Creative Technologies";
    TRY(cut_head(p));
    TRY(simplify_head(p));
    TRY(keep_vertices(p));
    TRY(join_quads(p));
    TRY(map_rest(p));
    paint_masks(p);
    TRY(read_identity(p));
    TRY(read_units(p));
    TRY(bake_occlusion(p->face));
    *out = p->face;
    return MIEN_OK;
}

mien_status pack_ict(face_model **out, const char *path)
{
    mien_status st;
    packer p = {.path = path};
    arena *memory = NULL;
    TRY_OUT(arena_create(&p.memory, 1 << 20));
    TRY_OUT(arena_create(&memory, 1 << 20));
    TRY_OUT(arena_alloc(memory, &p.face, 1));
    p.face->memory = memory;
    TRY_OUT(file_is_folder(path) ? ict_source_load_folder(&p.source, p.memory, path)
                                 : ict_source_load(&p.source, p.memory, path));
    TRY_OUT(pack(out, &p));
    memory = NULL;
out:
    arena_free(p.memory);
    arena_free(memory);
    return st;
}
