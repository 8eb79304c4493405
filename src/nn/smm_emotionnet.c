/* The regions are one network, not R: their layers lie side by side as groups of channels, so that each is one operator
 * over all regions, and the first, R convolutions of the map as R attentions brighten it, is one product
 * (op/roi_embed.c).
 *
 * From the embeddings on numbers are few, and f32 wherever a sum or a prediction is made of them. */
#include "nn/smm_emotionnet.h"
#include "nn/import.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { D = SMM_DIM, ATTENTION_HEADS = 8, FEED_FORWARD = 1024 };
static const float embedding_dropout = 0.3f, layer_dropout = 0.1f;
static const batch_norm_spec norm = {.eps = 1e-5f};

/* What a head's name says of it; those that are not here are read from messages, as they come. */
static const struct {
    const char *name;
    bool is_sign;    /* a number a token of the sign space */
    bool is_clipped; /* predicted within -1..1 */
} known_heads[] = {{"au", .is_sign = true}, {"au_intensity", .is_sign = true}, {"va", .is_clipped = true}};

static bool is_sign(const model_head *h)
{
    for (size_t i = 0; i < sizeof known_heads / sizeof known_heads[0]; i++)
        if (strcmp(known_heads[i].name, h->name) == 0)
            return known_heads[i].is_sign;
    return false;
}

bool smm_clips(const model_head *h)
{
    for (size_t i = 0; i < sizeof known_heads / sizeof known_heads[0]; i++)
        if (strcmp(known_heads[i].name, h->name) == 0)
            return known_heads[i].is_clipped;
    return false;
}

static int region_count(const smm_spec *spec)
{
    return spec->regions ? spec->regions : SMM_REGIONS;
}

mien_status smm_check(const smm_spec *spec)
{
    enum { MOST_REGIONS = 256, HEAD_SIZE_MOST = 1000 };
    const feature_map *map = NULL;
    const int regions = region_count(spec);
    TRY(architecture_map(&map, spec->arch, spec->map));
    if (regions < 1 || regions > MOST_REGIONS)
        return mien_fail(MIEN_ERR_ARG, "regions: %d (wanted 1 to %d)", regions, MOST_REGIONS);
    if (spec->head_count < 1 || spec->head_count > MODEL_MAX_HEADS)
        return mien_fail(MIEN_ERR_ARG, "heads: %d (wanted 1 to %d)", spec->head_count, MODEL_MAX_HEADS);
    for (int i = 0; i < spec->head_count; i++) {
        const model_head *h = &spec->heads[i];
        const bool is_of_tokens = is_sign(h) && !spec->is_baseline;
        const int most = is_of_tokens ? regions : HEAD_SIZE_MOST;
        if (h->size < 1 || h->size > most)
            return mien_fail(MIEN_ERR_ARG, "head %s: %d numbers (wanted 1 to %d)", h->name, h->size, most);
        if (is_sign(h) && h->kind == HEAD_CLASS)
            return mien_fail(MIEN_ERR_ARG, "head %s: classes (wanted a number an action unit)", h->name);
        for (int k = 0; k < i; k++)
            if (strcmp(spec->heads[k].name, h->name) == 0)
                return mien_fail(MIEN_ERR_ARG, "head %s: twice (wanted once)", h->name);
    }
    return MIEN_OK;
}

/* --- regions ------------------------------------------------------------------------------------------------------ */

/* torch.nn.Linear's and Conv2d's default: uniform within this of 0; a normal of the same variance has a third of it,
 * squared. */
static float bound_of(int inputs)
{
    return 1 / sqrtf((float)(inputs > 0 ? inputs : 1));
}

static value_id conv(net *n, const char *name, value_id x, int out, int side)
{
    const float bound = bound_of(net_channels(n, x) * side * side);
    return net_conv2d(
        n, name, x,
        (conv_spec){
            .out = out, .kernel = side, .stride = 1, .pad = side / 2, .has_bias = true, .init_std = bound / sqrtf(3)});
}

/* f [n, h, w, c] -> how much each region looks at each pixel, [n, h, w, R] within 0..1 */
static value_id attention(net *n, value_id f, int regions)
{
    net_prefix(n, "attention.");
    value_id x = net_batch_norm(n, "bn1", conv(n, "conv1", f, 4 * regions, 3), norm);
    x = net_activation(n, "relu1", x, ACT_RELU);
    x = net_batch_norm(n, "bn2", conv(n, "conv2", x, regions, 1), norm);
    x = net_activation(n, "relu2", x, ACT_RELU);
    return net_activation(n, "maps", conv(n, "conv3", x, regions, 1), ACT_SIGMOID);
}

