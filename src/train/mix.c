/* Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) as torchvision's references/classification/transforms.py has
 * them: RandomMixup, RandomCutmix, and RandomChoice of the two, on every batch. Pictures are mixed as the uint8 that
 * they are, before they enter the program; shares are whole 65536ths, so that pixels and targets agree, and no
 * instruction set rounds otherwise. */
#include "train/mix.h"

#include <math.h>
#include <string.h>

enum { CHANNELS = 3, WHOLE = 1 << 16 };

bool mix_is_on(const mix_options *o)
{
    return o->mixup > 0 || o->cutmix > 0;
}

/* --- drawing ------------------------------------------------------------------------------------------------------ */

/* The logarithm of a draw from Gamma(alpha, 1), which itself may be too small for a double. G. Marsaglia, W. Tsang, "A
 * simple method for generating gamma variables", 2000; below 1 by their boost G(alpha) = G(alpha + 1) U^(1/alpha). */
static double draw_log_gamma(double alpha, rng *r)
{
    double boost = 0;
    if (alpha < 1) {
        boost = log(1 - rng_double(r)) / alpha;
        alpha += 1;
    }
    double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = (double)rng_normal(r), root = 1 + c * x, v = root * root * root;
        double u = 1 - rng_double(r); /* (0, 1] */
        if (root > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v) + boost;
    }
}

double mix_beta(double alpha, rng *r)
{
    double a = draw_log_gamma(alpha, r), b = draw_log_gamma(alpha, r);
    return 1 / (1 + exp(b - a));
}

static int clamp(int x, int low, int high)
{
    return x < low ? low : x > high ? high : x;
}

/* A box of 1 - lambda of the area around a random pixel, cut off at the borders; own is what that leaves. */
static mix_plan draw_box(double lambda, int size, rng *r)
{
    int x = (int)rng_below(r, (uint32_t)size), y = (int)rng_below(r, (uint32_t)size);
    int half = (int)(0.5 * sqrt(1 - lambda) * size);
    mix_plan p = {.is_cut = true,
                  .x0 = clamp(x - half, 0, size),
                  .x1 = clamp(x + half, 0, size),
                  .y0 = clamp(y - half, 0, size),
                  .y1 = clamp(y + half, 0, size)};
    double area = (double)(p.x1 - p.x0) * (p.y1 - p.y0) / ((double)size * size);
    p.own = (uint32_t)lrint((1 - area) * WHOLE);
    return p;
}

mix_plan mix_draw(const mix_options *o, int size, uint64_t seed, uint32_t epoch, int64_t batch)
{
    rng r = rng_at(seed, epoch, (uint64_t)batch, RNG_MIX);
    bool is_second = rng_bool(&r);
    bool is_cut = o->mixup > 0 && o->cutmix > 0 ? is_second : o->cutmix > 0;
    double lambda = mix_beta((double)(is_cut ? o->cutmix : o->mixup), &r);
    return is_cut ? draw_box(lambda, size, &r) : (mix_plan){.own = (uint32_t)lrint(lambda * WHOLE)};
}

/* --- mixing ------------------------------------------------------------------------------------------------------- */

static void mix_pixels(uint8_t *dst, const uint8_t *a, const uint8_t *b, uint32_t own, size_t count)
{
    uint32_t other = WHOLE - own;
    for (size_t i = 0; i < count; i++)
        dst[i] = (uint8_t)((a[i] * own + b[i] * other + WHOLE / 2) / WHOLE);
}

static void paste_box(uint8_t *dst, const uint8_t *src, const mix_plan *p, int size)
{
    size_t row_bytes = (size_t)(p->x1 - p->x0) * CHANNELS;
    for (int y = p->y0; y < p->y1; y++) {
        size_t at = ((size_t)y * (size_t)size + (size_t)p->x0) * CHANNELS;
        memcpy(dst + at, src + at, row_bytes);
    }
}

void mix_batch(uint8_t *images, task_row *rows, const mix_plan *plan, const loader_batch *batch, int size)
{
    size_t bytes = (size_t)size * (size_t)size * CHANNELS;
    if (plan->is_cut)
        memcpy(images, batch->images, (size_t)batch->count * bytes);
    for (int row = 0; row < batch->count; row++) {
        int before = (row ? row : batch->count) - 1;
        const uint8_t *mine = batch->images + (size_t)row * bytes, *its = batch->images + (size_t)before * bytes;
        if (plan->is_cut)
            paste_box(images + (size_t)row * bytes, its, plan, size);
        else
            mix_pixels(images + (size_t)row * bytes, mine, its, plan->own, bytes);
        rows[row] = (task_row){batch->pictures[row], batch->pictures[before], (float)plan->own / WHOLE, false};
    }
}
