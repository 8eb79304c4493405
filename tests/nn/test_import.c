/* The names that others have for our tensors. */
#include "testing.h"

#include "base/file.h"
#include "base/mem.h"
#include "nn/import.h"

enum { MAX_ENTRIES = 700 };

/* A list of names and shapes, "name dims...", a line each (make_names.py). */
typedef struct {
    char *text;
    char *line[MAX_ENTRIES];
    int count;
} name_list;

static void read_list(name_list *list, const char *name)
{
    char path[1024];
    size_t length;
    snprintf(path, sizeof path, MIEN_SOURCE_DIR "/tests/fixtures/nn/%s.txt", name);
    assert_ok(file_read(&list->text, &length, path, 0));
    list->count = 0;
    for (char *line = strtok(list->text, "\n"); line; line = strtok(NULL, "\n")) {
        assert_true(list->count < MAX_ENTRIES);
        list->line[list->count++] = line;
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every line of the foreign list, its name translated, is a line of ours, and all of ours are met; those that begin
 * with `left_out` apart. */
static void assert_same_tensors(const char *foreign, const char *arch, const char *left_out)
{
    name_list theirs, ours;
    static char translated[MAX_ENTRIES][256];
    char *line[MAX_ENTRIES];
    int count = 0;
    read_list(&theirs, foreign);
    read_list(&ours, arch);
    for (int i = 0; i < theirs.count; i++) {
        char name[256], *dims = strchr(theirs.line[i], ' ');
        int length = dims ? (int)(dims - theirs.line[i]) : (int)strlen(theirs.line[i]);
        snprintf(name, sizeof name, "module.%.*s", length, theirs.line[i]);
        import_translate(translated[count], sizeof translated[count], architecture_find(arch), name);
        strcat(translated[count], dims ? dims : "");
        if (strncmp(translated[count], left_out, strlen(left_out)) != 0) {
            line[count] = translated[count];
            count++;
        }
    }
    assert_int_equal(count, ours.count);
    qsort(line, (size_t)count, sizeof line[0], by_text);
    qsort(ours.line, (size_t)count, sizeof line[0], by_text);
    for (int i = 0; i < count; i++)
        assert_string_equal(line[i], ours.line[i]);
    mem_free(theirs.text);
    mem_free(ours.text);
}

static void import__timm_names__are_ours(void **state)
{
    (void)state;
    assert_same_tensors("timm_resnet50", "resnet50", "-");
    assert_same_tensors("timm_efficientnet_b0", "efficientnet_b0", "-");
    assert_same_tensors("timm_efficientnet_lite0", "efficientnet_lite0", "-");
    assert_same_tensors("timm_vit_base_patch16_224", "vit_b_16", "-");
    assert_same_tensors("timm_inception_v3", "inception_v3", "AuxLogits.");
}

static void import__our_names__stay(void **state)
{
    (void)state;
    for (int i = 0; architecture_at(i); i++)
        assert_same_tensors(architecture_at(i)->name, architecture_at(i)->name, "-");
}

static void import__names__are_translated(void **state)
{
    (void)state;
    static const struct {
        const char *arch, *from, *to;
    } cases[] = {
        {"vit_b_16", "encoder.layers.encoder_layer_11.mlp.linear_1.weight",
         "encoder.layers.encoder_layer_11.mlp.0.weight"},
        {"vit_b_16", "encoder.layers.encoder_layer_0.mlp.linear_2.bias", "encoder.layers.encoder_layer_0.mlp.3.bias"},
        {"vit_b_16", "blocks.10.attn.qkv.bias", "encoder.layers.encoder_layer_10.self_attention.in_proj_bias"},
        {"vit_b_16", "blocks.x.attn.qkv.bias", "blocks.x.attn.qkv.bias"},
        {"vit_b_16", "blocks.1234.norm1.bias", "blocks.1234.norm1.bias"},
        {"vit_b_16", "blocks.", "blocks."},
        {"resnet50", "module.backbone._orig_mod.layer1.0.conv1.weight", "layer1.0.conv1.weight"},
        {"resnet50", "model.module.fc.bias", "fc.bias"},
        {"resnet50", "net._model.conv1.weight", "conv1.weight"},
        {"resnet50", "student.encoder.bn1.bias", "bn1.bias"},
        {"resnet50", "network.fc.bias", "network.fc.bias"},
        {"vit_b_16", "encoder.encoder.layers.encoder_layer_0.ln_1.bias", "encoder.layers.encoder_layer_0.ln_1.bias"},
        {"vit_b_16", "encoder.encoder.pos_embedding", "encoder.pos_embedding"},
        {"vit_b_16", "encoder.pos_embed", "encoder.pos_embedding"},
        {"vit_b_16", "encoder.class_token", "class_token"},
        {"vit_b_16", "encoder.ln.weight", "encoder.ln.weight"},
        {"vit_b_16", "vit.encoder.layer.3.attention.attention.key.bias",
         "1:encoder.layers.encoder_layer_3.self_attention.in_proj_bias"},
        {"vit_b_16", "vit.embeddings.position_embeddings", "encoder.pos_embedding"},
        {"vit_b_16", "vit.layernorm.bias", "encoder.ln.bias"},
        {"vit_b_16", "classifier.weight", "heads.head.weight"},
        {"vit_b_16", "encoder.blocks.0.norm1.bias", "encoder.layers.encoder_layer_0.ln_1.bias"},
        {"resnet50", "modular.fc.bias", "modular.fc.bias"},
        {"efficientnet_b0", "blocks.6.0.conv_pwl.weight", "features.7.0.block.3.0.weight"},
        {"efficientnet_b0", "blocks.0.0.bn2.running_mean", "features.1.0.block.2.1.running_mean"},
        {"efficientnet_b0", "bn2.running_mean", "features.8.1.running_mean"},
        {"efficientnet_b0", "", ""},
        {"efficientnet_lite0", "_conv_stem.weight", "conv_stem.weight"},
        {"efficientnet_lite0", "_bn0.bias", "bn1.bias"},
        {"efficientnet_lite0", "_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"},
        {"efficientnet_lite0", "_blocks.0._bn2.running_var", "blocks.0.0.bn2.running_var"},
        {"efficientnet_lite0", "_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"},
        {"efficientnet_lite0", "_blocks.10._bn0.weight", "blocks.4.2.bn1.weight"},
        {"efficientnet_lite0", "_blocks.15._depthwise_conv.weight", "blocks.6.0.conv_dw.weight"},
        {"efficientnet_lite0", "module._blocks.14._bn2.bias", "blocks.5.3.bn3.bias"},
        {"efficientnet_lite0", "_bn1.running_mean", "bn2.running_mean"},
        {"efficientnet_lite0", "_fc.weight", "classifier.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char got[128];
        import_translate(got, sizeof got, architecture_find(cases[i].arch), cases[i].from);
        assert_string_equal(got, cases[i].to);
    }
}

static void import__names_of_architectures__are_known(void **state)
{
    (void)state;
    char known[256];
    for (int i = 0; import_name_at(i); i++) {
        assert_ptr_equal(import_name_find(import_name_at(i)->name), import_name_at(i));
        assert_non_null(architecture_find(import_name_at(i)->arch));
    }
    for (int i = 0; architecture_at(i); i++)
        assert_non_null(import_name_find(architecture_at(i)->name));
    assert_null(import_name_find("resnet18"));
    import_names(known, sizeof known);
    assert_non_null(strstr(known, "tf_efficientnet_b0"));
    assert_non_null(strstr(known, " or "));
}

/* --- heads -------------------------------------------------------------------------------------------------------- */

enum { HEAD_TENSORS = 6, FEATURES = 1280 }; /* of EfficientNet-B0 */
typedef struct {
    const char *name;
    int64_t rows, columns; /* columns 0: one dimension */
} head_tensor;

/* A renamed file of these tensors, and one that is no part of the head. */
static tensor_file *head_file(const head_tensor *tensors, const char *const *ignored, int ignored_count)
{
    static float zeros[1000 * FEATURES];
    st_tensor all[HEAD_TENSORS + 1] = {{.name = "features.0.1.bias", .dtype = ST_F32, .rank = 1, .dims = {0}}};
    size_t count = 1;
    tensor_file *f = NULL;
    for (; tensors->name; tensors++) {
        const size_t elements = (size_t)(tensors->rows * (tensors->columns ? tensors->columns : 1));
        all[count++] = (st_tensor){.name = tensors->name,
                                   .dtype = ST_F32,
                                   .rank = tensors->columns ? 2 : 1,
                                   .dims = {tensors->rows, tensors->columns},
                                   .data = zeros,
                                   .bytes = elements * sizeof(float)};
    }
    assert_ok(st_write("head.safetensors", all, count, NULL, 0));
    assert_ok(tensor_file_open(&f, "head.safetensors"));
    assert_ok(import_rename(f, &(import_naming){.arch = architecture_find("efficientnet_b0"),
                                                .ignored = ignored,
                                                .ignored_count = ignored_count}));
    return f;
}

static void import__head__is_the_one_linear_whatever_its_number(void **state)
{
    (void)state;
    static const struct {
        head_tensor tensors[HEAD_TENSORS];
        const char *fault; /* NULL: none */
        int64_t classes;   /* 0: no head */
    } cases[] = {
        {{{"classifier.1.weight", 6, FEATURES}, {"classifier.1.bias", 6, 0}}, NULL, 6},
        {{{"module.classifier.0.weight", 8, FEATURES}, {"module.classifier.0.bias", 8, 0}}, NULL, 8},
        {{{"classifier.weight", 1000, FEATURES}, {"classifier.bias", 1000, 0}}, NULL, 1000},
        {{{"classifier.dropout.linear.weight", 6, FEATURES}}, NULL, 6},
        {{{NULL}}, NULL, 0},
        {{{"classifier.0.weight", 512, FEATURES},
          {"classifier.0.bias", 512, 0},
          {"classifier.3.weight", 6, 512},
          {"classifier.3.bias", 6, 0}},
         "classifier.0.weight [512, 1280] and classifier.3.weight [6, 512] are two",
         0},
        {{{"classifier.expr.weight", 8, FEATURES}, {"classifier.va.weight", 2, FEATURES}},
         "classifier.expr.weight [8, 1280] and classifier.va.weight [2, 1280] are two",
         0},
        {{{"classifier.1.weight", 6, 512}}, "classifier.1.weight is [6, 512]", 0},
        {{{"classifier.1.weight", 0, FEATURES}}, "classifier.1.weight is [0, 1280]", 0},
        {{{"classifier.0.weight", FEATURES, 0},
          {"classifier.0.bias", FEATURES, 0},
          {"classifier.1.weight", 6, FEATURES}},
         "is no part of a Linear layer",
         0},
        {{{"classifier.1.weight", 6, FEATURES}, {"classifier.1.bias", 7, 0}}, "classifier.1.bias is no part of", 0},
        {{{"classifier.1.bias", 6, 0}}, "classifier.1.bias is no part of a Linear layer", 0},
    };
    const architecture *arch = architecture_find("efficientnet_b0");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tensor_file *f = head_file(cases[i].tensors, NULL, 0);
        const import_head head = import_find_head(f, arch);
        assert_true(head.is_one == (cases[i].classes > 0));
        if (head.is_one)
            assert_int_equal(head.linear->dims[0], cases[i].classes);
        if (cases[i].fault)
            assert_failure(import_check_head(&head, arch, "x.pth"), MIEN_ERR_FORMAT, cases[i].fault);
        else
            assert_ok(import_check_head(&head, arch, "x.pth"));
        if (cases[i].fault)
            assert_non_null(
                strstr(mien_error(), " (wanted one Linear of 1280 features, or none, as with --ignore classifier.)"));
        tensor_file_close(f);
    }
}

static void import__ignored__are_out_of_the_way(void **state)
{
    (void)state;
    static const head_tensor tensors[] = {{"module.classifier.expr.weight", 8, FEATURES},
                                          {"module.classifier.va.weight", 2, FEATURES},
                                          {"classifier.expr.weight", 3, FEATURES}, /* would be the first one's name */
                                          {NULL, 0, 0}};
    static const char *const ignored[] = {"classifier.va.", "module.classifier.expr."};
    const architecture *arch = architecture_find("efficientnet_b0");
    tensor_file *f = head_file(tensors, ignored, 2);
    const import_head head = import_find_head(f, arch);
    assert_true(head.is_one && head.linear->dims[0] == 3);
    assert_non_null(tensor_file_find(f, IMPORT_IGNORED "module.classifier.va.weight"));
    assert_true(import_is_ignored(arch, "classifier.va.", "module.classifier.va.weight"));
    assert_true(import_is_ignored(arch, "module.", "module.classifier.va.weight"));
    assert_false(import_is_ignored(arch, "va.", "module.classifier.va.weight"));
    tensor_file_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import__timm_names__are_ours),
        cmocka_unit_test(import__our_names__stay),
        cmocka_unit_test(import__names__are_translated),
        cmocka_unit_test(import__names_of_architectures__are_known),
        cmocka_unit_test(import__head__is_the_one_linear_whatever_its_number),
        cmocka_unit_test(import__ignored__are_out_of_the_way),
    };
    return cmocka_run_group_tests_name("nn/import", tests, temp_folder_enter, temp_folder_leave);
}
