/* Records byte for byte as TensorBoard 2.21's own writer makes them (tensorboard.summary.writer.record_writer around
 * tensorboard.compat.proto's Event); the end-to-end tests parse whole files with a reader of their own. */
#include "format/tensorboard.h"

#include "testing.h"

static void assert_bytes(const uint8_t *got, size_t length, const char *wanted)
{
    char text[512];
    assert_true(2 * length < sizeof text);
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", got[i]);
    assert_string_equal(text, wanted);
}

static void version_record__is_tensorboards(void **state)
{
    (void)state;
    uint8_t record[64];
    size_t length;
    assert_ok(tb_version_record(record, sizeof record, &length));
    assert_bytes(record, length, "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc985129");
}

static void scalar_record__is_tensorboards(void **state)
{
    (void)state;
    static const tb_scalar scalars[] = {{"lr/a", 0.001f}, {"step_loss/a", 1.5f}};
    uint8_t record[128];
    size_t length;
    assert_ok(tb_scalar_record(record, sizeof record, &length, 300, scalars, 2));
    assert_bytes(record, length,
                 "2600000000000000734fe30010ac022a210a0b0a046c722f61156f12833a0a120a0b737465705f6c6f73732f61150000c03f"
                 "999e4c56");
}

static void record__without_room__is_refused(void **state)
{
    (void)state;
    static const tb_scalar scalar = {"loss/a", 1};
    uint8_t record[64];
    size_t length = 0;
    for (size_t room = 0; room < sizeof record; room++) {
        memset(record, 0xaa, sizeof record);
        mien_status st = tb_scalar_record(record, room, &length, INT64_MAX, &scalar, 1);
        for (size_t i = room; i < sizeof record; i++)
            assert_int_equal(record[i], 0xaa); /* nothing beyond */
        if (st == MIEN_OK) {
            assert_true(length <= room && length == 16 + 10 + 2 + 2 + 8 + 5); /* 2^63 - 1 takes nine bytes */
            return;
        }
        assert_int_equal(st, MIEN_ERR_ARG);
    }
    fail_msg("64 bytes were not enough");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_record__is_tensorboards),
        cmocka_unit_test(scalar_record__is_tensorboards),
        cmocka_unit_test(record__without_room__is_refused),
    };
    return cmocka_run_group_tests_name("tensorboard", tests, NULL, NULL);
}
