/* A page of cells under construction. Private to the files that make pages. */
#ifndef SYNTH_SHEET_PAGE_H
#define SYNTH_SHEET_PAGE_H

#include "synth/draw/caption.h"
#include "synth/draw/post.h"
#include "synth/draw/render.h"
#include "synth/set/plan.h"

/* One face on a page, and what is written below it. */
typedef struct {
    int64_t identity;
    face_expression expression;
    shot how;
    char caption[32]; /* a..z, 0..9, dot and dash */
    bool has_marks;   /* landmarks, boxes and gaze are drawn over it */
} sheet_cell;

typedef struct {
    const synth_options *options;
    const head *h;
    int size; /* pixels of a cell */
    person who;
    int64_t identity; /* whom the renderer and `who` are set to; -1 nobody */
    float *weights;
    renderer *renderer;
    post_room *post;
    image page, picture;
    caption letters;
} sheet_page;

MIEN_MUST_USE mien_status page_open(sheet_page *p, const synth_options *options, const head *h, int size, int rows,
                                    int columns);
void page_close(sheet_page *p);
/* Makes p->who the identity. */
void page_set_person(sheet_page *p, int64_t identity);
/* Draws a cell at its place. */
MIEN_MUST_USE mien_status page_draw(sheet_page *p, const sheet_cell *c, int row, int column);

#endif
