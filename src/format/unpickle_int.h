/* The machine's memory: shared by unpickle.c, which runs the opcodes, and unpickle_torch.c, which knows what may be
 * called. */
#ifndef FORMAT_UNPICKLE_INT_H
#define FORMAT_UNPICKLE_INT_H

#include "format/unpickle.h"

/* Items of all containers lie in one array and are chained, so that a list may grow while others do. */
typedef struct {
    pickle_value value;
    uint32_t next; /* PICKLE_END after the last */
} pickle_cell;
#define PICKLE_END UINT32_MAX

typedef struct {
    uint8_t kind;                /* pickle_kind */
    uint32_t first, last, count; /* its cells; a storage's and a tensor's are those of the tuple that described it, and
                                  * what is opaque has two, its module and its name */
    uint32_t global;             /* a tensor's function; else 0 */
} pickle_object;

struct pickle {
    const uint8_t *bytes;
    size_t length, at, opcode_at;
    const char *where;
    pickle_value *stack, *memo;
    pickle_object *objects;
    pickle_cell *cells;
    uint32_t height, stack_room, memo_room, memo_used, object_count, object_room, cell_count, cell_room;
    uint32_t made;  /* values ever pushed: the bound on all but cells, which have the same */
    uint32_t marks; /* open now */
    bool is_stopped;
    pickle_value root;
};

/* What a pickle may name. */
typedef struct pickle_global pickle_global;
struct pickle_global {
    const char *module, *name;
    mien_status (*call)(pickle *p, const pickle_global *g, pickle_value args, pickle_value *out); /* NULL: not called */
    bool is_storage, is_untyped, is_dtype;
    st_dtype dtype; /* of a storage class, or of a dtype */
};
bool pickle_is_word(const char *word, const char *text, size_t length);
/* -1 where it is none of those. */
int pickle_global_find(const char *module, size_t module_length, const char *name, size_t name_length);
const pickle_global *pickle_global_at(uint32_t index);
/* Why a name that is none of those is refused; NULL where it stands for something opaque. */
const char *pickle_global_fault(const char *module, size_t module_length, const char *name, size_t name_length);

/* "where: byte N: fault" at the running opcode. */
mien_status pickle_fail(const pickle *p, const char *fault);
/* A new, empty object. */
MIEN_MUST_USE mien_status pickle_object_new(pickle *p, pickle_kind kind, pickle_value *out);
MIEN_MUST_USE mien_status pickle_append(pickle *p, uint32_t object, pickle_value item);
/* A persistent id: ('storage', class, key, location, count[, view]) becomes a storage. */
MIEN_MUST_USE mien_status pickle_storage_new(pickle *p, pickle_value id, pickle_value *out);

#endif
