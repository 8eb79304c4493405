/* What the parts of the interface that draw faces share. */
#ifndef API_DRAWN_H
#define API_DRAWN_H

#include "api/api.h"
#include "synth/set/faces.h"

/* A set's options as the room has them, and what they borrow. */
typedef struct {
    synth_options options;
    face_stock stock;
} drawn_set;

/* What options say of a set: all that is not about files or threads. given: as api_options gave it, of `call`. To be
 * freed with api_drawn_free, also where it fails; *out must be zeroed before. */
MIEN_MUST_USE mien_status api_drawn_describe(drawn_set *out, const mien_synth_options *given);
/* The same with its face model, of options as a caller gave them. */
MIEN_MUST_USE mien_status api_drawn_open(drawn_set *out, const mien_synth_options *given, const char *call);
void api_drawn_free(drawn_set *d);

#endif
