/* Statistics are part of what weights mean: they come from the file that a model begins with where it says them, else
 * from the architecture's own. */
#include "train/normalise.h"

#include "base/json.h"
#include "data/loader.h"

#include <string.h>

mien_status normalise_of_run(float mean[3], float std[3], const recipe *r, const run_sets *sets, int loader_threads,
                             progress *p)
{
    if (r->data.normalise == NORMALISE_DATASET)
        return dataset_statistics(mean, std, &sets->train, loader_threads, r->data.max_bad_share, p);
    bool is_given = r->data.normalise == NORMALISE_GIVEN;
    for (int c = 0; c < 3; c++) {
        mean[c] = is_given ? r->data.mean[c] : 0;
        std[c] = is_given ? r->data.std[c] : 1;
    }
    return MIEN_OK;
}

static mien_status read_triple(float dst[3], const json_t *root, const char *key, const char *path)
{
    json_t *array;
    TRY(json_get_array(&array, root, key, path));
    for (size_t i = 0; i < 3; i++) {
        const json_t *x = json_array_get(array, i);
        if (json_array_size(array) != 3 || !json_is_number(x))
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not three numbers", path, key);
        dst[i] = (float)json_number_value(x);
    }
    return MIEN_OK;
}

mien_status normalise_of_init(float mean[3], float std[3], const architecture *arch, const tensor_file *f,
                              const char *path)
{
    json_t *root = NULL;
    mien_status st;
    const char *text = f ? tensor_file_meta(f, "mien") : NULL;
    memcpy(mean, arch->mean, sizeof arch->mean);
    memcpy(std, arch->std, sizeof arch->std);
    if (!text)
        return MIEN_OK;
    TRY_OUT(json_parse(&root, text, strlen(text), path));
    TRY_OUT(read_triple(mean, root, "mean", path));
    TRY_OUT(read_triple(std, root, "std", path));
out:
    json_decref(root);
    return st;
}
