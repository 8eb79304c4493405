/* The task in ten rows (docs/architecture.md, "Add a task"), and what they call. */
#include "train/toy_task.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 32, THICKNESS = 6, LABEL_EVERY = 5 };
static const char *const columns[] = {"tilt"}, *const select_words[] = {"rmse", NULL};
static const model_head pose = {
    .name = "pose", .kind = HEAD_REGRESSION, .size = 1, .loss = "squared", .metric = "rmse", .columns = columns};

/* --- pictures ----------------------------------------------------------------------------------------------------- */

typedef struct {
    task_set base; /* first */
    picture_memory memory;
    picture_set pictures;
    image *images;
    float *tilt;
    uint8_t *is_known;
    int count;
} tilt_set;

float tilt_of(const task_set *set, int64_t picture)
{
    return ((const tilt_set *)set)->tilt[picture];
}

/* A bright bar through the middle, at an angle of up to 60 degrees to either side. */
static void draw_bar(image *im, float tilt, int thickness, rng *r)
{
    const double angle = (double)tilt * M_PI / 3, sine = sin(angle), cosine = cos(angle);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            double across = (x - SIDE / 2 + 0.5) * cosine + (y - SIDE / 2 + 0.5) * sine;
            for (int c = 0; c < 3; c++)
                im->pixels[(y * SIDE + x) * 3 + c] =
                    (uint8_t)((2 * fabs(across) < thickness ? 200 : 20) + (int)rng_below(r, 40));
        }
}

static void close_set(task_set *base)
{
    tilt_set *set = (tilt_set *)base;
    if (!set)
        return;
    for (int i = 0; set->images && i < set->count; i++)
        image_free(&set->images[i]);
    picture_memory_clear(&set->memory);
    mem_free(set->images);
    mem_free(set->tilt);
    mem_free(set->is_known);
    mem_free(set);
}

/* The path says how many bars are drawn, and of which seed: "bars:120:1". */
static mien_status open_set(task_set **out, task_set **validation, const task_set_options *o)
{
    int count, seed, head;
    tilt_set *set;
    (void)validation; /* a share of the bars selects */
    TRY(head_find(&head, o->heads, o->head_count, "pose", o->sources[0].path));
    if (sscanf(o->sources[0].path, "bars:%d:%d", &count, &seed) != 2 || count < 1)
        return mien_fail(MIEN_ERR_FORMAT, "%s: no bars (wanted bars:COUNT:SEED)", o->sources[0].path);
    TRY(mem_zalloc(&set, 1));
    mien_status st;
    set->count = count;
    TRY_OUT(mem_zalloc(&set->images, count));
    TRY_OUT(mem_alloc(&set->tilt, count));
    TRY_OUT(mem_alloc(&set->is_known, count));
    for (int i = 0; i < count; i++) {
        rng r = rng_at((uint64_t)seed, 0, (uint64_t)i, RNG_TEST);
        TRY_OUT(image_resize_buffer(&set->images[i], SIDE, SIDE));
        set->tilt[i] = 2 * rng_float(&r) - 1;
        set->is_known[i] = !o->is_training || i % LABEL_EVERY != 0;
        draw_bar(&set->images[i], set->tilt[i],
                 o->values ? ((const tilt_values *)o->values->top)->thickness : THICKNESS, &r);
    }
    TRY_OUT(picture_memory_init(&set->memory, set->images, count));
    set->pictures = (picture_set){.source = &set->memory.source, .group_count = 1};
    set->base = (task_set){.path = o->sources[0].path, .pictures = &set->pictures};
    *out = &set->base;
    set = NULL;
out:
    close_set((task_set *)set);
    return st;
}

static mien_status open_one(task_set **out, task_set **validation, const task_set_options *o)
{
    TRY(open_set(out, validation, o));
    (*out)->task = &task_tilt;
    return MIEN_OK;
}

static mien_status open_two(task_set **out, task_set **validation, const task_set_options *o)
{
    TRY(open_set(out, validation, o));
    (*out)->task = &task_tilt_two;
    return MIEN_OK;
}

static uint64_t fingerprint(const task_set *set, int64_t picture)
{
    uint32_t bits;
    memcpy(&bits, &((const tilt_set *)set)->tilt[picture], sizeof bits);
    return bits + (uint64_t)((const tilt_set *)set)->is_known[picture];
}

static bool leans_left(const task_set *set, int64_t picture)
{
    return tilt_of(set, picture) < 0;
}
static bool leans_right(const task_set *set, int64_t picture)
{
    return tilt_of(set, picture) >= 0;
}

