/* mien info: what a model, a run or any file of tensors holds; and the passes over an architecture's graph. */
#include "mien_bench.h"

#include "cli/cli.h"

#include <errno.h>
#include <string.h>

enum { KEY_GRAPH = CLI_KEY_FIRST, KEY_BATCH, KEY_SIZE, KEY_INFERENCE, KEY_JSON };

typedef struct {
    const char *path, *arch;
    bool is_json;
    mien_graph_options graph;
    mien_compute compute;
} arguments;

static const struct argp_option options[] = {
    {"json", KEY_JSON, 0, 0, "Print one JSON document", 1},
    {"graph", KEY_GRAPH, "ARCH", 0,
     "Instead of a file, show the passes over ARCH's graph (`ARCH+deviation`: stage 2's; `ARCH+smm`, `ARCH+baseline`: "
     "of "
     "several tasks over its feature map; `small`: a network to read)",
     2},
    {"batch", KEY_BATCH, "N", 0, "Of the graph (default 1)", 2},
    {"size", KEY_SIZE, "PIXELS", 0, "Side of the graph's input (default: the architecture's)", 2},
    {"inference", KEY_INFERENCE, 0, 0, "The graph that predicts, not the one that trains", 2},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    int64_t number;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->compute;
        return 0;
    case KEY_JSON:
        a->is_json = true;
        return 0;
    case KEY_GRAPH:
        a->arch = arg;
        return 0;
    case KEY_BATCH:
        if (cli_int(state, "batch", arg, 1, 65536, &number))
            return EINVAL;
        a->graph.batch = (int)number;
        return 0;
    case KEY_SIZE:
        if (cli_int(state, "size", arg, 1, 4096, &number))
            return EINVAL;
        a->graph.image_size = (int)number;
        return 0;
    case KEY_INFERENCE:
        a->graph.is_inference = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0) {
            argp_error(state, "one file at a time (found '%s' too)", arg);
            return EINVAL;
        }
        a->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->path == !a->arch) {
            argp_error(state, a->path ? "either FILE or --graph" : "FILE is missing");
            return EINVAL;
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* 25557032 -> "25,557,032" */
static const char *print_count(char dst[32], int64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)count), used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0 && digits[i - 1] != '-')
            dst[used++] = ',';
        dst[used++] = digits[i];
    }
    dst[used] = '\0';
    return dst;
}

/* A value as people read it: texts bare, lists with spaces. Control characters in a stranger's file stay out of the
 * terminal. */
static void print_value(FILE *to, const json_t *value)
{
    size_t i;
    json_t *item;
    char count[32];
    if (json_is_string(value)) {
        for (const char *p = json_string_value(value); *p; p++)
            putc((unsigned char)*p < ' ' || *p == 127 ? '?' : *p, to);
    } else if (json_is_integer(value)) {
        fputs(print_count(count, json_integer_value(value)), to);
    } else if (json_is_real(value)) {
        fprintf(to, "%.6g", json_real_value(value));
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            if (i)
                putc(' ', to);
            print_value(to, item);
        }
    } else if (json_is_boolean(value)) {
        fputs(json_is_true(value) ? "yes" : "no", to);
    }
}

/* The scalars and flat lists of an object, a line each; what is deeper, indented under its key, objects of a list one
 * after another. */
static void print_object(FILE *to, const json_t *object, int indent)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!strcmp(key, "architecture") && json_is_null(value))
            fprintf(to, "%-22s none that is known\n", key);
        if (!strcmp(key, "tensors") || !strcmp(key, "members") || json_is_null(value))
            continue;
        bool is_deep = json_is_array(value) && json_is_array(json_array_get(value, 0));
        if (is_deep)
            continue; /* matrices are for programs */
        fprintf(to, "%*s%-*s ", indent, "", 22 - indent, key);
        if (json_is_object(value)) {
            putc('\n', to);
            print_object(to, value, indent + 2);
        } else if (json_is_object(json_array_get(value, 0))) {
            putc('\n', to);
            for (size_t i = 0; i < json_array_size(value); i++)
                print_object(to, json_array_get(value, i), indent + 2);
        } else {
            print_value(to, value);
            putc('\n', to);
        }
    }
}

/* Columns as wide as their widest cell. */
static void print_members(FILE *to, const json_t *members, const json_t *scores)
{
    size_t i, k;
    json_t *member, *score;
    if (!json_array_size(members)) {
        fputs("no finished model yet\n", to);
        return;
    }
    fprintf(to, "%-28s", "model");
    json_array_foreach(scores, k, score) fprintf(to, " %8s", json_string_value(score));
    fputs("  file (scores on what it was selected on)\n", to);
    json_array_foreach(members, i, member)
    {
        const json_t *metrics = json_object_get(json_object_get(member, "metrics"), "validation");
        fprintf(to, "%-28s", json_string_value(json_object_get(member, "model")));
        json_array_foreach(scores, k, score)
        {
            const json_t *value = json_object_get(metrics, json_string_value(score));
            if (json_is_number(value))
                fprintf(to, " %8.4f", json_number_value(value));
            else
                fprintf(to, " %8s", "-");
        }
        fprintf(to, "  %s\n", json_string_value(json_object_get(member, "path")));
    }
}

static void print_tensors(FILE *to, const json_t *tensors)
{
    size_t i, d;
    json_t *tensor, *dim;
    json_array_foreach(tensors, i, tensor)
    {
        print_value(to, json_object_get(tensor, "name"));
        fprintf(to, "  %s [", json_string_value(json_object_get(tensor, "dtype")));
        json_array_foreach(json_object_get(tensor, "shape"), d, dim)
            fprintf(to, "%s%lld", d ? ", " : "", (long long)json_integer_value(dim));
        fputs("]\n", to);
    }
}

int print_info(console *c, const char *path, bool is_json)
{
    char *text = NULL;
    mien_status st = mien_info(&text, path);
    if (st)
        return console_fail(c, st);
    console_clear(c);
    json_t *info = json_loads(text, 0, NULL);
    mien_text_free(text);
    if (is_json || !info)
        return print_json(c, stdout, info);
    print_object(stdout, info, 0);
    if (json_object_get(info, "members"))
        print_members(stdout, json_object_get(info, "members"), json_object_get(info, "scores"));
    print_tensors(stdout, json_object_get(info, "tensors"));
    json_decref(info);
    return EXIT_DONE;
}

static int print_graph(console *c, const arguments *a)
{
    char *text = NULL;
    mien_status st = mien_graph_text(&text, a->arch, &a->graph);
    if (st)
        return console_fail(c, st);
    int code = EXIT_DONE;
    if (a->is_json)
        code = print_json(c, stdout, json_pack("{s:o, s:o}", "arch", json_text(a->arch), "passes", json_text(text)));
    else
        fputs(text, stdout);
    mien_text_free(text);
    return code;
}

int cmd_info(console *c, int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_compute_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,    parse,
        "FILE|RUN", "Shows what a model, a run folder or any file of tensors (safetensors, PyTorch) holds.",
        children,   NULL,
        NULL};
    arguments a = {0};
    mien_graph_options_init(&a.graph);
    mien_compute_init(&a.compute);
    a.graph.compute = &a.compute;
    int code = cli_parse(c, &argp, argc, argv, &a);
    if (code)
        return code;
    return a.arch ? print_graph(c, &a) : print_info(c, a.path, a.is_json);
}
