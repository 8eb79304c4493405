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
        char path[PICTURE_NAME_BYTES], *name = d->list.names + d->list.name_at[i];
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

/* The table of an epoch's pictures. */
static mien_status list_made(dataset *d, uint32_t epoch)
{
    const picture_maker *m = d->maker;
    label_list list = {0};
    str table = {0};
    csv_reader r;
    mien_status st;
    if (!d->root)
        TRY(mem_strdup(&d->root, ""));
    TRY_OUT(m->table(m, epoch, &table));
    csv_open_bytes(&r, table.text, table.length, m->what);
    st = list_parse(&list, &r, (const char *const *)d->classes, d->class_count, false);
    csv_close(&r);
    TRY_OUT(st);
    if (list.count != m->count) {
        st = mien_fail(MIEN_ERR_INTERNAL, "%s: %" PRId64 " labels of %" PRId64 " pictures", m->what, list.count,
                       m->count);
        goto out;
    }
    list_free(&d->list);
    d->list = list;
    list = (label_list){0};
out:
    list_free(&list);
    str_free(&table);
    return st;
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
    return MIEN_OK;
}

/* --- as a source of pictures -------------------------------------------------------------------------------------- */

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

static mien_status source_name(const picture_source *s, int64_t index, char *dst, size_t bytes)
{
    return dataset_name((const dataset *)s, index, dst, bytes);
}

static mien_status source_path(const picture_source *s, int64_t index, char *dst, size_t bytes)
{
    return dataset_path((const dataset *)s, index, dst, bytes);
}

/* A list that was written on Windows. */
static mien_status fail_backslash(mien_status st)
{
    return mien_fail(st, "%s (folders end in /, not in \\)", mien_error());
}

/* Errors as image_read's; where the file of a list cannot be opened or read, "set.csv: line 7: " stands before it. */
static mien_status source_read(const picture_source *s, int64_t index, picture_reader *r)
{
    const dataset *d = (const dataset *)s;
    if (dataset_path(d, index, r->path, sizeof(r->path)) != MIEN_OK) /* no call would open it either */
        return file_fail(list_name(&d->list, index), "cannot open", ENAMETOOLONG);
    char second[PATH_MAX];
    if (d->fallback && print_name(d, d->fallback, index, second, sizeof second) != MIEN_OK)
        return file_fail(list_name(&d->list, index), "cannot open", ENAMETOOLONG);
    mien_status st = picture_read_either(r, d->fallback ? second : NULL);
    if (st == MIEN_ERR_IO && d->is_list)
        return mien_fail_in(strchr(r->path, '\\') ? fail_backslash(st) : st, "%s: line %" PRIu32, d->source,
                            d->list.line[index]);
    return st;
}

static mien_status source_make(const picture_source *s, int64_t index, picture_reader *r)
{
    const dataset *d = (const dataset *)s;
    return d->maker->read(d->maker, r->epoch, index, r);
}

const picture_set *dataset_pictures(const dataset *d)
{
    return &d->set;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* The set as a source of pictures, once they are listed. */
static mien_status make_source(dataset *d)
{
    d->pictures = (picture_source){.what = d->source,
                                   .count = d->list.count,
                                   .missing_is_fatal = d->is_list,
                                   .name = source_name,
                                   .path = source_path,
                                   .read = source_read};
    if (d->maker) {
        d->pictures.path = NULL;
        d->pictures.read = source_make;
        d->pictures.is_renewed = d->maker->is_renewed;
        d->pictures.fingerprint = d->maker->fingerprint;
        TRY(mem_alloc(&d->groups, d->list.count));
        memcpy(d->groups, d->list.label, (size_t)d->list.count * sizeof *d->groups);
    }
    d->set = (picture_set){&d->pictures, d->groups ? d->groups : d->list.label, d->class_count,
                           (const char *const *)d->classes};
    return mem_zalloc(&d->pictures.reported, (d->list.count + 31) / 32);
}

/* Pictures that are made are listed as their table has them; files, as they are found. */
static mien_status list_pictures(dataset *d, const char *path, dataset_use use)
{
    struct stat info;
    if (d->maker)
        return list_made(d, 0);
    if (stat(path, &info) != 0)
        return file_fail(path, "cannot open", errno);
    return S_ISDIR(info.st_mode) ? folder_open(d, path, use) : list_open(d, path);
}

static mien_status open_set(dataset **out, const char *path, const picture_maker *maker, const char *const *classes,
                            int class_count, dataset_use use)
{
    if (class_count < 1 || class_count > UINT16_MAX)
        return mien_fail(MIEN_ERR_ARG, "%s: %d classes (wanted 1..%d)", path, class_count, UINT16_MAX);
    dataset *d;
    TRY(mem_zalloc(&d, 1));
    mien_status st;
    d->maker = maker;
    d->is_strict = use & DATASET_STRICT;
    use &= ~DATASET_STRICT;
    TRY_OUT(mem_strdup(&d->source, path));
    TRY_OUT(copy_classes(d, classes, class_count));
    TRY_OUT(list_pictures(d, path, use));
    TRY_OUT(count_classes(d, use));
    TRY_OUT(make_source(d));
    *out = d;
    d = NULL;
out:
    dataset_free(d);
    return st;
}

mien_status dataset_open(dataset **out, const char *path, const char *const *classes, int class_count, dataset_use use)
{
    return open_set(out, path, NULL, classes, class_count, use);
}

mien_status dataset_open_made(dataset **out, const picture_maker *maker, const char *const *classes, int class_count)
{
    return open_set(out, maker->what, maker, classes, class_count, DATASET_TRAIN);
}

mien_status dataset_renew(dataset *d, uint32_t epoch)
{
    if (!d->maker || !d->maker->is_renewed)
        return MIEN_OK;
    return list_made(d, epoch);
}

mien_status dataset_set_images(dataset *d, const char *images, const char *fallback)
{
    if (!d->is_list && (images || fallback))
        return mien_fail(MIEN_ERR_ARG, "%s: class folders hold their pictures (wanted no folder of images)", d->source);
    if (images) {
        char *root;
        TRY(file_join(&root, images, ""));
        mem_free(d->root);
        d->root = root;
    }
    return fallback ? file_join(&d->fallback, fallback, "") : MIEN_OK;
}

mien_status dataset_open_validation(dataset **out, const dataset *d)
{
    if (!d->validation)
        return mien_fail(MIEN_ERR_ARG, "%s: no folder val", d->source);
    return dataset_open(out, d->validation, (const char *const *)d->classes, d->class_count,
                        d->is_strict ? DATASET_EVALUATE | DATASET_STRICT : DATASET_EVALUATE);
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
    mem_free(d->fallback);
    list_free(&d->list);
    mem_free(d->classes);
    mem_free(d->folders);
    mem_free(d->sizes);
    mem_free(d->validation);
    mem_free(d->ignored);
    mem_free(d->groups);
    mem_free(d->pictures.reported);
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
