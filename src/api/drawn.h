/* What the parts of the interface that draw faces share. */
#ifndef API_DRAWN_H
#define API_DRAWN_H

#include "api/api.h"
#include "synth/set/cast.h"
#include "synth/set/faces.h"
#include "synth/set/scene.h"
#include "train/recipe.h"

/* A set's options as the room has them, and what they borrow. */
typedef struct {
    synth_options options;
    scene *scene;
    cast cast;
} drawn_set;

/* What options say of a set, as a caller gave them, with its face models. To be freed with api_drawn_free, also where
 * it fails; *out must be zeroed before. */
MIEN_MUST_USE mien_status api_drawn_open(drawn_set *out, const mien_synth_options *given, const char *call);
void api_drawn_free(drawn_set *d);

/* A set that a training draws while it trains (drawn_source.c). */
typedef struct drawn_source drawn_source;
/* Is it called as such a set is: "synth:wild", "synth:FILE.yaml"? */
bool api_is_drawn(const char *path);
/* As recipe r wants it; face: the face model, NULL where none is named. Errors: those of the scene, of the face model.
 */
MIEN_MUST_USE mien_status api_drawn_source_open(drawn_source **out, const char *path, const char *face,
                                                const recipe *r);
void api_drawn_source_free(drawn_source *s); /* NULL is a no-op */
/* Who makes what is trained on, or what selects. */
const picture_maker *api_drawn_source_maker(const drawn_source *s, bool is_selecting);

#endif
