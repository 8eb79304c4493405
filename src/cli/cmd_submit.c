/* mien submit: a challenge's list of pictures, answered in the file that the challenge reads. */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

enum { KEY_TASK = CLI_KEY_FIRST, KEY_LIST, KEY_IMAGES, KEY_FALLBACK, KEY_OUT, KEY_JSON };

typedef struct {
    cli_arguments models;
    mien_submit_options options;
    mien_compute compute;
    bool is_json;
} arguments;

static const struct argp_option options[] = {
    {"task", KEY_TASK, "TASK", 0, "Whose challenge it is, by the task's name in recipes (default: the first)", 1},
    {"list", KEY_LIST, "FILE", 0, "The challenge's list: a picture's name a line, with a header or without", 1},
    {"images", KEY_IMAGES, "DIR", 0, "The folder that the names are relative to", 1},
    {"images-fallback", KEY_FALLBACK, "DIR", 0, "Where pictures are looked for that cannot be opened there", 1},
    {"out", KEY_OUT, "FILE", 0, "The prediction file to write", 1},
    {"json", KEY_JSON, 0, 0, "Print what was done as one JSON document", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    mien_submit_options *o = &a->options;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->compute;
        return 0;
    case KEY_TASK:
        o->task = arg;
        return cli_one_of(state, "task", arg, mien_task);
    case KEY_LIST:
        o->list = arg;
        return 0;
    case KEY_IMAGES:
        o->images = arg;
        return 0;
    case KEY_FALLBACK:
        o->images_fallback = arg;
        return 0;
    case KEY_OUT:
        o->out = arg;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->models = cli_rest(state);
        return 0;
    case ARGP_KEY_END:
        if (!a->models.count || !o->list || !o->images || !o->out) {
            argp_error(state, "%s is missing",
                       !a->models.count ? "MODEL"
                       : !o->list       ? "--list"
                       : !o->images     ? "--images"
                                        : "--out");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

typedef struct {
    console *c;
    const char *images;
    json_t *skipped;
} listener;

static int tell_failure(void *payload, const mien_prediction *p)
{
    listener *l = payload;
    if (!p->failure)
        return 0;
    size_t length = strlen(l->images);
    console_say(l->c, "%s%s%s: %s", l->images, l->images[length - 1] == '/' ? "" : "/", p->image, p->failure);
    json_array_append_new(l->skipped,
                          json_pack("{s:o, s:o}", "image", json_text(p->image), "why", json_text(p->failure)));
    return 0;
}

int cmd_submit(console *c, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_compute_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "MODEL|RUN...",
        "Writes a challenge's prediction file: what its task asks of each picture of its list, in the list's order; "
        "several models answer by their mean. Pictures that cannot be read are named on stderr and get the expression "
        "that the file has most often, and 0 for all else; the exit code is then 1.",
        children,
        NULL,
        NULL};
    arguments a = {0};
    mien_submit_options_init(&a.options);
    mien_compute_init(&a.compute);
    a.options.compute = &a.compute;
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    listener l = {c, a.options.images, json_array()};
    mien_submission done;
    a.options.told = tell_failure;
    a.options.told_payload = &l;
    console_watch(c, &a.compute);
    mien_status st = mien_submit(&done, a.models.at, a.models.count, &a.options);
    if (st) {
        json_decref(l.skipped);
        return console_fail(c, st);
    }
    console_clear(c);
    if (a.is_json)
        code = print_json(c, stdout,
                          json_pack("{s:s, s:I, s:O, s:s?, s:o}", "task",
                                    a.options.task ? a.options.task : mien_task(0), "n", (json_int_t)done.count,
                                    "skipped", l.skipped, "fallback", done.fallback, "out", json_text(a.options.out)));
    json_decref(l.skipped);
    return code == EXIT_DONE && done.skipped ? EXIT_FAILED : code;
}
