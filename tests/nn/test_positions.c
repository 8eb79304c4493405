/* Position embeddings over another grid are torchvision's (tests/fixtures/nn, by make_positions.py), also when a file
 * for another size begins a model; a model's own file fits exactly or not at all. */
#include "testing.h"

#include "nn/param_store.h"
#include "nn/positions.h"

#include <math.h>

static st_file *open_fixture(void)
{
    st_file *f = NULL;
    assert_ok(st_open(&f, MIEN_SOURCE_DIR "/tests/fixtures/nn/positions.safetensors"));
    return f;
}

/* In f32 a place on an axis of 14 is known within 1e-6 of a step, and steps are up to 5 high. */
static void assert_same(const char *name, const float *got, const st_tensor *wanted)
{
    for (size_t i = 0; i < wanted->bytes / sizeof(float); i++)
        if (!(fabsf(got[i] - ((const float *)wanted->data)[i]) < 1e-5f))
            fail_msg("%s: element %zu is %.8g (wanted %.8g)", name, i, (double)got[i],
                     (double)((const float *)wanted->data)[i]);
}

static void positions__every_grid__is_torchvisions(void **state)
{
    (void)state;
    st_file *f = open_fixture();
    int checked = 0;
    for (size_t i = 0; i < st_count(f); i++) {
        const st_tensor *to = st_at(f, i);
        char name[16];
        snprintf(name, sizeof name, "%s", to->name);
        char *dash = strchr(name, '-');
        if (!dash)
            continue;
        *dash = 0;
        const st_tensor *from = st_find(f, name);
        assert_non_null(from);
        float *got = malloc(to->bytes);
        assert_non_null(got);
        positions_resample(got, positions_side(to->dims[1]), from->data, positions_side(from->dims[1]), to->dims[2]);
        assert_same(to->name, got, to);
        free(got);
        checked++;
    }
    assert_int_equal(checked, 9);
    st_close(f);
}

static void positions__side__is_of_a_square(void **state)
{
    (void)state;
    assert_int_equal(positions_side(197), 14);
    assert_int_equal(positions_side(2), 1);
    assert_int_equal(positions_side(1), 0);
    assert_int_equal(positions_side(0), 0);
    assert_int_equal(positions_side(196), 0);
}

/* A store of one position embedding over a grid of 4 x 4. */
static param_store *make_store(void)
{
    param_store *s = NULL;
    int at = -1;
    assert_ok(param_store_create(&s));
    assert_ok(param_store_declare(s, &at, "positions", shape_of(3, (int64_t)1, (int64_t)17, (int64_t)3),
                                  SLICE_PARAMETER, (param_init){INIT_CONSTANT, 0}));
    param_store_mark_positions(s, at);
    assert_ok(param_store_alloc(s, false));
    return s;
}

static void positions__file_of_another_size__is_resampled_where_it_begins_a_model(void **state)
{
    (void)state;
    char folder[64], path[128];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/other.safetensors", folder);
    st_file *fixture = open_fixture();
    tensor_file *f = NULL;
    st_tensor t = *st_find(fixture, "14");
    t.name = "positions";
    assert_ok(st_write(path, &t, 1, NULL, 0));
    assert_ok(tensor_file_open(&f, path));
    param_store *s = make_store();
    assert_failure(param_store_load(s, f, path, NULL), MIEN_ERR_FORMAT, "(0 missing, 1 wrong, 0 extra)");
    assert_ok(param_store_load(s, f, path, (const char *const[]){"head.", NULL}));
    assert_same("14-4", param_store_memory(s)->values, st_find(fixture, "14-4"));
    tensor_file_close(f);
    t.dims[1] = 196; /* no square behind a class token */
    t.bytes -= 3 * sizeof(float);
    assert_ok(st_write(path, &t, 1, NULL, 0));
    assert_ok(tensor_file_open(&f, path));
    assert_failure(param_store_load(s, f, path, (const char *const[]){"head.", NULL}), MIEN_ERR_FORMAT,
                   "(0 missing, 1 wrong, 0 extra)");
    tensor_file_close(f);
    st_close(fixture);
    param_store_free(s);
    temp_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions__every_grid__is_torchvisions),
        cmocka_unit_test(positions__side__is_of_a_square),
        cmocka_unit_test(positions__file_of_another_size__is_resampled_where_it_begins_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
