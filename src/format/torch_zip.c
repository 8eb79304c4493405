/* torch.save since PyTorch 1.6: a zip archive with PREFIX/data.pkl, PREFIX/data/KEY for each storage, stored without
 * compression, and small entries of which one, PREFIX/byteorder, matters. A storage is read when a tensor of it is
 * wanted, and kept until another one is: tensors that share one lie beside each other.
 *
 * Who packs such a file anew has its storages compressed. These are taken too, but must be as large as the pickle says,
 * and no larger than any that is worth its memory: a few bytes could stand for gigabytes. */
#include "base/mem.h"
#include "format/tensor_file_int.h"

#include <inttypes.h>
#include <string.h>

enum { NOT_CACHED = -1, BYTE_ORDER_BYTES = 16, MAX_INFLATED = 256 << 20 };

/* Nothing is ever unpacked to a disk, but a name that leaves its folder shows what the archive is meant for. */
static mien_status check_name(const tensor_file *f, const char *name)
{
    bool leaves = *name == '/' || strchr(name, '\\');
    for (const char *part = name; part && !leaves; part = strchr(part, '/')) {
        part += *part == '/';
        leaves = strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0');
    }
    if (!leaves)
        return MIEN_OK;
    return mien_fail(MIEN_ERR_FORMAT, "%s: entry %s: a path that leaves its folder", f->path, name);
}

/* The one entry PREFIX/data.pkl. */
static mien_status find_pickle(tensor_file *f, size_t *out)
{
    size_t found = zipr_count(f->zip);
    for (size_t i = 0; i < zipr_count(f->zip); i++) {
        const char *name = zipr_at(f->zip, i)->name, *slash = strchr(name, '/');
        TRY(check_name(f, name));
        if (!slash || strcmp(slash, "/data.pkl") != 0)
            continue;
        if (found < zipr_count(f->zip))
            return mien_fail(MIEN_ERR_FORMAT, "%s: two pickles, %s and %s", f->path, zipr_at(f->zip, found)->name,
                             name);
        found = i;
    }
    if (found == zipr_count(f->zip))
        return mien_fail(MIEN_ERR_FORMAT, "%s: a zip archive, but not one of PyTorch (no data.pkl in its folder)",
                         f->path);
    *out = found;
    return MIEN_OK;
}

/* "PREFIX/rest" */
static mien_status entry_name(str *out, const tensor_file *f, const char *rest, const char *key, size_t key_length)
{
    TRY(str_printf(out, "%s/%s", f->prefix, rest));
    return str_append_bytes(out, key, key_length);
}

static bool has_entry(const tensor_file *f, const char *name, size_t *out)
{
    for (size_t i = 0; i < zipr_count(f->zip); i++)
        if (strcmp(zipr_at(f->zip, i)->name, name) == 0) {
            *out = i;
            return true;
        }
    return false;
}

/* Files of PyTorch before 2.0 do not say, and are little-endian. */
static mien_status check_byte_order(tensor_file *f)
{
    mien_status st = MIEN_OK;
    str name = {0};
    uint8_t *text = NULL;
    size_t index, length;
    TRY_OUT(entry_name(&name, f, "byteorder", "", 0));
    if (!has_entry(f, name.text, &index))
        goto out;
    TRY_OUT(zipr_read(&text, &length, f->zip, index, BYTE_ORDER_BYTES));
    if (strcmp((const char *)text, "little") != 0)
        st = mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %s: %.16s (wanted little)", f->path, name.text, (const char *)text);
out:
    mem_free(text);
    str_free(&name);
    return st;
}

static mien_status open_zip(tensor_file *f, const uint8_t *bytes, size_t length)
{
    size_t index, pickle_length;
    f->cached = (size_t)NOT_CACHED;
    TRY(zipr_open_bytes(&f->zip, bytes, length, f->path));
    TRY(find_pickle(f, &index));
    const char *name = zipr_at(f->zip, index)->name;
    TRY(str_printf(&f->where, "%s: %s", f->path, name));
    TRY(mem_strdup(&f->prefix, name));
    *strchr(f->prefix, '/') = '\0';
    TRY(check_byte_order(f));
    TRY(zipr_read(&f->pickle_bytes, &pickle_length, f->zip, index, PICKLE_MAX_BYTES));
    return unpickle(&f->objects, NULL, f->pickle_bytes, pickle_length, f->where.text);
}

static mien_status find_storage(tensor_file *f, const pickle_tensor *t, size_t *out, size_t *out_bytes)
{
    str name = {0};
    mien_status st = entry_name(&name, f, "data/", t->key, t->key_length);
    if (st == MIEN_OK)
        st = zipr_find(out, f->zip, name.text);
    if (st == MIEN_OK) {
        const zipr_entry *e = zipr_at(f->zip, *out);
        const uint64_t stated = (uint64_t)t->storage_count * st_dtype_bytes(t->dtype);
        if (!e->is_stored && (e->bytes != stated || e->bytes > MAX_INFLATED))
            st = mien_fail(MIEN_ERR_FORMAT,
                           "%s: %s: compressed, %" PRIu64 " bytes (wanted %" PRIu64 ", and at most %d, or stored)",
                           f->path, name.text, e->bytes, stated, MAX_INFLATED);
        *out_bytes = e->bytes;
    }
    str_free(&name);
    return st;
}

static mien_status read_storage(tensor_file *f, size_t storage, const uint8_t **out)
{
    if (f->cached != storage) {
        size_t length;
        mem_free(f->cache);
        f->cache = NULL;
        f->cached = (size_t)NOT_CACHED;
        TRY(zipr_read(&f->cache, &length, f->zip, storage, SIZE_MAX)); /* find_storage has seen its size */
        f->cached = storage;
    }
    *out = f->cache;
    return MIEN_OK;
}

const torch_container torch_zip = {"pytorch zip", open_zip, find_storage, read_storage};
