/* Numbers that must come back to the last bit are tensors; the rest is JSON, since people look into it. The state is
 * given out only where everything was read. */
#include "train/checkpoint.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 2 };
static const char metadata_key[] = "mien_checkpoint";

/* Numbers that must come back to the last bit are tensors, not decimals. */
static const struct {
    const char *name;
    size_t offset;
} exact[] = {
    {"train.loss_sum", offsetof(train_state, loss_sum)},
    {"train.epoch_seconds", offsetof(train_state, epoch_seconds)},
    {"train.best_score", offsetof(train_state, best_worth)},
};
enum { EXACT_COUNT = sizeof exact / sizeof exact[0], OTHER_COUNT = EXACT_COUNT + TASK_MAX_SCORES + 4 };
enum { TENSOR_NAME_BYTES = TASK_NAME_BYTES + 16 };
static const char score_prefix[] = "train.best.";

static const char *const state_names[] = {"optimizer.state1", "optimizer.state2"};

bool train_state_is_over(const train_state *state, const recipe_stage *stage)
{
    return state->epoch >= stage->epochs || (stage->patience > 0 && state->bad_epochs >= stage->patience);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static mien_status metadata_text(char **out, const train_state *s)
{
    char recipe_hash[20], data_hash[20];
    snprintf(recipe_hash, sizeof recipe_hash, "%016" PRIx64, s->facts.recipe_hash);
    snprintf(data_hash, sizeof data_hash, "%016" PRIx64, s->facts.data_hash);
    json_t *root = json_pack("{s:i, s:s, s:I, s:i, s:I, s:i, s:i, s:s, s:s, s:s, s:i, s:s, s:s}", "version", VERSION,
                             "variant", model_variant_name(s->variant), "step", (json_int_t)s->step, "epoch", s->epoch,
                             "batch", (json_int_t)s->batch, "best_epoch", s->best_epoch, "bad_epochs", s->bad_epochs,
                             "precision", dtype_name(s->facts.precision), "device", s->facts.device, "isa",
                             s->facts.isa, "threads", s->facts.threads, "recipe", recipe_hash, "data", data_hash);
    TRY(json_check(root));
    mien_status st = json_print(out, root);
    json_decref(root);
    return st;
}

static st_tensor vector(const char *name, st_dtype type, int64_t count, const void *data)
{
    return (st_tensor){name, type, 1, {count}, data, (size_t)count * st_dtype_bytes(type)};
}

/* Adds a tensor for each score; returns how many there are then. */
static size_t add_scores(st_tensor *tensors, size_t count, char names[TASK_MAX_SCORES][TENSOR_NAME_BYTES],
                         const train_state *s)
{
    for (int i = 0; i < s->best_count; i++) {
        snprintf(names[i], TENSOR_NAME_BYTES, "%s%s", score_prefix, s->best[i].name);
        tensors[count++] = vector(names[i], ST_F64, 1, &s->best[i].value);
    }
    return count;
}

mien_status checkpoint_save(const char *path, const train_state *state, param_store *params, bool has_state2)
{
    mien_status st;
    st_tensor *values = NULL, *all = NULL;
    char *text = NULL;
    size_t count = 0;
    const param_memory *memory = param_store_memory(params);
    const size_t trained = param_store_trained_count(params);
    char names[TASK_MAX_SCORES][TENSOR_NAME_BYTES];
    TRY_OUT(param_store_tensors(params, &values, &count));
    TRY_OUT(mem_alloc(&all, count + OTHER_COUNT));
    memcpy(all, values, count * sizeof *all);
    for (int i = 0; i < EXACT_COUNT; i++)
        all[count++] = vector(exact[i].name, ST_F64, 1, (const char *)state + exact[i].offset);
    count = add_scores(all, count, names, state);
    all[count++] = vector("train.mean", ST_F32, 3, state->facts.mean);
    all[count++] = vector("train.std", ST_F32, 3, state->facts.std);
    if (state->step > 0)
        all[count++] = vector(state_names[0], ST_F32, (int64_t)trained, memory->state1);
    if (state->step > 0 && has_state2)
        all[count++] = vector(state_names[1], ST_F32, (int64_t)trained, memory->state2);
    TRY_OUT(metadata_text(&text, state));
    TRY_OUT(st_write(path, all, count, &(st_metadata){metadata_key, text}, 1));
out:
    mem_free(values);
    mem_free(all);
    mem_free(text);
    return st;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static mien_status read_tensor(void *dst, const st_file *f, const char *path, const char *name, st_dtype type,
                               size_t count)
{
    const st_tensor *t = st_find(f, name);
    if (!t)
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: missing", path, name);
    if (t->dtype != type || t->bytes != count * st_dtype_bytes(type))
        return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %s: %zu bytes of %s (wanted %zu numbers of %s)", path, name,
                         t->bytes, st_dtype_name(t->dtype), count, st_dtype_name(type));
    memcpy(dst, t->data, t->bytes);
    return MIEN_OK;
}

static mien_status read_hash(uint64_t *out, const json_t *root, const char *key, const char *where)
{
    const char *text;
    int length = 0;
    TRY(json_get_string(&text, root, key, where));
    if (sscanf(text, "%16" SCNx64 "%n", out, &length) != 1 || text[length])
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: not a hash", where, key);
    return MIEN_OK;
}

static mien_status read_int(int64_t *out, const json_t *root, const char *key, int64_t most, const char *where)
{
    TRY(json_get_int(out, root, key, where));
    if (*out < 0 || *out > most)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %s: %" PRId64 " (wanted 0 to %" PRId64 ")", where, key, *out, most);
    return MIEN_OK;
}

/* Builds of the CPU alone did not say it. */
static mien_status read_device(run_facts *f, const json_t *root, const char *where)
{
    const char *text = "cpu";
    if (json_object_get(root, "device"))
        TRY(json_get_string(&text, root, "device", where));
    snprintf(f->device, sizeof f->device, "%s", text);
    return MIEN_OK;
}

static mien_status read_metadata(train_state *s, int64_t *version, const json_t *root, const char *where)
{
    const char *text;
    int64_t epoch, best_epoch, bad_epochs, threads;
    TRY(read_int(version, root, "version", INT_MAX, where));
    if (*version < 1 || *version > VERSION)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: version %" PRId64 " (wanted at most %d: it is of a newer build)",
                         where, *version, VERSION);
    TRY(model_variant_read(&s->variant, root, where));
    TRY(read_int(&s->step, root, "step", INT64_MAX, where));
    TRY(read_int(&epoch, root, "epoch", INT_MAX, where));
    TRY(read_int(&s->batch, root, "batch", INT64_MAX, where));
    TRY(read_int(&best_epoch, root, "best_epoch", epoch, where));
    TRY(read_int(&bad_epochs, root, "bad_epochs", epoch, where));
    TRY(read_int(&threads, root, "threads", INT_MAX, where));
    s->epoch = (int)epoch;
    s->best_epoch = (int)best_epoch;
    s->bad_epochs = (int)bad_epochs;
    s->facts.threads = (int)threads;
    TRY(read_hash(&s->facts.recipe_hash, root, "recipe", where));
    TRY(read_hash(&s->facts.data_hash, root, "data", where));
    TRY(read_device(&s->facts, root, where));
    TRY(json_get_string(&text, root, "isa", where));
    snprintf(s->facts.isa, sizeof s->facts.isa, "%s", text);
    TRY(json_get_string(&text, root, "precision", where));
    if (strcmp(text, dtype_name(DTYPE_F32)) != 0 && strcmp(text, dtype_name(DTYPE_BF16)) != 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: precision: %.16s (wanted f32 or bf16)", where, text);
    s->facts.precision = strcmp(text, dtype_name(DTYPE_BF16)) == 0 ? DTYPE_BF16 : DTYPE_F32;
    return MIEN_OK;
}

/* The score that a tensor holds: "loss" of "train.best.loss", or in version 1 of "train.best_val_loss"; NULL: none. */
static const char *score_name(const char *tensor, int64_t version)
{
    static const char before[] = "train.best_", validation[] = "val_";
    if (version >= 2)
        return str_starts(tensor, score_prefix) ? tensor + strlen(score_prefix) : NULL;
    if (!str_starts(tensor, before) || strcmp(tensor, exact[EXACT_COUNT - 1].name) == 0)
        return NULL;
    tensor += strlen(before);
    return str_starts(tensor, validation) ? tensor + strlen(validation) : tensor;
}

/* Scores come in the file's order. */
static mien_status read_scores(train_state *s, const st_file *f, int64_t version, const char *path)
{
    for (size_t i = 0; i < st_count(f); i++) {
        const char *tensor = st_at(f, i)->name, *name = score_name(tensor, version);
        if (!name)
            continue;
        if (s->best_count == TASK_MAX_SCORES || strlen(name) >= TASK_NAME_BYTES)
            return mien_fail(MIEN_ERR_FORMAT, "%s: tensor %.100s: one score too many, or too long a name", path,
                             tensor);
        task_score *to = &s->best[s->best_count++];
        snprintf(to->name, sizeof to->name, "%s", name);
        TRY(read_tensor(&to->value, f, path, tensor, ST_F64, 1));
    }
    return MIEN_OK;
}

static mien_status read_numbers(train_state *s, const st_file *f, const char *path)
{
    const char *text = st_meta(f, metadata_key);
    int64_t version;
    json_t *root;
    if (!text)
        return mien_fail(MIEN_ERR_FORMAT, "%s: not a checkpoint (no \"%s\" in its metadata)", path, metadata_key);
    TRY(json_parse(&root, text, strlen(text), path));
    mien_status st = read_metadata(s, &version, root, path);
    json_decref(root);
    TRY(st);
    for (int i = 0; i < EXACT_COUNT; i++)
        TRY(read_tensor((char *)s + exact[i].offset, f, path, exact[i].name, ST_F64, 1));
    TRY(read_scores(s, f, version, path));
    TRY(read_tensor(s->facts.mean, f, path, "train.mean", ST_F32, 3));
    TRY(read_tensor(s->facts.std, f, path, "train.std", ST_F32, 3));
    for (int c = 0; c < 3; c++)
        if (!isfinite(s->facts.mean[c]) || !isfinite(s->facts.std[c]) || s->facts.std[c] <= 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: mean %g, std %g of channel %d (wanted finite, std above 0)", path,
                             (double)s->facts.mean[c], (double)s->facts.std[c], c);
    return MIEN_OK;
}

static mien_status read_params(param_store *params, const st_file *f, const char *path, bool has_states,
                               bool has_state2)
{
    const param_memory *memory = param_store_memory(params);
    const size_t trained = param_store_trained_count(params);
    int counter_count;
    int64_t *counters = param_store_counters(params, &counter_count);
    for (int i = 0; i < param_store_count(params); i++) {
        const param_slice *slice = param_store_at(params, i);
        if (slice->kind == SLICE_COUNTER) {
            TRY(read_tensor(&counters[slice->offset], f, path, slice->name, ST_I64, 1));
            continue;
        }
        TRY(read_tensor(memory->values + slice->offset, f, path, slice->name, ST_F32, slice->count));
        TRY(param_check_finite(memory->values + slice->offset, slice->count, path, slice->name));
    }
    if (!has_states) {
        memset(memory->state1, 0, trained * sizeof(float));
        if (has_state2)
            memset(memory->state2, 0, trained * sizeof(float));
        return param_store_upload(params);
    }
    TRY(read_tensor(memory->state1, f, path, state_names[0], ST_F32, trained));
    if (has_state2)
        TRY(read_tensor(memory->state2, f, path, state_names[1], ST_F32, trained));
    return param_store_upload(params);
}

mien_status checkpoint_load(const char *path, train_state *state, param_store *params, bool has_state2)
{
    st_file *f;
    train_state s = {0};
    TRY(st_open(&f, path));
    mien_status st = read_numbers(&s, f, path);
    if (st == MIEN_OK && params)
        st = read_params(params, f, path, s.step > 0, has_state2);
    st_close(f);
    if (st == MIEN_OK)
        *state = s;
    return st;
}

mien_status checkpoint_change_recipe(const char *path, uint64_t from, uint64_t to)
{
    mien_status st;
    st_file *f = NULL;
    st_tensor *tensors = NULL;
    char *text = NULL, names[TASK_MAX_SCORES][TENSOR_NAME_BYTES];
    train_state s = {0};
    size_t count = 0;
    TRY(st_open(&f, path));
    TRY_OUT(read_numbers(&s, f, path));
    if (s.facts.recipe_hash != from)
        goto out;
    s.facts.recipe_hash = to;
    TRY_OUT(metadata_text(&text, &s));
    TRY_OUT(mem_alloc(&tensors, st_count(f) + TASK_MAX_SCORES));
    for (size_t i = 0; i < st_count(f); i++)
        if (!score_name(st_at(f, i)->name, 1) && !score_name(st_at(f, i)->name, VERSION))
            tensors[count++] = *st_at(f, i);
    count = add_scores(tensors, count, names, &s);
    st = st_write(path, tensors, count, &(st_metadata){metadata_key, text}, 1);
out:
    mem_free(tensors);
    mem_free(text);
    st_close(f);
    return st;
}
