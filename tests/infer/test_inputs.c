/* What a user may name as input (files, folders, lists) becomes pictures in an order that can be told beforehand. */
#include "infer/infer.h"

#include "base/file.h"
#include "base/log.h"
#include "no_memory.h"

#include <limits.h>

static char folder[PATH_MAX];

static void touch(const char *path, const char *text)
{
    char parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash) {
        *slash = '\0';
        assert_ok(file_make_folders(parent));
    }
    assert_ok(file_write_all(path, text, strlen(text)));
}

static int enter(void **state)
{
    (void)state;
    temp_folder_make(folder, sizeof folder);
    if (chdir(folder) != 0)
        return 1;
    touch("faces/10.jpg", "");
    touch("faces/2.JPG", "");
    touch("faces/more/1.png", "");
    touch("faces/notes.md", "");
    touch("faces/.hidden.jpg", "");
    touch("a, b.webp", "");
    return 0;
}
static int leave(void **state)
{
    (void)state;
    int rc = chdir("/");
    temp_folder_remove(folder);
    return rc;
}

static void assert_expands(const char *const *inputs, int count, const char *const *wanted)
{
    char **names;
    size_t found;
    assert_ok(infer_expand_inputs(&names, &found, inputs, count));
    for (size_t i = 0; i < found; i++) {
        assert_non_null(wanted[i]);
        assert_string_equal(names[i], wanted[i]);
    }
    assert_null(wanted[found]);
    file_list_free(names, found);
}

static void inputs__folder__is_descended_in_natural_order(void **state)
{
    (void)state;
    assert_expands((const char *const[]){"faces"}, 1,
                   (const char *const[]){"faces/2.JPG", "faces/10.jpg", "faces/more/1.png", NULL});
    assert_ok(file_make_folders("empty/inside"));
    char **names;
    size_t count;
    assert_failure(infer_expand_inputs(&names, &count, (const char *const[]){"empty"}, 1), MIEN_ERR_FORMAT,
                   "empty: no picture in this folder");
}

static void inputs__folder_in_itself__ends(void **state)
{
    (void)state;
    char **names;
    size_t count;
    assert_ok(file_make_folders("ring"));
    assert_int_equal(symlink("../ring", "ring/again"), 0);
    assert_failure(infer_expand_inputs(&names, &count, (const char *const[]){"ring"}, 1), MIEN_ERR_IO, "ring");
}

static void inputs__files__are_taken_as_named(void **state)
{
    (void)state;
    assert_expands((const char *const[]){"missing.jpg", "a, b.webp"}, 2,
                   (const char *const[]){"missing.jpg", "a, b.webp", NULL});
}

static void inputs__lists__are_relative_to_themselves(void **state)
{
    (void)state;
    touch("lists/a.txt", "\xEF\xBB\xBF../faces/2.JPG\r\n\n  a, b.webp \n/abs/x.jpg");
    assert_expands((const char *const[]){"lists/a.txt"}, 1,
                   (const char *const[]){"lists/../faces/2.JPG", "a, b.webp", "/abs/x.jpg", NULL});
    touch("lists/b.csv", "image,expression\n\"faces/10.jpg\",3\nmissing.jpg,1\n");
    assert_expands((const char *const[]){"lists/b.csv"}, 1,
                   (const char *const[]){"faces/10.jpg", "lists/missing.jpg", NULL});
    touch("c.csv", "faces/10.jpg\n");
    assert_expands((const char *const[]){"c.csv"}, 1, (const char *const[]){"faces/10.jpg", NULL});
}

static void inputs__bad_lists__are_told(void **state)
{
    (void)state;
    char **names;
    size_t count;
    const char *const missing[] = {"missing.csv"}, *const open[] = {"open.csv"}, *const empty[] = {"empty.txt"},
                      *const blank[] = {"blank.csv"}, *const nul[] = {"nul.txt"};
    assert_failure(infer_expand_inputs(&names, &count, missing, 1), MIEN_ERR_IO, "missing.csv");
    touch("open.csv", "image\n\"never closed\n");
    assert_failure(infer_expand_inputs(&names, &count, open, 1), MIEN_ERR_FORMAT, "open.csv: line 2");
    touch("empty.txt", "\n\n");
    assert_failure(infer_expand_inputs(&names, &count, empty, 1), MIEN_ERR_FORMAT, "empty.txt: empty");
    touch("blank.csv", "image,x\n,3\n");
    assert_failure(infer_expand_inputs(&names, &count, blank, 1), MIEN_ERR_FORMAT,
                   "blank.csv: line 2: no path in the first field");
    assert_ok(file_write_all("nul.txt", "a\0b", 3));
    assert_failure(infer_expand_inputs(&names, &count, nul, 1), MIEN_ERR_FORMAT, "nul.txt: not text");
}

static mien_status expand_all(void *context)
{
    (void)context;
    char **names = NULL;
    size_t count = 0;
    const char *const inputs[] = {"faces", "a, b.webp"};
    TRY(infer_expand_inputs(&names, &count, inputs, 2));
    file_list_free(names, count);
    return MIEN_OK;
}

static void inputs__no_memory__is_told(void **state)
{
    (void)state;
    fail_each_allocation(expand_all, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs__folder__is_descended_in_natural_order),
        cmocka_unit_test(inputs__folder_in_itself__ends),
        cmocka_unit_test(inputs__files__are_taken_as_named),
        cmocka_unit_test(inputs__lists__are_relative_to_themselves),
        cmocka_unit_test(inputs__bad_lists__are_told),
        cmocka_unit_test(inputs__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("inputs", tests, enter, leave);
}
