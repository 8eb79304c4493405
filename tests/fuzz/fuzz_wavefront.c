/* Any bytes as the text files of a wheel: the first byte says whether the rest is a mesh or a target. */
#include "synth/mesh/wavefront.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VERTICES = 100 };

static void take(void *context, uint32_t vertex, vec3 delta)
{
    (void)delta;
    if (vertex >= VERTICES)
        abort();
    (*(int *)context)++;
}

static void check_mesh(const wavefront_mesh *m)
{
    for (int i = 0; i < 4 * m->quad_count; i++) {
        bool is_none = i % 4 == 3 && m->quads[i] == WAVEFRONT_NO_CORNER && m->quad_uv[i] == WAVEFRONT_NO_CORNER;
        if (!is_none && (m->quads[i] >= (uint32_t)m->vertex_count || m->quad_uv[i] >= (uint32_t)m->uv_count))
            abort();
    }
    for (int q = 0; q < m->quad_count; q++)
        if (m->group[q] >= m->group_count || strlen(m->groups[m->group[q]]) > 100)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    char *text = malloc(size); /* NUL-terminated beyond its length, as every file of ours is read */
    if (!text)
        abort();
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    mien_status st;
    if (data[0] % 2) {
        int lines = 0;
        st = target_parse(text, size - 1, VERTICES, "input", take, &lines);
    } else {
        arena *memory;
        wavefront_mesh m;
        if (arena_create(&memory, 0) != MIEN_OK)
            abort();
        st = wavefront_parse(&m, memory, text, size - 1, data[0] % 4 ? 3 : 4, "input");
        if (st == MIEN_OK)
            check_mesh(&m);
        arena_free(memory);
    }
    if (st != MIEN_OK && strncmp(mien_error(), "input: ", 7) != 0)
        abort();
    free(text);
    return 0;
}
