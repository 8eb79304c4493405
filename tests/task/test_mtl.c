/* Training graphs of the multi-task task: heads and draws as recipes ask for them, targets that teach what a batch is
 * for and nothing else, and losses that stay finite whatever labels a batch lacks. */
#include "task/mtl_kit.h"

#include "data/sets.h"
#include "graph/graph_test.h"

#include "backend/cpu/cpu.h"

#include <math.h>

/* What is known of each picture; the last tells nothing, the third of action units lacks one. */
enum { ALL, EXPRESSION, VA, MOST_AU, OTHER_VA, NOTHING, PICTURES };
static const char labels[] = "image,valence,arousal,expression,AU01,AU02,AU04,AU06,AU07,AU10,AU12,AU15,AU23,AU24,AU25,"
                             "AU26,yaw,pitch,roll\n"
                             "0,0.5,-0.25,4,1,0,0,0,0,0,1,0,0,0,1,0,10,-5,1\n1,,,1,,,,,,,,,,,,,,,\n"
                             "2,-1,1,,,,,,,,,,,,,,,,\n3,,,,1,0,0,1,0,0,0,0,0,0,0,-1,,,\n4,0.25,0.125,,,,,,,,,,,,,,,,\n"
                             "5,,,,,,,,,,,,,,,,,,\n";

static int enter(void **state)
{
    const int rc = temp_folder_enter(state);
    set_text(".", "labels.csv", labels);
    return rc;
}

/* --- recipes ------------------------------------------------------------------------------------------------------ */

/* The names of what is drawn and learned, each with a space behind it. */
static void list_names(char *heads, char *draws, size_t bytes, const recipe *r)
{
    task_draw drawn[TASK_MAX_DRAWS];
    const task_values values = recipe_values(r, 0);
    const int count = task_mtl.draws(drawn, &values, r->heads, r->head_count);
    *heads = *draws = '\0';
    for (int h = 0; h < r->head_count; h++)
        snprintf(heads + strlen(heads), bytes - strlen(heads), "%s ", r->heads[h].name);
    for (int d = 0; d < count; d++)
        snprintf(draws + strlen(draws), bytes - strlen(draws), "%s, ", drawn[d].name);
}

