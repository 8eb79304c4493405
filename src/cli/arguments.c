/* Arguments through GNU argp, with one line an error.
 *
 * argp and getopt print two lines ("mien train: unrecognized option '--x'", "Try ..."), and getopt writes to stderr
 * whatever argp is told. So stderr is a memory stream while they parse, and its first line is what the user sees. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_DEVICE = CLI_KEY_SHARED, KEY_PRECISION, KEY_THREADS, KEY_FAST, KEY_TF32, KEY_USAGE };

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->input;
        return 0;
    case 'h':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        break;
    case KEY_USAGE:
        argp_state_help(state, stdout, ARGP_HELP_USAGE);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    exit(fflush(stdout) ? EXIT_FAILED : EXIT_DONE);
}

int cli_parse(console *c, const struct argp *argp, int argc, char **argv, void *input)
{
    static const struct argp_option help[] = {
        {"help", 'h', 0, 0, "Show this text", -1}, {"usage", KEY_USAGE, 0, 0, "Show a short form of it", -1}, {0}};
    struct argp_child children[] = {{argp, 0, NULL, 0}, {0}};
    struct argp root = {help, parse_help, argp->args_doc, argp->doc, children, NULL, NULL};
    struct argp inner = *argp;
    inner.args_doc = inner.doc = NULL; /* the root shows them, once */
    children[0].argp = &inner;

    char *said = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&said, &length);
    if (!memory) {
        console_say(c, "arguments: %s", strerror(errno));
        return EXIT_FAILED;
    }
    FILE *real = stderr;
    stderr = memory;
    error_t err = argp_parse(&root, argc, argv, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, input);
    stderr = real;
    fclose(memory);
    if (err) {
        char *line = said, *colon;
        line[strcspn(line, "\n")] = '\0';
        if ((colon = strstr(line, ": ")))
            line = colon + 2; /* without the program's name, which console_say puts first */
        const char *name = strchr(argv[0], ' ');
        console_say(c, "%s: %s (see %s --help)", name ? name + 1 : argv[0], *line ? line : strerror(err), argv[0]);
    }
    free(said);
    return err ? EXIT_USAGE : 0;
}

error_t cli_int(struct argp_state *state, const char *option, const char *text, int64_t lo, int64_t hi, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < lo || value > hi) {
        argp_error(state, "--%s: '%s' (wanted a whole number from %lld to %lld)", option, text, (long long)lo,
                   (long long)hi);
        return EINVAL;
    }
    *out = value;
    return 0;
}

error_t cli_one_of(struct argp_state *state, const char *option, const char *text, const char *(*name)(int index))
{
    char names[512] = "";
    for (int i = 0; name(i); i++) {
        size_t length = strlen(names);
        if (!strcmp(text, name(i)))
            return 0;
        snprintf(names + length, sizeof names - length, "%s%s", i ? ", " : "", name(i));
    }
    argp_error(state, "--%s: '%s' (wanted one of %s)", option, text, names);
    return EINVAL;
}

cli_arguments cli_rest(struct argp_state *state)
{
    return (cli_arguments){(const char *const *)state->argv + state->next, state->argc - state->next};
}

mien_source *cli_begin_source(cli_sources *to, const char *path)
{
    mien_source *s = &to->at[to->count++];
    *s = (mien_source){.path = path};
    return s;
}

error_t cli_place_images(struct argp_state *state, mien_source *to, const char *option, const char *folder)
{
    const char **field = !to ? NULL : strcmp(option, "images") == 0 ? &to->images : &to->fallback;
    if (!field || *field) {
        argp_error(state, "--%s: '%s' %s", option, folder,
                   field ? "is the second one of its set"
                         : "comes before any set (wanted behind the set that it is of)");
        return EINVAL;
    }
    *field = folder;
    return 0;
}

static error_t parse_compute(int key, char *arg, struct argp_state *state)
{
    static const char *const precisions[] = {"auto", "f32", "bf16"}; /* in the order of mien_precision */
    mien_compute *compute = state->input;
    int64_t number;
    switch (key) {
    case KEY_DEVICE:
        if (mien_device_check(arg) != MIEN_OK) {
            argp_error(state, "--%s", mien_error()); /* "device: gpu (wanted ..)" */
            return EINVAL;
        }
        compute->device = arg;
        return 0;
    case KEY_PRECISION:
        for (int i = 0; i < 3; i++)
            if (!strcmp(arg, precisions[i])) {
                compute->precision = (mien_precision)i;
                return 0;
            }
        argp_error(state, "--precision: '%s' (wanted auto, f32 or bf16)", arg);
        return EINVAL;
    case KEY_THREADS:
        if (cli_int(state, "threads", arg, 1, 1024, &number))
            return EINVAL;
        compute->threads = (int)number;
        return 0;
    case KEY_FAST:
        compute->is_fast = 1;
        return 0;
    case KEY_TF32:
        compute->is_tf32 = 1;
        return 0;
    case ARGP_KEY_END:
        if ((compute->is_fast || compute->is_tf32) && strcmp(compute->device, "cpu") == 0) {
            argp_error(state, "--%s: for a GPU alone (wanted --device cuda or cuda:N)",
                       compute->is_fast ? "fast" : "tf32");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option compute_options[] = {
    {"device", KEY_DEVICE, "cpu|cuda[:N]", 0, "Where to compute: on the CPU (default), or on the N-th GPU from 0", 10},
    {"precision", KEY_PRECISION, "auto|f32|bf16", 0, "Of activations; auto is bf16 where the machine computes in it",
     10},
    {"threads", KEY_THREADS, "N", 0,
     "Threads to compute with, or to make pictures ready where a GPU computes (default: one a core)", 10},
    {"fast", KEY_FAST, 0, 0, "On a GPU: also what is faster but for bits that differ from run to run", 10},
    {"tf32", KEY_TF32, 0, 0, "On a GPU: f32 products in TF32, of 10 bits behind the point", 10},
    {0},
};
const struct argp cli_compute_argp = {compute_options, parse_compute, NULL, NULL, NULL, NULL, NULL};

bool cli_ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && !strcmp(text + length - end_length, end);
}

bool cli_is_model(const char *path)
{
    if (*path && cli_ends_with(path + 1, ".safetensors")) /* something stands before the dot */
        return true;
    char *recipe = NULL;
    struct stat st;
    bool is_run = asprintf(&recipe, "%s/recipe.yaml", path) > 0 && stat(recipe, &st) == 0;
    free(recipe);
    return is_run;
}
