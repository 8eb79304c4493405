/* A picture's way from the lens to a web page, as a chain in a fixed order: lens, sensor, development, film and print,
 * a first file, enlarging, what a site does to it. All steps that know of pixels alone between shrinking and enlarging
 * work at the low resolution, as they do in life. Whatever is random in a step is a hash of place and the shot's seed:
 * a step needs no stream of its own, and rows could be done in any order. */
#include "synth/draw/post.h"

#include "base/mem.h"
#include "synth/draw/caption.h"
#include "synth/draw/noise.h"

#include <math.h>
#include <string.h>

#define MIN_SIDE 12 /* pixels that shrinking leaves at least */
#define LEVELS 256

struct post_room {
    image spare;
    image_scratch *scratch;
    uint32_t *sums; /* [sums_count] */
    size_t sums_count;
    caption marks;
};

typedef struct {
    image *im;
    const shot *how;
    const degradation *d;
    post_room *room;
    int width, height; /* of the picture that was given, which leaves at this size again */
} chain;

/* Numbers of one hash seed: steps that hash have each their own. */
enum { SEED_SENSOR = 9, SEED_FILM = 90, SEED_PRINT, SEED_DUST, SEED_SCRATCH, SEED_MARK, SEED_BORDER };

mien_status post_room_create(post_room **out)
{
    post_room *room;
    TRY(mem_zalloc(&room, 1));
    mien_status st = image_scratch_create(&room->scratch);
    if (st != MIEN_OK) {
        mem_free(room);
        return st;
    }
    *out = room;
    return MIEN_OK;
}

void post_room_free(post_room *room)
{
    if (!room)
        return;
    image_free(&room->spare);
    image_scratch_free(room->scratch);
    mem_free(room->sums);
    caption_free(&room->marks);
    mem_free(room);
}

static size_t byte_count(const image *im)
{
    return 3 * (size_t)im->width * (size_t)im->height;
}

static uint8_t to_level(float v)
{
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)(v + 0.5f);
}

static float number(const chain *c, int which, int of)
{
    return hash_float(which, of, 0, c->how->seed);
}

static void swap_with_spare(chain *c)
{
    image kept = *c->im;
    *c->im = c->room->spare;
    c->room->spare = kept;
}

/* Each level of each colour to another. */
static void map_levels(image *im, uint8_t map[3][LEVELS])
{
    size_t n = byte_count(im);
    for (size_t i = 0; i < n; i += 3)
        for (size_t k = 0; k < 3; k++)
            im->pixels[i + k] = map[k][im->pixels[i + k]];
}

static mien_status defocus(chain *c)
{
    if (c->how->blur <= 0.05f)
        return MIEN_OK;
    return image_blur(c->im, minf(10, c->how->blur), c->room->scratch);
}

/* The mean along a path, at every half pixel of it. */
static mien_status motion(chain *c)
{
    const image *im = c->im;
    float length = c->d->motion * (float)im->width;
    if (length < 0.5f)
        return MIEN_OK;
    size_t row = 3 * (size_t)im->width, n = byte_count(im);
    if (n > c->room->sums_count) {
        mem_free(c->room->sums);
        c->room->sums = NULL;
        c->room->sums_count = 0;
        TRY(mem_alloc(&c->room->sums, n));
        c->room->sums_count = n;
    }
    int steps = (int)(2 * length) + 2;
    uint32_t *sums = c->room->sums;
    memset(sums, 0, n * sizeof *sums);
    for (int i = 0; i < steps; i++) {
        float along = length * ((float)i / (float)(steps - 1) - 0.5f);
        int dx = floor_int(along * cosf(c->d->motion_angle) + 0.5f),
            dy = floor_int(along * sinf(c->d->motion_angle) + 0.5f);
        for (int y = 0; y < im->height; y++) {
            int from_y = y + dy < 0 ? 0 : y + dy >= im->height ? im->height - 1 : y + dy;
            const uint8_t *from = im->pixels + (size_t)from_y * row;
            uint32_t *to = sums + (size_t)y * row;
            for (int x = 0; x < im->width; x++) {
                int at = x + dx < 0 ? 0 : x + dx >= im->width ? im->width - 1 : x + dx;
                for (int k = 0; k < 3; k++)
                    to[3 * x + k] += from[3 * at + k];
            }
        }
    }
    for (size_t i = 0; i < n; i++)
        im->pixels[i] = (uint8_t)((sums[i] + (uint32_t)steps / 2) / (uint32_t)steps);
    return MIEN_OK;
}

