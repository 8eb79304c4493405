/* RandAugment's table of operations, their magnitudes, and the drawing. The operations themselves are in
 * randaugment_geometry.c, randaugment_level.c and colour.c. */
#include "image/randaugment_int.h"

#include <assert.h>
#include <math.h>

/* The farthest a picture can be moved: it is gone long before. */
#define MAX_SHIFT IMAGE_MAX_PIXELS

static mien_status identity(image *im, float unused, image_scratch *s)
{
    (void)im, (void)unused, (void)s;
    return MIEN_OK;
}

/* A blend's factor, added in double as Python does. */
static float factor_of(float change)
{
    return (float)(1.0 + (double)change);
}

static mien_status brightness(image *im, float change, image_scratch *s)
{
    (void)s;
    image_brightness(im, factor_of(change));
    return MIEN_OK;
}

static mien_status color(image *im, float change, image_scratch *s)
{
    (void)s;
    image_saturation(im, factor_of(change));
    return MIEN_OK;
}

static mien_status contrast(image *im, float change, image_scratch *s)
{
    (void)s;
    image_contrast(im, factor_of(change));
    return MIEN_OK;
}

/* torch.linspace(first, last, RANDAUGMENT_BINS)[bin] in single precision: it counts from the nearer end. */
static float linspace(float first, float last, int bin)
{
    float step = (last - first) / (float)(RANDAUGMENT_BINS - 1);
    if (bin < RANDAUGMENT_BINS / 2)
        return first + step * (float)bin;
    return last - step * (float)(RANDAUGMENT_BINS - 1 - bin);
}

static float value_none(int bin, int width, int height)
{
    (void)bin, (void)width, (void)height;
    return 0.0f;
}

static float value_shear(int bin, int width, int height)
{
    (void)width, (void)height;
    return linspace(0.0f, 0.3f, bin);
}

static float value_translate_x(int bin, int width, int height)
{
    (void)height;
    return linspace(0.0f, (float)(150.0 / 331.0 * width), bin);
}

static float value_translate_y(int bin, int width, int height)
{
    (void)width;
    return linspace(0.0f, (float)(150.0 / 331.0 * height), bin);
}

static float value_rotate(int bin, int width, int height)
{
    (void)width, (void)height;
    return linspace(0.0f, 30.0f, bin);
}

static float value_blend(int bin, int width, int height)
{
    (void)width, (void)height;
    return linspace(0.0f, 0.9f, bin);
}

static float value_posterize(int bin, int width, int height)
{
    (void)width, (void)height;
    return 8.0f - rintf((float)bin / ((RANDAUGMENT_BINS - 1) / 4.0f));
}

static float value_solarize(int bin, int width, int height)
{
    (void)width, (void)height;
    return linspace(255.0f, 0.0f, bin);
}

static const struct {
    const char *name;
    mien_status (*apply)(image *im, float value, image_scratch *s);
    float (*value)(int bin, int width, int height);
    float least, most; /* values that mean something */
    bool is_signed;
} table[RANDAUGMENT_OP_COUNT] = {
    [RANDAUGMENT_IDENTITY] = {"Identity", identity, value_none, 0, 0, false},
    [RANDAUGMENT_SHEAR_X] = {"ShearX", randaugment_shear_x, value_shear, -1, 1, true},
    [RANDAUGMENT_SHEAR_Y] = {"ShearY", randaugment_shear_y, value_shear, -1, 1, true},
    [RANDAUGMENT_TRANSLATE_X] = {"TranslateX", randaugment_translate_x, value_translate_x, -MAX_SHIFT, MAX_SHIFT, true},
    [RANDAUGMENT_TRANSLATE_Y] = {"TranslateY", randaugment_translate_y, value_translate_y, -MAX_SHIFT, MAX_SHIFT, true},
    [RANDAUGMENT_ROTATE] = {"Rotate", randaugment_rotate, value_rotate, -180, 180, true},
    [RANDAUGMENT_BRIGHTNESS] = {"Brightness", brightness, value_blend, -1, 10, true},
    [RANDAUGMENT_COLOR] = {"Color", color, value_blend, -1, 10, true},
    [RANDAUGMENT_CONTRAST] = {"Contrast", contrast, value_blend, -1, 10, true},
    [RANDAUGMENT_SHARPNESS] = {"Sharpness", randaugment_sharpness, value_blend, -1, 10, true},
    [RANDAUGMENT_POSTERIZE] = {"Posterize", randaugment_posterize, value_posterize, 0, 8, false},
    [RANDAUGMENT_SOLARIZE] = {"Solarize", randaugment_solarize, value_solarize, 0, 255, false},
    [RANDAUGMENT_AUTO_CONTRAST] = {"AutoContrast", randaugment_auto_contrast, value_none, 0, 0, false},
    [RANDAUGMENT_EQUALIZE] = {"Equalize", randaugment_equalize, value_none, 0, 0, false},
};

