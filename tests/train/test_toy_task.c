/* A task that no room knows: a row and its callbacks, trained by pointer, resumed, evaluated and asked. */
#include "train/run_kit.h"

#include "infer/evaluate.h"
#include "task/lsd.h"
#include "train/toy_task.h"

#include <math.h>

static const task_def *const tasks[] = {&task_lsd, &task_tilt, &task_tilt_two, NULL};

static const char *const base[] = {"models=[efficientnet_b0]", "image_size=32", "data={val_share: 0.2, balance: none}",
                                   "tilt={batch: 8, epochs: 12, lr: 0.002}", NULL};

/* What all runs of bars have in common. */
#define TILT_RUN(...)                                                                                                  \
    (kit_run)                                                                                                          \
    {                                                                                                                  \
        .tasks = tasks, .base = base, .data = "bars:150:1", .precision = PRECISION_F32, .cancel_word = " epoch ",      \
        __VA_ARGS__                                                                                                    \
    }

static double spread(const task_set *set)
{
    double sum = 0, squares = 0, count = (double)set->pictures->source->count;
    for (int64_t i = 0; i < set->pictures->source->count; i++) {
        double x = (double)tilt_of(set, i);
        sum += x;
        squares += x * x;
    }
    return sqrt(squares / count - sum / count * sum / count);
}

static mien_status keep_tilt(void *payload, const prediction *p)
{
    assert_null(p->failure);
    ((float *)payload)[p->index] = p->mean[0];
    return MIEN_OK;
}

/* Trained bars, seen from new ones: nearer to their tilts than their mean is. */
static void assert_sees_tilts(const char *run, const char *stage, const task_def *task)
{
    enum { NEW = 60 };
    char path[256];
    float tilts[NEW];
    ensemble *e;
    session *s;
    backend *b;
    task_set *set;
    evaluation *v;
    int heads;
    snprintf(path, sizeof path, "%s/efficientnet_b0-%s/best.safetensors", run, stage);
    assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = 2}));
    assert_ok(ensemble_open(&e, &(ensemble_source){.path = path, .counts = true}, 1, b,
                            &(ensemble_options){.precision = PRECISION_F32}));
    assert_ok(session_open(&s, e, &(session_options){.batch = 8}));
    const model_head *head = ensemble_heads(e, &heads);
    assert_int_equal(heads, 1);
    assert_int_equal(ensemble_width(e), 1);
    assert_string_equal(head->name, "pose");
    assert_string_equal(head->columns[0], "tilt");
    assert_ok(task->open(
        &set, NULL,
        &(task_set_options){
            .sources = &(task_source){.path = "bars:60:2"}, .source_count = 1, .heads = head, .head_count = heads}));
    assert_ok(evaluation_run(&v, s, e, set, NULL, NULL));
    const task_score *rmse = task_report_find(&v->reports[1], "rmse");
    assert_int_equal(v->reports[1].count, NEW);
    if (!(rmse->value < 0.7 * spread(set)))
        fail_msg("rmse %g (wanted less than 0.7 of %g, which a constant has)", rmse->value, spread(set));
    assert_ok(session_predict(&s, 1, set->pictures->source, NULL, keep_tilt, tilts, NULL));
    assert_memory_equal(tilts, evaluation_outputs(v, 0, 0), sizeof tilts);
    evaluation_free(v);
    task->close(set);
    session_free(s);
    ensemble_free(e);
    b->free(b);
}

static void toy__trained__beats_the_constant(void **state)
{
    (void)state;
    assert_ok(kit_train(&TILT_RUN(.out = "tilts", .settings = {"task=tilt", "thickness=5"})));
    assert_sees_tilts("tilts", "tilt", &task_tilt);
    char *log = kit_log("tilts");
    assert_non_null(strstr(log, "\"val_rmse\""));
    assert_null(strstr(log, "macro_f1"));
    mem_free(log);
    char *recipe_text = kit_read("tilts/recipe.yaml", NULL);
    assert_non_null(strstr(recipe_text, "task: tilt\n"));
    assert_non_null(strstr(recipe_text, "thickness: 5\n"));
    assert_null(strstr(recipe_text, "label_smoothing"));
    mem_free(recipe_text);
}

/* Two batches a step, of which the right one's pictures are fewer and come up again; killed, it goes on to the same. */
static void toy__two_batches_a_step__resume_to_the_same_bits(void **state)
{
    (void)state;
    const char *const files[] = {"last.ckpt", "best.safetensors", "validation.csv"};
    kit_run run = TILT_RUN(.out = "whole", .settings = {"task=tilt_two", "tilt.epochs=3"});
    assert_ok(kit_train(&run));
    run.out = "cut";
    run.cancel_after = 14; /* in the second epoch */
    assert_int_equal(kit_train(&run), MIEN_ERR_CANCELLED);
    run.cancel_after = 0;
    run.is_resumed = true;
    assert_ok(kit_train(&run));
    for (int i = 0; i < 3; i++) {
        char a[128], b[128];
        snprintf(a, sizeof a, "whole/efficientnet_b0-tilt/%s", files[i]);
        snprintf(b, sizeof b, "cut/efficientnet_b0-tilt/%s", files[i]);
        kit_assert_same_file(a, b);
    }
}

/* What the first draw of a step showed, and in how many rows the second showed the same. */
enum { ROWS = 8 };
static struct {
    int64_t first[ROWS];
    int rows, equal;
} seen;

static mien_status fill_and_see(const task_ending *e, program *p, const model_spec *spec, const task_set *set, int draw,
                                const task_row *rows, int count)
{
    for (int i = 0; i < count; i++) {
        if (draw == 0)
            seen.first[i] = rows[i].picture;
        else
            seen.equal += seen.first[i] == rows[i].picture, seen.rows++;
    }
    return task_tilt_two.fill(e, p, spec, set, draw, rows, count);
}

