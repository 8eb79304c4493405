/* JSON as we print it is fixed to the byte, and every fault of a document is told with file, line and key. */
#include "base/json.h"
#include "no_memory.h"
#include "testing.h"

#include <math.h>

static json_t *parse(const char *text)
{
    json_t *value;
    assert_ok(json_parse(&value, text, strlen(text), "test"));
    return value;
}

static void json_print__order_and_digits__are_fixed(void **state)
{
    (void)state;
    json_t *value = parse("{ \"z\": 1, \"a\": [0.1, 2.0, 1e-7, 0.333333333333], \"m\": {\"k\": \"\\u00e9\\n\"} }");
    char *text;
    assert_ok(json_print(&text, value));
    assert_string_equal(text, "{\"z\":1,\"a\":[0.1,2.0,1e-7,0.333333333],\"m\":{\"k\":\"\xC3\xA9\\n\"}}");
    mem_free(text);
    json_decref(value);
    value = json_string("alone");
    assert_ok(json_print(&text, value));
    assert_string_equal(text, "\"alone\"");
    mem_free(text);
    json_decref(value);
}

static void json_parse__bad_text__names_the_place(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "{",           "{\"a\":1,}", "{\"a\":1,\"a\":2}",
                                      "[1 2]",      "{\"a\":NaN}", "nope",       "[\"\\ud800\"]",
                                      "[\"\xFF\"]", "{\"a\":1} x", "[1e999]"};
    json_t *value = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_failure(json_parse(&value, bad[i], strlen(bad[i]), "a.json: metadata"), MIEN_ERR_FORMAT,
                       "a.json: metadata: line 1, column ");
    assert_failure(json_parse(&value, "{\n\n  oops", 9, "a.json"), MIEN_ERR_FORMAT, "a.json: line 3, column ");
    char *long_text = malloc(JSON_MAX_BYTES + 1);
    assert_non_null(long_text);
    memset(long_text, '[', JSON_MAX_BYTES + 1);
    assert_failure(json_parse(&value, long_text, JSON_MAX_BYTES + 1, "a.json"), MIEN_ERR_FORMAT,
                   "a.json: JSON of 4194305 bytes (wanted at most 4194304)");
    free(long_text);
    assert_null(value);
    static char deep[100000];
    memset(deep, '[', sizeof(deep));
    assert_failure(json_parse(&value, deep, sizeof(deep), "deep"), MIEN_ERR_FORMAT, "depth");
}

static void json_get__types__are_checked(void **state)
{
    (void)state;
    json_t *object = parse("{\"s\":\"text\",\"i\":-5,\"r\":2.5,\"a\":[1],\"n\":null}"), *array;
    const char *text;
    int64_t whole;
    double number;
    assert_ok(json_get_string(&text, object, "s", "w"));
    assert_string_equal(text, "text");
    assert_ok(json_get_int(&whole, object, "i", "w"));
    assert_int_equal(whole, -5);
    assert_ok(json_get_number(&number, object, "i", "w"));
    assert_true(number == -5);
    assert_ok(json_get_number(&number, object, "r", "w"));
    assert_true(number == 2.5);
    assert_ok(json_get_array(&array, object, "a", "w"));
    assert_int_equal(json_array_size(array), 1);
    assert_failure(json_get_string(&text, object, "i", "file"), MIEN_ERR_FORMAT, "file: i: not a string");
    assert_failure(json_get_int(&whole, object, "r", "file"), MIEN_ERR_FORMAT, "file: r: not an integer");
    assert_failure(json_get_number(&number, object, "n", "file"), MIEN_ERR_FORMAT, "file: n: not a number");
    assert_failure(json_get_array(&array, object, "s", "file"), MIEN_ERR_FORMAT, "file: s: not an array");
    assert_failure(json_get_int(&whole, object, "gone", "file"), MIEN_ERR_FORMAT, "file: gone: missing");
    assert_failure(json_get_int(&whole, array, "k", "file"), MIEN_ERR_FORMAT, "file: not an object");
    json_decref(object);
}

static void json_check__null__is_no_memory(void **state)
{
    (void)state;
    json_t *value = json_integer(1);
    assert_ok(json_check(value));
    json_decref(value);
    assert_failure(json_check(NULL), MIEN_ERR_NOMEM, "out of memory");
}

static mien_status print_it(void *value)
{
    char *text;
    TRY(json_print(&text, value));
    mem_free(text);
    return MIEN_OK;
}

static void json_print__no_memory__is_told(void **state)
{
    (void)state;
    json_t *value = json_array();
    for (int i = 0; i < 300; i++)
        json_array_append_new(value, json_real(i + 0.5));
    fail_each_allocation(print_it, value);
    json_decref(value);
    value = json_object(); /* nearly all keys: jansson itself does not look whether one was printed */
    for (int i = 0; i < 30; i++) {
        char key[64];
        snprintf(key, sizeof key, "%060d", i);
        json_object_set_new(value, key, json_integer(1));
    }
    fail_each_allocation(print_it, value);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_print__order_and_digits__are_fixed),
        cmocka_unit_test(json_parse__bad_text__names_the_place),
        cmocka_unit_test(json_get__types__are_checked),
        cmocka_unit_test(json_check__null__is_no_memory),
        cmocka_unit_test(json_print__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
