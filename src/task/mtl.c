/* The row of the multi-task task: what recipes say of it, and how its training graphs end. Targets of every head are
 * inputs with masks, so that one program serves whatever a batch knows. */
#include "task/mtl_int.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>

/* --- recipes ------------------------------------------------------------------------------------------------------ */

static const char *const kind_words[] = {"smm", "baseline", NULL}, *const sampler_words[] = {"tasks", "joint", NULL},
                         *const au_words[] = {"all", "partial", NULL},
                         *const ensemble_words[] = {"softmax", "logits", NULL},
                         *const weights_words[] = {"data", "none", NULL},
                         *const thresholds_words[] = {"half", "held_out", NULL};

#define KEY(key, type_name, field, ...)                                                                                \
    {                                                                                                                  \
        .name = key, .type = &recipe_type_##type_name, .offset = offsetof(mtl_stage_values, field), __VA_ARGS__        \
    }
static const recipe_key stage_keys[] = {
    KEY("kind", word, kind, .words = kind_words, .fallback = "smm", .after = "enabled",
        .help = "`smm` is SMM-EmotionNet: 17 regions of the face, each with an attention and an embedding of its own. "
                "`baseline` looks at the largest value of each channel of the same map."),
    KEY("heads", words, heads, .words = mtl_head_words, .fallback = "[va, expression, au]",
        .help = "What is learned: `va`, `expression` (of eight) and `au` (twelve) are the challenge's; `au_intensity` "
                "(of 18 units, 0 to 1), `blendshapes` (52, under ARKit's names), `pose` (yaw, pitch, roll in degrees) "
                "and `gaze` (yaw and pitch of each eye) are trained where labels have them."),
    KEY("stride", int, stride, .range = RECIPE_FROM_TO(0, 64), .fallback = "0",
        .help = "Of the architecture's feature map that the network stands on, in pixels: 16 or 32, as far as there is "
                "one; 0 is the architecture's own (inception_v3: Mixed_6e, 16)."),
    KEY("sampler", word, sampler, .words = sampler_words, .fallback = "tasks",
        .help = "`tasks`: a step takes a batch of those with action units, one of those with an expression and one of "
                "those with valence and arousal, each with batch statistics of its own, and updates once; fewer "
                "pictures are repeated until the most are through. `joint`: one batch of whatever has a label."),
    KEY("au", word, au, .words = au_words, .fallback = "all",
        .help = "`all` learns from pictures of which all twelve units are known; `partial` masks units singly."),
    KEY("orthogonal", bool, orthogonal, .fallback = "false",
        .help = "The regions' matrices in the message space are orthogonal, as intended in the original and not "
                "enforced in the published code."),
    KEY("expr_ensemble", word, expr_ensemble, .words = ensemble_words, .fallback = "softmax",
        .help = "Predicted expression: the mean of the regions' probabilities (the paper), or `logits`, the "
                "probabilities of their mean (the published code). Trained on mean logits either way."),
    KEY("weights", word, weights, .words = weights_words, .fallback = "data",
        .help = "`data`: a class weighs (pictures of `other`) / (its pictures), an active unit (inactive) / (active), "
                "counted in what is trained on; `none`: all alike."),
    KEY("label_smoothing", float, label_smoothing, .range = RECIPE_FROM_BELOW(0, 1), .fallback = "0",
        .help = "Of the expression: share of the target that is spread evenly over all classes."),
    KEY("thresholds", word, thresholds, .words = thresholds_words, .fallback = "half",
        .help = "Probability above which an action unit is active: `half`, 0.5; `held_out` stores in the model those "
                "at which F1 is best on the pictures that select. Epochs are compared at 0.5."),
};

static const task_default defaults[] = {
    {"models", "[inception_v3]"},
    {"data.balance", "none"},
    {"data.normalise", "{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"},
    {"augment.flip", "true"},
    {"augment.zoom", "1.017"},
    {"augment.jitter", "0.4"},
    {"augment.hue", "0.1"},
    {"mtl.epochs", "5"},
    {"mtl.batch", "16"},
    {"mtl.optimizer.name", "sgd"},
    {"mtl.lr", "0.001"},
    {"mtl.schedule.name", "cosine"},
    {"mtl.patience", "3"},
};

