/* mien predict: what faces express, a row a picture. */
#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { KEY_FORMAT = CLI_KEY_FIRST, KEY_OUT, KEY_JSON, KEY_SMOOTH };

typedef enum { FORMAT_CSV, FORMAT_JSONL, FORMAT_DOCUMENT } row_format;

typedef struct {
    cli_arguments positional;
    row_format format;
    const char *out;
    cli_smoothing smooth;
    mien_compute compute;
} arguments;

static const struct argp_option options[] = {
    {"format", KEY_FORMAT, "csv|jsonl", 0, "A row a picture as CSV (default) or as JSON", 1},
    {"json", KEY_JSON, 0, 0, "Print one JSON document instead", 1},
    {"out", KEY_OUT, "FILE", 0, "Write to FILE instead of stdout", 1},
    {"smooth", KEY_SMOOTH, "KIND:WIDTH", 0,
     "Smooth answers to frames over time: a folder is a clip, in natural order. KIND is exponential, gaussian or box, "
     "WIDTH a number of frames, for each head (va=4,au=3) or for all; `mien eval --smooth KIND:auto` chooses them",
     1},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->compute;
        return 0;
    case KEY_FORMAT:
        if (strcmp(arg, "csv") && strcmp(arg, "jsonl")) {
            argp_error(state, "--format: '%s' (wanted csv or jsonl)", arg);
            return EINVAL;
        }
        a->format = strcmp(arg, "csv") ? FORMAT_JSONL : FORMAT_CSV;
        return 0;
    case KEY_JSON:
        a->format = FORMAT_DOCUMENT;
        return 0;
    case KEY_OUT:
        a->out = arg;
        return 0;
    case KEY_SMOOTH:
        return cli_smooth(state, &a->smooth, arg, false);
    case ARGP_KEY_ARGS:
        a->positional = cli_rest(state);
        return 0;
    case ARGP_KEY_END:
        if (a->positional.count < 2) {
            argp_error(state, "%s is missing", a->positional.count ? "INPUT" : "MODEL");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

typedef struct {
    console *c;
    const mien_session *session;
    FILE *to;
    row_format format;
    json_t *rows, *skipped; /* FORMAT_DOCUMENT */
    int64_t failures;
} writer;

static void write_csv(const writer *w, const mien_prediction *p)
{
    print_csv(w->to, p->image);
    for (int i = 0; i < mien_session_column_count(w->session); i++) {
        const mien_column *column = mien_session_column(w->session, i);
        if (column->kind == MIEN_COLUMN_CLASS)
            fprintf(w->to, ",%s", mien_column_label(column, p->row[i]));
        else if (column->kind == MIEN_COLUMN_DECISION)
            fprintf(w->to, ",%d", (int)p->row[i]);
        else
            fprintf(w->to, ",%.6f", (double)p->row[i]);
    }
    putc('\n', w->to);
}

static json_t *make_cell(const mien_column *column, float value)
{
    if (column->kind == MIEN_COLUMN_CLASS)
        return json_string(mien_column_label(column, value));
    if (column->kind == MIEN_COLUMN_DECISION)
        return json_integer((int)value);
    return json_real(round(1e6 * (double)value) * 1e-6);
}

static json_t *make_row(const writer *w, const mien_prediction *p)
{
    json_t *row = json_pack("{s:o}", "image", json_text(p->image));
    for (int i = 0; i < mien_session_column_count(w->session); i++) {
        const mien_column *column = mien_session_column(w->session, i);
        json_object_set_new(row, column->name, make_cell(column, p->row[i]));
    }
    return row;
}

static int write_row(void *payload, const mien_prediction *p)
{
    writer *w = payload;
    if (p->failure) {
        console_say(w->c, "%s: %s", p->image, p->failure);
        w->failures++;
        if (w->format == FORMAT_DOCUMENT)
            json_array_append_new(w->skipped,
                                  json_pack("{s:o, s:o}", "image", json_text(p->image), "why", json_text(p->failure)));
    } else if (w->format == FORMAT_CSV) {
        write_csv(w, p);
    } else if (w->format == FORMAT_DOCUMENT) {
        json_array_append_new(w->rows, make_row(w, p));
    } else if (print_json(w->c, w->to, make_row(w, p))) {
        return 1;
    }
    return ferror(w->to); /* no point in going on when nothing arrives; who opened the stream says why */
}

/* Leading arguments that look like models are models, and the first one is whatever it looks like. */
static int count_models(cli_arguments positional)
{
    int count = 1;
    while (count < positional.count && cli_is_model(positional.at[count]))
        count++;
    return count;
}

/* The document names classes apart from its rows: those of the first column that has any. */
static json_t *class_names(const mien_session *session)
{
    json_t *names = json_array();
    for (int i = 0; i < mien_session_column_count(session) && !json_array_size(names); i++) {
        const mien_column *column = mien_session_column(session, i);
        for (int k = 0; k < column->label_count; k++)
            json_array_append_new(names, json_text(column->labels[k]));
    }
    return names;
}

static void write_head(const writer *w)
{
    fputs("image", w->to);
    for (int i = 0; i < mien_session_column_count(w->session); i++)
        fprintf(w->to, ",%s", mien_session_column(w->session, i)->name);
    putc('\n', w->to);
}

static int predict(console *c, const arguments *a, mien_session *session, int model_count)
{
    cli_output out;
    if (output_open(c, &out, a->out))
        return EXIT_FAILED;
    writer w = {.c = c,
                .session = session,
                .to = out.stream,
                .format = a->format,
                .rows = json_array(),
                .skipped = json_array()};
    if (w.format == FORMAT_CSV)
        write_head(&w);
    mien_status st =
        mien_predict(session, a->positional.at + model_count, a->positional.count - model_count, write_row, &w);
    int code = EXIT_DONE;
    if (st && !ferror(w.to))
        code = console_fail(c, st);
    if (!st && w.format == FORMAT_DOCUMENT)
        code = print_json(
            c, w.to,
            json_pack("{s:o, s:O, s:O}", "classes", class_names(session), "predictions", w.rows, "skipped", w.skipped));
    json_decref(w.rows);
    json_decref(w.skipped);
    if (output_close(c, &out, code == EXIT_DONE))
        code = EXIT_FAILED;
    return code == EXIT_DONE && w.failures ? EXIT_FAILED : code;
}

int cmd_predict(console *c, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_compute_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {options,
                                     parse,
                                     "MODEL|RUN... INPUT...",
                                     "Prints what the models see in each picture: the expression and the probability "
                                     "of each class, and whatever else they answer. Several models of one task answer "
                                     "by their mean; models of several tasks each in columns of their own. INPUT "
                                     "is a picture, a folder, a list (.txt, .csv) of pictures, one a line, or - for a "
                                     "picture or a list on stdin. Pictures that cannot be read are named on stderr "
                                     "and have no row; the exit code is then 1.",
                                     children,
                                     NULL,
                                     NULL};
    arguments a = {0};
    mien_compute_init(&a.compute);
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    int model_count = count_models(a.positional);
    if (model_count == a.positional.count) {
        console_say(c, "predict: INPUT is missing: every argument is a model (see mien predict --help)");
        return EXIT_USAGE;
    }
    console_watch(c, &a.compute);
    mien_model *model = NULL;
    mien_session *session = NULL;
    mien_session_options wanted;
    mien_session_options_init(&wanted);
    wanted.progress = a.compute.progress;
    wanted.payload = a.compute.payload;
    wanted.smooth = a.smooth.kind;
    wanted.widths = a.smooth.widths;
    wanted.width_count = a.smooth.count;
    mien_status st = mien_model_open(&model, a.positional.at, model_count, &a.compute);
    if (!st)
        st = mien_session_open(&session, model, &wanted);
    code = st ? console_fail(c, st) : predict(c, &a, session, model_count);
    mien_session_free(session);
    mien_model_free(model);
    return code;
}
