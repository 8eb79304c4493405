/* ViT-B/16 as torchvision.models.vit_b_16 (Dosovitskiy et al. 2020): patches of 16 x 16 pixels become tokens of 768,
 * twelve pre-norm blocks of attention and MLP, and the class token's row is the feature.
 *
 * From block to block the tokens are a sum in f32, to which each block adds what it computed: rounding it to bf16 at
 * every step would be most of the error of the whole.
 *
 * As a feature only that row is read in the end, so the last block computes it alone from its attention on, and the
 * final norm sees no other: the numbers are those of the whole. */
#include "nn/zoo.h"

#include <math.h>

enum { PATCH = 16, DIM = 768, HEADS = 12, WIDE = 3072, BLOCKS = 12 };
static const float eps = 1e-6f;

/* torch.nn.init.xavier_uniform_ of a matrix [out, in] */
static param_init xavier(int out, int in)
{
    return (param_init){INIT_UNIFORM, sqrtf(6.0f / (float)(out + in))};
}

/* x [.., 768] -> [.., 768] */
static value_id mlp(net *n, value_id x)
{
    const param_init bias = {INIT_NORMAL, 1e-6f};
    x = net_projection(n, "mlp.0", x, (projection_spec){.out = WIDE, .weight = xavier(WIDE, DIM), .bias = bias});
    x = net_activation(n, "mlp.1", x, ACT_GELU);
    return net_projection(n, "mlp.3", x, (projection_spec){.out = DIM, .weight = xavier(DIM, WIDE), .bias = bias});
}

/* x [n, t, 768] -> the same; is_last: its first token's row [n, 768] */
static value_id block(net *n, value_id x, bool is_last)
{
    const param_init zero = {INIT_CONSTANT, 0}, linear = {INIT_UNIFORM, 1 / sqrtf(DIM)}; /* torch.nn.Linear's default */
    value_id y = net_layer_norm(n, "ln_1", x, eps);
    y = net_projection(
        n, "self_attention.in_proj", y,
        (projection_spec){.out = 3 * DIM, .weight = xavier(3 * DIM, DIM), .bias = zero, .is_joined = true});
    y = net_attention(n, "self_attention", y, HEADS, is_last);
    if (is_last)
        x = net_first_token(n, "class_token", x);
    y = net_projection(n, "self_attention.out_proj", y, (projection_spec){.out = DIM, .weight = linear, .bias = zero});
    x = net_add(n, "add_1", x, y);
    return net_add(n, "add_2", x, mlp(n, net_layer_norm(n, "ln_2", x, eps)));
}

/* x [n, h, w, 3] -> what the encoder makes of its patches and the class token, [n, 1 + patches, 768]; is_class_alone:
 * the class token's row, [n, 768]. grid: patches along h and w. */
static value_id encoder(net *n, value_id x, bool is_class_alone, int64_t grid[2])
{
    /* its trunc_normal_ cuts at +-2, fifty deviations away */
    x = net_conv2d(
        n, "conv_proj", x,
        (conv_spec){
            .out = DIM, .kernel = PATCH, .stride = PATCH, .has_bias = true, .init_std = 1 / sqrtf(3 * PATCH * PATCH)});
    for (int axis = 0; axis < 2 && n->status == MIEN_OK; axis++)
        grid[axis] = graph_value_at(n->g, x)->shape.dim[1 + axis];
    x = net_tokens(n, "tokens", x, "class_token", "encoder.pos_embedding");
    for (int i = 0; i < BLOCKS; i++) {
        net_prefix(n, "encoder.layers.encoder_layer_%d.", i);
        x = block(n, x, is_class_alone && i == BLOCKS - 1);
    }
    net_prefix(n, "%s", "");
    return net_layer_norm(n, "encoder.ln", x, eps);
}

value_id vit_b_16_features(net *n, value_id x)
{
    int64_t grid[2] = {0};
    return encoder(n, x, true, grid);
}

value_id vit_b_16_patches(net *n, value_id x)
{
    int64_t grid[2] = {0};
    x = encoder(n, x, false, grid);
    x = net_slice(n, "patches", x, 1, 1, grid[0] * grid[1]);
    return net_reshape(n, "map", x, shape_of(4, net_batch(n, x), grid[0], grid[1], (int64_t)DIM));
}

value_id vit_b_16_head(net *n, value_id features, int classes)
{
    /* torch.nn.Linear's default, as the other heads; torchvision begins at 0 */
    float bound = 1 / sqrtf(DIM);
    return net_linear(n, "heads.head", features, (linear_spec){classes, bound, bound, 2, true});
}