static const task_stage stages[] = {{.name = "mtl", .kind = MODEL_SMM, .help = "Training on all tasks at once."}};
static const char *const select_words[] = {"p_mtl",         "p_va",   "p_expr", "p_au", "p_au_intensity",
                                           "p_blendshapes", "p_pose", "p_gaze", NULL},
                         *const shown_words[] = {"p_mtl", "p_va", "p_expr", "p_au", NULL};

/* The name of an architecture's map of a stride; NULL: it has none, and whoever describes the model says so. */
static const char *map_name(const char *arch_name, int stride)
{
    const architecture *arch = architecture_find(arch_name);
    for (int i = 0; arch && i < ARCHITECTURE_MAX_MAPS && arch->maps[i].name; i++)
        if (arch->maps[i].stride == stride)
            return arch->maps[i].name;
    return NULL;
}

static mien_status specify(model_spec *spec, const task_values *values)
{
    const mtl_stage_values *v = values->stage;
    spec->kind = v->kind == MTL_SMM ? MODEL_SMM : MODEL_BASELINE;
    spec->smm = (smm_options){.map = v->stride ? map_name(spec->arch, v->stride) : NULL,
                              .is_orthogonal = v->orthogonal,
                              .ensemble = v->expr_ensemble};
    if (v->stride && !spec->smm.map)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "mtl.stride: %d: %s has no such feature map", v->stride, spec->arch);
    return MIEN_OK;
}

/* The regions' keys say nothing of the baseline. */
static mien_status check(const task_values *values, const char *stage, const recipe_reading *in)
{
    static const char *const names[] = {"orthogonal", "expr_ensemble"};
    const mtl_stage_values *v = values->stage;
    const bool is_set[] = {v->orthogonal, v->expr_ensemble != SMM_MEAN_SOFTMAX};
    for (int i = 0; v->kind == MTL_BASELINE && i < 2; i++) {
        char key[96];
        snprintf(key, sizeof key, "%s.%s", stage, names[i]);
        const recipe_place *place = recipe_reading_place(in, key);
        if (place && is_set[i])
            return recipe_fail(place, MIEN_ERR_FORMAT,
                               "set with kind: baseline, which has no regions (wanted kind: smm)");
    }
    return MIEN_OK;
}

static bool is_listed(const recipe_word_list *list, int word)
{
    for (int i = 0; i < list->count; i++)
        if (list->index[i] == word)
            return true;
    return false;
}

/* In the order of their table, whatever that of the recipe. */
static mien_status make_heads(const model_head **out, int *count, const task_values *values, arena *texts)
{
    const mtl_stage_values *v = values->stage;
    model_head *heads = NULL;
    TRY(arena_alloc(texts, &heads, MTL_HEADS));
    *count = 0;
    for (int i = 0; i < MTL_HEADS; i++)
        if (is_listed(&v->heads, i))
            heads[(*count)++] = mtl_heads[i];
    *out = heads;
    return MIEN_OK;
}

/* --- draws -------------------------------------------------------------------------------------------------------- */

/* The challenge's heads in the order in which the published code draws for them. */
static const int draw_order[MTL_CHALLENGE_HEADS] = {MTL_AU, MTL_EXPRESSION, MTL_VA};

static bool has_va(const task_set *set, int64_t picture)
{
    return mtl_has(mtl_set_of(set), ANNOTATION_VA, picture);
}

static bool has_expression(const task_set *set, int64_t picture)
{
    return mtl_has(mtl_set_of(set), ANNOTATION_EXPRESSION, picture);
}

static bool has_au(const task_set *set, int64_t picture)
{
    return mtl_has(mtl_set_of(set), ANNOTATION_AU, picture);
}

static bool has_any(const task_set *set, int64_t picture)
{
    for (int k = 0; k < ANNOTATION_KINDS; k++)
        if (mtl_set_of(set)->is_asked[k] && mtl_has(mtl_set_of(set), k, picture))
            return true;
    return false;
}

