/* An open file of tensors: shared by tensor_file.c and the two containers of torch.save. */
#ifndef FORMAT_TENSOR_FILE_INT_H
#define FORMAT_TENSOR_FILE_INT_H

#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "format/tensor_file.h"
#include "format/unpickle.h"
#include "format/zip.h"

typedef struct {
    st_tensor t;          /* first: tensor_file_at hands it out */
    const char *own_name; /* in the file */
    size_t storage;       /* torch: by the container's numbers */
    int64_t offset, strides[SAFETENSORS_MAX_RANK];
} tensor_entry;

/* One storage of a legacy file, in the order of their keys' texts. */
typedef struct {
    const char *key;
    uint32_t key_length;
    size_t element_bytes, bytes;
    const uint8_t *data; /* in the mapping; NULL until found */
} legacy_storage;

/* How torch.save's two formats keep pickle and storages. */
typedef struct {
    const char *format;
    /* Sets f->objects from the file's bytes. */
    mien_status (*open)(tensor_file *f, const uint8_t *bytes, size_t length);
    /* *out = the number of the tensor's storage, *out_bytes = how many it really has. */
    mien_status (*find)(tensor_file *f, const pickle_tensor *t, size_t *out, size_t *out_bytes);
    /* *out = the storage's bytes, valid until the next call. */
    mien_status (*read)(tensor_file *f, size_t storage, const uint8_t **out);
} torch_container;
extern const torch_container torch_zip, torch_legacy;

struct tensor_file {
    char *path;
    file_map map;         /* empty where the bytes are the caller's */
    st_file *safetensors; /* or NULL, and then: */
    const torch_container *container;
    str where;       /* "x.pth: archive/data.pkl" */
    str choice;      /* of several dicts, or empty */
    pickle *objects; /* borrows its bytes from the mapping, or from pickle_bytes */
    uint8_t *pickle_bytes;
    zipr_file *zip;
    char *prefix;   /* of a zip's entries: "archive" */
    uint8_t *cache; /* the storage last read from a zip */
    size_t cached;
    legacy_storage *storages;
    size_t storage_count;

    arena *names;
    tensor_entry *entries;
    size_t count;
    const st_tensor **by_name; /* [count] */
};

#endif
