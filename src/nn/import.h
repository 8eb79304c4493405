/* Weights that others trained, under the names that torchvision and timm have for them, and as they are saved: wrapped
 * ("module.", "backbone."), of another number of classes, with heads that nobody needs. */
#ifndef NN_IMPORT_H
#define NN_IMPORT_H

#include "format/tensor_file.h"
#include "nn/model.h"

/* What users call an architecture when they import it: its own name, or timm's, which may stand for a variant and for
 * another normalisation. */
typedef struct {
    const char *name; /* "tf_efficientnet_b0" */
    const char *arch; /* "efficientnet_b0" */
    model_variant variant;
    float mean[3], std[3]; /* std 0: the architecture's */
} import_name;
const import_name *import_name_find(const char *name); /* NULL if unknown */
const import_name *import_name_at(int index);          /* NULL past the end */
/* "resnet50, vit_base_patch16_224 or ...", for messages */
void import_names(char *dst, size_t bytes);

/* dst [bytes] = what `arch` calls a tensor that somebody calls `name`. */
void import_translate(char *dst, size_t bytes, const architecture *arch, const char *name);
/* How a file's names become those of `arch`: prefixes go, timm's names are translated; and beside that */
typedef struct {
    const architecture *arch;
    const char *const *ignored; /* [ignored_count] beginnings of names, in the file or translated, to be left out */
    int ignored_count;
    const char *only; /* "backbone.": names in the file that do not begin so are left out; NULL: all are read */
    const char *head, *own_head; /* "fc.1.", the file's classifier, and "fc.", ours; NULL: it is called alike */
} import_naming;
/* What stands before the names of tensors that are left out. */
#define IMPORT_IGNORED "ignored:"
MIEN_MUST_USE mien_status import_rename(tensor_file *f, const import_naming *naming);
/* Whether a tensor of this name, as the file has it, begins as `ignored` does. */
bool import_is_ignored(const architecture *arch, const char *ignored, const char *name);

/* What a renamed file has under arch's head_prefix. */
typedef struct {
    const st_tensor *linear, *second, *other; /* weights of the first and another Linear, what is none; or NULL */
    bool is_one; /* there is the one Linear [classes, feature_dim], perhaps with its bias, and nothing else */
} import_head;
import_head import_find_head(const tensor_file *f, const architecture *arch);
/* MIEN_ERR_FORMAT where there is something, but not the one Linear. */
MIEN_MUST_USE mien_status import_check_head(const import_head *h, const architecture *arch, const char *path);

/* Where arch has two variants whose files are alike to the last name, a notice says as which one was read. */
void import_tell_variant(const char *path, const architecture *arch, model_variant variant);

typedef struct {
    const char *task;           /* of weights that are no model of ours */
    const char *arch;           /* an import_name */
    const char *const *classes; /* NULL: the file's own, where it is a model of ours, else `default_classes` */
    int class_count;
    const char *const *default_classes;
    int default_class_count;
    const float *mean, *std;    /* [3]; NULL: the file's own, else what such weights expect */
    int image_size;             /* 0: the file's own, else the architecture's */
    const char *const *ignored; /* [ignored_count] as import_naming has it; each must be some tensor's beginning */
    int ignored_count;
} import_options;
/* A model with the file's weights; a head of another number of classes (or none) is drawn afresh, with a notice, one
 * that is no single Linear is refused. Missing, extra and wrong tensors: as param_store_load tells them. */
MIEN_MUST_USE mien_status import_model(model **out, const char *path, const import_options *options);

/* What architecture a file's names and shapes are of (a ViT's at any size). */
typedef struct {
    const architecture *arch; /* NULL: none that is known */
    int classes;              /* outputs of its head, 0 where it has none, or none that is known */
} import_guess;
/* Leaves the file's tensors renamed. */
MIEN_MUST_USE mien_status import_recognise(import_guess *out, tensor_file *f);

#endif
