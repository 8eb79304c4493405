/* A recipe's table is made for its task, which is looked up first; then what was given is read by it. */
#include "train/recipe.h"

#include "base/file.h"
#include "base/mem.h"
#include "train/recipe_int.h"

#include <stdio.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20, PREFIX_BYTES = 48 };

/* Known to the design, refused until they are built. */
static const char *const later_keys[] = {"identity", NULL};

bool recipe_may_go_on(const recipe_stage *stage)
{
    return stage->schedule.name == SCHEDULE_CONSTANT || stage->schedule.t_max > 0;
}

task_values recipe_values(const recipe *r, int stage)
{
    return (task_values){r->own, stage < 0 ? NULL : r->stages[stage].own};
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* A copy of a row that is the same but for what the task says. */
static mien_status copy_key(recipe_key **out, arena *texts, const recipe_key *key)
{
    TRY(arena_alloc(texts, out, 1));
    **out = *key;
    return MIEN_OK;
}

static mien_status zeroed(void **out, arena *texts, size_t bytes)
{
    char *memory = NULL;
    TRY(arena_alloc(texts, &memory, bytes ? bytes : 1));
    memset(memory, 0, bytes);
    *out = memory;
    return MIEN_OK;
}

/* "What is learned: `TASK`, its help. ..." */
static mien_status task_help(const char **out, recipe *r)
{
    str text = {0};
    char *copy = NULL;
    mien_status st = str_append(&text, "What is learned: ");
    for (int i = 0; st == MIEN_OK && r->tasks[i]; i++)
        st = str_printf(&text, "%s`%s`, %s", i ? "; " : "", r->tasks[i]->name, r->tasks[i]->help);
    if (st == MIEN_OK)
        st = arena_printf(r->texts, &copy, "%s. The one key that every recipe must have.", text.text);
    str_free(&text);
    *out = copy;
    return st;
}

static mien_status add_top_keys(recipe *r)
{
    const char **names = NULL;
    recipe_key *task = NULL;
    int count = 0;
    while (r->tasks[count])
        count++;
    TRY(arena_alloc(r->texts, &names, count + 1));
    for (int i = 0; i < count; i++)
        names[i] = r->tasks[i]->name;
    names[count] = NULL;
    TRY(copy_key(&task, r->texts, &recipe_keys[0]));
    task->words = names;
    task->later_words = task_later;
    task->fallback = names[0];
    TRY(task_help(&task->help, r));
    TRY(recipe_table_add(&r->table, "", task, 1, r));
    TRY(recipe_table_add(&r->table, "", recipe_keys + 1, recipe_key_count - 1, r));
    TRY(zeroed(&r->own, r->texts, r->task->keys.bytes));
    return recipe_table_add(&r->table, "", r->task->keys.keys, r->task->keys.count, r->own);
}

static mien_status add_stage_keys(recipe *r, int stage)
{
    const task_stage *is = &r->task->stages[stage];
    const task_keys *own = &r->task->keys;
    recipe_stage *s = &r->stages[stage];
    recipe_key *enabled = NULL, *select = NULL;
    char prefix[PREFIX_BYTES];
    s->name = is->name;
    s->kind = is->kind;
    snprintf(prefix, sizeof prefix, "%s.", is->name);
    TRY(copy_key(&enabled, r->texts, &recipe_enabled_key));
    enabled->help = is->help;
    TRY(copy_key(&select, r->texts, &recipe_select_key));
    select->words = r->task->select;
    select->fallback = r->task->select[0];
    select->help = r->task->select_help;
    TRY(recipe_table_add(&r->table, prefix, enabled, 1, s));
    TRY(recipe_table_add(&r->table, prefix, recipe_stage_keys, recipe_stage_key_count, s));
    TRY(recipe_table_add(&r->table, prefix, select, 1, s));
    if (is->kind == MODEL_DEVIATION)
        TRY(recipe_table_add(&r->table, prefix, &recipe_init_key, 1, s));
    TRY(zeroed(&s->own, r->texts, own->stage_bytes));
    return recipe_table_add(&r->table, prefix, own->stage_keys, own->stage_count, s->own);
}

static mien_status make_table(recipe *r)
{
    r->table = (recipe_table){.texts = r->texts, .later = later_keys};
    TRY(add_top_keys(r));
    r->stage_count = r->task->stage_count;
    for (int s = 0; s < r->stage_count; s++)
        TRY(add_stage_keys(r, s));
    for (int d = 0; d < r->task->default_count; d++)
        TRY(recipe_table_set_default(&r->table, r->task->defaults[d].key, r->task->defaults[d].fallback));
    return MIEN_OK;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static const recipe_place *place_of(const recipe_reading *in, const char *stage, const char *key)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", stage, key);
    return recipe_reading_place(in, name);
}

static bool is_any_enabled(const recipe *r)
{
    for (int s = 0; s < r->stage_count; s++)
        if (r->stages[s].enabled)
            return true;
    return false;
}

/* What a stage of two copies begins with must be there. */
static mien_status check_deviation(const recipe *r, int stage, const recipe_reading *in)
{
    const recipe_stage *s = &r->stages[stage], *first = &r->stages[0];
    const recipe_place *place = place_of(in, first->name, "enabled"), *init = place_of(in, s->name, "init");
    if (place && !first->enabled && s->init == STAGE_INIT_STAGE1)
        return recipe_fail(place, MIEN_ERR_FORMAT, "false (wanted true, or %s.init: pretrained)", s->name);
    for (int i = 0; init && s->init == STAGE_INIT_PRETRAINED && i < r->model_count; i++)
        if (!r->init[i][0])
            return recipe_fail(init, MIEN_ERR_FORMAT, "pretrained without init.%s (wanted a file to begin with)",
                               r->models[i]);
    return MIEN_OK;
}

/* Whether every enabled stage has something to begin with. */
static mien_status check_stages(const recipe *r, const recipe_reading *in)
{
    const recipe_place *first = place_of(in, r->stages[0].name, "enabled");
    if (first && !is_any_enabled(r))
        return recipe_fail(first, MIEN_ERR_FORMAT,
                           r->stage_count > 1 ? "false (wanted true: %s is not enabled either)" : "false (wanted true)",
                           r->stages[r->stage_count - 1].name);
    for (int s = 0; s < r->stage_count; s++)
        if (r->stages[s].enabled && r->stages[s].kind == MODEL_DEVIATION)
            TRY(check_deviation(r, s, in));
    return MIEN_OK;
}

/* What no key can see alone. Called with places, since a default cannot be at fault alone. */
static mien_status check_together(const recipe *r, const recipe_reading *in)
{
    for (int s = 0; r->task->check && s < r->stage_count; s++) {
        const task_values values = recipe_values(r, s);
        TRY(r->task->check(&values, r->stages[s].name, in));
    }
    const recipe_place *place = recipe_reading_place(in, "image_size");
    for (int i = 0; place && i < r->model_count; i++) {
        int smallest = architecture_find(r->models[i])->min_size;
        if (r->image_size && r->image_size < smallest)
            return recipe_fail(place, MIEN_ERR_FORMAT, "%d (wanted 0, or at least %d for %s)", r->image_size, smallest,
                               r->models[i]);
    }
    return check_stages(r, in);
}

/* The task that is asked for; the default where that is none, which reading the key tells. */
static int find_task(const task_def *const *tasks, const char *name)
{
    for (int i = 0; name && tasks[i]; i++)
        if (strcmp(tasks[i]->name, name) == 0)
            return i;
    return 0;
}

static mien_status apply(recipe *r, recipe_reading *in, const char *path)
{
    r->task = r->tasks[find_task(r->tasks, recipe_reading_text(in, "task"))];
    TRY(make_table(r));
    TRY(recipe_reading_apply(in, &r->table));
    if (path && !recipe_reading_place(in, "task"))
        return mien_fail(MIEN_ERR_FORMAT, "%s: task: missing (wanted task: %s)", path, r->tasks[0]->name);
    TRY(check_together(r, in));
    const task_values values = recipe_values(r, 0);
    return r->task->heads(&r->heads, &r->head_count, &values, r->texts);
}

mien_status recipe_read(recipe **out, const task_def *const *tasks, const char *name, const char *text, size_t length,
                        const char *const *settings, int setting_count)
{
    mien_status st;
    recipe_reading *in = NULL;
    recipe *r = NULL;
    if (text && length == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: empty (wanted at least task: %s)", name, tasks[0]->name);
    TRY_OUT(mem_zalloc(&r, 1));
    r->tasks = tasks;
    TRY_OUT(arena_create(&r->texts, 0));
    TRY_OUT(recipe_reading_open(&in, name, text, length, settings, setting_count));
    TRY_OUT(apply(r, in, text ? name : NULL));
    *out = r;
    r = NULL;
out:
    recipe_reading_close(in);
    recipe_free(r);
    return st;
}

mien_status recipe_load(recipe **out, const task_def *const *tasks, const char *path, const char *const *settings,
                        int setting_count)
{
    char *text = NULL;
    size_t length = 0;
    if (path)
        TRY(file_read(&text, &length, path, MAX_BYTES));
    mien_status st = recipe_read(out, tasks, path, text, length, settings, setting_count);
    mem_free(text);
    return st;
}

void recipe_free(recipe *r)
{
    if (!r)
        return;
    recipe_table_free(&r->table);
    arena_free(r->texts);
    mem_free(r);
}

mien_status recipe_print(const recipe *r, str *out)
{
    return recipe_table_print(&r->table, out);
}

bool recipe_difference(const recipe *a, const recipe *b, char *dst, size_t bytes)
{
    if (a->task == b->task)
        return recipe_table_difference(&a->table, &b->table, dst, bytes);
    snprintf(dst, bytes, "task: %s (wanted %s)", b->task->name, a->task->name);
    return true;
}

/* --- reference ---------------------------------------------------------------------------------------------------- */

static const char reference_head[] =
    "# Recipes\n"
    "\n"
    "A recipe is a YAML file that says what to train. `task` is required; every other key has a default, and the\n"
    "defaults are the paper's recipe as far as it is built. `mien train RECIPE.yaml --set stage1.lr=0.001` overrides "
    "a\n"
    "key for one run (values are YAML: `--set 'models=[resnet50]'`, `--set init.resnet50=FILE`; later settings win). "
    "The\n"
    "run folder keeps the recipe as resolved. Unknown keys, wrong types and impossible values are refused with their\n"
    "line, as are anchors, aliases and tags. This page is written from the tables of keys in `src/train/recipe_keys.c` "
    "and\n"
    "in each task's file in `src/task/`.\n"
    "\n"
    "```yaml\n"
    "task: %s\n"
    "models: [efficientnet_b0]\n"
    "image_size: 112\n"
    "augment:\n"
    "  flip: true\n"
    "stage1:\n"
    "  epochs: 30\n"
    "  lr: 0.001\n"
    "  schedule: {name: cosine, warmup: 200}\n"
    "```\n";

/* A task's table; of a further one, what the first's does not say. */
static mien_status reference_task(str *out, const task_def *const *tasks, int index, const recipe *first)
{
    char setting[64];
    const char *settings[] = {setting};
    recipe *r = NULL;
    snprintf(setting, sizeof setting, "task=%s", tasks[index]->name);
    TRY(recipe_load(&r, tasks, NULL, settings, 1));
    mien_status st = MIEN_OK;
    if (first)
        st = str_printf(out, "\n# Task `%s`\nKeys and defaults that are not those of `%s`, above.\n", r->task->name,
                        first->task->name);
    if (st == MIEN_OK)
        st = recipe_table_reference(&r->table, first ? &first->table : NULL, out);
    recipe_free(r);
    return st;
}

mien_status recipe_reference(str *out, const task_def *const *tasks)
{
    recipe *first = NULL;
    TRY(str_printf(out, reference_head, tasks[0]->name));
    TRY(recipe_load(&first, tasks, NULL, NULL, 0));
    mien_status st = MIEN_OK;
    for (int i = 0; st == MIEN_OK && tasks[i]; i++)
        st = reference_task(out, tasks, i, i ? first : NULL);
    recipe_free(first);
    TRY(st);
    return str_append(out, "\nKnown to the design and refused until they are built: `identity`.\n");
}
