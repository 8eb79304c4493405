/* What a pickle may name: OrderedDict, torch.Size, the functions that rebuild tensors, classes of storages, dtypes; and
 * what it may not. Calling one executes nothing; it records what the tensor was said to be, and pickle_tensor_of checks
 * that when the tensor is wanted. */
#include "base/size.h"
#include "format/unpickle_int.h"

#include <inttypes.h>
#include <string.h>

enum {
    MAX_ARGS = 8,
    MAX_EXPANDED = 1 << 22, /* elements of a view that repeats what it shows: a bias for all channels, no bomb */
};

/* The items of a tuple that has `least` to `most` of them; false otherwise. */
static bool read_tuple(const pickle *p, pickle_value tuple, pickle_value *items, uint32_t least, uint32_t most)
{
    uint32_t count = pickle_count(p, tuple), i = 0;
    if (tuple.kind != PICKLE_TUPLE || count < least || count > most)
        return false;
    for (pickle_cursor c = pickle_items(p, tuple); pickle_next(&c, &items[i]);)
        i++;
    return true;
}

/* --- what is called ----------------------------------------------------------------------------------------------- */

static mien_status fail_call(const pickle *p, const pickle_global *g)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: %s.%s: called in a way that is not known", p->where, p->opcode_at,
                     g->module, g->name);
}

/* OrderedDict(), or as Python 2 wrote it OrderedDict([[key, value], ...]). */
static mien_status call_dict(pickle *p, const pickle_global *g, pickle_value args, pickle_value *out)
{
    pickle_value list, pair;
    TRY(pickle_object_new(p, PICKLE_DICT, out));
    if (pickle_count(p, args) == 0)
        return MIEN_OK;
    if (!read_tuple(p, args, &list, 1, 1) || list.kind != PICKLE_LIST)
        return fail_call(p, g);
    for (pickle_cursor c = pickle_items(p, list); pickle_next(&c, &pair);) {
        pickle_value key, value;
        pickle_cursor inner = pickle_items(p, pair);
        if (pickle_count(p, pair) != 2 || !pickle_next(&inner, &key) || !pickle_next(&inner, &value))
            return fail_call(p, g);
        TRY(pickle_append(p, out->index, key));
        TRY(pickle_append(p, out->index, value));
    }
    return MIEN_OK;
}

/* torch.Size((2, 3)) is its tuple; a parameter is its tensor. */
static mien_status call_first(pickle *p, const pickle_global *g, pickle_value args, pickle_value *out)
{
    pickle_cursor c = pickle_items(p, args);
    bool is_size = strcmp(g->name, "Size") == 0;
    if (!pickle_next(&c, out) || out->kind != (is_size ? PICKLE_TUPLE : PICKLE_TENSOR))
        return fail_call(p, g);
    return MIEN_OK;
}

/* (storage, offset, size, stride, ...): kept as it was said */
static mien_status call_tensor(pickle *p, const pickle_global *g, pickle_value args, pickle_value *out)
{
    pickle_value items[MAX_ARGS];
    if (!read_tuple(p, args, items, g->is_untyped ? 7 : 4, MAX_ARGS) || items[0].kind != PICKLE_STORAGE)
        return fail_call(p, g);
    TRY(pickle_object_new(p, PICKLE_TENSOR, out));
    pickle_object *tensor = &p->objects[out->index], *tuple = &p->objects[args.index];
    tensor->first = tuple->first;
    tensor->count = tuple->count;
    tensor->global = (uint32_t)(g - pickle_global_at(0));
    return MIEN_OK;
}

#define STORAGE(class, type)                                                                                           \
    {                                                                                                                  \
        "torch", class "Storage", .is_storage = true, .dtype = type                                                    \
    }
#define DTYPE(word, type)                                                                                              \
    {                                                                                                                  \
        "torch", word, .is_dtype = true, .dtype = type                                                                 \
    }
static const pickle_global globals[] = {
    {"collections", "OrderedDict", .call = call_dict},
    {"torch", "Size", .call = call_first},
    {"torch._utils", "_rebuild_tensor", .call = call_tensor},
    {"torch._utils", "_rebuild_tensor_v2", .call = call_tensor},
    {"torch._utils", "_rebuild_tensor_v3", .call = call_tensor, .is_untyped = true},
    {"torch._utils", "_rebuild_parameter", .call = call_first},
    {"torch._utils", "_rebuild_parameter_with_state", .call = call_first},
    {"torch.storage", "UntypedStorage", .is_storage = true, .is_untyped = true, .dtype = ST_U8},
    {"torch.storage", "_UntypedStorage", .is_storage = true, .is_untyped = true, .dtype = ST_U8},
    STORAGE("Float", ST_F32),
    STORAGE("Half", ST_F16),
    STORAGE("BFloat16", ST_BF16),
    STORAGE("Double", ST_F64),
    STORAGE("Long", ST_I64),
    STORAGE("Int", ST_I32),
    STORAGE("Short", ST_I16),
    STORAGE("Char", ST_I8),
    STORAGE("Byte", ST_U8),
    STORAGE("Bool", ST_BOOL),
    STORAGE("ComplexFloat", ST_C64),
    DTYPE("float32", ST_F32),
    DTYPE("float16", ST_F16),
    DTYPE("bfloat16", ST_BF16),
    DTYPE("float64", ST_F64),
    DTYPE("int64", ST_I64),
    DTYPE("int32", ST_I32),
    DTYPE("int16", ST_I16),
    DTYPE("int8", ST_I8),
    DTYPE("uint8", ST_U8),
    DTYPE("uint16", ST_U16),
    DTYPE("uint32", ST_U32),
    DTYPE("uint64", ST_U64),
    DTYPE("bool", ST_BOOL),
    DTYPE("complex64", ST_C64),
    DTYPE("float8_e5m2", ST_F8_E5M2),
    DTYPE("float8_e4m3fn", ST_F8_E4M3),
    DTYPE("float8_e8m0fnu", ST_F8_E8M0),
};
enum { GLOBALS = sizeof globals / sizeof globals[0] };

