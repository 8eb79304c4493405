/* A scene of any bytes is read or refused in one line; one that is read prints, reads back the same, and can be drawn
 * from. */
#include "synth/set/scene.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw(const scene *s)
{
    for (uint64_t i = 0; i < 8; i++) {
        const rng r = rng_at(1, 0, i, RNG_TEST);
        float x = distribution_draw(&s->pose_yaw, &r), y = distribution_draw(&s->framing_field, &r);
        int a = choice_draw(&s->identity_ancestry, &r);
        if (!(x >= -90 && x <= 90 && y > 0) || a < 0 || a > 2 || s->identity_ancestry.weights[a] <= 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scene *first = NULL, *again = NULL;
    char key[256];
    str text = {0};
    if (scene_read(&first, "scene.yaml", (const char *)data, size, SYNTH_LSD) != MIEN_OK) {
        if (strchr(mien_error(), '\n'))
            abort();
    } else if (scene_print(first, &text) == MIEN_OK) {
        if (scene_read(&again, "printed.yaml", text.text, text.length, SYNTH_LSD) != MIEN_OK ||
            scene_difference(first, again, key, sizeof key))
            abort();
        draw(first);
    }
    str_free(&text);
    scene_free(first);
    scene_free(again);
    return 0;
}
