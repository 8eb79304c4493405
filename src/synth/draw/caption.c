/* The font is ours: each letter a few strokes through points of a grid 4 wide and 6 high, written as pairs of digits, x
 * then y, with a blank between strokes. Capitals only: watermarks are set in them, or too small for a difference. */
#include "synth/draw/caption.h"

#include "base/mem.h"
#include "base/size.h"

#include <string.h>

#define GRID_HEIGHT 6.0f
#define ADVANCE 5.5f /* from letter to letter, in the grid's units */

static const char *const letters[26] = {
    "002640 1232",               /* a */
    "00063645443303 3342413000", /* b */
    "4536160501103041",
    "00062644422000",
    "40000646 0333",
    "000646 0333", /* f */
    "45361605011030414323",
    "0006 4046 0343",
    "2026",
    "4641301001",
    "0006 4602 1340", /* k */
    "060040",
    "0006234640",
    "00064046",
    "100105163645413010", /* o */
    "00063645443303",
    "100105163645413010 2240",
    "00063645443303 2340",
    "453616050413334241301001",
    "0646 2620",
    "060110304146", /* u */
    "062046",
    "0610243046",
    "0046 0640",
    "062346 2320",
    "06460040", /* z */
};
static const char *const digits[10] = {
    "100105163645413010", "152620",   "05163645440040",
    "064624344341301001", "30360242", "4606033342413000",
    "360301103041423303", "064610",   "13040516364544331302011030414233",
    "104345361605041343",
};

static const char *strokes(char c)
{
    if (c >= 'a' && c <= 'z')
        return letters[c - 'a'];
    if (c >= '0' && c <= '9')
        return digits[c - '0'];
    return c == '.' ? "2021" : c == '-' ? "1333" : c == '@' ? "32222434324245361605011040" : "";
}

void caption_free(caption *c)
{
    mem_free(c->cover);
    *c = (caption){0};
}

mien_status caption_start(caption *c, int width, int height)
{
    size_t count = (size_t)width * (size_t)height;
    if (count > c->capacity) {
        mem_free(c->cover);
        *c = (caption){0};
        TRY(mem_alloc(&c->cover, count));
        c->capacity = count;
    }
    c->width = width;
    c->height = height;
    memset(c->cover, 0, count * sizeof *c->cover);
    return MIEN_OK;
}

/* What lies within [0, limit] of the span low..high, as whole pixels *first..*last. */
static void span(int *first, int *last, float low, float high, int limit)
{
    *first = low > 0 ? (int)minf(low, (float)limit) : 0;
    *last = high < (float)(limit - 1) ? (int)maxf(high, -1) : limit - 1;
}

void caption_line(caption *c, float x0, float y0, float x1, float y1, float width)
{
    float reach = 0.5f * width + 0.5f, dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
    /* a line thinner than a pixel is a paler one */
    float dense = minf(1, width);
    reach = maxf(reach, 1);
    int left, right, top, bottom;
    span(&left, &right, minf(x0, x1) - reach, maxf(x0, x1) + reach, c->width);
    span(&top, &bottom, minf(y0, y1) - reach, maxf(y0, y1) + reach, c->height);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            float px = (float)x + 0.5f - x0, py = (float)y + 0.5f - y0;
            float t = length > 0 ? clamp01((px * dx + py * dy) / length) : 0;
            float ax = px - t * dx, ay = py - t * dy;
            float cover = dense * clamp01(reach - sqrtf(ax * ax + ay * ay));
            float *to = &c->cover[(size_t)y * (size_t)c->width + (size_t)x];
            *to = maxf(*to, cover);
        }
}

float caption_length(const char *text, float height)
{
    return (float)strlen(text) * ADVANCE * height / GRID_HEIGHT;
}

void caption_text(caption *c, const char *text, float x, float y, float height, float angle, float thick)
{
    float unit = height / GRID_HEIGHT, cosine = cosf(angle) * unit, sine = sinf(angle) * unit;
    for (; *text; text++) {
        float from_x = 0, from_y = 0;
        bool is_drawing = false;
        for (const char *p = strokes(*text); *p; p++) {
            if (*p == ' ') {
                is_drawing = false;
                continue;
            }
            float gx = (float)(p[0] - '0'), gy = (float)(p[1] - '0');
            float to_x = x + gx * cosine - gy * sine, to_y = y - gx * sine - gy * cosine;
            if (is_drawing)
                caption_line(c, from_x, from_y, to_x, to_y, thick);
            from_x = to_x;
            from_y = to_y;
            is_drawing = true;
            p++;
        }
        x += ADVANCE * cosine;
        y -= ADVANCE * sine;
    }
}

void caption_blend(const caption *c, image *im, float level, float opacity)
{
    size_t count = (size_t)c->width * (size_t)c->height;
    for (size_t i = 0; i < count; i++) {
        float cover = c->cover[i] * opacity;
        if (cover <= 0)
            continue;
        uint8_t *p = &im->pixels[3 * i];
        for (int k = 0; k < 3; k++)
            p[k] = (uint8_t)(mixf((float)p[k], level, cover) + 0.5f);
    }
}
