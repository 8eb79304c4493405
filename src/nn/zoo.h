/* The descriptions behind the zoo's table; a new backbone adds its two functions here and its row in zoo.c. */
#ifndef NN_ZOO_H
#define NN_ZOO_H

#include "nn/layer.h"

value_id resnet50_layer3(net *n, value_id x);
value_id resnet50_layer4(net *n, value_id x);
value_id resnet50_features(net *n, value_id x);
value_id resnet50_head(net *n, value_id features, int classes);
value_id efficientnet_b0_features_5(net *n, value_id x); /* at 224 [n, 14, 14, 112] */
value_id efficientnet_b0_map(net *n, value_id x);
value_id efficientnet_b0_features(net *n, value_id x);
value_id efficientnet_b0_head(net *n, value_id features, int classes);
value_id efficientnet_lite0_blocks_4(net *n, value_id x);
value_id efficientnet_lite0_map(net *n, value_id x);
value_id efficientnet_lite0_features(net *n, value_id x);
value_id efficientnet_lite0_head(net *n, value_id features, int classes);
value_id googlenet_4e(net *n, value_id x);
value_id googlenet_5b(net *n, value_id x);
value_id googlenet_features(net *n, value_id x);
value_id googlenet_head(net *n, value_id features, int classes);
value_id inception_v3_mixed_6e(net *n, value_id x); /* at 299 [n, 17, 17, 768] */
value_id inception_v3_mixed_7c(net *n, value_id x);
value_id inception_v3_features(net *n, value_id x);
value_id inception_v3_head(net *n, value_id features, int classes);
value_id vit_b_16_patches(net *n, value_id x); /* the tokens of its patches where they lie: [n, h / 16, w / 16, 768] */
value_id vit_b_16_features(net *n, value_id x);
value_id vit_b_16_head(net *n, value_id features, int classes);

#endif
