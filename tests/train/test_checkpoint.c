/* A checkpoint comes back to the last bit, and one damaged anywhere is refused or unchanged. */
#include "train/checkpoint.h"

#include "base/file.h"
#include "base/mem.h"
#include "testing.h"

#include <limits.h>
#include <math.h>

/* A store of a weight, a running mean and a counter. */
static param_store *make_store(void)
{
    param_store *s;
    int slice;
    assert_ok(param_store_create(&s));
    assert_ok(param_store_declare(s, &slice, "fc.weight", shape_of(2, (int64_t)3, (int64_t)5), SLICE_PARAMETER,
                                  (param_init){INIT_NORMAL, 1}));
    assert_ok(param_store_declare(s, &slice, "bn.running_mean", shape_of(1, (int64_t)7), SLICE_BUFFER,
                                  (param_init){INIT_CONSTANT, 0}));
    assert_ok(param_store_declare(s, &slice, "bn.num_batches_tracked", shape_of(0), SLICE_COUNTER,
                                  (param_init){INIT_CONSTANT, 0}));
    assert_ok(param_store_alloc(s, true));
    return s;
}

static param_store *make_used_store(void)
{
    param_store *s = make_store();
    param_store_init(s, 1);
    param_store_count_batch(s);
    param_store_count_batch(s);
    param_memory *memory = param_store_memory(s);
    for (size_t i = 0; i < param_store_trained_count(s); i++) {
        memory->state1[i] = (float)i + 0.1f;
        memory->state2[i] = 1.0f / (float)(i + 1);
    }
    return s;
}

static train_state make_state(void)
{
    return (train_state){.facts = {.recipe_hash = 0xFEDCBA9876543210u,
                                   .data_hash = 1,
                                   .precision = DTYPE_BF16,
                                   .device = "cuda",
                                   .isa = "avx2",
                                   .threads = 2,
                                   .mean = {0.1f, 0.2f, 0.3f},
                                   .std = {0.4f, 0.5f, 0.6f}},
                         .variant = VARIANT_TENSORFLOW,
                         .step = 12345678901,
                         .epoch = 3,
                         .batch = 17,
                         .loss_sum = 1.0 / 3,
                         .epoch_seconds = 2.5,
                         .best_worth = -INFINITY,
                         .best_epoch = 2,
                         .best = {{"loss", 0.1}, {"macro_f1", 0.2}, {"accuracy", 0.3}},
                         .best_count = 3,
                         .bad_epochs = 1};
}

static void checkpoint__round_trip__is_exact(void **state)
{
    (void)state;
    param_store *written = make_used_store(), *read = make_store();
    const train_state before = make_state();
    train_state after;
    int count;
    assert_ok(checkpoint_save("last.ckpt", &before, written, true));
    assert_ok(checkpoint_load("last.ckpt", &after, read, true));
    assert_true(after.facts.recipe_hash == before.facts.recipe_hash && after.facts.data_hash == 1);
    assert_int_equal(after.facts.precision, DTYPE_BF16);
    assert_string_equal(after.facts.device, "cuda");
    assert_string_equal(after.facts.isa, "avx2");
    assert_int_equal(after.facts.threads, 2);
    assert_int_equal(after.variant, VARIANT_TENSORFLOW);
    assert_memory_equal(after.facts.mean, before.facts.mean, sizeof after.facts.mean);
    assert_memory_equal(after.facts.std, before.facts.std, sizeof after.facts.std);
    assert_true(after.step == before.step && after.epoch == 3 && after.batch == 17);
    assert_true(after.loss_sum == before.loss_sum && after.epoch_seconds == 2.5);
    assert_true(after.best_worth == -INFINITY && after.best_epoch == 2 && after.bad_epochs == 1);
    assert_int_equal(after.best_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(after.best[i].name, before.best[i].name);
        assert_true(after.best[i].value == before.best[i].value);
    }
    const param_memory *a = param_store_memory(written), *b = param_store_memory(read);
    for (int i = 0; i < param_store_count(read); i++) {
        const param_slice *slice = param_store_at(read, i);
        if (slice->kind != SLICE_COUNTER)
            assert_memory_equal(a->values + slice->offset, b->values + slice->offset, slice->count * sizeof(float));
    }
    assert_memory_equal(a->state1, b->state1, param_store_trained_count(read) * sizeof(float));
    assert_memory_equal(a->state2, b->state2, param_store_trained_count(read) * sizeof(float));
    assert_int_equal(param_store_counters(read, &count)[0], 2);
    param_store_free(written);
    param_store_free(read);
}

