/* A log that was interrupted anywhere goes on as if it had not been, and TensorBoard's events are those of its lines.
 */
#include "train/run_log.h"

#include "base/file.h"
#include "base/mem.h"
#include "testing.h"
#include "train/run_events.h"

#include <limits.h>

static const char whole[] = "{\"event\":\"data\",\"train\":8}\n"
                            "{\"event\":\"start\",\"member\":\"a\",\"stage\":\"stage1\"}\n"
                            "{\"event\":\"epoch\",\"member\":\"a\",\"stage\":\"stage1\",\"epoch\":1,\"step\":9}\n"
                            "{\"event\":\"done\",\"member\":\"a\",\"stage\":\"stage1\"}\n"
                            "{\"event\":\"start\",\"member\":\"b\",\"stage\":\"stage1\"}\n"
                            "{\"event\":\"step\",\"member\":\"b\",\"stage\":\"stage1\",\"epoch\":1,\"step\":2}\n"
                            "{\"event\":\"step\",\"member\":\"b\",\"stage\":\"stage1\",\"epoch\":1,\"step\":4}\n"
                            "{\"event\":\"epoch\",\"member\":\"b\",\"stage\":\"stage1\",\"epoch\":1,\"step\":4}\n"
                            "{\"event\":\"done\",\"member\":\"b\",\"stage\":\"stage1\"}\n";

/* How many lines of `text` a log opened with these marks keeps. */
static int lines_kept(const char *text, const run_log_mark *marks, int count)
{
    run_log *log;
    char *left;
    size_t length;
    int lines = 0;
    assert_ok(file_write_all("log.jsonl", text, strlen(text)));
    assert_ok(run_log_open(&log, "log.jsonl", marks, count));
    run_log_close(log);
    assert_ok(file_read(&left, &length, "log.jsonl", 0));
    assert_memory_equal(left, text, length);
    for (size_t i = 0; i < length; i++)
        lines += left[i] == '\n';
    assert_true(length == 0 || left[length - 1] == '\n');
    mem_free(left);
    return lines;
}

static void run_log__resume__cuts_what_the_checkpoint_does_not_cover(void **state)
{
    (void)state;
    run_log_mark marks[] = {{.member = "a", .stage = "stage1", .is_finished = true},
                            {.member = "b", .stage = "stage1"}};
    assert_int_equal(lines_kept(whole, marks, 2), 4); /* b had no checkpoint */
    marks[1].has_checkpoint = true;
    assert_int_equal(lines_kept(whole, marks, 2), 5);
    marks[1].step = 3;
    assert_int_equal(lines_kept(whole, marks, 2), 6);
    marks[1].step = 4; /* the epoch's last step, before its validation */
    assert_int_equal(lines_kept(whole, marks, 2), 7);
    marks[1].epochs = 1;
    assert_int_equal(lines_kept(whole, marks, 2), 8);
    marks[1].is_finished = true;
    assert_int_equal(lines_kept(whole, marks, 2), 9);
    assert_int_equal(lines_kept(whole, NULL, 0), 1);
}

/* The first of two members that were done is given more epochs: what the second one did stays. */
static void run_log__member_that_goes_on__loses_its_end_alone(void **state)
{
    (void)state;
    const run_log_mark marks[] = {{.member = "a", .stage = "stage1", .has_checkpoint = true, .step = 9, .epochs = 1},
                                  {.member = "b", .stage = "stage1", .is_finished = true}};
    static const char gone[] = "{\"event\":\"done\",\"member\":\"a\",\"stage\":\"stage1\"}\n",
                      more[] = "{\"event\":\"more\"}\n";
    const char *at = strstr(whole, gone);
    char wanted[sizeof whole + sizeof more], *left;
    snprintf(wanted, sizeof wanted, "%.*s%s%s", (int)(at - whole), whole, at + strlen(gone), more);
    run_log *log;
    assert_ok(file_write_all("log.jsonl", whole, strlen(whole)));
    assert_ok(run_log_open(&log, "log.jsonl", marks, 2));
    assert_ok(run_log_write(log, json_pack("{s:s}", "event", "more")));
    run_log_close(log);
    assert_ok(file_read(&left, NULL, "log.jsonl", 0));
    assert_string_equal(left, wanted);
    mem_free(left);
}