/* Rows of mtl_heads that a step draws a batch for each; none: it draws one, for all. */
static int drawn_heads(int rows[MTL_CHALLENGE_HEADS], const task_values *values, const model_head *heads,
                       int head_count)
{
    const mtl_stage_values *v = values->stage;
    int count = 0;
    for (int i = 0; v->sampler == MTL_TASKS && i < MTL_CHALLENGE_HEADS; i++)
        if (mtl_head_find(heads, head_count, draw_order[i]) >= 0)
            rows[count++] = draw_order[i];
    return count;
}

static int make_draws(task_draw *out, const task_values *values, const model_head *heads, int head_count)
{
    static bool (*const has[])(const task_set *,
                               int64_t) = {[MTL_VA] = has_va, [MTL_EXPRESSION] = has_expression, [MTL_AU] = has_au};
    int rows[MTL_CHALLENGE_HEADS], count = drawn_heads(rows, values, heads, head_count);
    for (int d = 0; d < count; d++)
        out[d] = (task_draw){annotation_forms[mtl_head_kinds[rows[d]]].name, has[rows[d]]};
    if (count == 0)
        out[count++] = (task_draw){"any label", has_any};
    return count;
}

/* --- the end of a training graph ---------------------------------------------------------------------------------- */

enum { TARGET, MASK, WEIGHTS, INPUTS_A_HEAD };
_Static_assert(MODEL_MAX_HEADS *INPUTS_A_HEAD <= TASK_MAX_INPUTS, "a task_ending has room for every head's inputs");

static const float angle_beta = 10; /* degrees: a smaller error's gradient falls with it */

static value_id *input_of(task_ending *e, int head, int which)
{
    return &e->inputs[head * INPUTS_A_HEAD + which];
}

static value_id input_id(const task_ending *e, int head, int which)
{
    return e->inputs[head * INPUTS_A_HEAD + which];
}

/* "va.target" [batch, width] and alike; labels of classes are numbers. */
static mien_status describe_input(task_ending *e, graph *g, int head, int which, const model_head *h, int batch)
{
    static const char *const names[] = {"target", "mask", "weights"};
    const bool is_class = h->kind == HEAD_CLASS;
    const dtype type = which == MASK ? DTYPE_U8 : which == TARGET && is_class ? DTYPE_I32 : DTYPE_F32;
    const shape dims = which == WEIGHTS ? shape_of(1, (int64_t)h->size)
                       : is_class       ? shape_of(1, (int64_t)batch)
                                        : shape_of(2, (int64_t)batch, (int64_t)h->size);
    char name[64];
    snprintf(name, sizeof name, "%s.%s", h->name, names[which]);
    return graph_input(g, input_of(e, head, which), name, type, dims);
}

/* Sums over columns become means but for valence and arousal, whose loss is the sum of both. */
static float loss_weight(int row, int draws)
{
    if (row < MTL_CHALLENGE_HEADS)
        return 1;
    return 1 / ((float)draws * (mtl_is_angles(row) ? angle_beta : (float)mtl_heads[row].size));
}

static mien_status describe_loss(value_id *loss, task_ending *e, graph *g, model_io *io, int head, int row)
{
    const mtl_stage_values *v = e->values.stage;
    const value_id logits = io->heads[head].logits, target = input_id(e, head, TARGET), mask = input_id(e, head, MASK),
                   weights = input_id(e, head, WEIGHTS);
    char name[64];
    snprintf(name, sizeof name, "%s.loss", mtl_heads[row].name);
    switch (row) {
    case MTL_EXPRESSION:
        return op_cross_entropy_masked(g, loss, &io->heads[head].output, name, logits, target, weights, mask,
                                       v->label_smoothing);
    case MTL_AU:
        return op_binary_cross_entropy(g, loss, name, logits, target, weights, mask);
    case MTL_POSE:
    case MTL_GAZE:
        return op_regression(g, loss, name, logits, target, mask,
                             &(regression_attr){.kind = REGRESSION_SMOOTH_L1, .beta = angle_beta});
    default:
        return op_ccc(g, loss, name, logits, target, mask);
    }
}

