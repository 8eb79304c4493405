/* Any bytes as a face file: refused, or a model that can be indexed all over and made into a head. */
#include "synth/face/face_model.h"
#include "synth/face/head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
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
