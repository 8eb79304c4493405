/* mien eval: models, and the mean of them, against a labelled set. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_DATA = CLI_KEY_FIRST, KEY_IMAGES, KEY_FALLBACK, KEY_SCORES, KEY_STRICT, KEY_JSON, KEY_SMOOTH };

typedef struct {
    cli_arguments models;
    cli_sources data;
    mien_source *last; /* of it: what --images is about */
    bool is_json;
    cli_smoothing smooth;
    mien_evaluate_options options;
    mien_compute compute;
} arguments;

static const struct argp_option options[] = {
    {"data", KEY_DATA, "DIR|CSV|ANNOTATIONS", 0,
     "Labelled faces: a folder per class, a folder with `val` of such, a CSV path,label, or an annotation file; may be "
     "given again where the models' task takes several sets",
     1},
    {"images", KEY_IMAGES, "DIR", 0, "Where the pictures lie that the --data before it names (default: as it says)", 1},
    {"images-fallback", KEY_FALLBACK, "DIR", 0, "Where those lie that cannot be read there", 1},
    {"scores", KEY_SCORES, "FILE.npy", 0,
     "Keep the probabilities of each model of the ensemble: float32 [pictures, classes], or [models, pictures, "
     "classes]",
     1},
    {"strict", KEY_STRICT, 0, 0, "Refuse folders and rows that are none of the classes, instead of leaving them out",
     1},
    {"smooth", KEY_SMOOTH, "KIND:WIDTH", 0,
     "Smooth answers to frames over time: a folder is a clip, in natural order. KIND is exponential, gaussian or box, "
     "WIDTH a number of frames, for each head (va=4,au=3) or for all, or auto: each head gets the width of a grid that "
     "its own score is best at. That flatters the set it is chosen on; report on another",
     1},
    {"json", KEY_JSON, 0, 0, "Print one JSON document", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->compute;
        return 0;
    case KEY_DATA:
        a->last = cli_begin_source(&a->data, arg);
        return 0;
    case KEY_IMAGES:
        return cli_place_images(state, a->last, "images", arg);
    case KEY_FALLBACK:
        return cli_place_images(state, a->last, "images-fallback", arg);
    case KEY_SCORES:
        if (!cli_ends_with(arg, ".npy")) {
            argp_error(state, "--scores: '%s' (wanted a name ending in .npy)", arg);
            return EINVAL;
        }
        a->options.scores = arg;
        return 0;
    case KEY_STRICT:
        a->options.is_strict = 1;
        return 0;
    case KEY_SMOOTH:
        return cli_smooth(state, &a->smooth, arg, true);
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->models = cli_rest(state);
        return 0;
    case ARGP_KEY_END:
        if (!a->models.count || !a->data.count) {
            argp_error(state, "%s is missing", a->data.count ? "MODEL" : "--data");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_table(const mien_evaluation *e)
{
    const mien_metrics *ensemble = mien_evaluation_ensemble(e);
    int width = (int)strlen(ensemble->name);
    for (int i = 0; i < mien_evaluation_member_count(e); i++) {
        int length = (int)strlen(mien_evaluation_member(e, i)->name);
        width = length > width ? length : width;
    }
    print_metrics_head(stdout, width, e);
    for (int i = 0; i < mien_evaluation_member_count(e); i++)
        print_metrics_row(stdout, width, e, mien_evaluation_member(e, i));
    print_metrics_row(stdout, width, e, ensemble);
}

/* {"kind": "gaussian", "widths": {"va": 4.0}} */
static json_t *make_smoothing(const mien_evaluation *e)
{
    json_t *widths = json_object();
    for (int i = 0; i < mien_evaluation_width_count(e); i++) {
        const mien_head_width *w = mien_evaluation_width(e, i);
        json_object_set_new(widths, w->head, json_real(w->width));
    }
    return json_pack("{s:s, s:o}", "kind", mien_evaluation_smoothing(e), "widths", widths);
}

/* The document that is promised: task, n, skipped, ignored, classes, members, ensemble; and smooth, where it was. */
static json_t *make_document(const mien_evaluation *e)
{
    json_t *skipped = json_array(), *ignored = json_object(), *classes = json_array(), *members = json_array();
    for (int64_t i = 0; i < mien_evaluation_skipped_count(e); i++) {
        const char *path = NULL, *why = NULL, *image = mien_evaluation_skipped(e, i, &path, &why);
        json_array_append_new(skipped, json_pack("{s:o, s:o}", "image", json_text(image), "why", json_text(why)));
    }
    for (int i = 0; i < mien_evaluation_ignored_count(e); i++) {
        int64_t count = 0;
        json_t *name = json_text(mien_evaluation_ignored(e, i, &count));
        json_object_set_new(ignored, json_string_value(name), json_integer(count));
        json_decref(name);
    }
    for (int i = 0; i < mien_evaluation_class_count(e); i++)
        json_array_append_new(classes, json_text(mien_evaluation_class(e, i)));
    for (int i = 0; i < mien_evaluation_member_count(e); i++) {
        const mien_metrics *m = mien_evaluation_member(e, i);
        json_t *member = json_pack("{s:o}", "model", json_text(m->name));
        json_set_metrics(member, e, m);
        json_array_append_new(members, member);
    }
    json_t *ensemble = json_object();
    json_set_metrics(ensemble, e, mien_evaluation_ensemble(e));
    json_t *document = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "task", mien_evaluation_task(e), "n",
                                 (json_int_t)mien_evaluation_count(e), "skipped", skipped, "ignored", ignored,
                                 "classes", classes, "members", members, "ensemble", ensemble);
    if (mien_evaluation_smoothing(e))
        json_object_set_new(document, "smooth", make_smoothing(e));
    return document;
}

static int evaluate(console *c, arguments *a)
{
    mien_evaluation *e = NULL;
    int code = EXIT_DONE;
    a->options.sources = a->data.at;
    a->options.source_count = a->data.count;
    a->options.smooth = a->smooth.kind;
    a->options.widths = a->smooth.widths;
    a->options.width_count = a->smooth.count;
    console_watch(c, &a->compute);
    mien_status st = mien_evaluate(&e, a->models.at, a->models.count, NULL, &a->options);
    if (st)
        return console_fail(c, st);
    console_clear(c);
    if (a->is_json)
        code = print_json(c, stdout, make_document(e));
    else
        print_table(e);
    for (int64_t i = 0; i < mien_evaluation_skipped_count(e); i++) {
        const char *path = NULL, *why = NULL;
        (void)mien_evaluation_skipped(e, i, &path, &why);
        console_say(c, "%s: %s", path, why);
        code = EXIT_FAILED;
    }
    mien_evaluation_free(e);
    return code;
}

int cmd_eval(console *c, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_compute_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "MODEL|RUN|SCORES.npy...",
        "Prints the scores of each model, of classes the F1 of each and their average, and of the ensemble: the mean "
        "of the models' answers. A run has a row for each finished stage; the last ones form the ensemble. Scores that "
        "an earlier call kept of the same set stand in for their models. Pictures that cannot be read are named and "
        "left "
        "out; the exit code is then 1.",
        children,
        NULL,
        NULL};
    arguments a = {.data.at = calloc((size_t)argc, sizeof(mien_source))};
    int code = EXIT_FAILED;
    mien_evaluate_options_init(&a.options);
    mien_compute_init(&a.compute);
    a.options.compute = &a.compute;
    if (!a.data.at)
        console_say(c, "eval: out of memory");
    else
        code = cli_parse(c, &argp, argc, argv, &a);
    if (code == EXIT_DONE)
        code = evaluate(c, &a);
    free(a.data.at);
    return code;
}
