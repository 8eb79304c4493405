/* A set's folder remembers the scene and the options that decide its bytes, and goes on only with the same ones.
 * Nothing is ever removed that we did not write: names are matched, folders are not emptied. */
#include "synth/set/set_folder.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "synth/set/plan.h"
#include "synth/set/scene.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SET_VERSION 3
#define RECORD "synth.json"
#define SCENE "scene.yaml"
#define MAX_RECORD_BYTES 65536

/* A number that differs where the face models do, of what is drawn from them; going on from h. */
static uint64_t face_sum(uint64_t h, const face_model *face)
{
    const struct {
        const void *data;
        size_t bytes;
    } parts[] = {
        {face->neutral, (size_t)face->vertex_count * sizeof(vec3)},
        {face->identity.deltas, face->identity.offsets[face->identity.count] * sizeof(vec3)},
        {face->expression.deltas, face->expression.offsets[face->expression.count] * sizeof(vec3)},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        h = hash_bytes(h, parts[i].data, parts[i].bytes);
    return h;
}

/* The options that decide a set's bytes; neither threads nor the folder's name are among them. */
static mien_status record_make(json_t **out, const synth_options *o, const head *h)
{
    char sum[20], seed[24], share[24];
    uint64_t all = HASH_BEGIN;
    mien_status st;
    str sources = {0};
    for (; h; h = h->next) {
        all = face_sum(all, h->face);
        TRY_OUT(str_printf(&sources, "%s%s", sources.length ? " + " : "", h->face->source));
    }
    snprintf(sum, sizeof sum, "%016" PRIx64, all);
    snprintf(share, sizeof share, "%g", (double)o->face_share);
    snprintf(seed, sizeof seed, "%" PRIu64, o->seed);
    *out =
        json_pack("{s:i, s:s, s:I, s:I, s:I, s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:s}", "version", SET_VERSION, "task",
                  synth_task_name((int)o->task), "clip", o->clip, "crowd", o->crowd, "count", (json_int_t)o->count,
                  "identities", (json_int_t)o->identities, "first_identity", (json_int_t)o->first_identity, "size",
                  o->size, "missing", o->missing == SYNTH_COMPLETE ? "none" : "aff-wild2", "seed", seed, "face",
                  sources.text, "face_sum", sum, "face_share", share);
    st = json_check(*out);
out:
    str_free(&sources);
    return st;
}

mien_status set_fingerprint(uint64_t *out, const synth_options *options, const head *h)
{
    mien_status st;
    json_t *record = NULL;
    char *text = NULL;
    str scene_text = {0};
    TRY_OUT(record_make(&record, options, h));
    TRY_OUT(json_print(&text, record));
    TRY_OUT(scene_print(options->scene, &scene_text));
    *out = hash_bytes(hash_bytes(HASH_BEGIN, text, strlen(text)), scene_text.text, scene_text.length) | 1;
out:
    json_decref(record);
    mem_free(text);
    str_free(&scene_text);
    return st;
}

/* Resuming needs the same options; the first that differs is named. */
static mien_status record_compare(const char *path, const json_t *wanted)
{
    char *text = NULL, *found_text = NULL, *wanted_text = NULL;
    size_t length;
    json_t *found = NULL;
    mien_status st;
    TRY_OUT(file_read(&text, &length, path, MAX_RECORD_BYTES));
    TRY_OUT(json_parse(&found, text, length, path));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)wanted, key, value)
    {
        const json_t *other = json_object_get(found, key);
        if (other && json_equal(value, other))
            continue;
        if (other)
            TRY_OUT(json_print(&found_text, other));
        TRY_OUT(json_print(&wanted_text, value));
        st = mien_fail(MIEN_ERR_IO, "%s: %s: the set was begun with %s (now %s)", path, key,
                       other ? found_text : "none", wanted_text);
        goto out;
    }
out:
    mem_free(text);
    mem_free(found_text);
    mem_free(wanted_text);
    json_decref(found);
    return st;
}

/* Resuming needs the same scene, too. Where there is none, nothing was drawn yet. */
static mien_status scene_compare(const char *path, const synth_options *o)
{
    scene *found;
    char difference[256];
    if (!file_exists(path))
        return MIEN_OK;
    TRY(scene_load(&found, path, o->task));
    mien_status st = MIEN_OK;
    if (scene_difference(o->scene, found, difference, sizeof difference))
        st = mien_fail(MIEN_ERR_IO, "%s: the set was begun with %s", path, difference);
    scene_free(found);
    return st;
}