static int kept_side(int side, float shrink)
{
    int kept = (int)((float)side * (1 - clamp01(shrink)) + 0.5f);
    return kept < MIN_SIDE ? MIN_SIDE : kept;
}

static mien_status resize_to(chain *c, int width, int height)
{
    if (width == c->im->width && height == c->im->height)
        return MIEN_OK;
    TRY(image_resize(&c->room->spare, c->im, width, height, c->room->scratch));
    swap_with_spare(c);
    return MIEN_OK;
}

static mien_status shrink(chain *c)
{
    return c->d->shrink <= 0 ? MIEN_OK
                             : resize_to(c, kept_side(c->width, c->d->shrink), kept_side(c->height, c->d->shrink));
}

static mien_status enlarge(chain *c)
{
    return resize_to(c, c->width, c->height);
}

/* The sum of four bytes is near enough to normal: mean 510, standard deviation 147.8. */
static float hash_normal(uint32_t h)
{
    int sum = (int)(h & 255) + (int)(h >> 8 & 255) + (int)(h >> 16 & 255) + (int)(h >> 24);
    return ((float)sum - 510) / 147.8f;
}

/* Photons are counted: noise grows with the root of light, above what the electronics always add. */
static mien_status sensor_noise(chain *c)
{
    image *im = c->im;
    if (c->how->grain <= 0.05f)
        return MIEN_OK;
    float deviation[LEVELS];
    for (int v = 0; v < LEVELS; v++)
        deviation[v] = c->how->grain * (0.5f + 0.5f * sqrtf((float)v / 255));
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++)
            for (int k = 0; k < 3; k++) {
                uint8_t *p = &im->pixels[3 * ((size_t)y * (size_t)im->width + (size_t)x) + (size_t)k];
                uint32_t h = hash_lattice(x, y, k, c->how->seed + SEED_SENSOR + 977 * c->how->frame);
                *p = to_level((float)*p + deviation[*p] * hash_normal(h));
            }
    return MIEN_OK;
}

static mien_status colour(chain *c)
{
    const degradation *d = c->d;
    if (d->warmth == 0 && d->tint == 0 && d->gamma == 0 && d->contrast == 0)
        return MIEN_OK;
    const float cast[3] = {1 + 0.20f * d->warmth + 0.08f * d->tint, 1 - 0.14f * d->tint,
                           1 - 0.28f * d->warmth + 0.08f * d->tint};
    uint8_t map[3][LEVELS];
    for (int k = 0; k < 3; k++)
        for (int v = 0; v < LEVELS; v++) {
            float x = powf((float)v / 255, exp2f(-d->gamma));
            /* contrast bends the curve and leaves both ends where they are; less of it is a straight line through 0.5
             */
            float bent = d->contrast > 0 ? x * x * (3 - 2 * x) : 0.5f;
            x = mixf(x, bent, minf(1, fabsf(d->contrast)));
            map[k][v] = to_level(255 * x * cast[k]);
        }
    map_levels(c->im, map);
    return MIEN_OK;
}

static mien_status vignette(chain *c)
{
    image *im = c->im;
    if (c->d->vignette <= 0)
        return MIEN_OK;
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++) {
            float u = 2 * ((float)x + 0.5f) / (float)im->width - 1, v = 2 * ((float)y + 0.5f) / (float)im->height - 1,
                  r = 0.5f * (u * u + v * v), left = 1 - 0.8f * minf(1, c->d->vignette) * r * (0.4f + 0.6f * r);
            uint8_t *p = &im->pixels[3 * ((size_t)y * (size_t)im->width + (size_t)x)];
            for (int k = 0; k < 3; k++)
                p[k] = (uint8_t)((float)p[k] * left + 0.5f);
        }
    return MIEN_OK;
}

