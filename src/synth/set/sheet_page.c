/* A page keeps one person and one renderer from cell to cell; letters are strokes, dark around and light inside. */
#include "synth/set/sheet_page.h"

#include "base/mem.h"

#include <string.h>

#define LETTER_SHARE 0.058f /* height of letters, of a cell */

void page_close(sheet_page *p)
{
    renderer_free(p->renderer);
    post_room_free(p->post);
    mem_free(p->weights);
    image_free(&p->page);
    image_free(&p->picture);
    caption_free(&p->letters);
}

mien_status page_open(sheet_page *p, const synth_options *options, const head *h, int size, int rows, int columns)
{
    mien_status st;
    *p = (sheet_page){.options = options, .h = h, .size = size, .identity = -1};
    TRY_OUT(renderer_create(&p->renderer, h, size));
    TRY_OUT(post_room_create(&p->post));
    TRY_OUT(mem_zalloc(&p->weights, (size_t)head_weights(h)));
    TRY_OUT(image_resize_buffer(&p->page, columns * size, rows * size));
    return MIEN_OK;
out:
    page_close(p);
    return st;
}

void page_set_person(sheet_page *p, int64_t identity)
{
    if (identity == p->identity)
        return;
    synth_person(&p->who, p->weights, p->options, p->h, identity);
    renderer_set_person(p->renderer, &p->who, p->weights);
    p->identity = identity;
}

static mien_status write_caption(sheet_page *p, const char *text)
{
    const float height = LETTER_SHARE * (float)p->size, x = 0.4f * height, y = (float)p->size - 0.5f * height;
    if (!*text)
        return MIEN_OK;
    for (int shade = 1; shade >= 0; shade--) { /* dark around the letters, then light */
        TRY(caption_start(&p->letters, p->size, p->size));
        caption_text(&p->letters, text, x, y, height, 0, (shade ? 0.45f : 0.16f) * height);
        caption_blend(&p->letters, &p->picture, shade ? 0 : 255, shade ? 0.7f : 1);
    }
    return MIEN_OK;
}

static void draw_box(caption *c, mark_box b)
{
    caption_line(c, b.left, b.top, b.right, b.top, 1);
    caption_line(c, b.right, b.top, b.right, b.bottom, 1);
    caption_line(c, b.right, b.bottom, b.left, b.bottom, 1);
    caption_line(c, b.left, b.bottom, b.left, b.top, 1);
}

/* Light dots are seen, dark ones hidden; from each eye a line along its gaze. */
static mien_status draw_marks(sheet_page *p, const face_marks *m)
{
    const float dot = maxf(1.5f, 0.012f * (float)p->size), radians = 0.01745329f;
    for (int seen = 0; seen < 2; seen++) {
        TRY(caption_start(&p->letters, p->size, p->size));
        for (int i = MARK_FIVE; i < MARK_COUNT; i++)
            if (m->is_seen[i] == seen)
                caption_line(&p->letters, m->point[i].x, m->point[i].y, m->point[i].x + 0.01f, m->point[i].y, dot);
        if (seen)
            for (int side = 0; side < 2; side++) {
                vec3 eye = m->point[side ? 0 : 1];
                float yaw = m->gaze[side][0] * radians, pitch = m->gaze[side][1] * radians,
                      reach = 0.2f * (float)p->size;
                caption_line(&p->letters, eye.x, eye.y, eye.x + reach * sinf(yaw) * cosf(pitch),
                             eye.y - reach * sinf(pitch), 1);
            }
        caption_blend(&p->letters, &p->picture, seen ? 255 : 0, 1);
    }
    TRY(caption_start(&p->letters, p->size, p->size));
    draw_box(&p->letters, m->head);
    draw_box(&p->letters, m->face);
    caption_blend(&p->letters, &p->picture, 255, 0.7f);
    return MIEN_OK;
}

mien_status page_draw(sheet_page *p, const sheet_cell *c, int row, int column)
{
    face_marks marks;
    page_set_person(p, c->identity);
    render_begin(p->renderer);
    TRY(render_head(p->renderer, c->expression.units, &c->how, &marks));
    TRY(render_finish(&p->picture, p->renderer, &c->how));
    TRY(post_apply(&p->picture, &c->how, p->post));
    if (c->has_marks) {
        render_look(p->renderer, &marks);
        TRY(draw_marks(p, &marks));
    }
    TRY(write_caption(p, c->caption));
    const size_t bytes = 3 * (size_t)p->size, line = 3 * (size_t)p->page.width;
    for (int y = 0; y < p->size; y++)
        memcpy(&p->page.pixels[(size_t)(row * p->size + y) * line + (size_t)column * bytes],
               &p->picture.pixels[(size_t)y * bytes], bytes);
    return MIEN_OK;
}
