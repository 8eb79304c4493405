/* The inside of a renderer, for the files that draw a face's parts into its samples. */
#ifndef SYNTH_RENDER_INT_H
#define SYNTH_RENDER_INT_H

#include "synth/draw/background.h"
#include "synth/draw/glasses.h"
#include "synth/draw/hair.h"
#include "synth/draw/occluder.h"
#include "synth/draw/render.h"

#define SUPER 2         /* samples per pixel and direction */
#define SHADOW_SIDE 176 /* samples of the shadow picture */
#define TONE_STEPS 4096
#define PIXEL_SAMPLES (SUPER * SUPER)
#define ALL_SAMPLES ((1u << PIXEL_SAMPLES) - 1)

struct renderer {
    const head *heads; /* the first that people may have */
    const head *h;     /* the person's */
    const person *who;
    int head_count;                         /* drawn into the samples so far */
    int64_t head_samples[RENDER_MAX_HEADS]; /* that each took, but the last */
    float glasses_forward;
    uint32_t lid[2];     /* vertices in the middle of the upper lids' edges */
    int size, side;      /* of the picture, of its samples */
    vec3 *shape;         /* [V] the person without expression, model space */
    vec3 *posed;         /* [V] model space */
    vec3 *position;      /* [V] camera space */
    vec3 *normal;        /* [V] camera space, unit */
    vec3 *screen;        /* [V] */
    vec3 *tint;          /* [V] */
    vec3 *light;         /* [V] */
    float *shadow;       /* [V] */
    vec3 *from_light;    /* [V] as the key light's picture shows them */
    bool *is_lit;        /* [V] light is asked for there: a vertex of what is seen, or under hair */
    surface *corners;    /* [V] all that shading interpolates */
    float *hair_depth;   /* [V] decimetres inside the hairline */
    float *depth;        /* [side, side] */
    uint32_t *id;        /* [side, side] */
    vec3 *colour;        /* [side, side] linear light */
    float *shadow_depth; /* [SHADOW_SIDE, SHADOW_SIDE] */
    hair_mesh hair;
    vec3 *hair_screen;
    float *sheet_depth; /* [side, side] of one sheet of hair */
    uint32_t *sheet_id; /* [side, side] */
    glasses_mesh glasses;
    occluder_mesh worn;
    vec3 *worn_screen;
    background behind;
    uint8_t tone[TONE_STEPS + 1];
    stage_clock *clock; /* NULL: nobody asks */
};

/* Triangles of the head under way. */
static inline uint32_t render_triangle_count(const renderer *r)
{
    return 2 * (uint32_t)r->h->quad_count;
}

/* Camera space to samples; z is the reciprocal of the distance, which is linear on the screen. */
static inline vec3 render_project(const renderer *r, const shot *how, vec3 p)
{
    float inverse = 1 / maxf(0.5f, how->distance - p.z), scale = how->distance * inverse * (float)r->side / how->field;
    return v3((0.5f + how->shift_x) * (float)r->side + p.x * scale,
              (0.5f + how->shift_y) * (float)r->side - p.y * scale, inverse);
}

/* --- light (render_light.c) --- */
/* Which vertices want light: those of what is seen, and under hair. */
void render_find_lit(renderer *r);
/* Which of them the key light reaches, by a depth picture from the light of the head and what it wears. */
void render_cast_shadows(renderer *r, const setting *s);
void render_light(renderer *r, const setting *s);

/* --- surfaces (render_surfaces.c), each over what is there --- */
/* The pixel's samples that see a triangle below `end`, a bit each. */
unsigned render_seen(const renderer *r, const uint32_t *id, uint32_t end, int px, int py);
void render_shade(renderer *r, const setting *s);
void render_lashes(renderer *r, const setting *s);
void render_hair(renderer *r, const setting *s);
void render_glasses(renderer *r, const setting *s);
void render_worn(renderer *r, const setting *s);

#endif
