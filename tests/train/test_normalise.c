/* What pictures are normalised by where the recipe says `data.normalise: init`. */
#include "testing.h"

#include "format/safetensors.h"
#include "train/normalise.h"

/* path "": no file. */
static mien_status normalise(float mean[3], float std[3], const char *arch, const char *path)
{
    tensor_file *f = NULL;
    if (path[0])
        assert_ok(tensor_file_open(&f, path));
    mien_status st = normalise_of_init(mean, std, architecture_find(arch), f, path);
    tensor_file_close(f);
    return st;
}

static void check(const char *arch, const char *path, const float wanted_mean[3], const float wanted_std[3])
{
    float mean[3], std[3];
    assert_ok(normalise(mean, std, arch, path));
    assert_memory_equal(mean, wanted_mean, sizeof mean);
    assert_memory_equal(std, wanted_std, sizeof std);
}

static void write_file(const char *path, const char *metadata)
{
    const float one = 1;
    const st_tensor t = {.name = "w", .dtype = ST_F32, .rank = 1, .dims = {1}, .data = &one, .bytes = sizeof one};
    assert_ok(st_write(path, &t, 1, &(st_metadata){"mien", metadata}, metadata ? 1 : 0));
}

static void normalise__init__is_the_files_or_the_architectures(void **state)
{
    (void)state;
    static const float imagenet_mean[3] = {0.485f, 0.456f, 0.406f}, imagenet_std[3] = {0.229f, 0.224f, 0.225f},
                       half[3] = {0.5f, 0.5f, 0.5f}, own_mean[3] = {0.25f, 0.5f, 0.75f},
                       own_std[3] = {0.125f, 0.25f, 0.5f};
    char folder[64], path[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    write_file(path, NULL); /* a published file says nothing */
    check("resnet50", path, imagenet_mean, imagenet_std);
    check("googlenet", path, half, half);
    check("inception_v3", path, half, half);
    check("inception_v3", "", half, half);
    write_file(path, "{\"mean\": [0.25, 0.5, 0.75], \"std\": [0.125, 0.25, 0.5]}");
    check("googlenet", path, own_mean, own_std);
    write_file(path, "{\"mean\": [0.25, 0.5], \"std\": [0.125, 0.25, 0.5]}");
    float mean[3], std[3];
    assert_failure(normalise(mean, std, "googlenet", path), MIEN_ERR_FORMAT,
                   "weights.safetensors: mean: not three numbers");
    temp_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(normalise__init__is_the_files_or_the_architectures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
