/* mien bench: how fast training, inference or data loading is here. */
#include "mien_bench.h"

#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_ARCH = CLI_KEY_FIRST,
    KEY_DEVIATION,
    KEY_KIND,
    KEY_BATCH,
    KEY_SIZE,
    KEY_STEPS,
    KEY_PROFILE,
    KEY_DATA,
    KEY_RANDAUGMENT,
    KEY_NORMALISE,
    KEY_FACE,
    KEY_SCENE,
    KEY_JSON
};

static const char *const whats[] = {"train", "infer", "data", "synth"}; /* in the order of mien_bench_what */
static const char *const kinds[] = {"plain", "smm", "baseline"};        /* of mien_bench_kind */

typedef struct {
    mien_bench_options bench;
    mien_synth_options synth;
    mien_compute compute;
    bool has_what, is_json;
} arguments;

static const struct argp_option options[] = {
    {"arch", KEY_ARCH, "NAME", 0, "Architecture (default resnet50)", 1},
    {"deviation", KEY_DEVIATION, 0, 0, "Of stage 2: a frozen and a trained copy of the architecture, and class weights",
     1},
    {"kind", KEY_KIND, "KIND", 0,
     "For `train`: the multi-task step of `smm` or `baseline` over the architecture: a batch for each of the three "
     "tasks, "
     "one SGD update (default plain)",
     1},
    {"batch", KEY_BATCH, "B", 0, "Pictures a step (default 16)", 1},
    {"size", KEY_SIZE, "S", 0, "Pixels a side (default: the architecture's)", 1},
    {"steps", KEY_STEPS, "N", 0, "Timed steps, after 2 that are not (default 5)", 1},
    {"data", KEY_DATA, "DIR", 0, "For `data`: a folder per class (default: JPEGs made for the purpose)", 1},
    {"randaugment", KEY_RANDAUGMENT, 0, 0, "For `data`: RandAugment on every picture", 1},
    {"normalise", KEY_NORMALISE, 0, 0, "For `data`: end with batches of normalised float", 1},
    {"face", KEY_FACE, "FACE.safetensors", 0, "For `synth`: face model (default: face.safetensors beside this program)",
     1},
    {"scene", KEY_SCENE, "FILE.yaml|NAME", 0, "For `synth`: what is drawn, as `mien synth` has it", 1},
    {"profile", KEY_PROFILE, 0, 0,
     "Show where the time goes: a row per operator and implementation, or of `synth` a stage of drawing", 2},
    {"json", KEY_JSON, 0, 0, "Print one JSON document", 2},
    {0},
};

static error_t parse_what(arguments *a, char *arg, struct argp_state *state)
{
    for (int i = 0; i < 4 && !a->has_what; i++)
        if (!strcmp(arg, whats[i])) {
            a->bench.what = (mien_bench_what)i;
            a->has_what = true;
            return 0;
        }
    argp_error(state, "'%s' (wanted one of train, infer, data and synth)", arg);
    return EINVAL;
}

