/* Slices are found by a hash of their names, which also names each one's random stream: a layer begins with the same
 * numbers whatever stands beside it. Loading compares the whole table with the file before it changes one number. */
#include "nn/param_store.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/size.h"
#include "graph/params.h"
#include "nn/positions.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Slices start on cache lines, so that no kernel meets an unaligned one. */
enum { SLICE_ALIGN_ELEMENTS = 16 };

struct param_store {
    arena *names;
    param_slice *slices;
    int count, capacity;
    int32_t *buckets; /* open addressing over names: slice index or -1; capacity a power of two */
    int bucket_count;
    size_t elements; /* of the value arena */
    int counter_count;
    int64_t *counters;
    param_memory memory;
    param_place place;
};

mien_status param_store_create(param_store **out)
{
    param_store *s = NULL;
    TRY(mem_zalloc(&s, 1));
    mien_status st = arena_create(&s->names, 0);
    if (st != MIEN_OK) {
        mem_free(s);
        return st;
    }
    *out = s;
    return MIEN_OK;
}

void param_store_free(param_store *s)
{
    if (!s)
        return;
    params_leave(&s->place);
    arena_free(s->names);
    mem_free(s->slices);
    mem_free(s->buckets);
    mem_free(s->counters);
    mem_free(s->memory.values);
    mem_free(s->memory.grads);
    mem_free(s->memory.sums);
    mem_free(s->memory.state1);
    mem_free(s->memory.state2);
    mem_free(s);
}

/* It also names the random stream of a slice. */
static uint64_t name_hash(const char *name)
{
    return hash_bytes(HASH_BEGIN, name, strlen(name));
}

/* The bucket that holds `name`, or the free one where it belongs. */
static int bucket_of(const param_store *s, const char *name)
{
    int at = (int)(name_hash(name) & (uint64_t)(s->bucket_count - 1));
    while (s->buckets[at] >= 0 && strcmp(s->slices[s->buckets[at]].name, name) != 0)
        at = (at + 1) & (s->bucket_count - 1);
    return at;
}

int param_store_find(const param_store *s, const char *name)
{
    return s->bucket_count ? s->buckets[bucket_of(s, name)] : -1;
}

static mien_status grow(param_store *s)
{
    int capacity = s->capacity ? 2 * s->capacity : 256;
    param_slice *slices = NULL;
    int32_t *buckets = NULL;
    TRY(mem_alloc(&slices, capacity));
    mien_status st = mem_alloc(&buckets, 2 * capacity);
    if (st != MIEN_OK) {
        mem_free(slices);
        return st;
    }
    if (s->count)
        memcpy(slices, s->slices, (size_t)s->count * sizeof *slices);
    mem_free(s->slices);
    mem_free(s->buckets);
    s->slices = slices;
    s->buckets = buckets;
    s->capacity = capacity;
    s->bucket_count = 2 * capacity;
    memset(buckets, 0xff, (size_t)s->bucket_count * sizeof *buckets);
    for (int i = 0; i < s->count; i++)
        buckets[bucket_of(s, slices[i].name)] = i;
    return MIEN_OK;
}

mien_status param_store_declare(param_store *s, int *out, const char *name, shape dims, slice_kind kind,
                                param_init init)
{
    int known = param_store_find(s, name);
    if (known >= 0) {
        if (!shape_equal(&s->slices[known].shape, &dims))
            return mien_fail(MIEN_ERR_SHAPE, "%s: declared twice with different shapes", name);
        *out = known;
        return MIEN_OK;
    }
    if (s->memory.values)
        return mien_fail(MIEN_ERR_INTERNAL, "%s: declared after the store was allocated", name);
    if (s->count == s->capacity)
        TRY(grow(s));
    param_slice slice = {.shape = dims, .kind = kind, .init = init, .count = (size_t)shape_count(&dims)};
    char *copy = NULL;
    TRY(arena_strdup(s->names, &copy, name));
    slice.name = copy;
    slice.is_trainable = kind == SLICE_PARAMETER;
    if (kind == SLICE_COUNTER) {
        slice.offset = (size_t)s->counter_count++;
    } else {
        slice.offset = s->elements;
        s->elements += size_align(slice.count, SLICE_ALIGN_ELEMENTS);
    }
    s->buckets[bucket_of(s, name)] = s->count;
    *out = s->count;
    s->slices[s->count++] = slice;
    return MIEN_OK;
}

