/* CSV of every dialect that we accept reads as it was meant, and all that is broken names its line. */
#include "format/csv.h"
#include "no_memory.h"
#include "testing.h"

/* The file's rows as "a|b;c|d;" with the line of each row in front: "1:a|b;" */
static void assert_rows(const char *content, const char *wanted)
{
    char got[4096] = "";
    size_t at = 0, length = strlen(content);
    char *exact;
    csv_reader r;
    bool has_row;
    assert_ok(mem_alloc(&exact, length)); /* no NUL behind it: ASan sees a reader that trusts one */
    memcpy(exact, content, length);
    csv_open_bytes(&r, exact, length, "t.csv");
    for (;;) {
        assert_ok(csv_next(&r, &has_row));
        if (!has_row)
            break;
        at += (size_t)snprintf(got + at, sizeof(got) - at, "%d:", (int)r.line);
        for (int i = 0; i < r.count; i++)
            at += (size_t)snprintf(got + at, sizeof(got) - at, "%.*s%s", (int)r.fields[i].length, r.fields[i].text,
                                   i + 1 < r.count ? "|" : ";");
    }
    assert_int_equal(r.count, 0);
    csv_close(&r);
    mem_free(exact);
    assert_string_equal(got, wanted);
}

static void csv_next__as_people_write_it(void **state)
{
    (void)state;
    assert_rows("", "");
    assert_rows("\n\n  \n\t\r\n", "");
    assert_rows("\xEF\xBB\xBF", "");
    assert_rows("path,label\na.jpg,1\n", "1:path|label;2:a.jpg|1;");
    assert_rows("\xEF\xBB\xBFpath,label\r\na.jpg, 1\r\n\r\n  \nb.jpg ,\t2", "1:path|label;2:a.jpg|1;5:b.jpg|2;");
    assert_rows("a", "1:a;");
    assert_rows("a\r", "1:a;");
    assert_rows(",", "1:|;");
    assert_rows(",\n,,", "1:|;2:||;");
    assert_rows("a,\n", "1:a|;");
    assert_rows("  two words , b c ", "1:two words|b c;");
    assert_rows("say \"hi\",5\" disk", "1:say \"hi\"|5\" disk;"); /* a quote inside plain text is a letter */
}

static void csv_next__quoted_fields(void **state)
{
    (void)state;
    assert_rows("\"a,b\",c", "1:a,b|c;");
    assert_rows("\"a\"\"b\"", "1:a\"b;");
    assert_rows("\"\"", "1:;");
    assert_rows("\"\"\"\"", "1:\";");
    assert_rows(" \" a \" , \"\" ,b", "1: a ||b;");
    assert_rows("\"a\nb\",c\nd\n", "1:a\nb|c;3:d;");
    assert_rows("\"a\"\"b\",\"\"\"c\"\"\",\"d\"\r\n\"e\"\"\",f", "1:a\"b|\"c\"|d;2:e\"|f;");
}

static void assert_refused(const char *content, size_t length, const char *message)
{
    csv_reader r;
    bool has_row = true;
    mien_status st = MIEN_OK;
    char *exact;
    assert_ok(mem_alloc(&exact, length));
    memcpy(exact, content, length);
    csv_open_bytes(&r, exact, length, "t.csv");
    while (st == MIEN_OK && has_row)
        st = csv_next(&r, &has_row);
    assert_int_equal(st, MIEN_ERR_FORMAT);
    assert_string_equal(mien_error(), message);
    csv_close(&r);
    mem_free(exact);
}

static void csv_next__bad_rows__name_their_line(void **state)
{
    (void)state;
    assert_refused("a,b\n\n\"c,d\ne,f\n", 15, "t.csv: line 3: quote never closed");
    assert_refused("a,\"\"\"", 5, "t.csv: line 1: quote never closed");
    assert_refused("a,\"", 3, "t.csv: line 1: quote never closed");
    assert_refused("a\n\"b\"c\n", 7, "t.csv: line 2: text after a closing quote");
    assert_refused("\"a\nb\" \"c\"", 9, "t.csv: line 2: text after a closing quote");
    assert_refused("a\nb\0c,d\n", 8, "t.csv: line 2: NUL byte in text");
    assert_refused("\"b\0\",d\n", 7, "t.csv: line 1: NUL byte in text");
    char commas[CSV_MAX_FIELDS];
    memset(commas, ',', sizeof(commas));
    assert_refused(commas, CSV_MAX_FIELDS, "t.csv: line 1: too many fields (wanted at most 256)");
    csv_reader r;
    bool has_row;
    csv_open_bytes(&r, commas, CSV_MAX_FIELDS - 1, "t.csv");
    assert_ok(csv_next(&r, &has_row));
    assert_int_equal(r.count, CSV_MAX_FIELDS);
    csv_close(&r);
}

