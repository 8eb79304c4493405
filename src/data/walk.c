/* Depth first, with each folder's identity on the stack, so that a link that leads back is known when it is met. */
#include "data/walk.h"

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 64, MAX_ABOVE = 64 };

/* A folder on the way to where we are. */
typedef struct place {
    dev_t device;
    ino_t number;
    const struct place *above;
} place;

typedef struct {
    str path; /* of the folder being read, with a slash at its end */
    walk_fn fn;
    void *payload;
} walk;

static place place_of(const struct stat *info, const place *above)
{
    return (place){info->st_dev, info->st_ino, above};
}

static bool is_within(const place *above, const struct stat *info)
{
    for (; above; above = above->above)
        if (above->device == info->st_dev && above->number == info->st_ino)
            return true;
    return false;
}

typedef enum { ENTRY_FILE, ENTRY_FOLDER, ENTRY_OTHER } entry_kind;

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

static mien_status walk_folder(walk *w, const place *above, int depth);

static mien_status walk_entry(walk *w, DIR *dir, const struct dirent *entry, const place *here, int depth)
{
    entry_kind kind = file_is_litter(entry->d_name) ? ENTRY_OTHER : entry_kind_of(dir, entry);
    if (kind == ENTRY_OTHER)
        return MIEN_OK;
    size_t length = w->path.length;
    TRY(str_printf(&w->path, "%s%s", entry->d_name, kind == ENTRY_FOLDER ? "/" : ""));
    mien_status st = kind == ENTRY_FOLDER ? walk_folder(w, here, depth + 1) : w->fn(w->payload, w->path.text);
    w->path.length = length;
    w->path.text[length] = '\0';
    return st;
}

static mien_status walk_entries(walk *w, DIR *dir, const place *here, int depth)
{
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry)
            return errno ? file_fail(w->path.text, "cannot list", errno) : MIEN_OK;
        TRY(walk_entry(w, dir, entry, here, depth));
    }
}

static mien_status walk_folder(walk *w, const place *above, int depth)
{
    struct stat info;
    int bare = (int)(w->path.length > 1 ? w->path.length - 1 : 1); /* without the closing slash */
    if (depth > MAX_DEPTH)
        return mien_fail(MIEN_ERR_FORMAT, "%.*s: folders within folders, more than %d deep", bare, w->path.text,
                         MAX_DEPTH);
    DIR *dir = opendir(w->path.text);
    if (!dir || fstat(dirfd(dir), &info) != 0) {
        int why = errno;
        if (dir)
            closedir(dir);
        return file_fail(w->path.text, "cannot list", why);
    }
    mien_status st = MIEN_OK;
    const place here = place_of(&info, above);
    if (is_within(above, &info))
        log_notice("%.*s: left out, a link to a folder that it lies in", bare, w->path.text);
    else
        st = walk_entries(w, dir, &here, depth);
    closedir(dir);
    return st;
}

/* The folders around the first one, up to the root: a link in a class folder may lead to the whole set. */
static mien_status find_above(place *above, int *count, const char *folder)
{
    str path = {0};
    struct stat info, last = {0};
    mien_status st = str_printf(&path, "%s/..", folder);
    *count = 0;
    while (st == MIEN_OK && *count < MAX_ABOVE && stat(path.text, &info) == 0) {
        if (*count > 0 && info.st_dev == last.st_dev && info.st_ino == last.st_ino)
            break;
        above[*count] = place_of(&info, *count ? &above[*count - 1] : NULL);
        ++*count;
        last = info;
        st = str_append(&path, "/..");
    }
    str_free(&path);
    return st;
}

mien_status walk_files(const char *folder, walk_fn fn, void *payload)
{
    walk w = {.fn = fn, .payload = payload};
    place above[MAX_ABOVE];
    int count;
    mien_status st;
    TRY_OUT(find_above(above, &count, folder));
    TRY_OUT(str_printf(&w.path, "%s%s", folder, str_ends(folder, "/") ? "" : "/"));
    st = walk_folder(&w, count ? &above[count - 1] : NULL, 1);
out:
    str_free(&w.path);
    return st;
}
