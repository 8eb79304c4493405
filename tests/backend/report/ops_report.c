/* Every operator case on one backend beside another, as a line of JSON:
 *     ops_report BACKEND BESIDE [PREFIX]
 * of reference, cpu, cuda and cuda-plain (our plain kernels alone). PREFIX: cases alone whose names begin so. What the
 * tests of the CPU's kernels and of the emulated ones ask, this asks of a device that is really there, where a kernel
 * can do more than compute a wrong number: it can end the process, or leave the device's context broken for every one
 * after it. So cases run in a child process; where one does not come to its end, the next begin in another child.
 * Exit code: 0 where all agree, 1 where one does not, 2 for wrong usage, 77 where there is no such backend here. */
#include "backend/cpu/cpu.h"
#include "backend/cuda/cuda.h"
#include "backend/ops_tests.h"
#include "base/progress.h"
#include "graph/reference_backend.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77, MAX_CHILDREN = 40 };

/* What the child tells. */
typedef enum {
    TOLD_ISA,
    TOLD_BEGIN,
    TOLD_KERNEL,
    TOLD_PASSED,
    TOLD_FAILED,
    TOLD_BROKEN,
    TOLD_SKIPPED,
    TOLD_ABSENT
} told_kind;
typedef struct {
    told_kind kind;
    int unit;
    char text[400]; /* an operator and its kernel; why it failed */
} told;

/* What is asked of backends beside the cases: each is a test whose state is the backend. */
static const struct {
    const char *name;
    CMUnitTestFunction run;
} wholes[] = {
    {"one weight off is noticed", ops__one_weight_off__is_noticed},
    {"optimizers", ops__optimizers__are_reference},
    {"accumulated batches", ops__accumulated_batches__are_reference},
    {"a gradient that is not finite", ops__nan_gradient__changes_nothing},
    {"the same bits twice", ops__twice__same_bits},
};
enum { WHOLES = sizeof wholes / sizeof *wholes, WAYS = 4 };

/* A case in one of four ways, or one of the wholes. */
static struct {
    const char *beside_name, *prefix;
    int out; /* to the parent */
    backend *b, *beside;
    const op_case *oc;
    dtype type;
    case_mode mode;
    int unit;
} asked;

static int unit_count(void)
{
    return WAYS * op_case_count() + WHOLES;
}

static void name_unit(char dst[128], int unit)
{
    static const char *const ways[WAYS] = {"f32 forward", "f32 training", "bf16 forward", "bf16 training"};
    if (unit >= WAYS * op_case_count())
        snprintf(dst, 128, "%s", wholes[unit - WAYS * op_case_count()].name);
    else
        snprintf(dst, 128, "%s %s", op_case_at(unit / WAYS)->name, ways[unit % WAYS]);
}

/* --- the child ---------------------------------------------------------------------------------------------------- */

static void tell(told_kind kind, const char *text)
{
    told t = {.kind = kind, .unit = asked.unit};
    snprintf(t.text, sizeof t.text, "%s", text);
    if (write(asked.out, &t, sizeof t) != (ssize_t)sizeof t)
        _exit(1);
}

static mien_status open_backend(backend **out, const char *name)
{
    if (strcmp(name, "cpu") == 0)
        return backend_cpu_create(out, NULL);
    if (strcmp(name, "reference") == 0)
        return reference_backend_create(out, REFERENCE_STORED);
    return backend_cuda_create(out, &(cuda_options){.is_plain = strcmp(name, "cuda-plain") == 0});
}

static void tell_kernels(program *p)
{
    for (int i = 0; i < program_timing_count(p); i++) {
        const program_timing row = program_timing_at(p, i);
        char text[200];
        snprintf(text, sizeof text, "%s %s", row.op, row.implementation ? row.implementation : "");
        tell(TOLD_KERNEL, text);
    }
}

static bool agrees;

static void compare_case(void **state)
{
    side got = {0}, wanted = {0};
    (void)state;
    side_open(&wanted, asked.beside, asked.oc, asked.type, asked.mode);
    side_open(&got, asked.b, asked.oc, asked.type, asked.mode);
    tell_kernels(got.p);
    /* Two that are each as far from the reference as they may be are twice as far from each other. */
    agrees =
        sides_agree(&got, &wanted, asked.oc, asked.type, asked.mode, strcmp(asked.beside_name, "reference") ? 2 : 1);
    side_close(&got);
    side_close(&wanted);
}

static void ask_whole(void **state)
{
    agrees = false;
    (void)state;
    wholes[asked.unit - WAYS * op_case_count()].run((void **)&asked.b);
    agrees = true;
}

/* What was printed since the last call: the first line of it that says something. */
static void take_output(char *dst, size_t bytes, int fd)
{
    fflush(stdout);
    fflush(stderr);
    char text[4096];
    const ssize_t count = pread(fd, text, sizeof text - 1, 0);
    text[count > 0 ? count : 0] = '\0';
    if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        _exit(1);
    dst[0] = '\0';
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strncmp(line, "[ ", 2) != 0 && strncmp(line, "[==", 3) != 0) {
            snprintf(dst, bytes, "%s", line);
            return;
        }
}