static void run_log__torn_line__goes(void **state)
{
    (void)state;
    const run_log_mark mark = {.member = "a", .stage = "stage1", .is_finished = true};
    assert_int_equal(lines_kept("{\"event\":\"data\"}\n{\"event\":\"sta", &mark, 1), 1);
    assert_int_equal(lines_kept("{\"event\":\"data\"}\n{\"event\":\"sta\n{\"event\":\"data\"}\n", &mark, 1), 1);
    assert_int_equal(lines_kept("{\"event\":\"data\"}\n{\"event\":\"data\"}", &mark, 1), 1);
    assert_int_equal(lines_kept("\x01\x02", &mark, 1), 0);
    assert_int_equal(lines_kept("[]\n", &mark, 1), 0);
}

static void run_log__write__appends_lines(void **state)
{
    (void)state;
    run_log *log;
    char *text;
    size_t length;
    unlink("log.jsonl");
    assert_ok(run_log_open(&log, "log.jsonl", NULL, 0));
    assert_true(run_log_is_empty(log));
    assert_ok(run_log_write(log, json_pack("{s:s, s:f}", "event", "data", "x", 0.5)));
    assert_false(run_log_is_empty(log));
    assert_ok(run_log_write(log, json_pack("{s:i}", "b", 2)));
    assert_failure(run_log_write(log, NULL), MIEN_ERR_NOMEM, "JSON");
    assert_ok(run_log_sync(log));
    run_log_close(log);
    assert_ok(file_read(&text, &length, "log.jsonl", 0));
    assert_string_equal(text, "{\"event\":\"data\",\"x\":0.5}\n{\"b\":2}\n");
    mem_free(text);
    assert_failure(run_log_open(&log, "no/log.jsonl", NULL, 0), MIEN_ERR_IO, "no/log.jsonl");
}

static void assert_same_events(const char *other)
{
    char *left, *right;
    size_t left_length, right_length;
    assert_ok(file_read(&left, &left_length, RUN_EVENTS_NAME, 0));
    assert_ok(file_read(&right, &right_length, other, 0));
    assert_int_equal(left_length, right_length);
    assert_memory_equal(left, right, left_length);
    mem_free(left);
    mem_free(right);
}

/* Numbers that nine digits do not hold: written at once or read back from the log, the events must be the same. */
static void write_steps(run_log *log, int first, int last)
{
    for (int i = first; i <= last; i++)
        assert_ok(run_log_write(log, json_pack("{s:s, s:s, s:s, s:i, s:f, s:f}", "event", "step", "member", "a",
                                               "stage", "stage1", "step", i, "loss", 1.0 / i, "lr", 0.1 / i)));
}

static void run_log__events__are_those_of_the_lines(void **state)
{
    (void)state;
    run_log *log;
    run_log_mark mark = {.member = "a", .stage = "stage1", .has_checkpoint = true, .step = 100};
    unlink("log.jsonl");
    unlink(RUN_EVENTS_NAME);
    assert_ok(run_log_open(&log, "log.jsonl", NULL, 0));
    write_steps(log, 1, 100);
    run_log_close(log);

    assert_int_equal(rename(RUN_EVENTS_NAME, "whole"), 0);
    assert_ok(run_log_open(&log, "log.jsonl", &mark, 1)); /* a run of before there were events */
    run_log_close(log);
    assert_same_events("whole");

    mark.step = 37;
    assert_ok(run_log_open(&log, "log.jsonl", &mark, 1)); /* killed, resumed further back */
    write_steps(log, 38, 100);
    run_log_close(log);
    assert_same_events("whole");

    char *bytes;
    size_t length;
    assert_ok(file_read(&bytes, &length, "whole", 0));
    assert_ok(file_write_all(RUN_EVENTS_NAME, bytes, length - 5)); /* torn */
    mark.step = 100;
    assert_ok(run_log_open(&log, "log.jsonl", &mark, 1));
    run_log_close(log);
    assert_same_events("whole");
    mem_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_log__resume__cuts_what_the_checkpoint_does_not_cover),
        cmocka_unit_test(run_log__member_that_goes_on__loses_its_end_alone),
        cmocka_unit_test(run_log__torn_line__goes),
        cmocka_unit_test(run_log__write__appends_lines),
        cmocka_unit_test(run_log__events__are_those_of_the_lines),
    };
    return cmocka_run_group_tests_name("run_log", tests, temp_folder_enter, temp_folder_leave);
}
