/* What the subcommands share. The command stands on mien.h alone, so whatever it does a C or Python program can do.
 *
 * A subcommand is one file cmd_<name>.c with one function, named in main.c's table. It parses with cli_parse, calls the
 * library, prints results on stdout and answers an exit code: 0 done, 1 failed, 2 wrong usage, 128 and the signal's
 * number where one ended it: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "mien.h"

#include <argp.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_SIGNAL = 128 };

typedef struct console console;
typedef struct {
    const char *name;
    int (*run)(console *c, int argc, char **argv); /* argv[0] is "mien NAME" */
    const char *help;                              /* one line */
} command;

int cmd_train(console *c, int argc, char **argv);
int cmd_eval(console *c, int argc, char **argv);
int cmd_predict(console *c, int argc, char **argv);
int cmd_submit(console *c, int argc, char **argv);
int cmd_score(console *c, int argc, char **argv);
int cmd_import(console *c, int argc, char **argv);
int cmd_export(console *c, int argc, char **argv);
int cmd_info(console *c, int argc, char **argv);
int cmd_bench(console *c, int argc, char **argv);
int cmd_face(console *c, int argc, char **argv);
int cmd_synth(console *c, int argc, char **argv);

/* --- arguments (arguments.c) ---------------------------------------------------------------------------------------
 */
/* Parses with GNU argp and --help, --usage added. 0: go on. EXIT_USAGE: what was wrong has been printed on one line. */
int cli_parse(console *c, const struct argp *argp, int argc, char **argv, void *input);

/* Option keys without a letter begin here; those of the shared parsers are above. */
#define CLI_KEY_FIRST 0x100
#define CLI_KEY_SHARED 0x200

/* --device, --precision, --threads, --fast, --tf32 as a child parser; its input is the mien_compute to fill. */
extern const struct argp cli_compute_argp;

/* The option's value as a whole number in [lo, hi]; otherwise an error through argp, and EINVAL. */
error_t cli_int(struct argp_state *state, const char *option, const char *text, int64_t lo, int64_t hi, int64_t *out);

/* Is the option's value one of name(0), name(1) ... NULL? Otherwise an error through argp, and EINVAL. */
error_t cli_one_of(struct argp_state *state, const char *option, const char *text, const char *(*name)(int index));

/* dst = the face model beside this program; the second says where there is none. */
bool cli_face_beside(char dst[PATH_MAX]);
bool cli_find_face(console *c, char dst[PATH_MAX]);

/* All positional arguments, in order; borrowed from argv. */
typedef struct {
    const char *const *at;
    int count;
} cli_arguments;
/* What ARGP_KEY_ARGS hands over. */
cli_arguments cli_rest(struct argp_state *state);

/* Labelled sets, as --data and alike name them. */
typedef struct {
    mien_source *at; /* [count] owned, with room for as many as there are arguments */
    int count;
} cli_sources;
/* Another set, which --images and --images-fallback are about from now on. */
mien_source *cli_begin_source(cli_sources *to, const char *path);
/* option: "images" or "images-fallback"; to: the set begun last, NULL where there is none. */
error_t cli_place_images(struct argp_state *state, mien_source *to, const char *option, const char *folder);

/* --smooth KIND:WIDTH, KIND:HEAD=WIDTH,.. and, where that is allowed, KIND:auto, which leaves count 0. Heads lie in
 * text, which is cut into pieces. */
enum { CLI_MAX_WIDTHS = 16 };
typedef struct {
    mien_smoothing kind;
    mien_head_width widths[CLI_MAX_WIDTHS]; /* [count] */
    int count;
} cli_smoothing;
error_t cli_smooth(struct argp_state *state, cli_smoothing *out, char *text, bool allows_auto);

bool cli_ends_with(const char *text, const char *end);
/* Is this a model by its looks: a run folder (it holds recipe.yaml), or a name ending in .safetensors? */
bool cli_is_model(const char *path);

/* --- the terminal (console.c) --------------------------------------------------------------------------------------
 */
/* Logs and a progress bar on stderr, and signals that end a command. */
struct console {
    bool is_terminal, has_bar;
    int64_t start_ns, last_ns; /* of the process; of the last line or bar */
    char phase[80];            /* what the bar is about */
    int64_t phase_ns, phase_done, last_done;
};
/* The library's log (mien_log_fn). */
void console_log(void *payload, int level, const char *line);
void console_init(console *c);
/* Connects a call's progress to this console; from then on Ctrl-C, SIGTERM and SIGHUP stop the work in order. */
void console_watch(console *c, mien_compute *compute);
/* Prints the library's last failure as "mien: WHERE: WHAT" and answers the exit code. */
int console_fail(console *c, mien_status st);
/* One line "mien: ..." on stderr, the bar out of its way. */
void console_say(console *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the bar away. */
void console_clear(console *c);

/* --- results (print.c) ---------------------------------------------------------------------------------------------
 */
/* One JSON document and a newline; frees it. Answers EXIT_DONE, or EXIT_FAILED after a line on stderr. */
int print_json(console *c, FILE *to, json_t *document);
/* A text that the library makes, on stdout. */
int print_text(console *c, mien_status (*make)(char **out));
/* The rows of an evaluation: a name, and the columns of its table. */
void print_metrics_head(FILE *to, int name_width, const mien_evaluation *e);
void print_metrics_row(FILE *to, int name_width, const mien_evaluation *e, const mien_metrics *m);
/* Adds the items of the metrics, those of one list (f1.anger, f1.fear ..) as an array, and the confusion behind it. */
void json_set_metrics(json_t *object, const mien_evaluation *e, const mien_metrics *m);
/* A text that may not be UTF-8 (a file's name): what is not becomes U+FFFD. */
json_t *json_text(const char *text);
/* mien_info of a path, for people or as JSON; answers an exit code. (cmd_info.c) */
int print_info(console *c, const char *path, bool is_json);
/* One CSV field, quoted where it must be. */
void print_csv(FILE *to, const char *text);

/* A result that goes to stdout or, whole or not at all, to a file. */
typedef struct {
    FILE *stream;
    const char *path; /* NULL: stdout */
    char *target;     /* the same with links resolved, and ... */
    char *part;       /* ... the file beside it that is being written; NULL: written in place */
} cli_output;
/* path NULL: stdout. Answers 0, or EXIT_FAILED after a line on stderr. */
int output_open(console *c, cli_output *out, const char *path);
/* Puts the file in place (is_good) or takes it away. Answers 0, or EXIT_FAILED after a line on stderr. */
int output_close(console *c, cli_output *out, bool is_good);

#endif
