/* mien train: a recipe over a labelled set into a run folder. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

enum {
    KEY_SET = CLI_KEY_FIRST,
    KEY_DATA,
    KEY_VAL,
    KEY_IMAGES,
    KEY_FALLBACK,
    KEY_OUT,
    KEY_RESUME,
    KEY_STRICT,
    KEY_FACE,
    KEY_JSON,
    KEY_KEYS
};

typedef struct {
    mien_train_options train;
    mien_compute compute;
    const char **settings; /* [setting_count], owned */
    cli_sources data, validation;
    mien_source *last; /* of them: what --images is about */
    bool is_json, wants_keys;
} arguments;

static const struct argp_option options[] = {
    {"set", KEY_SET, "KEY.KEY=VALUE", 0, "Change a key of the recipe; may be given again", 1},
    {"data", KEY_DATA, "DIR|CSV|ANNOTATIONS", 0,
     "What to train on: a folder per class, `train` and `val` of such, a CSV path,label, an annotation file, or "
     "`synth:SCENE`, faces drawn while it "
     "trains, SCENE as `mien synth --scene` has it; may be given again where the task learns from several sets "
     "(default: the recipe's data.sets)",
     1},
    {"val", KEY_VAL, "DIR|CSV|ANNOTATIONS", 0,
     "What to select on, likewise (default: the data's own `val`, else a held-out share)", 1},
    {"images", KEY_IMAGES, "DIR", 0,
     "Where the pictures lie that the --data or --val before it names (default: as it says)", 1},
    {"images-fallback", KEY_FALLBACK, "DIR", 0, "Where those lie that cannot be read there", 1},
    {"out", KEY_OUT, "RUN", 0, "Run folder to write", 1},
    {"resume", KEY_RESUME, 0, 0, "Go on with what RUN holds", 1},
    {"strict", KEY_STRICT, 0, 0, "Refuse folders and rows that are none of the classes, instead of leaving them out",
     1},
    {"face", KEY_FACE, "FACE.safetensors", 0,
     "Face model that `synth:` sets are drawn with (default: face.safetensors beside this program)", 1},
    {"json", KEY_JSON, 0, 0, "Print what was trained as one JSON document", 2},
    {"list-keys", KEY_KEYS, 0, 0, "Print every key of a recipe, and leave", 3},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->compute;
        return 0;
    case KEY_SET:
        a->settings[a->train.setting_count++] = arg; /* as many as argv at most */
        return 0;
    case KEY_DATA:
        a->last = cli_begin_source(&a->data, arg);
        return 0;
    case KEY_VAL:
        a->last = cli_begin_source(&a->validation, arg);
        return 0;
    case KEY_IMAGES:
        return cli_place_images(state, a->last, "images", arg);
    case KEY_FALLBACK:
        return cli_place_images(state, a->last, "images-fallback", arg);
    case KEY_OUT:
        a->train.out = arg;
        return 0;
    case KEY_RESUME:
        a->train.is_resumed = 1;
        return 0;
    case KEY_STRICT:
        a->train.is_strict = 1;
        return 0;
    case KEY_FACE:
        a->train.face = arg;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case KEY_KEYS:
        a->wants_keys = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one recipe is trained at a time (found '%s' too)", arg);
            return EINVAL;
        }
        a->train.recipe = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->wants_keys)
            return 0;
        if (!a->train.recipe || !a->train.out) {
            argp_error(state, "%s is missing", !a->train.recipe ? "RECIPE.yaml" : "--out");
            return EINVAL;
        }
        a->train.sources = a->data.at;
        a->train.source_count = a->data.count;
        a->train.validation_sources = a->validation.at;
        a->train.validation_source_count = a->validation.count;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_train(console *c, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_compute_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse,
                                     "RECIPE.yaml",
                                     "Trains the recipe's models and writes them, with logs and checkpoints, into the "
                                     "run folder. Ctrl-C saves; --resume "
                                     "goes on to the same result.",
                                     children,
                                     NULL,
                                     NULL};
    arguments a = {.settings = calloc((size_t)argc, sizeof(char *)),
                   .data.at = calloc((size_t)argc, sizeof(mien_source)),
                   .validation.at = calloc((size_t)argc, sizeof(mien_source))};
    mien_train_options_init(&a.train);
    mien_compute_init(&a.compute);
    a.train.compute = &a.compute;
    a.train.settings = a.settings;
    int code = EXIT_FAILED;
    if (!a.settings || !a.data.at || !a.validation.at)
        console_say(c, "train: out of memory");
    else
        code = cli_parse(c, &argp, argc, argv, &a);
    if (code == EXIT_DONE && a.wants_keys) {
        code = print_text(c, mien_recipe_reference);
    } else if (code == EXIT_DONE) {
        char face[PATH_MAX];
        if (!a.train.face && cli_face_beside(face)) /* who needs one and has none is told by the library */
            a.train.face = face;
        console_watch(c, &a.compute);
        mien_status st = mien_train(&a.train);
        code = st ? console_fail(c, st) : print_info(c, a.train.out, a.is_json);
    }
    free(a.settings);
    free(a.data.at);
    free(a.validation.at);
    return code;
}
