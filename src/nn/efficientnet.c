/* EfficientNet-B0 as torchvision.models.efficientnet_b0 (Tan & Le 2019): inverted bottlenecks with depthwise
 * convolutions, squeeze-excite and stochastic depth. And EfficientNet-Lite0, the same for small machines: ReLU6 and no
 * squeeze-excite; torchvision has none, so its names are timm's. Padding is symmetric, (kernel - 1)/2; the variants
 * that Google's own weights need (timm's tf_efficientnet_b0, tf_efficientnet_lite0) have TensorFlow's "same", and
 * another epsilon. */
#include "nn/zoo.h"

#include <math.h>
#include <stdio.h>

typedef struct {
    int expand, kernel, stride, out, repeats;
} mb_stage;

static const mb_stage b0_stages[] = {
    {1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2},  {6, 3, 2, 80, 3},
    {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1},
};
enum { STAGES = sizeof b0_stages / sizeof b0_stages[0], STAGES_TO_16 = 5, BLOCKS = 16 }; /* .. to a stride of 16 */

/* The number in the network of a stage's first block. */
static int first_block(int stage)
{
    int index = 0;
    for (int before = 0; before < stage; before++)
        index += b0_stages[before].repeats;
    return index;
}

/* What follows a convolution's batch norm. */
typedef enum { TO_ACTIVATION, TO_NEXT_BLOCK, TO_SHORTCUT } conv_end;

/* A convolution and its batch norm, as the variant has them. */
static value_id normed_conv(net *n, const char *conv, const char *bn, value_id x, conv_spec spec, conv_end end)
{
    spec.is_same = n->variant == VARIANT_TENSORFLOW;
    return net_batch_norm(n, bn, net_conv2d(n, conv, x, spec),
                          (batch_norm_spec){.eps = spec.is_same ? 1e-3f : 1e-5f, .ends_branch = end == TO_SHORTCUT});
}

/* --- B0 ----------------------------------------------------------------------------------------------------------- */

/* "I.0" convolution, "I.1" batch norm, then SiLU unless it is a projection */
static value_id conv_bn(net *n, int index, value_id x, conv_spec spec, conv_end end)
{
    char conv[8] = {(char)('0' + index), '.', '0', 0}, bn[8] = {(char)('0' + index), '.', '1', 0},
         act[8] = {(char)('0' + index), '.', '2', 0};
    x = normed_conv(n, conv, bn, x, spec, end);
    return end == TO_ACTIVATION ? net_activation(n, act, x, ACT_SILU) : x;
}

/* x [n, h, w, c] scaled a channel by sigmoid(fc2(silu(fc1(mean x)))); the squeeze width is a quarter of the BLOCK's
 * input. */
static value_id squeeze_excite(net *n, int index, value_id x, int block_in)
{
    char name[4][16] = {"0.pool", "0.fc1", "0.fc2", "0.scale"};
    for (int i = 0; i < 4; i++)
        name[i][0] = (char)('0' + index);
    int channels = net_channels(n, x), squeeze = block_in / 4 > 1 ? block_in / 4 : 1;
    /* torchvision draws these 1x1 convolutions He-normal; uniform of the same variance, sqrt(3) sigma, serves alike */
    float b1 = sqrtf(6.0f / (float)squeeze), b2 = sqrtf(6.0f / (float)(channels ? channels : 1));
    value_id s = net_global_mean(n, name[0], x);
    s = net_linear(n, name[1], s, (linear_spec){squeeze, b1, 0, 4, false});
    s = net_activation(n, "squeeze_act", s, ACT_SILU);
    s = net_linear(n, name[2], s, (linear_spec){channels, b2, 0, 4, false});
    s = net_activation(n, "excite_act", s, ACT_SIGMOID);
    return net_scale(n, name[3], x, s);
}

/* What block `index` adds to its input x, and the sum. */
static value_id shortcut(net *n, value_id y, value_id x, int index)
{
    y = net_dropout(n, "stochastic_depth", y, 0.2f * (float)index / BLOCKS, true);
    return net_add(n, "add", y, x);
}

/* One MBConv block; index is its number 0..15 in the network, which sets its stochastic depth. */
static value_id mb_conv(net *n, value_id x, const mb_stage *stage, int stride, int index)
{
    int in = net_channels(n, x), wide = in * stage->expand, k = stage->kernel, at = 0;
    value_id y = x;
    if (stage->expand != 1)
        y = conv_bn(n, at++, y, (conv_spec){.out = wide, .kernel = 1, .stride = 1}, TO_ACTIVATION);
    conv_spec depthwise = {.out = wide, .kernel = k, .stride = stride, .pad = (k - 1) / 2, .groups = wide};
    y = conv_bn(n, at++, y, depthwise, TO_ACTIVATION);
    y = squeeze_excite(n, at++, y, in);
    bool is_residual = stride == 1 && in == stage->out;
    conv_end end = is_residual ? TO_SHORTCUT : TO_NEXT_BLOCK;
    y = conv_bn(n, at, y, (conv_spec){.out = stage->out, .kernel = 1, .stride = 1}, end);
    return is_residual ? shortcut(n, y, x, index) : y;
}