void param_store_mark_positions(param_store *s, int index)
{
    s->slices[index].is_positions = true;
}

int param_store_count(const param_store *s)
{
    return s->count;
}
const param_slice *param_store_at(const param_store *s, int index)
{
    return &s->slices[index];
}
param_memory *param_store_memory(param_store *s)
{
    return &s->memory;
}

int64_t param_store_parameter_count(const param_store *s)
{
    int64_t total = 0;
    for (int i = 0; i < s->count; i++)
        if (s->slices[i].kind == SLICE_PARAMETER)
            total += (int64_t)s->slices[i].count;
    return total;
}

int param_store_set_trainable(param_store *s, const char *prefix, bool value)
{
    int changed = 0;
    for (int i = 0; i < s->count; i++)
        if (s->slices[i].kind == SLICE_PARAMETER && str_starts(s->slices[i].name, prefix)) {
            s->slices[i].is_trainable = value;
            changed++;
        }
    return changed;
}

int64_t *param_store_counters(param_store *s, int *count)
{
    *count = s->counter_count;
    return s->counters;
}

size_t param_store_trained_count(const param_store *s)
{
    return s->memory.trained_count;
}

/* Where the last trainable slice ends; at least one element, so that there is something to allocate. */
static size_t trained_extent(const param_store *s)
{
    size_t end = SLICE_ALIGN_ELEMENTS;
    for (int i = 0; i < s->count; i++) {
        const param_slice *slice = &s->slices[i];
        size_t slice_end = slice->offset + size_align(slice->count, SLICE_ALIGN_ELEMENTS);
        if (slice->is_trainable && slice_end > end)
            end = slice_end;
    }
    return end;
}

mien_status param_store_alloc(param_store *s, bool with_gradients)
{
    param_memory *m = &s->memory;
    m->count = s->elements;
    if (!s->counters)
        TRY(mem_zalloc(&s->counters, s->counter_count ? s->counter_count : 1));
    if (!m->values)
        TRY(mem_zalloc(&m->values, s->elements));
    if (with_gradients) {
        if (!m->grads) {
            m->trained_count = trained_extent(s);
            TRY(mem_zalloc(&m->grads, m->trained_count));
        }
        if (!m->state1)
            TRY(mem_zalloc(&m->state1, m->trained_count));
        if (!m->state2)
            TRY(mem_zalloc(&m->state2, m->trained_count));
    }
    return MIEN_OK;
}

mien_status param_store_alloc_sums(param_store *s)
{
    param_memory *m = &s->memory;
    if (!m->grads)
        return mien_fail(MIEN_ERR_INTERNAL, "sums of gradients without gradients");
    return m->sums ? MIEN_OK : mem_zalloc(&m->sums, m->trained_count);
}

mien_status param_store_place(param_store *s, const param_memory **out, backend *b)
{
    TRY(params_place(&s->place, b, &s->memory));
    *out = &s->place.memory;
    return MIEN_OK;
}

mien_status param_store_upload(param_store *s)
{
    return params_upload(&s->place, &s->memory);
}

static void init_slice(const param_store *s, const param_slice *slice, uint64_t seed)
{
    float *w = s->memory.values + slice->offset;
    rng r = rng_at(seed, 0, name_hash(slice->name), RNG_INIT);
    for (size_t i = 0; i < slice->count; i++)
        switch (slice->init.kind) {
        case INIT_CONSTANT:
            w[i] = slice->init.scale;
            break;
        case INIT_NORMAL:
            w[i] = slice->init.scale * rng_normal(&r);
            break;
        case INIT_UNIFORM:
            w[i] = rng_range(&r, -slice->init.scale, slice->init.scale);
            break;
        }
}

