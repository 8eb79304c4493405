/* A normal draw outside its bounds is drawn again rather than moved to the bound, where a crowd would stand. */
#include "synth/set/distribution.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_TRIES 32 /* of a normal draw; bounds so narrow that none falls inside make it a uniform one */

/* --- drawing ------------------------------------------------------------------------------------------------------ */

float distribution_next(const distribution *d, rng *r)
{
    if (d->kind == DISTRIBUTION_CONSTANT)
        return d->low;
    for (int i = 0; d->kind == DISTRIBUTION_NORMAL && i < MAX_TRIES; i++) {
        float x = d->mean + d->std * rng_normal(r);
        if (x >= d->low && x <= d->high)
            return x;
    }
    return rng_range(r, d->low, d->high);
}

bool share_next(const scene_share *s, rng *r)
{
    return rng_float(r) < s->probability;
}

float distribution_draw(const distribution *d, const rng *whose)
{
    rng r = rng_branch(whose, d->stream);
    return distribution_next(d, &r);
}

bool share_draw(const scene_share *s, const rng *whose)
{
    rng r = rng_branch(whose, s->stream);
    return share_next(s, &r);
}

static int pick(const float *weights, int count, rng *r)
{
    float total = 0;
    for (int i = 0; i < count; i++)
        total += weights[i];
    float at = rng_float(r) * total;
    int last = 0;
    for (int i = 0; i < count; i++) {
        if (weights[i] <= 0)
            continue;
        if (at < weights[i])
            return i;
        at -= weights[i];
        last = i;
    }
    return last;
}

int choice_draw(const choice *c, const rng *whose)
{
    rng r = rng_branch(whose, c->stream);
    return pick(c->weights, c->count, &r);
}

int choice_draw_among(const choice *c, const float *factors, const rng *whose)
{
    float weights[CHOICE_MAX], total = 0;
    for (int i = 0; i < c->count; i++)
        total += weights[i] = c->weights[i] * factors[i];
    rng r = rng_branch(whose, c->stream);
    return pick(total > 0 ? weights : c->weights, c->count, &r);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A key's streams are named by its name (FNV-1a), so that they do not depend on its place in the table. */
static uint32_t stream_of(const recipe_key *key)
{
    uint32_t h = 2166136261u;
    for (const char *c = key->name; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    return h ? h : 1;
}

static bool is_in_range(float x, const recipe_key *key)
{
    return (double)x >= key->range.low && (double)x <= key->range.high;
}

static bool read_float(float *out, const recipe_value *v, const recipe_key *key)
{
    return recipe_text_to_float(out, recipe_plain_text(v)) && is_in_range(*out, key);
}

static mien_status read_uniform(distribution *out, const recipe_key *key, const recipe_value *v)
{
    recipe_value low = recipe_value_at(v, 0), high = recipe_value_at(v, 1);
    out->kind = DISTRIBUTION_UNIFORM;
    if (!read_float(&out->low, &low, key))
        return recipe_fail_wanted(key, out, &low);
    if (!read_float(&out->high, &high, key))
        return recipe_fail_wanted(key, out, &high);
    if (!(out->low < out->high))
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "[%g, %g] is an empty range (wanted [low, high], low < high)",
                           (double)out->low, (double)out->high);
    return MIEN_OK;
}

static const char *const normal_names[] = {"mean", "std", "low", "high", NULL};

/* Without bounds the key's range bounds it. */
static mien_status read_normal(distribution *out, const recipe_key *key, const recipe_value *v)
{
    float values[4] = {NAN, NAN, (float)key->range.low, (float)key->range.high};
    out->kind = DISTRIBUTION_NORMAL;
    for (int i = 0; i < recipe_value_count(v); i++) {
        const char *name;
        recipe_value entry;
        TRY(recipe_value_entry(&name, &entry, v, i));
        int at = recipe_word_index(normal_names, name);
        if (at < 0)
            return recipe_fail(&entry.place, MIEN_ERR_FORMAT, "unknown key (wanted mean, std, low or high)");
        if (at == 1 ? !recipe_text_to_float(&values[at], recipe_plain_text(&entry)) || !(values[at] > 0)
                    : !read_float(&values[at], &entry, key)) {
            char found[64];
            recipe_value_found(found, &entry);
            if (at == 1)
                return recipe_fail(&entry.place, MIEN_ERR_FORMAT, "%s (wanted a number above 0)", found);
            return recipe_fail(&entry.place, MIEN_ERR_FORMAT, "%s (wanted a number from %g to %g)", found,
                               key->range.low, key->range.high);
        }
    }
    out->mean = values[0];
    out->std = values[1];
    out->low = values[2];
    out->high = values[3];
    if (isnan(out->mean) || isnan(out->std))
        return recipe_fail(&v->place, MIEN_ERR_FORMAT,
                           "%s is missing (wanted {mean, std} and, if need be, low and high)",
                           isnan(out->mean) ? "mean" : "std");
    if (!(out->low < out->high && out->mean >= out->low && out->mean <= out->high))
        return recipe_fail(&v->place, MIEN_ERR_FORMAT,
                           "mean %g, low %g, high %g (wanted low < high, mean between them)", (double)out->mean,
                           (double)out->low, (double)out->high);
    return MIEN_OK;
}

static mien_status distribution_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                                     arena *texts)
{
    (void)entry, (void)texts;
    distribution d = {.stream = stream_of(key)};
    if (recipe_value_is_mapping(v)) {
        TRY(read_normal(&d, key, v));
    } else if (recipe_value_is_list(v) && recipe_value_count(v) == 2) {
        TRY(read_uniform(&d, key, v));
    } else if (recipe_value_is_list(v) || !read_float(&d.low, v, key)) {
        return recipe_fail_wanted(key, field, v);
    } else {
        d.high = d.low;
    }
    *(distribution *)field = d;
    return MIEN_OK;
}

