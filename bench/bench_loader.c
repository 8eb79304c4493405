/* How many pictures a second the loader delivers, by threads, with and without augmentation.
 *   bench_loader FOLDER SIZE...     FOLDER holds a folder of pictures per class, under any names */
#include "base/file.h"
#include "base/progress.h"
#include "base/str.h"
#include "base/thread.h"
#include "data/dataset.h"
#include "data/loader.h"

#include <inttypes.h>
#include <stdio.h>

enum { BATCH = 64 };
static const double seconds_a_row = 2.0;

typedef struct {
    dataset *data;
    subset all;
    epoch_plan plan;
} set;

/* Every subfolder is a class. */
static mien_status set_open(set *s, const char *folder)
{
    char **names;
    size_t count, kept = 0;
    TRY(file_list(&names, &count, folder));
    for (size_t i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (file_is_folder(path)) {
            char *name = names[kept];
            names[kept++] = names[i];
            names[i] = name;
        }
    }
    mien_status st = dataset_open(&s->data, folder, (const char *const *)names, (int)kept, DATASET_TRAIN);
    file_list_free(names, count);
    TRY(st);
    TRY(subset_all(&s->all, dataset_pictures(s->data)));
    return epoch_plan_create(&s->plan, dataset_pictures(s->data), &s->all, false);
}

static void set_close(set *s)
{
    epoch_plan_free(&s->plan);
    subset_free(&s->all);
    dataset_free(s->data);
}

/* Pictures a second over about seconds_a_row, the first epoch's start included. */
static mien_status measure(double *out, const set *s, int size, int threads, const augment_options *augment)
{
    loader *l;
    loader_batch batch;
    loader_options options = {.plan = &s->plan,
                              .batch = BATCH,
                              .image_size = size,
                              .threads = threads,
                              .is_shuffled = true,
                              .seed = 1,
                              .augment = *augment,
                              .max_bad_share = 0.01};
    TRY(loader_create(&l, &options));
    mien_status st;
    int64_t began = clock_ns(), pictures = 0;
    double seconds = 0;
    for (uint32_t epoch = 0; seconds < seconds_a_row; epoch++) {
        TRY_OUT(loader_start(l, epoch, 0));
        do {
            TRY_OUT(loader_next(l, &batch));
            pictures += batch.count;
            seconds = (double)(clock_ns() - began) * 1e-9;
        } while (batch.count > 0 && seconds < seconds_a_row);
    }
    *out = (double)pictures / seconds;
out:
    loader_free(l);
    return st;
}

static mien_status print_rows(const set *s, int size)
{
    static const augment_options plain = {0};
    static const augment_options usual = {.jitter = 0.2f, .crop = 4, .flip = true};
    for (int threads = 1; threads <= thread_cores(); threads *= 2) {
        double without, with;
        TRY(measure(&without, s, size, threads, &plain));
        TRY(measure(&with, s, size, threads, &usual));
        printf("%6d %8d %14.0f %26.0f\n", size, threads, without, with);
        fflush(stdout);
    }
    return MIEN_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_loader FOLDER SIZE...\n");
        return 2;
    }
    set s = {0};
    mien_status st = set_open(&s, argv[1]);
    if (st == MIEN_OK)
        printf("%" PRId64 " pictures of %s\n%6s %8s %14s %26s\n", dataset_count(s.data), argv[1], "size", "threads",
               "images/s", "with flip, crop, jitter");
    for (int i = 2; st == MIEN_OK && i < argc; i++) {
        int64_t size;
        st = str_to_int64(&size, argv[i]) && size > 0 && size <= 4096
                 ? print_rows(&s, (int)size)
                 : mien_fail(MIEN_ERR_ARG, "%s: not a size (wanted 1..4096)", argv[i]);
    }
    if (st != MIEN_OK)
        fprintf(stderr, "bench_loader: %s\n", mien_error());
    set_close(&s);
    return st == MIEN_OK ? 0 : 1;
}
