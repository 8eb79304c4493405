/* mien import: a model of weights that others trained. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_ARCH = CLI_KEY_FIRST,
    KEY_OUT,
    KEY_CLASSES,
    KEY_MEAN,
    KEY_STD,
    KEY_SIZE,
    KEY_IGNORE,
    KEY_JSON,
    MAX_CLASSES = 1000,
    MAX_IGNORED = 64
};

typedef struct {
    mien_import_options import;
    const char *classes[MAX_CLASSES], *ignored[MAX_IGNORED];
    float mean[3], std[3];
    bool is_json;
} arguments;

static const struct argp_option options[] = {
    {"arch", KEY_ARCH, "NAME", 0, "Architecture of the weights, or timm's name of it", 1},
    {"out", KEY_OUT, "MODEL", 0, "Model file to write (.safetensors)", 1},
    {"classes", KEY_CLASSES, "A,B,..", 0,
     "Classes in the order of the outputs (default: the file's own, else the six basic expressions); a head of another "
     "number of them is replaced by a fresh one",
     2},
    {"mean", KEY_MEAN, "R,G,B", 0, "Normalisation of pixels in 0..1 (default: what such weights expect)", 2},
    {"std", KEY_STD, "R,G,B", 0, "The same: what is divided by", 2},
    {"size", KEY_SIZE, "PIXELS", 0, "Side of the input (default: the architecture's)", 2},
    {"ignore", KEY_IGNORE, "PREFIX", 0,
     "Leave out the tensors whose names begin so, as 'teacher.' or 'neck.' (may be given several times)", 2},
    {"json", KEY_JSON, 0, 0, "Print one JSON document about the model", 3},
    {0},
};

/* "0.5,0.5,0.5" */
static error_t read_triple(struct argp_state *state, const char *option, const char *text, float out[3])
{
    const char *at = text;
    for (int i = 0; i < 3; i++) {
        char *end;
        float value = strtof(at, &end);
        if (end == at || !isfinite(value) || *end != (i < 2 ? ',' : '\0')) {
            argp_error(state, "--%s: '%s' (wanted three numbers, as 0.5,0.5,0.5)", option, text);
            return EINVAL;
        }
        out[i] = value;
        at = end + 1;
    }
    return 0;
}

/* Cuts text at its commas, in place. */
static error_t read_classes(struct argp_state *state, arguments *a, char *text)
{
    int count = 0;
    for (char *name = text; name; count++) {
        char *comma = strchr(name, ',');
        if (comma)
            *comma = '\0';
        if (!*name || count == MAX_CLASSES) {
            argp_error(state, *name ? "--classes: more than %d" : "--classes: an empty name", MAX_CLASSES);
            return EINVAL;
        }
        for (int i = 0; i < count; i++)
            if (!strcmp(a->classes[i], name)) {
                argp_error(state, "--classes: '%s' twice", name);
                return EINVAL;
            }
        a->classes[count] = name;
        name = comma ? comma + 1 : NULL;
    }
    a->import.classes = a->classes;
    a->import.class_count = count;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    int64_t number;
    switch (key) {
    case KEY_ARCH:
        a->import.arch = arg;
        return cli_one_of(state, "arch", arg, mien_import_name);
    case KEY_OUT:
        a->import.out = arg;
        return 0;
    case KEY_CLASSES:
        return read_classes(state, a, arg);
    case KEY_MEAN:
        a->import.mean = a->mean;
        return read_triple(state, "mean", arg, a->mean);
    case KEY_STD:
        a->import.std = a->std;
        return read_triple(state, "std", arg, a->std);
    case KEY_SIZE:
        if (cli_int(state, "size", arg, 1, 4096, &number))
            return EINVAL;
        a->import.image_size = (int)number;
        return 0;
    case KEY_IGNORE:
        if (!*arg || a->import.ignored_count == MAX_IGNORED) {
            argp_error(state, *arg ? "--ignore: more than %d" : "--ignore: an empty beginning", MAX_IGNORED);
            return EINVAL;
        }
        a->import.ignored = a->ignored;
        a->ignored[a->import.ignored_count++] = arg;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one file at a time (found '%s' too)", arg);
            return EINVAL;
        }
        a->import.weights = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->import.weights || !a->import.arch || !a->import.out) {
            argp_error(state, "%s is missing", !a->import.weights ? "WEIGHTS" : a->import.arch ? "--out" : "--arch");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The help's text, which ends with the names that --arch takes. */
static void write_doc(char *dst, size_t bytes)
{
    int at = snprintf(dst, bytes,
                      "Makes a model of weights under torchvision's or timm's names: safetensors, or what torch.save "
                      "wrote of a state dict (.pth, .pt). Nothing in the file is executed. NAME is one of");
    for (int i = 0; mien_import_name(i) && at > 0 && (size_t)at < bytes; i++)
        at += snprintf(dst + at, bytes - (size_t)at, "%s %s", i ? "," : "", mien_import_name(i));
}

int cmd_import(console *c, int argc, char **argv)
{
    char doc[1024];
    write_doc(doc, sizeof doc);
    const struct argp argp = {options, parse, "WEIGHTS", doc, NULL, NULL, NULL};
    arguments a = {0};
    mien_import_options_init(&a.import);
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    mien_status st = mien_import(&a.import);
    return st ? console_fail(c, st) : print_info(c, a.import.out, a.is_json);
}
