/* The zoo: every architecture is a row. */
#include "nn/zoo.h"
#include "nn/model.h"

#include <string.h>

static const architecture zoo[] = {
    {.name = "resnet50",
     .default_size = 224,
     .min_size = 32,
     .feature_dim = 2048,
     .head_prefix = "fc.",
     .features = resnet50_features,
     .head = resnet50_head},
    {.name = "efficientnet_b0",
     .default_size = 224,
     .min_size = 32,
     .feature_dim = 1280,
     .head_prefix = "classifier.",
     .features = efficientnet_b0_features,
     .head = efficientnet_b0_head},
    {.name = "vit_b_16",
     .default_size = 224,
     .min_size = 16,
     .size_step = 16,
     .feature_dim = 768,
     .head_prefix = "heads.",
     .features = vit_b_16_features,
     .head = vit_b_16_head},
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

void architecture_names(char *dst, size_t bytes)
{
    const char *names[ZOO_COUNT];
    for (int i = 0; i < ZOO_COUNT; i++)
        names[i] = zoo[i].name;
    str_join_words(dst, bytes, names, ZOO_COUNT);
}