static void checkpoint__first_step__has_no_optimizer_state(void **state)
{
    (void)state;
    param_store *store = make_used_store();
    train_state at = make_state();
    at.step = 0;
    assert_ok(checkpoint_save("first.ckpt", &at, store, true));
    assert_ok(checkpoint_load("first.ckpt", &at, store, true));
    for (size_t i = 0; i < param_store_trained_count(store); i++)
        assert_true(param_store_memory(store)->state1[i] == 0 && param_store_memory(store)->state2[i] == 0);
    param_store_free(store);
}

/* Cut anywhere, or with any one byte of its header changed, it is refused or says what it said; it never crashes. */
static void checkpoint__damage__is_told(void **state)
{
    (void)state;
    param_store *store = make_used_store();
    train_state at = make_state();
    char *bytes;
    size_t length;
    assert_ok(checkpoint_save("last.ckpt", &at, store, true));
    assert_ok(file_read(&bytes, &length, "last.ckpt", 0));
    for (size_t cut = 0; cut < length; cut += cut < 600 ? 7 : 101) {
        assert_ok(file_write_all("cut.ckpt", bytes, cut));
        assert_failure(checkpoint_load("cut.ckpt", &at, store, true), MIEN_ERR_FORMAT, "cut.ckpt");
    }
    int refused = 0;
    for (size_t i = 0; i < 700; i += 3) {
        bytes[i] ^= 0x15;
        assert_ok(file_write_all("lie.ckpt", bytes, length));
        mien_status st = checkpoint_load("lie.ckpt", &at, store, true);
        refused += st != MIEN_OK;
        if (st != MIEN_OK)
            assert_non_null(strstr(mien_error(), "lie.ckpt"));
        bytes[i] ^= 0x15;
    }
    assert_true(refused > 100);
    mem_free(bytes);
    param_store_free(store);
}

/* The file with its scores and its version as they were before they had names. */
static void rewrite(const char *path, int version, bool has_old_names)
{
    static const char *const names[][2] = {{"train.best.loss", "train.best_val_loss"},
                                           {"train.best.macro_f1", "train.best_macro_f1"},
                                           {"train.best.accuracy", "train.best_accuracy"}};
    st_file *f;
    st_tensor tensors[32];
    char *metadata, wanted[32];
    assert_ok(st_open(&f, path));
    const size_t count = st_count(f);
    assert_true(count <= 32);
    for (size_t i = 0; i < count; i++) {
        tensors[i] = *st_at(f, i);
        for (int n = 0; has_old_names && n < 3; n++)
            if (strcmp(tensors[i].name, names[n][0]) == 0)
                tensors[i].name = names[n][1];
    }
    assert_ok(mem_strdup(&metadata, st_meta(f, "mien_checkpoint")));
    char *at = strstr(metadata, "\"version\":");
    assert_non_null(at);
    at += strlen("\"version\":");
    at += *at == ' ';
    snprintf(wanted, sizeof wanted, "%d", version);
    assert_int_equal(strlen(wanted), 1);
    *at = wanted[0];
    assert_ok(st_write("rewritten.ckpt", tensors, count, &(st_metadata){"mien_checkpoint", metadata}, 1));
    mem_free(metadata);
    st_close(f);
}

