/* Small sets of pictures for the tests of this room, made in a folder that vanishes. */
#ifndef TESTS_DATA_SETS_H
#define TESTS_DATA_SETS_H

#include "testing.h"

#include "no_memory.h"

#include "base/file.h"
#include "base/str.h"
#include "data/dataset.h"
#include "image/image.h"

#include <limits.h>

static const char *const six[6] = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"};

/* "folder/name" in `path` [PATH_MAX], its folders made. */
static inline void set_path(char *path, const char *folder, const char *name)
{
    char parent[PATH_MAX];
    assert_true(snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX);
    memcpy(parent, path, PATH_MAX);
    *strrchr(parent, '/') = '\0';
    assert_ok(file_make_folders(parent));
}

static inline void set_text(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    set_path(path, folder, name);
    assert_ok(file_write_all(path, text, strlen(text)));
}

/* A picture whose pixels depend on `tint`, width x height, as PNG. */
static inline void set_picture(const char *folder, const char *name, int width, int height, uint32_t tint)
{
    char path[PATH_MAX];
    image im = {0};
    set_path(path, folder, name);
    assert_ok(image_resize_buffer(&im, width, height));
    for (int i = 0; i < width * height * 3; i++)
        im.pixels[i] = (uint8_t)((uint32_t)(i + 1) * 2654435761u * (2 * tint + 1) >> 24);
    assert_ok(image_write_png(path, &im));
    image_free(&im);
}

/* counts[c] pictures for each of the six classes, "ANGER/1.png" and so on, 12x12 or a little more. */
static inline void set_six(const char *folder, const int counts[6])
{
    static const char *const names[6] = {"ANGER", "DISGUST", "FEAR", "HAPPINESS", "SADNESS", "SURPRISE"};
    for (int c = 0; c < 6; c++)
        for (int i = 0; i < counts[c]; i++) {
            char name[64];
            snprintf(name, sizeof(name), "%s/%d.png", names[c], i + 1);
            set_picture(folder, name, 12, 12 + c, (uint32_t)(c * 1000 + i));
        }
}

static inline dataset *set_open(const char *path, dataset_use use)
{
    dataset *d = NULL;
    assert_ok(dataset_open(&d, path, six, 6, use));
    return d;
}

static inline void assert_name(const dataset *d, int64_t index, const char *wanted)
{
    char name[PATH_MAX];
    assert_ok(dataset_name(d, index, name, sizeof(name)));
    assert_string_equal(name, wanted);
}

/* Log lines, one after another. */
typedef struct {
    int count;
    char text[8192];
} set_log;
static inline void set_log_line(void *payload, int level, const char *line)
{
    (void)level;
    set_log *log = payload;
    size_t used = strlen(log->text);
    snprintf(log->text + used, sizeof(log->text) - used, "%s\n", line);
    log->count++;
}

#endif
