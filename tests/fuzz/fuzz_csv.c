/* Any bytes as a CSV list; what was read of it is written again, quoted, and reads back the same. */
#include "format/csv.h"

#include <stdlib.h>
#include <string.h>

enum { TRIED_FIELDS = CSV_MAX_FIELDS - 1 }; /* one stands before them: alone, an empty field would be a blank line */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool next_row(csv_reader *r)
{
    bool has_row;
    return csv_next(r, &has_row) == MIEN_OK && has_row;
}

static int tried(const csv_reader *r)
{
    return r->count < TRIED_FIELDS ? r->count : TRIED_FIELDS;
}

/* dst = "x,FIELD,FIELD..." for each row that can be read; how many bytes. */
static size_t write_rows(char *dst, size_t room, const uint8_t *data, size_t size)
{
    csv_reader r;
    size_t at = 0;
    char *text = malloc(size + 1);
    check(text != NULL);
    csv_open_bytes(&r, data, size, "input");
    for (int64_t last_line = 0; next_row(&r); last_line = r.line) {
        check(r.line > last_line && r.count >= 1 && r.count <= CSV_MAX_FIELDS);
        dst[at++] = 'x';
        for (int i = 0; i < tried(&r); i++) {
            dst[at++] = ',';
            check(csv_field_text(text, size + 1, r.fields[i]));
            check(csv_quote(dst + at, room - at, text) == MIEN_OK);
            at += strlen(dst + at);
        }
        dst[at++] = '\n';
    }
    csv_close(&r);
    free(text);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    csv_reader r, again;
    size_t room = 8 * size + 16;
    char *written = malloc(room);
    check(written != NULL);
    csv_open_bytes(&again, written, write_rows(written, room, data, size), "written");
    csv_open_bytes(&r, data, size, "input");
    while (next_row(&r)) {
        check(next_row(&again) && again.count == tried(&r) + 1 && csv_field_equals(again.fields[0], "x"));
        for (int i = 0; i < tried(&r); i++)
            check(again.fields[i + 1].length == r.fields[i].length &&
                  memcmp(again.fields[i + 1].text, r.fields[i].text, r.fields[i].length) == 0);
    }
    check(!next_row(&again));
    csv_close(&again);
    csv_close(&r);
    free(written);
    return 0;
}
