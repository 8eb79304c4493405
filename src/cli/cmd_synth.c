/* mien synth: labelled faces that mien draws itself. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum {
    KEY_OUT = CLI_KEY_FIRST,
    KEY_COUNT,
    KEY_IDENTITIES,
    KEY_FIRST,
    KEY_SIZE,
    KEY_TASK,
    KEY_MISSING,
    KEY_FACE,
    KEY_FACE_SHARE,
    KEY_SEED,
    KEY_SCENE,
    KEY_KEYS,
    KEY_CLIP,
    KEY_CROWD,
    KEY_STUDIO,
    KEY_RESUME,
    KEY_FORCE,
    KEY_SHEET,
    KEY_SHEET_OF,
    KEY_QUIZ,
    KEY_JSON
};

#define MORE_FACES 7 /* beside the first */

typedef struct {
    mien_synth_options synth;
    const char *more_faces[MORE_FACES];
    mien_compute compute;
    bool is_json, wants_keys;
} arguments;

static const struct argp_option options[] = {
    {"out", KEY_OUT, "DIR", 0, "Folder to write: pictures and labels.csv", 1},
    {"count", KEY_COUNT, "N", 0, "Pictures", 1},
    {"identities", KEY_IDENTITIES, "K", 0, "Different heads (default: one for every ten pictures)", 1},
    {"first-identity", KEY_FIRST, "I", 0, "Number of the first head; disjoint ranges share nobody (default 0)", 1},
    {"size", KEY_SIZE, "S", 0, "Pixels a side (default 112)", 1},
    {"task", KEY_TASK, "TASK", 0,
     "Expressions: the six basic ones, a folder each; or all eight, in one folder or a folder a person", 1},
    {"clip", KEY_CLIP, "N", 0, "One head in motion as N frames, a folder a clip; --count is of all frames", 1},
    {"crowd", KEY_CROWD, "M", 0, "2 to M heads in each picture, a row each in labels.csv", 1},
    {"missing", KEY_MISSING, "none|aff-wild2", 0,
     "Labels to leave out of labels.csv where all are drawn: a task's at a time, as often as s-Aff-Wild2 lacks them",
     1},
    {"face", KEY_FACE, "FACE.safetensors", 0,
     "Face model (default: face.safetensors beside this program); given more than once, each person has one of them",
     1},
    {"face-share", KEY_FACE_SHARE, "PERCENT", 0, "Of the people who have the first face model (default: equal shares)",
     1},
    {"seed", KEY_SEED, "S", 0, "Another seed draws other faces (default 1)", 1},
    {"scene", KEY_SCENE, "FILE.yaml|NAME", 0,
     "What to draw: a file of distributions, or a preset, studio, portrait or wild (default: every key's own)", 1},
    {"studio", KEY_STUDIO, 0, 0, "Short for --scene studio: frontal faces in one plain light, an easy set", 1},
    {"resume", KEY_RESUME, 0, 0, "Go on where an interrupted call stopped", 2},
    {"force", KEY_FORCE, 0, 0, "Replace what DIR holds", 2},
    {"sheet", KEY_SHEET, "PNG", 0, "Also draw a sheet of faces to look at", 2},
    {"sheet-of", KEY_SHEET_OF, "KIND", 0, "What the sheet shows (default expressions, of four people)", 2},
    {"quiz", KEY_QUIZ, "PNG", 0, "Also draw a page of faces to be named, and NAME-answers.png beside it", 2},
    {"json", KEY_JSON, 0, 0, "Print what was written as one JSON document", 3},
    {"list-keys", KEY_KEYS, 0, 0, "Print every key of a scene, and leave", 3},
    {0},
};

static error_t parse_number(int key, char *arg, struct argp_state *state)
{
    mien_synth_options *s = &((arguments *)state->input)->synth;
    int64_t number = 0;
    error_t err;
    switch (key) {
    case KEY_COUNT:
        return cli_int(state, "count", arg, 1, 1000000000, &s->count);
    case KEY_IDENTITIES:
        return cli_int(state, "identities", arg, 1, 1000000000, &s->identities);
    case KEY_FIRST:
        return cli_int(state, "first-identity", arg, 0, 1000000000, &s->first_identity);
    case KEY_SIZE:
        err = cli_int(state, "size", arg, 16, 2048, &number);
        s->image_size = (int)number;
        return err;
    case KEY_CLIP:
        err = cli_int(state, "clip", arg, 2, 100000, &number);
        s->clip = (int)number;
        return err;
    case KEY_CROWD:
        err = cli_int(state, "crowd", arg, 2, 16, &number);
        s->crowd = (int)number;
        return err;
    case KEY_FACE_SHARE:
        err = cli_int(state, "face-share", arg, 1, 100, &number);
        s->face_share = (float)number / 100;
        return err;
    default: /* KEY_SEED */
        err = cli_int(state, "seed", arg, 0, INT64_MAX, &number);
        s->seed = (uint64_t)number;
        return err;
    }
}

