/* What the files of this room share and no other room sees. */
#ifndef DATA_DATASET_INT_H
#define DATA_DATASET_INT_H

#include "data/dataset.h"
#include "data/list.h"

#include <stdatomic.h>

/* A picture's path is root, its class's folder (class folders only) and its name, one after another. */
struct dataset {
    char *source;      /* as the user named it, for messages */
    char *root;        /* "" or ending in a slash */
    bool is_list;      /* from a CSV: pictures have a line */
    bool is_strict;    /* nothing may be left out */
    label_list list;   /* the pictures, in file order */
    int class_count;   /* all below: owned */
    char **classes;    /* [classes] */
    char **folders;    /* [classes] "ANGER/"; NULL where there is none, as in a list */
    int64_t *sizes;    /* [classes] */
    char *validation;  /* the sibling `val`, or NULL */
    int ignored_count; /* folders, or labels of a list, that are no class */
    int ignored_capacity;
    struct ignored_part {
        char *name;
        int64_t count;
    } * ignored;
    _Atomic uint32_t *reported; /* [ceil(count / 32)] bit i: picture i was logged as unreadable */
};

/* Fills list, folders, validation and ignored from class folders at `path`. */
MIEN_MUST_USE mien_status folder_open(dataset *d, const char *path, dataset_use use);

/* Keeps that `count` files of a folder, or rows of a label, are left out; `name` is copied. */
MIEN_MUST_USE mien_status dataset_ignore(dataset *d, const char *name, int64_t count);
/* One notice of all that is left out, counted in `unit`. */
MIEN_MUST_USE mien_status dataset_tell_ignored(const dataset *d, const char *unit);
/* The failure that a strict set has instead. */
mien_status dataset_refuse_ignored(const dataset *d, const char *where);

/* True the first time a picture is reported: one line each, whoever reads it how often. Threads: any. */
bool dataset_report(const dataset *d, int64_t index);

/* Whether a failure to read a picture is the picture's (a bad input among many) or ours. */
static inline bool dataset_is_bad_picture(mien_status st)
{
    return st == MIEN_ERR_IO || st == MIEN_ERR_FORMAT || st == MIEN_ERR_UNSUPPORTED;
}
/* How many of `count` pictures may be unreadable, and the failure where there are more. */
int64_t dataset_bad_allowed(int64_t count, double max_bad_share);
mien_status dataset_too_many_bad(const dataset *d, int64_t count, double max_bad_share, const char *last_why);

/* The place of a plan's original among those of its class, counted in balance_plan.by_class. */
int64_t balance_plan_position(const balance_plan *p, int64_t item);

#endif
