/* One interface over three containers, told apart by their first bytes and never by the file's name. Of a pickle's
 * values only the dict of tensors matters, which training programs save some levels down. */
#include "format/tensor_file.h"

#include "base/mem.h"
#include "format/safetensors_int.h"
#include "format/stand_in.h"
#include "format/tensor_file_int.h"

#include <string.h>

/* --- the tensors of a pickle -------------------------------------------------------------------------------------- */

/* The next tensor of a dict and its name; all else is left out. False past the last. */
static bool next_tensor(pickle_cursor *c, pickle_value *out_name, pickle_value *out)
{
    while (pickle_next(c, out_name) && pickle_next(c, out))
        if (out_name->kind == PICKLE_TEXT && out->kind == PICKLE_TENSOR)
            return true;
    return false;
}

static size_t count_tensors(const pickle *p, pickle_value dict)
{
    size_t count = 0;
    pickle_value name, tensor;
    if (dict.kind != PICKLE_DICT)
        return 0;
    for (pickle_cursor c = pickle_items(p, dict); next_tensor(&c, &name, &tensor);)
        count++;
    return count;
}

/* Under which names a dict of tensors lies in another, by what comes first where there are several: running averages
 * are what their author means to be used, as in timm. */
static const char *const keys[] = {"state_dict_ema", "model_ema",        "ema_state_dict", "params_ema", "ema",
                                   "state_dict",     "model_state_dict", "model",          "net",        "network",
                                   "weights",        "params",           "teacher",        "student"};
enum { KEYS = sizeof keys / sizeof keys[0] };

/* found [KEYS] = what the dict has under each of the keys. */
static void find_keys(pickle_value *found, const pickle *p, pickle_value dict)
{
    pickle_value key, value;
    memset(found, 0, KEYS * sizeof *found);
    if (dict.kind != PICKLE_DICT)
        return;
    for (pickle_cursor c = pickle_items(p, dict); pickle_next(&c, &key) && pickle_next(&c, &value);)
        for (int k = 0; k < KEYS; k++)
            if (pickle_is_text(key, keys[k]))
                found[k] = value;
}

/* Whether a dict lies in this one under one of the keys. */
static bool leads_on(const pickle *p, pickle_value dict)
{
    pickle_value found[KEYS];
    find_keys(found, p, dict);
    for (int k = 0; k < KEYS; k++)
        if (found[k].kind == PICKLE_DICT)
            return true;
    return false;
}

/* The dict that lies in another under one of the keys: one that has tensors, else one that leads on; false where there
 * is none. Which one, where several have tensors, goes into f->choice. */
static mien_status find_inner(bool *has_inner, pickle_value *out, tensor_file *f, pickle_value dict)
{
    pickle_value found[KEYS];
    const char *names[KEYS];
    int count = 0;
    *has_inner = false;
    find_keys(found, f->objects, dict);
    for (int k = 0; k < KEYS; k++) {
        const bool has_tensors = count_tensors(f->objects, found[k]) > 0;
        if (has_tensors)
            names[count++] = keys[k];
        if (has_tensors ? count == 1 : !*has_inner && leads_on(f->objects, found[k])) {
            *out = found[k];
            *has_inner = true;
        }
    }
    if (count < 2 || f->choice.length > 0)
        return MIEN_OK;
    TRY(str_append(&f->choice, "has weights under"));
    for (int i = 0; i < count; i++)
        TRY(str_printf(&f->choice, "%s %s", i == 0 ? "" : i < count - 1 ? "," : " and", names[i]));
    return str_printf(&f->choice, ": those under %s are taken", names[0]);
}

/* What no state dict was found in: a whole module is worth a word of its own. */
static mien_status fail_state(const tensor_file *f, pickle_value dict)
{
    char name[160];
    pickle_value found[KEYS], opaque = dict;
    find_keys(found, f->objects, dict);
    for (int k = 0; k < KEYS && opaque.kind != PICKLE_OPAQUE; k++)
        opaque = found[k];
    if (opaque.kind != PICKLE_OPAQUE)
        return mien_fail(MIEN_ERR_FORMAT,
                         "%s: no state dict (wanted a dict of tensors, or one under state_dict or model)",
                         f->where.text);
    pickle_opaque_name(name, sizeof name, f->objects, opaque);
    return mien_fail(MIEN_ERR_FORMAT, "%s: an object of %s, no state dict (wanted model.state_dict() saved)",
                     f->where.text, name);
}

