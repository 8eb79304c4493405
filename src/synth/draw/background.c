/* Kinds are a table of painters. A painter draws numbers one after another from a hash of the shot's seed, takes its
 * colours from around the shot's two, and works in shares of the picture, x to the right and y down; the blur comes
 * last and hides how plain the shapes are. */
#include "synth/draw/background.h"

#include "base/mem.h"
#include "synth/draw/noise.h"

#include <string.h>

#define SEED_PLACE 40
#define MAX_BLUR 0.12f
#define BLUR_PASSES 2 /* of a box each way; two make a tent, near enough to a lens's disc */

const char *const background_names[] = {
    [BACKGROUND_BLOBS] = "blobs",     [BACKGROUND_PLAIN] = "plain",     [BACKGROUND_WHITE] = "white",
    [BACKGROUND_BLACK] = "black",     [BACKGROUND_SPOT] = "spot",       [BACKGROUND_ROOM] = "room",
    [BACKGROUND_SHELVES] = "shelves", [BACKGROUND_WINDOW] = "window",   [BACKGROUND_FOLIAGE] = "foliage",
    [BACKGROUND_SKY] = "sky",         [BACKGROUND_PATTERN] = "pattern", [BACKGROUND_CROWD] = "crowd",
    [BACKGROUND_TEXT] = "text",       [BACKGROUND_LIGHTS] = "lights",   [BACKGROUND_KINDS] = NULL,
};

typedef struct {
    background *b;
    const shot *how;
    int next; /* number to draw */
} painter;

mien_status background_create(background *out, int side)
{
    background b = {.side = side};
    mien_status st;
    TRY_OUT(mem_alloc(&b.pixels, (size_t)side * (size_t)side));
    TRY_OUT(mem_alloc(&b.spare, (size_t)side * (size_t)side));
    *out = b;
    return MIEN_OK;
out:
    background_free(&b);
    return st;
}

void background_free(background *b)
{
    mem_free(b->pixels);
    mem_free(b->spare);
    caption_free(&b->letters);
    *b = (background){0};
}

static float any(painter *p, float low, float high)
{
    return mixf(low, high, hash_float(p->next++, 0, 0, p->how->seed + SEED_PLACE));
}

/* A colour of the place: between the shot's two, lighter or darker, with a hue of its own. */
static vec3 any_colour(painter *p, float low, float high)
{
    vec3 c = v3_mix(p->how->back_a, p->how->back_b, any(p, 0, 1));
    float warm = any(p, -0.35f, 0.35f), green = any(p, -0.2f, 0.2f);
    return v3_mul(v3_scale(c, any(p, low, high)), v3(1 + warm, 1 + green, 1 - warm));
}

static vec3 *pixel(const painter *p, int x, int y)
{
    return &p->b->pixels[(size_t)y * (size_t)p->b->side + (size_t)x];
}

/* A share of the side as pixels, within the picture. */
static int to_pixels(const painter *p, float share)
{
    return (int)(clamp01(share) * (float)p->b->side + 0.5f);
}

static void fill(painter *p, vec3 above, vec3 below)
{
    for (int y = 0; y < p->b->side; y++) {
        vec3 c = v3_mix(above, below, ((float)y + 0.5f) / (float)p->b->side);
        for (int x = 0; x < p->b->side; x++)
            *pixel(p, x, y) = c;
    }
}

static void rectangle(painter *p, float left, float top, float right, float bottom, vec3 colour)
{
    int x1 = to_pixels(p, right), y1 = to_pixels(p, bottom);
    for (int y = to_pixels(p, top); y < y1; y++)
        for (int x = to_pixels(p, left); x < x1; x++)
            *pixel(p, x, y) = colour;
}

static void disc(painter *p, float x, float y, float across, float down, vec3 colour, float cover)
{
    float side = (float)p->b->side;
    int x1 = to_pixels(p, x + across), y1 = to_pixels(p, y + down);
    for (int j = to_pixels(p, y - down); j < y1; j++)
        for (int i = to_pixels(p, x - across); i < x1; i++) {
            float u = (((float)i + 0.5f) / side - x) / across, v = (((float)j + 0.5f) / side - y) / down;
            if (u * u + v * v < 1)
                *pixel(p, i, j) = v3_mix(*pixel(p, i, j), colour, cover);
        }
}

