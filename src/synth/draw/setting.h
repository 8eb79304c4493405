/* What the parts of the renderer share while one face is drawn. Private to render.c and the files that colour surfaces.
 */
#ifndef SYNTH_SETTING_H
#define SYNTH_SETTING_H

#include "synth/draw/look.h"
#include "synth/face/head.h"

/* How strongly the expression folds the skin, 0..1 each; [2] is left, right of the face. */
typedef struct {
    float forehead, glabella, bridge, chin;
    float crow[2], fold[2], apple[2], sneer[2], corner[2], frown[2], pouch[2];
    float brow_inner, press[2]; /* inner ends of the brows raised; brows pressed down */
} creases;

typedef struct {
    const head *h;
    const person *who;
    const shot *how;
    creases crease;
    mat3 turn;             /* head to camera space */
    vec3 eye[2];           /* eyeball centres, camera space */
    float lid[2];          /* height of the upper lid's edge over the eyeball's centre, upright head */
    float glasses_forward; /* of the eyeballs' middles, so that rims clear nose and brows */
    float mouth_front;     /* rest z of the lips, for what lies behind them */
    float mouth_open;      /* 0 closed .. 1 jaw fully down */
    float lips_apart;      /* 0 closed .. 1 far enough for light to fall on the teeth */
    float pixel;           /* decimetres that a pixel covers on the face */
} setting;

/* One visible point, interpolated from its triangle. */
typedef struct {
    vec3 rest;     /* on the neutral head */
    vec3 position; /* camera space, decimetres; the camera is at (0, 0, distance) */
    vec3 normal;   /* camera space, unit */
    vec3 tint;     /* skin colour before fine detail */
    vec3 light;    /* diffuse light that arrives, shadows included */
    float lips;    /* mask, 0..1 */
    float shadow;  /* of the key light: 0 dark .. 1 lit */
    float occlusion;
} surface;

/* What is left of a texture that has so many cells of noise a decimetre: a pixel shows the mean of what it covers. */
static inline float detail_left(const setting *s, float cells)
{
    const float covered = cells * s->pixel;
    return 1 / (1 + 0.5f * covered * covered);
}

/* Gloss toward the camera from key and fill, Blinn-Phong with exponent 2^sharp (3 or more), 1 at its peak per unit of
 * light, plus broad_share of a lobe with exponent 8. */
vec3 gloss(const setting *s, const surface *at, vec3 normal, int sharp, float broad_share);

void creases_find(creases *out, const float *units, const person *who);
/* How much darker the expression's folds make the skin at a place of the neutral head: 0 none, below 0 lit. */
float crease_at(const setting *s, vec3 rest);
/* The skin's colour at a vertex: what changes slowly over the face. */
vec3 skin_tint(const head *h, int vertex, const person *who);
/* The middle line of a brow on the neutral head, mirrored to its left where is_right: along is 0 at the nose's end, 1
 * at the outer. */
void brow_middle(const setting *s, bool is_right, float along, float *x, float *y);
vec3 skin_shade(const setting *s, const surface *at);
vec3 eye_left_shade(const setting *s, const surface *at);
vec3 eye_right_shade(const setting *s, const surface *at);
vec3 teeth_shade(const setting *s, const surface *at);
vec3 mouth_shade(const setting *s, const surface *at);
vec3 tongue_shade(const setting *s, const surface *at);
vec3 cloth_shade(const setting *s, const surface *at);

#endif