/* The dict of tensors: what was saved, or what lies in it some levels down (where other tensors may lie beside it). */
static mien_status find_state(tensor_file *f, pickle_value *out)
{
    enum { LEVELS = 4 };
    const pickle *p = f->objects;
    pickle_value dict = pickle_root(p), inner;
    for (int level = 0; level < LEVELS && dict.kind == PICKLE_DICT; level++) {
        bool has_inner, has_tensors = count_tensors(p, dict) > 0;
        TRY(find_inner(&has_inner, &inner, f, dict));
        if (has_tensors && !(has_inner && count_tensors(p, inner) > 0)) {
            *out = dict;
            return MIEN_OK;
        }
        if (!has_inner)
            break;
        dict = inner;
    }
    return fail_state(f, dict);
}

static mien_status read_entry(tensor_entry *e, tensor_file *f, pickle_value key, pickle_value tensor)
{
    char *name;
    size_t stored;
    pickle_tensor t;
    if (key.length == 0 || memchr(key.text, '\0', key.length))
        return mien_fail(MIEN_ERR_FORMAT, "%s: a tensor's name is empty or holds a NUL", f->where.text);
    TRY(arena_printf(f->names, &name, "%.*s", (int)key.length, key.text));
    TRY(pickle_tensor_of(&t, f->objects, tensor, name));
    TRY(f->container->find(f, &t, &e->storage, &stored));
    if (stored / st_dtype_bytes(t.dtype) < (size_t)t.storage_count)
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: its storage has %zu bytes (wanted %lld elements of %s)",
                         f->path, name, stored, (long long)t.storage_count, st_dtype_name(t.dtype));
    e->own_name = name;
    e->t = (st_tensor){.name = name, .dtype = t.dtype, .rank = t.rank, .bytes = t.bytes};
    memcpy(e->t.dims, t.dims, sizeof t.dims);
    memcpy(e->strides, t.strides, sizeof t.strides);
    e->offset = t.offset;
    return MIEN_OK;
}

static mien_status read_state(tensor_file *f)
{
    pickle_value state, name, tensor;
    TRY(find_state(f, &state));
    size_t count = count_tensors(f->objects, state);
    if (count > SAFETENSORS_MAX_ENTRIES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %zu tensors (wanted at most %d)", f->where.text, count,
                         SAFETENSORS_MAX_ENTRIES);
    TRY(mem_zalloc(&f->entries, count));
    for (pickle_cursor c = pickle_items(f->objects, state); next_tensor(&c, &name, &tensor);)
        TRY(read_entry(&f->entries[f->count++], f, name, tensor));
    return MIEN_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static bool starts_with(const uint8_t *bytes, size_t length, const char *head, size_t head_length)
{
    return length >= head_length && memcmp(bytes, head, head_length) == 0;
}

/* *out = NULL: safetensors, whose ninth byte is its header's brace (and whose length before it could look like
 * anything). */
static mien_status find_container(const torch_container **out, const uint8_t *bytes, size_t length, const char *path)
{
    static const char magic[] = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"; /* PROTO n stands before it */
    bool is_pickle = length > 2 && bytes[0] == 0x80;
    TRY(stand_in_check(bytes, length, path));
    if (length > 8 && bytes[8] == '{')
        *out = NULL;
    else if (starts_with(bytes, length, "PK\3\4", 4))
        *out = &torch_zip;
    else if (is_pickle && starts_with(bytes + 2, length - 2, magic, sizeof magic - 1))
        *out = &torch_legacy;
    else
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s (wanted safetensors, or what torch.save wrote)", path,
                         length == 0 ? "empty"
                         : is_pickle ? "a pickle, but not of torch.save"
                                     : "no file of tensors");
    return MIEN_OK;
}

static mien_status index_names(tensor_file *f)
{
    if (!f->by_name)
        TRY(mem_alloc(&f->by_name, f->count));
    for (size_t i = 0; i < f->count; i++)
        f->by_name[i] = &f->entries[i].t;
    return st_index_sort(f->by_name, f->count, f->path);
}

static mien_status open_safetensors(tensor_file *f, const uint8_t *bytes, size_t length)
{
    TRY(st_open_bytes(&f->safetensors, bytes, length, f->path));
    TRY(mem_zalloc(&f->entries, st_count(f->safetensors)));
    for (f->count = 0; f->count < st_count(f->safetensors); f->count++)
        f->entries[f->count] =
            (tensor_entry){.t = *st_at(f->safetensors, f->count), .own_name = st_at(f->safetensors, f->count)->name};
    return MIEN_OK;
}

static mien_status open_content(tensor_file *f, const uint8_t *bytes, size_t length)
{
    TRY(find_container(&f->container, bytes, length, f->path));
    TRY(arena_create(&f->names, 0));
    if (f->container) {
        TRY(f->container->open(f, bytes, length));
        TRY(read_state(f));
    } else {
        TRY(open_safetensors(f, bytes, length));
    }
    return index_names(f);
}

