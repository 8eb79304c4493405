/* Any bytes as a CSV list; the first fields of each row that is read can be quoted and read back (all of them would be
 * most of the time). */
#include "format/csv.h"

#include <stdlib.h>
#include <string.h>

enum { TRIED_FIELDS = 4, TRIED_BYTES = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_round_trip(csv_field f)
{
    size_t room = 2 * f.length + 3;
    char *text = malloc(f.length + 1), *row = malloc(room + 2);
    check(text && row && csv_field_text(text, f.length + 1, f));
    memcpy(row, "x,", 2); /* alone, an empty field would be a blank line */
    check(csv_quote(row + 2, room, text) == MIEN_OK);
    csv_reader r;
    bool has_row;
    csv_open_bytes(&r, row, strlen(row), "row");
    check(csv_next(&r, &has_row) == MIEN_OK && has_row && r.count == 2 && csv_field_equals(r.fields[1], text));
    csv_close(&r);
    free(text);
    free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    csv_reader r;
    bool has_row = true;
    csv_open_bytes(&r, data, size, "input");
    int64_t last_line = 0;
    while (has_row && csv_next(&r, &has_row) == MIEN_OK && has_row) {
        check(r.line > last_line && r.count >= 1 && r.count <= CSV_MAX_FIELDS);
        last_line = r.line;
        for (int i = 0; i < r.count && i < TRIED_FIELDS; i++)
            if (r.fields[i].length < TRIED_BYTES)
                check_round_trip(r.fields[i]);
    }
    csv_close(&r);
    return 0;
}
