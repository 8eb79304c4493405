/* One row a key: a new key is a field of `recipe` and a row here. */
#include "train/recipe_key.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FIELD(field) offsetof(recipe, field)
#define AT_LEAST(low)                                                                                                  \
    {                                                                                                                  \
        low, INFINITY, false, true                                                                                     \
    }
#define ABOVE(low)                                                                                                     \
    {                                                                                                                  \
        low, INFINITY, true, true                                                                                      \
    }
#define FROM_TO(low, high)                                                                                             \
    {                                                                                                                  \
        low, high, false, false                                                                                        \
    }
#define FROM_BELOW(low, high)                                                                                          \
    {                                                                                                                  \
        low, high, false, true                                                                                         \
    }
#define PROBABILITY FROM_TO(0, 1)

static const char *const task_words[] = {"lsd", NULL};
static const char *const task_later[] = {"mtl", "identity", NULL};
static const char *const balance_words[] = {"none", "randaugment", NULL};
static const char *const optimizer_words[] = {"adam", "sgd", "adamw", NULL};
static const char *const schedule_words[] = {"constant", "cosine", NULL};
static const char *const select_words[] = {"loss", "macro_f1", NULL};

static const char *const stage_init_words[] = {"stage1", "pretrained", NULL};

/* What every stage takes: a row a key, "stage1.epochs" ... "stage1.patience". */
#define STAGE_KEYS(stage)                                                                                              \
    {.name = #stage ".epochs",                                                                                         \
     .type = &recipe_type_int,                                                                                         \
     .offset = FIELD(stage.epochs),                                                                                    \
     .range = FROM_TO(1, 100000),                                                                                      \
     .fallback = "20",                                                                                                 \
     .help = "At most so many passes over the training pictures."},                                                    \
        {.name = #stage ".batch",                                                                                      \
         .type = &recipe_type_int,                                                                                     \
         .offset = FIELD(stage.batch),                                                                                 \
         .range = FROM_TO(1, 65536),                                                                                   \
         .fallback = "64",                                                                                             \
         .help = "Pictures a step. A last partial batch is dropped; order changes each epoch, so every picture comes " \
                 "up."},                                                                                               \
        {.name = #stage ".optimizer.name",                                                                             \
         .type = &recipe_type_word,                                                                                    \
         .offset = FIELD(stage.optimizer.name),                                                                        \
         .words = optimizer_words,                                                                                     \
         .fallback = "adam",                                                                                           \
         .help = "`adam` and `sgd` add weight decay to the gradient, `adamw` to the weights."},                        \
        {.name = #stage ".optimizer.momentum",                                                                         \
         .type = &recipe_type_float,                                                                                   \
         .offset = FIELD(stage.optimizer.momentum),                                                                    \
         .range = FROM_BELOW(0, 1),                                                                                    \
         .fallback = "0.9",                                                                                            \
         .help = "Of `sgd`; the others do not use it."},                                                               \
        {.name = #stage ".optimizer.weight_decay",                                                                     \
         .type = &recipe_type_float,                                                                                   \
         .offset = FIELD(stage.optimizer.weight_decay),                                                                \
         .range = AT_LEAST(0),                                                                                         \
         .fallback = "0",                                                                                              \
         .help = "Pull of every weight towards zero."},                                                                \
        {.name = #stage ".lr",                                                                                         \
         .type = &recipe_type_float,                                                                                   \
         .offset = FIELD(stage.lr),                                                                                    \
         .range = ABOVE(0),                                                                                            \
         .fallback = "1e-05",                                                                                          \
         .help = "Learning rate, the largest of the schedule. 1e-5 is for fine-tuning; from scratch about 1e-3."},     \
        {.name = #stage ".schedule.name",                                                                              \
         .type = &recipe_type_word,                                                                                    \
         .offset = FIELD(stage.schedule.name),                                                                         \
         .words = schedule_words,                                                                                      \
         .fallback = "constant",                                                                                       \
         .help = "`cosine` falls from `lr` to 0 over `t_max` steps (and climbs again where the run is longer)."},      \
        {.name = #stage ".schedule.t_max",                                                                             \
         .type = &recipe_type_int64,                                                                                   \
         .offset = FIELD(stage.schedule.t_max),                                                                        \
         .range = AT_LEAST(0),                                                                                         \
         .fallback = "0",                                                                                              \
         .help = "Steps of the cosine, warm-up not counted; 0 is the whole run."},                                     \
        {.name = #stage ".schedule.warmup",                                                                            \
         .type = &recipe_type_int64,                                                                                   \
         .offset = FIELD(stage.schedule.warmup),                                                                       \
         .range = AT_LEAST(0),                                                                                         \
         .fallback = "0",                                                                                              \
         .help = "Steps over which the rate first rises linearly to `lr`."},                                           \
        {.name = #stage ".label_smoothing",                                                                            \
         .type = &recipe_type_float,                                                                                   \
         .offset = FIELD(stage.label_smoothing),                                                                       \
         .range = FROM_BELOW(0, 1),                                                                                    \
         .fallback = "0.2",                                                                                            \
         .help = "Share of the target that is spread evenly over all classes."},                                       \
        {.name = #stage ".class_weights",                                                                              \
         .type = &recipe_type_weights,                                                                                 \
         .offset = FIELD(stage),                                                                                       \
         .fallback = "[]",                                                                                             \
         .help = "A weight for each class, in their order; empty: all alike."},                                        \
        {.name = #stage ".freeze",                                                                                     \
         .type = &recipe_type_bool,                                                                                    \
         .offset = FIELD(stage.freeze),                                                                                \
         .fallback = "false",                                                                                          \
         .help = "Train the head alone."},                                                                             \
        {.name = #stage ".select",                                                                                     \
         .type = &recipe_type_word,                                                                                    \
         .offset = FIELD(stage.select),                                                                                \
         .words = select_words,                                                                                        \
         .fallback = "loss",                                                                                           \
         .help =                                                                                                       \
             "The best epoch is the one of lowest cross entropy, or of highest macro F1, on the held-out pictures."},  \
    {                                                                                                                  \
        .name = #stage ".patience", .type = &recipe_type_int, .offset = FIELD(stage.patience),                         \
        .range = FROM_TO(0, 100000), .fallback = "0",                                                                  \
        .help = "Stop after so many epochs without a better one; 0: never."                                            \
    }

