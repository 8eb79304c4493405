/* Displacements are stored as half floats; they are widened while they are read, so that what packs them adds plain
 * vectors. The triangles' missing corner stays -1: only who draws knows what to do with it. */
#include "synth/face/ict_source.h"

#include "base/json.h"
#include "format/safetensors.h"

#include <inttypes.h>
#include <string.h>

#define MAX_VERTICES 200000
#define MAX_QUADS 400000
#define MAX_TARGETS 1000
#define MAX_LENGTH 1000.0f /* centimetres */

/* A tensor's name, type and shape; a dimension of -1 takes 1..limit. */
typedef struct {
    const char *name;
    st_dtype dtype;
    int rank;
    int64_t dims[3];
    int64_t limit;
} tensor_form;

static mien_status find(const st_tensor **out, const st_file *file, tensor_form form, const char *where)
{
    const st_tensor *t = st_find(file, form.name);
    if (!t)
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s is missing (wanted ICT-FaceKit's)", where, form.name);
    if (t->dtype != form.dtype || t->rank != form.rank)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %s of %d dimensions (wanted %s of %d)", where, form.name,
                         st_dtype_name(t->dtype), t->rank, st_dtype_name(form.dtype), form.rank);
    for (int i = 0; i < form.rank; i++) {
        int64_t d = form.dims[i];
        if (d >= 0 && t->dims[i] != d)
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: dimension %d is %" PRId64 " (wanted %" PRId64 ")", where,
                             form.name, i, t->dims[i], d);
        if (d < 0 && (t->dims[i] < 1 || t->dims[i] > form.limit))
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: dimension %d is %" PRId64 " (wanted 1..%" PRId64 ")", where,
                             form.name, i, t->dims[i], form.limit);
    }
    *out = t;
    return MIEN_OK;
}

/* IEEE 754 binary16. */
static float half_to_float(uint16_t h)
{
    int exponent = h >> 10 & 31;
    float fraction = (float)(h & 1023) / 1024, size;
    if (exponent == 31)
        size = fraction > 0 ? NAN : INFINITY;
    else
        size = exponent ? ldexpf(1 + fraction, exponent - 15) : ldexpf(fraction, -14);
    return h & 0x8000 ? -size : size;
}

/* Copies a tensor of F32 or F16 as floats that are finite and no longer than MAX_LENGTH. */
static mien_status read_floats(void *out, arena *memory, const st_tensor *t, const char *where)
{
    float *dst;
    size_t width = st_dtype_bytes(t->dtype), n = t->bytes / width;
    TRY(arena_alloc(memory, &dst, n));
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        if (t->dtype == ST_F16) {
            memcpy(&half, (const uint8_t *)t->data + i * width, width);
            dst[i] = half_to_float(half);
        } else {
            memcpy(&dst[i], (const uint8_t *)t->data + i * width, width);
        }
        if (!(fabsf(dst[i]) <= MAX_LENGTH))
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: value %zu is %g (wanted at most %g)", where, t->name, i,
                             (double)dst[i], (double)MAX_LENGTH);
    }
    memcpy(out, &dst, sizeof dst);
    return MIEN_OK;
}

/* Corners: indices below `below`; the fourth may be -1. */
static mien_status read_corners(int32_t **out, arena *memory, const st_tensor *t, int below, const char *where)
{
    size_t n = t->bytes / sizeof(int32_t);
    TRY(arena_alloc(memory, out, n));
    memcpy(*out, t->data, t->bytes);
    for (size_t i = 0; i < n; i++)
        if ((*out)[i] >= below || (*out)[i] < (i % 4 == 3 ? -1 : 0))
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: entry %zu is %" PRId32 " (wanted 0..%d)", where, t->name, i,
                             (*out)[i], below - 1);
    return MIEN_OK;
}