static mien_status sharpen(chain *c)
{
    if (c->d->halo <= 0)
        return MIEN_OK;
    float sigma = 0.010f * (float)c->im->width;
    TRY(image_copy(&c->room->spare, c->im));
    TRY(image_blur(&c->room->spare, maxf(0.6f, minf(10, sigma)), c->room->scratch));
    size_t n = byte_count(c->im);
    for (size_t i = 0; i < n; i++) {
        float v = c->im->pixels[i];
        c->im->pixels[i] = to_level(v + c->d->halo * (v - (float)c->room->spare.pixels[i]));
    }
    return MIEN_OK;
}

static mien_status lose_colour(chain *c)
{
    const degradation *d = c->d;
    if (d->grey <= 0 && d->sepia <= 0)
        return MIEN_OK;
    size_t n = byte_count(c->im);
    uint8_t *p = c->im->pixels;
    const float brown[3] = {1 + 0.10f * d->sepia, 1 - 0.03f * d->sepia, 1 - 0.22f * d->sepia};
    for (size_t i = 0; i < n; i += 3) {
        float grey = 0.299f * p[i] + 0.587f * p[i + 1] + 0.114f * p[i + 2];
        for (size_t k = 0; k < 3; k++)
            p[i + k] = to_level(mixf(p[i + k], grey, minf(1, d->grey)) * brown[k]);
    }
    return MIEN_OK;
}

static mien_status fade(chain *c)
{
    if (c->d->fade <= 0)
        return MIEN_OK;
    uint8_t map[3][LEVELS];
    float low = 75 * minf(1, c->d->fade), high = 255 - 60 * minf(1, c->d->fade);
    for (int k = 0; k < 3; k++)
        for (int v = 0; v < LEVELS; v++)
            map[k][v] = to_level(mixf(low, high, (float)v / 255));
    map_levels(c->im, map);
    return MIEN_OK;
}

/* Grains clump over one to two pixels, and show most in the middle tones. */
static mien_status film_grain(chain *c)
{
    image *im = c->im;
    if (c->d->film_grain <= 0.05f)
        return MIEN_OK;
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++) {
            uint8_t *p = &im->pixels[3 * ((size_t)y * (size_t)im->width + (size_t)x)];
            float tone = (float)p[1] / 255, shown = 0.35f + 2.6f * tone * (1 - tone);
            float fine = hash_normal(hash_lattice(x, y, 0, c->how->seed + SEED_FILM));
            float clump = hash_normal(hash_lattice(x / 2, (y + x / 2 % 2) / 2, 1, c->how->seed + SEED_FILM));
            float add = c->d->film_grain * shown * (0.75f * fine + 0.66f * clump);
            for (int k = 0; k < 3; k++)
                p[k] = to_level((float)p[k] + add);
        }
    return MIEN_OK;
}

/* Dots of ink on a screen turned by 45 degrees. */
static mien_status halftone(chain *c)
{
    image *im = c->im;
    if (c->d->halftone <= 0)
        return MIEN_OK;
    float turns = 6.2831853f * 0.7071f / mixf(2.2f, 4.0f, number(c, 0, SEED_PRINT));
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++) {
            float u = turns * (float)(x + y), v = turns * (float)(x - y);
            float screen = 0.5f + 0.25f * (cosf(u) + cosf(v));
            uint8_t *p = &im->pixels[3 * ((size_t)y * (size_t)im->width + (size_t)x)];
            for (int k = 0; k < 3; k++) {
                float tone = (float)p[k] / 255, inked = clamp01(0.5f + 2.5f * (tone - screen));
                p[k] = to_level(255 * mixf(tone, inked, minf(1, c->d->halftone)));
            }
        }
    return MIEN_OK;
}

