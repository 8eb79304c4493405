/* Names with labels, as a CSV lists them: what a dataset holds, and what scores are computed from. Compact: all names
 * stand in one block. */
#ifndef DATA_LIST_H
#define DATA_LIST_H

#include "base/status.h"

#include "format/csv.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t count, capacity;
    size_t *name_at; /* [count] where a name begins in `names`; owned, like all below */
    uint16_t *label; /* [count] */
    uint32_t *line;  /* [count] of the file, 1-based; 0 where the list was not read from one */
    char *names;     /* NUL-terminated, one after another */
    size_t names_bytes, names_capacity;
    struct list_other { /* rows that are left out: a name that is none of the classes, in any case */
        char *name;
        int64_t rows;
    } * others;
    int other_count;
} label_list;

/* Rows `name,label`, the label a number 0..class_count-1 or a class name (data/label.h). A first row whose label is
 * neither and whose name has neither a dot nor a slash is a header. A header that names its columns (path, image,
 * image_path, file or filename; label, expression or class) may have more of them, in any order. Where the first row
 * holds no comma, semicolons or tabs may stand for them. Rows may repeat. takes_others: rows of a name that is no class
 * are left out and counted, instead of a failure. Free with list_free. Errors MIEN_ERR_FORMAT "set.csv: line 7: label 9
 * (wanted 0..5 or anger, disgust ...)" and alike; a list without rows. */
MIEN_MUST_USE mien_status list_read(label_list *out, const char *path, const char *const *classes, int class_count,
                                    bool takes_others);
/* The same from a reader that has just been opened; the caller closes it. */
MIEN_MUST_USE mien_status list_parse(label_list *out, csv_reader *r, const char *const *classes, int class_count,
                                     bool takes_others);
void list_free(label_list *l); /* and empties it */

/* Has each name one label, however often it is there? Errors: MIEN_ERR_FORMAT "set.csv: line 7: a.jpg is fear here and
 * anger on line 3". */
MIEN_MUST_USE mien_status list_check_labels(const label_list *l, const char *path, const char *const *classes);

/* *order [count] = the entries by name, each name once (caller: mem_free). Errors: MIEN_ERR_FORMAT "set.csv: line 7:
 * a.jpg is there twice (first on line 3)". */
MIEN_MUST_USE mien_status list_by_name(uint32_t **order, const label_list *l, const char *path);

/* *partner [truth->count] = for each entry of truth the one of `predicted` that has its name, in whatever order the two
 * are (caller: mem_free). Errors MIEN_ERR_FORMAT, naming file and line: a name twice in either, one of `predicted` that
 * is unknown to the truth, one of the truth that `predicted` lacks. */
MIEN_MUST_USE mien_status list_match(uint32_t **partner, const label_list *truth, const char *truth_path,
                                     const label_list *predicted, const char *predicted_path);

/* What readers of other tables of pictures share. A first line without a comma whose fields semicolons or tabs would
 * part has these for separators from now on; the reader begins again. */
void list_find_separator(csv_reader *r);
/* The column of a header that holds names of pictures (path, image, image_path, file or filename); -1: none. */
int list_find_names(const csv_reader *r);
/* Room for as many entries as the reader's file has lines, and as many bytes of names as it has bytes: nothing grows
 * while it is read, and what stays untouched costs nothing. */
MIEN_MUST_USE mien_status list_reserve_for_file(label_list *l, const csv_reader *r);

/* Room for so many more entries and bytes of names (terminators included), so that adding them does not grow it. */
MIEN_MUST_USE mien_status list_reserve(label_list *l, int64_t entries, size_t bytes);
MIEN_MUST_USE mien_status list_add(label_list *l, const char *name, size_t length, int label, int64_t line);
static inline const char *list_name(const label_list *l, int64_t index)
{
    return l->names + l->name_at[index];
}

#endif
