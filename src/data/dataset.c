/* Opening a set, and what can be asked about its pictures. folder.c and list.c read the two forms. */
#include "data/dataset_int.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static mien_status copy_classes(dataset *d, const char *const *classes, int class_count)
{
    TRY(mem_zalloc(&d->classes, class_count));
    TRY(mem_zalloc(&d->folders, class_count));
    TRY(mem_zalloc(&d->sizes, class_count));
    d->class_count = class_count;
    for (int c = 0; c < class_count; c++)
        TRY(mem_strdup(&d->classes[c], classes[c]));
    return MIEN_OK;
}

/* Paths in a list are relative to its folder. */
static mien_status list_root(char **out, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    char *root;
    TRY(mem_alloc(&root, length + 1));
    memcpy(root, path, length);
    root[length] = '\0';
    *out = root;
    return MIEN_OK;
}

mien_status dataset_ignore(dataset *d, const char *name, int64_t count)
{
    if (d->ignored_count == d->ignored_capacity) {
        int capacity = d->ignored_capacity ? d->ignored_capacity * 2 : 8;
        TRY(mem_resize_bytes((void **)&d->ignored, (size_t)d->ignored_count * sizeof(*d->ignored),
                             (size_t)capacity * sizeof(*d->ignored)));
        d->ignored_capacity = capacity;
    }
    char *copy;
    TRY(mem_strdup(&copy, name));
    d->ignored[d->ignored_count++] = (struct ignored_part){copy, count};
    return MIEN_OK;
}

mien_status dataset_tell_ignored(const dataset *d, const char *unit)
{
    enum { NAMED = 10 };
    str line = {0};
    mien_status st = MIEN_OK;
    for (int i = 0; st == MIEN_OK && i < d->ignored_count && i < NAMED; i++)
        st = str_printf(&line, "%s%.100s (%" PRId64 " %s)", i ? ", " : "", d->ignored[i].name, d->ignored[i].count,
                        unit);
    if (st == MIEN_OK && d->ignored_count > NAMED)
        st = str_printf(&line, " and %d more", d->ignored_count - NAMED);
    if (st == MIEN_OK && line.text)
        log_notice("%s: left out, not among the classes: %s", d->source, line.text);
    str_free(&line);
    return st;
}

mien_status dataset_refuse_ignored(const dataset *d, const char *where)
{
    char wanted[512];
    str_join_words(wanted, sizeof(wanted), (const char *const *)d->classes, d->class_count);
    return mien_fail(MIEN_ERR_FORMAT, "%s: none of the classes (wanted %s, or no --strict)", where, wanted);
}

/* Their names are as long as before. */
static mien_status mend_backslashes(dataset *d)
{
    for (int64_t i = 0; i < d->list.count; i++) {
        char path[DATASET_NAME_BYTES], *name = d->list.names + d->list.name_at[i];
        if (!strchr(name, '\\'))
            continue;
        TRY(dataset_path(d, i, path, sizeof(path)));
        file_mend_backslashes(path);
        strcpy(name, path + strlen(path) - strlen(name));
    }
    return MIEN_OK;
}

static mien_status list_open(dataset *d, const char *path)
{
    d->is_list = true;
    TRY(list_root(&d->root, path));
    TRY(list_read(&d->list, path, (const char *const *)d->classes, d->class_count, !d->is_strict));
    size_t root = strlen(d->root);
    for (int64_t i = 0; i < d->list.count; i++) {
        size_t length = strlen(list_name(&d->list, i));
        if (root + length >= PATH_MAX)
            return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRIu32 ": path of %zu bytes (at most %d)", path,
                             d->list.line[i], root + length, PATH_MAX - 1);
    }
    TRY(mend_backslashes(d));
    TRY(list_check_labels(&d->list, path, (const char *const *)d->classes));
    for (int i = 0; i < d->list.other_count; i++)
        TRY(dataset_ignore(d, d->list.others[i].name, d->list.others[i].rows));
    return dataset_tell_ignored(d, "rows");
}

/* What every set knows once its pictures are listed. */
static mien_status count_classes(dataset *d, dataset_use use)
{
    for (int64_t i = 0; i < d->list.count; i++)
        d->sizes[d->list.label[i]]++;
    for (int c = 0; use == DATASET_TRAIN && c < d->class_count; c++)
        if (d->sizes[c] == 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: no row of class %s (training wants every class)", d->source,
                             d->classes[c]);
    return mem_zalloc(&d->reported, (d->list.count + 31) / 32);
}

mien_status dataset_open(dataset **out, const char *path, const char *const *classes, int class_count, dataset_use use)
{
    if (class_count < 1 || class_count > UINT16_MAX)
        return mien_fail(MIEN_ERR_ARG, "%s: %d classes (wanted 1..%d)", path, class_count, UINT16_MAX);
    struct stat info;
    if (stat(path, &info) != 0)
        return file_fail(path, "cannot open", errno);
    dataset *d;
    TRY(mem_zalloc(&d, 1));
    mien_status st;
    d->is_strict = use & DATASET_STRICT;
    use &= ~DATASET_STRICT;
    TRY_OUT(mem_strdup(&d->source, path));
    TRY_OUT(copy_classes(d, classes, class_count));
    TRY_OUT(S_ISDIR(info.st_mode) ? folder_open(d, path, use) : list_open(d, path));
    TRY_OUT(count_classes(d, use));
    *out = d;
    d = NULL;
out:
    dataset_free(d);
    return st;
}

