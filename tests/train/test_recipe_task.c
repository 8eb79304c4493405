/* What a task's row says of recipes beside its keys: other defaults of the keys that all have, and lists of words. */
#include "train/recipe.h"

#include "no_memory.h"
#include "testing.h"
#include "train/toy_task.h"

static const char *const sides[] = {"left", "right", "both", NULL}, *const later_sides[] = {"above", NULL};
static const recipe_key side_key = {.name = "sides",
                                    .type = &recipe_type_words,
                                    .words = sides,
                                    .later_words = later_sides,
                                    .fallback = "[right, left]",
                                    .help = "Where bars lean."};
static const task_default defaults[] = {{"models", "[inception_v3]"}, {"tilt.epochs", "5"}, {"data.balance", "none"}};

/* The toy task with a key of words and these defaults, behind the toy task itself. */
static task_def leaning;
static const task_def *const tasks[] = {&task_tilt, &leaning, NULL};

static void set_row(const task_default *list, int count)
{
    leaning = task_tilt;
    leaning.name = "leaning";
    leaning.keys = (task_keys){.keys = &side_key, .count = 1, .bytes = sizeof(recipe_word_list)};
    leaning.defaults = list;
    leaning.default_count = count;
}

static mien_status load(recipe **out, const char *setting)
{
    const char *settings[] = {"task=leaning", setting};
    return recipe_load(out, tasks, NULL, settings, setting ? 2 : 1);
}

static void defaults__of_a_task__are_its_own(void **state)
{
    (void)state;
    recipe *r, *first;
    set_row(defaults, 3);
    assert_ok(load(&r, NULL));
    assert_int_equal(r->model_count, 1);
    assert_string_equal(r->models[0], "inception_v3");
    assert_int_equal(r->stages[0].epochs, 5);
    assert_int_equal(r->stages[0].batch, 64);
    assert_int_equal(r->data.balance, BALANCE_NONE);
    recipe_free(r);
    assert_ok(load(&r, "tilt.epochs=7"));
    assert_int_equal(r->stages[0].epochs, 7);
    assert_ok(recipe_load(&first, tasks, NULL, NULL, 0));
    assert_int_equal(first->stages[0].epochs, 20);
    assert_int_equal(first->data.balance, BALANCE_RANDAUGMENT);
    recipe_free(first);
    recipe_free(r);
}

static void defaults__of_no_key__are_our_bug(void **state)
{
    (void)state;
    recipe *r;
    set_row(&(task_default){"tilt.epoch", "5"}, 1);
    assert_failure(load(&r, NULL), MIEN_ERR_INTERNAL, "tilt.epoch: a default of no key");
}

static mien_status load_and_free(void *setting)
{
    recipe *r = NULL;
    mien_status st = load(&r, setting);
    recipe_free(r);
    return st;
}

static void defaults__no_memory__is_told(void **state)
{
    (void)state;
    set_row(defaults, 3);
    fail_each_allocation(load_and_free, "sides=[both]");
}

/* A task's part of the page has what the first task's part does not say, and no more. */
static void defaults__reference__names_what_differs(void **state)
{
    (void)state;
    str page = {0};
    set_row(defaults, 3);
    assert_ok(recipe_reference(&page, tasks));
    char *own = strstr(page.text, "\n# Task `leaning`\n");
    assert_non_null(own);
    assert_non_null(strstr(own, "| `models` | a list of 1 to 16 architectures | `[inception_v3]` |"));
    assert_non_null(strstr(own, "\n## data\n"));
    assert_non_null(strstr(own, "| `data.balance` | none or randaugment | `none` |"));
    assert_non_null(strstr(own, "| `tilt.epochs` | an integer from 1 to 100000 | `5` |"));
    assert_non_null(
        strstr(own, "| `sides` | a list with any of left, right or both, each once | `[right, left]` | Where bars "));
    assert_null(strstr(own, "val_share"));
    assert_null(strstr(own, "tilt.batch"));
    *own = '\0';
    assert_non_null(strstr(page.text, "| `models` | a list of 1 to 16 architectures | `[vit_b_16,"));
    assert_non_null(strstr(page.text, "| `tilt.epochs` | an integer from 1 to 100000 | `20` |"));
    str_free(&page);
}

static void words__are_read_and_printed_in_their_order(void **state)
{
    (void)state;
    recipe *r, *again;
    str text = {0};
    char key[200];
    set_row(NULL, 0);
    assert_ok(load(&r, NULL));
    const recipe_word_list *list = r->own;
    assert_true(list->count == 2 && list->index[0] == 1 && list->index[1] == 0);
    recipe_free(r);
    assert_ok(load(&r, "sides=[both, left]"));
    list = r->own;
    assert_true(list->count == 2 && list->index[0] == 2 && list->index[1] == 0);
    assert_ok(recipe_print(r, &text));
    assert_non_null(strstr(text.text, "sides: [both, left]\n"));
    assert_ok(recipe_read(&again, tasks, "again.yaml", text.text, text.length, NULL, 0));
    assert_false(recipe_difference(r, again, key, sizeof key));
    recipe_free(again);
    recipe_free(r);
    str_free(&text);
}

static void words__faults__are_told(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        mien_status status;
        const char *message;
    } faults[] = {
        {"sides=left", MIEN_ERR_FORMAT, "--set sides: left (wanted a list with any of left, right or both, each once)"},
        {"sides=[]", MIEN_ERR_FORMAT, "--set sides: an empty list (wanted a list with any of"},
        {"sides=[left, below]", MIEN_ERR_FORMAT, "--set sides: below (wanted a list with any of left, right or both"},
        {"sides=[left, [right]]", MIEN_ERR_FORMAT, "--set sides: a list (wanted"},
        {"sides=[left, right, left]", MIEN_ERR_FORMAT, "--set sides: left twice"},
        {"sides=[above]", MIEN_ERR_UNSUPPORTED, "--set sides: above is not built yet (wanted a list with any of"},
    };
    set_row(NULL, 0);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        recipe *r = NULL;
        assert_failure(load(&r, faults[i].setting), faults[i].status, faults[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults__of_a_task__are_its_own),
        cmocka_unit_test(defaults__of_no_key__are_our_bug),
        cmocka_unit_test(defaults__no_memory__is_told),
        cmocka_unit_test(defaults__reference__names_what_differs),
        cmocka_unit_test(words__are_read_and_printed_in_their_order),
        cmocka_unit_test(words__faults__are_told),
    };
    return cmocka_run_group_tests_name("recipe_task", tests, NULL, NULL);
}
