/* Options whose structs grow. A caller's may be shorter than ours, being older: what it has not keeps its default. One
 * that is longer is newer, and understood where it asks for nothing that we do not know. */
#include "api/api.h"
#include "mien_bench.h"

#include <string.h>

#define ROW(type, ...)                                                                                                 \
    {                                                                                                                  \
        sizeof(type), &(const type)                                                                                    \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
static const struct {
    size_t size;
    const void *defaults;
} kinds[] = {
    [MIEN_OPTIONS_COMPUTE] = ROW(mien_compute, .device = "cpu"),
    [MIEN_OPTIONS_TRAIN] = ROW(mien_train_options, 0),
    [MIEN_OPTIONS_SESSION] = ROW(mien_session_options, 0),
    [MIEN_OPTIONS_PICTURES] = ROW(mien_pictures, 0),
    [MIEN_OPTIONS_EVALUATE] = ROW(mien_evaluate_options, 0),
    [MIEN_OPTIONS_SUBMIT] = ROW(mien_submit_options, 0),
    [MIEN_OPTIONS_IMPORT] = ROW(mien_import_options, 0),
    [MIEN_OPTIONS_EXPORT] = ROW(mien_export_options, 0),
    [MIEN_OPTIONS_GRAPH] = ROW(mien_graph_options, .batch = 1, .classes = 6),
    [MIEN_OPTIONS_BENCH] = ROW(mien_bench_options, .arch = "resnet50", .batch = 16, .steps = 5),
    [MIEN_OPTIONS_SYNTH] = ROW(mien_synth_options, .count = 100, .image_size = 112, .seed = 1),
};
#undef ROW
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0], SIZE_MAX_BYTES = 4096 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void mien_options_init(void *options, size_t size, mien_options_kind kind)
{
    if (!options || size < sizeof size)
        return;
    memset(options, 0, size);
    if ((size_t)kind < KIND_COUNT)
        memcpy(options, kinds[kind].defaults, least(size, kinds[kind].size));
    memcpy(options, &size, sizeof size);
}

static bool is_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i])
            return false;
    return true;
}

mien_status api_options(void *out, const void *given, mien_options_kind kind, const char *call)
{
    const size_t known = kinds[kind].size;
    size_t size;
    mien_options_init(out, known, kind);
    if (!given)
        return MIEN_OK;
    memcpy(&size, given, sizeof size);
    if (size < sizeof size || size > SIZE_MAX_BYTES)
        return mien_fail(MIEN_ERR_ARG, "%s: options: size %zu (wanted %zu, as their _init sets it)", call, size, known);
    if (size > known && !is_zero((const unsigned char *)given + known, size - known))
        return mien_fail(MIEN_ERR_UNSUPPORTED,
                         "%s: options: %zu bytes that ask for something newer than this library (it knows %zu)", call,
                         size, known);
    memcpy(out, given, least(size, known));
    memcpy(out, &known, sizeof known);
    return MIEN_OK;
}

mien_status api_compute(mien_compute *out, const mien_compute *given, const char *call)
{
    mien_compute c;
    TRY(api_options(&c, given, MIEN_OPTIONS_COMPUTE, call));
    TRY(api_check_device(c.device));
    if (c.threads < 0 || c.threads > API_MAX_THREADS)
        return mien_fail(MIEN_ERR_ARG, "threads: %d (wanted 0 to %d)", c.threads, API_MAX_THREADS);
    if ((int)c.precision < MIEN_PRECISION_AUTO || (int)c.precision > MIEN_PRECISION_BF16)
        return mien_fail(MIEN_ERR_ARG, "precision: %d (wanted a mien_precision)", (int)c.precision);
    if ((c.is_fast || c.is_tf32) && !api_is_gpu(c.device))
        return mien_fail(MIEN_ERR_ARG, "%s: for a GPU alone (device cpu, wanted cuda or cuda:N)",
                         c.is_fast ? "fast" : "tf32");
    *out = c;
    return MIEN_OK;
}
