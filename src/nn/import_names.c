/* What others call our tensors. Torchvision's names are ours; timm has its own for three of the five architectures,
 * Hugging Face for a ViT, and torchvision had others for a ViT's MLP before 0.13. A row is a beginning of a name and
 * what stands for it; in it '#' is a number, which '#' in the new name repeats, and "#+" repeats plus one. The first
 * row that fits is taken. */
#include "base/str.h"
#include "nn/import.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *from, *to;
} name_rule;

#define INVERTED(from, to)                                                                                             \
    {                                                                                                                  \
        "blocks.#.#." from, "features.#+.#.block." to                                                                  \
    }
/* timm counts stages from 0, and its first one has no expansion */
#define FIRST(from, to)                                                                                                \
    {                                                                                                                  \
        "blocks.0.#." from, "features.1.#.block." to                                                                   \
    }
static const name_rule efficientnet_rules[] = {
    {"conv_stem.", "features.0.0."},
    {"bn1.", "features.0.1."},
    FIRST("conv_dw.", "0.0."),
    FIRST("bn1.", "0.1."),
    FIRST("se.conv_reduce.", "1.fc1."),
    FIRST("se.conv_expand.", "1.fc2."),
    FIRST("conv_pw.", "2.0."),
    FIRST("bn2.", "2.1."),
    INVERTED("conv_pw.", "0.0."),
    INVERTED("bn1.", "0.1."),
    INVERTED("conv_dw.", "1.0."),
    INVERTED("bn2.", "1.1."),
    INVERTED("se.conv_reduce.", "2.fc1."),
    INVERTED("se.conv_expand.", "2.fc2."),
    INVERTED("conv_pwl.", "3.0."),
    INVERTED("bn3.", "3.1."),
    {"conv_head.", "features.8.0."},
    {"bn2.", "features.8.1."},
    {"classifier.weight", "classifier.1.weight"},
    {"classifier.bias", "classifier.1.bias"},
    {0},
};

/* Lite0's names are timm's; another port of it to PyTorch (lukemelas') numbers its blocks through. */
#define BLOCK(number, at)                                                                                              \
    {"_blocks." number "._expand_conv.", "blocks." at ".conv_pw."},                                                    \
        {"_blocks." number "._bn0.", "blocks." at ".bn1."},                                                            \
        {"_blocks." number "._depthwise_conv.", "blocks." at ".conv_dw."},                                             \
        {"_blocks." number "._bn1.", "blocks." at ".bn2."},                                                            \
        {"_blocks." number "._project_conv.", "blocks." at ".conv_pwl."},                                              \
    {                                                                                                                  \
        "_blocks." number "._bn2.", "blocks." at ".bn3."                                                               \
    }
static const name_rule lite_rules[] = {
    {"_conv_stem.", "conv_stem."},
    {"_bn0.", "bn1."},
    {"_blocks.0._depthwise_conv.", "blocks.0.0.conv_dw."}, /* the first has no expansion */
    {"_blocks.0._bn1.", "blocks.0.0.bn1."},
    {"_blocks.0._project_conv.", "blocks.0.0.conv_pw."},
    {"_blocks.0._bn2.", "blocks.0.0.bn2."},
    BLOCK("1", "1.0"),
    BLOCK("2", "1.1"),
    BLOCK("3", "2.0"),
    BLOCK("4", "2.1"),
    BLOCK("5", "3.0"),
    BLOCK("6", "3.1"),
    BLOCK("7", "3.2"),
    BLOCK("8", "4.0"),
    BLOCK("9", "4.1"),
    BLOCK("10", "4.2"),
    BLOCK("11", "5.0"),
    BLOCK("12", "5.1"),
    BLOCK("13", "5.2"),
    BLOCK("14", "5.3"),
    BLOCK("15", "6.0"),
    {"_conv_head.", "conv_head."},
    {"_bn1.", "bn2."},
    {"_fc.", "classifier."},
    {0},
};