static void checkpoint__of_before_scores_had_names__is_read(void **state)
{
    (void)state;
    param_store *store = make_used_store();
    const train_state written = make_state();
    assert_ok(checkpoint_save("last.ckpt", &written, store, true));
    rewrite("last.ckpt", 1, true);
    for (int changed = 0; changed < 2; changed++) { /* as it is, and once a run has been given more epochs */
        train_state read;
        if (changed)
            assert_ok(checkpoint_change_recipe("rewritten.ckpt", written.facts.recipe_hash, 5));
        assert_ok(checkpoint_load("rewritten.ckpt", &read, store, true));
        assert_true(read.facts.recipe_hash == (changed ? 5 : written.facts.recipe_hash));
        assert_int_equal(read.best_count, 3);
        for (int i = 0; i < 3; i++) {
            assert_string_equal(read.best[i].name, written.best[i].name);
            assert_true(read.best[i].value == written.best[i].value);
        }
        assert_true(read.best_worth == written.best_worth && read.step == written.step);
    }
    param_store_free(store);
}

static void checkpoint__of_a_newer_build__is_refused(void **state)
{
    (void)state;
    param_store *store = make_used_store();
    train_state at = make_state();
    assert_ok(checkpoint_save("last.ckpt", &at, store, true));
    rewrite("last.ckpt", 3, false);
    assert_failure(checkpoint_load("rewritten.ckpt", &at, NULL, true), MIEN_ERR_UNSUPPORTED,
                   "rewritten.ckpt: version 3 (wanted at most 2: it is of a newer build)");
    rewrite("last.ckpt", 0, false);
    assert_failure(checkpoint_load("rewritten.ckpt", &at, NULL, true), MIEN_ERR_UNSUPPORTED, "version 0 (wanted");
    param_store_free(store);
}

static void checkpoint__wrong_files__are_told(void **state)
{
    (void)state;
    param_store *store = make_used_store(), *other;
    train_state at = make_state();
    int slice;
    const float x[2] = {0};
    assert_failure(checkpoint_load("missing.ckpt", &at, NULL, true), MIEN_ERR_IO, "missing.ckpt");
    assert_ok(st_write("model.safetensors", &(st_tensor){"x", ST_F32, 1, {2}, x, 8}, 1, NULL, 0));
    assert_failure(checkpoint_load("model.safetensors", &at, NULL, true), MIEN_ERR_FORMAT, "not a checkpoint");

    /* of another model */
    assert_ok(checkpoint_save("last.ckpt", &at, store, true));
    assert_ok(param_store_create(&other));
    assert_ok(param_store_declare(other, &slice, "fc.weight", shape_of(2, (int64_t)4, (int64_t)5), SLICE_PARAMETER,
                                  (param_init){INIT_NORMAL, 1}));
    assert_ok(param_store_alloc(other, true));
    assert_failure(checkpoint_load("last.ckpt", &at, other, true), MIEN_ERR_FORMAT, "last.ckpt: tensor fc.weight: ");

    /* of an optimizer with one arena */
    assert_ok(checkpoint_save("sgd.ckpt", &at, store, false));
    assert_ok(checkpoint_load("sgd.ckpt", &at, store, false));
    assert_failure(checkpoint_load("sgd.ckpt", &at, store, true), MIEN_ERR_FORMAT, "tensor optimizer.state2: missing");
    param_store_free(store);
    param_store_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoint__round_trip__is_exact),
        cmocka_unit_test(checkpoint__first_step__has_no_optimizer_state),
        cmocka_unit_test(checkpoint__of_before_scores_had_names__is_read),
        cmocka_unit_test(checkpoint__of_a_newer_build__is_refused),
        cmocka_unit_test(checkpoint__damage__is_told),
        cmocka_unit_test(checkpoint__wrong_files__are_told),
    };
    return cmocka_run_group_tests_name("checkpoint", tests, temp_folder_enter, temp_folder_leave);
}