/* Specks and hairs on the glass, and lines that a film gets in the projector. */
static mien_status dust(chain *c)
{
    const image *im = c->im;
    caption *marks = &c->room->marks;
    float w = (float)im->width, h = (float)im->height;
    if (c->d->dust > 0) {
        TRY(caption_start(marks, im->width, im->height));
        int specks = (int)(24 * minf(1, c->d->dust)) + 1;
        for (int i = 0; i < specks; i++) {
            float x = number(c, 4 * i, SEED_DUST) * w, y = number(c, 4 * i + 1, SEED_DUST) * h;
            float size = number(c, 4 * i + 2, SEED_DUST), a = 6.28f * number(c, 4 * i + 3, SEED_DUST);
            float reach = (0.004f + 0.03f * size * size * size) * w;
            caption_line(marks, x, y, x + reach * cosf(a), y + reach * sinf(a), (0.003f + 0.006f * size) * w);
        }
        caption_blend(marks, c->im, number(c, 1, SEED_PRINT) < 0.7f ? 250 : 15, 0.85f);
    }
    if (c->d->scratches > 0) {
        TRY(caption_start(marks, im->width, im->height));
        int lines = (int)(5 * minf(1, c->d->scratches)) + 1;
        for (int i = 0; i < lines; i++) {
            float x = number(c, 4 * i, SEED_SCRATCH) * w,
                  lean = (number(c, 4 * i + 1, SEED_SCRATCH) - 0.5f) * 0.25f * w;
            float top = number(c, 4 * i + 2, SEED_SCRATCH) * 0.6f * h,
                  length = (0.2f + number(c, 4 * i + 3, SEED_SCRATCH)) * h;
            caption_line(marks, x, top, x + lean, top + length, 0.004f * w);
        }
        caption_blend(marks, c->im, number(c, 0, SEED_SCRATCH) < 0.7f ? 235 : 30, 0.7f);
    }
    return MIEN_OK;
}

static mien_status first_file(chain *c)
{
    if (c->d->first_quality <= 0)
        return MIEN_OK;
    uint8_t *bytes;
    size_t length;
    TRY(image_encode_jpeg(&bytes, &length, c->im, c->d->first_quality));
    mien_status st = image_decode(c->im, bytes, length, "drawn face");
    mem_free(bytes);
    return st;
}

/* One level in a hundred may burn out at each end. */
static mien_status stretch(chain *c)
{
    if (c->d->stretch <= 0)
        return MIEN_OK;
    size_t n = byte_count(c->im), counts[LEVELS] = {0}, below = 0, rare = n / 3 / 100;
    for (size_t i = 0; i < n; i += 3)
        counts[c->im->pixels[i + 1]]++;
    int low = 0, high = LEVELS - 1;
    for (; low < high && (below += counts[low]) <= rare; low++)
        ;
    below = 0;
    for (; high > low && (below += counts[high]) <= rare; high--)
        ;
    if (high - low < 16) /* nothing but one plain level: no detail to bring out */
        return MIEN_OK;
    uint8_t map[3][LEVELS];
    for (int k = 0; k < 3; k++)
        for (int v = 0; v < LEVELS; v++)
            map[k][v] = to_level(mixf((float)v, 255 * (float)(v - low) / (float)(high - low), minf(1, c->d->stretch)));
    map_levels(c->im, map);
    return MIEN_OK;
}

#define MARK_LETTERS 14

/* Something like a site's name, of `length` letters: vowels and consonants in turn. */
static void make_name(const chain *c, char *dst, int length)
{
    static const char vowels[] = "aeiou", consonants[] = "bcdfghjklmnprstvwz";
    for (int i = 0; i < length; i++) {
        float r = number(c, 100 + i, SEED_MARK);
        dst[i] = i % 2 ? vowels[(int)(r * 5)] : consonants[(int)(r * 18)];
    }
    if (length > 8 && number(c, 1, SEED_MARK) < 0.5f) /* jota.nu */
        dst[length - 3] = '.';
    dst[length] = 0;
}