static mien_status describe(task_ending *e, graph *g, model_io *io, const model_spec *spec, int batch)
{
    const mtl_stage_values *v = e->values.stage;
    task_draw draws[TASK_MAX_DRAWS];
    const int draw_count = make_draws(draws, &e->values, spec->heads, spec->head_count);
    int widest = 1;
    if (e->is_mixed)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "augment: mixup and cutmix (wanted 0 in task mtl)");
    for (int h = 0; h < spec->head_count; h++) {
        const int row = mtl_head_of(&spec->heads[h]);
        const bool is_weighted = spec->heads[h].kind != HEAD_REGRESSION && v->weights == MTL_WEIGHTS_DATA;
        value_id loss;
        TRY(describe_input(e, g, h, TARGET, &spec->heads[h], batch));
        TRY(describe_input(e, g, h, MASK, &spec->heads[h], batch));
        if (is_weighted)
            TRY(describe_input(e, g, h, WEIGHTS, &spec->heads[h], batch));
        TRY(describe_loss(&loss, e, g, io, h, row));
        graph_mark_output(g, loss);
        io->losses[io->loss_count++] = (graph_loss){loss, loss_weight(row, draw_count)};
        widest = spec->heads[h].size > widest ? spec->heads[h].size : widest;
    }
    e->targets_bytes = (size_t)batch * (sizeof(int64_t) + (size_t)widest * (sizeof(float) + 1));
    return MIEN_OK;
}

/* "expression: neutral 1.04, anger 5.46" */
static mien_status tell_weights(const model_head *h, const float *weights)
{
    str text = {0};
    mien_status st = MIEN_OK;
    for (int c = 0; st == MIEN_OK && c < h->size; c++)
        st = str_printf(&text, "%s%s %.4f", c ? ", " : "", h->columns[c], (double)weights[c]);
    if (st == MIEN_OK)
        log_notice("weights of %s: %s", h->name, text.text);
    str_free(&text);
    return st;
}

static mien_status settle(const task_ending *e, program *p, const model_spec *spec, const task_set *set,
                          const epoch_plan *plan)
{
    annotation_counts counts;
    TRY(mtl_count(&counts, mtl_set_of(set), plan));
    for (int h = 0; h < spec->head_count; h++) {
        float weights[EXPRESSION_COUNT > CHALLENGE_AU_COUNT ? EXPRESSION_COUNT : CHALLENGE_AU_COUNT];
        if (input_id(e, h, WEIGHTS) == NO_VALUE)
            continue;
        if (spec->heads[h].kind == HEAD_CLASS)
            annotation_class_weights(weights, &counts);
        else
            annotation_au_weights(weights, &counts);
        TRY(tell_weights(&spec->heads[h], weights));
        TRY(program_write(p, input_id(e, h, WEIGHTS), weights));
    }
    return MIEN_OK;
}

/* Does a draw teach this head? A batch of one of the challenge's tasks teaches no other of them. */
static bool is_taught(int row, const int *drawn, int drawn_count, int draw)
{
    return drawn_count == 0 || row >= MTL_CHALLENGE_HEADS || row == drawn[draw];
}

/* What is known of a picture, as its mirror image has it: of angles and of units of one side. */
static void mirror(float *values, uint8_t *mask, int row)
{
    float was[UNIT_COUNT];
    uint8_t was_masked[UNIT_COUNT];
    if (row == MTL_POSE) { /* yaw, pitch, roll */
        values[0] = -values[0];
        values[2] = -values[2];
    }
    for (int k = 0; row == MTL_GAZE && k < 2; k++) { /* yaw, pitch: each eye's become the other's, yaw turns round */
        const float value = values[k], sign = k == 0 ? -1 : 1;
        const uint8_t known = mask[k];
        values[k] = sign * values[2 + k];
        values[2 + k] = sign * value;
        mask[k] = mask[2 + k];
        mask[2 + k] = known;
    }
    if (row != MTL_BLENDSHAPES)
        return;
    memcpy(was, values, sizeof was);
    memcpy(was_masked, mask, sizeof was_masked);
    for (int k = 0; k < UNIT_COUNT; k++) {
        values[k] = was[unit_mirrored((face_unit)k)];
        mask[k] = was_masked[unit_mirrored((face_unit)k)];
    }
}

