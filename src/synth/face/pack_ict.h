#ifndef SYNTH_PACK_ICT_H
#define SYNTH_PACK_ICT_H

#include "synth/face/face_model.h"

/* Reads the head of ICT-FaceKit light at `path` into a new model (face_model_free).
 * Errors MIEN_ERR_IO, MIEN_ERR_FORMAT "ict.safetensors: TENSOR: ...". */
MIEN_MUST_USE mien_status pack_ict(face_model **out, const char *path);
/* The same over bytes in memory; `name` stands for the path in messages. */
MIEN_MUST_USE mien_status pack_ict_bytes(face_model **out, const void *bytes, size_t length, const char *name);

#endif
