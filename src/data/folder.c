/* A folder per class. Subfolders inside a class are descended, since faces often lie in one per video or person; names
 * are then "ANGER/video/1.jpg". Hidden files and what is neither file nor folder are left out; content, not names,
 * decides what is a picture, so any other file that is none is a bad picture, told when it is read. */
#include "data/dataset_int.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/label.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 16 }; /* deeper is a link that leads back up */

/* For "%.*s": a folder's name without its closing slash. */
static int bare(const char *folder)
{
    size_t length = strlen(folder);
    return (int)(length > 1 && folder[length - 1] == '/' ? length - 1 : length);
}

typedef struct {
    str path;         /* of the folder being read */
    size_t name_from; /* where names relative to the class folder begin in `path` */
    label_list *list; /* NULL: only count */
    int label;
    int64_t files;
} walk;

typedef enum { ENTRY_FILE, ENTRY_FOLDER, ENTRY_OTHER } entry_kind;

/* Links count as what they lead to. One that leads nowhere is kept as a file: the user meant a picture, and is told
 * when it cannot be read. */
static entry_kind entry_kind_of(DIR *dir, const struct dirent *entry)
{
    struct stat info;
    if (entry->d_type == DT_REG)
        return ENTRY_FILE;
    if (entry->d_type == DT_DIR)
        return ENTRY_FOLDER;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return ENTRY_OTHER;
    if (fstatat(dirfd(dir), entry->d_name, &info, 0) != 0)
        return ENTRY_FILE;
    return S_ISREG(info.st_mode) ? ENTRY_FILE : S_ISDIR(info.st_mode) ? ENTRY_FOLDER : ENTRY_OTHER;
}

static mien_status walk_folder(walk *w, int depth);

static mien_status walk_entry(walk *w, DIR *dir, const struct dirent *entry, int depth)
{
    if (entry->d_name[0] == '.')
        return MIEN_OK;
    entry_kind kind = entry_kind_of(dir, entry);
    if (kind == ENTRY_OTHER)
        return MIEN_OK;
    w->files += kind == ENTRY_FILE;
    if (kind == ENTRY_FILE && !w->list)
        return MIEN_OK;
    size_t length = w->path.length;
    TRY(str_append(&w->path, entry->d_name));
    mien_status st = MIEN_OK;
    if (kind == ENTRY_FILE) {
        st = list_add(w->list, w->path.text + w->name_from, w->path.length - w->name_from, w->label, 0);
    } else {
        st = str_append(&w->path, "/");
        if (st == MIEN_OK)
            st = walk_folder(w, depth + 1);
    }
    w->path.length = length;
    w->path.text[length] = '\0';
    return st;
}

static mien_status walk_folder(walk *w, int depth)
{
    if (depth > MAX_DEPTH)
        return mien_fail(MIEN_ERR_FORMAT, "%.*s: folders within folders, more than %d deep (a link that leads back?)",
                         bare(w->path.text), w->path.text, MAX_DEPTH);
    DIR *dir = opendir(w->path.text);
    if (!dir)
        return file_fail(w->path.text, "cannot list", errno);
    mien_status st = MIEN_OK;
    while (st == MIEN_OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno != 0)
                st = file_fail(w->path.text, "cannot list", errno);
            break;
        }
        st = walk_entry(w, dir, entry, depth);
    }
    closedir(dir);
    return st;
}

static int by_name(const void *a, const void *b, void *names)
{
    return str_compare_natural((const char *)names + *(const size_t *)a, (const char *)names + *(const size_t *)b);
}

/* Adds the class's pictures in natural order; only name_at needs sorting, their label and line are equal. */
static mien_status add_class(dataset *d, const char *path, int label)
{
    walk w = {.list = &d->list, .label = label};
    int64_t first = d->list.count;
    mien_status st;
    TRY_OUT(str_printf(&w.path, "%s%s", path, d->folders[label]));
    w.name_from = w.path.length;
    TRY_OUT(walk_folder(&w, 1));
    if (d->list.count == first)
        st = mien_fail(MIEN_ERR_FORMAT, "%.*s: empty class folder (wanted pictures)", bare(w.path.text), w.path.text);
    else
        qsort_r(d->list.name_at + first, (size_t)(d->list.count - first), sizeof(size_t), by_name, d->list.names);
out:
    str_free(&w.path);
    return st;
}

static mien_status add_ignored(dataset *d, const char *path, const char *name)
{
    walk w = {0};
    mien_status st;
    TRY_OUT(str_printf(&w.path, "%s%s/", path, name));
    TRY_OUT(walk_folder(&w, 1));
    if (d->ignored_count == d->ignored_capacity) {
        int capacity = d->ignored_capacity ? d->ignored_capacity * 2 : 8;
        TRY_OUT(mem_resize_bytes((void **)&d->ignored, (size_t)d->ignored_count * sizeof(*d->ignored),
                                 (size_t)capacity * sizeof(*d->ignored)));
        d->ignored_capacity = capacity;
    }
    char *copy;
    TRY_OUT(mem_strdup(&copy, name));
    d->ignored[d->ignored_count++] = (struct ignored_folder){copy, w.files};
out:
    str_free(&w.path);
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
        if (st == MIEN_OK && names[i][0] != '.' && file_is_folder(full.text))
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

/* One notice for all folders that are no class. */
static mien_status tell_ignored(const dataset *d, const char *path)
{
    enum { NAMED = 10 };
    str line = {0};
    mien_status st = MIEN_OK;
    for (int i = 0; st == MIEN_OK && i < d->ignored_count && i < NAMED; i++)
        st = str_printf(&line, "%s%s (%" PRId64 " files)", i ? ", " : "", d->ignored[i].name, d->ignored[i].files);
    if (st == MIEN_OK && d->ignored_count > NAMED)
        st = str_printf(&line, " and %d more", d->ignored_count - NAMED);
    if (st == MIEN_OK && line.text)
        log_notice("%.*s: left out, not among the classes: %s", bare(path), path, line.text);
    str_free(&line);
    return st;
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
            TRY(add_ignored(d, path, folders->names[i]));
    return tell_ignored(d, path);
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
