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
        {"resnet50", "modular.fc.bias", "modular.fc.bias"},
        {"efficientnet_b0", "blocks.6.0.conv_pwl.weight", "features.7.0.block.3.0.weight"},
        {"efficientnet_b0", "blocks.0.0.bn2.running_mean", "features.1.0.block.2.1.running_mean"},
        {"efficientnet_b0", "bn2.running_mean", "features.8.1.running_mean"},
        {"efficientnet_b0", "", ""},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(import__timm_names__are_ours),
        cmocka_unit_test(import__our_names__stay),
        cmocka_unit_test(import__names__are_translated),
        cmocka_unit_test(import__names_of_architectures__are_known),
    };
    return cmocka_run_group_tests_name("nn/import", tests, NULL, NULL);
}
