/* A folder per class. Subfolders inside a class are descended (walk.h), since faces often lie in one per video or
 * person; names are then "ANGER/video/1.jpg". Content, not names, decides what is a picture, so any file there that is
 * none is a bad picture, told when it is read. */
#include "data/dataset_int.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/label.h"
#include "data/walk.h"

#include <stdlib.h>
#include <string.h>

/* For "%.*s": a folder's name without its closing slash. */
static int bare(const char *folder)
{
    size_t length = strlen(folder);
    return (int)(length > 1 && folder[length - 1] == '/' ? length - 1 : length);
}

/* The files of one class folder, on their way into the set. */
typedef struct {
    label_list *list;
    size_t name_from; /* where names relative to the class folder begin in a path */
    int label;
} class_files;

static mien_status add_file(void *payload, const char *path)
{
    const class_files *c = payload;
    const char *name = path + c->name_from;
    return list_add(c->list, name, strlen(name), c->label, 0);
}

static mien_status count_file(void *payload, const char *path)
{
    (void)path;
    ++*(int64_t *)payload;
    return MIEN_OK;
}

static int by_name(const void *a, const void *b, void *names)
{
    return str_compare_natural((const char *)names + *(const size_t *)a, (const char *)names + *(const size_t *)b);
}

/* Adds the class's pictures in natural order; only name_at needs sorting, their label and line are equal. */
static mien_status add_class(dataset *d, const char *path, int label)
{
    str folder = {0};
    int64_t first = d->list.count;
    mien_status st;
    TRY_OUT(str_printf(&folder, "%s%s", path, d->folders[label]));
    class_files files = {&d->list, folder.length, label};
    TRY_OUT(walk_files(folder.text, add_file, &files));
    if (d->list.count == first)
        st = mien_fail(MIEN_ERR_FORMAT, "%.*s: empty class folder (wanted pictures)", bare(folder.text), folder.text);
    else
        qsort_r(d->list.name_at + first, (size_t)(d->list.count - first), sizeof(size_t), by_name, d->list.names);
out:
    str_free(&folder);
    return st;
}

/* A folder that is no class. */
static mien_status add_other(dataset *d, const char *path, const char *name)
{
    str folder = {0};
    int64_t files = 0;
    mien_status st = str_printf(&folder, "%s%s", path, name);
    if (st == MIEN_OK && d->is_strict)
        st = dataset_refuse_ignored(d, folder.text);
    if (st == MIEN_OK)
        st = walk_files(folder.text, count_file, &files);
    if (st == MIEN_OK)
        st = dataset_ignore(d, name, files);
    str_free(&folder);
    return st;
}

/* The folders at the top, in natural order. */
typedef struct {
    char **names;
    size_t count;
} folder_names;

static mien_status list_folders(folder_names *out, const char *path)
{
    char **names;
    size_t count, kept = 0;
    TRY(file_list(&names, &count, path));
    mien_status st = MIEN_OK;
    for (size_t i = 0; i < count; i++) {
        str full = {0};
        if (st == MIEN_OK)
            st = str_printf(&full, "%s%s", path, names[i]);
        if (st == MIEN_OK && !file_is_litter(names[i]) && file_is_folder(full.text))
            names[kept++] = names[i];
        else
            mem_free(names[i]);
        str_free(&full);
    }
    if (st != MIEN_OK) {
        file_list_free(names, kept);
        return st;
    }
    *out = (folder_names){names, kept};
    return MIEN_OK;
}

static const char *find_folder(const folder_names *folders, const char *name)
{
    for (size_t i = 0; i < folders->count; i++)
        if (str_equal_nocase(folders->names[i], name))
            return folders->names[i];
    return NULL;
}

/* Gives each class its folder; *found says how many have one. */
static mien_status match_classes(dataset *d, const folder_names *folders, int *found)
{
    *found = 0;
    for (size_t i = 0; i < folders->count; i++) {
        int label = label_find(folders->names[i], (const char *const *)d->classes, d->class_count);
        if (label < 0)
            continue;
        if (d->folders[label])
            return mien_fail(MIEN_ERR_FORMAT, "%s: two folders of class %s (%.*s and %s)", d->source, d->classes[label],
                             bare(d->folders[label]), d->folders[label], folders->names[i]);
        str name = {0};
        TRY(str_printf(&name, "%s/", folders->names[i]));
        d->folders[label] = name.text;
        ++*found;
    }
    return MIEN_OK;
}

static mien_status fail_without_classes(const dataset *d, const char *path, const folder_names *folders)
{
    char found[256], wanted[512];
    str_join_words(found, sizeof(found), (const char *const *)folders->names, (int)folders->count);
    str_join_words(wanted, sizeof(wanted), (const char *const *)d->classes, d->class_count);
    return mien_fail(MIEN_ERR_FORMAT, "%.*s: no class folder (found %s, wanted %s)", bare(path), path,
                     folders->count ? found : "no folder", wanted);
}

static mien_status read_classes(dataset *d, const char *path, const folder_names *folders, dataset_use use)
{
    TRY(mem_strdup(&d->root, path));
    for (int c = 0; c < d->class_count; c++) {
        if (d->folders[c])
            TRY(add_class(d, path, c));
        else if (use == DATASET_TRAIN)
            return mien_fail(MIEN_ERR_FORMAT, "%.*s: no folder of class %s (training wants every class)", bare(path),
                             path, d->classes[c]);
    }
    for (size_t i = 0; i < folders->count; i++)
        if (label_find(folders->names[i], (const char *const *)d->classes, d->class_count) < 0)
            TRY(add_other(d, path, folders->names[i]));
    return dataset_tell_ignored(d, "files");
}

/* `path` has no class folders but a `train` or a `val`: goes into the one that is asked for. */
static mien_status open_half(dataset *d, const char *path, const char *train, const char *val, dataset_use use)
{
    const char *half = use == DATASET_TRAIN ? train : val;
    if (!half)
        return mien_fail(MIEN_ERR_FORMAT, "%.*s: no folder %s (found %s)", bare(path), path,
                         use == DATASET_TRAIN ? "train" : "val", train ? train : val);
    str inside = {0}, sibling = {0};
    folder_names folders = {0};
    int found;
    mien_status st;
    TRY_OUT(str_printf(&inside, "%s%s/", path, half));
    TRY_OUT(list_folders(&folders, inside.text));
    TRY_OUT(match_classes(d, &folders, &found));
    if (found == 0) {
        st = fail_without_classes(d, inside.text, &folders);
        goto out;
    }
    TRY_OUT(read_classes(d, inside.text, &folders, use));
    if (use == DATASET_TRAIN && val) {
        TRY_OUT(str_printf(&sibling, "%s%s", path, val));
        d->validation = sibling.text;
        sibling = (str){0};
    }
out:
    str_free(&inside);
    str_free(&sibling);
    file_list_free(folders.names, folders.count);
    return st;
}

mien_status folder_open(dataset *d, const char *path, dataset_use use)
{
    str top = {0};
    folder_names folders = {0};
    int found;
    mien_status st;
    TRY_OUT(str_printf(&top, "%s%s", path, str_ends(path, "/") ? "" : "/"));
    TRY_OUT(list_folders(&folders, top.text));
    TRY_OUT(match_classes(d, &folders, &found));
    const char *train = find_folder(&folders, "train"), *val = find_folder(&folders, "val");
    if (found > 0)
        st = read_classes(d, top.text, &folders, use);
    else if (train || val)
        st = open_half(d, top.text, train, val, use);
    else
        st = fail_without_classes(d, top.text, &folders);
out:
    str_free(&top);
    file_list_free(folders.names, folders.count);
    return st;
}