/* "000123.jpg" or what was being written to become it. */
static bool is_face_name(const char *name)
{
    size_t digits = 0;
    while (isdigit((unsigned char)name[digits]))
        digits++;
    return digits >= 6 && (strcmp(name + digits, ".jpg") == 0 || strcmp(name + digits, ".jpg.part") == 0);
}

static mien_status remove_file(const char *folder, const char *name)
{
    char *path;
    TRY(file_join(&path, folder, name));
    mien_status st = MIEN_OK;
    if (unlink(path) != 0 && errno != ENOENT)
        st = mien_fail(MIEN_ERR_IO, "%s: %s", path, strerror(errno));
    mem_free(path);
    return st;
}

static mien_status remove_faces(const char *folder)
{
    char **names;
    size_t count;
    if (!file_is_folder(folder))
        return MIEN_OK;
    TRY(file_list(&names, &count, folder));
    mien_status st = MIEN_OK;
    for (size_t i = 0; i < count && st == MIEN_OK; i++)
        if (is_face_name(names[i]))
            st = remove_file(folder, names[i]);
    file_list_free(names, count);
    return st;
}

/* "ANGER", "000012" or "clip_000001" */
static bool is_set_folder(const char *name)
{
    char folder[SYNTH_FOLDER_BYTES];
    for (int i = 0; i < synth_class_folders(SYNTH_LSD); i++) {
        synth_class_folder(folder, SYNTH_LSD, i);
        if (strcmp(name, folder) == 0)
            return true;
    }
    const char *digits = str_starts(name, "clip_") ? name + 5 : name;
    return strlen(digits) >= 6 && strspn(digits, "0123456789") == strlen(digits);
}

/* The faces of any task go, since the set that is replaced may be another's, and its folders where they are left empty.
 */
static mien_status remove_set(const char *out, char **names, size_t count)
{
    static const char *const tables[] = {"labels.csv", "landmarks.csv", "labels.csv.part", "landmarks.csv.part"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        TRY(remove_file(out, tables[i]));
    TRY(remove_faces(out));
    for (size_t i = 0; i < count; i++) {
        if (!is_set_folder(names[i]))
            continue;
        char *path;
        TRY(file_join(&path, out, names[i]));
        mien_status st = remove_faces(path);
        if (st == MIEN_OK)
            rmdir(path); /* which refuses where anything else is inside */
        mem_free(path);
        TRY(st);
    }
    TRY(remove_file(out, SCENE));
    return remove_file(out, RECORD);
}

static bool holds_anything(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!file_is_litter(names[i]))
            return true;
    return false;
}

/* Is there nothing yet but what a run writes before its record? */
static bool is_beginning(char **names, size_t count)
{
    static const char *const first[] = {SCENE, SCENE ".part", RECORD ".part"};
    for (size_t i = 0; i < count; i++) {
        bool is_ours = file_is_litter(names[i]);
        for (size_t k = 0; k < sizeof first / sizeof *first; k++)
            is_ours |= strcmp(names[i], first[k]) == 0;
        if (!is_ours)
            return false;
    }
    return true;
}

mien_status set_folder_prepare(const synth_options *options, const head *h)
{
    mien_status st;
    char *record = NULL, *scene_path = NULL, *text = NULL, **names = NULL;
    size_t count = 0;
    str scene_text = {0};
    json_t *wanted = NULL;
    TRY_OUT(record_make(&wanted, options, h));
    TRY_OUT(file_join(&record, options->out, RECORD));
    TRY_OUT(file_join(&scene_path, options->out, SCENE));
    TRY_OUT(file_make_folders(options->out));
    TRY_OUT(file_list(&names, &count, options->out));
    bool is_used = holds_anything(names, count);
    if (is_used && options->force) {
        TRY_OUT(remove_set(options->out, names, count));
    } else if (is_used && options->resume) {
        if (file_exists(record)) {
            TRY_OUT(record_compare(record, wanted));
        } else if (!is_beginning(names, count)) {
            st = mien_fail(MIEN_ERR_IO, "%s: no " RECORD " inside: not a set that can be resumed", options->out);
            goto out;
        }
        TRY_OUT(scene_compare(scene_path, options));
    } else if (is_used) {
        st = mien_fail(MIEN_ERR_IO, "%s: not empty (wanted an empty folder, --resume or --force)", options->out);
        goto out;
    }
    TRY_OUT(scene_print(options->scene, &scene_text));
    TRY_OUT(file_write_all(scene_path, scene_text.text, scene_text.length));
    TRY_OUT(json_print(&text, wanted));
    TRY_OUT(file_write_all(record, text, strlen(text)));
out:
    file_list_free(names, count);
    mem_free(record);
    mem_free(scene_path);
    mem_free(text);
    str_free(&scene_text);
    json_decref(wanted);
    return st;
}
