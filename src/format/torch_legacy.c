/* torch.save before PyTorch 1.6: pickles one after the other (a magic number, the protocol 1001, facts about the
 * system, the object, the keys of its storages in order), then each storage: its number of elements in 8 bytes, its
 * elements. */
#include "base/mem.h"
#include "base/size.h"
#include "format/tensor_file_int.h"

#include <stdlib.h>
#include <string.h>

enum { PROTOCOL = 1001, COUNT_BYTES = 8 };

/* The next of the file's pickles; *at moves behind it. */
static mien_status next_pickle(tensor_file *f, pickle **out, const uint8_t *bytes, size_t length, size_t *at)
{
    size_t used;
    f->where.length = 0;
    TRY(str_printf(&f->where, "%s: pickle at byte %zu", f->path, *at));
    TRY(unpickle(out, &used, bytes + *at, length - *at, f->where.text));
    *at += used;
    return MIEN_OK;
}

/* Magic number, protocol and system: the first was looked at to come here. */
static mien_status read_head(tensor_file *f, const uint8_t *bytes, size_t length, size_t *at)
{
    for (int i = 0; i < 3; i++) {
        pickle *p;
        TRY(next_pickle(f, &p, bytes, length, at));
        pickle_value root = pickle_root(p), is_little;
        bool is_good = i == 1   ? root.kind == PICKLE_INT && root.whole == PROTOCOL
                       : i == 2 ? !pickle_get(p, root, "little_endian", &is_little) ||
                                      (is_little.kind == PICKLE_BOOL && is_little.whole)
                                : true;
        pickle_free(p);
        if (!is_good)
            return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %s", f->where.text,
                             i == 1 ? "unknown protocol (wanted 1001)" : "not little-endian");
    }
    return MIEN_OK;
}

static int by_key(const void *a, const void *b)
{
    const legacy_storage *left = a, *right = b;
    size_t shorter = left->key_length < right->key_length ? left->key_length : right->key_length;
    int order = memcmp(left->key, right->key, shorter);
    return order ? order : (left->key_length > right->key_length) - (left->key_length < right->key_length);
}

/* The table of storages that the object names, each once. */
static mien_status list_storages(tensor_file *f)
{
    pickle_storage s;
    size_t count = 0, kept = 0;
    for (uint32_t at = 0; pickle_next_storage(f->objects, &at, &s);)
        count++;
    TRY(mem_zalloc(&f->storages, count));
    count = 0;
    for (uint32_t at = 0; pickle_next_storage(f->objects, &at, &s);)
        f->storages[count++] =
            (legacy_storage){.key = s.key, .key_length = s.key_length, .element_bytes = st_dtype_bytes(s.dtype)};
    if (count > 0)
        qsort(f->storages, count, sizeof f->storages[0], by_key);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || by_key(&f->storages[kept - 1], &f->storages[i]) != 0)
            f->storages[kept++] = f->storages[i];
        else if (f->storages[kept - 1].element_bytes != f->storages[i].element_bytes)
            return mien_fail(MIEN_ERR_FORMAT, "%s: storage %.*s: of two element types", f->path,
                             (int)f->storages[i].key_length, f->storages[i].key);
    f->storage_count = kept;
    return MIEN_OK;
}

static legacy_storage *find_key(const tensor_file *f, const char *key, uint32_t key_length)
{
    legacy_storage wanted = {.key = key, .key_length = key_length};
    return f->storage_count ? bsearch(&wanted, f->storages, f->storage_count, sizeof f->storages[0], by_key) : NULL;
}

/* The storages' data, in the order of `keys`; where *at stands now. */
static mien_status find_data(tensor_file *f, const pickle *keys, const uint8_t *bytes, size_t length, size_t at)
{
    pickle_value key;
    if (pickle_root(keys).kind != PICKLE_LIST)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no list of storages", f->where.text);
    for (pickle_cursor c = pickle_items(keys, pickle_root(keys)); pickle_next(&c, &key);) {
        legacy_storage *s = key.kind == PICKLE_TEXT ? find_key(f, key.text, key.length) : NULL;
        uint64_t count;
        if (!s || s->data)
            return mien_fail(MIEN_ERR_FORMAT, "%s: a storage %s", f->where.text, s ? "twice" : "that no tensor names");
        if (length - at < COUNT_BYTES)
            return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: cut short", f->path, at);
        memcpy(&count, bytes + at, COUNT_BYTES);
        at += COUNT_BYTES;
        if (!size_mul(&s->bytes, count, s->element_bytes) || s->bytes > length - at)
            return mien_fail(MIEN_ERR_FORMAT, "%s: byte %zu: cut short: storage %.*s exceeds the file (%zu bytes left)",
                             f->path, at - COUNT_BYTES, (int)s->key_length, s->key, length - at);
        s->data = bytes + at;
        at += s->bytes;
    }
    return MIEN_OK;
}

static mien_status open_legacy(tensor_file *f, const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    pickle *keys = NULL;
    TRY(read_head(f, bytes, length, &at));
    TRY(next_pickle(f, &f->objects, bytes, length, &at));
    TRY(list_storages(f));
    str object_where = f->where; /* which must live as long as the object */
    f->where = (str){0};
    mien_status st = next_pickle(f, &keys, bytes, length, &at);
    if (st == MIEN_OK)
        st = find_data(f, keys, bytes, length, at);
    pickle_free(keys);
    str_free(&f->where);
    f->where = object_where;
    return st;
}

static mien_status find_storage(tensor_file *f, const pickle_tensor *t, size_t *out, size_t *out_bytes)
{
    const legacy_storage *s = find_key(f, t->key, t->key_length);
    if (!s || !s->data)
        return mien_fail(MIEN_ERR_FORMAT, "%s: storage %.*s: not in the file", f->path, (int)t->key_length, t->key);
    *out = (size_t)(s - f->storages);
    *out_bytes = s->bytes;
    return MIEN_OK;
}

static mien_status read_storage(tensor_file *f, size_t storage, const uint8_t **out)
{
    *out = f->storages[storage].data;
    return MIEN_OK;
}

const torch_container torch_legacy = {"pytorch legacy", open_legacy, find_storage, read_storage};
