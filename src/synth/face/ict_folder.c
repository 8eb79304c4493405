/* Every mesh of the folder is a whole head: what it displaces is the difference from the neutral one. Which files there
 * are says which targets there are: identityNNN.obj are modes in their order, all others expressions under their names.
 */
#include "synth/face/ict_source.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "synth/mesh/wavefront.h"

#include <stdbool.h>
#include <string.h>

#define MAX_MESH_BYTES (64u << 20)
#define MAX_MESHES 1000
#define MODE_PREFIX "identity"
#define MESH_SUFFIX ".obj"

static bool is_mode(const char *name)
{
    return str_starts(name, MODE_PREFIX);
}

static bool is_target(const char *name)
{
    return str_ends(name, MESH_SUFFIX) && strcmp(name, ICT_NEUTRAL_MESH) != 0;
}

static mien_status read_mesh(wavefront_mesh *out, arena *memory, const char *folder, const char *name)
{
    char *path, *text;
    size_t length;
    TRY(file_join(&path, folder, name));
    mien_status st = file_read(&text, &length, path, MAX_MESH_BYTES);
    if (st == MIEN_OK) {
        st = wavefront_parse(out, memory, text, length, 3, path);
        mem_free(text);
    }
    mem_free(path);
    return st;
}

static mien_status read_neutral(ict_source *s, arena *memory, const char *folder)
{
    wavefront_mesh m;
    TRY(read_mesh(&m, memory, folder, ICT_NEUTRAL_MESH));
    s->vertex_count = m.vertex_count;
    s->quad_count = m.quad_count;
    s->uv_count = m.uv_count;
    s->neutral = m.vertices;
    s->uv = m.uv;
    TRY(arena_alloc(memory, &s->quads, 4 * (size_t)m.quad_count));
    TRY(arena_alloc(memory, &s->quad_uv, 4 * (size_t)m.quad_count));
    for (int c = 0; c < 4 * m.quad_count; c++) {
        s->quads[c] = m.quads[c] == WAVEFRONT_NO_CORNER ? -1 : (int32_t)m.quads[c];
        s->quad_uv[c] = m.quad_uv[c] == WAVEFRONT_NO_CORNER ? -1 : (int32_t)m.quad_uv[c];
    }
    return MIEN_OK;
}

/* Displacements of one mesh into dst [vertex_count]; `room` is emptied. */
static mien_status read_target(vec3 *dst, const ict_source *s, arena *room, const char *folder, const char *name)
{
    wavefront_mesh m;
    arena_reset(room);
    TRY(read_mesh(&m, room, folder, name));
    if (m.vertex_count != s->vertex_count)
        return mien_fail(MIEN_ERR_FORMAT, "%s/%s: %d vertices (wanted %d, as " ICT_NEUTRAL_MESH ")", folder, name,
                         m.vertex_count, s->vertex_count);
    for (int v = 0; v < s->vertex_count; v++)
        dst[v] = v3_sub(m.vertices[v], s->neutral[v]);
    return MIEN_OK;
}

static mien_status read_targets(ict_source *s, arena *memory, const char *folder, char **names, size_t count)
{
    mien_status st;
    arena *room = NULL;
    int modes = 0, units = 0;
    for (size_t i = 0; i < count; i++) {
        modes += is_target(names[i]) && is_mode(names[i]);
        units += is_target(names[i]) && !is_mode(names[i]);
    }
    if (modes < 1 || units < 1 || modes + units > MAX_MESHES)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %d identity and %d expression meshes (wanted ICT-FaceKit's)", folder,
                         modes, units);
    size_t vertices = (size_t)s->vertex_count;
    TRY(arena_alloc(memory, &s->identity, (size_t)modes * vertices));
    TRY(arena_alloc(memory, &s->expression, (size_t)units * vertices));
    TRY(arena_alloc(memory, &s->unit_names, units));
    TRY(arena_create(&room, 1 << 20));
    for (size_t i = 0; i < count; i++) {
        if (!is_target(names[i]))
            continue;
        if (is_mode(names[i])) {
            TRY_OUT(read_target(&s->identity[(size_t)s->mode_count++ * vertices], s, room, folder, names[i]));
            continue;
        }
        char *name;
        TRY_OUT(read_target(&s->expression[(size_t)s->unit_count * vertices], s, room, folder, names[i]));
        TRY_OUT(arena_strdup(memory, &name, names[i]));
        name[strlen(name) - strlen(MESH_SUFFIX)] = 0;
        s->unit_names[s->unit_count++] = name;
    }
    st = MIEN_OK;
out:
    arena_free(room);
    return st;
}

mien_status ict_source_load_folder(ict_source *out, arena *memory, const char *folder)
{
    char **names;
    size_t count;
    *out = (ict_source){0};
    TRY(read_neutral(out, memory, folder));
    TRY(file_list(&names, &count, folder));
    mien_status st = read_targets(out, memory, folder, names, count);
    file_list_free(names, count);
    return st;
}
