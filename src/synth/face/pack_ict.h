#ifndef SYNTH_PACK_ICT_H
#define SYNTH_PACK_ICT_H

#include "synth/face/face_model.h"

/* Reads the head of ICT-FaceKit light at `path`, a safetensors file or USC's folder of meshes, into a new model
 * (face_model_free).
 * Errors MIEN_ERR_IO, MIEN_ERR_FORMAT "ict.safetensors: TENSOR: ...". */
MIEN_MUST_USE mien_status pack_ict(face_model **out, const char *path);

#endif
