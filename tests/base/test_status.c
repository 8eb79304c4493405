/* A message is the failing thread's own, one line, and the last one; prefixes go before it whatever it holds. */
#include "base/status.h"
#include "base/thread.h"
#include "testing.h"

static void status__message__is_the_last(void **state)
{
    (void)state;
    assert_int_equal(mien_fail(MIEN_ERR_FORMAT, "%s: line %d: bad", "a.csv", 3), MIEN_ERR_FORMAT);
    assert_string_equal(mien_error(), "a.csv: line 3: bad");
    assert_int_equal(mien_fail(MIEN_ERR_IO, "other"), MIEN_ERR_IO);
    assert_string_equal(mien_error(), "other");
}

static void status__prefix__goes_in_front(void **state)
{
    (void)state;
    mien_status st = mien_fail(MIEN_ERR_FORMAT, "vit.safetensors: byte 8: bad");
    assert_int_equal(mien_fail_in(st, "ensemble member %d", 2), MIEN_ERR_FORMAT);
    assert_string_equal(mien_error(), "ensemble member 2: vit.safetensors: byte 8: bad");
    assert_int_equal(mien_fail_in(MIEN_OK, "nothing happened"), MIEN_OK);
    assert_string_equal(mien_error(), "ensemble member 2: vit.safetensors: byte 8: bad");
}

static void status__own_text_as_argument__is_safe(void **state)
{
    (void)state;
    mien_status st = mien_fail(MIEN_ERR_IO, "inner");
    st = mien_fail(st, "outer(%s)", mien_error());
    assert_string_equal(mien_error(), "outer(inner)");
}

static void status__control_characters__stay_one_line(void **state)
{
    (void)state;
    mien_status st = mien_fail(MIEN_ERR_IO, "a\nb\x1b[31mc\x7f: missing");
    assert_failure(st, MIEN_ERR_IO, "a?b?[31mc?: missing");
}

static void status__long_message__keeps_both_ends(void **state)
{
    (void)state;
    char name[8000];
    for (size_t i = 0; i + 2 < sizeof(name); i += 2)
        memcpy(name + i, "\xC3\xA9", 2);
    name[sizeof(name) - 2] = '\0';
    for (int shift = 0; shift < 2; shift++) {
        assert_int_equal(mien_fail(MIEN_ERR_IO, "%s%s: the reason", shift ? "x" : "", name), MIEN_ERR_IO);
        const char *text = mien_error(), *dots = strstr(text, "...");
        size_t length = strlen(text);
        assert_in_range(length, 2000, 2047);
        assert_non_null(dots);
        assert_int_equal((unsigned char)dots[-1], 0xA9); /* whole characters stand around the dots */
        assert_int_equal((unsigned char)dots[3], 0xC3);
        assert_string_equal(text + length - strlen(": the reason"), ": the reason");
        assert_int_equal(mien_fail_in(MIEN_ERR_IO, "in %.1000s", name), MIEN_ERR_IO);
        assert_true(strlen(mien_error()) < 2048);
        assert_non_null(strstr(mien_error(), ": the reason"));
    }
}

static mien_status fail_with_index(void *context, int index)
{
    (void)context;
    return mien_fail(MIEN_ERR_DEVICE, "thread %d", index);
}

static void status__other_thread__has_its_own_text(void **state)
{
    (void)state;
    mien_status st = mien_fail(MIEN_ERR_ARG, "mine");
    thread_group *group;
    assert_ok(thread_group_start(&group, 1, fail_with_index, NULL));
    assert_failure(st, MIEN_ERR_ARG, "mine");
    assert_failure(thread_group_join(group), MIEN_ERR_DEVICE, "thread 0");
}

static void status__save_and_load__carry_the_text(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(mien_fail(MIEN_ERR_ARG, "short"), MIEN_ERR_ARG);
    status_text_save(text, sizeof(text));
    assert_string_equal(text, "short");
    assert_int_equal(mien_fail(MIEN_ERR_ARG, "longer than sixteen bytes"), MIEN_ERR_ARG);
    status_text_load(text);
    assert_string_equal(mien_error(), "short");
    assert_int_equal(mien_fail(MIEN_ERR_ARG, "longer than sixteen bytes"), MIEN_ERR_ARG);
    status_text_save(text, sizeof(text));
    assert_string_equal(text, "longer... bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status__message__is_the_last),
        cmocka_unit_test(status__prefix__goes_in_front),
        cmocka_unit_test(status__own_text_as_argument__is_safe),
        cmocka_unit_test(status__control_characters__stay_one_line),
        cmocka_unit_test(status__long_message__keeps_both_ends),
        cmocka_unit_test(status__other_thread__has_its_own_text),
        cmocka_unit_test(status__save_and_load__carry_the_text),
    };
    return cmocka_run_group_tests_name("base/status", tests, NULL, NULL);
}