static error_t parse_kind(arguments *a, char *arg, struct argp_state *state)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(arg, kinds[i])) {
            a->bench.kind = (mien_bench_kind)i;
            return 0;
        }
    argp_error(state, "--kind: '%s' (wanted one of plain, smm and baseline)", arg);
    return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    int64_t number = 0;
    error_t err = 0;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->compute;
        return 0;
    case KEY_ARCH:
        a->bench.arch = arg;
        return cli_one_of(state, "arch", arg, mien_architecture);
    case KEY_DEVIATION:
        a->bench.is_deviation = 1;
        return 0;
    case KEY_KIND:
        return parse_kind(a, arg, state);
    case KEY_BATCH:
        err = cli_int(state, "batch", arg, 1, 65536, &number);
        a->bench.batch = (int)number;
        return err;
    case KEY_SIZE:
        err = cli_int(state, "size", arg, 1, 4096, &number);
        a->bench.image_size = (int)number;
        return err;
    case KEY_STEPS:
        err = cli_int(state, "steps", arg, 5, 1000000, &number);
        a->bench.steps = (int)number;
        return err;
    case KEY_DATA:
        a->bench.data = arg;
        return 0;
    case KEY_RANDAUGMENT:
        a->bench.is_randaugmented = 1;
        return 0;
    case KEY_NORMALISE:
        a->bench.is_normalised = 1;
        return 0;
    case KEY_FACE:
        a->synth.face = arg;
        return 0;
    case KEY_SCENE:
        a->synth.scene = arg;
        return 0;
    case KEY_PROFILE:
        a->bench.is_profiled = 1;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        return parse_what(a, arg, state);
    case ARGP_KEY_END:
        if (!a->has_what) {
            argp_error(state, "one of train, infer, data and synth is missing");
            return EINVAL;
        }
        if (a->bench.kind != MIEN_BENCH_PLAIN && (a->bench.what != MIEN_BENCH_TRAIN || a->bench.is_deviation)) {
            argp_error(state, "--kind %s: for train alone, without --deviation", kinds[a->bench.kind]);
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_profile(const mien_bench *b)
{
    printf("%8s %6s %6s %10s %8s  %-24s %s\n", "ms", "share", "nodes", "GFLOP/s", "GB/s", "operator", "implementation");
    double total = 0;
    for (int i = 0; i < mien_bench_row_count(b); i++)
        total += mien_bench_row_at(b, i)->seconds;
    for (int i = 0; i < mien_bench_row_count(b); i++) {
        const mien_bench_row *r = mien_bench_row_at(b, i);
        double s = r->seconds > 0 ? r->seconds : 1e-12;
        printf("%8.2f %5.1f%% %6d %10.1f %8.1f  %-24s %s\n", 1e3 * r->seconds,
               total > 0 ? 100 * r->seconds / total : 0.0, r->nodes, r->flops / s * 1e-9, r->bytes / s * 1e-9, r->group,
               r->implementation);
    }
}

/* Has it a network? */
static bool is_network(const arguments *a)
{
    return a->bench.what == MIEN_BENCH_TRAIN || a->bench.what == MIEN_BENCH_INFER;
}

static void print_stages(const mien_bench *b)
{
    double total = 0;
    for (int i = 0; i < mien_bench_row_count(b); i++)
        total += mien_bench_row_at(b, i)->seconds;
    printf("%10s %6s  %s\n", "ms a face", "share", "stage");
    for (int i = 0; i < mien_bench_row_count(b); i++) {
        const mien_bench_row *r = mien_bench_row_at(b, i);
        printf("%10.3f %5.1f%%  %s\n", 1e3 * r->seconds / r->nodes, total > 0 ? 100 * r->seconds / total : 0.0,
               r->group);
    }
}

static json_t *make_document(const arguments *a, const mien_bench *b)
{
    const mien_bench_result *r = mien_bench_result_of(b);
    json_t *document =
        json_pack("{s:s, s:o, s:i, s:i, s:s, s:s, s:i, s:f, s:f, s:I, s:f}", "what", whats[a->bench.what], "arch",
                  is_network(a) ? json_string(a->bench.arch) : json_null(), "batch", r->batch, "size", r->size,
                  "precision", r->precision, "isa", r->isa, "threads", r->threads, "img_per_s", r->images_per_s, "ms",
                  r->ms, "peak_rss_bytes", (json_int_t)r->peak_rss_bytes, "flops_per_s", r->flops_per_s);
    json_object_set_new(document, "device", json_text(r->device));
    if (r->peak_device_bytes)
        json_object_set_new(document, "peak_device_bytes", json_integer(r->peak_device_bytes));
    if (a->bench.is_deviation && is_network(a))
        json_object_set_new(document, "deviation", json_true());
    if (a->bench.kind != MIEN_BENCH_PLAIN)
        json_object_set_new(document, "kind", json_string(kinds[a->bench.kind]));
    if (!is_network(a)) {
        json_object_set_new(document, "img_per_cpu_s", json_real(r->images_per_cpu_s));
    } else {
        json_object_set_new(document, "planned_bytes", json_integer(r->planned_bytes));
        json_object_set_new(document, "sum_bytes", json_integer(r->sum_bytes));
        json_object_set_new(document, "lanes", json_integer(r->lanes));
        json_object_set_new(document, "tile", json_integer(r->tile));
    }
    if (a->bench.is_profiled) {
        json_t *rows = json_array();
        for (int i = 0; i < mien_bench_row_count(b); i++) {
            const mien_bench_row *row = mien_bench_row_at(b, i);
            json_array_append_new(rows, json_pack("{s:s, s:s, s:i, s:f, s:f, s:f}", "group", row->group,
                                                  "implementation", row->implementation, "nodes", row->nodes, "seconds",
                                                  row->seconds, "flops", row->flops, "bytes", row->bytes));
        }
        json_object_set_new(document, "profile", rows);
    }
    return document;
}

static void print_result(const arguments *a, const mien_bench *b)
{
    const mien_bench_result *r = mien_bench_result_of(b);
    bool is_data = a->bench.what == MIEN_BENCH_DATA;
    if (a->bench.is_profiled && r->lanes > 1)
        printf("the first of %d lanes, of %d pictures at a time, stands for all:\n", r->lanes, r->tile);
    if (a->bench.is_profiled && a->bench.what == MIEN_BENCH_SYNTH)
        print_stages(b);
    else if (a->bench.is_profiled)
        print_profile(b);
    const bool is_mtl = a->bench.kind != MIEN_BENCH_PLAIN;
    printf("%s %s%s%s batch %d at %d, %s, %s, %d threads: %.2f images/s, %.2f ms a %s", whats[a->bench.what],
           is_data         ? "loader"
           : is_network(a) ? a->bench.arch
                           : "faces",
           is_mtl || (a->bench.is_deviation && is_network(a)) ? "+" : "",
           is_mtl                                   ? kinds[a->bench.kind]
           : a->bench.is_deviation && is_network(a) ? "deviation"
                                                    : "",
           r->batch, r->size, r->precision, r->isa, r->threads, r->images_per_s, r->ms, is_mtl ? "step" : "batch");
    if (!is_network(a))
        printf(", %.2f images a second of processor time", r->images_per_cpu_s);
    else
        printf(", %.1f GFLOP/s\nactivations: %.1f MB planned, %.1f MB the sum of all tensors", r->flops_per_s * 1e-9,
               (double)r->planned_bytes * 1e-6, (double)r->sum_bytes * 1e-6);
    printf("\npeak memory: %.1f MB", (double)r->peak_rss_bytes * 1e-6);
    if (r->peak_device_bytes)
        printf(", %.1f MB on %s", (double)r->peak_device_bytes * 1e-6, r->device);
    printf("\n");
}

int cmd_bench(console *c, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_compute_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "train|infer|data|synth",
        "Times a step and prints the median. A training step is: a fresh random batch, "
        "forward, label-smoothed cross entropy "
        "over 6 classes, backward, Adam; with --kind that of `task: mtl`. `data` loads, decodes and resizes pictures, "
        "`synth` draws faces.",
        children,
        NULL,
        NULL};
    arguments a = {0};
    mien_bench_options_init(&a.bench);
    mien_compute_init(&a.compute);
    mien_synth_options_init(&a.synth);
    a.bench.compute = a.synth.compute = &a.compute;
    a.bench.synth = &a.synth;
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    char face[PATH_MAX];
    if (a.bench.what == MIEN_BENCH_SYNTH && !a.synth.face) {
        if (!cli_find_face(c, face))
            return EXIT_FAILED;
        a.synth.face = face;
    }
    console_watch(c, &a.compute);
    mien_bench *b = NULL;
    mien_status st = mien_bench_run(&b, &a.bench);
    if (st)
        return console_fail(c, st);
    console_clear(c);
    if (a.is_json)
        code = print_json(c, stdout, make_document(&a, b));
    else
        print_result(&a, b);
    mien_bench_free(b);
    return code;
}
