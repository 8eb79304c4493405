/* What the loader's tests share: a set and its plan, and an epoch's batches one after another. */
#ifndef TESTS_DATA_LOADER_KIT_H
#define TESTS_DATA_LOADER_KIT_H

#include "data/sets.h"

#include "data/loader.h"

enum { SIZE = 16, BYTES = SIZE * SIZE * 3 };

/* A set in a folder that vanishes, and the plan of all of it. */
typedef struct {
    char folder[PATH_MAX];
    dataset *data;
    subset all;
    epoch_plan plan;
    set_log log;
} fixture;

static const int six_counts[6] = {5, 2, 3, 4, 1, 2}; /* 17; balanced 30 */

static inline int make(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    temp_folder_make(f->folder, sizeof(f->folder));
    mien_set_log(set_log_line, &f->log);
    *state = f;
    return 0;
}

static inline int unmake(void **state)
{
    fixture *f = *state;
    mien_set_log(NULL, NULL);
    epoch_plan_free(&f->plan);
    subset_free(&f->all);
    dataset_free(f->data);
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static inline void plan_all(fixture *f, const char *path, bool is_balanced)
{
    f->data = set_open(path, DATASET_EVALUATE);
    assert_ok(subset_all(&f->all, dataset_pictures(f->data)));
    assert_ok(epoch_plan_create(&f->plan, dataset_pictures(f->data), &f->all, is_balanced));
}

static inline void plan_six(fixture *f, bool is_balanced)
{
    set_six(f->folder, six_counts);
    plan_all(f, f->folder, is_balanced);
}

static inline loader *start(const loader_options *options, uint32_t epoch)
{
    loader *l = NULL;
    assert_ok(loader_create(&l, options));
    assert_ok(loader_start(l, epoch, 0));
    return l;
}

static const augment_options lively = {.grey = 0.3f, .blur = 0.3f, .jitter = 0.4f, .crop = 2, .flip = true, .noise = 4};

/* An epoch's batches one after another. */
typedef struct {
    int64_t rows;
    uint8_t *images;
    bool is_read[256];
    int64_t items[256], pictures[256];
} record;

static inline record play(loader *l, int batch)
{
    record r = {0};
    r.images = malloc((size_t)256 * BYTES);
    assert_non_null(r.images);
    loader_batch b;
    for (int64_t number = 0;; number++) {
        assert_ok(loader_next(l, &b));
        if (b.count == 0)
            break;
        assert_int_equal(b.index, number);
        assert_true(r.rows + b.count <= 256 && b.count <= batch);
        memcpy(r.images + r.rows * BYTES, b.images, (size_t)b.count * BYTES);
        memcpy(r.is_read + r.rows, b.is_read, (size_t)b.count * sizeof(bool));
        memcpy(r.items + r.rows, b.items, (size_t)b.count * sizeof(int64_t));
        memcpy(r.pictures + r.rows, b.pictures, (size_t)b.count * sizeof(int64_t));
        r.rows += b.count;
    }
    return r;
}

static inline void assert_same(const record *a, const record *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_memory_equal(a->items, b->items, sizeof(a->items));
    assert_memory_equal(a->pictures, b->pictures, sizeof(a->pictures));
    assert_memory_equal(a->is_read, b->is_read, sizeof(a->is_read));
    assert_memory_equal(a->images, b->images, (size_t)a->rows * BYTES);
}

#endif
