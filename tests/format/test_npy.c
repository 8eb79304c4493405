/* Headers as NumPy writes them are read, headers that lie are refused, and what we write reads back. */
#include "format/npy.h"

#include "no_memory.h"
#include "testing.h"

#include <limits.h>

/* A file of one header and `data` zero bytes behind it. */
static size_t build(uint8_t *dst, int major, const char *header, size_t data)
{
    size_t length = strlen(header), at = 0;
    memcpy(dst, "\x93NUMPY", 6);
    dst[6] = (uint8_t)major;
    dst[7] = 0;
    for (at = 8; at < (major == 1 ? 10u : 12u); at++)
        dst[at] = (uint8_t)(length >> 8 * (at - 8));
    memcpy(dst + at, header, length);
    memset(dst + at + length, 0, data);
    return at + length + data;
}

static void assert_shape(int major, const char *header, size_t data, int rank, int64_t first, int64_t last)
{
    uint8_t bytes[1024];
    npy_array a;
    assert_ok(npy_read_bytes(&a, bytes, build(bytes, major, header, data), "t.npy"));
    assert_int_equal(a.rank, rank);
    assert_true(rank == 0 || (a.dims[0] == first && a.dims[rank - 1] == last));
    npy_free(&a);
    assert_null(a.values);
}

static void npy_read__as_numpy_writes_it(void **state)
{
    (void)state;
    assert_shape(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n", 24, 2, 2, 3);
    assert_shape(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, 2, 2, 3);
    assert_shape(3, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, 2, 2, 3);
    assert_shape(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3, 1), }\n", 48, 3, 2, 1);
    assert_shape(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (5,), }\n", 20, 1, 5, 5);
    assert_shape(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", 4, 0, 0, 0);
    assert_shape(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 6), }\n", 0, 2, 0, 6);
    /* other writers */
    assert_shape(1, "{\"shape\":(1,2,),\"descr\":\"<f4\",\"fortran_order\":False}", 8, 2, 1, 2);
}

static void assert_refused_bytes(const uint8_t *bytes, size_t length, mien_status status, const char *message)
{
    npy_array a = {.rank = 77};
    uint8_t *exact = malloc(length ? length : 1); /* so that ASan sees a byte too far */
    assert_non_null(exact);
    memcpy(exact, bytes, length);
    assert_failure(npy_read_bytes(&a, exact, length, "t.npy"), status, message);
    free(exact);
    assert_int_equal(a.rank, 77);
    assert_ptr_equal(strstr(mien_error(), "t.npy: "), mien_error());
}

static void assert_refused(const char *header, size_t data, const char *message)
{
    uint8_t bytes[1024];
    assert_refused_bytes(bytes, build(bytes, 1, header, data), MIEN_ERR_FORMAT, message);
}

static void npy_read__headers_that_lie__are_refused(void **state)
{
    (void)state;
    assert_refused("", 0, "byte 10: header: \"\" (wanted {)");
    assert_refused("[]", 0, "(wanted {)");
    assert_refused("{}", 0, "header: no 'descr'");
    assert_refused("{'descr': '<f4', 'fortran_order': False}", 0, "header: no 'shape'");
    assert_refused("{'descr': '<f4', 'descr': '<f4'}", 0, "byte 27: header: \"'descr': '<f4'}\" (wanted 'descr', ");
    assert_refused("{'descr': '<f4', 'order': 3}", 0, "\"'order': 3}\" (wanted 'descr'");
    assert_refused("{'descr': '>f4'", 0, "(wanted '<f4' or '<f8')");
    assert_refused("{'descr': '<i4'", 0, "(wanted '<f4' or '<f8')");
    assert_refused("{'descr': [('a', '<f4')]", 0, "(wanted '<f4' or '<f8')");
    assert_refused("{'descr' '<f4'}", 0, "(wanted :)");
    assert_refused("{'descr': '<f4' 'shape': ()}", 0, "(wanted , or })");
    assert_refused("{'fortran_order': True, 'descr': '<f4', 'shape': (1,)}", 4, "(wanted False");
    assert_refused("{'shape': 3}", 0, "(wanted a shape in brackets)");
    assert_refused("{'shape': (3)}", 0, "(wanted a comma");
    assert_refused("{'shape': (3 4)}", 0, "(wanted a comma or a bracket)");
    assert_refused("{'shape': (-3, 4)}", 0, "(wanted a length)");
    assert_refused("{'shape': (3, ", 0, "(wanted a length)");
    assert_refused("{'shape': (3,, 4)}", 0, "(wanted a length)");
    assert_refused("{'shape': (9223372036854775808, 1)}", 0, "(wanted a length of at most");
    assert_refused("{'shape': (1,1,1,1,1,1,1,1,1)}", 0, "(wanted at most 8 dimensions)");
    assert_refused("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } x", 4, "(wanted nothing after the })");
}

