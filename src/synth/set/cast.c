/* Models are opened one after another; whatever was opened is closed with the cast, also where a later one fails. */
#include "synth/set/cast.h"

#include <string.h>

mien_status cast_open(cast *out, const synth_options *options)
{
    char kinds[CAST_MAX][FACE_KIND_BYTES];
    *out = (cast){0};
    for (int i = 0; i < 1 + options->more_face_count; i++) {
        const char *path = i == 0 ? options->face_path : options->more_faces[i - 1];
        TRY(face_model_load(&out->faces[i], path));
        TRY(head_create(&out->heads[i], out->faces[i]));
        face_model_kind(kinds[i], out->faces[i]);
        for (int k = 0; k < i; k++)
            if (strcmp(kinds[k], kinds[i]) == 0)
                return mien_fail(MIEN_ERR_ARG, "%s: another model of %s (wanted each of its own kind)", path, kinds[i]);
        if (i > 0)
            out->heads[i - 1]->next = out->heads[i];
    }
    return MIEN_OK;
}

void cast_close(cast *c)
{
    for (int i = 0; i < CAST_MAX; i++) {
        head_free(c->heads[i]);
        face_model_free(c->faces[i]);
    }
}