static void mtl__heads_and_draws__have_the_tasks_order(void **state)
{
    (void)state;
    static const struct {
        const char *heads, *sampler, *wanted_heads, *wanted_draws;
    } cases[] = {
        {"mtl.heads=[va, expression, au]", "mtl.sampler=tasks", "va expression au ",
         "action units, expressions, valence and arousal, "},
        {"mtl.heads=[gaze, pose, au, blendshapes, expression, au_intensity, va]", "mtl.sampler=tasks",
         "va expression au au_intensity blendshapes pose gaze ", "action units, expressions, valence and arousal, "},
        {"mtl.heads=[au, va]", "mtl.sampler=tasks", "va au ", "action units, valence and arousal, "},
        {"mtl.heads=[expression]", "mtl.sampler=tasks", "expression ", "expressions, "},
        {"mtl.heads=[pose]", "mtl.sampler=tasks", "pose ", "any label, "},
        {"mtl.heads=[au, va]", "mtl.sampler=joint", "va au ", "any label, "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char heads[256], draws[256];
        recipe *r = MTL_RECIPE(cases[i].heads, cases[i].sampler);
        list_names(heads, draws, sizeof heads, r);
        assert_string_equal(heads, cases[i].wanted_heads);
        assert_string_equal(draws, cases[i].wanted_draws);
        recipe_free(r);
    }
    recipe *r = MTL_RECIPE("seed=1");
    assert_string_equal(r->heads[1].columns[0], "neutral");
    assert_string_equal(r->heads[1].columns[7], "other");
    assert_string_equal(r->heads[2].columns[0], "AU01");
    assert_string_equal(r->heads[2].columns[11], "AU26");
    assert_int_equal(r->head_count, task_mtl.challenge_head_count);
    assert_ok(task_mtl.check_challenge(r->heads, r->head_count, "a model"));
    assert_failure(task_mtl.check_challenge(r->heads, 2, "a model"), MIEN_ERR_FORMAT,
                   "a model: no head au (wanted va or expression)");
    recipe_free(r);
}

static void mtl__a_recipe__says_what_network_it_is(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("mtl={kind: smm, stride: 16, orthogonal: true, expr_ensemble: logits}");
    const task_values values = recipe_values(r, 0);
    model_spec spec = {.arch = "efficientnet_b0"};
    assert_ok(task_mtl.specify(&spec, &values));
    assert_int_equal(spec.kind, MODEL_SMM);
    assert_string_equal(spec.smm.map, architecture_find("efficientnet_b0")->maps[1].name);
    assert_true(spec.smm.is_orthogonal && spec.smm.ensemble == SMM_MEAN_LOGITS);
    spec.arch = "inception_v3";
    const mtl_stage_values other = {.stride = 8};
    assert_failure(task_mtl.specify(&spec, &(task_values){.stage = &other}), MIEN_ERR_UNSUPPORTED,
                   "mtl.stride: 8: inception_v3 has no such feature map");
    recipe_free(r);
    r = MTL_RECIPE("mtl.kind=baseline");
    const task_values defaults = recipe_values(r, 0);
    spec = (model_spec){.arch = "efficientnet_b0"};
    assert_ok(task_mtl.specify(&spec, &defaults));
    assert_int_equal(spec.kind, MODEL_BASELINE);
    assert_null(spec.smm.map);
    recipe_free(r);
}

static void mtl__regions_keys__are_refused_of_the_baseline(void **state)
{
    (void)state;
    static const char *const keys[] = {"orthogonal: true", "expr_ensemble: logits"};
    for (int i = 0; i < 2; i++) {
        recipe *r;
        char setting[96], wanted[96];
        const char *const settings[] = {"task=mtl", setting};
        snprintf(setting, sizeof setting, "mtl={kind: baseline, %s}", keys[i]);
        snprintf(wanted, sizeof wanted, "--set mtl.%.*s: set with kind: baseline", (int)strcspn(keys[i], ":"), keys[i]);
        assert_failure(recipe_load(&r, task_all, NULL, settings, 2), MIEN_ERR_FORMAT, wanted);
    }
}

/* --- a network of one linear layer a head --------------------------------------------------------------------------
 */

enum { ROWS = 4, WIDTH = 5, MAX_PARAMS = 1024, PLACE_VA = 0, PLACE_EXPRESSION, PLACE_AU, PLACE_POSE };

typedef struct {
    recipe *r;
    task_set *set;
    task_ending ending;
    model_spec spec;
    model_io io;
    value_id x;
    float values[MAX_PARAMS], grads[MAX_PARAMS];
    param_memory params;
    backend *b;
    program *p;
    size_t offset[MODEL_MAX_HEADS], count[MODEL_MAX_HEADS]; /* of each head's weight among the parameters */
} network;

static void make_heads(network *n, graph *g)
{
    size_t offset = 0;
    n->x = new_input(g, "x", shape_of(2, (int64_t)ROWS, (int64_t)WIDTH));
    n->io = model_io_none;
    n->io.head_count = n->r->head_count;
    for (int h = 0; h < n->r->head_count; h++) {
        const int64_t size = n->r->heads[h].size;
        char name[32];
        snprintf(name, sizeof name, "%s.weight", n->r->heads[h].name);
        const value_id w = new_param(g, name, shape_of(2, size, (int64_t)WIDTH), true);
        assert_ok(op_linear(g, &n->io.heads[h].logits, n->r->heads[h].name, n->x, w, NO_VALUE, true));
        n->offset[h] = offset;
        n->count[h] = (size_t)(size * WIDTH);
        offset += n->count[h];
    }
    assert_true(offset <= MAX_PARAMS);
}

/* Some heads over numbers, with the task's end. */
static void network_create_of(network *n, const char *file, const char *heads, const char *setting)
{
    *n = (network){.r = MTL_RECIPE(heads, setting)};
    n->set = mtl_open_one(file, n->r, true);
    n->ending = (task_ending){.task = &task_mtl, .values = recipe_values(n->r, 0)};
    n->spec = (model_spec){.heads = n->r->heads, .head_count = n->r->head_count};
    graph *g = new_graph(true);
    make_heads(n, g);
    const model_ending ending = task_ending_of(&n->ending);
    assert_ok(ending.describe(ending.context, g, &n->io, &n->spec, ROWS));
    assert_int_equal(n->io.loss_count, n->r->head_count);
    assert_ok(graph_differentiate(g, n->io.losses, n->io.loss_count, NO_VALUE, NULL));
    for (int i = 0; i < MAX_PARAMS; i++)
        n->values[i] = 0.1f * (float)((i * 7) % 13 - 6);
    n->params = (param_memory){.values = n->values, .grads = n->grads, .count = MAX_PARAMS};
    assert_ok(backend_cpu_create(&n->b, &(cpu_options){.threads = 1}));
    assert_ok(program_create(&n->p, g, n->b, &n->params));
    n->ending.targets = malloc(n->ending.targets_bytes); /* to the byte: ASan sees what is written past it */
    assert_non_null(n->ending.targets);
    float x[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = 0.3f * (float)((i * 5) % 11 - 5);
    assert_ok(program_write(n->p, n->x, x));
}

static void network_create(network *n, const char *setting)
{
    network_create_of(n, "labels.csv", "mtl.heads=[va, expression, au, pose]", setting);
}

static void network_free(network *n)
{
    program_free(n->p);
    n->b->free(n->b);
    free(n->ending.targets);
    task_mtl.close(n->set);
    recipe_free(n->r);
}

/* Of each head these, in mtl.c's order. */
enum { TARGET, MASK, WEIGHTS, INPUTS_A_HEAD };
static value_id input_of(const network *n, int head, int which)
{
    return n->ending.inputs[head * INPUTS_A_HEAD + which];
}

static void fill(network *n, int draw, const int pictures[ROWS])
{
    task_row rows[ROWS];
    for (int i = 0; i < ROWS; i++)
        rows[i] = (task_row){pictures[i], pictures[i], 1, false};
    assert_ok(task_mtl.fill(&n->ending, n->p, &n->spec, n->set, draw, rows, ROWS));
}

/* How many of a head's targets are there, row by row: "2000" of valence and arousal. */
static void assert_masks(network *n, int head, const char *wanted)
{
    uint8_t mask[ROWS * UNIT_COUNT];
    const int columns = n->r->heads[head].kind == HEAD_CLASS ? 1 : n->r->heads[head].size;
    char got[ROWS + 1] = "";
    assert_ok(program_read(n->p, input_of(n, head, MASK), mask));
    for (int i = 0; i < ROWS; i++) {
        int count = 0;
        for (int k = 0; k < columns; k++)
            count += mask[i * columns + k];
        got[i] = (char)(count < 10 ? '0' + count : 'a' + count - 10);
    }
    if (strcmp(got, wanted) != 0)
        fail_msg("%s: targets in rows \"%s\" (wanted \"%s\")", n->r->heads[head].name, got, wanted);
}

static void mtl__a_batch_of_one_task__teaches_no_other(void **state)
{
    (void)state;
    static const int pictures[ROWS] = {ALL, EXPRESSION, VA, MOST_AU};
    static const struct {
        const char *setting;
        int draw;
        const char *va, *expression, *au;
    } cases[] = {
        {"mtl={sampler: tasks, au: all}", 0, "0000", "0000", "c000"},
        {"mtl={sampler: tasks, au: partial}", 0, "0000", "0000", "c00b"},
        {"mtl={sampler: tasks, au: all}", 1, "0000", "1100", "0000"},
        {"mtl={sampler: tasks, au: all}", 2, "2020", "0000", "0000"},
        {"mtl={sampler: joint, au: all}", 0, "2020", "1100", "c000"},
        {"mtl={sampler: joint, au: partial}", 0, "2020", "1100", "c00b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        network n;
        network_create(&n, cases[i].setting);
        fill(&n, cases[i].draw, pictures);
        assert_masks(&n, PLACE_VA, cases[i].va);
        assert_masks(&n, PLACE_EXPRESSION, cases[i].expression);
        assert_masks(&n, PLACE_AU, cases[i].au);
        assert_masks(&n, PLACE_POSE, "3000"); /* further heads learn from every batch */
        network_free(&n);
    }
}

static void mtl__targets__are_the_pictures(void **state)
{
    (void)state;
    network n;
    float va[ROWS][2], au[ROWS][CHALLENGE_AU_COUNT], pose[ROWS][3];
    int32_t expression[ROWS];
    network_create(&n, "mtl={sampler: joint, au: partial, weights: none}");
    fill(&n, 0, (const int[]){MOST_AU, OTHER_VA, ALL, EXPRESSION});
    assert_ok(program_read(n.p, input_of(&n, PLACE_VA, TARGET), va));
    assert_ok(program_read(n.p, input_of(&n, PLACE_EXPRESSION, TARGET), expression));
    assert_ok(program_read(n.p, input_of(&n, PLACE_AU, TARGET), au));
    assert_ok(program_read(n.p, input_of(&n, PLACE_POSE, TARGET), pose));
    assert_true(va[1][0] == 0.25f && va[1][1] == 0.125f && va[2][0] == 0.5f && va[2][1] == -0.25f);
    assert_true(expression[2] == EXPRESSION_HAPPINESS && expression[3] == EXPRESSION_ANGER);
    assert_true(au[0][0] == 1 && au[0][3] == 1 && au[0][6] == 0 && au[2][0] == 1 && au[2][6] == 1 && au[2][10] == 1);
    assert_true(pose[2][0] == 10 && pose[2][1] == -5 && pose[2][2] == 1);
    network_free(&n);
}

/* Yaw and roll change their signs; what has no side stays. */
static void mtl__mirrored_pictures__have_mirrored_targets(void **state)
{
    (void)state;
    network n;
    float va[ROWS][2], pose[ROWS][3];
    const task_row rows[ROWS] = {{ALL, ALL, 1, false}, {ALL, ALL, 1, true}, {ALL, ALL, 1, true}, {ALL, ALL, 1, false}};
    network_create(&n, "mtl={sampler: joint}");
    assert_ok(task_mtl.fill(&n.ending, n.p, &n.spec, n.set, 0, rows, ROWS));
    assert_ok(program_read(n.p, input_of(&n, PLACE_VA, TARGET), va));
    assert_ok(program_read(n.p, input_of(&n, PLACE_POSE, TARGET), pose));
    for (int i = 0; i < ROWS; i++) {
        const float sign = rows[i].is_mirrored ? -1.0f : 1.0f;
        assert_true(pose[i][0] == sign * 10 && pose[i][1] == -5 && pose[i][2] == sign);
        assert_true(va[i][0] == 0.5f && va[i][1] == -0.25f);
    }
    network_free(&n);
    assert_int_equal(unit_mirrored(MOUTH_DIMPLE_LEFT), MOUTH_DIMPLE_RIGHT);
    assert_int_equal(unit_mirrored(EYE_LOOK_IN_RIGHT), EYE_LOOK_IN_LEFT);
    assert_int_equal(unit_mirrored(JAW_OPEN), JAW_OPEN);
    for (int u = 0; u < UNIT_COUNT; u++)
        assert_int_equal(unit_mirrored(unit_mirrored((face_unit)u)), u);
}

/* A mirrored picture's left eye is its right one, which looks the other way. */
static void mtl__mirrored_gaze__changes_eyes(void **state)
{
    (void)state;
    network n;
    float gaze[ROWS][4];
    uint8_t mask[ROWS][4];
    const task_row rows[ROWS] = {{0, 0, 1, false}, {0, 0, 1, true}, {1, 1, 1, true}, {1, 1, 1, false}};
    set_text(".", "gaze.csv",
             "image,gaze_left_yaw,gaze_left_pitch,gaze_right_yaw,gaze_right_pitch\n1,10,-5,14,-6\n2,,,-3,-1\n");
    network_create_of(&n, "gaze.csv", "mtl.heads=[gaze]", "mtl={sampler: joint}");
    assert_ok(task_mtl.fill(&n.ending, n.p, &n.spec, n.set, 0, rows, ROWS));
    assert_ok(program_read(n.p, input_of(&n, 0, TARGET), gaze));
    assert_ok(program_read(n.p, input_of(&n, 0, MASK), mask));
    assert_true(gaze[0][0] == 10 && gaze[0][1] == -5 && gaze[0][2] == 14 && gaze[0][3] == -6);
    assert_true(gaze[1][0] == -14 && gaze[1][1] == -6 && gaze[1][2] == -10 && gaze[1][3] == -5);
    assert_true(gaze[2][0] == 3 && gaze[2][1] == -1 && mask[2][0] && mask[2][1] && !mask[2][2] && !mask[2][3]);
    assert_true(gaze[3][2] == -3 && !mask[3][0] && !mask[3][1] && mask[3][2] && mask[3][3]);
    network_free(&n);
}

/* Runs the batch; the heads whose weights have a gradient, as letters of "veap". Of the others it is zero to the bit,
 * and so are their losses. */
static void assert_taught(network *n, int draw, const int pictures[ROWS], const char *wanted)
{
    static const char letters[] = "veap";
    char got[8] = "";
    memset(n->grads, 0xff, sizeof n->grads); /* NaN, where nothing is written */
    fill(n, draw, pictures);
    assert_ok(program_run(n->p));
    for (int h = 0; h < n->r->head_count; h++) {
        float loss;
        bool moves = false;
        assert_ok(program_read(n->p, n->io.losses[h].value, &loss));
        assert_true(isfinite(loss));
        for (size_t i = 0; i < n->count[h]; i++) {
            assert_true(isfinite(n->grads[n->offset[h] + i]));
            moves |= n->grads[n->offset[h] + i] != 0;
        }
        assert_int_equal(moves, loss != 0);
        if (moves)
            got[strlen(got)] = letters[h];
    }
    if (strcmp(got, wanted) != 0)
        fail_msg("heads \"%s\" are taught by %d %d %d %d (wanted \"%s\")", got, pictures[0], pictures[1], pictures[2],
                 pictures[3], wanted);
}

static void mtl__labels_that_a_batch_lacks__move_nothing(void **state)
{
    (void)state;
    static const struct {
        int pictures[ROWS];
        const char *wanted, *wanted_partial;
    } cases[] = {
        {{NOTHING, NOTHING, NOTHING, NOTHING}, "", ""},
        {{ALL, NOTHING, NOTHING, NOTHING}, "eap", "eap"}, /* of one row there is no CCC */
        {{NOTHING, VA, NOTHING, NOTHING}, "", ""},
        {{NOTHING, VA, OTHER_VA, NOTHING}, "v", "v"},
        {{NOTHING, NOTHING, NOTHING, EXPRESSION}, "e", "e"},
        {{NOTHING, MOST_AU, NOTHING, NOTHING}, "", "a"},
        {{ALL, EXPRESSION, VA, MOST_AU}, "veap", "veap"},
    };
    network all, partial;
    network_create(&all, "mtl={sampler: joint, au: all, weights: none}");
    network_create(&partial, "mtl={sampler: joint, au: partial, weights: none}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_taught(&all, 0, cases[i].pictures, cases[i].wanted);
        assert_taught(&partial, 0, cases[i].pictures, cases[i].wanted_partial);
    }
    network_free(&all);
    network_free(&partial);
    network_create(&all, "mtl={sampler: tasks, au: all, weights: none}");
    static const char *const taught[] = {"ap", "ep", "vp"};
    for (int d = 0; d < 3; d++) {
        assert_taught(&all, d, (const int[]){ALL, EXPRESSION, VA, MOST_AU}, taught[d]);
        assert_taught(&all, d, (const int[]){NOTHING, NOTHING, NOTHING, NOTHING}, "");
    }
    network_free(&all);
}

/* A column of equal truths, or of equal predictions, has a CCC of 0 and no NaN. */
static void mtl__constant_valence__is_finite(void **state)
{
    (void)state;
    network n;
    network_create(&n, "mtl={sampler: joint, au: all, weights: none}");
    memset(n.values, 0, sizeof n.values);
    fill(&n, 0, (const int[]){VA, VA, OTHER_VA, VA});
    assert_ok(program_run(n.p));
    float loss;
    assert_ok(program_read(n.p, n.io.losses[PLACE_VA].value, &loss));
    assert_true(fabsf(loss - 2) < 1e-5f);
    for (size_t i = 0; i < n.count[PLACE_VA]; i++)
        assert_true(isfinite(n.grads[n.offset[PLACE_VA] + i]));
    fill(&n, 0, (const int[]){VA, VA, VA, VA});
    assert_ok(program_run(n.p));
    assert_ok(program_read(n.p, n.io.losses[PLACE_VA].value, &loss));
    assert_true(isfinite(loss));
    network_free(&n);
}

/* The challenge's losses are summed as they are; what is learned from every batch of a step counts once a step. */
static void mtl__losses__are_weighed(void **state)
{
    (void)state;
    for (int is_joint = 0; is_joint < 2; is_joint++) {
        network n;
        network_create(&n, is_joint ? "mtl.sampler=joint" : "mtl.sampler=tasks");
        for (int h = PLACE_VA; h <= PLACE_AU; h++)
            assert_true(n.io.losses[h].weight == 1);
        assert_true(fabsf(n.io.losses[PLACE_POSE].weight - (is_joint ? 1 : 1.0f / 3) / 10) < 1e-7f);
        network_free(&n);
    }
}

/* --- weights ------------------------------------------------------------------------------------------------------ */

/* Pictures of each class, and of each unit those in which it is active, of twenty; the first rows are the inactive
 * ones. */
static const int class_counts[EXPRESSION_COUNT] = {5, 1, 2, 0, 3, 4, 1, 4};
static const int active_counts[CHALLENGE_AU_COUNT] = {1, 2, 4, 5, 10, 19, 20, 0, 3, 8, 16, 15};

static void write_counted(const char *path)
{
    str text = {0};
    int row = 0;
    assert_ok(str_append(&text, HEADER));
    for (int c = 0; c < EXPRESSION_COUNT; c++)
        for (int i = 0; i < class_counts[c]; i++, row++) {
            assert_ok(str_printf(&text, "%d,%g,0,%d", row, 0.05 * row, c));
            for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
                assert_ok(str_printf(&text, ",%d", row >= 20 - active_counts[k]));
            assert_ok(str_append(&text, "\n"));
        }
    assert_int_equal(row, 20);
    /* these know a class or units alone, or too little to count at all */
    assert_ok(str_append(&text, "x," NO_VA "7," NO_AU "y,0,0,-1,1,1,1,1,1,1,1,1,1,1,1,-1\n"));
    assert_ok(file_write_all(path, text.text, text.length));
    str_free(&text);
}

static void mtl__weights__are_counted_told_and_written(void **state)
{
    (void)state;
    static const float classes[EXPRESSION_COUNT] = {1, 5, 2.5f, 1, 5.0f / 3, 1.25f, 5, 1};
    static const float units[CHALLENGE_AU_COUNT] = {19, 9, 4, 3, 1, 1.0f / 19, 1, 1, 17.0f / 3, 1.5f, 0.25f, 1.0f / 3};
    float got[CHALLENGE_AU_COUNT];
    network n;
    subset all;
    epoch_plan plan;
    set_log log = {0};
    network_create(&n, "mtl.weights=data");
    write_counted("counted.txt");
    task_set *set;
    recipe *r = MTL_RECIPE("seed=1");
    set = mtl_open_one("counted.txt", r, true);
    assert_ok(subset_all(&all, set->pictures));
    assert_ok(epoch_plan_create(&plan, set->pictures, &all, false));
    mien_set_log(set_log_line, &log);
    assert_ok(task_mtl.settle(&n.ending, n.p, &n.spec, set, &plan));
    mien_set_log(NULL, NULL);
    assert_ok(program_read(n.p, input_of(&n, PLACE_EXPRESSION, WEIGHTS), got));
    assert_memory_equal(got, classes, sizeof classes);
    assert_ok(program_read(n.p, input_of(&n, PLACE_AU, WEIGHTS), got));
    assert_memory_equal(got, units, sizeof units);
    assert_true(input_of(&n, PLACE_VA, WEIGHTS) == NO_VALUE && input_of(&n, PLACE_POSE, WEIGHTS) == NO_VALUE);
    assert_string_equal(log.text,
                        "weights of expression: neutral 1.0000, anger 5.0000, disgust 2.5000, fear 1.0000, happiness "
                        "1.6667, sadness 1.2500, surprise 5.0000, other 1.0000\n"
                        "weights of au: AU01 19.0000, AU02 9.0000, AU04 4.0000, AU06 3.0000, AU07 1.0000, AU10 0.0526, "
                        "AU12 1.0000, AU15 1.0000, AU23 5.6667, AU24 1.5000, AU25 0.2500, AU26 0.3333\n");
    network_free(&n);
    network_create(&n, "mtl.weights=none");
    for (int h = 0; h < n.r->head_count; h++)
        assert_true(input_of(&n, h, WEIGHTS) == NO_VALUE);
    assert_ok(task_mtl.settle(&n.ending, n.p, &n.spec, set, &plan));
    network_free(&n);
    epoch_plan_free(&plan);
    subset_free(&all);
    task_mtl.close(set);
    recipe_free(r);
}

static void mtl__mixed_pictures__are_refused(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("seed=1");
    task_ending ending = {.task = &task_mtl, .values = recipe_values(r, 0), .is_mixed = true};
    const model_ending model_end = task_ending_of(&ending);
    model_io io = model_io_none;
    graph *g = new_graph(true);
    assert_failure(model_end.describe(model_end.context, g, &io,
                                      &(model_spec){.heads = r->heads, .head_count = r->head_count}, ROWS),
                   MIEN_ERR_UNSUPPORTED, "augment: mixup and cutmix (wanted 0 in task mtl)");
    graph_free(g);
    recipe_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mtl__heads_and_draws__have_the_tasks_order),
        cmocka_unit_test(mtl__a_recipe__says_what_network_it_is),
        cmocka_unit_test(mtl__regions_keys__are_refused_of_the_baseline),
        cmocka_unit_test(mtl__a_batch_of_one_task__teaches_no_other),
        cmocka_unit_test(mtl__targets__are_the_pictures),
        cmocka_unit_test(mtl__mirrored_pictures__have_mirrored_targets),
        cmocka_unit_test(mtl__mirrored_gaze__changes_eyes),
        cmocka_unit_test(mtl__labels_that_a_batch_lacks__move_nothing),
        cmocka_unit_test(mtl__constant_valence__is_finite),
        cmocka_unit_test(mtl__losses__are_weighed),
        cmocka_unit_test(mtl__weights__are_counted_told_and_written),
        cmocka_unit_test(mtl__mixed_pictures__are_refused),
    };
    return cmocka_run_group_tests_name("mtl", tests, enter, temp_folder_leave);
}
