/* The face file: safetensors with the tensors
 *     neutral [V,3] F32   occlusion [V] F32   masks [V,3] F32   quads [Q,4] U32   uv [Q,4,2] F32   region [Q] U8
 *     rest [V,3] F32, where it is not the same as neutral
 *     identity.offsets [I+1] U32   identity.vertices [N] U32   identity.deltas [N,3] F32   and the same under
 * expression. and the metadata key `mien_face`: JSON {version, source, licence, unit, identity: [names], expression:
 * [names]}. Nothing is believed before it is checked: a renderer indexes these arrays without looking. */
#include "synth/face/face_model.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "format/safetensors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FACE_VERSION 1
#define FACE_MAX_VERTICES 200000
#define FACE_MAX_TARGETS 10000

static_assert(sizeof(vec3) == 3 * sizeof(float), "vec3 arrays are read and written as [n, 3] F32");

/* Where a tensor goes and what it must look like; a dimension of -1 takes what the file has. */
typedef struct {
    const char *name;
    st_dtype dtype;
    int rank;
    int64_t dims[3];
} tensor_form;

static mien_status tensor_find(const st_tensor **out, const st_file *file, tensor_form form, const char *where)
{
    const st_tensor *t = st_find(file, form.name);
    if (!t)
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s is missing: not a face file", where, form.name);
    if (t->dtype != form.dtype)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: type %s (wanted %s)", where, form.name, st_dtype_name(t->dtype),
                         st_dtype_name(form.dtype));
    if (t->rank != form.rank)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %d dimensions (wanted %d)", where, form.name, t->rank, form.rank);
    for (int i = 0; i < form.rank; i++)
        if (form.dims[i] >= 0 && t->dims[i] != form.dims[i])
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: dimension %d is %" PRId64 " (wanted %" PRId64 ")", where,
                             form.name, i, t->dims[i], form.dims[i]);
    *out = t;
    return MIEN_OK;
}

/* A copy of the tensor's bytes in the arena: the mapping goes when loading ends. */
static mien_status tensor_copy(arena *memory, void **out, const st_tensor *t)
{
    TRY(arena_alloc_bytes(memory, out, t->bytes ? t->bytes : 1, 1));
    if (t->bytes)
        memcpy(*out, t->data, t->bytes);
    return MIEN_OK;
}

static mien_status read_floats(arena *memory, void **out, const st_file *file, tensor_form form, float limit,
                               const char *where)
{
    const st_tensor *t;
    form.dtype = ST_F32;
    TRY(tensor_find(&t, file, form, where));
    TRY(tensor_copy(memory, out, t));
    const float *v = *out;
    for (size_t i = 0; i < t->bytes / sizeof(float); i++)
        if (!(fabsf(v[i]) <= limit))
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: value %zu is %g (wanted at most %g)", where, form.name, i,
                             (double)v[i], (double)limit);
    return MIEN_OK;
}

static mien_status read_indices(arena *memory, uint32_t **out, const st_file *file, tensor_form form, uint32_t below,
                                const char *where)
{
    const st_tensor *t;
    form.dtype = ST_U32;
    TRY(tensor_find(&t, file, form, where));
    void *p;
    TRY(tensor_copy(memory, &p, t));
    *out = p;
    for (size_t i = 0; i < t->bytes / sizeof(uint32_t); i++)
        if ((*out)[i] >= below)
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: entry %zu is %" PRIu32 " (wanted below %" PRIu32 ")", where,
                             form.name, i, (*out)[i], below);
    return MIEN_OK;
}

/* Names from the metadata's list; as many as there are targets, none twice. */
static mien_status read_names(arena *memory, face_targets *targets, const json_t *meta, const char *key,
                              const char *where)
{
    json_t *list;
    TRY(json_get_array(&list, meta, key, where));
    size_t n = json_array_size(list);
    if (n == 0 || n > FACE_MAX_TARGETS)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %zu names (wanted 1..%d)", where, key, n, FACE_MAX_TARGETS);
    TRY(arena_alloc(memory, &targets->names, n));
    targets->count = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name)
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: entry %zu is no text", where, key, i);
        if (face_targets_find(targets, name) >= 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %s appears twice", where, key, name);
        char *copy;
        TRY(arena_strdup(memory, &copy, name));
        targets->names[targets->count++] = copy;
    }
    return MIEN_OK;
}