static void paint_blobs(painter *p)
{
    const shot *how = p->how;
    for (int j = 0; j < p->b->side; j++)
        for (int i = 0; i < p->b->side; i++) {
            float x = ((float)i + 0.5f) / (float)p->b->side, y = ((float)j + 0.5f) / (float)p->b->side;
            float blob =
                noise_2d(x * 2.6f, y * 2.6f, how->seed) - 0.5f + 0.6f * (noise_2d(x * 6, y * 6, how->seed + 1) - 0.5f);
            *pixel(p, i, j) = v3_scale(v3_mix(how->back_a, how->back_b, clamp01(y + how->back_blobs * 1.2f * blob)),
                                       1 + how->back_blobs * 0.6f * blob);
        }
}

static void paint_plain(painter *p)
{
    fill(p, p->how->back_a, v3_scale(p->how->back_a, any(p, 0.8f, 1.1f)));
}

static void paint_white(painter *p)
{
    float level = any(p, 0.75f, 1.5f);
    fill(p, v3_all(level), v3_all(level * any(p, 0.75f, 1)));
}

static void paint_black(painter *p)
{
    float level = any(p, 0, 0.02f);
    fill(p, v3_all(level), v3_all(level));
}

static void paint_spot(painter *p)
{
    float x = any(p, 0.2f, 0.8f), y = any(p, 0.1f, 0.8f), wide = any(p, 0.35f, 0.8f), bright = any(p, 1, 2.2f);
    for (int j = 0; j < p->b->side; j++)
        for (int i = 0; i < p->b->side; i++) {
            float u = ((float)i / (float)p->b->side - x) / wide, v = ((float)j / (float)p->b->side - y) / wide;
            *pixel(p, i, j) =
                v3_mix(v3_scale(p->how->back_b, 0.5f), v3_scale(p->how->back_a, bright), 1 / (1 + 2 * (u * u + v * v)));
        }
}

/* A wall, its corner, what hangs on it and what stands before it. */
static void paint_room(painter *p)
{
    vec3 wall = any_colour(p, 0.7f, 1.6f);
    fill(p, v3_scale(wall, 1.1f), v3_scale(wall, 0.85f));
    float corner = any(p, -0.6f, 1.2f);
    rectangle(p, 0, 0, corner, 1, v3_scale(wall, any(p, 0.5f, 0.85f)));
    int things = 1 + (int)any(p, 0, 4);
    for (int i = 0; i < things; i++) { /* pictures, a clock, a lamp */
        float x = any(p, -0.1f, 0.95f), y = any(p, -0.1f, 0.5f), w = any(p, 0.1f, 0.35f), h = any(p, 0.1f, 0.35f);
        rectangle(p, x, y, x + w, y + h, any_colour(p, 0.1f, 0.6f));
        rectangle(p, x + 0.02f, y + 0.02f, x + w - 0.02f, y + h - 0.02f, any_colour(p, 0.5f, 3));
    }
    if (any(p, 0, 1) < 0.4f) { /* a door or a cupboard */
        float x = any(p, -0.2f, 0.9f), w = any(p, 0.2f, 0.4f);
        rectangle(p, x, any(p, 0, 0.4f), x + w, 1, any_colour(p, 0.2f, 1.5f));
    }
    if (any(p, 0, 1) < 0.5f) /* a sofa's back or a table */
        rectangle(p, any(p, -0.3f, 0.3f), any(p, 0.7f, 0.95f), any(p, 0.6f, 1.3f), 1, any_colour(p, 0.2f, 1.2f));
}

/* Boards full of things that stand: books, boxes, bottles. */
static void paint_shelves(painter *p)
{
    fill(p, v3_scale(p->how->back_b, 0.25f), v3_scale(p->how->back_b, 0.2f));
    float step = any(p, 0.16f, 0.40f), thin = any(p, 0.02f, 0.05f), wide = any(p, 0.03f, 0.10f);
    vec3 board = any_colour(p, 0.5f, 1.6f);
    for (float y = any(p, -0.1f, 0.15f); y < 1 + step; y += step) {
        for (float x = any(p, -0.05f, 0); x < 1;) {
            float w = wide * any(p, 0.5f, 1.5f);
            if (any(p, 0, 1) < 0.85f)
                rectangle(p, x, y - step * any(p, 0.5f, 0.9f), x + 0.94f * w, y, any_colour(p, 0.3f, 2.4f));
            x += w;
        }
        rectangle(p, 0, y, 1, y + thin, board);
    }
}