/* Takes over `map`, which is empty where the bytes are borrowed. */
static mien_status open_mapped(tensor_file **out, file_map map, const void *bytes, size_t length, const char *name)
{
    mien_status st;
    tensor_file *f = NULL;
    TRY_OUT(mem_zalloc(&f, 1));
    f->map = map;
    map = (file_map){0};
    TRY_OUT(mem_strdup(&f->path, name));
    TRY_OUT(open_content(f, bytes, length));
    *out = f;
    return MIEN_OK;
out:
    file_map_close(&map);
    tensor_file_close(f);
    return st;
}

mien_status tensor_file_open(tensor_file **out, const char *path)
{
    file_map map;
    TRY(file_map_open(&map, path));
    return open_mapped(out, map, map.data, map.length, path);
}

mien_status tensor_file_open_bytes(tensor_file **out, const void *bytes, size_t length, const char *name)
{
    return open_mapped(out, (file_map){0}, bytes, length, name);
}

void tensor_file_close(tensor_file *f)
{
    if (!f)
        return;
    st_close(f->safetensors);
    pickle_free(f->objects);
    zipr_close(f->zip);
    str_free(&f->where);
    str_free(&f->choice);
    arena_free(f->names);
    mem_free(f->pickle_bytes);
    mem_free(f->prefix);
    mem_free(f->cache);
    mem_free(f->storages);
    mem_free(f->entries);
    mem_free(f->by_name);
    mem_free(f->path);
    file_map_close(&f->map);
    mem_free(f);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

const char *tensor_file_format(const tensor_file *f)
{
    return f->container ? f->container->format : "safetensors";
}

const char *tensor_file_choice(const tensor_file *f)
{
    return f->choice.length > 0 ? f->choice.text : NULL;
}

size_t tensor_file_count(const tensor_file *f)
{
    return f->count;
}

const st_tensor *tensor_file_at(const tensor_file *f, size_t index)
{
    return &f->entries[index].t;
}

const st_tensor *tensor_file_find(const tensor_file *f, const char *name)
{
    return st_index_find(f->by_name, f->count, name);
}

const char *tensor_file_meta(const tensor_file *f, const char *key)
{
    return f->safetensors ? st_meta(f->safetensors, key) : NULL;
}

size_t tensor_file_meta_count(const tensor_file *f)
{
    return f->safetensors ? st_meta_count(f->safetensors) : 0;
}

st_metadata tensor_file_meta_at(const tensor_file *f, size_t index)
{
    return st_meta_at(f->safetensors, index);
}

/* How many of the last dimensions lie one after the other in the storage: they are copied at once. */
static int dense_from(const tensor_entry *e, size_t *out_bytes)
{
    size_t run = 1;
    int d = e->t.rank;
    while (d > 0 && (e->t.dims[d - 1] == 1 || e->strides[d - 1] == (int64_t)run))
        run *= (size_t)e->t.dims[--d];
    *out_bytes = run * st_dtype_bytes(e->t.dtype);
    return d;
}

/* dst = the view of `storage` that e is; dims and strides were held against it when the file was opened. */
static void gather(uint8_t *dst, const tensor_entry *e, const uint8_t *storage)
{
    size_t element = st_dtype_bytes(e->t.dtype), run;
    int outer = dense_from(e, &run), d;
    int64_t at[SAFETENSORS_MAX_RANK] = {0};
    size_t from = (size_t)e->offset; /* unsigned: the step past a dimension's end may wrap before it is taken back */
    do {
        memcpy(dst, storage + from * element, run);
        dst += run;
        for (d = outer - 1; d >= 0; d--) {
            from += (size_t)e->strides[d];
            if (++at[d] < e->t.dims[d])
                break;
            from -= (size_t)e->strides[d] * (size_t)e->t.dims[d];
            at[d] = 0;
        }
    } while (d >= 0);
}

mien_status tensor_file_read(void *dst, tensor_file *f, const st_tensor *t)
{
    const tensor_entry *e = (const tensor_entry *)(const void *)t;
    const uint8_t *storage;
    if (t->bytes == 0)
        return MIEN_OK;
    if (t->data) {
        memcpy(dst, t->data, t->bytes);
        return MIEN_OK;
    }
    TRY(f->container->read(f, e->storage, &storage));
    gather(dst, e, storage);
    return MIEN_OK;
}

mien_status tensor_file_rename(tensor_file *f, tensor_rename_fn fn, void *payload)
{
    char name[512], *copy;
    for (size_t i = 0; i < f->count; i++) {
        fn(payload, name, sizeof name, f->entries[i].own_name);
        TRY(arena_strdup(f->names, &copy, name));
        f->entries[i].t.name = copy;
    }
    return index_names(f);
}