static const recipe_key keys[] = {
    {.name = "task",
     .type = &recipe_type_task,
     .words = task_words,
     .later_words = task_later,
     .fallback = "lsd",
     .help = "What is learned: `lsd`, basic expressions. The one key that every recipe must have."},
    {.name = "seed",
     .type = &recipe_type_int64,
     .offset = FIELD(seed),
     .range = AT_LEAST(0),
     .fallback = "0",
     .help = "Names every random stream: fresh weights, order of the pictures, augmentation, dropout. Same seed, same "
             "bits."},
    {.name = "classes",
     .type = &recipe_type_classes,
     .fallback = "[anger, disgust, fear, happiness, sadness, surprise]",
     .help = "Lower-case names of the outputs, in their order. Folders of other names are left out."},
    {.name = "image_size",
     .type = &recipe_type_int,
     .offset = FIELD(image_size),
     .range = FROM_TO(0, 1024),
     .fallback = "0",
     .help = "Side of the input in pixels; 0 is each architecture's own (224; inception_v3: 299)."},
    {.name = "models",
     .type = &recipe_type_models,
     .fallback = "[vit_b_16, resnet50, efficientnet_b0, googlenet]",
     .help = "The members, trained one after another; a name given again is a further member with other random draws."},
    {.name = "init",
     .type = &recipe_type_init,
     .fallback = "{}",
     .help =
         "Per architecture a file of weights to start from, a model of ours or whatever `mien import` reads; its head "
         "is "
         "dropped. Without one an architecture starts from scratch. Paths are as seen from where the command runs."},

    {.name = "data.val_share",
     .type = &recipe_type_double,
     .offset = FIELD(data.val_share),
     .range = FROM_BELOW(0, 1),
     .fallback = "0.1",
     .help = "Share of each class, the last in file order, held out to select on where neither `--val` nor a folder "
             "`val` is given."},
    {.name = "data.balance",
     .type = &recipe_type_word,
     .offset = FIELD(data.balance),
     .words = balance_words,
     .fallback = "randaugment",
     .help = "`randaugment` brings every class up to the size of the largest by copies of its own pictures, changed as "
             "`augment.randaugment` says; `none` leaves the set as it is."},
    {.name = "data.max_bad_share",
     .type = &recipe_type_double,
     .offset = FIELD(data.max_bad_share),
     .range = PROBABILITY,
     .fallback = "0.01",
     .help = "Share of unreadable pictures that is tolerated, a warning each."},
    {.name = "data.normalise",
     .type = &recipe_type_normalise,
     .fallback = "dataset",
     .help = "Mean and standard deviation a channel, of pixels scaled to [0, 1]: `dataset` computes them over the "
             "training pictures without the held-out share; `init` takes those in the init file, and where it has "
             "none those that the architecture's published weights expect; or `{mean: [r, g, b], std: [r, g, b]}`."},

    {.name = "augment.randaugment.ops",
     .type = &recipe_type_int,
     .offset = FIELD(randaugment.options.ops),
     .range = FROM_TO(0, RANDAUGMENT_MAX_OPS),
     .fallback = "2",
     .help = "RandAugment of the copies that `data.balance` makes, at a picture's own size; originals stay. Operations "
             "a copy, drawn with replacement."},
    {.name = "augment.randaugment.magnitude",
     .type = &recipe_type_int,
     .offset = FIELD(randaugment.options.magnitude),
     .range = FROM_TO(0, RANDAUGMENT_BINS - 1),
     .fallback = "9",
     .help = "Bin of each operation's range."},
    {.name = "augment.randaugment.solarize",
     .type = &recipe_type_bool,
     .offset = FIELD(randaugment.options.include_solarize),
     .fallback = "false",
     .help = "Draw from Solarize too, as the paper's published code does; it distorts skin."},
    {.name = "augment.randaugment.equalize",
     .type = &recipe_type_bool,
     .offset = FIELD(randaugment.options.include_equalize),
     .fallback = "false",
     .help = "Draw from Equalize too, likewise."},
    {.name = "augment.randaugment.resample",
     .type = &recipe_type_bool,
     .offset = FIELD(randaugment.resample),
     .fallback = "false",
     .help = "Draw the copies anew each epoch; otherwise a copy is one picture throughout the run."},
    {.name = "augment.grey",
     .type = &recipe_type_float,
     .offset = FIELD(augment.grey),
     .range = PROBABILITY,
     .fallback = "0",
     .help = "Probability that a picture loses its colours."},
    {.name = "augment.low_resolution",
     .type = &recipe_type_float,
     .offset = FIELD(augment.low_resolution),
     .range = PROBABILITY,
     .fallback = "0",
     .help = "Probability that a picture is shrunk to 24..48 pixels and brought back."},
    {.name = "augment.blur",
     .type = &recipe_type_float,
     .offset = FIELD(augment.blur),
     .range = PROBABILITY,
     .fallback = "0",
     .help = "Probability of a Gaussian blur, sigma 0.3..1.5 pixels."},
    {.name = "augment.jitter",
     .type = &recipe_type_float,
     .offset = FIELD(augment.jitter),
     .range = PROBABILITY,
     .fallback = "0",
     .help = "Strength s of colour jitter: brightness, contrast and saturation by factors 1 - s to 1 + s."},
    {.name = "augment.crop",
     .type = &recipe_type_int,
     .offset = FIELD(augment.crop),
     .range = FROM_TO(0, 512),
     .fallback = "0",
     .help = "Pad by this many pixels and crop back at a random place."},
    {.name = "augment.flip",
     .type = &recipe_type_bool,
     .offset = FIELD(augment.flip),
     .fallback = "false",
     .help = "Mirror every second picture, drawn anew each epoch."},
    {.name = "augment.noise",
     .type = &recipe_type_float,
     .offset = FIELD(augment.noise),
     .range = FROM_TO(0, 128),
     .fallback = "0",
     .help = "Largest standard deviation of added Gaussian noise, in grey levels; each picture draws its own."},
    {.name = "augment.mixup",
     .type = &recipe_type_float,
     .offset = FIELD(mix.mixup),
     .range = FROM_TO(0, 1000),
     .fallback = "0",
     .help = "Mix each picture of a batch, and its target, with its neighbour by a share that each batch draws from "
             "Beta(alpha, alpha); 0 is off."},
    {.name = "augment.cutmix",
     .type = &recipe_type_float,
     .offset = FIELD(mix.cutmix),
     .range = FROM_TO(0, 1000),
     .fallback = "0",
     .help = "Paste a box of the neighbour instead, its area drawn from Beta(alpha, alpha); 0 is off. With both on, "
             "each batch draws one of the two."},

    {.name = "stage1.enabled",
     .type = &recipe_type_bool,
     .offset = FIELD(stage1.enabled),
     .fallback = "true",
     .help = "Fine-tuning of the whole network."},
    STAGE_KEYS(stage1),

    {.name = "stage2.enabled",
     .type = &recipe_type_bool,
     .offset = FIELD(stage2.enabled),
     .fallback = "true",
     .help = "The deviation module: a frozen and a trained copy of the extractor, and a new head on the difference of "
             "their features. Both copies run with running statistics and without dropout."},
    {.name = "stage2.init",
     .type = &recipe_type_word,
     .offset = FIELD(stage2.init),
     .words = stage_init_words,
     .fallback = "stage1",
     .help = "What both copies begin as: `stage1`, the best model of that stage; `pretrained`, the architecture's file "
             "under `init` (the paper's text). `stage1` is the default, since a run without init files has no other."},
    STAGE_KEYS(stage2),
};
enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