/* --- training ----------------------------------------------------------------------------------------------------- */

static mien_status make_heads(const model_head **out, int *count, const task_values *values, arena *texts)
{
    (void)values, (void)texts;
    *out = &pose;
    *count = 1;
    return MIEN_OK;
}

enum { TARGET, MASK };

static mien_status describe(task_ending *e, graph *g, model_io *io, const model_spec *spec, int batch)
{
    (void)spec;
    value_id loss;
    TRY(graph_input(g, &e->inputs[TARGET], "tilt", DTYPE_F32, shape_of(2, (int64_t)batch, (int64_t)1)));
    TRY(graph_input(g, &e->inputs[MASK], "is_known", DTYPE_U8, shape_of(2, (int64_t)batch, (int64_t)1)));
    TRY(op_regression(g, &loss, "loss", io->heads[0].logits, e->inputs[TARGET], e->inputs[MASK],
                      &(regression_attr){.kind = REGRESSION_SQUARED}));
    graph_mark_output(g, loss);
    io->losses[io->loss_count++] = (graph_loss){loss, 1};
    e->targets_bytes = (size_t)batch * (sizeof(float) + sizeof(uint8_t));
    return MIEN_OK;
}

static mien_status fill(const task_ending *e, program *p, const model_spec *spec, const task_set *base, int draw,
                        const task_row *rows, int count)
{
    (void)spec, (void)draw;
    const tilt_set *set = (const tilt_set *)base;
    float *target = e->targets;
    uint8_t *mask = (uint8_t *)(target + count);
    for (int i = 0; i < count; i++) {
        target[i] = set->tilt[rows[i].picture];
        mask[i] = set->is_known[rows[i].picture];
    }
    TRY(program_write(p, e->inputs[TARGET], target));
    return program_write(p, e->inputs[MASK], mask);
}

/* --- scores ------------------------------------------------------------------------------------------------------- */

static mien_status score(task_report *out, const task_pass *pass)
{
    const tilt_set *set = (const tilt_set *)pass->set;
    double sum = 0;
    *out = (task_report){.score_count = 1};
    for (int64_t i = 0; i < pass->count; i++) {
        if (!pass->is_read[i] || !set->is_known[pass->pictures[i]])
            continue;
        double error = (double)pass->outputs[0][i] - (double)set->tilt[pass->pictures[i]];
        sum += error * error;
        out->count++;
    }
    out->scores[0] = (task_score){"rmse", out->count ? sqrt(sum / (double)out->count) : 0};
    return MIEN_OK;
}

static json_t *metrics(const task_report *r)
{
    return json_pack("{s:I, s:f}", "n", (json_int_t)r->count, "rmse", r->scores[0].value);
}

static mien_status write_validation(str *text, const task_pass *pass)
{
    TRY(str_append(text, "image,truth,tilt\n"));
    for (int64_t i = 0; i < pass->count; i++)
        TRY(str_printf(text, "%d,%.6f,%.6f\n", (int)pass->pictures[i] + 1,
                       (double)tilt_of(pass->set, pass->pictures[i]), (double)pass->outputs[0][i]));
    return MIEN_OK;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static const recipe_key keys[] = {{.name = "thickness",
                                   .type = &recipe_type_int,
                                   .offset = offsetof(tilt_values, thickness),
                                   .range = RECIPE_FROM_TO(1, SIDE),
                                   .fallback = "6",
                                   .help = "Of a bar, in pixels."}};
static const task_stage stages[] = {{.name = "tilt", .kind = MODEL_PLAIN, .help = "Learning to see a tilt."}};

static int make_draws(task_draw *out, const task_values *values, const model_head *heads, int head_count)
{
    (void)values, (void)heads, (void)head_count;
    out[0] = (task_draw){"left", leans_left};
    out[1] = (task_draw){"right", leans_right};
    return 2;
}

#define TILT_ROWS(task_name)                                                                                           \
    .name = task_name, .title = "Tilt", .help = "tilts of bars", .stages = stages, .stage_count = 1,                   \
    .select = select_words, .shown = select_words, .lower_is_better = "rmse", .select_help = "The error.",             \
    .keys = {.keys = keys, .count = 1, .bytes = sizeof(tilt_values)}, .heads = make_heads, .close = close_set,         \
    .fingerprint = fingerprint, .describe = describe, .fill = fill, .score = score, .metrics = metrics,                \
    .write_validation = write_validation

const task_def task_tilt = {TILT_ROWS("tilt"), .open = open_one};
const task_def task_tilt_two = {TILT_ROWS("tilt_two"), .open = open_two, .draws = make_draws};