/* Stages first .. end - 1. */
static value_id mb_stages(net *n, value_id x, int first, int end)
{
    for (int stage = first; stage < end; stage++)
        for (int block = 0; block < b0_stages[stage].repeats; block++) {
            net_prefix(n, "features.%d.%d.block.", stage + 1, block);
            x = mb_conv(n, x, &b0_stages[stage], block == 0 ? b0_stages[stage].stride : 1, first_block(stage) + block);
        }
    net_prefix(n, "%s", "");
    return x;
}

value_id efficientnet_b0_features_5(net *n, value_id x)
{
    net_prefix(n, "features.");
    x = conv_bn(n, 0, x, (conv_spec){.out = 32, .kernel = 3, .stride = 2, .pad = 1}, TO_ACTIVATION);
    return mb_stages(n, x, 0, STAGES_TO_16);
}

value_id efficientnet_b0_map(net *n, value_id x)
{
    x = mb_stages(n, efficientnet_b0_features_5(n, x), STAGES_TO_16, STAGES);
    net_prefix(n, "features.");
    x = conv_bn(n, STAGES + 1, x, (conv_spec){.out = 1280, .kernel = 1, .stride = 1}, TO_ACTIVATION);
    net_prefix(n, "%s", "");
    return x;
}

value_id efficientnet_b0_features(net *n, value_id x)
{
    return net_global_mean(n, "avgpool", efficientnet_b0_map(n, x));
}

/* torch.nn.Linear's default, as whoever replaces torchvision's head gets it. Torchvision's own, uniform within
 * 1/sqrt(classes), starts six classes at logits of +-8 and takes epochs to come back from them. */
static linear_spec classifier(int classes)
{
    const float bound = 1.0f / sqrtf(1280.0f);
    return (linear_spec){classes, bound, bound, 2, true};
}

value_id efficientnet_b0_head(net *n, value_id features, int classes)
{
    features = net_dropout(n, "classifier.0", features, 0.2f, false);
    return net_linear(n, "classifier.1", features, classifier(classes));
}

/* --- Lite0 -------------------------------------------------------------------------------------------------------- */

/* A convolution, its batch norm, and ReLU6 unless it is a projection. */
static value_id lite_conv(net *n, const char *conv, const char *bn, value_id x, conv_spec spec, conv_end end)
{
    char act[16];
    snprintf(act, sizeof act, "%s.act", bn);
    x = normed_conv(n, conv, bn, x, spec, end);
    return end == TO_ACTIVATION ? net_activation(n, act, x, ACT_RELU6) : x;
}

static value_id lite_block(net *n, value_id x, const mb_stage *stage, int stride, int index)
{
    const int in = net_channels(n, x), wide = in * stage->expand, k = stage->kernel;
    const bool is_residual = stride == 1 && in == stage->out, expands = stage->expand != 1;
    const conv_spec depthwise = {.out = wide, .kernel = k, .stride = stride, .pad = (k - 1) / 2, .groups = wide};
    value_id y = x;
    if (expands)
        y = lite_conv(n, "conv_pw", "bn1", y, (conv_spec){.out = wide, .kernel = 1, .stride = 1}, TO_ACTIVATION);
    y = lite_conv(n, "conv_dw", expands ? "bn2" : "bn1", y, depthwise, TO_ACTIVATION);
    y = lite_conv(n, expands ? "conv_pwl" : "conv_pw", expands ? "bn3" : "bn2", y,
                  (conv_spec){.out = stage->out, .kernel = 1, .stride = 1}, is_residual ? TO_SHORTCUT : TO_NEXT_BLOCK);
    return is_residual ? shortcut(n, y, x, index) : y;
}

/* Stages first .. end - 1. */
static value_id lite_stages(net *n, value_id x, int first, int end)
{
    for (int stage = first; stage < end; stage++)
        for (int block = 0; block < b0_stages[stage].repeats; block++) {
            net_prefix(n, "blocks.%d.%d.", stage, block);
            x = lite_block(n, x, &b0_stages[stage], block == 0 ? b0_stages[stage].stride : 1,
                           first_block(stage) + block);
        }
    net_prefix(n, "%s", "");
    return x;
}

value_id efficientnet_lite0_blocks_4(net *n, value_id x)
{
    net_prefix(n, "%s", "");
    x = lite_conv(n, "conv_stem", "bn1", x, (conv_spec){.out = 32, .kernel = 3, .stride = 2, .pad = 1}, TO_ACTIVATION);
    return lite_stages(n, x, 0, STAGES_TO_16);
}

value_id efficientnet_lite0_map(net *n, value_id x)
{
    x = lite_stages(n, efficientnet_lite0_blocks_4(n, x), STAGES_TO_16, STAGES);
    return lite_conv(n, "conv_head", "bn2", x, (conv_spec){.out = 1280, .kernel = 1, .stride = 1}, TO_ACTIVATION);
}

value_id efficientnet_lite0_features(net *n, value_id x)
{
    return net_global_mean(n, "global_pool", efficientnet_lite0_map(n, x));
}

value_id efficientnet_lite0_head(net *n, value_id features, int classes)
{
    features = net_dropout(n, "drop", features, 0.2f, false);
    return net_linear(n, "classifier", features, classifier(classes));
}
