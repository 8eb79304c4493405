/* Pictures in memory: laid out row by row where they are not, resized for each input size of the members, a batch at a
 * time. */
#include "base/mem.h"
#include "infer/ensemble_int.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

/* --- making pictures ready ---------------------------------------------------------------------------------------- */

/* Some pictures of an array, for the session's images. */
typedef struct {
    session *s;
    const pixel_array *from;
    int64_t first;
    int count, size;
    atomic_int next;
} preparation;

static mien_status gather(image *dst, const uint8_t *first, const pixel_array *a)
{
    TRY(image_resize_buffer(dst, a->width, a->height));
    for (int y = 0; y < a->height; y++) {
        const uint8_t *row = first + y * a->row_stride;
        uint8_t *to = dst->pixels + (size_t)y * (size_t)a->width * 3;
        if (a->column_stride == 3)
            memcpy(to, row, (size_t)a->width * 3);
        else
            for (int x = 0; x < a->width; x++)
                memcpy(to + 3 * x, row + x * a->column_stride, 3);
    }
    return MIEN_OK;
}

static mien_status prepare_one(const preparation *p, pixel_worker *w, int row)
{
    const pixel_array *a = p->from;
    const uint8_t *first = a->pixels + (p->first + row) * a->picture_stride;
    /* read only: a capacity of 0 owns nothing */
    image picture = {.pixels = (uint8_t *)first, .width = a->width, .height = a->height};
    if (a->column_stride != 3 || a->row_stride != 3 * (int64_t)a->width) {
        TRY(gather(&w->whole, first, a));
        picture = w->whole;
    }
    TRY(image_resize(&w->sized, &picture, p->size, p->size, w->scratch));
    size_t bytes = (size_t)p->size * (size_t)p->size * 3;
    memcpy(p->s->images + (size_t)row * bytes, w->sized.pixels, bytes);
    return MIEN_OK;
}

static mien_status prepare_some(void *context, int worker)
{
    preparation *p = context;
    for (int row = atomic_fetch_add(&p->next, 1); row < p->count; row = atomic_fetch_add(&p->next, 1))
        TRY(prepare_one(p, &p->s->workers[worker], row));
    return MIEN_OK;
}

static mien_status reserve_images(session *s, int count, int size)
{
    size_t bytes = (size_t)count * (size_t)size * (size_t)size * 3;
    if (bytes <= s->image_capacity)
        return MIEN_OK;
    mem_free(s->images);
    s->images = NULL;
    s->image_capacity = 0;
    TRY(mem_alloc(&s->images, bytes));
    s->image_capacity = bytes;
    return MIEN_OK;
}

static mien_status prepare(session *s, const pixel_array *a, int64_t first, int count, int size)
{
    preparation p = {.s = s, .from = a, .first = first, .count = count, .size = size};
    int workers = count < s->worker_count ? count : s->worker_count;
    TRY(reserve_images(s, count, size));
    if (workers == 1)
        return prepare_some(&p, 0);
    if (s->takes_turns)
        turn_take(s->e->turn);
    mien_status st = s->backend->side_by_side(s->backend, workers, prepare_some, &p);
    if (s->takes_turns)
        turn_leave(s->e->turn);
    return st;
}

/* --- computing ---------------------------------------------------------------------------------------------------- */

/* Fewer pictures than half of what the lanes of `many` take at once end sooner one after the other. */
static mien_status compute(session *s, int i, int count, float *out)
{
    session_member *m = &s->members[i];
    size_t size = (size_t)member_size(&s->e->members[i]), width = (size_t)s->e->width;
    if (count > 1) {
        TRY(session_bind(s, i, &m->many, s->batch));
        if (2 * count > lanes_count(m->many) * lanes_tile(m->many))
            return session_run(s, m->many, s->images, count, out, NULL);
    }
    TRY(session_bind(s, i, &m->one, 1));
    for (size_t row = 0; row < (size_t)count; row++)
        TRY(session_run(s, m->one, s->images + row * size * size * 3, 1, out + row * width, NULL));
    return MIEN_OK;
}

/* rows [members, width] of one picture from answers [members, count, width] */
static void take_rows(float *rows, const float *answers, int row, int count, const ensemble *e)
{
    size_t width = (size_t)e->width;
    for (size_t i = 0; i < (size_t)e->count; i++)
        memcpy(rows + i * width, answers + (i * (size_t)count + (size_t)row) * width, width * sizeof(float));
}

/* out [count, width], scratch [batch + 1, members, width] */
static mien_status run_some(session *s, float *out, const pixel_array *a, int64_t first, int count, float *scratch)
{
    const ensemble *e = s->e;
    const int width = e->width;
    float *rows = scratch, *answers = scratch + (size_t)e->count * (size_t)width;
    int ready = 0; /* the size that the session's images are of */
    for (int i = 0; i < e->count; i++) {
        const member *m = &e->members[i];
        assert(m->model);
        if (member_size(m) != ready)
            TRY(prepare(s, a, first, count, member_size(m)));
        ready = member_size(m);
        float *own = answers + (size_t)i * (size_t)count * (size_t)width;
        TRY(compute(s, i, count, own));
        if (!is_row_finite(own, count * width))
            return mien_fail(MIEN_ERR_FORMAT, "%s: " NOT_FINITE, m->path);
    }
    for (int row = 0; row < count; row++) {
        take_rows(rows, answers, row, count, e);
        ensemble_mean(out + (size_t)row * (size_t)width, rows, e);
    }
    return MIEN_OK;
}

static mien_status run_all(session *s, float *out, const pixel_array *a, float *scratch, progress *p)
{
    for (int64_t first = 0; first < a->count; first += s->batch) {
        int count = a->count - first < s->batch ? (int)(a->count - first) : s->batch;
        if (p && progress_tell(p, "pictures", first, a->count, NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "interrupted after %lld of %lld pictures", (long long)first,
                             (long long)a->count);
        TRY(run_some(s, out + (size_t)first * (size_t)s->e->width, a, first, count, scratch));
    }
    return MIEN_OK;
}

mien_status session_predict_pixels(session *s, float *out, const pixel_array *pictures, progress *p)
{
    int rows = pictures->count < s->batch ? (int)pictures->count : s->batch;
    float *scratch;
    TRY(mem_alloc(&scratch, ((size_t)rows + 1) * (size_t)s->e->count * (size_t)s->e->width));
    mien_status st = run_all(s, out, pictures, scratch, p);
    mem_free(scratch);
    return st;
}
