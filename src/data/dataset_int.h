/* What the files of this room share and no other room sees. */
#ifndef DATA_DATASET_INT_H
#define DATA_DATASET_INT_H

#include "data/dataset.h"
#include "data/list.h"

/* A picture's path is root, its class's folder (class folders only) and its name, one after another. */
struct dataset {
    picture_source pictures; /* first: the source that is read is this */
    picture_set set;
    char *source;               /* as the user named it, for messages */
    char *root;                 /* "" or ending in a slash */
    char *fallback;             /* the same, of a list's pictures that cannot be read below root; NULL: none */
    bool is_list;               /* from a CSV: pictures have a line */
    bool is_strict;             /* nothing may be left out */
    label_list list;            /* the pictures, in file order */
    int class_count;            /* all below: owned */
    char **classes;             /* [classes] */
    char **folders;             /* [classes] "ANGER/"; NULL where there is none, as in a list */
    int64_t *sizes;             /* [classes] */
    char *validation;           /* the sibling `val`, or NULL */
    const picture_maker *maker; /* NULL: pictures are files */
    uint16_t *groups;  /* [count] of those that a maker makes: their first labels, for plans that outlive an epoch's */
    int ignored_count; /* folders, or labels of a list, that are no class */
    int ignored_capacity;
    struct ignored_part {
        char *name;
        int64_t count;
    } * ignored;
};

/* Fills list, folders, validation and ignored from class folders at `path`. */
MIEN_MUST_USE mien_status folder_open(dataset *d, const char *path, dataset_use use);

/* Keeps that `count` files of a folder, or rows of a label, are left out; `name` is copied. */
MIEN_MUST_USE mien_status dataset_ignore(dataset *d, const char *name, int64_t count);
/* One notice of all that is left out, counted in `unit`. */
MIEN_MUST_USE mien_status dataset_tell_ignored(const dataset *d, const char *unit);
/* The failure that a strict set has instead. */
mien_status dataset_refuse_ignored(const dataset *d, const char *where);

#endif