/* One name across the picture, many in rows, one in a corner, or a cross of lines with a name upon it. */
static mien_status watermark(chain *c)
{
    if (c->d->watermark <= 0)
        return MIEN_OK;
    const image *im = c->im;
    caption *marks = &c->room->marks;
    float w = (float)im->width, h = (float)im->height;
    char name[MARK_LETTERS + 1];
    make_name(c, name, 5 + (int)(number(c, 0, SEED_MARK) * (MARK_LETTERS - 5)));
    float size = mixf(0.05f, 0.16f, number(c, 2, SEED_MARK)) * h,
          thick = mixf(0.10f, 0.22f, number(c, 3, SEED_MARK)) * size;
    float x = number(c, 4, SEED_MARK), y = number(c, 5, SEED_MARK), angle = mixf(-0.1f, 0.8f, number(c, 6, SEED_MARK));
    TRY(caption_start(marks, im->width, im->height));
    switch ((int)(number(c, 7, SEED_MARK) * 4)) {
    case 0:
        caption_text(marks, name, mixf(-0.2f, 0.3f, x) * w, mixf(0.4f, 0.95f, y) * h, size, 0, thick);
        break;
    case 1:
        for (int row = 0; row < 5; row++)
            for (int column = -1; column < 3; column++)
                caption_text(marks, name, ((float)column + 0.5f * (float)(row % 2)) * caption_length(name, size) * 1.3f,
                             (float)row * 0.3f * h + y * 10, 0.6f * size, angle, 0.7f * thick);
        break;
    case 2:
        caption_text(marks, name, x < 0.5f ? 2 : w - caption_length(name, 0.6f * size), y < 0.3f ? 0.1f * h : 0.97f * h,
                     0.6f * size, 0, 0.6f * thick);
        break;
    default:
        caption_line(marks, 0, mixf(-0.2f, 0.4f, x) * h, w, mixf(0.6f, 1.2f, y) * h, 0.010f * w);
        caption_line(marks, 0, mixf(0.6f, 1.2f, y) * h, w, mixf(-0.2f, 0.4f, x) * h, 0.010f * w);
        caption_text(marks, name, 0.5f * (w - caption_length(name, size)), mixf(0.45f, 0.7f, y) * h, size, 0, thick);
    }
    caption_blend(marks, c->im, number(c, 8, SEED_MARK) < 0.8f ? 245 : 20, minf(1, c->d->watermark));
    return MIEN_OK;
}

static void fill_rectangle(image *im, int x0, int y0, int x1, int y1, uint8_t level)
{
    for (int y = y0; y < y1; y++)
        memset(&im->pixels[3 * ((size_t)y * (size_t)im->width + (size_t)x0)], level, 3 * (size_t)(x1 - x0));
}

/* Bars: above and below, on both sides, or on one side alone, where a crop reached past its picture. */
static mien_status border(chain *c)
{
    if (c->d->border <= 0)
        return MIEN_OK;
    image *im = c->im;
    int w = im->width, h = im->height, bar = (int)(minf(0.3f, c->d->border) * (float)w + 0.5f);
    uint8_t level = number(c, 0, SEED_BORDER) < 0.6f ? 0 : number(c, 1, SEED_BORDER) < 0.7f ? 255 : 128;
    static const uint8_t sides[6] = {3, 12, 1, 2, 4, 8}; /* bits: above, below, left, right */
    uint8_t side = sides[(int)(number(c, 2, SEED_BORDER) * 6)];
    bar = bar > h ? h : bar;
    if (side & 1)
        fill_rectangle(im, 0, 0, w, bar, level);
    if (side & 2)
        fill_rectangle(im, 0, h - bar, w, h, level);
    if (side & 4)
        fill_rectangle(im, 0, 0, bar, h, level);
    if (side & 8)
        fill_rectangle(im, w - bar, 0, w, h, level);
    return MIEN_OK;
}

static mien_status (*const steps[])(chain *c) = {
    defocus,     motion,  shrink,     sensor_noise, colour, vignette, sharpen, /* the camera */
    lose_colour, fade,    film_grain, halftone,     dust,                      /* film, print, scan */
    first_file,  enlarge, stretch,    watermark,    border,                    /* the web */
};

mien_status post_apply(image *im, const shot *how, post_room *room)
{
    chain c = {.im = im, .how = how, .d = &how->degraded, .room = room, .width = im->width, .height = im->height};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        TRY(steps[i](&c));
    return MIEN_OK;
}
