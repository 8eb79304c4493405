/* Weights are relative in what is read, and sum to 1 in what is given out. */
#include "format/ensemble_file.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1, MAX_BYTES = 1 << 20, WHERE_BYTES = 1200 };
static const char version_key[] = "mien_ensemble";

bool ensemble_file_is(const char *path)
{
    return str_ends(path, ".json");
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static mien_status read_path(char **out, const char *file, const char *model)
{
    const size_t folder = (size_t)(file_base_name(file) - file);
    str text = {0};
    mien_status st = model[0] == '/' ? str_append(&text, model) : str_printf(&text, "%.*s%s", (int)folder, file, model);
    if (st == MIEN_OK)
        *out = text.text;
    else
        str_free(&text);
    return st;
}

static mien_status read_member(ensemble_file_member *out, const json_t *root, const char *file, const char *where)
{
    const char *model;
    TRY(json_get_string(&model, root, "model", where));
    TRY(json_get_number(&out->weight, root, "weight", where));
    if (!model[0])
        return mien_fail(MIEN_ERR_FORMAT, "%s: model: empty (wanted a path)", where);
    if (!(out->weight > 0) || !isfinite(out->weight))
        return mien_fail(MIEN_ERR_FORMAT, "%s: weight: %g (wanted above 0)", where, out->weight);
    return read_path(&out->path, file, model);
}

static mien_status read_members(ensemble_file *out, const json_t *root, const char *path)
{
    json_t *array;
    int64_t version;
    double sum = 0;
    char where[WHERE_BYTES];
    TRY(json_get_int(&version, root, version_key, path));
    if (version != VERSION)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %s: version %lld (wanted %d)", path, version_key,
                         (long long)version, VERSION);
    TRY(json_get_array(&array, root, "members", path));
    const size_t count = json_array_size(array);
    if (count < 1 || count > ENSEMBLE_FILE_MAX_MEMBERS)
        return mien_fail(MIEN_ERR_FORMAT, "%s: members: %zu (wanted 1 to %d)", path, count, ENSEMBLE_FILE_MAX_MEMBERS);
    TRY(mem_zalloc(&out->members, count));
    for (; out->count < (int)count; out->count++) {
        snprintf(where, sizeof where, "%.1000s: members: entry %d", path, out->count + 1);
        TRY(read_member(&out->members[out->count], json_array_get(array, (size_t)out->count), path, where));
        sum += out->members[out->count].weight;
    }
    if (!isfinite(sum))
        return mien_fail(MIEN_ERR_FORMAT, "%s: members: weights: their sum is not finite", path);
    for (int i = 0; i < out->count; i++)
        out->members[i].weight /= sum;
    return MIEN_OK;
}

mien_status ensemble_file_read_bytes(ensemble_file *out, const char *bytes, size_t length, const char *path)
{
    json_t *root = NULL;
    ensemble_file f = {0};
    mien_status st = json_parse(&root, bytes, length, path);
    if (st == MIEN_OK)
        st = read_members(&f, root, path);
    json_decref(root);
    if (st != MIEN_OK) {
        ensemble_file_free(&f);
        return st;
    }
    *out = f;
    return MIEN_OK;
}

mien_status ensemble_file_read(ensemble_file *out, const char *path)
{
    char *text;
    size_t length;
    TRY(file_read(&text, &length, path, MAX_BYTES));
    mien_status st = ensemble_file_read_bytes(out, text, length, path);
    mem_free(text);
    return st;
}

void ensemble_file_free(ensemble_file *f)
{
    for (int i = 0; i < f->count; i++)
        mem_free(f->members[i].path);
    mem_free(f->members);
    *f = (ensemble_file){0};
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

mien_status ensemble_file_write(const char *path, const char *const *models, const double *weights, int count,
                                json_t *about)
{
    char *text = NULL;
    json_t *root = json_pack("{s:i}", version_key, VERSION), *members = json_array();
    for (int i = 0; i < count; i++)
        if (weights[i] > 0)
            json_array_append_new(members, json_pack("{s:s, s:f}", "model", models[i], "weight", weights[i]));
    json_object_update(root, about);
    json_object_set_new(root, "members", members);
    json_decref(about);
    mien_status st = json_check(root);
    if (st == MIEN_OK)
        st = json_print(&text, root);
    if (st == MIEN_OK)
        st = file_write_all(path, text, strlen(text));
    mem_free(text);
    json_decref(root);
    return st;
}