static error_t take_face(arguments *a, const char *path, struct argp_state *state)
{
    mien_synth_options *s = &a->synth;
    if (!s->face) {
        s->face = path;
        return 0;
    }
    if (s->more_face_count == MORE_FACES) {
        argp_error(state, "--face: more than %d", 1 + MORE_FACES);
        return EINVAL;
    }
    a->more_faces[s->more_face_count++] = path;
    s->more_faces = a->more_faces;
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    mien_synth_options *s = &a->synth;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->compute;
        return 0;
    case KEY_OUT:
        s->out = arg;
        return 0;
    case KEY_COUNT:
    case KEY_IDENTITIES:
    case KEY_FIRST:
    case KEY_SIZE:
    case KEY_SEED:
    case KEY_CLIP:
    case KEY_CROWD:
        return parse_number(key, arg, state);
    case KEY_TASK:
        s->task = arg;
        return cli_one_of(state, "task", arg, mien_synth_task);
    case KEY_MISSING:
        if (strcmp(arg, "none") && strcmp(arg, "aff-wild2")) {
            argp_error(state, "--missing: '%s' (wanted none or aff-wild2)", arg);
            return EINVAL;
        }
        s->missing = arg;
        return 0;
    case KEY_FACE:
        return take_face(a, arg, state);
    case KEY_FACE_SHARE:
        return parse_number(key, arg, state);
    case KEY_SCENE:
        s->scene = arg;
        return 0;
    case KEY_KEYS:
        a->wants_keys = true;
        return 0;
    case KEY_STUDIO:
        s->is_studio = 1;
        return 0;
    case KEY_RESUME:
        s->is_resumed = 1;
        return 0;
    case KEY_FORCE:
        s->is_forced = 1;
        return 0;
    case KEY_SHEET:
        s->sheet = arg;
        return 0;
    case KEY_SHEET_OF:
        s->sheet_kind = arg;
        return cli_one_of(state, "sheet-of", arg, mien_synth_sheet);
    case KEY_QUIZ:
        s->quiz = arg;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is no option", arg);
        return EINVAL;
    case ARGP_KEY_END:
        if (a->wants_keys)
            return 0;
        if (s->scene && s->is_studio) {
            argp_error(state, "--studio is a scene of its own: choose it or --scene");
            return EINVAL;
        }
        if (s->out ? !s->count : !s->sheet && !s->quiz) {
            argp_error(state, "%s is missing", s->out ? "--count" : "--out");
            return EINVAL;
        }
        if (s->sheet_kind && !s->sheet) {
            argp_error(state, "--sheet-of without --sheet");
            return EINVAL;
        }
        if (s->is_resumed && s->is_forced) {
            argp_error(state, "--resume keeps what --force replaces: choose one");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_synth(console *c, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_compute_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "",
        "Draws faces with known expressions. The same options draw the same pictures on any number of threads.",
        children,
        NULL,
        NULL};
    arguments a = {0};
    mien_synth_options_init(&a.synth);
    mien_compute_init(&a.compute);
    a.synth.compute = &a.compute;
    a.synth.count = 0;
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    if (a.wants_keys)
        return print_text(c, mien_scene_reference);
    char face[PATH_MAX];
    if (!a.synth.face) {
        if (!cli_find_face(c, face))
            return EXIT_FAILED;
        a.synth.face = face;
    }
    console_watch(c, &a.compute);
    mien_status st = mien_synth(&a.synth);
    if (st)
        return console_fail(c, st);
    console_clear(c);
    if (a.is_json)
        return print_json(c, stdout,
                          json_pack("{s:o, s:I, s:o, s:o}", "out", a.synth.out ? json_text(a.synth.out) : json_null(),
                                    "count", (json_int_t)(a.synth.out ? a.synth.count : 0), "sheet",
                                    a.synth.sheet ? json_text(a.synth.sheet) : json_null(), "quiz",
                                    a.synth.quiz ? json_text(a.synth.quiz) : json_null()));
    if (a.synth.out)
        printf("%s: %lld faces\n", a.synth.out, (long long)a.synth.count);
    if (a.synth.sheet)
        printf("%s\n", a.synth.sheet);
    if (a.synth.quiz)
        printf("%s\n", a.synth.quiz);
    return EXIT_DONE;
}