/* The shortest that reads back the same, 30 rather than 3e+01. */
static mien_status print_number(str *out, float x)
{
    if (x == rintf(x) && fabsf(x) < 1e6f)
        return str_printf(out, "%.0f", (double)x);
    return recipe_print_float(out, x);
}

static mien_status distribution_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    const distribution *d = field;
    if (d->kind == DISTRIBUTION_CONSTANT)
        return print_number(out, d->low);
    if (d->kind == DISTRIBUTION_UNIFORM) {
        TRY(str_append(out, "["));
        TRY(print_number(out, d->low));
        TRY(str_append(out, ", "));
        TRY(print_number(out, d->high));
        return str_append(out, "]");
    }
    const float values[] = {d->mean, d->std, d->low, d->high};
    for (int i = 0; i < 4; i++) {
        TRY(str_printf(out, "%s%s: ", i ? ", " : "{", normal_names[i]));
        TRY(print_number(out, values[i]));
    }
    return str_append(out, "}");
}

static void distribution_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)field;
    snprintf(dst, bytes, "number, [low, high] or {mean, std, low, high} from %.10g to %.10g", key->range.low,
             key->range.high);
}
const recipe_key_type distribution_type = {
    .name = "distribution", .read = distribution_read, .print = distribution_print, .wanted = distribution_wanted};

static mien_status share_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                              arena *texts)
{
    (void)entry, (void)texts;
    scene_share s = {.stream = stream_of(key)};
    if (!recipe_text_to_float(&s.probability, recipe_plain_text(v)) || !(s.probability >= 0 && s.probability <= 1))
        return recipe_fail_wanted(key, field, v);
    *(scene_share *)field = s;
    return MIEN_OK;
}
static mien_status share_print(const void *field, const recipe_key *key, str *out)
{
    (void)key;
    return print_number(out, ((const scene_share *)field)->probability);
}
static void share_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    (void)key, (void)field;
    snprintf(dst, bytes, "share from 0 to 1");
}
const recipe_key_type share_type = {.name = "share", .read = share_read, .print = share_print, .wanted = share_wanted};

/* Names that a mapping leaves out have weight 0. */
static mien_status choice_read(void *field, const recipe_key *key, const recipe_value *v, const char *entry,
                               arena *texts)
{
    (void)entry, (void)texts;
    choice c = {.stream = stream_of(key)};
    float total = 0;
    while (key->words[c.count])
        c.count++;
    int only = recipe_word_index(key->words, recipe_value_text(v));
    if (only >= 0)
        c.weights[only] = 1;
    else if (!recipe_value_is_mapping(v) || recipe_value_count(v) == 0)
        return recipe_fail_wanted(key, field, v);
    for (int i = 0; only < 0 && i < recipe_value_count(v); i++) {
        const char *name;
        char found[64];
        recipe_value weight;
        TRY(recipe_value_entry(&name, &weight, v, i));
        int at = recipe_word_index(key->words, name);
        if (at < 0) {
            char words[192];
            str_join_words(words, sizeof words, key->words, c.count);
            return recipe_fail(&weight.place, MIEN_ERR_FORMAT, "unknown name (wanted %s)", words);
        }
        if (!recipe_text_to_float(&c.weights[at], recipe_plain_text(&weight)) || !(c.weights[at] >= 0))
            return recipe_fail(&weight.place, MIEN_ERR_FORMAT, "%s (wanted a weight of at least 0)",
                               recipe_value_found(found, &weight));
        total += c.weights[at];
    }
    if (only < 0 && !(total > 0 && isfinite(total)))
        return recipe_fail(&v->place, MIEN_ERR_FORMAT, "weights sum to %g (wanted a finite sum above 0)",
                           (double)total);
    *(choice *)field = c;
    return MIEN_OK;
}
static mien_status choice_print(const void *field, const recipe_key *key, str *out)
{
    const choice *c = field;
    for (int i = 0; i < c->count; i++) {
        TRY(str_printf(out, "%s%s: ", i ? ", " : "{", key->words[i]));
        TRY(print_number(out, c->weights[i]));
    }
    return str_append(out, "}");
}
static void choice_wanted(char *dst, size_t bytes, const recipe_key *key, const void *field)
{
    char words[192];
    int count = 0;
    (void)field;
    while (key->words[count])
        count++;
    str_join_words(words, sizeof words, key->words, count);
    snprintf(dst, bytes, "%s, or weights by name", words);
}
const recipe_key_type choice_type = {
    .name = "choice", .read = choice_read, .print = choice_print, .wanted = choice_wanted};
