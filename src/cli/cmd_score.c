/* mien score: a prediction file against the truth, no model needed. */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

enum { KEY_TASK = CLI_KEY_FIRST, KEY_TRUTH, KEY_PRED, KEY_JSON };

typedef struct {
    const char *task, *truth, *predictions;
    bool is_json;
} arguments;

static const struct argp_option options[] = {
    {"task", KEY_TASK, "TASK", 0, "Whose challenge's files they are, by the task's name in recipes", 1},
    {"truth", KEY_TRUTH, "FILE", 0, "True labels", 1},
    {"pred", KEY_PRED, "FILE", 0, "Predictions, matched by image name", 1},
    {"json", KEY_JSON, 0, 0, "Print one JSON document", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case KEY_TASK:
        a->task = arg;
        return cli_one_of(state, "task", arg, mien_task);
    case KEY_TRUTH:
        a->truth = arg;
        return 0;
    case KEY_PRED:
        a->predictions = arg;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is no option (files go to --truth and --pred)", arg);
        return EINVAL;
    case ARGP_KEY_END:
        if (!a->task || !a->truth || !a->predictions) {
            argp_error(state, "%s is missing", !a->task ? "--task" : !a->truth ? "--truth" : "--pred");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_score(console *c, int argc, char **argv)
{
    static const struct argp argp = {
        options, parse, "",  "Prints the challenge's scores of a prediction file, each task's own; no model is needed.",
        NULL,    NULL,  NULL};
    arguments a = {0};
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    mien_evaluation *e = NULL;
    mien_status st = mien_score(&e, a.task, a.truth, a.predictions);
    if (st)
        return console_fail(c, st);
    const mien_metrics *m = mien_evaluation_ensemble(e);
    if (a.is_json) {
        json_t *document =
            json_pack("{s:s, s:I}", "task", mien_evaluation_task(e), "n", (json_int_t)mien_evaluation_count(e));
        json_set_metrics(document, e, m);
        code = print_json(c, stdout, document);
    } else {
        int width = (int)strlen(m->name);
        print_metrics_head(stdout, width > 4 ? width : 4, e);
        print_metrics_row(stdout, width > 4 ? width : 4, e, m);
    }
    mien_evaluation_free(e);
    return code;
}
