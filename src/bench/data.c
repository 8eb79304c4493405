/* mien bench data: how fast pictures come through the loader, from the user's folder or from JPEGs made for it. */
#include "api/api.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "bench/bench_int.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "graph/op.h"
#include "graph/program.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MADE_COUNT 256 /* pictures, or a batch where that is more */
#define MADE_SIDE 256  /* pixels */
#define MEASURE_NS 3000000000
#define UNTIMED 4 /* batches: the loader's queue is full by then */
#define SIZE 224

/* A smooth random picture: what a JPEG of a face costs to decode, more or less. */
static mien_status make_picture(image *im, int number)
{
    rng r = rng_at(1, 0, (uint64_t)number, RNG_BENCH);
    uint8_t coarse[17][17][3];
    TRY(image_resize_buffer(im, MADE_SIDE, MADE_SIDE));
    for (size_t i = 0; i < sizeof coarse; i++)
        ((uint8_t *)coarse)[i] = (uint8_t)rng_below(&r, 256);
    for (int y = 0; y < MADE_SIDE; y++)
        for (int x = 0; x < MADE_SIDE; x++)
            for (int c = 0; c < 3; c++) {
                int fx = x % 16, fy = y % 16, i = y / 16, j = x / 16;
                int top = coarse[i][j][c] * (16 - fx) + coarse[i][j + 1][c] * fx;
                int bottom = coarse[i + 1][j][c] * (16 - fx) + coarse[i + 1][j + 1][c] * fx;
                im->pixels[(y * MADE_SIDE + x) * 3 + c] = (uint8_t)((top * (16 - fy) + bottom * fy) / 256);
            }
    return MIEN_OK;
}

/* FOLDER/face/N.jpg */
static mien_status make_set(const char *folder, int count)
{
    char path[1100];
    image im = {0};
    mien_status st = MIEN_OK;
    snprintf(path, sizeof path, "%s/face", folder);
    TRY(file_make_folders(path));
    for (int i = 0; i < count; i++) {
        TRY_OUT(make_picture(&im, i));
        snprintf(path, sizeof path, "%s/face/%d.jpg", folder, i);
        TRY_OUT(image_write_jpeg(path, &im, 90));
    }
out:
    image_free(&im);
    return st;
}

static void remove_set(const char *folder, int count)
{
    char path[1100];
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/face/%d.jpg", folder, i);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/face", folder);
    rmdir(path);
    rmdir(folder);
}

/* Every folder in the set is a class here: names do not matter. Lower-case names, freed with file_list_free. */
static mien_status list_classes(char ***out, size_t *out_count, const char *path)
{
    char **names = NULL, *inner = NULL;
    size_t count = 0, kept = 0;
    mien_status st = MIEN_OK;
    TRY(file_join(&inner, path, "train"));
    const char *root = file_is_folder(inner) ? inner : path;
    TRY_OUT(file_list(&names, &count, root));
    for (size_t i = 0; i < count; i++) {
        char *entry = NULL;
        TRY_OUT(file_join(&entry, root, names[i]));
        bool is_class = !file_is_litter(names[i]) && file_is_folder(entry);
        mem_free(entry);
        if (!is_class)
            continue;
        char *name = names[i];
        names[i] = names[kept];
        names[kept++] = name;
        for (; *name; name++)
            *name = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
    }
    if (!kept)
        TRY_OUT(mien_fail(MIEN_ERR_FORMAT, "%s: no folder of pictures", path));
    *out = names;
    *out_count = count;
    for (size_t i = kept; i < count; i++) { /* what is no class goes to the end and out of the count */
        mem_free(names[i]);
        names[i] = NULL;
    }
    *out_count = kept;
    names = NULL;
out:
    mem_free(inner);
    if (names)
        file_list_free(names, count);
    return st;
}

/* --- normalisation ------------------------------------------------------------------------------------------------ */

/* A network's first node and nothing behind it, on one thread. */
typedef struct {
    backend *backend;
    program *program;
    value_id images;
    size_t bytes;
} normaliser;

static mien_status describe_normaliser(graph **out, normaliser *n, int batch, int size)
{
    static const float mean[3] = {0.4734f, 0.3544f, 0.3267f}, std[3] = {0.1891f, 0.1597f, 0.1504f};
    graph *g = NULL;
    value_id y;
    mien_status st;
    TRY(graph_create(&g, DTYPE_F32, false));
    TRY_OUT(graph_input(g, &n->images, "images", DTYPE_U8,
                        shape_of(4, (int64_t)batch, (int64_t)size, (int64_t)size, (int64_t)3)));
    TRY_OUT(op_normalise(g, &y, "normalise", n->images, mean, std));
    graph_mark_output(g, y);
    *out = g;
    g = NULL;
out:
    graph_free(g);
    return st;
}