/* f, maps -> embeddings [n, R D] f32 */
static value_id embeddings(net *n, value_id f, value_id maps, int regions)
{
    group_linear_spec own = {.groups = regions, .out = D, .has_bias = true, .bound = bound_of(D)};
    net_prefix(n, "regions.");
    value_id x = net_roi_embed(n, "conv1", f, maps, D);
    x = net_activation(n, "relu1", net_batch_norm(n, "bn1", x, norm), ACT_RELU);
    x = net_group_linear(n, "conv2", x, own);
    x = net_activation(n, "relu2", net_batch_norm(n, "bn2", x, norm), ACT_RELU);
    own.is_f32 = true;
    return net_group_linear(n, "linear", net_global_mean(n, "pool", x), own);
}

/* --- spaces ------------------------------------------------------------------------------------------------------- */

static value_id linear(net *n, const char *name, value_id x, int out, bool is_joined)
{
    const param_init uniform = {INIT_UNIFORM, bound_of(net_channels(n, x))};
    const param_init glorot = {INIT_UNIFORM, sqrtf(6.0f / (float)(4 * D))}, zero = {INIT_CONSTANT, 0};
    return net_projection(n, name, x,
                          (projection_spec){.out = out,
                                            .weight = is_joined ? glorot : uniform,
                                            .bias = is_joined ? zero : uniform,
                                            .is_joined = is_joined});
}

/* embeddings [n, R D] -> what the transformer layer makes of them, [n, R D]. torch.nn.TransformerEncoderLayer,
 * post-norm, but for its dropout of attention's shares, which this attention has not. */
static value_id sign_space(net *n, value_id e, int regions)
{
    const shape tokens = {.rank = 3, .dim = {net_batch(n, e), regions, D}};
    const shape rows = {.rank = 2, .dim = {net_batch(n, e), (int64_t)regions * D}};
    net_prefix(n, "sign.");
    value_id x = net_reshape(n, "tokens", e, tokens);
    x = net_dropout(n, "embedded", net_add(n, "positioned", x, net_positions(n, "positions", x)), embedding_dropout,
                    false);
    value_id y = net_attention(n, "self_attn", linear(n, "self_attn.in_proj", x, 3 * D, true), ATTENTION_HEADS, false);
    y = net_dropout(n, "dropout1", linear(n, "self_attn.out_proj", y, D, false), layer_dropout, false);
    x = net_layer_norm(n, "norm1", net_add(n, "add1", x, y), 1e-5f);
    y = net_activation(n, "gelu", linear(n, "linear1", x, FEED_FORWARD, false), ACT_GELU);
    y = linear(n, "linear2", net_dropout(n, "dropout", y, layer_dropout, false), D, false);
    x = net_layer_norm(n, "norm2", net_add(n, "add2", x, net_dropout(n, "dropout2", y, layer_dropout, false)), 1e-5f);
    return net_reshape(n, "rows", x, rows);
}

/* embeddings [n, R D] -> each turned by its region's matrix, [n, R, D] f32 */
static value_id message_space(net *n, value_id e, int regions, bool is_orthogonal)
{
    const shape tokens = {.rank = 3, .dim = {net_batch(n, e), regions, D}};
    net_prefix(n, "%s", "");
    value_id z = net_group_linear(
        n, "message", e,
        (group_linear_spec){
            .groups = regions, .out = D, .bound = bound_of(D), .is_f32 = true, .is_orthogonal = is_orthogonal});
    return net_reshape(n, "messages", z, tokens);
}

/* --- heads -------------------------------------------------------------------------------------------------------- */

/* Nodes of a head are called "heads.NAME:..", its parameters "heads.NAME.weight" and ".bias". */
static void head_prefix(net *n, const model_head *h)
{
    net_prefix(n, SMM_HEADS "%s:", h->name);
}

/* rows [n, .. D], of which the first h->size D are its own -> logits [n, size] */
static value_id read_groups(net *n, const model_head *h, value_id rows)
{
    head_prefix(n, h);
    if (net_channels(n, rows) != h->size * D)
        rows = net_slice(n, "tokens", rows, 1, 0, (int64_t)h->size * D);
    net_prefix(n, "%s", SMM_HEADS);
    return net_group_linear(
        n, h->name, rows,
        (group_linear_spec){.groups = h->size, .out = 1, .has_bias = true, .bound = bound_of(D), .is_f32 = true});
}

