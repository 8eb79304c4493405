/* ResNet-50 v1.5 as torchvision.models.resnet50: the stride of a stage sits on the 3x3 of its first block.
 * He et al. 2015, Deep residual learning for image recognition. */
#include "nn/zoo.h"

#include <math.h>

static const batch_norm_spec plain = {.eps = 1e-5f}, branch_end = {.eps = 1e-5f, .ends_branch = true};

static value_id conv_bn(net *n, const char *conv, const char *bn, value_id x, conv_spec spec, batch_norm_spec norm)
{
    return net_batch_norm(n, bn, net_conv2d(n, conv, x, spec), norm);
}

/* x [n, h, w, c] -> [n, h/stride, w/stride, 4 width]: 1x1, 3x3, 1x1, each with batch norm, plus the shortcut. */
static value_id bottleneck(net *n, value_id x, int width, int stride)
{
    value_id y = conv_bn(n, "conv1", "bn1", x, (conv_spec){.out = width, .kernel = 1, .stride = 1}, plain);
    y = net_activation(n, "relu1", y, ACT_RELU);
    y = conv_bn(n, "conv2", "bn2", y, (conv_spec){.out = width, .kernel = 3, .stride = stride, .pad = 1}, plain);
    y = net_activation(n, "relu2", y, ACT_RELU);
    y = conv_bn(n, "conv3", "bn3", y, (conv_spec){.out = 4 * width, .kernel = 1, .stride = 1}, branch_end);
    value_id shortcut = x;
    if (stride != 1 || net_channels(n, x) != 4 * width)
        shortcut = conv_bn(n, "downsample.0", "downsample.1", x,
                           (conv_spec){.out = 4 * width, .kernel = 1, .stride = stride}, plain);
    return net_activation(n, "relu3", net_add(n, "add", y, shortcut), ACT_RELU);
}

/* Stage 0 to 3, torchvision's layer1 to layer4. */
static value_id layer(net *n, value_id x, int stage)
{
    static const int blocks[4] = {3, 4, 6, 3};
    for (int block = 0; block < blocks[stage]; block++) {
        net_prefix(n, "layer%d.%d.", stage + 1, block);
        x = bottleneck(n, x, 64 << stage, stage > 0 && block == 0 ? 2 : 1);
    }
    net_prefix(n, "%s", "");
    return x;
}

value_id resnet50_layer3(net *n, value_id x)
{
    x = conv_bn(n, "conv1", "bn1", x, (conv_spec){.out = 64, .kernel = 7, .stride = 2, .pad = 3}, plain);
    x = net_activation(n, "relu", x, ACT_RELU);
    x = net_max_pool(n, "maxpool", x, 3, 2, 1);
    for (int stage = 0; stage < 3; stage++)
        x = layer(n, x, stage);
    return x;
}

value_id resnet50_layer4(net *n, value_id x)
{
    return layer(n, resnet50_layer3(n, x), 3);
}

value_id resnet50_features(net *n, value_id x)
{
    return net_global_mean(n, "avgpool", resnet50_layer4(n, x));
}

value_id resnet50_head(net *n, value_id features, int classes)
{
    float bound = 1.0f / sqrtf(2048.0f); /* torch.nn.Linear's default */
    return net_linear(n, "fc", features, (linear_spec){classes, bound, bound, 2, true});
}
