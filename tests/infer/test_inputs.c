/* What a user may name as input (files, folders, lists) becomes pictures in an order that can be told beforehand. */
#include "infer/infer.h"

#include "base/file.h"
#include "base/log.h"
#include "no_memory.h"

#include <limits.h>
#include <sys/stat.h>

static char folder[PATH_MAX];
static progress silent;

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
    infer_inputs in;
    assert_ok(infer_expand_inputs(&in, inputs, count, &silent));
    for (size_t i = 0; i < in.count; i++) {
        assert_non_null(wanted[i]);
        assert_string_equal(in.names[i], wanted[i]);
        assert_string_equal(in.paths[i], wanted[i]);
    }
    assert_null(wanted[in.count]);
    infer_inputs_free(&in);
}

static void inputs__folder__is_descended_in_natural_order(void **state)
{
    (void)state;
    assert_expands((const char *const[]){"faces"}, 1,
                   (const char *const[]){"faces/2.JPG", "faces/10.jpg", "faces/more/1.png", NULL});
    assert_ok(file_make_folders("empty/inside"));
    infer_inputs in;
    assert_failure(infer_expand_inputs(&in, (const char *const[]){"empty"}, 1, &silent), MIEN_ERR_FORMAT,
                   "empty: no picture in this folder");
}

static void inputs__folder_in_itself__ends(void **state)
{
    (void)state;
    touch("ring/1.jpg", "");
    assert_int_equal(symlink("../ring", "ring/again"), 0);
    assert_expands((const char *const[]){"ring"}, 1, (const char *const[]){"ring/1.jpg", NULL});
}

/* By content, as labelled sets are read; by name too, since a broken picture is to be told. */
static void inputs__folder__holds_pictures_under_any_name(void **state)
{
    (void)state;
    touch("any/1.jfif", "");
    touch("any/2.jpe", "");
    touch("any/3", "\xff\xd8\xff");
    touch("any/4.dat", "\x89PNG\r\n\x1a\n");
    touch("any/5.txt", "no picture");
    touch("any/Thumbs.db", "\xff\xd8\xff");
    assert_int_equal(mkfifo("any/6", 0600), 0);
    assert_expands((const char *const[]){"any"}, 1,
                   (const char *const[]){"any/1.jfif", "any/2.jpe", "any/3", "any/4.dat", NULL});
}

/* The bytes as a pipe that opens as `path` [32]; answers its descriptor. */
static int make_pipe(char *path, const void *bytes, size_t count)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, count), count);
    close(ends[1]);
    snprintf(path, 32, "/dev/fd/%d", ends[0]);
    return ends[0];
}

static void inputs__pipes__are_a_picture_or_a_list(void **state)
{
    (void)state;
    char list[32], picture[32], utf16[32];
    int descriptors[] = {make_pipe(list, "faces/2.JPG\nmissing.jpg\n", 24), make_pipe(picture, "\xff\xd8\xff+", 4),
                         make_pipe(utf16,
                                   "\xff\xfe"
                                   "a\0",
                                   4)};
    infer_inputs in;
    assert_ok(infer_expand_inputs(&in, (const char *const[]){list, picture}, 2, &silent));
    assert_int_equal(in.count, 3);
    assert_string_equal(in.names[0], "faces/2.JPG");
    assert_string_equal(in.names[2], picture);
    char *bytes;
    size_t length;
    assert_ok(file_read(&bytes, &length, in.paths[2], 0));
    assert_int_equal(length, 4);
    assert_memory_equal(bytes, "\xff\xd8\xff+", 4);
    mem_free(bytes);
    infer_inputs_free(&in);
    assert_failure(infer_expand_inputs(&in, (const char *const[]){utf16}, 1, &silent), MIEN_ERR_FORMAT, "UTF-16 text");
    assert_failure(infer_expand_inputs(&in, (const char *const[]){"/dev/null"}, 1, &silent), MIEN_ERR_FORMAT,
                   "/dev/null: empty (wanted a picture, or a path a line)");
    for (int i = 0; i < 3; i++)
        close(descriptors[i]);
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
    touch("lists/c.txt", "..\\faces\\10.jpg\r\n");
    assert_expands((const char *const[]){"lists/c.txt"}, 1, (const char *const[]){"lists/../faces/10.jpg", NULL});
    touch("c.csv", "faces/10.jpg\n");
    assert_expands((const char *const[]){"c.csv"}, 1, (const char *const[]){"faces/10.jpg", NULL});
}

static void inputs__bad_lists__are_told(void **state)
{
    (void)state;
    infer_inputs in;
    const char *const missing[] = {"missing.csv"}, *const open[] = {"open.csv"}, *const empty[] = {"empty.txt"},
                      *const blank[] = {"blank.csv"}, *const nul[] = {"nul.txt"};
    assert_failure(infer_expand_inputs(&in, missing, 1, &silent), MIEN_ERR_IO, "missing.csv");
    touch("open.csv", "image\n\"never closed\n");
    assert_failure(infer_expand_inputs(&in, open, 1, &silent), MIEN_ERR_FORMAT, "open.csv: line 2");
    touch("empty.txt", "\n\n");
    assert_failure(infer_expand_inputs(&in, empty, 1, &silent), MIEN_ERR_FORMAT, "empty.txt: empty");
    touch("blank.csv", "image,x\n,3\n");
    assert_failure(infer_expand_inputs(&in, blank, 1, &silent), MIEN_ERR_FORMAT,
                   "blank.csv: line 2: no path in the first field");
    assert_ok(file_write_all("nul.txt", "a\0b", 3));
    assert_failure(infer_expand_inputs(&in, nul, 1, &silent), MIEN_ERR_FORMAT, "nul.txt: not text");
}

static mien_status expand_all(void *context)
{
    (void)context;
    infer_inputs in;
    const char *const inputs[] = {"faces", "a, b.webp"};
    TRY(infer_expand_inputs(&in, inputs, 2, &silent));
    infer_inputs_free(&in);
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
        cmocka_unit_test(inputs__folder__holds_pictures_under_any_name),
        cmocka_unit_test(inputs__pipes__are_a_picture_or_a_list),
        cmocka_unit_test(inputs__files__are_taken_as_named),
        cmocka_unit_test(inputs__lists__are_relative_to_themselves),
        cmocka_unit_test(inputs__bad_lists__are_told),
        cmocka_unit_test(inputs__no_memory__is_told),
    };
    return cmocka_run_group_tests_name("inputs", tests, enter, leave);
}
