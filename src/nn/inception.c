/* Inception v3 as torchvision.models.inception_v3 without its auxiliary head (Szegedy et al. 2015, Rethinking the
 * inception architecture). Blocks bear torchvision's letters. Sides at 299: 149, 147, 73, 71, 35 (5b to 5d), 17 (6a to
 * 6e), 8. */
#include "nn/zoo.h"

#include <math.h>

/* rows x columns convolution that keeps the size */
static value_id same(net *n, const char *name, value_id x, int out, int rows, int columns)
{
    conv_spec spec = {
        .out = out, .kernel = rows, .stride = 1, .pad = rows / 2, .kernel_w = columns, .pad_w = columns / 2};
    return net_conv_bn_relu(n, name, x, spec);
}

static value_id one(net *n, const char *name, value_id x, int out)
{
    return same(n, name, x, out, 1, 1);
}

/* 3x3 inside the image */
static value_id inside(net *n, const char *name, value_id x, int out, int stride)
{
    return net_conv_bn_relu(n, name, x, (conv_spec){.out = out, .kernel = 3, .stride = stride});
}

static value_id halve(net *n, const char *name, value_id x)
{
    return net_max_pool(n, name, x, 3, 2, 0);
}

/* The mean of the 3x3 around each pixel, padding counted, projected. Means and projections commute: in training the
 * projection, which has a fraction of the channels, comes first. In inference it has a bias, its folded batch norm. */
static value_id around(net *n, value_id x, int out)
{
    const pool_attr mean = {.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .count_pad = true};
    if (net_is_training(n))
        return net_conv_pool_bn_relu(n, "branch_pool", x, (conv_spec){.out = out, .kernel = 1, .stride = 1}, &mean);
    return one(n, "branch_pool", net_pool(n, "pool", x, &mean), out);
}

#define CONCAT(n, ...)                                                                                                 \
    net_concat(n, "cat", (const value_id[]){__VA_ARGS__}, sizeof((const value_id[]){__VA_ARGS__}) / sizeof(value_id))

static value_id block_a(net *n, value_id x, int pooled)
{
    value_id ones = one(n, "branch1x1", x, 64);
    value_id fives = same(n, "branch5x5_2", one(n, "branch5x5_1", x, 48), 64, 5, 5);
    value_id threes = same(n, "branch3x3dbl_2", one(n, "branch3x3dbl_1", x, 64), 96, 3, 3);
    threes = same(n, "branch3x3dbl_3", threes, 96, 3, 3);
    return CONCAT(n, ones, fives, threes, around(n, x, pooled));
}

static value_id block_b(net *n, value_id x)
{
    value_id threes = inside(n, "branch3x3", x, 384, 2);
    value_id doubled = same(n, "branch3x3dbl_2", one(n, "branch3x3dbl_1", x, 64), 96, 3, 3);
    doubled = inside(n, "branch3x3dbl_3", doubled, 96, 2);
    return CONCAT(n, threes, doubled, halve(n, "pool", x));
}

static value_id block_c(net *n, value_id x, int width)
{
    value_id ones = one(n, "branch1x1", x, 192);
    value_id sevens = same(n, "branch7x7_2", one(n, "branch7x7_1", x, width), width, 1, 7);
    sevens = same(n, "branch7x7_3", sevens, 192, 7, 1);
    value_id doubled = same(n, "branch7x7dbl_2", one(n, "branch7x7dbl_1", x, width), width, 7, 1);
    doubled = same(n, "branch7x7dbl_3", doubled, width, 1, 7);
    doubled = same(n, "branch7x7dbl_4", doubled, width, 7, 1);
    doubled = same(n, "branch7x7dbl_5", doubled, 192, 1, 7);
    return CONCAT(n, ones, sevens, doubled, around(n, x, 192));
}

static value_id block_d(net *n, value_id x)
{
    value_id threes = inside(n, "branch3x3_2", one(n, "branch3x3_1", x, 192), 320, 2);
    value_id sevens = same(n, "branch7x7x3_2", one(n, "branch7x7x3_1", x, 192), 192, 1, 7);
    sevens = same(n, "branch7x7x3_3", sevens, 192, 7, 1);
    sevens = inside(n, "branch7x7x3_4", sevens, 192, 2);
    return CONCAT(n, threes, sevens, halve(n, "pool", x));
}

static value_id block_e(net *n, value_id x)
{
    value_id ones = one(n, "branch1x1", x, 320);
    value_id threes = one(n, "branch3x3_1", x, 384);
    value_id wide = same(n, "branch3x3_2a", threes, 384, 1, 3), high = same(n, "branch3x3_2b", threes, 384, 3, 1);
    value_id doubled = same(n, "branch3x3dbl_2", one(n, "branch3x3dbl_1", x, 448), 384, 3, 3);
    value_id doubled_wide = same(n, "branch3x3dbl_3a", doubled, 384, 1, 3),
             doubled_high = same(n, "branch3x3dbl_3b", doubled, 384, 3, 1);
    return CONCAT(n, ones, wide, high, doubled_wide, doubled_high, around(n, x, 192));
}

value_id inception_v3_mixed_6e(net *n, value_id x)
{
    static const int a_pooled[] = {32, 64, 64}, c_width[] = {128, 160, 160, 192};
    x = inside(n, "Conv2d_1a_3x3", x, 32, 2);
    x = inside(n, "Conv2d_2a_3x3", x, 32, 1);
    x = same(n, "Conv2d_2b_3x3", x, 64, 3, 3);
    x = halve(n, "maxpool1", x);
    x = one(n, "Conv2d_3b_1x1", x, 80);
    x = inside(n, "Conv2d_4a_3x3", x, 192, 1);
    x = halve(n, "maxpool2", x);
    for (int i = 0; i < 3; i++) {
        net_prefix(n, "Mixed_5%c.", 'b' + i);
        x = block_a(n, x, a_pooled[i]);
    }
    net_prefix(n, "Mixed_6a.");
    x = block_b(n, x);
    for (int i = 0; i < 4; i++) {
        net_prefix(n, "Mixed_6%c.", 'b' + i);
        x = block_c(n, x, c_width[i]);
    }
    net_prefix(n, "%s", "");
    return x;
}

value_id inception_v3_mixed_7c(net *n, value_id x)
{
    x = inception_v3_mixed_6e(n, x);
    net_prefix(n, "Mixed_7a.");
    x = block_d(n, x);
    for (int i = 0; i < 2; i++) {
        net_prefix(n, "Mixed_7%c.", 'b' + i);
        x = block_e(n, x);
    }
    net_prefix(n, "%s", "");
    return x;
}

value_id inception_v3_features(net *n, value_id x)
{
    return net_global_mean(n, "avgpool", inception_v3_mixed_7c(n, x));
}

value_id inception_v3_head(net *n, value_id features, int classes)
{
    float bound = 1.0f / sqrtf(2048.0f); /* torch.nn.Linear's default */
    features = net_dropout(n, "dropout", features, 0.5f, false);
    return net_linear(n, "fc", features, (linear_spec){classes, bound, bound, 2, true});
}
