/* Any bytes as a face file: refused, or a model that can be indexed all over and made into a head. The same bytes as a
 * source of faces: refused, or arrays that can be indexed by each other. */
#include "base/arena.h"
#include "synth/face/face_model.h"
#include "synth/face/head.h"
#include "synth/face/ict_source.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_source(const uint8_t *data, size_t size)
{
    arena *memory;
    ict_source s;
    if (arena_create(&memory, 0) != MIEN_OK)
        abort();
    if (ict_source_load_bytes(&s, memory, data, size, "input") != MIEN_OK) {
        if (strncmp(mien_error(), "input: ", 7) != 0)
            abort();
    } else {
        float sum = 0;
        for (int c = 0; c < 4 * s.quad_count; c++)
            if (s.quads[c] >= 0)
                sum += s.neutral[s.quads[c]].x + s.uv[2 * (size_t)s.quad_uv[c]];
        for (int i = 0; i < s.mode_count * s.vertex_count; i++)
            sum += s.identity[i].x;
        for (int i = 0; i < s.unit_count * s.vertex_count; i++)
            sum += s.expression[i].x;
        if (isnan(sum) || ict_source_find(&s, s.unit_names[s.unit_count - 1]) != s.unit_count - 1)
            abort();
    }
    arena_free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_source(data, size);
    face_model *f = NULL;
    head *h = NULL;
    if (face_model_load_bytes(&f, data, size, "input") != MIEN_OK) {
        if (f || strncmp(mien_error(), "input: ", 7) != 0)
            abort();
        return 0;
    }
    vec3 *posed = calloc((size_t)f->vertex_count, sizeof *posed);
    if (!posed)
        abort();
    for (int t = 0; t < f->identity.count; t++)
        face_targets_add(&f->identity, t, 0.5f, posed);
    for (int t = 0; t < f->expression.count; t++)
        face_targets_add(&f->expression, t, 0.5f, posed);
    free(posed);
    if (head_create(&h, f) == MIEN_OK)
        head_free(h);
    face_model_free(f);
    return 0;
}