static bool any_picture(const task_set *set, int64_t picture)
{
    (void)set, (void)picture;
    return true;
}

static int draw_twice(task_draw *out, const task_values *values, const model_head *heads, int head_count)
{
    (void)values, (void)heads, (void)head_count;
    out[0] = (task_draw){"all", any_picture};
    out[1] = (task_draw){"all again", any_picture};
    return 2;
}

static void toy__two_draws_of_the_same_pictures__come_in_two_orders(void **state)
{
    (void)state;
    task_def twins = task_tilt_two;
    twins.name = "twins";
    twins.draws = draw_twice;
    twins.fill = fill_and_see;
    const task_def *const with_twins[] = {&twins, NULL};
    kit_run run = TILT_RUN(.out = "twins", .settings = {"task=twins", "tilt.epochs=1"});
    run.tasks = with_twins;
    assert_ok(kit_train(&run));
    assert_true(seen.rows >= 10 * ROWS);
    assert_true(seen.equal < seen.rows / 4);
}

static bool is_early(const task_set *set, int64_t picture)
{
    (void)set;
    return picture < ROWS / 2;
}
static int draw_few(task_draw *out, const task_values *values, const model_head *heads, int head_count)
{
    (void)values, (void)heads, (void)head_count;
    out[0] = (task_draw){"an early number", is_early};
    out[1] = (task_draw){"anything", any_picture};
    return 2;
}

static int few_rows[ROWS / 2];
static mien_status fill_and_count(const task_ending *e, program *p, const model_spec *spec, const task_set *set,
                                  int draw, const task_row *rows, int count)
{
    for (int i = 0; draw == 0 && i < count; i++)
        few_rows[rows[i].picture]++;
    return task_tilt_two.fill(e, p, spec, set, draw, rows, count);
}

/* Fewer pictures than a batch has rows: they come up again as often as the longest part is long, all alike. */
static void toy__a_draw_smaller_than_a_batch__is_repeated(void **state)
{
    (void)state;
    task_def few = task_tilt_two;
    few.name = "few";
    few.draws = draw_few;
    few.fill = fill_and_count;
    const task_def *const with_few[] = {&few, NULL};
    kit_run run = TILT_RUN(.out = "few", .settings = {"task=few", "tilt.epochs=1"});
    run.tasks = with_few;
    assert_ok(kit_train(&run));
    for (int i = 0; i < ROWS / 2; i++) /* 120 pictures, 15 batches of 8: nothing is dropped */
        assert_int_equal(few_rows[i], 30);
}

static bool no_picture(const task_set *set, int64_t picture)
{
    (void)set, (void)picture;
    return false;
}
static int draw_none(task_draw *out, const task_values *values, const model_head *heads, int head_count)
{
    (void)values, (void)heads, (void)head_count;
    out[0] = (task_draw){"action units", no_picture};
    return 1;
}

static void toy__draws_that_cannot_be__are_told(void **state)
{
    (void)state;
    task_def none = task_tilt_two;
    none.draws = draw_none;
    const task_def *const with_none[] = {&none, NULL};
    kit_run run = TILT_RUN(.out = "none", .settings = {"task=tilt_two"});
    run.tasks = with_none;
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "bars:150:1: no picture with action units");
    run.tasks = tasks;
    run.settings[1] = "data.balance=randaugment";
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "data.balance: randaugment (wanted none: a step draws 2 batches)");
    run.settings[1] = "tilt.batch=100";
    assert_failure(kit_train(&run), MIEN_ERR_ARG, " pictures to train on (wanted at least tilt.batch, 100)");
}

static void toy__faults__are_told(void **state)
{
    (void)state;
    recipe *r;
    const char *const dance = "task=dance";
    assert_failure(recipe_load(&r, tasks, NULL, &dance, 1), MIEN_ERR_FORMAT,
                   "--set task: dance (wanted lsd, tilt or tilt_two)");
    assert_failure(kit_train(&TILT_RUN(.out = "none", .settings = {"task=tilt", "classes=[a, b]"})), MIEN_ERR_FORMAT,
                   "--set classes: unknown key");
    assert_failure(kit_train(&TILT_RUN(.out = "none", .settings = {"task=tilt", "tilt.select=loss"})), MIEN_ERR_FORMAT,
                   "--set tilt.select: loss (wanted rmse)");
    const task_def *task;
    assert_failure(task_find(&task, "tilt"), MIEN_ERR_UNSUPPORTED, "task: tilt (wanted lsd or mtl)");
    task_set *set;
    const model_head other = {.name = "gaze", .kind = HEAD_REGRESSION, .size = 1};
    assert_failure(task_tilt.open(&set, NULL,
                                  &(task_set_options){.sources = &(task_source){.path = "bars:1:1"},
                                                      .source_count = 1,
                                                      .heads = &other,
                                                      .head_count = 1}),
                   MIEN_ERR_FORMAT, "bars:1:1: no head pose (wanted gaze)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toy__trained__beats_the_constant),
        cmocka_unit_test(toy__two_batches_a_step__resume_to_the_same_bits),
        cmocka_unit_test(toy__two_draws_of_the_same_pictures__come_in_two_orders),
        cmocka_unit_test(toy__a_draw_smaller_than_a_batch__is_repeated),
        cmocka_unit_test(toy__draws_that_cannot_be__are_told),
        cmocka_unit_test(toy__faults__are_told),
    };
    return cmocka_run_group_tests_name("toy_task", tests, temp_folder_enter, temp_folder_leave);
}