void param_store_init(param_store *s, uint64_t seed)
{
    for (int i = 0; i < s->count; i++)
        if (s->slices[i].kind != SLICE_COUNTER)
            init_slice(s, &s->slices[i], seed);
    memset(s->counters, 0, (size_t)s->counter_count * sizeof *s->counters);
}

void param_store_count_batch(param_store *s)
{
    for (int i = 0; i < s->counter_count; i++)
        s->counters[i]++;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static float f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 0x3ffu;
    union {
        uint32_t u;
        float f;
    } x;
    if (exponent == 0) { /* zero or subnormal: mantissa x 2^-24 */
        x.f = (float)mantissa * 0x1p-24f;
        x.u |= sign;
    } else {
        x.u = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
    }
    return x.f;
}

/* Element i of those of a float type. */
static float read_float(const uint8_t *elements, st_dtype type, size_t i)
{
    const uint8_t *p = elements + i * st_dtype_bytes(type);
    uint16_t half;
    float f;
    double d;
    switch (type) {
    case ST_F16:
        memcpy(&half, p, sizeof half);
        return f16_to_f32(half);
    case ST_BF16:
        memcpy(&half, p, sizeof half);
        return bf16_to_f32(half);
    case ST_F64:
        memcpy(&d, p, sizeof d);
        return (float)d;
    default:
        memcpy(&f, p, sizeof f);
        return f;
    }
}

static bool is_float(st_dtype t)
{
    return t == ST_F32 || t == ST_F16 || t == ST_BF16 || t == ST_F64;
}

/* What a file has for a slice: one tensor, or three, each a third of its rows. */
enum { PARTS = 3, NAME_BYTES = 256 };
typedef struct {
    const st_tensor *part[PARTS];
    int count; /* 0: nothing */
} slice_content;

static slice_content find_content(const tensor_file *f, const char *name)
{
    char part[NAME_BYTES];
    slice_content c = {.part = {tensor_file_find(f, name)}, .count = 1};
    if (c.part[0])
        return c;
    for (c.count = 0; c.count < PARTS; c.count++) {
        int length = snprintf(part, sizeof part, "%d:%s", c.count, name);
        c.part[c.count] = length < (int)sizeof part ? tensor_file_find(f, part) : NULL;
        if (!c.part[c.count])
            return (slice_content){0};
    }
    return c;
}

/* Whether t has the slice's shape, or (parts above 1) that part of its rows. */
static bool same_shape(const param_slice *slice, const st_tensor *t, int parts)
{
    shape wanted = slice->shape;
    if (wanted.rank != t->rank || (parts > 1 && (t->rank == 0 || wanted.dim[0] % parts != 0)))
        return false;
    if (parts > 1)
        wanted.dim[0] /= parts;
    for (int i = 0; i < t->rank; i++)
        if (wanted.dim[i] != t->dims[i])
            return false;
    return true;
}

/* Whether t is a position embedding like slice, over another grid. */
static bool is_other_grid(const param_slice *slice, const st_tensor *t)
{
    return slice->is_positions && t->rank == 3 && t->dims[0] == 1 && t->dims[2] == slice->shape.dim[2] &&
           !same_shape(slice, t, 1) && positions_side(t->dims[1]) > 0;
}

/* What is wrong with c as the content of slice, or NULL. */
static const char *mismatch(const param_slice *slice, const slice_content *c, bool is_resampled)
{
    const st_tensor *t = c->part[0];
    if (slice->kind == SLICE_COUNTER)
        return t->dtype == ST_I64 && t->bytes == sizeof(int64_t) && c->count == 1 ? NULL : "not an int64 scalar";
    for (int k = 0; k < c->count; k++)
        if (!is_float(c->part[k]->dtype))
            return "not a float tensor";
    if (c->count == 1 && is_resampled && is_other_grid(slice, t))
        return NULL;
    for (int k = 0; k < c->count; k++)
        if (!same_shape(slice, c->part[k], c->count))
            return "another shape";
    return NULL;
}