static mien_status read_targets(arena *memory, face_targets *targets, const st_file *file, const json_t *meta,
                                const char *kind, int vertex_count, const char *where)
{
    char offsets[40], vertices[40], deltas[40];
    snprintf(offsets, sizeof offsets, "%s.offsets", kind);
    snprintf(vertices, sizeof vertices, "%s.vertices", kind);
    snprintf(deltas, sizeof deltas, "%s.deltas", kind);
    TRY(read_names(memory, targets, meta, kind, where));

    const st_tensor *t;
    TRY(tensor_find(&t, file, (tensor_form){vertices, ST_U32, 1, {-1}}, where));
    int64_t entries = t->dims[0];
    if (entries > (int64_t)targets->count * vertex_count)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %" PRId64 " entries (at most %d targets x %d vertices)", where,
                         vertices, entries, targets->count, vertex_count);
    TRY(read_indices(memory, &targets->offsets, file, (tensor_form){offsets, ST_U32, 1, {targets->count + 1}},
                     (uint32_t)entries + 1, where));
    TRY(read_indices(memory, &targets->vertices, file, (tensor_form){vertices, ST_U32, 1, {entries}},
                     (uint32_t)vertex_count, where));
    void *p;
    TRY(read_floats(memory, &p, file, (tensor_form){deltas, ST_F32, 2, {entries, 3}}, 100, where));
    targets->deltas = p;
    if (targets->offsets[0] != 0 || targets->offsets[targets->count] != entries)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: runs from %" PRIu32 " to %" PRIu32 " (wanted 0 to %" PRId64 ")",
                         where, offsets, targets->offsets[0], targets->offsets[targets->count], entries);
    for (int i = 0; i < targets->count; i++)
        if (targets->offsets[i] > targets->offsets[i + 1])
            return mien_fail(MIEN_ERR_FORMAT, "%s: %s: entry %d falls", where, offsets, i + 1);
    return MIEN_OK;
}

static mien_status read_meta(json_t **out, const st_file *file, const char *where)
{
    const char *text = st_meta(file, "mien_face");
    if (!text)
        return mien_fail(MIEN_ERR_FORMAT, "%s: metadata key mien_face is missing: not a face file", where);
    json_t *meta;
    TRY(json_parse(&meta, text, strlen(text), where));
    int64_t version = 0;
    mien_status st = json_get_int(&version, meta, "version", where);
    if (st == MIEN_OK && version != FACE_VERSION)
        st = mien_fail(MIEN_ERR_FORMAT, "%s: face file version %" PRId64 " (wanted %d)", where, version, FACE_VERSION);
    if (st == MIEN_OK)
        *out = meta;
    else
        json_decref(meta);
    return st;
}

static mien_status read_face(face_model *face, const st_file *file, const json_t *meta, const char *where)
{
    const st_tensor *t;
    const char *text;
    char *copy;
    TRY(json_get_string(&text, meta, "source", where));
    TRY(arena_strdup(face->memory, &copy, text));
    face->source = copy;
    TRY(json_get_string(&text, meta, "licence", where));
    TRY(arena_strdup(face->memory, &copy, text));
    face->licence = copy;

    TRY(tensor_find(&t, file, (tensor_form){"neutral", ST_F32, 2, {-1, 3}}, where));
    if (t->dims[0] < 4 || t->dims[0] > FACE_MAX_VERTICES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: neutral: %" PRId64 " vertices (wanted 4..%d)", where, t->dims[0],
                         FACE_MAX_VERTICES);
    int64_t v = t->dims[0];
    TRY(tensor_find(&t, file, (tensor_form){"quads", ST_U32, 2, {-1, 4}}, where));
    if (t->dims[0] < 1 || t->dims[0] > 2 * FACE_MAX_VERTICES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: quads: %" PRId64 " quads (wanted 1..%d)", where, t->dims[0],
                         2 * FACE_MAX_VERTICES);
    int64_t q = t->dims[0];
    face->vertex_count = (int)v;
    face->quad_count = (int)q;

    arena *m = face->memory;
    void *p;
    TRY(read_floats(m, &p, file, (tensor_form){"neutral", ST_F32, 2, {v, 3}}, 100, where));
    face->neutral = face->rest = p;
    if (st_find(file, "rest")) {
        TRY(read_floats(m, &p, file, (tensor_form){"rest", ST_F32, 2, {v, 3}}, 100, where));
        face->rest = p;
    }
    TRY(read_floats(m, &p, file, (tensor_form){"occlusion", ST_F32, 1, {v}}, 1, where));
    face->occlusion = p;
    TRY(read_floats(m, &p, file, (tensor_form){"masks", ST_F32, 2, {v, MASK_COUNT}}, 1, where));
    face->mask = p;
    TRY(read_floats(m, &p, file, (tensor_form){"uv", ST_F32, 3, {q, 4, 2}}, 100, where));
    face->uv = p;
    TRY(read_indices(m, &face->quads, file, (tensor_form){"quads", ST_U32, 2, {q, 4}}, (uint32_t)v, where));
    TRY(tensor_find(&t, file, (tensor_form){"region", ST_U8, 1, {q}}, where));
    TRY(tensor_copy(m, &p, t));
    face->region = p;
    for (int64_t i = 0; i < q; i++)
        if (face->region[i] >= REGION_COUNT)
            return mien_fail(MIEN_ERR_FORMAT, "%s: region: quad %" PRId64 " is %d (wanted 0..%d)", where, i,
                             face->region[i], REGION_COUNT - 1);
    TRY(read_targets(m, &face->identity, file, meta, "identity", (int)v, where));
    return read_targets(m, &face->expression, file, meta, "expression", (int)v, where);
}

