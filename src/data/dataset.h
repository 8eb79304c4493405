/* A labelled set of pictures: class folders, or a CSV `path,label`. Only names and labels are held; pictures are
 * decoded by whoever reads the source that a set is. Compact: a CSV of 277,251 lines opens in under a second and costs
 * under 100 MB. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "data/epoch_plan.h"
#include "data/picture_maker.h"

typedef struct dataset dataset;

typedef enum {
    DATASET_TRAIN,
    DATASET_EVALUATE,  /* a folder with `train` and `val` of class folders: which one is read */
    DATASET_STRICT = 2 /* added to either: what is none of the classes is refused, not left out */
} dataset_use;

/* path: a folder with one folder per class (any case, and synonyms: data/label.h), a folder with `train`/`val` of such,
 * or a CSV with or without header, label a number or a name, paths relative to the CSV. classes: lower-case names in
 * order of the labels (1..65535; copied). Folders: pictures stand class by class, in natural order within one ("2.jpg"
 * before "10.jpg"). Every file in a class folder or in folders below it counts as a picture (data/walk.h). Folders that
 * are no class, and rows of a CSV whose label is a name that is none, are left out with one notice and counted
 * (dataset_ignored). CSV: pictures stand in order of rows; rows may repeat (a list may oversample), but not under
 * another label, and columns may be named (data/list.h). Paths with backslashes mean folders where there is no such
 * file. Opening reads no picture and does not look whether files of a CSV are there. Errors: an empty class folder, two
 * folders of one class, a class without folder or row (training), a folder without any class, a bad CSV row
 * ("set.csv: line 7: label 9 (wanted 0..5 or a class name)"). A CSV row whose file is missing fails training when it is
 * read (loader.h). */
MIEN_MUST_USE mien_status dataset_open(dataset **out, const char *path, const char *const *classes, int class_count,
                                       dataset_use use);
/* The pictures of a CSV lie below `images` (NULL: as they did), and those that cannot be read there below `fallback`
 * (NULL: nowhere); copied. MIEN_ERR_ARG for class folders, whose pictures are what is in them. */
MIEN_MUST_USE mien_status dataset_set_images(dataset *d, const char *images, const char *fallback);
/* Pictures that are made (borrowed), in order of their numbers, with the labels of epoch 0. Of each class there is one;
 * none of another. */
MIEN_MUST_USE mien_status dataset_open_made(dataset **out, const picture_maker *maker, const char *const *classes,
                                            int class_count);
/* The labels are an epoch's now. Nothing of pictures that are not made anew. */
MIEN_MUST_USE mien_status dataset_renew(dataset *d, uint32_t epoch);
void dataset_free(dataset *d);                /* NULL is a no-op */
const char *dataset_source(const dataset *d); /* the path as given, for messages */
/* The pictures, each in the group of its class. Lives as long as the set; names and paths as below. */
const picture_set *dataset_pictures(const dataset *d);
int64_t dataset_count(const dataset *d);
int dataset_label(const dataset *d, int64_t index);
int dataset_class_count(const dataset *d);
const char *dataset_class(const dataset *d, int c);
int64_t dataset_class_size(const dataset *d, int c);
/* Name as the user gave it, relative to the set ("ANGER/1.jpg"), and the path that opens it. Into dst; too small is
 * MIEN_ERR_ARG. */
MIEN_MUST_USE mien_status dataset_name(const dataset *d, int64_t index, char *dst, size_t bytes);
MIEN_MUST_USE mien_status dataset_path(const dataset *d, int64_t index, char *dst, size_t bytes);
/* What was left out: the folder's name and number of files, or the label and number of rows. */
int dataset_ignored_count(const dataset *d);
const char *dataset_ignored(const dataset *d, int index, int64_t *out_count);
bool dataset_has_validation(const dataset *d); /* the folder has `train` and `val`: the recipe needs no share */
/* The sibling `val` set of a train/val folder opened for training. */
MIEN_MUST_USE mien_status dataset_open_validation(dataset **out, const dataset *d);

#endif