const pickle_global *pickle_global_at(uint32_t index)
{
    return &globals[index];
}

bool pickle_is_word(const char *word, const char *text, size_t length)
{
    return strlen(word) == length && memcmp(word, text, length) == 0;
}

int pickle_global_find(const char *module, size_t module_length, const char *name, size_t name_length)
{
    for (int i = 0; i < GLOBALS; i++)
        if (pickle_is_word(globals[i].module, module, module_length) &&
            pickle_is_word(globals[i].name, name, name_length))
            return i;
    return -1;
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

/* Nothing is executed, so these would be opaque like the rest; but who finds them in a file is to know that it was made
 * to attack whoever unpickles it. */
static const char *const attacks[] = {"os",     "posix",  "nt",        "sys",   "subprocess", "shutil",
                                      "socket", "ctypes", "importlib", "runpy", "pty",        "pickle"};
/* Of Python's own names these are values (an Enum's by getattr), all others act (eval, exec, open). */
static const char *const values[] = {"set",     "frozenset", "list",   "dict",    "tuple",  "int",    "float",
                                     "bool",    "str",       "bytes",  "complex", "range",  "xrange", "slice",
                                     "unicode", "bytearray", "object", "long",    "getattr"};

static bool is_among(const char *const *words, size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (pickle_is_word(words[i], text, length))
            return true;
    return false;
}

const char *pickle_global_fault(const char *module, size_t module_length, const char *name, size_t name_length)
{
    static const char refused[] = "not allowed in a checkpoint", unknown[] = "unknown kind of tensor";
    const char *dot = memchr(module, '.', module_length);
    size_t package = dot ? (size_t)(dot - module) : module_length;
    bool is_python = pickle_is_word("builtins", module, module_length) || /* Python 2's */
                     pickle_is_word("__builtin__", module, module_length);
    bool is_storage = name_length > strlen("Storage") &&
                      pickle_is_word("Storage", name + name_length - strlen("Storage"), strlen("Storage"));
    if (is_among(attacks, sizeof attacks / sizeof attacks[0], module, package) ||
        (is_python && !is_among(values, sizeof values / sizeof values[0], name, name_length)))
        return refused;
    if (pickle_is_word("torch", module, package) && is_storage)
        return "unknown dtype";
    if (pickle_is_word("torch._utils", module, module_length) || pickle_is_word("torch._tensor", module, module_length))
        return unknown;
    return NULL;
}

/* --- storages ----------------------------------------------------------------------------------------------------- */

enum { ID_KIND, ID_CLASS, ID_KEY, ID_PLACE, ID_COUNT, ID_VIEW, ID_ITEMS };

mien_status pickle_storage_new(pickle *p, pickle_value id, pickle_value *out)
{
    pickle_value items[ID_ITEMS] = {0};
    pickle_cursor c = pickle_items(p, id);
    if (pickle_next(&c, &items[ID_KIND]) && pickle_is_text(items[ID_KIND], "module"))
        return pickle_fail(p, "a whole module (wanted a state dict: save model.state_dict())");
    if (!read_tuple(p, id, items, ID_VIEW, ID_ITEMS) || !pickle_is_text(items[ID_KIND], "storage") ||
        items[ID_CLASS].kind != PICKLE_GLOBAL || !globals[items[ID_CLASS].index].is_storage ||
        items[ID_KEY].kind != PICKLE_TEXT || items[ID_COUNT].kind != PICKLE_INT || items[ID_COUNT].whole < 0)
        return pickle_fail(p, "names something that is no storage");
    if (items[ID_VIEW].kind != PICKLE_NOTHING && items[ID_VIEW].kind != PICKLE_NONE)
        return pickle_fail(p, "a view of a storage (wanted a file saved by PyTorch 0.4 or newer)");
    TRY(pickle_object_new(p, PICKLE_STORAGE, out));
    pickle_object *storage = &p->objects[out->index], *tuple = &p->objects[id.index];
    storage->first = tuple->first;
    storage->count = tuple->count;
    return MIEN_OK;
}

/* Its tuple was checked when it was made, and tuples do not change. */
static pickle_storage storage_of(const pickle *p, uint32_t object)
{
    pickle_value items[ID_ITEMS] = {0};
    pickle_cursor c = {p, p->objects[object].first};
    for (int i = 0; i < ID_VIEW; i++)
        (void)pickle_next(&c, &items[i]);
    return (pickle_storage){globals[items[ID_CLASS].index].dtype, items[ID_KEY].text, items[ID_KEY].length,
                            items[ID_COUNT].whole};
}

bool pickle_next_storage(const pickle *p, uint32_t *at, pickle_storage *out)
{
    while (*at < p->object_count && p->objects[*at].kind != PICKLE_STORAGE)
        ++*at;
    if (*at == p->object_count)
        return false;
    *out = storage_of(p, (*at)++);
    return true;
}

/* --- tensors ------------------------------------------------------------------------------------------------------ */

/* Whole numbers of 0 or more; -1 where they are none, or more than SAFETENSORS_MAX_RANK. */
static int read_numbers(const pickle *p, pickle_value tuple, int64_t *out)
{
    pickle_value items[SAFETENSORS_MAX_RANK];
    if (!read_tuple(p, tuple, items, 0, SAFETENSORS_MAX_RANK))
        return -1;
    int count = (int)pickle_count(p, tuple);
    for (int i = 0; i < count; i++) {
        if (items[i].kind != PICKLE_INT || items[i].whole < 0)
            return -1;
        out[i] = items[i].whole;
    }
    return count;
}

static mien_status fail_tensor(const pickle *p, const char *name, const char *fault)
{
    return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: %s", p->where, name, fault);
}

/* Sets t->bytes; the last element reached lies within the storage. */
static mien_status check_extent(pickle_tensor *t, const pickle *p, const char *name)
{
    int64_t last = t->offset, step;
    bool is_empty = false, fits = true;
    size_t bytes = st_dtype_bytes(t->dtype);
    for (int i = 0; i < t->rank; i++) {
        is_empty = is_empty || t->dims[i] == 0;
        if (!size_mul(&bytes, bytes, (size_t)t->dims[i]) || bytes > INT64_MAX)
            return fail_tensor(p, name, "size overflows");
        fits = fits && !__builtin_mul_overflow(t->dims[i] ? t->dims[i] - 1 : 0, t->strides[i], &step) &&
               !__builtin_add_overflow(last, step, &last);
    }
    t->bytes = bytes;
    size_t count = bytes / st_dtype_bytes(t->dtype);
    if (count > MAX_EXPANDED && count > (size_t)t->storage_count)
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: %zu elements of a storage of %" PRId64 " (wanted at most %d)",
                         p->where, name, count, t->storage_count, MAX_EXPANDED);
    if (!fits || (!is_empty && last >= t->storage_count))
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: strides leave its storage (of %" PRId64 " elements)",
                         p->where, name, t->storage_count);
    return MIEN_OK;
}