mien_status dataset_open_validation(dataset **out, const dataset *d)
{
    if (!d->validation)
        return mien_fail(MIEN_ERR_ARG, "%s: no folder val", d->source);
    return dataset_open(out, d->validation, (const char *const *)d->classes, d->class_count,
                        d->is_strict ? DATASET_EVALUATE | DATASET_STRICT : DATASET_EVALUATE);
}

mien_status dataset_of_paths(dataset **out, const char *const *paths, int64_t count)
{
    dataset *d;
    TRY(mem_zalloc(&d, 1));
    mien_status st;
    size_t bytes = 0;
    for (int64_t i = 0; i < count; i++)
        bytes += strlen(paths[i]) + 1;
    TRY_OUT(mem_strdup(&d->source, "pictures"));
    TRY_OUT(mem_strdup(&d->root, ""));
    TRY_OUT(copy_classes(d, (const char *[]){""}, 1));
    TRY_OUT(list_reserve(&d->list, count, bytes));
    for (int64_t i = 0; i < count; i++)
        TRY_OUT(list_add(&d->list, paths[i], strlen(paths[i]), 0, 0));
    TRY_OUT(count_classes(d, DATASET_EVALUATE));
    *out = d;
    d = NULL;
out:
    dataset_free(d);
    return st;
}

void dataset_free(dataset *d)
{
    if (!d)
        return;
    for (int c = 0; c < d->class_count; c++) {
        mem_free(d->classes[c]);
        mem_free(d->folders[c]);
    }
    for (int i = 0; i < d->ignored_count; i++)
        mem_free(d->ignored[i].name);
    mem_free(d->source);
    mem_free(d->root);
    list_free(&d->list);
    mem_free(d->classes);
    mem_free(d->folders);
    mem_free(d->sizes);
    mem_free(d->validation);
    mem_free(d->ignored);
    mem_free(d->reported);
    mem_free(d);
}

const char *dataset_source(const dataset *d)
{
    return d->source;
}

int64_t dataset_count(const dataset *d)
{
    return d->list.count;
}

int dataset_label(const dataset *d, int64_t index)
{
    return d->list.label[index];
}

int dataset_class_count(const dataset *d)
{
    return d->class_count;
}

const char *dataset_class(const dataset *d, int c)
{
    return d->classes[c];
}

int64_t dataset_class_size(const dataset *d, int c)
{
    return d->sizes[c];
}

/* root (or nothing), the class's folder and the name */
static mien_status print_name(const dataset *d, const char *root, int64_t index, char *dst, size_t bytes)
{
    const char *folder = d->folders[d->list.label[index]];
    const char *name = list_name(&d->list, index);
    int length = snprintf(dst, bytes, "%s%s%s", *name == '/' ? "" : root, folder ? folder : "", name);
    if (length < 0 || (size_t)length >= bytes)
        return mien_fail(MIEN_ERR_ARG, "%s: name of %d bytes (room for %zu)", name, length, bytes);
    return MIEN_OK;
}

mien_status dataset_name(const dataset *d, int64_t index, char *dst, size_t bytes)
{
    return print_name(d, "", index, dst, bytes);
}

mien_status dataset_path(const dataset *d, int64_t index, char *dst, size_t bytes)
{
    return print_name(d, d->root, index, dst, bytes);
}

int dataset_ignored_count(const dataset *d)
{
    return d->ignored_count;
}

const char *dataset_ignored(const dataset *d, int index, int64_t *out_count)
{
    *out_count = d->ignored[index].count;
    return d->ignored[index].name;
}

bool dataset_has_validation(const dataset *d)
{
    return d->validation != NULL;
}

bool dataset_report(const dataset *d, int64_t index)
{
    uint32_t bit = 1u << (index % 32);
    return !(atomic_fetch_or_explicit(&d->reported[index / 32], bit, memory_order_relaxed) & bit);
}

int64_t dataset_bad_allowed(int64_t count, double max_bad_share)
{
    double allowed = max_bad_share > 0 ? max_bad_share * (double)count : 0;
    return allowed >= (double)count ? count : (int64_t)(allowed + 1e-9); /* 0.01 x 700 is 7.000000000000001 or less */
}

mien_status dataset_too_many_bad(const dataset *d, int64_t count, double max_bad_share, const char *last_why)
{
    return mien_fail(MIEN_ERR_FORMAT,
                     "%s: too many unreadable pictures (more than %" PRId64 " of %" PRId64
                     ", max_bad_share %g), the last: %s",
                     d->source, dataset_bad_allowed(count, max_bad_share), count, max_bad_share, last_why);
}