#define LAYER "encoder.layers.encoder_layer_#."
static const name_rule vit_rules[] = {
    {LAYER "mlp.linear_1.", LAYER "mlp.0."}, /* torchvision 0.12 */
    {LAYER "mlp.linear_2.", LAYER "mlp.3."},
    {"cls_token", "class_token"},
    {"pos_embed", "encoder.pos_embedding"},
    {"patch_embed.proj.", "conv_proj."},
    {"blocks.#.norm1.", LAYER "ln_1."},
    {"blocks.#.attn.qkv.", LAYER "self_attention.in_proj_"},
    {"blocks.#.attn.proj.", LAYER "self_attention.out_proj."},
    {"blocks.#.norm2.", LAYER "ln_2."},
    {"blocks.#.mlp.fc1.", LAYER "mlp.0."},
    {"blocks.#.mlp.fc2.", LAYER "mlp.3."},
    {"norm.", "encoder.ln."},
    {"head.", "heads.head."},
    {"embeddings.cls_token", "class_token"}, /* Hugging Face, who keeps query, key and value apart */
    {"embeddings.position_embeddings", "encoder.pos_embedding"},
    {"embeddings.patch_embeddings.projection.", "conv_proj."},
    {"layer.#.layernorm_before.", LAYER "ln_1."},
    {"layer.#.attention.attention.query.", "0:" LAYER "self_attention.in_proj_"},
    {"layer.#.attention.attention.key.", "1:" LAYER "self_attention.in_proj_"},
    {"layer.#.attention.attention.value.", "2:" LAYER "self_attention.in_proj_"},
    {"layer.#.attention.output.dense.", LAYER "self_attention.out_proj."},
    {"layer.#.layernorm_after.", LAYER "ln_2."},
    {"layer.#.intermediate.dense.", LAYER "mlp.0."},
    {"layer.#.output.dense.", LAYER "mlp.3."},
    {"layernorm.", "encoder.ln."},
    {"classifier.", "heads.head."},
    {0},
};

static const struct {
    const char *arch;
    const name_rule *rules;
} dialects[] = {{"efficientnet_b0", efficientnet_rules}, {"efficientnet_lite0", lite_rules}, {"vit_b_16", vit_rules}};
enum { DIALECTS = sizeof dialects / sizeof dialects[0] };

/* DataParallel, self-supervised and Lightning wrappers, torch.compile: they may be nested. */
static const char *const wrappers[] = {"module.",  "backbone.", "model.",   "_orig_mod.", "net.",
                                       "encoder.", "_model.",   "student.", "vit."};
/* Before these "encoder." is torchvision's own, of a ViT. */
static const char *const own_encoder[] = {"encoder.layers.", "encoder.pos_embedding", "encoder.ln."};
enum { WRAPPERS = sizeof wrappers / sizeof wrappers[0], MAX_NUMBERS = 2, IMPORT_NAME_BYTES = 512 };

#define HALF                                                                                                           \
    {                                                                                                                  \
        0.5f, 0.5f, 0.5f                                                                                               \
    }
static const import_name names[] = {
    {.name = "vit_base_patch16_224", .arch = "vit_b_16", .mean = HALF, .std = HALF}, /* as timm trained it */
    {.name = "tf_efficientnet_b0", .arch = "efficientnet_b0", .variant = VARIANT_TENSORFLOW},
    {.name = "tf_efficientnet_lite0",
     .arch = "efficientnet_lite0",
     .variant = VARIANT_TENSORFLOW,
     .mean = HALF,
     .std = HALF},
    {.name = "resnet50", .arch = "resnet50"},
    {.name = "efficientnet_b0", .arch = "efficientnet_b0"},
    {.name = "efficientnet_lite0", .arch = "efficientnet_lite0"},
    {.name = "vit_b_16", .arch = "vit_b_16"},
    {.name = "googlenet", .arch = "googlenet"},
    {.name = "inception_v3", .arch = "inception_v3"},
};
enum { NAMES = sizeof names / sizeof names[0] };