mien_status pickle_tensor_of(pickle_tensor *out, const pickle *p, pickle_value tensor, const char *name)
{
    enum { STORAGE_ARG, OFFSET_ARG, SIZE_ARG, STRIDE_ARG, DTYPE_ARG = 6 };
    pickle_value args[MAX_ARGS] = {0};
    const pickle_object *object = &p->objects[tensor.index];
    pickle_cursor c = {p, object->first};
    for (uint32_t i = 0; i < object->count; i++)
        (void)pickle_next(&c, &args[i]);
    pickle_storage storage = storage_of(p, args[STORAGE_ARG].index);
    pickle_tensor t = {.dtype = storage.dtype, .key = storage.key, .key_length = storage.key_length};
    if (globals[object->global].is_untyped) { /* says its dtype itself, over a storage of bytes */
        if (args[DTYPE_ARG].kind != PICKLE_GLOBAL || !globals[args[DTYPE_ARG].index].is_dtype)
            return fail_tensor(p, name, "unknown dtype");
        t.dtype = globals[args[DTYPE_ARG].index].dtype;
    }
    size_t storage_bytes;
    if (!size_mul(&storage_bytes, (size_t)storage.count, st_dtype_bytes(storage.dtype)))
        return fail_tensor(p, name, "size of its storage overflows");
    t.storage_count = (int64_t)(storage_bytes / st_dtype_bytes(t.dtype));
    if (args[OFFSET_ARG].kind != PICKLE_INT || args[OFFSET_ARG].whole < 0)
        return fail_tensor(p, name, "offset is no whole number of 0 or more");
    t.offset = args[OFFSET_ARG].whole;
    t.rank = read_numbers(p, args[SIZE_ARG], t.dims);
    if (t.rank < 0 || read_numbers(p, args[STRIDE_ARG], t.strides) != t.rank)
        return fail_tensor(p, name, "size and strides do not match (wanted at most 8 numbers of 0 or more each)");
    TRY(check_extent(&t, p, name));
    *out = t;
    return MIEN_OK;
}
