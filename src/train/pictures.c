/* One row a picture, in the order of the sets: whoever compares walks both side by side. */
#include "train/pictures.h"

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "format/csv.h"
#include "train/run_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char file_name[] = "pictures.csv";
enum { TIME_BYTES = 40 };

bool pictures_are_known(const char *run)
{
    char path[RUN_PATH_BYTES];
    return run_file(path, run, file_name) == MIEN_OK && file_exists(path);
}

/* A file as far as it is known without reading it; one that is not there has -1 bytes. */
typedef struct {
    int64_t bytes;
    char modified[TIME_BYTES]; /* seconds, to the nanosecond */
} file_facts;

/* A picture that is no file says nothing. */
static mien_status find_facts(file_facts *out, const picture_source *source, int64_t index)
{
    char path[PICTURE_NAME_BYTES];
    struct stat info;
    *out = (file_facts){-1, "0"};
    if (!source->path)
        return MIEN_OK;
    TRY(source->path(source, index, path, sizeof path));
    if (stat(path, &info) != 0)
        return MIEN_OK;
    out->bytes = (int64_t)info.st_size;
    snprintf(out->modified, sizeof out->modified, "%lld.%09ld", (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    return MIEN_OK;
}

/* Calls fn for every picture of the sets, training first. */
typedef struct picture_walk picture_walk;
struct picture_walk {
    mien_status (*fn)(picture_walk *w, const char *set, const char *name, const file_facts *facts);
    str text;          /* writing: the rows so far */
    csv_reader reader; /* comparing: at the row that follows */
    int64_t resized, rewritten;
    char first_resized[512], first_rewritten[512];
};

static mien_status walk_plan(picture_walk *w, const char *set, const epoch_plan *plan)
{
    const picture_source *source = plan->set->source;
    for (int64_t i = 0; i < plan->items->count; i++) {
        char name[PICTURE_NAME_BYTES];
        file_facts facts;
        TRY(source->name(source, plan->items->index[i], name, sizeof name));
        TRY(find_facts(&facts, source, plan->items->index[i]));
        TRY(w->fn(w, set, name, &facts));
    }
    return MIEN_OK;
}

static mien_status walk_pictures(picture_walk *w, const run_sets *sets)
{
    TRY(walk_plan(w, "train", &sets->train));
    return walk_plan(w, "validation", &sets->select);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static mien_status write_row(picture_walk *w, const char *set, const char *name, const file_facts *facts)
{
    char quoted[2 * PICTURE_NAME_BYTES + 3];
    TRY(csv_quote(quoted, sizeof quoted, name));
    return str_printf(&w->text, "%s,%s,%" PRId64 ",%s\n", set, quoted, facts->bytes, facts->modified);
}

mien_status pictures_write(const run_sets *sets, const char *run)
{
    char path[RUN_PATH_BYTES];
    picture_walk w = {.fn = write_row};
    TRY(run_file(path, run, file_name));
    mien_status st = str_append(&w.text, "set,image,bytes,modified\n");
    if (st == MIEN_OK)
        st = walk_pictures(&w, sets);
    if (st == MIEN_OK)
        st = file_write_all(path, w.text.text, w.text.length);
    str_free(&w.text);
    return st;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static mien_status compare_row(picture_walk *w, const char *set, const char *name, const file_facts *facts)
{
    const csv_field *fields = w->reader.fields;
    char text[32];
    int64_t bytes;
    bool has_row;
    TRY(csv_next(&w->reader, &has_row));
    if (!has_row || w->reader.count != 4 || !csv_field_equals(fields[0], set) || !csv_field_equals(fields[1], name) ||
        !csv_field_text(text, sizeof text, fields[2]) || !str_to_int64(&bytes, text))
        return mien_fail(MIEN_ERR_FORMAT, "%s: line %" PRId64 ": not the row of %s", w->reader.path, w->reader.line,
                         name);
    if (bytes != facts->bytes && w->resized++ == 0)
        snprintf(w->first_resized, sizeof w->first_resized, "%.300s has %" PRId64 " bytes (wanted %" PRId64 ")", name,
                 facts->bytes, bytes);
    else if (bytes == facts->bytes && !csv_field_equals(fields[3], facts->modified) && w->rewritten++ == 0)
        snprintf(w->first_rewritten, sizeof w->first_rewritten, "%.300s", name);
    return MIEN_OK;
}

static mien_status judge(const picture_walk *w, const char *run, const char *data)
{
    if (w->resized > 0)
        return mien_fail(MIEN_ERR_ARG, "%s: not the pictures that %s was begun with: %s, and %" PRId64 " more differ",
                         data, run, w->first_resized, w->resized - 1);
    if (w->rewritten > 0)
        log_notice("%s: %" PRId64
                   " pictures of the same size were written after %s was begun, the first %s: where they "
                   "are others, bits differ",
                   data, w->rewritten, run, w->first_rewritten);
    return MIEN_OK;
}

mien_status pictures_compare(const run_sets *sets, const char *run, const char *data)
{
    char path[RUN_PATH_BYTES];
    picture_walk w = {.fn = compare_row};
    bool has_header;
    if (!pictures_are_known(run))
        return MIEN_OK;
    TRY(run_file(path, run, file_name));
    TRY(csv_open(&w.reader, path));
    mien_status st = csv_next(&w.reader, &has_header);
    if (st == MIEN_OK)
        st = walk_pictures(&w, sets);
    csv_close(&w.reader);
    return st == MIEN_OK ? judge(&w, run, data) : st;
}
