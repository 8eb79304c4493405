/* Who is drawn (a person, the same in all of an identity's pictures) and how the picture is taken (a shot). Colours are
 * linear light, 0..1. */
#ifndef SYNTH_LOOK_H
#define SYNTH_LOOK_H

#include "synth/mesh/vec.h"

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
    float age;         /* years, 18..80 */
    float male;        /* 0 female .. 1 male */
    float ancestry[3]; /* African, Asian, Caucasian; sum 1 */
    float tone;        /* skin: 0 lightest .. 1 darkest */
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

    vec3 teeth;
} person;

typedef struct {
    float yaw, pitch, roll;      /* degrees, as mat3_head has them */
    float field;                 /* decimetres across the picture at the face's depth */
    float distance;              /* camera to face, decimetres */
    float shift_x, shift_y;      /* of the face's middle, share of the picture */
    vec3 key_from, fill_from;    /* directions toward the lights, camera space, unit */
    vec3 key, fill, sky, ground; /* light colours */
    float exposure;
    uint32_t seed;              /* of background and grain */
    vec3 back_a, back_b, cloth; /* background colours */
    float back_blobs;           /* strength of what is out of focus behind */
    float blur;                 /* pixels, standard deviation */
    float grain;                /* grey levels, standard deviation */
    int quality;                /* JPEG */
} shot;

#endif