/* Targets of one head: into its inputs by way of e's room, behind the numbers of the pictures. */
static mien_status fill_head(const task_ending *e, program *p, const mtl_set *set, int head, int row,
                             const task_row *rows, int count, bool is_masked)
{
    const annotation_kind kind = mtl_head_kinds[row];
    int64_t *pictures = e->targets;
    float *values = (float *)(pictures + count);
    const int columns = row == MTL_EXPRESSION ? 1 : mtl_heads[row].size;
    uint8_t *mask = (uint8_t *)(values + count * columns);
    if (row == MTL_EXPRESSION)
        annotation_fill_labels((int32_t *)values, mask, &set->known, pictures, count);
    else
        annotation_fill(values, mask, &set->known, kind, pictures, count, mtl_is_partial(set, kind));
    for (int i = 0; i < count; i++)
        if (rows[i].is_mirrored)
            mirror(values + i * columns, mask + i * columns, row);
    if (is_masked)
        memset(mask, 0, (size_t)(count * columns));
    TRY(program_write(p, input_id(e, head, TARGET), values));
    return program_write(p, input_id(e, head, MASK), mask);
}

static mien_status fill(const task_ending *e, program *p, const model_spec *spec, const task_set *set, int draw,
                        const task_row *rows, int count)
{
    int drawn[MTL_CHALLENGE_HEADS];
    const int drawn_count = drawn_heads(drawn, &e->values, spec->heads, spec->head_count);
    int64_t *pictures = e->targets;
    for (int i = 0; i < count; i++)
        pictures[i] = rows[i].picture;
    for (int h = 0; h < spec->head_count; h++) {
        const int row = mtl_head_of(&spec->heads[h]);
        TRY(fill_head(e, p, mtl_set_of(set), h, row, rows, count, !is_taught(row, drawn, drawn_count, draw)));
    }
    return MIEN_OK;
}

/* --- what a model keeps ------------------------------------------------------------------------------------------- */

/* Thresholds of action units that are best for the pictures that selected it. */
static mien_status keep(model *m, const task_pass *pass, const task_values *values)
{
    const mtl_stage_values *v = values->stage;
    const int h = mtl_head_find(pass->heads, pass->head_count, MTL_AU);
    float best[CHALLENGE_AU_COUNT];
    if (v->thresholds == MTL_THRESHOLDS_HALF || h < 0)
        return MIEN_OK;
    TRY(mtl_best_thresholds(best, pass, h));
    return model_set_thresholds(m, h, best);
}

/* --- the row ------------------------------------------------------------------------------------------------------ */

const task_def task_mtl = {
    .name = "mtl",
    .title = "MTL",
    .help = "valence and arousal, expressions and action units at once",
    .stages = stages,
    .stage_count = 1,
    .select = select_words,
    .shown = shown_words,
    .select_help =
        "The best epoch is the one of highest score on the held-out pictures: `p_mtl`, the sum over those of "
        "the challenge's three tasks that are learned, or one head's.",
    .keys = {.stage_keys = stage_keys,
             .stage_count = sizeof stage_keys / sizeof stage_keys[0],
             .stage_bytes = sizeof(mtl_stage_values)},
    .defaults = defaults,
    .default_count = sizeof defaults / sizeof defaults[0],
    .check = check,
    .specify = specify,
    .heads = make_heads,
    .open = mtl_open,
    .close = mtl_close,
    .renew = mtl_renew,
    .fingerprint = mtl_fingerprint,
    .tell_missing = mtl_tell_missing,
    .tells = mtl_tells,
    .account = mtl_account,
    .ignored_count = mtl_ignored_count,
    .ignored = mtl_ignored,
    .draws = make_draws,
    .describe = describe,
    .settle = settle,
    .fill = fill,
    .score = mtl_score,
    .head_score = mtl_head_score,
    .metrics = mtl_metrics,
    .keep = keep,
    .write_validation = mtl_write_validation,
    .challenge_heads = mtl_heads,
    .challenge_head_count = MTL_CHALLENGE_HEADS,
    .check_challenge = mtl_check_challenge,
    .write_challenge = mtl_write_challenge,
    .score_files = mtl_score_files,
};