/* Whether one of these is NaN or infinite: then its exponent's bits are all ones, and one more reaches the sign. */
static bool is_any_not_finite(const float *values, int count)
{
    uint32_t found = 0;
    for (int i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        found |= (bits & 0x7fffffffu) + 0x00800000u;
    }
    return found >> 31;
}

mien_status param_check_finite(const float *values, size_t count, const char *path, const char *name)
{
    enum { BLOCK = 1024 }; /* a number that the compiler knows, or it would not make vectors of the loop */
    size_t at = 0;
    while (count - at >= BLOCK && !is_any_not_finite(values + at, BLOCK))
        at += BLOCK;
    for (; at < count; at++)
        if (!isfinite(values[at]))
            return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: element %zu is %s (wanted finite numbers)", path, name,
                             at, isnan(values[at]) ? "NaN" : "infinite");
    return MIEN_OK;
}

/* dst [count] = t, all of it finite. */
static mien_status read_floats(float *dst, tensor_file *f, const char *path, const st_tensor *t, size_t count)
{
    if (t->dtype == ST_F32) {
        TRY(tensor_file_read(dst, f, t));
        return param_check_finite(dst, count, path, t->name);
    }
    uint8_t *elements;
    TRY(mem_alloc(&elements, t->bytes));
    mien_status st = tensor_file_read(elements, f, t);
    for (size_t i = 0; i < count && st == MIEN_OK; i++)
        dst[i] = read_float(elements, t->dtype, i);
    mem_free(elements);
    return st == MIEN_OK ? param_check_finite(dst, count, path, t->name) : st;
}

static mien_status resample_slice(param_store *s, const param_slice *slice, tensor_file *f, const char *path,
                                  const st_tensor *t)
{
    const int64_t to = positions_side(slice->shape.dim[1]), from = positions_side(t->dims[1]);
    const size_t count = (size_t)(t->dims[1] * t->dims[2]);
    float *read = NULL;
    TRY(mem_alloc(&read, count));
    mien_status st = read_floats(read, f, path, t, count);
    if (st == MIEN_OK) {
        positions_resample(s->memory.values + slice->offset, to, read, from, t->dims[2]);
        log_notice("%s: %lld x %lld positions resampled to %lld x %lld", slice->name, (long long)from, (long long)from,
                   (long long)to, (long long)to);
    }
    mem_free(read);
    return st;
}

static mien_status copy_slice(param_store *s, const param_slice *slice, tensor_file *f, const char *path,
                              const slice_content *c)
{
    if (slice->kind == SLICE_COUNTER)
        return tensor_file_read(&s->counters[slice->offset], f, c->part[0]);
    if (is_other_grid(slice, c->part[0]))
        return resample_slice(s, slice, f, path, c->part[0]);
    const size_t each = slice->count / (size_t)c->count;
    for (int k = 0; k < c->count; k++)
        TRY(read_floats(s->memory.values + slice->offset + (size_t)k * each, f, path, c->part[k], each));
    return MIEN_OK;
}

static bool is_skipped(const char *name, const char *const *prefixes)
{
    for (; prefixes && *prefixes; prefixes++)
        if (str_starts(name, *prefixes))
            return true;
    return false;
}

/* The name that the slice has in a file of those under root; NULL where it has none to fill it. */
static const char *name_in_file(const param_slice *slice, const char *root, const char *const *skip_prefixes)
{
    const char *name = str_starts(slice->name, root) ? slice->name + strlen(root) : NULL;
    return name && is_skipped(name, skip_prefixes) ? NULL : name;
}

/* Whether the file's tensor of this name, whole or a part, fills a slice of those under root. */
static bool is_wanted(const param_store *s, const char *root, const tensor_file *f, const char *name)
{
    char full[NAME_BYTES];
    bool is_part = name[0] >= '0' && name[0] < '0' + PARTS && name[1] == ':';
    const char *whole = is_part ? name + 2 : name;
    int length = snprintf(full, sizeof full, "%s%s", root, whole);
    return length < (int)sizeof full && param_store_find(s, full) >= 0 &&
           (!is_part || find_content(f, whole).count == PARTS);
}

