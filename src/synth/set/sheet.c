/* A sheet shows what a set will look like before it is drawn: a row for each of its first people, a column for each
 * expression at full strength. */
#include "synth/set/sheet.h"

#include "base/mem.h"
#include "synth/draw/render.h"
#include "synth/set/plan.h"

#include <string.h>

static void paste(image *sheet, const image *cell, int column, int row)
{
    for (int y = 0; y < cell->height; y++)
        memcpy(&sheet->pixels[3 * ((size_t)(row * cell->height + y) * (size_t)sheet->width +
                                   (size_t)(column * cell->width))],
               &cell->pixels[3 * (size_t)y * (size_t)cell->width], 3 * (size_t)cell->width);
}

static mien_status draw_sheet(image *sheet, image *cell, renderer *r, float *weights, const synth_options *options,
                              const head *h)
{
    for (int row = 0; row < SYNTH_SHEET_ROWS; row++) {
        person who;
        shot how;
        synth_person(&who, weights, options, h, options->first_identity + row);
        renderer_set_person(r, &who, weights);
        shot_studio(&how, &who);
        for (int column = 0; column < 6; column++) {
            face_expression e;
            expression_plain(&e, head_of(h, who.face), EXPRESSION_ANGER + (expression_class)column);
            how.yaw = 9 * (float)((row + column) % 3 - 1); /* each face is seen a little from the side, too */
            TRY(render_face(cell, r, e.units, &how));
            paste(sheet, cell, column, row);
        }
    }
    return MIEN_OK;
}

mien_status sheet_write(const synth_options *options, const head *h)
{
    mien_status st;
    renderer *r = NULL;
    float *weights = NULL;
    image sheet = {0}, cell = {0};
    int size = options->size > SYNTH_SHEET_CELL ? options->size : SYNTH_SHEET_CELL;
    TRY_OUT(renderer_create(&r, h, size));
    TRY_OUT(mem_zalloc(&weights, (size_t)head_weights(h)));
    TRY_OUT(image_resize_buffer(&sheet, 6 * size, SYNTH_SHEET_ROWS * size));
    TRY_OUT(draw_sheet(&sheet, &cell, r, weights, options, h));
    TRY_OUT(image_write_png(options->sheet, &sheet));
out:
    image_free(&sheet);
    image_free(&cell);
    mem_free(weights);
    renderer_free(r);
    return st;
}