/* A dark wall with daylight in panes, or through blinds. */
static void paint_window(painter *p)
{
    vec3 wall = any_colour(p, 0.2f, 0.8f), day = v3_scale(v3(0.94f, 1, 1.08f), any(p, 0.9f, 2.2f));
    fill(p, wall, v3_scale(wall, 0.8f));
    float x = any(p, -0.5f, 0.4f), w = any(p, 0.5f, 1.2f), y = any(p, -0.4f, 0.15f), h = any(p, 0.7f, 1.2f);
    rectangle(p, x, y, x + w, y + h, day);
    rectangle(p, x, y + h * any(p, 0.5f, 0.9f), x + w, y + h, v3_mul(any_colour(p, 1, 2.5f), v3(0.8f, 1, 0.7f)));
    vec3 frame = any_colour(p, 0.3f, 2);
    bool is_blind = any(p, 0, 1) < 0.35f;
    int bars = is_blind ? 14 : 1 + (int)any(p, 0, 3);
    for (int i = 0; i <= bars; i++) {
        float at = (float)i / (float)bars, thin = is_blind ? 0.022f : 0.035f;
        if (is_blind)
            rectangle(p, x, y + h * at, x + w, y + h * at + thin, frame);
        else
            rectangle(p, x + w * at, y, x + w * at + thin, y + h, frame);
    }
    rectangle(p, x, y + h, x + w + 0.04f, y + h + 0.04f, frame);
}

/* Leaves in sun and shade, the sky between them in discs. */
static void paint_foliage(painter *p)
{
    vec3 leaf = v3_mul(v3_all(any(p, 0.15f, 0.6f)), v3(any(p, 0.45f, 1), 1, any(p, 0.2f, 0.6f)));
    float fine = any(p, 5, 14);
    uint32_t seed = p->how->seed;
    for (int j = 0; j < p->b->side; j++)
        for (int i = 0; i < p->b->side; i++) {
            float x = (float)i / (float)p->b->side, y = (float)j / (float)p->b->side;
            float n = noise_2d(x * fine, y * fine, seed + 41) * 0.6f + noise_2d(x * 3, y * 3, seed + 42) * 0.7f +
                      noise_2d(x * 2.7f * fine, y * 2.7f * fine, seed + 43) * 0.35f;
            *pixel(p, i, j) = v3_scale(leaf, maxf(0.05f, 1.9f * n - 0.7f) * (1.2f - 0.5f * y));
        }
    int gaps = (int)any(p, 0, 30);
    float size = any(p, 0.015f, 0.05f);
    for (int i = 0; i < gaps; i++) {
        float x = any(p, 0, 1), y = any(p, 0, 0.8f), r = size * any(p, 0.5f, 1.2f);
        disc(p, x, y, r, r, v3_scale(v3(0.95f, 1, 0.85f), any(p, 0.4f, 1.4f)), any(p, 0.3f, 0.9f));
    }
}

/* Sky, clouds, a horizon, and hills or houses on it. */
static void paint_sky(painter *p)
{
    float bright = any(p, 0.45f, 1.4f), cloudy = any(p, 0, 1), horizon = any(p, 0.35f, 1.1f);
    vec3 blue = v3_scale(v3_mix(v3(0.45f, 0.66f, 1), v3_all(0.9f), cloudy), bright), haze = v3_all(1.05f * bright);
    uint32_t seed = p->how->seed;
    for (int j = 0; j < p->b->side; j++)
        for (int i = 0; i < p->b->side; i++) {
            float x = (float)i / (float)p->b->side, y = (float)j / (float)p->b->side;
            float cloud = smooth_step(
                0.45f, 0.85f, noise_2d(x * 3, y * 7, seed + 44) * 0.65f + noise_2d(x * 8, y * 16, seed + 45) * 0.35f);
            *pixel(p, i, j) = v3_mix(v3_mix(blue, haze, clamp01(y)), v3_all(1.25f * bright), 0.7f * cloud);
        }
    vec3 ground = v3_mul(any_colour(p, 0.4f, 1.4f), v3(0.95f, 1, 0.7f));
    int houses = any(p, 0, 1) < 0.5f ? (int)any(p, 3, 10) : 0;
    for (int i = 0; i < houses; i++) {
        float x = any(p, -0.1f, 1), w = any(p, 0.06f, 0.25f);
        rectangle(p, x, horizon - any(p, 0.03f, 0.45f), x + w, 1, any_colour(p, 0.4f, 1.5f));
    }
    if (houses == 0)
        for (int i = 0; i < 3; i++)
            disc(p, any(p, 0, 1), horizon + 0.1f, any(p, 0.2f, 0.6f), any(p, 0.1f, 0.3f),
                 v3_scale(ground, any(p, 0.6f, 1.2f)), 1);
    rectangle(p, 0, horizon, 1, 1, ground);
}

