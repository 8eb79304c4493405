/* GoogLeNet, Inception v1 with batch norm, as torchvision.models.googlenet without its auxiliary heads (Szegedy et al.
 * 2014). The branch that the paper gives a 5x5 convolution has a 3x3 one: torchvision's weights were trained so. */
#include "nn/zoo.h"

#include <math.h>

/* An inception block: outputs of the 1x1 branch, of the 3x3 one (reduced, then its own), of the "5x5" one, and of the
 * projection behind the pool; and the window of the pool before the block, 0 where there is none. */
typedef struct {
    const char *name;
    int ones, threes_reduced, threes, fives_reduced, fives, projected, pool_before;
} block;

static const block blocks[] = {
    {"3a", 64, 96, 128, 16, 32, 32, 0},     {"3b", 128, 128, 192, 32, 96, 64, 0},
    {"4a", 192, 96, 208, 16, 48, 64, 3},    {"4b", 160, 112, 224, 24, 64, 64, 0},
    {"4c", 128, 128, 256, 24, 64, 64, 0},   {"4d", 112, 144, 288, 32, 64, 64, 0},
    {"4e", 256, 160, 320, 32, 128, 128, 0}, {"5a", 256, 160, 320, 32, 128, 128, 2},
    {"5b", 384, 192, 384, 48, 128, 128, 0},
};
enum { BLOCKS = sizeof blocks / sizeof blocks[0], BLOCKS_TO_4E = 7, BRANCHES = 4 };

static value_id one(net *n, const char *name, value_id x, int out)
{
    return net_conv_bn_relu(n, name, x, (conv_spec){.out = out, .kernel = 1, .stride = 1});
}

static value_id three(net *n, const char *name, value_id x, int out)
{
    return net_conv_bn_relu(n, name, x, (conv_spec){.out = out, .kernel = 3, .stride = 1, .pad = 1});
}

/* The last window may hang over the edge: any side is halved, rounded up. */
static value_id halve(net *n, const char *name, value_id x, int window)
{
    return net_pool(n, name, x,
                    &(pool_attr){.window = {window, window}, .stride = {2, 2}, .is_ceil = true, .is_max = true});
}

static value_id inception(net *n, value_id x, const block *b)
{
    const pool_attr around = {.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .is_ceil = true, .is_max = true};
    const value_id branches[BRANCHES] = {
        one(n, "branch1", x, b->ones),
        three(n, "branch2.1", one(n, "branch2.0", x, b->threes_reduced), b->threes),
        three(n, "branch3.1", one(n, "branch3.0", x, b->fives_reduced), b->fives),
        one(n, "branch4.1", net_pool(n, "branch4.0", x, &around), b->projected),
    };
    return net_concat(n, "cat", branches, BRANCHES);
}

/* Blocks first .. end - 1. */
static value_id inceptions(net *n, value_id x, int first, int end)
{
    for (int i = first; i < end; i++) {
        if (blocks[i].pool_before)
            x = halve(n, blocks[i].pool_before == 3 ? "maxpool3" : "maxpool4", x, blocks[i].pool_before);
        net_prefix(n, "inception%s.", blocks[i].name);
        x = inception(n, x, &blocks[i]);
        net_prefix(n, "%s", "");
    }
    return x;
}

value_id googlenet_4e(net *n, value_id x)
{
    x = net_conv_bn_relu(n, "conv1", x, (conv_spec){.out = 64, .kernel = 7, .stride = 2, .pad = 3});
    x = halve(n, "maxpool1", x, 3);
    x = one(n, "conv2", x, 64);
    x = three(n, "conv3", x, 192);
    x = halve(n, "maxpool2", x, 3);
    return inceptions(n, x, 0, BLOCKS_TO_4E);
}

value_id googlenet_5b(net *n, value_id x)
{
    return inceptions(n, googlenet_4e(n, x), BLOCKS_TO_4E, BLOCKS);
}

value_id googlenet_features(net *n, value_id x)
{
    return net_global_mean(n, "avgpool", googlenet_5b(n, x));
}

value_id googlenet_head(net *n, value_id features, int classes)
{
    float bound = 1.0f / sqrtf(1024.0f); /* torch.nn.Linear's default */
    features = net_dropout(n, "dropout", features, 0.2f, false);
    return net_linear(n, "fc", features, (linear_spec){classes, bound, bound, 2, true});
}
