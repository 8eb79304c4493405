/* Who is drawn (a person, the same in all of an identity's pictures) and how the picture is taken (a shot). Colours are
 * linear light, 0..1. */
#ifndef SYNTH_LOOK_H
#define SYNTH_LOOK_H

#include "base/rng.h"
#include "synth/draw/surround.h"
#include "synth/face/face_model.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    HAIR_BALD,
    HAIR_CROPPED,
    HAIR_SHORT,
    HAIR_LONG,
    HAIR_STYLES,
} hair_style;
extern const char *const hair_style_names[HAIR_STYLES + 1]; /* "bald"; NULL behind the last */

typedef struct {
    const face_model *face; /* whose head it is; borrowed */
    float age;         /* years, 1..90; of a population's heads only colours and hair have it, and sex and descent */
    float male;        /* 0 female .. 1 male */
    float ancestry[3]; /* African, Asian, Caucasian; sum 1 */
    float tone;        /* skin: 0 lightest .. 1 darkest */
    float motion;      /* how far expression units move the lower face, of a grown one's way */
    uint32_t seed;     /* of the person's own textures */

    vec3 skin, hair, brow_hair, iris;
    float flush;      /* redness of cheeks, nose and ears, 0..1 */
    float oil;        /* gloss of the skin, about 1 */
    float freckles;   /* 0..1 */
    float eye_shade;  /* darkness around the eyes, 0..1 */
    float lip_colour; /* 0 near the skin's, 1 deep */
    vec3 lip_tint;
    float lip_makeup; /* 0..1 of lip_tint */
    float lash;       /* darkness of the lashes, 0..1 */
    float lines;      /* standing lines of age, 0..1 */

    float brow_height, brow_arch, brow_thick, brow_dense; /* offsets and factors of the brows */
    hair_style style;
    float hairline;    /* decimetres by which the hairline has moved back */
    float hair_volume; /* decimetres that hair stands off the scalp */
    float hair_wave;   /* 0 straight .. 1 curly */
    float parting;     /* x of the parting, decimetres */
    float grey;        /* share of grey hair */
    float stubble;     /* 0 shaved .. 1 dark stubble */
    float beard;       /* 0 none .. 1 full */
    float moustache;   /* 0..1 */
    bool glasses;
    float glasses_width, glasses_height, glasses_thick;
    vec3 glasses_colour;

    vec3 teeth, nails;
    float pores, shine;         /* of the skin: how coarse it is, and how far its gloss varies, about 1 */
    float moles;                /* 0 none .. 1 many */
    float eyeliner, eye_shadow; /* makeup, 0..1 */
    vec3 shadow_tint;
    float blush;
    float fringe, fringe_side; /* decimetres that hair hangs over the forehead; -1..1: longer on the left */
    float curtain;             /* radians by which long hair closes around the face */
} person;

/* What stands between the camera and the face, or frames it. */
typedef enum {
    HAT_NONE,
    HAT_BEANIE,
    HAT_CAP,
    HAT_BRIM,
    HAT_HEADSCARF,
    HAT_HOOD,
    HAT_KINDS,
} hat_kind;
typedef enum {
    SCARF_NONE,
    SCARF_NECK,
    SCARF_MOUTH, /* up over the mouth */
    SCARF_MASK,  /* a medical mask */
    SCARF_KINDS,
} scarf_kind;
typedef enum {
    HAND_NONE,
    HAND_MOUTH,  /* flat before the mouth */
    HAND_CHEEK,  /* a palm along one cheek */
    HAND_CHEEKS, /* both */
    HAND_BROW,   /* fingers over the forehead and an eye */
    HAND_CHIN,   /* a fist under the chin */
    HAND_KINDS,
} hand_kind;
typedef enum {
    HELD_NONE,
    HELD_MICROPHONE,
    HELD_CUP,
    HELD_KINDS,
} held_kind;
extern const char *const hat_names[HAT_KINDS + 1], *const scarf_names[SCARF_KINDS + 1],
                                                       *const hand_names[HAND_KINDS + 1],
                                                           *const held_names[HELD_KINDS + 1]; /* "beanie"; NULL last */