const char *randaugment_name(randaugment_op op)
{
    assert(op < RANDAUGMENT_OP_COUNT);
    return table[op].name;
}

bool randaugment_is_signed(randaugment_op op)
{
    assert(op < RANDAUGMENT_OP_COUNT);
    return table[op].is_signed;
}

float randaugment_value(randaugment_op op, int bin, int width, int height)
{
    assert(op < RANDAUGMENT_OP_COUNT && bin >= 0 && bin < RANDAUGMENT_BINS);
    return table[op].value(bin, width, height);
}

mien_status randaugment_apply(image *im, randaugment_op op, float value, image_scratch *s)
{
    assert(op < RANDAUGMENT_OP_COUNT);
    if (!(value >= table[op].least && value <= table[op].most))
        return mien_fail(MIEN_ERR_ARG, "%s: %g (wanted %g..%g)", table[op].name, (double)value, (double)table[op].least,
                         (double)table[op].most);
    return table[op].apply(im, value, s);
}

uint64_t randaugment_copy_id(int label, int64_t copy)
{
    assert(label >= 0 && label < 1 << 16 && copy >= 0 && copy < INT64_C(1) << 40);
    return (uint64_t)label << 40 | (uint64_t)copy;
}

static bool is_included(const randaugment_options *o, randaugment_op op)
{
    if (op == RANDAUGMENT_SOLARIZE)
        return o->include_solarize;
    if (op == RANDAUGMENT_EQUALIZE)
        return o->include_equalize;
    return true;
}

randaugment_step randaugment_draw(const randaugment_options *o, int width, int height, rng *r)
{
    randaugment_op included[RANDAUGMENT_OP_COUNT];
    uint32_t count = 0;
    for (randaugment_op op = 0; op < RANDAUGMENT_OP_COUNT; op++)
        if (is_included(o, op))
            included[count++] = op;
    randaugment_op op = included[rng_below(r, count)];
    bool is_negative = rng_bool(r); /* drawn for all, so that an operation's sign moves no later draw */
    float value = randaugment_value(op, o->magnitude, width, height);
    return (randaugment_step){.op = op, .value = is_negative && table[op].is_signed ? -value : value};
}

mien_status randaugment_check(const randaugment_options *o)
{
    if (o->ops < 0 || o->ops > RANDAUGMENT_MAX_OPS)
        return mien_fail(MIEN_ERR_ARG, "randaugment: %d operations (wanted 0..%d)", o->ops, RANDAUGMENT_MAX_OPS);
    if (o->magnitude < 0 || o->magnitude >= RANDAUGMENT_BINS)
        return mien_fail(MIEN_ERR_ARG, "randaugment: magnitude %d (wanted 0..%d)", o->magnitude, RANDAUGMENT_BINS - 1);
    return MIEN_OK;
}

mien_status image_randaugment(image *im, const randaugment_options *o, uint64_t seed, uint32_t epoch, uint64_t sample,
                              image_scratch *s)
{
    TRY(randaugment_check(o));
    rng r = rng_at(seed, epoch, sample, RNG_RANDAUGMENT);
    for (int i = 0; i < o->ops; i++) {
        randaugment_step step = randaugment_draw(o, im->width, im->height, &r);
        TRY(randaugment_apply(im, step.op, step.value, s));
    }
    return MIEN_OK;
}
