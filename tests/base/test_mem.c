/* Blocks and arenas: aligned, zeroed, bounded, and failing when told to, which all other tests of failure stand on. */
#include "base/arena.h"
#include "base/mem.h"
#include "no_memory.h"
#include "testing.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

static void mem__blocks__are_aligned_and_zeroed(void **state)
{
    (void)state;
    for (size_t count = 0; count < 200; count += 7) {
        float *plain;
        double *zeroed;
        assert_ok(mem_alloc(&plain, count));
        assert_ok(mem_zalloc(&zeroed, count));
        assert_int_equal((uintptr_t)plain % 64, 0);
        assert_int_equal((uintptr_t)zeroed % 64, 0);
        for (size_t i = 0; i < count; i++)
            assert_true(zeroed[i] == 0.0);
        memset(plain, 1, count * sizeof(*plain)); /* ASan checks that all of it is ours */
        mem_free(plain);
        mem_free(zeroed);
    }
    mem_free(NULL);
}

static void mem__too_large__fails_and_leaves_out_alone(void **state)
{
    (void)state;
    int mark;
    int *p = &mark;
    assert_failure(mem_alloc(&p, SIZE_MAX / 2), MIEN_ERR_NOMEM, "out of memory");
    assert_failure(mem_alloc(&p, SIZE_MAX / 4 - 1), MIEN_ERR_NOMEM, "out of memory");
    assert_failure(mem_zalloc_bytes((void **)&p, SIZE_MAX, SIZE_MAX), MIEN_ERR_NOMEM, "out of memory");
    assert_ptr_equal(p, &mark);
}

static void mem__resize__keeps_what_fits(void **state)
{
    (void)state;
    uint8_t *block;
    assert_ok(mem_alloc(&block, 10));
    for (uint8_t i = 0; i < 10; i++)
        block[i] = i;
    assert_ok(mem_resize_bytes((void **)&block, 10, 1000));
    for (uint8_t i = 0; i < 10; i++)
        assert_int_equal(block[i], i);
    assert_ok(mem_resize_bytes((void **)&block, 1000, 4));
    assert_int_equal(block[3], 3);
    mem_fail_after(1);
    uint8_t *before = block;
    assert_int_equal(mem_resize_bytes((void **)&block, 4, 100), MIEN_ERR_NOMEM);
    assert_ptr_equal(block, before);
    assert_int_equal(block[3], 3);
    mem_free(block);
    void *fresh = NULL;
    assert_ok(mem_resize_bytes(&fresh, 0, 16));
    mem_free(fresh);
}

static void mem__fail_after__fails_the_nth_once(void **state)
{
    (void)state;
    char *p[4] = {NULL};
    mem_fail_after(3);
    int64_t before = mem_count();
    assert_ok(mem_alloc(&p[0], 1));
    assert_ok(mem_strdup(&p[1], "text"));
    assert_failure(mem_alloc(&p[2], 77), MIEN_ERR_NOMEM, "77 bytes");
    assert_ok(mem_alloc(&p[3], 1));
    assert_int_equal(mem_count() - before, 4);
    assert_string_equal(p[1], "text");
    assert_null(p[2]);
    mem_fail_after(-1);
    for (int i = 0; i < 4; i++)
        mem_free(p[i]);
}

static void arena__pieces__are_apart_aligned_and_zeroed(void **state)
{
    (void)state;
    arena *a;
    unsigned char *piece[300];
    assert_ok(arena_create(&a, 1024)); /* small blocks, so that many are made and some pieces need one of their own */
    for (int round = 0; round < 3; round++) {
        size_t total = 0;
        for (size_t i = 0; i < 300; i++) {
            size_t bytes = i * 37 % 3000;
            assert_ok(arena_alloc(a, &piece[i], bytes));
            assert_int_equal((uintptr_t)piece[i] % 16, 0);
            for (size_t j = 0; j < bytes; j++)
                assert_int_equal(piece[i][j], 0);
            memset(piece[i], (int)i, bytes);
            total += bytes;
        }
        assert_int_equal(arena_bytes(a), total);
        for (size_t i = 0; i < 300; i++)
            for (size_t j = 0; j < i * 37 % 3000; j++)
                assert_int_equal(piece[i][j], i & 0xFF);
        arena_reset(a);
        assert_int_equal(arena_bytes(a), 0);
    }
    arena_free(a);
    arena_free(NULL);
}