static mien_status face_from_file(face_model **out, const st_file *file, const char *where)
{
    mien_status st;
    arena *memory = NULL;
    json_t *meta = NULL;
    face_model *face = NULL;
    TRY_OUT(read_meta(&meta, file, where));
    TRY_OUT(arena_create(&memory, 0));
    TRY_OUT(arena_alloc(memory, &face, 1));
    face->memory = memory;
    TRY_OUT(read_face(face, file, meta, where));
    *out = face;
    memory = NULL;
out:
    arena_free(memory);
    json_decref(meta);
    return st;
}

mien_status face_model_load(face_model **out, const char *path)
{
    st_file *file;
    TRY(st_open(&file, path));
    mien_status st = face_from_file(out, file, path);
    st_close(file);
    return st;
}

mien_status face_model_load_bytes(face_model **out, const void *bytes, size_t length, const char *name)
{
    st_file *file;
    TRY(st_open_bytes(&file, bytes, length, name));
    mien_status st = face_from_file(out, file, name);
    st_close(file);
    return st;
}

void face_model_free(face_model *face)
{
    if (face)
        arena_free(face->memory); /* the model itself lies in it */
}

static mien_status names_list(json_t *meta, const char *key, const face_targets *targets)
{
    json_t *list = json_array();
    TRY(json_check(list));
    for (int i = 0; i < targets->count; i++)
        if (json_array_append_new(list, json_string(targets->names[i]))) {
            json_decref(list);
            return json_check(NULL);
        }
    return json_object_set_new(meta, key, list) ? json_check(NULL) : MIEN_OK;
}

mien_status face_model_save(const face_model *face, const char *path)
{
    mien_status st;
    char *text = NULL;
    json_t *meta = json_pack("{s:i, s:s, s:s, s:s}", "version", FACE_VERSION, "source", face->source, "licence",
                             face->licence, "unit", "decimetre");
    TRY(json_check(meta));
    TRY_OUT(names_list(meta, "identity", &face->identity));
    TRY_OUT(names_list(meta, "expression", &face->expression));
    TRY_OUT(json_print(&text, meta));

    const face_targets *id = &face->identity, *ex = &face->expression;
    int64_t v = face->vertex_count, q = face->quad_count;
    int64_t n = id->offsets[id->count], m = ex->offsets[ex->count];
    st_tensor tensors[] = {
        {"rest", ST_F32, 2, {v, 3}, face->rest, (size_t)v * sizeof(vec3)}, /* first: left out where it is neutral */
        {"neutral", ST_F32, 2, {v, 3}, face->neutral, (size_t)v * sizeof(vec3)},
        {"occlusion", ST_F32, 1, {v}, face->occlusion, (size_t)v * sizeof(float)},
        {"masks", ST_F32, 2, {v, MASK_COUNT}, face->mask, (size_t)v * MASK_COUNT * sizeof(float)},
        {"quads", ST_U32, 2, {q, 4}, face->quads, (size_t)q * 4 * sizeof(uint32_t)},
        {"uv", ST_F32, 3, {q, 4, 2}, face->uv, (size_t)q * 8 * sizeof(float)},
        {"identity.offsets", ST_U32, 1, {id->count + 1}, id->offsets, ((size_t)id->count + 1) * sizeof(uint32_t)},
        {"identity.vertices", ST_U32, 1, {n}, id->vertices, (size_t)n * sizeof(uint32_t)},
        {"identity.deltas", ST_F32, 2, {n, 3}, id->deltas, (size_t)n * sizeof(vec3)},
        {"expression.offsets", ST_U32, 1, {ex->count + 1}, ex->offsets, ((size_t)ex->count + 1) * sizeof(uint32_t)},
        {"expression.vertices", ST_U32, 1, {m}, ex->vertices, (size_t)m * sizeof(uint32_t)},
        {"expression.deltas", ST_F32, 2, {m, 3}, ex->deltas, (size_t)m * sizeof(vec3)},
        {"region", ST_U8, 1, {q}, face->region, (size_t)q},
    };
    size_t skipped = face->rest == face->neutral;
    st_metadata metadata = {"mien_face", text};
    TRY_OUT(st_write(path, tensors + skipped, sizeof tensors / sizeof *tensors - skipped, &metadata, 1));
out:
    mem_free(text);
    json_decref(meta);
    return st;
}

void face_model_kind(char *dst, const face_model *face)
{
    snprintf(dst, FACE_KIND_BYTES, "%.*s", (int)strcspn(face->source, " ,\"\r\n"), face->source);
}

bool face_model_is_population(const face_model *face)
{
    return face->identity.count > 0 && strncmp(face->identity.names[0], FACE_PCA_PREFIX, strlen(FACE_PCA_PREFIX)) == 0;
}

int face_targets_find(const face_targets *targets, const char *name)
{
    for (int i = 0; i < targets->count; i++)
        if (strcmp(targets->names[i], name) == 0)
            return i;
    return -1;
}

void face_targets_add(const face_targets *targets, int t, float weight, vec3 *dst)
{
    for (uint32_t i = targets->offsets[t]; i < targets->offsets[t + 1]; i++) {
        vec3 *p = &dst[targets->vertices[i]];
        *p = v3_madd(*p, targets->deltas[i], weight);
    }
}