const import_name *import_name_find(const char *name)
{
    for (int i = 0; i < NAMES; i++)
        if (strcmp(names[i].name, name) == 0)
            return &names[i];
    return NULL;
}

const import_name *import_name_at(int index)
{
    return index >= 0 && index < NAMES ? &names[index] : NULL;
}

void import_names(char *dst, size_t bytes)
{
    const char *known[NAMES];
    int count = 0;
    for (; count < NAMES; count++)
        known[count] = names[count].name;
    str_join_words(dst, bytes, known, count);
}

/* Whether `name` begins as the pattern says: *rest = what follows, numbers = what its '#'s stand for. */
static bool fits(const char *pattern, const char *name, int numbers[MAX_NUMBERS], const char **rest)
{
    int count = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '#') {
            if (*name++ != *pattern)
                return false;
            continue;
        }
        int digits = (int)strspn(name, "0123456789"), number = 0;
        if (digits < 1 || digits > 3)
            return false;
        for (; digits > 0; digits--)
            number = 10 * number + *name++ - '0';
        numbers[count++] = number;
    }
    *rest = name;
    return true;
}

static void write_name(char *dst, size_t bytes, const char *pattern, const int numbers[MAX_NUMBERS], const char *rest)
{
    size_t at = 0;
    int count = 0;
    for (; *pattern && at + 16 < bytes; pattern++) {
        if (*pattern != '#') {
            dst[at++] = *pattern;
            continue;
        }
        bool is_next = pattern[1] == '+';
        at += (size_t)snprintf(dst + at, bytes - at, "%d", numbers[count++] + is_next);
        pattern += is_next;
    }
    snprintf(dst + at, bytes - at, "%s", rest);
}

static bool is_wrapped(const char *name, const char *wrapper)
{
    for (size_t i = 0; i < sizeof own_encoder / sizeof own_encoder[0]; i++)
        if (str_starts(name, own_encoder[i]))
            return false;
    return str_starts(name, wrapper);
}

void import_translate(char *dst, size_t bytes, const architecture *arch, const char *name)
{
    for (int i = 0; i < WRAPPERS; i++)
        if (is_wrapped(name, wrappers[i])) {
            name += strlen(wrappers[i]);
            i = -1;
        }
    snprintf(dst, bytes, "%s", name);
    for (int d = 0; d < DIALECTS; d++)
        for (const name_rule *r = dialects[d].rules; strcmp(dialects[d].arch, arch->name) == 0 && r->from; r++) {
            int numbers[MAX_NUMBERS];
            const char *rest;
            if (fits(r->from, name, numbers, &rest)) {
                write_name(dst, bytes, r->to, numbers, rest);
                return;
            }
        }
}

bool import_is_ignored(const architecture *arch, const char *ignored, const char *name)
{
    char translated[IMPORT_NAME_BYTES];
    if (str_starts(name, ignored))
        return true;
    import_translate(translated, sizeof translated, arch, name);
    return str_starts(translated, ignored);
}

static void rename_tensor(void *payload, char *dst, size_t bytes, const char *name)
{
    const import_naming *n = payload;
    if (n->only && !str_starts(name, n->only)) {
        snprintf(dst, bytes, IMPORT_IGNORED "%s", name);
        return;
    }
    for (int i = 0; i < n->ignored_count; i++)
        if (import_is_ignored(n->arch, n->ignored[i], name)) {
            snprintf(dst, bytes, IMPORT_IGNORED "%s", name); /* as the file has it, and no other */
            return;
        }
    import_translate(dst, bytes, n->arch, name);
    if (n->head && str_starts(dst, n->head)) {
        char rest[IMPORT_NAME_BYTES];
        snprintf(rest, sizeof rest, "%s", dst + strlen(n->head));
        snprintf(dst, bytes, "%s%s", n->own_head, rest);
    }
}

mien_status import_rename(tensor_file *f, const import_naming *naming)
{
    return tensor_file_rename(f, rename_tensor, (void *)naming);
}
