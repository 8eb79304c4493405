/* Names that mean a class, and one that means it where it has no class of its own. */
#include "data/label.h"

#include "testing.h"

static void label_find__contempt__is_one_of_the_others(void **state)
{
    (void)state;
    static const char *const classes[] = {"anger", "other", "contempt"};
    assert_int_equal(label_find("Contempt", classes, 2), 1);
    assert_int_equal(label_find("contempt", classes, 3), 2);
    assert_int_equal(label_find("contempt", classes, 1), -1);
    assert_int_equal(label_find("other", classes + 2, 1), -1); /* not the other way round */
    assert_int_equal(label_find("ANGRER", classes, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(label_find__contempt__is_one_of_the_others)};
    return cmocka_run_group_tests_name("label", tests, NULL, NULL);
}
