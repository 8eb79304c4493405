/* Can a stranger name what drawn faces show? A page asks, a second page answers. */
#include "base/str.h"
#include "synth/set/sheet.h"
#include "synth/set/sheet_page.h"

#include <stdio.h>
#include <string.h>

#define ROWS 4
#define COLUMNS 6

/* The task's faces in an order that gives nothing away, each of another person. */
static mien_status draw_page(sheet_page *p, const uint32_t order[ROWS * COLUMNS], bool has_answers)
{
    synth_options o = *p->options;
    o.crowd = o.clip = 0;
    o.identities = INT32_MAX; /* the numbers of faces and people are apart */
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        sheet_cell c = {.identity = o.first_identity + i};
        synth_face face;
        page_set_person(p, c.identity);
        synth_face_draw(&face, &o, p->h, &p->who, order[i]);
        c.expression = face.expression;
        c.how = face.shot;
        if (has_answers)
            snprintf(c.caption, sizeof c.caption, "%d %s %.1f", i + 1, expression_names[face.expression.expression],
                     (double)face.expression.intensity);
        else
            snprintf(c.caption, sizeof c.caption, "%d", i + 1);
        TRY(page_draw(p, &c, i / COLUMNS, i % COLUMNS));
    }
    return MIEN_OK;
}

mien_status quiz_write(const synth_options *options, const head *h)
{
    mien_status st;
    sheet_page page;
    str answers = {0};
    uint32_t order[ROWS * COLUMNS];
    const int size = options->size > SYNTH_SHEET_CELL ? options->size : SYNTH_SHEET_CELL;
    rng r = synth_stream(options, SYNTH_SHEET_EPOCH, ROWS * COLUMNS);
    rng_shuffle(&r, order, ROWS * COLUMNS);
    TRY(page_open(&page, options, h, size, ROWS, COLUMNS));
    const size_t stem = strlen(options->quiz) - (str_ends(options->quiz, ".png") ? 4 : 0);
    TRY_OUT(str_append_bytes(&answers, options->quiz, stem));
    TRY_OUT(str_append(&answers, "-answers.png"));
    TRY_OUT(draw_page(&page, order, false));
    TRY_OUT(image_write_png(options->quiz, &page.page));
    TRY_OUT(draw_page(&page, order, true));
    TRY_OUT(image_write_png(answers.text, &page.page));
out:
    str_free(&answers);
    page_close(&page);
    return st;
}
