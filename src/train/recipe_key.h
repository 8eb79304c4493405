/* The table of recipe keys, and the types that its rows are of. */
#ifndef TRAIN_RECIPE_KEY_H
#define TRAIN_RECIPE_KEY_H

#include "train/recipe.h"
#include "train/recipe_yaml.h"

typedef struct recipe_key recipe_key;

/* How values of one kind are read into a recipe and printed from it. `entry` is what follows the key in a setting
 * ("resnet50" of init.resnet50), NULL where the key itself was meant. */
typedef struct {
    const char *name; /* for the reference: "number" */
    mien_status (*read)(recipe *r, const recipe_key *key, const recipe_value *v, const char *entry);
    mien_status (*print)(const recipe *r, const recipe_key *key, str *out);
    bool has_entries; /* KEY.NAME is a key too */
} recipe_key_type;

typedef struct {
    double low, high; /* high INFINITY: no bound */
    bool is_low_open, is_high_open;
} recipe_range;

struct recipe_key {
    const char *name; /* "stage1.lr" */
    const recipe_key_type *type;
    size_t offset; /* of its field in recipe */
    recipe_range range;
    const char *const *words;       /* NULL-terminated; what is allowed, by enum value */
    const char *const *later_words; /* NULL-terminated; what will be, once it is built */
    const char *fallback;           /* the default, as YAML */
    const char *help;
};

/* NULL past the end; groups are contiguous. */
const recipe_key *recipe_key_at(int index);
const recipe_key *recipe_key_find(const char *name);
/* Is it the beginning of keys ("stage1", "stage1.optimizer")? */
bool recipe_key_is_group(const char *name);
/* A key, or the beginning of keys, of a part that is not built yet. */
bool recipe_key_is_later(const char *name);
/* Names allowed in a group ("" = top), nearest to `name` first, joined for a message. */
void recipe_key_nearest(char *dst, size_t bytes, const char *group, const char *name);
/* What the key takes: "a number above 0", "adam, sgd or adamw". */
void recipe_key_wanted(char *dst, size_t bytes, const recipe_key *key);

extern const recipe_key_type recipe_type_task, recipe_type_bool, recipe_type_int, recipe_type_int64, recipe_type_float,
    recipe_type_double, recipe_type_word, recipe_type_classes, recipe_type_models, recipe_type_init,
    recipe_type_normalise, recipe_type_weights;

#endif