mien_status param_store_load(param_store *s, tensor_file *f, const char *path, const char *const *skip_prefixes)
{
    return param_store_load_under(s, "", f, path, skip_prefixes);
}

mien_status param_store_load_under(param_store *s, const char *root, tensor_file *f, const char *path,
                                   const char *const *skip_prefixes)
{
    int missing = 0, wrong = 0, extra = 0;
    for (int i = 0; i < s->count; i++) {
        const param_slice *slice = &s->slices[i];
        const char *name = name_in_file(slice, root, skip_prefixes);
        if (!name)
            continue;
        const slice_content c = find_content(f, name);
        const char *fault = c.count ? mismatch(slice, &c, skip_prefixes != NULL) : NULL;
        if (!c.count && slice->kind != SLICE_COUNTER) {
            log_item("missing: %s", name);
            missing++;
        } else if (fault) {
            char wanted[128];
            log_item("wrong: %s: %s (wanted %s)", name, fault, shape_print(wanted, sizeof wanted, &slice->shape));
            wrong++;
        }
    }
    for (size_t i = 0; i < tensor_file_count(f); i++) {
        const char *name = tensor_file_at(f, i)->name;
        if (!is_skipped(name, skip_prefixes) && !is_wanted(s, root, f, name)) {
            log_item("extra: %s", name);
            extra++;
        }
    }
    if (missing || wrong || extra)
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensors do not fit (%d missing, %d wrong, %d extra)", path, missing,
                         wrong, extra);
    for (int i = 0; i < s->count; i++) {
        const param_slice *slice = &s->slices[i];
        const char *name = name_in_file(slice, root, skip_prefixes);
        const slice_content c = name ? find_content(f, name) : (slice_content){0};
        if (c.count)
            TRY(copy_slice(s, slice, f, path, &c));
    }
    return param_store_upload(s);
}

bool param_store_is_in(const param_store *s, const tensor_file *f, const char *const *skip_prefixes)
{
    for (int i = 0; i < s->count; i++) {
        const param_slice *slice = &s->slices[i];
        const char *name = name_in_file(slice, "", skip_prefixes);
        const slice_content c = name ? find_content(f, name) : (slice_content){0};
        if (name && (c.count ? mismatch(slice, &c, skip_prefixes != NULL) != NULL : slice->kind != SLICE_COUNTER))
            return false;
    }
    return true;
}

void param_store_copy(param_store *s, const char *to_root, const char *from_root)
{
    for (int i = 0; i < s->count; i++) {
        const param_slice *to = &s->slices[i];
        char name[256];
        if (!str_starts(to->name, to_root))
            continue;
        snprintf(name, sizeof name, "%s%s", from_root, to->name + strlen(to_root));
        const param_slice *from = &s->slices[param_store_find(s, name)];
        if (to->kind == SLICE_COUNTER)
            s->counters[to->offset] = s->counters[from->offset];
        else
            memcpy(s->memory.values + to->offset, s->memory.values + from->offset, to->count * sizeof(float));
    }
}

mien_status param_store_tensors(param_store *s, st_tensor **out, size_t *out_count)
{
    st_tensor *tensors = NULL;
    TRY(params_download(&s->place, &s->memory));
    TRY(mem_zalloc(&tensors, s->count));
    for (int i = 0; i < s->count; i++) {
        const param_slice *slice = &s->slices[i];
        bool is_counter = slice->kind == SLICE_COUNTER;
        tensors[i] = (st_tensor){.name = slice->name,
                                 .dtype = is_counter ? ST_I64 : ST_F32,
                                 .rank = slice->shape.rank,
                                 .data = is_counter ? (const void *)&s->counters[slice->offset]
                                                    : (const void *)(s->memory.values + slice->offset),
                                 .bytes = is_counter ? sizeof(int64_t) : slice->count * sizeof(float)};
        for (int d = 0; d < slice->shape.rank; d++)
            tensors[i].dims[d] = slice->shape.dim[d];
    }
    *out = tensors;
    *out_count = (size_t)s->count;
    return MIEN_OK;
}
