/* mien_info: a model, a run or any file of tensors, told as JSON. */
#include "api/api.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "format/tensor_file.h"
#include "nn/import.h"
#include "nn/model.h"
#include "train/run.h"

#include <string.h>

/* [{"name", "dtype", "shape"}], and the number of elements. */
static json_t *tensor_list(const tensor_file *f, int64_t *out_elements)
{
    json_t *list = json_array();
    *out_elements = 0;
    for (size_t i = 0; i < tensor_file_count(f); i++) {
        const st_tensor *t = tensor_file_at(f, i);
        json_t *dims = json_array();
        for (int d = 0; d < t->rank; d++)
            json_array_append_new(dims, json_integer(t->dims[d]));
        if (__builtin_add_overflow(*out_elements, (int64_t)(t->bytes / st_dtype_bytes(t->dtype)), out_elements))
            *out_elements = INT64_MAX; /* views may show the same numbers many times */
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o}", "name", t->name, "dtype", st_dtype_name(t->dtype), "shape", dims));
    }
    return list;
}

/* A metadata value that is JSON itself is shown as such, and of one that is beyond all measure its length. */
static json_t *metadata_object(const tensor_file *f)
{
    json_t *object = json_object();
    for (size_t i = 0; i < tensor_file_meta_count(f); i++) {
        st_metadata m = tensor_file_meta_at(f, i);
        size_t length = strlen(m.value);
        bool is_long = length > JSON_MAX_BYTES;
        json_t *value = is_long ? json_sprintf("%zu bytes", length) : json_loads(m.value, JSON_REJECT_DUPLICATES, NULL);
        json_object_set_new(object, m.key, value ? value : json_string(m.value));
    }
    return object;
}

/* What architecture the tensors are of, and what `mien import --arch` may call it; null where it is none of ours. */
static mien_status describe_guess(json_t **out, tensor_file *f)
{
    import_guess guess;
    const import_name *name;
    TRY(import_recognise(&guess, f));
    if (!guess.arch) {
        *out = json_null();
        return MIEN_OK;
    }
    json_t *names = json_array();
    for (int i = 0; (name = import_name_at(i)); i++)
        if (!strcmp(name->arch, guess.arch->name))
            json_array_append_new(names, json_string(name->name));
    *out = json_pack("{s:s, s:i, s:o}", "arch", guess.arch->name, "classes", guess.classes, "import_as", names);
    return json_check(*out);
}

/* Any well-formed file: its metadata and tensors. */
static mien_status describe_tensors(json_t **out, tensor_file *f, const char *path)
{
    int64_t elements = 0;
    json_t *guess = NULL, *tensors = tensor_list(f, &elements); /* under the names that the file has */
    mien_status st = describe_guess(&guess, f);
    if (st != MIEN_OK) {
        json_decref(tensors);
        return st;
    }
    *out = json_pack("{s:s, s:s, s:o, s:I, s:o, s:o}", "kind", tensor_file_format(f), "path", path, "architecture",
                     guess, "elements", (json_int_t)elements, "metadata", metadata_object(f), "tensors", tensors);
    return json_check(*out);
}

/* A file of ours: what its metadata says, once it has been loaded, which checks it. */
static mien_status describe_model(json_t **out, const char *path, const char *metadata)
{
    mien_status st = MIEN_OK;
    model *m = NULL;
    json_t *about = NULL;
    TRY(model_load(&m, path));
    TRY_OUT(json_parse(&about, metadata, strlen(metadata), path));
    *out = json_pack("{s:s, s:s, s:I, s:O}", "kind", "model", "path", path, "parameters",
                     (json_int_t)param_store_parameter_count(model_params(m)), "model", about);
    st = json_check(*out);
out:
    json_decref(about);
    model_free(m);
    return st;
}

/* {"model", "path", "is_last", "metrics"} of one finished stage. */
static mien_status describe_stage(json_t **out, const run_model *stage)
{
    mien_status st = MIEN_OK;
    st_file *f = NULL;
    json_t *about = NULL;
    char name[sizeof stage->name + sizeof stage->stage + 1];
    snprintf(name, sizeof name, "%s-%s", stage->name, stage->stage);
    TRY(st_open(&f, stage->path));
    const char *metadata = st_meta(f, "mien");
    if (metadata)
        TRY_OUT(json_parse(&about, metadata, strlen(metadata), stage->path));
    json_t *metrics = json_object_get(about, "metrics");
    *out = json_pack("{s:s, s:s, s:b, s:O?}", "model", name, "path", stage->path, "is_last", (int)stage->is_last,
                     "metrics", metrics);
    st = json_check(*out);
out:
    json_decref(about);
    st_close(f);
    return st;
}

static mien_status describe_run(json_t **out, const char *path)
{
    mien_status st = MIEN_OK;
    run_model *stages = NULL;
    int count = 0;
    json_t *members = json_array(), *scores = json_array();
    TRY_OUT(run_models(&stages, &count, path));
    for (int i = 0; stages[0].task->shown[i]; i++)
        json_array_append_new(scores, json_string(stages[0].task->shown[i]));
    for (int i = 0; i < count; i++) {
        json_t *member = NULL;
        TRY_OUT(describe_stage(&member, &stages[i]));
        json_array_append_new(members, member);
    }
    *out = json_pack("{s:s, s:s, s:O, s:O}", "kind", "run", "path", path, "scores", scores, "members", members);
    st = json_check(*out);
out:
    json_decref(members);
    json_decref(scores);
    mem_free(stages);
    return st;
}

mien_status mien_info(char **out, const char *path)
{
    TRY(api_need(out, "mien_info", "out"));
    TRY(api_need(path, "mien_info", "path"));
    mien_status st = MIEN_OK;
    json_t *info = NULL;
    tensor_file *f = NULL;
    if (run_is_folder(path)) {
        TRY_OUT(describe_run(&info, path));
    } else {
        TRY_OUT(tensor_file_open(&f, path));
        const char *metadata = tensor_file_meta(f, "mien");
        if (tensor_file_choice(f))
            log_notice("%s: %s", path, tensor_file_choice(f));
        TRY_OUT(metadata ? describe_model(&info, path, metadata) : describe_tensors(&info, f, path));
    }
    TRY_OUT(json_print(out, info));
out:
    json_decref(info);
    tensor_file_close(f);
    return st;
}
