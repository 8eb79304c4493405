/* The zoo: every architecture is a row.
 *
 * The Inception weights expect torchvision's transform_input: from ImageNet's normalisation to (x - 0.5) / 0.5, which
 * is a normalisation of its own. */
#include "nn/zoo.h"
#include "nn/model.h"

#include <string.h>

#define AS_IMAGENET .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}
#define AS_TRANSFORM_INPUT .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}

static const architecture zoo[] = {
    {.name = "resnet50",
     .default_size = 224,
     .min_size = 32,
     .feature_dim = 2048,
     .head_prefix = "fc.",
     AS_IMAGENET,
     .features = resnet50_features,
     .head = resnet50_head,
     .maps = {{"layer4", 2048, 32, resnet50_layer4, {NULL}}, {"layer3", 1024, 16, resnet50_layer3, {"layer4."}}}},
    {.name = "efficientnet_b0",
     .default_size = 224,
     .min_size = 32,
     .feature_dim = 1280,
     .head_prefix = "classifier.",
     .has_tensorflow = true,
     AS_IMAGENET,
     .features = efficientnet_b0_features,
     .head = efficientnet_b0_head,
     .maps = {{"features", 1280, 32, efficientnet_b0_map, {NULL}},
              {"features.5", 112, 16, efficientnet_b0_features_5, {"features.6.", "features.7.", "features.8."}}}},
    {.name = "efficientnet_lite0",
     .default_size = 224,
     .min_size = 32,
     .feature_dim = 1280,
     .head_prefix = "classifier.",
     .has_tensorflow = true,
     .is_timms = true,
     AS_IMAGENET,
     .features = efficientnet_lite0_features,
     .head = efficientnet_lite0_head,
     .maps = {{"conv_head", 1280, 32, efficientnet_lite0_map, {NULL}},
              {"blocks.4", 112, 16, efficientnet_lite0_blocks_4, {"blocks.5.", "blocks.6.", "conv_head.", "bn2."}}}},
    {.name = "googlenet",
     .default_size = 224,
     .min_size = 15,
     .feature_dim = 1024,
     .head_prefix = "fc.",
     .ignored = {"aux1.", "aux2."},
     AS_TRANSFORM_INPUT,
     .features = googlenet_features,
     .head = googlenet_head,
     .maps = {{"inception5b", 1024, 32, googlenet_5b, {NULL}}, {"inception4e", 832, 16, googlenet_4e, {"inception5"}}}},
    {.name = "inception_v3",
     .default_size = 299,
     .min_size = 75,
     .feature_dim = 2048,
     .head_prefix = "fc.",
     .ignored = {"AuxLogits."},
     AS_TRANSFORM_INPUT,
     .features = inception_v3_features,
     .head = inception_v3_head,
     .maps = {{"Mixed_6e", 768, 16, inception_v3_mixed_6e, {"Mixed_7"}},
              {"Mixed_7c", 2048, 32, inception_v3_mixed_7c, {NULL}}}},
    {.name = "vit_b_16",
     .default_size = 224,
     .min_size = 16,
     .size_step = 16,
     .feature_dim = 768,
     .head_prefix = "heads.",
     AS_IMAGENET,
     .features = vit_b_16_features,
     .head = vit_b_16_head,
     .maps = {{"patches", 768, 16, vit_b_16_patches, {NULL}}}},
};
enum { ZOO_COUNT = sizeof zoo / sizeof zoo[0] };

const architecture *architecture_at(int index)
{
    return index >= 0 && index < ZOO_COUNT ? &zoo[index] : NULL;
}

const architecture *architecture_find(const char *name)
{
    for (int i = 0; i < ZOO_COUNT; i++)
        if (strcmp(zoo[i].name, name) == 0)
            return &zoo[i];
    return NULL;
}

mien_status architecture_map(const feature_map **out, const architecture *arch, const char *name)
{
    const char *names[ARCHITECTURE_MAX_MAPS];
    int count = 0;
    for (; count < ARCHITECTURE_MAX_MAPS && arch->maps[count].name; count++) {
        names[count] = arch->maps[count].name;
        if (!name || strcmp(names[count], name) == 0) {
            *out = &arch->maps[count];
            return MIEN_OK;
        }
    }
    if (count == 0)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: it has no feature maps", arch->name);
    char known[128];
    str_join_words(known, sizeof known, names, count);
    return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: no feature map %.64s (wanted %s)", arch->name, name, known);
}

void architecture_names(char *dst, size_t bytes)
{
    const char *names[ZOO_COUNT];
    for (int i = 0; i < ZOO_COUNT; i++)
        names[i] = zoo[i].name;
    str_join_words(dst, bytes, names, ZOO_COUNT);
}
