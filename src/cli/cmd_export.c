/* mien export: models as files that other programs run. */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

enum { KEY_OUT = CLI_KEY_FIRST, KEY_INPUT, KEY_RAW, KEY_JSON };

typedef struct {
    cli_arguments models;
    mien_export_options options;
    bool has_input, is_raw, is_json;
} arguments;

static const struct argp_option options[] = {
    {"out", KEY_OUT, "FILE", 0, "File to write: .onnx, or .safetensors of one model for PyTorch", 1},
    {"input", KEY_INPUT, "uint8|float", 0,
     "What the ONNX file takes: RGB pictures [batch, size, size, 3], uint8 (default) or float32 of 0 to 255; "
     "normalisation is inside",
     2},
    {"raw", KEY_RAW, 0, 0, "It takes float32 [batch, 3, size, size], normalised", 2},
    {"json", KEY_JSON, 0, 0, "Print one JSON document about what was written", 3},
    {0},
};

/* What no single option tells. */
static error_t check(struct argp_state *state, const arguments *a)
{
    const char *out = a->options.out;
    if (!a->models.count || !out)
        argp_error(state, "%s is missing", a->models.count ? "--out" : "MODEL");
    else if (a->has_input && a->is_raw)
        argp_error(state, "either --input or --raw");
    else if (!cli_ends_with(out, ".onnx") && !cli_ends_with(out, ".safetensors"))
        argp_error(state, "--out: '%s' (wanted a name ending in .onnx or .safetensors)", out);
    else if ((a->has_input || a->is_raw) && !cli_ends_with(out, ".onnx"))
        argp_error(state, "--%s: '%s' is no ONNX file", a->is_raw ? "raw" : "input", out);
    else
        return 0;
    return EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case KEY_OUT:
        a->options.out = arg;
        return 0;
    case KEY_INPUT:
        if (strcmp(arg, "uint8") && strcmp(arg, "float")) {
            argp_error(state, "--input: '%s' (wanted uint8 or float)", arg);
            return EINVAL;
        }
        a->has_input = true;
        a->options.input = strcmp(arg, "uint8") ? MIEN_EXPORT_FLOAT : MIEN_EXPORT_UINT8;
        return 0;
    case KEY_RAW:
        a->is_raw = true;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->models = cli_rest(state);
        return 0;
    case ARGP_KEY_END:
        return check(state, a);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* "images uint8 [batch, 224, 224, 3]" */
static void print_tensor(const char *what, const json_t *tensor)
{
    size_t i;
    json_t *dim;
    printf("%-12s %s %s [", what, json_string_value(json_object_get(tensor, "name")),
           json_string_value(json_object_get(tensor, "type")));
    json_array_foreach(json_object_get(tensor, "shape"), i, dim)
    {
        fputs(i ? ", " : "", stdout);
        if (json_is_string(dim))
            fputs(json_string_value(dim), stdout);
        else
            printf("%lld", (long long)json_integer_value(dim));
    }
    puts("]");
}

/* "va           valence arousal" */
static void print_names(const char *what, const json_t *names)
{
    size_t i;
    json_t *item;
    printf("%-12s", what);
    json_array_foreach(names, i, item) printf(" %s", json_string_value(item));
    putchar('\n');
}

static void print_report(const char *out, const json_t *report)
{
    size_t i;
    json_t *item;
    const json_t *metadata = json_object_get(report, "metadata");
    printf("%-12s %s\n", "out", out);
    json_array_foreach(json_object_get(report, "inputs"), i, item) print_tensor("input", item);
    json_array_foreach(json_object_get(report, "outputs"), i, item) print_tensor("output", item);
    if (json_object_get(report, "tensors"))
        printf("%-12s %lld\n", "tensors", (long long)json_integer_value(json_object_get(report, "tensors")));
    if (!json_object_get(metadata, "heads"))
        print_names("classes", json_object_get(metadata, "classes"));
    json_array_foreach(json_object_get(metadata, "heads"), i, item)
        print_names(json_string_value(json_object_get(item, "name")), json_object_get(item, "columns"));
}

int cmd_export(console *c, int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        "MODEL|RUN...",
        "Writes models as one ONNX file, which ONNX Runtime, OpenVINO and others run: a model, or several as "
        "an ensemble, whose outputs, one a head, are the means of theirs; a run stands for its last finished models. "
        "As .safetensors, one model leaves under torchvision's names.",
        NULL,
        NULL,
        NULL};
    arguments a = {0};
    mien_export_options_init(&a.options);
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    if (a.is_raw)
        a.options.input = MIEN_EXPORT_RAW;
    char *text = NULL;
    mien_status st = mien_export(&text, a.models.at, a.models.count, &a.options);
    if (st)
        return console_fail(c, st);
    json_t *report = json_loads(text, 0, NULL);
    mien_text_free(text);
    if (report && !a.is_json) {
        print_report(a.options.out, report);
        json_decref(report);
        return EXIT_DONE;
    }
    json_object_set_new(report, "out", json_text(a.options.out));
    return print_json(c, stdout, report);
}