/* Wallpaper, curtains, tiles, bricks: two colours in turns. */
static void paint_pattern(painter *p)
{
    vec3 a = any_colour(p, 0.6f, 1.6f), b = any_colour(p, 0.3f, 1.8f);
    float step = any(p, 0.05f, 0.22f), angle = any(p, 0, 1) < 0.6f ? 0 : any(p, -0.8f, 0.8f),
          share = any(p, 0.2f, 0.8f);
    float c = cosf(angle) / step, n = sinf(angle) / step, shift = any(p, 0, 1);
    int kind = (int)any(p, 0, 5);
    for (int j = 0; j < p->b->side; j++)
        for (int i = 0; i < p->b->side; i++) {
            float x = (float)i / (float)p->b->side, y = (float)j / (float)p->b->side;
            float u = x * c + y * n + shift, v = y * c - x * n, is_b = 0;
            int row = floor_int(v);
            float fu = u - (float)floor_int(u), fv = v - (float)row;
            switch (kind) {
            case 0: /* stripes */
                is_b = fu < share;
                break;
            case 1: /* checks */
                is_b = (fu < 0.5f) != (fv < 0.5f);
                break;
            case 2: /* bricks */
                fu = 0.5f * u + 0.25f * (float)(row & 1);
                fu -= (float)floor_int(fu);
                is_b = fv < 0.14f || fu < 0.07f;
                break;
            case 3: /* dots */
                is_b = (fu - 0.5f) * (fu - 0.5f) + (fv - 0.5f) * (fv - 0.5f) < 0.10f * (0.4f + share);
                break;
            default: /* the folds of a curtain */
                is_b = 0.5f + 0.5f * sinf(u * 4.2f + 2 * noise_1d(v * 0.3f + u * 0.4f, p->how->seed + 46));
            }
            *pixel(p, i, j) = v3_mix(a, b, is_b);
        }
}

/* Rows of heads over shoulders, the nearer the larger. */
static void paint_crowd(painter *p)
{
    vec3 far = any_colour(p, 0.2f, 1);
    fill(p, far, v3_scale(far, 0.6f));
    int rows = 2 + (int)any(p, 0, 3);
    float light = any(p, 0.5f, 1.3f);
    for (int row = 0; row < rows; row++) {
        float y = mixf(any(p, 0, 0.3f), 0.75f, (float)row / (float)rows), r = 0.05f + 0.035f * (float)row;
        for (float x = any(p, -0.1f, 0.1f); x < 1.1f; x += r * any(p, 2.2f, 4.5f)) {
            float up = y + any(p, -0.6f, 0.6f) * r, dark = any(p, 0, 1);
            vec3 skin = v3_scale(v3_mix(v3(0.62f, 0.42f, 0.32f), v3(0.14f, 0.08f, 0.05f), dark * dark), light);
            disc(p, x, up + 2.6f * r, 1.9f * r, 1.7f * r, any_colour(p, 0.1f, 2.5f), 1);
            disc(p, x, up - 0.2f * r, 0.9f * r, 1.15f * r, v3_scale(skin, any(p, 0.05f, 0.5f)), 1);
            disc(p, x, up + 0.15f * r, 0.72f * r, 1.0f * r, skin, 1);
        }
    }
}