typedef struct {
    hat_kind hat;
    scarf_kind scarf;
    hand_kind hand;
    held_kind held;
    bool headphones, sunglasses;
    bool from_left;               /* hands and what they hold come from the face's left */
    float turn, side, up, spread; /* of a hand: degrees, decimetres, 0 fingers together .. 1 apart */
    float reflection;             /* of glasses: 0 none .. 1 a window's */
    vec3 hat_cloth, scarf_cloth, thing;
    float tears; /* 0 none .. 1 wet tracks down the cheeks */
} occluders;

typedef enum {
    BACKGROUND_BLOBS, /* one colour into the other, with soft blobs */
    BACKGROUND_PLAIN,
    BACKGROUND_WHITE,
    BACKGROUND_BLACK,
    BACKGROUND_SPOT, /* lit around the head */
    BACKGROUND_ROOM,
    BACKGROUND_SHELVES,
    BACKGROUND_WINDOW,
    BACKGROUND_FOLIAGE,
    BACKGROUND_SKY,
    BACKGROUND_PATTERN,
    BACKGROUND_CROWD,
    BACKGROUND_TEXT,
    BACKGROUND_LIGHTS,
    BACKGROUND_KINDS,
} background_kind;
extern const char *const background_names[]; /* "blobs", NULL after the last */

/* What the key light comes past on its way to the face. */
typedef enum {
    SHADE_NONE,
    SHADE_EDGE,   /* a roof's or wall's shadow on one part of the face */
    SHADE_BARS,   /* blinds, window frames */
    SHADE_LEAVES, /* patches of sun */
} shade_kind;

/* What befalls a picture between the lens and the web page it is found on, in this order (post.c). 0 is off, each. */
typedef struct {
    float motion, motion_angle;      /* length of the path, share of the picture's side; radians */
    float shrink;                    /* resolution lost, share: 0.6 keeps 4 pixels of 10, enlarged again at the end */
    float warmth, tint;              /* false white balance, -1 blue .. 1 yellow, -1 green .. 1 magenta */
    float gamma, contrast;           /* both -1..1; above 0: brighter middle tones, more contrast */
    float vignette;                  /* light lost in the corners, share */
    float halo;                      /* sharpening, times what a blur takes away */
    float grey, sepia;               /* colour lost, share; what is left browned, share */
    float fade;                      /* black and white drawn together, share */
    float film_grain;                /* grey levels, standard deviation, the same in all colours */
    float halftone, dust, scratches; /* 0..1, of print and scan */
    int first_quality;               /* of a JPEG before the file's own */
    float stretch;                   /* of the histogram to black and white, share */
    float watermark;                 /* opacity of text over the picture */
    float border;                    /* width of bars, share of the side */
} degradation;

typedef struct {
    float yaw, pitch, roll;      /* degrees, as mat3_head has them */
    float field;                 /* decimetres across the picture at the face's depth */
    float distance;              /* camera to face, decimetres */
    float shift_x, shift_y;      /* of the face's middle, share of the picture */
    vec3 key_from, fill_from;    /* directions toward the lights, camera space, unit */
    vec3 key, fill, sky, ground; /* light colours; sky and ground: the surroundings, where their mean will do */
    surround around;             /* light of all else */
    int lighting;                /* the set-up that they are of: lighting_names in synth/set */
    float key_soft;              /* size of the key light: 0 the sun .. 1 a window beside the face */
    shade_kind shade;
    float shade_angle, shade_at; /* which way it runs, radians; where across the face, decimetres from its middle */
    float shade_dark;            /* key light lost in it, share */
    float exposure;
    uint32_t seed;              /* of background and grain */
    uint32_t frame;             /* of a clip, whose grain is another's in each */
    vec3 back_a, back_b, cloth; /* background colours */
    background_kind back_kind;
    float back_blobs; /* strength of what is out of focus behind, in blobs */
    float back_blur;  /* of the background, share of the picture's side, standard deviation */
    float blur;       /* pixels, standard deviation */
    float grain;      /* grey levels, standard deviation, where the picture is white; half in the black */
    degradation degraded;
    occluders worn;
    int quality; /* JPEG */
} shot;

#endif