static mien_status read_names(ict_source *s, arena *memory, const st_file *file, const char *where)
{
    mien_status st;
    json_t *list = NULL;
    const char *text = st_meta(file, "expression_names");
    if (!text)
        return mien_fail(MIEN_ERR_FORMAT, "%s: metadata key expression_names is missing (wanted ICT-FaceKit's)", where);
    TRY(json_parse(&list, text, strlen(text), where));
    if (!json_is_array(list) || json_array_size(list) != (size_t)s->unit_count) {
        st = mien_fail(MIEN_ERR_FORMAT, "%s: expression_names: %zu names (wanted %d)", where, json_array_size(list),
                       s->unit_count);
        goto out;
    }
    TRY_OUT(arena_alloc(memory, &s->unit_names, s->unit_count));
    int count = s->unit_count;
    s->unit_count = 0; /* of those that are named so far */
    for (int i = 0; i < count; i++) {
        char *copy;
        const char *name = json_string_value(json_array_get(list, (size_t)i));
        if (!name || ict_source_find(s, name) >= 0) {
            st = mien_fail(MIEN_ERR_FORMAT, "%s: expression_names: %s (wanted names, none twice)", where,
                           name ? name : "an entry is no text");
            goto out;
        }
        TRY_OUT(arena_strdup(memory, &copy, name));
        s->unit_names[s->unit_count++] = copy;
    }
out:
    json_decref(list);
    return st;
}

static mien_status read_source(ict_source *s, arena *memory, const st_file *file, const char *where)
{
    const st_tensor *t, *faces, *uv;
    TRY(find(&t, file, (tensor_form){"neutral", ST_F32, 2, {-1, 3}, MAX_VERTICES}, where));
    s->vertex_count = (int)t->dims[0];
    TRY(read_floats(&s->neutral, memory, t, where));
    TRY(find(&t, file, (tensor_form){"identity", ST_F16, 3, {-1, s->vertex_count, 3}, MAX_TARGETS}, where));
    s->mode_count = (int)t->dims[0];
    TRY(read_floats(&s->identity, memory, t, where));
    TRY(find(&t, file, (tensor_form){"expression", ST_F16, 3, {-1, s->vertex_count, 3}, MAX_TARGETS}, where));
    s->unit_count = (int)t->dims[0];
    TRY(read_floats(&s->expression, memory, t, where));
    TRY(read_names(s, memory, file, where));

    TRY(find(&uv, file, (tensor_form){"uv", ST_F32, 2, {-1, 2}, 4 * MAX_QUADS}, where));
    s->uv_count = (int)uv->dims[0];
    TRY(read_floats(&s->uv, memory, uv, where));
    TRY(find(&faces, file, (tensor_form){"faces", ST_I32, 2, {-1, 4}, MAX_QUADS}, where));
    s->quad_count = (int)faces->dims[0];
    TRY(read_corners(&s->quads, memory, faces, s->vertex_count, where));
    TRY(find(&t, file, (tensor_form){"faces_uv", ST_I32, 2, {s->quad_count, 4}, 0}, where));
    TRY(read_corners(&s->quad_uv, memory, t, s->uv_count, where));
    for (int q = 0; q < s->quad_count; q++)
        if ((s->quads[4 * q + 3] < 0) != (s->quad_uv[4 * q + 3] < 0))
            return mien_fail(MIEN_ERR_FORMAT, "%s: faces_uv: face %d has another number of corners than in faces",
                             where, q);
    return MIEN_OK;
}

mien_status ict_source_load(ict_source *out, arena *memory, const char *path)
{
    st_file *file;
    TRY(st_open(&file, path));
    *out = (ict_source){0};
    mien_status st = read_source(out, memory, file, path);
    st_close(file);
    return st;
}

mien_status ict_source_load_bytes(ict_source *out, arena *memory, const void *bytes, size_t length, const char *name)
{
    st_file *file;
    TRY(st_open_bytes(&file, bytes, length, name));
    *out = (ict_source){0};
    mien_status st = read_source(out, memory, file, name);
    st_close(file);
    return st;
}

int ict_source_find(const ict_source *source, const char *name)
{
    for (int i = 0; i < source->unit_count; i++)
        if (strcmp(source->unit_names[i], name) == 0)
            return i;
    return -1;
}