static mien_status normaliser_create(normaliser *n, const mien_bench_options *o, int size)
{
    mien_compute alone = *o->compute;
    alone.threads = 1;
    n->bytes = (size_t)o->batch * (size_t)size * (size_t)size * 3;
    TRY(api_backend(&n->backend, &alone));
    graph *g;
    TRY(describe_normaliser(&g, n, o->batch, size));
    return program_create(&n->program, g, n->backend, &(param_memory){0});
}

static void normaliser_free(normaliser *n)
{
    program_free(n->program);
    api_backend_free(n->backend);
}

static mien_status normalise(const normaliser *n, const loader_batch *batch)
{
    if (!n->program)
        return MIEN_OK;
    TRY(program_write(n->program, n->images, batch->images));
    return program_run(n->program);
}

/* --- timing ------------------------------------------------------------------------------------------------------- */

/* Of all threads. */
static int64_t processor_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Batches until both `steps` of them and the time to measure are through. */
static mien_status time_loader(mien_bench_result *result, loader *l, const normaliser *n, const mien_bench_options *o)
{
    progress p = api_progress(o->compute);
    int64_t start = 0, start_processor = 0, pictures = 0, timed = 0, elapsed = 0;
    loader_batch batch = {0};
    TRY(loader_start(l, 0, 0));
    for (int64_t seen = 0, epoch = 0; timed < o->steps || elapsed < MEASURE_NS;) {
        TRY(loader_next(l, &batch));
        if (batch.count == 0) {
            TRY(loader_start(l, (uint32_t)++epoch, 0));
            continue;
        }
        TRY(normalise(n, &batch));
        if (++seen == UNTIMED) {
            start = clock_ns();
            start_processor = processor_ns();
        } else if (seen > UNTIMED) {
            timed++;
            pictures += batch.count;
            elapsed = clock_ns() - start;
        }
        if (progress_tell(&p, "bench", seen, 0, NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "bench: interrupted");
    }
    result->images_per_cpu_s = (double)pictures / ((double)(processor_ns() - start_processor) * 1e-9);
    result->images_per_s = (double)pictures / ((double)elapsed * 1e-9);
    result->ms = 1e3 * (double)o->batch / result->images_per_s;
    return MIEN_OK;
}

static mien_status bench_set(mien_bench_result *result, const mien_bench_options *o, const char *path)
{
    mien_status st = MIEN_OK;
    char **classes = NULL;
    size_t class_count = 0;
    dataset *data = NULL;
    subset all = {0};
    epoch_plan plan = {0};
    loader *l = NULL;
    normaliser n = {0};
    result->size = o->image_size ? o->image_size : SIZE;
    result->threads = thread_grant(o->compute->threads);
    TRY_OUT(list_classes(&classes, &class_count, path));
    TRY_OUT(dataset_open(&data, path, (const char *const *)classes, (int)class_count, DATASET_TRAIN));
    TRY_OUT(subset_all(&all, dataset_pictures(data)));
    TRY_OUT(epoch_plan_create(&plan, dataset_pictures(data), &all, false));
    if (all.count < o->batch)
        TRY_OUT(mien_fail(MIEN_ERR_ARG, "%s: %lld pictures (wanted at least a batch of %d)", path, (long long)all.count,
                          o->batch));
    TRY_OUT(loader_create(
        &l, &(loader_options){.plan = &plan,
                              .batch = o->batch,
                              .image_size = result->size,
                              .threads = result->threads,
                              .is_shuffled = true,
                              .seed = 1,
                              .randaugment_of = o->is_randaugmented ? LOADER_RANDAUGMENT_ALL : LOADER_RANDAUGMENT_NONE,
                              .randaugment = RANDAUGMENT_OPTIONS_INIT,
                              .is_resampled = true,
                              .max_bad_share = 0.01}));
    if (o->is_normalised)
        TRY_OUT(normaliser_create(&n, o, result->size));
    TRY_OUT(time_loader(result, l, &n, o));
out:
    loader_free(l);
    normaliser_free(&n);
    epoch_plan_free(&plan);
    subset_free(&all);
    dataset_free(data);
    file_list_free(classes, class_count);
    return st;
}

mien_status bench_data(mien_bench_result *result, const mien_bench_options *options)
{
    if (options->data)
        return bench_set(result, options, options->data);
    char folder[1024];
    int count = options->batch > MADE_COUNT ? options->batch : MADE_COUNT;
    const char *root = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/mien-bench-XXXXXX", root && *root ? root : "/tmp");
    if (!mkdtemp(folder))
        return file_fail(folder, "cannot be made", errno);
    mien_status st = make_set(folder, count);
    if (st == MIEN_OK)
        st = bench_set(result, options, folder);
    remove_set(folder, count);
    return st;
}