/* x [.., D] -> logits [.., size] */
static value_id read_all(net *n, const model_head *h, value_id x)
{
    net_prefix(n, "%s", SMM_HEADS);
    return net_linear(n, h->name, x, (linear_spec){h->size, bound_of(D), bound_of(D), 2, true});
}

/* The prediction of a head with these logits. */
static value_id output_of(net *n, const model_head *h, value_id logits)
{
    if (graph_is_training(n->g))
        return NO_VALUE;
    if (h->kind == HEAD_CLASS)
        return net_softmax(n, "softmax", logits);
    if (h->kind == HEAD_BINARIES)
        return net_activation(n, "probabilities", logits, ACT_SIGMOID);
    return smm_clips(h) ? net_activation(n, "clipped", logits, ACT_CLIP) : logits;
}

static void read_message(net *n, smm_output *out, const model_head *h, value_id messages, smm_ensemble ensemble)
{
    const value_id each = read_all(n, h, messages); /* [n, R, size] */
    head_prefix(n, h);
    out->logits = net_token_mean(n, "mean", each);
    if (!graph_is_training(n->g) && h->kind == HEAD_CLASS && ensemble == SMM_MEAN_SOFTMAX)
        out->output = net_token_mean(n, "ensemble", net_softmax(n, "softmax", each));
    else
        out->output = output_of(n, h, out->logits);
}

static void read_signs(net *n, smm_output *out, const model_head *h, value_id signs)
{
    out->logits = read_groups(n, h, signs);
    head_prefix(n, h);
    out->output = output_of(n, h, out->logits);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static void describe_regions(net *n, smm_output *out, const smm_spec *spec, value_id f)
{
    const int regions = region_count(spec);
    const value_id e = embeddings(n, f, attention(n, f, regions), regions);
    value_id signs = NO_VALUE, messages = NO_VALUE;
    for (int i = 0; i < spec->head_count; i++) {
        const model_head *h = &spec->heads[i];
        if (is_sign(h)) {
            if (signs == NO_VALUE)
                signs = sign_space(n, e, regions);
            read_signs(n, &out[i], h, signs);
            continue;
        }
        if (messages == NO_VALUE)
            messages = message_space(n, e, regions, spec->is_orthogonal);
        read_message(n, &out[i], h, messages, spec->ensemble);
    }
}

/* Each head has D features of its own, or D for each of its action units. */
static void describe_baseline(net *n, smm_output *out, const smm_spec *spec, value_id f)
{
    net_prefix(n, "%s", "");
    const value_id largest = net_global_max(n, "largest", f); /* [n, c] */
    for (int i = 0; i < spec->head_count; i++) {
        const model_head *h = &spec->heads[i];
        net_prefix(n, "features.");
        value_id x = linear(n, h->name, largest, is_sign(h) ? h->size * D : D, false);
        net_prefix(n, "features.%s:", h->name);
        x = net_activation(n, "relu", x, ACT_RELU);
        out[i].logits = is_sign(h) ? read_groups(n, h, x) : read_all(n, h, x);
        head_prefix(n, h);
        out[i].output = output_of(n, h, out[i].logits);
    }
}

void smm_emotionnet(net *n, smm_output *out, const smm_spec *spec, value_id x)
{
    const feature_map *map = NULL;
    if (n->status == MIEN_OK)
        n->status = smm_check(spec);
    if (n->status == MIEN_OK)
        n->status = architecture_map(&map, spec->arch, spec->map);
    if (n->status != MIEN_OK)
        return;
    n->root = SMM_BACKBONE;
    const value_id f = map->describe(n, x);
    n->root = NULL;
    if (spec->is_baseline)
        describe_baseline(n, out, spec, f);
    else
        describe_regions(n, out, spec, f);
    net_prefix(n, "%s", "");
}

mien_status smm_load_backbone(param_store *params, const smm_spec *spec, tensor_file *f, const char *path)
{
    const architecture *arch = spec->arch;
    const feature_map *map = NULL;
    const char *skipped[4 + FEATURE_MAP_MAX_BEHIND + 1] = {IMPORT_IGNORED, arch->head_prefix};
    int count = 2;
    TRY(architecture_map(&map, arch, spec->map));
    for (int i = 0; i < 2; i++)
        if (arch->ignored[i])
            skipped[count++] = arch->ignored[i];
    for (int i = 0; map->behind[i]; i++)
        skipped[count++] = map->behind[i];
    return param_store_load_under(params, SMM_BACKBONE, f, path, skipped);
}
