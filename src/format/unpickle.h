/* A restricted reader of Python pickles, protocols 2 to 5, as torch.save writes them. It executes nothing: a pickle is
 * a program for a stack machine, and this machine knows texts, numbers, tuples, lists, dicts, and by name the few
 * functions that stand for tensors. Whatever else a pickle names (numpy's scalars, paths, a run's options) is opaque:
 * a name, to call which gives the same name again, whatever it is called with or filled with. Names that no honest file
 * holds (os.system) are refused, and so are tensors of kinds that are not known. It knows no recursion, and what a
 * hostile pickle can make it hold is bounded: values, their number at once, and its own bytes. */
#ifndef FORMAT_UNPICKLE_H
#define FORMAT_UNPICKLE_H

#include "base/status.h"
#include "format/safetensors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest pickle that is read: a state dict of ten thousand tensors has about 1.5 MB. */
#define PICKLE_MAX_BYTES ((size_t)16 << 20)

typedef struct pickle pickle;

typedef enum {
    PICKLE_NOTHING, /* a memo's empty place */
    PICKLE_MARK,    /* never in a result */
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_LONG, /* beyond 64 bits: its little-endian bytes in text */
    PICKLE_FLOAT,
    PICKLE_TEXT,
    PICKLE_BYTES,
    PICKLE_GLOBAL, /* a name of those that are known, waiting to be called */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_OPAQUE, /* a name that is not known, or what it was called to make */
} pickle_kind;

typedef struct {
    uint8_t kind;    /* pickle_kind */
    uint32_t length; /* of text */
    union {
        int64_t whole; /* bool, int */
        double real;
        const char *text; /* in the pickle's bytes, not ended by NUL; UTF-8 where the kind is text */
        uint32_t index;   /* global: the row; tuple, list (and set), dict, storage, tensor, opaque: the object */
    };
} pickle_value;

/* Runs the pickle that stands at the beginning of `bytes`, which must outlive the result. *out_used: where it ended,
 * NULL where nobody asks. `where` starts messages ("x.pth: archive/data.pkl") and must outlive it too. Errors:
 * MIEN_ERR_FORMAT "where: byte N: ..." with the name of what is not allowed. */
MIEN_MUST_USE mien_status unpickle(pickle **out, size_t *out_used, const uint8_t *bytes, size_t length,
                                   const char *where);
void pickle_free(pickle *p); /* NULL is a no-op */
pickle_value pickle_root(const pickle *p);

/* Items of a tuple, list or dict (a dict's: key, value, key, value ...), 0 of anything else. */
uint32_t pickle_count(const pickle *p, pickle_value container);
typedef struct {
    const pickle *p;
    uint32_t cell;
} pickle_cursor;
pickle_cursor pickle_items(const pickle *p, pickle_value container);
bool pickle_next(pickle_cursor *c, pickle_value *out); /* false past the last */
/* A dict's value (the last one, where the key is repeated); false if absent or no dict. */
bool pickle_get(const pickle *p, pickle_value dict, const char *key, pickle_value *out);
bool pickle_is_text(pickle_value v, const char *text);
/* dst [bytes] = "module.name" of an opaque value. */
void pickle_opaque_name(char *dst, size_t bytes, const pickle *p, pickle_value opaque);

/* A tensor as its pickle describes it: a view of a storage that lies elsewhere. */
typedef struct {
    st_dtype dtype;
    const char *key; /* the storage's name, not ended by NUL */
    uint32_t key_length;
    int64_t storage_count; /* elements of `dtype` in the storage, as stated */
    int64_t offset;        /* elements before the first */
    int rank;              /* 0 = a scalar */
    int64_t dims[SAFETENSORS_MAX_RANK], strides[SAFETENSORS_MAX_RANK]; /* in elements, 0 or more */
    size_t bytes;                                                      /* dims times element size */
} pickle_tensor;
/* Decodes and checks a value of kind tensor: dims and strides stay inside the stated storage. Errors: MIEN_ERR_FORMAT
 * "where: tensor NAME: ...". */
MIEN_MUST_USE mien_status pickle_tensor_of(pickle_tensor *out, const pickle *p, pickle_value tensor, const char *name);
/* A storage as it is named: by whom its bytes are found in the file. */
typedef struct {
    st_dtype dtype; /* U8 where it has none of its own */
    const char *key;
    uint32_t key_length;
    int64_t count; /* elements, 0 or more */
} pickle_storage;
/* Every storage that the pickle names, once for each time; *at begins at 0. False past the last. */
bool pickle_next_storage(const pickle *p, uint32_t *at, pickle_storage *out);

#endif