static void arena__reset__allocates_no_more(void **state)
{
    (void)state;
    arena *a;
    char *piece;
    assert_ok(arena_create(&a, 0));
    for (int i = 0; i < 100; i++)
        assert_ok(arena_alloc(a, &piece, 5000));
    int64_t before = mem_count();
    for (int round = 0; round < 5; round++) {
        arena_reset(a);
        for (int i = 0; i < 100; i++)
            assert_ok(arena_alloc(a, &piece, 5000));
    }
    assert_int_equal(mem_count(), before);
    arena_free(a);
}

static void arena__what_is_not_handed_out__is_poisoned(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    arena *a;
    char *first, *second;
    assert_ok(arena_create(&a, 0));
    assert_ok(arena_alloc(a, &first, 21));
    assert_ok(arena_alloc(a, &second, 8));
    assert_false(__asan_address_is_poisoned(first + 20));
    assert_true(__asan_address_is_poisoned(first + 21)); /* the neighbour cannot be reached by overrunning */
    assert_true(__asan_address_is_poisoned(second + 8));
    arena_reset(a);
    assert_true(__asan_address_is_poisoned(first));
    assert_ok(arena_alloc(a, &second, 8));
    assert_ptr_equal(first, second);
    assert_false(__asan_address_is_poisoned(first));
    arena_free(a);
#else
    print_message("skipped: only AddressSanitizer knows poison\n");
    skip();
#endif
}

static void arena__text__is_copied_and_formatted(void **state)
{
    (void)state;
    arena *a;
    char *copy, *text, name[] = "layer";
    assert_ok(arena_create(&a, 0));
    assert_ok(arena_strdup(a, &copy, name));
    name[0] = 'x';
    assert_string_equal(copy, "layer");
    assert_ok(arena_printf(a, &text, "%s.%d.%s", copy, 12, "weight"));
    assert_string_equal(text, "layer.12.weight");
    arena_free(a);
}

static void arena__overflow__fails(void **state)
{
    (void)state;
    arena *a;
    double *p = NULL;
    assert_ok(arena_create(&a, 0));
    assert_failure(arena_alloc(a, &p, SIZE_MAX / 8 + 1), MIEN_ERR_NOMEM, "out of memory");
    assert_failure(arena_alloc(a, &p, SIZE_MAX / 8), MIEN_ERR_NOMEM, "out of memory");
    assert_failure(arena_alloc(a, &p, SIZE_MAX / 16), MIEN_ERR_NOMEM, "out of memory");
    assert_null(p);
    assert_ok(arena_alloc(a, &p, 3)); /* and it still works */
    arena_free(a);
}

static mien_status build_in_arena(void *context)
{
    (void)context;
    mien_status st;
    arena *a = NULL;
    char *text;
    TRY_OUT(arena_create(&a, 256));
    for (int i = 0; i < 50; i++) {
        TRY_OUT(arena_printf(a, &text, "piece %d of %d", i, 50));
        TRY_OUT(arena_alloc(a, &text, i * 20));
    }
out:
    arena_free(a);
    return st;
}

static void arena__no_memory__is_told(void **state)
{
    (void)state;
    fail_each_allocation(build_in_arena, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem__blocks__are_aligned_and_zeroed),
        cmocka_unit_test(mem__too_large__fails_and_leaves_out_alone),
        cmocka_unit_test(mem__resize__keeps_what_fits),
        cmocka_unit_test(mem__fail_after__fails_the_nth_once),
        cmocka_unit_test(arena__pieces__are_apart_aligned_and_zeroed),
        cmocka_unit_test(arena__reset__allocates_no_more),
        cmocka_unit_test(arena__what_is_not_handed_out__is_poisoned),
        cmocka_unit_test(arena__text__is_copied_and_formatted),
        cmocka_unit_test(arena__overflow__fails),
        cmocka_unit_test(arena__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("base/mem", tests, NULL, NULL);
}