/* A row is bounded, so a quote that is never closed costs neither the whole file's memory nor a pass over it. */
static void csv_next__endless_rows__are_refused(void **state)
{
    (void)state;
    enum { BYTES = CSV_MAX_ROW_BYTES + 100 };
    char *content;
    assert_ok(mem_alloc(&content, BYTES));
    memset(content, 'x', BYTES);
    assert_refused(content, BYTES, "t.csv: line 1: row too long (wanted at most 1048576 bytes)");
    content[0] = '"';
    for (size_t i = 20; i < BYTES; i += 20)
        content[i] = '\n';
    assert_refused(content, BYTES, "t.csv: line 1: quote never closed");
    memset(content, '"', BYTES); /* doubled quotes fill the scratch to its last byte */
    assert_refused(content, BYTES, "t.csv: line 1: row too long (wanted at most 1048576 bytes)");
    csv_reader r;
    bool has_row;
    csv_open_bytes(&r, content, CSV_MAX_ROW_BYTES, "t.csv");
    assert_ok(csv_next(&r, &has_row));
    assert_int_equal(r.fields[0].length, CSV_MAX_ROW_BYTES / 2 - 1);
    csv_close(&r);
    mem_free(content);
}

static void csv_open__files(void **state)
{
    (void)state;
    char folder[1024], path[1100];
    csv_reader r;
    bool has_row;
    temp_folder_make(folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/t.csv", folder);
    assert_failure(csv_open(&r, path), MIEN_ERR_IO, "t.csv: cannot open: No such file");
    assert_failure(csv_open(&r, folder), MIEN_ERR_IO, "is a folder");
    assert_ok(file_write_all(path, "", 0));
    assert_ok(csv_open(&r, path));
    assert_ok(csv_next(&r, &has_row));
    assert_false(has_row);
    csv_close(&r);
    assert_ok(file_write_all(path, "a,b", 3));
    assert_ok(csv_open(&r, path));
    assert_ok(csv_next(&r, &has_row));
    assert_true(has_row && r.count == 2);
    csv_close(&r);
    csv_close(&r);
    temp_folder_remove(folder);
}

static void csv_field__compares_and_copies(void **state)
{
    (void)state;
    char text[5];
    csv_field f = {"label,", 5}, none = {NULL, 0};
    assert_true(csv_field_equals(f, "label"));
    assert_false(csv_field_equals(f, "labe"));
    assert_false(csv_field_equals(f, "labels"));
    assert_true(csv_field_equals(none, ""));
    assert_false(csv_field_text(text, sizeof(text), f));
    f.length = 4;
    assert_true(csv_field_text(text, sizeof(text), f));
    assert_string_equal(text, "labe");
    assert_true(csv_field_text(text, 1, none));
    assert_string_equal(text, "");
}

static void csv_quote__whatever__reads_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"plain",
                                        "two words",
                                        " led",
                                        "trailed\t",
                                        "a,b",
                                        "say \"hi\"",
                                        "\"",
                                        "line\nbreak",
                                        "cr\rhere",
                                        "\xEF\xBB\xBFmark",
                                        "\xC3\xA9t\xC3\xA9",
                                        "r\r"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char quoted[64], row[140], back[64];
        assert_ok(csv_quote(quoted, sizeof(quoted), texts[i]));
        assert_true(strlen(quoted) + 1 <= 2 * strlen(texts[i]) + 3);
        snprintf(row, sizeof(row), "%s,%s\n", quoted, quoted);
        csv_reader r;
        bool has_row;
        csv_open_bytes(&r, row, strlen(row), "t.csv");
        assert_ok(csv_next(&r, &has_row));
        assert_int_equal(r.count, 2);
        for (int k = 0; k < 2; k++) {
            assert_true(csv_field_text(back, sizeof(back), r.fields[k]));
            assert_string_equal(back, texts[i]);
        }
        csv_close(&r);
        assert_ok(csv_quote(quoted, strlen(quoted) + 1, texts[i])); /* exactly enough */
        assert_failure(csv_quote(back, strlen(quoted), texts[i]), MIEN_ERR_ARG, "bytes of room (wanted ");
    }
    char plain[16];
    assert_ok(csv_quote(plain, sizeof(plain), "a.jpg"));
    assert_string_equal(plain, "a.jpg");
}

static mien_status read_all(void *context)
{
    csv_reader r;
    bool has_row = true;
    mien_status st = MIEN_OK;
    csv_open_bytes(&r, context, strlen(context), "t.csv");
    while (st == MIEN_OK && has_row)
        st = csv_next(&r, &has_row);
    csv_close(&r);
    return st;
}

static void csv__no_memory__is_told(void **state)
{
    (void)state;
    fail_each_allocation(read_all, "a,\"b\"\"c\"\nd,\"e\"\"f\"\n");
}

static void csv_next__plain_rows__allocate_nothing(void **state)
{
    (void)state;
    int64_t before = mem_count();
    assert_ok(read_all("a,1\n\"b,c\",2\nd,3\n"));
    assert_int_equal(mem_count(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_next__as_people_write_it),
        cmocka_unit_test(csv_next__quoted_fields),
        cmocka_unit_test(csv_next__bad_rows__name_their_line),
        cmocka_unit_test(csv_next__endless_rows__are_refused),
        cmocka_unit_test(csv_open__files),
        cmocka_unit_test(csv_field__compares_and_copies),
        cmocka_unit_test(csv_quote__whatever__reads_back),
        cmocka_unit_test(csv__no_memory__is_told),
        cmocka_unit_test(csv_next__plain_rows__allocate_nothing),
    };
    return cmocka_run_group_tests_name("format/csv", tests, NULL, NULL);
}
