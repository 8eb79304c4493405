/* mien: the table of commands. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const command commands[] = {
    {"train", cmd_train, "train a recipe's models on labelled faces"},
    {"eval", cmd_eval, "score models, and their ensemble, on a labelled set"},
    {"predict", cmd_predict, "say what faces express: CSV or JSON lines"},
    {"submit", cmd_submit, "write a challenge's prediction file"},
    {"score", cmd_score, "compare a prediction file with the truth"},
    {"import", cmd_import, "make a model of torchvision's, timm's or other PyTorch weights"},
    {"export", cmd_export, "write models as ONNX, or for PyTorch"},
    {"info", cmd_info, "show what a model, a run or a file of tensors holds"},
    {"bench", cmd_bench, "measure training, inference or data loading"},
    {"face", cmd_face, "pack a 3D face model for synth"},
    {"synth", cmd_synth, "draw labelled synthetic faces"},
};
#define COMMAND_COUNT ((int)(sizeof commands / sizeof *commands))

static void print_help(void)
{
    printf("Usage: mien COMMAND [OPTION...] ...\n"
           "Trains, evaluates and runs facial affect models.\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\n`mien COMMAND --help` tells more; `mien --version` the version, and what it can compute on.\n");
}

/* "mien 0.1.0 (cpu, cuda)" */
static void print_version(void)
{
    printf("mien %s (%s", mien_version(), mien_device(0));
    for (int i = 1; mien_device(i); i++)
        printf(", %s", mien_device(i));
    printf(")\n");
}

static const command *find_command(const char *name)
{
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

/* Runs a command under the name "mien NAME", which is what its --help calls it. */
static int run_command(console *c, const command *cmd, int argc, char **argv)
{
    char name[64];
    snprintf(name, sizeof name, "mien %s", cmd->name);
    argv[0] = name;
    return cmd->run(c, argc, argv);
}

/* Whoever closed stdin, stdout or stderr (`2>&-`, services) wants nothing from there. Left closed, the next file that
 * is opened would be it, and messages would end in results. */
static void open_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY); /* the lowest free number: fd */
}

/* What was printed must have arrived: a full disk under stdout is a failure like any other. */
static int close_stdout(console *c, int code)
{
    bool had_error = ferror(stdout); /* whose errno is gone by now */
    if (fclose(stdout) == 0 && !had_error)
        return code;
    console_say(c, "stdout: %s", had_error ? "cannot write" : strerror(errno));
    return code == EXIT_DONE ? EXIT_FAILED : code;
}

int main(int argc, char **argv)
{
    console c;
    open_standard_descriptors();
    console_init(&c);
    mien_set_log(console_log, &c);

    const char *name = argc > 1 ? argv[1] : "--help";
    const command *cmd = find_command(name);
    int code = EXIT_DONE;
    if (cmd) {
        code = run_command(&c, cmd, argc - 1, argv + 1);
    } else if (!strcmp(name, "help") && argc > 2 && (cmd = find_command(argv[2]))) {
        char help[] = "--help";
        char *help_argv[] = {NULL, help, NULL};
        code = run_command(&c, cmd, 2, help_argv);
    } else if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        print_version();
    } else if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "-?") ||
               (!strcmp(name, "help") && argc == 2)) {
        print_help();
    } else {
        console_say(&c, "%s: no such command (see mien --help)", strcmp(name, "help") ? name : argv[2]);
        code = EXIT_USAGE;
    }
    console_clear(&c);
    return close_stdout(&c, code);
}