#define HEADER(shape) "{'descr': '<f4', 'fortran_order': False, 'shape': " shape ", }\n"
static void npy_read__sizes_that_do_not_fit__are_refused(void **state)
{
    (void)state;
    assert_refused(HEADER("(2, 3)"), 20, "20 bytes of numbers (wanted 2x3 of 4 bytes each)");
    assert_refused(HEADER("(2, 3)"), 25, "25 bytes of numbers");
    assert_refused(HEADER("()"), 0, "0 bytes of numbers (wanted one of 4 bytes each)");
    assert_refused(HEADER("(4294967296, 4294967296)"), 16, "(wanted 4294967296x4294967296");
    assert_refused(HEADER("(9223372036854775807, 2)"), 0, "bytes of numbers");
    assert_refused(HEADER("(4611686018427387904,)"), 0, "bytes of numbers"); /* times 4 is 2^64 */

    uint8_t bytes[256];
    size_t length = build(bytes, 1, HEADER("(2, 3)"), 24);
    for (size_t cut = 0; cut < length; cut++)
        assert_refused_bytes(bytes, cut, MIEN_ERR_FORMAT, "t.npy: ");
    bytes[9] = 0xff;
    assert_refused_bytes(bytes, length, MIEN_ERR_FORMAT, "byte 8: header of 65");
    length = build(bytes, 2, HEADER("(2, 3)"), 24);
    memset(bytes + 8, 0xff, 4);
    assert_refused_bytes(bytes, length, MIEN_ERR_FORMAT, "byte 8: header of 4294967295 bytes in a file of ");
    bytes[6] = 4;
    assert_refused_bytes(bytes, length, MIEN_ERR_UNSUPPORTED, "version 4.0 (wanted 1.0, 2.0 or 3.0)");
    assert_refused_bytes((const uint8_t *)"PK\3\4 no array", 13, MIEN_ERR_FORMAT, "not a NumPy array");
    npy_array a;
    assert_failure(npy_read(&a, "/nowhere/a.npy"), MIEN_ERR_IO, "/nowhere/a.npy");
}

static mien_status write_and_read(void *path)
{
    static const float values[] = {0, -1.5f, 3e-39f, 1, 2, 0x1.fffffep127f};
    file_writer *w;
    npy_array a = {0};
    TRY(file_write_open(&w, path));
    mien_status st = npy_write_header(w, (const int64_t[]){3, 2}, 2);
    if (st == MIEN_OK)
        st = file_write_bytes(w, values, sizeof values);
    if (st != MIEN_OK) {
        file_write_abort(w);
        return st;
    }
    TRY(file_write_commit(w));
    TRY(npy_read(&a, path));
    assert_true(a.rank == 2 && a.dims[0] == 3 && a.dims[1] == 2 && a.count == 6);
    assert_memory_equal(a.values, values, sizeof values);
    npy_free(&a);
    return MIEN_OK;
}

static void npy_write__is_read_back_whatever_memory_does(void **state)
{
    (void)state;
    char folder[PATH_MAX / 2], path[PATH_MAX];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    fail_each_allocation(write_and_read, path);
    char *bytes;
    size_t length;
    static const char wanted[] = "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
    assert_ok(file_read(&bytes, &length, path, 0));
    assert_int_equal(length, 128 + 24);
    assert_memory_equal(bytes, wanted, sizeof wanted - 1);
    assert_int_equal(bytes[127], '\n');
    mem_free(bytes);
    temp_folder_remove(folder);
}

static void npy_write__shapes_of_any_rank(void **state)
{
    (void)state;
    char folder[PATH_MAX / 2], path[PATH_MAX];
    static const int64_t dims[] = {1, 4, 1, 1, 1, 1, 1, 1};
    static const float values[4] = {0};
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/a.npy", folder);
    for (int rank = 0; rank <= NPY_MAX_RANK; rank++) {
        file_writer *w;
        npy_array a;
        assert_ok(file_write_open(&w, path));
        assert_ok(npy_write_header(w, dims, rank));
        assert_ok(file_write_bytes(w, values, (rank < 2 ? 1 : 4) * sizeof values[0]));
        assert_ok(file_write_commit(w));
        assert_ok(npy_read(&a, path));
        assert_int_equal(a.rank, rank);
        npy_free(&a);
    }
    temp_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_read__as_numpy_writes_it),
        cmocka_unit_test(npy_read__headers_that_lie__are_refused),
        cmocka_unit_test(npy_read__sizes_that_do_not_fit__are_refused),
        cmocka_unit_test(npy_write__is_read_back_whatever_memory_does),
        cmocka_unit_test(npy_write__shapes_of_any_rank),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