/* Known to the design, refused until they are built. */
static const char *const later_keys[] = {"mtl"};

const recipe_key *recipe_key_at(int index)
{
    return index >= 0 && index < KEY_COUNT ? &keys[index] : NULL;
}

const recipe_key *recipe_key_find(const char *name)
{
    for (int i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* "stage1" begins "stage1.lr", and "mtl" itself, but not "stage10". */
static bool begins(const char *group, const char *name, bool or_equals)
{
    size_t length = strlen(group);
    return strncmp(group, name, length) == 0 && (name[length] == '.' || (or_equals && name[length] == '\0'));
}

bool recipe_key_is_group(const char *name)
{
    for (int i = 0; i < KEY_COUNT; i++)
        if (begins(name, keys[i].name, false))
            return true;
    return false;
}

bool recipe_key_is_later(const char *name)
{
    for (size_t i = 0; i < sizeof later_keys / sizeof later_keys[0]; i++)
        if (begins(later_keys[i], name, true))
            return true;
    return false;
}

/* --- for messages ------------------------------------------------------------------------------------------------- */

enum { NAME_MAX_LENGTH = 47, SIBLING_MAX = KEY_COUNT };

/* Letters to insert, delete or change (Levenshtein); only the first 47 of each count. */
static int edit_distance(const char *a, const char *b)
{
    int row[NAME_MAX_LENGTH + 1], b_length = (int)strnlen(b, NAME_MAX_LENGTH);
    for (int j = 0; j <= b_length; j++)
        row[j] = j;
    for (int i = 1; i <= NAME_MAX_LENGTH && a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int shorter = row[j - 1] < row[j] ? row[j - 1] : row[j];
            row[j] = shorter + 1 < replaced ? shorter + 1 : replaced;
        }
    }
    return row[b_length];
}

/* Names directly under group, each once: "stage1" for all of stage1's keys. Returns how many. */
static int siblings(char names[SIBLING_MAX][NAME_MAX_LENGTH + 1], const char *group)
{
    int count = 0;
    size_t skip = *group ? strlen(group) + 1 : 0;
    for (int i = 0; i < KEY_COUNT; i++) {
        if (*group && !begins(group, keys[i].name, false))
            continue;
        int length = (int)strcspn(keys[i].name + skip, ".");
        snprintf(names[count], sizeof names[count], "%.*s", length, keys[i].name + skip);
        if (count == 0 || strcmp(names[count - 1], names[count]) != 0) /* groups are contiguous */
            count++;
    }
    return count;
}

void recipe_key_nearest(char *dst, size_t bytes, const char *group, const char *name)
{
    char names[SIBLING_MAX][NAME_MAX_LENGTH + 1];
    const char *sorted[SIBLING_MAX];
    int distance[SIBLING_MAX], count = siblings(names, group);
    for (int i = 0; i < count; i++) {
        int d = edit_distance(name, names[i]), at = i;
        for (; at > 0 && distance[at - 1] > d; at--) {
            distance[at] = distance[at - 1];
            sorted[at] = sorted[at - 1];
        }
        distance[at] = d;
        sorted[at] = names[i];
    }
    str_join_words(dst, bytes, sorted, count);
}