/* A wall of sponsors' names, or a poster. */
static void paint_text(painter *p)
{
    static const char consonants[] = "bcdfghklmnprstvz", vowels[] = "aeiou";
    vec3 ground = any_colour(p, 0.3f, 3),
         ink = any(p, 0, 1) < 0.5f ? v3_all(any(p, 0.7f, 1.2f)) : any_colour(p, 0.05f, 0.5f);
    fill(p, ground, v3_scale(ground, 0.9f));
    float side = (float)p->b->side, height = any(p, 0.05f, 0.16f) * side;
    int width = (int)any(p, 4, 9);
    for (float y = any(p, 0, 1.5f) * height; y < side + height; y += height * 1.9f)
        for (float x = any(p, -4, 0) * height; x < side; x += height * (float)(width + 1)) {
            char name[12];
            for (int i = 0; i < width; i++)
                name[i] = i % 2 ? vowels[(int)any(p, 0, 4.99f)] : consonants[(int)any(p, 0, 15.99f)];
            name[width] = 0;
            caption_text(&p->b->letters, name, x, y, height, 0, 0.22f * height);
        }
    for (int i = 0; i < p->b->side * p->b->side; i++)
        p->b->pixels[i] = v3_mix(p->b->pixels[i], ink, p->b->letters.cover[i]);
}

/* Night: lamps far away. */
static void paint_lights(painter *p)
{
    fill(p, v3_scale(p->how->back_a, 0.15f), v3_scale(p->how->back_b, 0.1f));
    int lamps = (int)any(p, 5, 30);
    float size = any(p, 0.015f, 0.07f);
    for (int i = 0; i < lamps; i++) {
        float x = any(p, 0, 1), y = any(p, 0, 1), r = size * any(p, 0.7f, 1.3f), warm = any(p, -1, 1);
        disc(p, x, y, r, r, v3_scale(v3(1 + 0.3f * warm, 0.85f, 1 - 0.5f * warm), any(p, 0.15f, 1.2f)),
             any(p, 0.4f, 1));
    }
}

static void (*const painters[BACKGROUND_KINDS])(painter *p) = {
    [BACKGROUND_BLOBS] = paint_blobs,     [BACKGROUND_PLAIN] = paint_plain,     [BACKGROUND_WHITE] = paint_white,
    [BACKGROUND_BLACK] = paint_black,     [BACKGROUND_SPOT] = paint_spot,       [BACKGROUND_ROOM] = paint_room,
    [BACKGROUND_SHELVES] = paint_shelves, [BACKGROUND_WINDOW] = paint_window,   [BACKGROUND_FOLIAGE] = paint_foliage,
    [BACKGROUND_SKY] = paint_sky,         [BACKGROUND_PATTERN] = paint_pattern, [BACKGROUND_CROWD] = paint_crowd,
    [BACKGROUND_TEXT] = paint_text,       [BACKGROUND_LIGHTS] = paint_lights,
};

/* The mean of 2 radius + 1 neighbours along each row, written as a column: twice is both ways, the right way up. */
static void blur_turned(vec3 *dst, const vec3 *src, int side, int radius)
{
    float share = 1 / (float)(2 * radius + 1);
    for (int y = 0; y < side; y++) {
        const vec3 *row = src + (size_t)y * (size_t)side;
        vec3 sum = v3_scale(row[0], (float)radius);
        for (int x = 0; x <= radius; x++)
            sum = v3_add(sum, row[x < side ? x : side - 1]);
        for (int x = 0; x < side; x++) {
            dst[(size_t)x * (size_t)side + (size_t)y] = v3_scale(sum, share);
            sum = v3_add(sum, v3_sub(row[x + radius + 1 < side ? x + radius + 1 : side - 1],
                                     row[x - radius > 0 ? x - radius : 0]));
        }
    }
}

mien_status background_paint(background *b, const shot *how)
{
    painter p = {.b = b, .how = how};
    if (how->back_kind == BACKGROUND_TEXT)
        TRY(caption_start(&b->letters, b->side, b->side));
    painters[how->back_kind](&p);
    /* a box of 2 r + 1 has a variance of r (r + 1) / 3 */
    float sigma = minf(MAX_BLUR, maxf(0, how->back_blur)) * (float)b->side;
    int radius = (int)(sqrtf(3 * sigma * sigma / BLUR_PASSES + 0.25f));
    for (int i = 0; i < BLUR_PASSES && radius > 0; i++) {
        blur_turned(b->spare, b->pixels, b->side, radius);
        blur_turned(b->pixels, b->spare, b->side, radius);
    }
    return MIEN_OK;
}