/* Runs units from the first on, till one breaks off. */
static void run_units(int first, const char *name, int output)
{
    for (asked.unit = first; asked.unit < unit_count(); asked.unit++) {
        const bool is_case = asked.unit < WAYS * op_case_count();
        struct CMUnitTest test = {.name = "unit", .test_func = is_case ? compare_case : ask_whole};
        char why[sizeof((told *)0)->text];
        asked.oc = is_case ? op_case_at(asked.unit / WAYS) : NULL;
        asked.type = asked.unit % WAYS < 2 ? DTYPE_F32 : DTYPE_BF16;
        asked.mode = asked.unit % 2 ? CASE_TRAINING : CASE_FORWARD;
        if (is_case ? asked.oc->is_large || strncmp(asked.oc->name, asked.prefix, strlen(asked.prefix))
                    : asked.prefix[0] || strcmp(asked.beside_name, "reference"))
            continue;
        if (is_case && asked.type == DTYPE_BF16 &&
            (!asked.b->computes_bf16(asked.b) || !asked.beside->computes_bf16(asked.beside))) {
            tell(TOLD_SKIPPED, "");
            continue;
        }
        tell(TOLD_BEGIN, "");
        const int failed = _cmocka_run_group_tests(name, &test, 1, NULL, NULL);
        take_output(why, sizeof why, output);
        tell(!failed && agrees ? TOLD_PASSED : failed ? TOLD_BROKEN : TOLD_FAILED, why);
        if (failed)
            _exit(1);
    }
}

static void child(const char *name, int first)
{
    const int output = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    if (output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
        _exit(1);
    if (open_backend(&asked.b, name) != MIEN_OK || open_backend(&asked.beside, asked.beside_name) != MIEN_OK) {
        tell(TOLD_ABSENT, mien_error());
        _exit(1);
    }
    tell(TOLD_ISA, asked.b->isa(asked.b));
    run_units(first, name, output);
    asked.beside->free(asked.beside);
    asked.b->free(asked.b);
    _exit(0);
}

/* --- the parent --------------------------------------------------------------------------------------------------- */

typedef struct {
    int passed, skipped, failed;
    char isa[32];
    json_t *failures, *kernels; /* [{case, why}]; {op: [implementation]} */
    char absent[400];
} report;

static void add_failure(report *r, int unit, const char *why)
{
    char name[128];
    name_unit(name, unit);
    r->failed++;
    json_array_append_new(r->failures,
                          json_pack("{s:s, s:o}", "case", name, "why", json_stringn_nocheck(why, strlen(why))));
}

static void add_kernel(report *r, const char *text)
{
    char op[64];
    const char *space = strchr(text, ' ');
    snprintf(op, sizeof op, "%.*s", (int)(space - text), text);
    json_t *known = json_object_get(r->kernels, op);
    if (!known)
        json_object_set_new(r->kernels, op, known = json_array());
    for (size_t i = 0; i < json_array_size(known); i++)
        if (strcmp(json_string_value(json_array_get(known, i)), space + 1) == 0)
            return;
    json_array_append_new(known, json_string(space + 1));
}

/* One child's units. Returns the one after the last that it told of, or -1 where there is no more. */
static int follow(report *r, int from, pid_t pid)
{
    told t;
    int begun = -1, last = -1, state = 0;
    while (read(from, &t, sizeof t) == (ssize_t)sizeof t) {
        last = t.unit;
        begun = t.kind == TOLD_BEGIN ? t.unit : t.kind == TOLD_KERNEL ? begun : -1;
        if (t.kind == TOLD_ISA)
            snprintf(r->isa, sizeof r->isa, "%.31s", t.text);
        else if (t.kind == TOLD_KERNEL)
            add_kernel(r, t.text);
        else if (t.kind == TOLD_ABSENT)
            snprintf(r->absent, sizeof r->absent, "%s", t.text);
        else if (t.kind == TOLD_FAILED || t.kind == TOLD_BROKEN)
            add_failure(r, t.unit, t.text);
        r->passed += t.kind == TOLD_PASSED;
        r->skipped += t.kind == TOLD_SKIPPED;
    }
    waitpid(pid, &state, 0);
    if (begun >= 0) {
        char why[64];
        snprintf(why, sizeof why, WIFSIGNALED(state) ? "ended by signal %d" : "ended with %d",
                 WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state));
        add_failure(r, begun, why);
    }
    return r->absent[0] || (WIFEXITED(state) && WEXITSTATUS(state) == 0) || last < 0 ? -1 : last + 1;
}

static void run_children(report *r, const char *name)
{
    int next = 0;
    for (int i = 0; next >= 0 && i < MAX_CHILDREN; i++) {
        int ends[2];
        if (pipe(ends) != 0)
            return;
        const pid_t pid = fork();
        if (pid == 0) {
            close(ends[0]);
            asked.out = ends[1];
            child(name, next);
        }
        close(ends[1]);
        next = follow(r, ends[0], pid);
        close(ends[0]);
    }
    if (next >= 0)
        add_failure(r, next, "and all after it: not tried, too many broke off");
}

static bool is_backend(const char *name)
{
    return !strcmp(name, "reference") || !strcmp(name, "cpu") || !strcmp(name, "cuda") || !strcmp(name, "cuda-plain");
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4 || !is_backend(argv[1]) || !is_backend(argv[2])) {
        fprintf(stderr, "ops_report: wrong usage (wanted two of reference, cpu, cuda and cuda-plain, and a prefix)\n");
        return 2;
    }
    report r = {.failures = json_array(), .kernels = json_object()};
    const int64_t start = clock_ns();
    asked.beside_name = argv[2];
    asked.prefix = argc > 3 ? argv[3] : "";
    run_children(&r, argv[1]);
    json_t *document = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:f, s:o, s:o}", "backend", argv[1], "beside", argv[2],
                                 "isa", r.isa, "passed", r.passed, "failed", r.failed, "skipped", r.skipped, "seconds",
                                 (double)(clock_ns() - start) * 1e-9, "failures", r.failures, "kernels", r.kernels);
    if (r.absent[0])
        json_object_set_new(document, "absent", json_string(r.absent));
    json_dumpf(document, stdout, JSON_COMPACT | JSON_REAL_PRECISION(4));
    putchar('\n');
    json_decref(document);
    return r.absent[0] ? EXIT_SKIPPED : r.failed || !r.passed;
}
