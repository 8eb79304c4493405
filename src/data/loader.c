/* Rows, not batches, are handed out to threads, so that one batch is ready as early as all threads can make it. A ring
 * of depth + 1 slots holds the batches: the one the consumer reads, and those ahead. Whatever concerns a row (that it
 * is unreadable, that it failed) is noted in its slot and dealt with by the consumer, in order: what is logged, counted
 * and reported then depends on the plan alone, never on which thread was faster. */
#include "data/loader.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/size.h"
#include "base/thread.h"
#include "data/bad_pictures.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_DEPTH = 3, MAX_THREADS = 1024, WHY_BYTES = 1024 };

/* What became of a row. */
typedef struct {
    mien_status status; /* not MIEN_OK: the item's own picture was unreadable, or, if fatal, the row failed */
    bool is_fatal;
    char why[WHY_BYTES];
} row_note;

typedef struct {
    int64_t batch;     /* which one is or was here; -1 none */
    int missing;       /* rows not done yet */
    uint8_t *images;   /* [batch, size, size, 3]; owned, like all below */
    bool *is_read;     /* [batch] */
    int64_t *items;    /* [batch] */
    int64_t *pictures; /* [batch] */
    bool *is_mirrored; /* [batch] */
    row_note *notes;   /* [batch] */
} slot;

struct loader {
    loader_options options;
    int64_t batches; /* in an epoch */
    size_t picture_bytes;
    uint32_t *order; /* [plan total] the epoch's items; NULL: as they stand */
    int slot_count;
    slot *slots;
    int thread_count;
    picture_reader *readers; /* [threads] */
    thread_group *threads;

    pthread_mutex_t lock; /* guards the following, and `batch` and `missing` of slots */
    pthread_cond_t work_there, rows_done;
    uint32_t epoch;
    int64_t next_row, end_row; /* of the epoch, not handed out yet */
    int64_t window;            /* the first batch whose slot is not free */
    int in_flight;             /* rows being worked on */
    bool is_stopping;

    /* the consumer's own */
    int64_t next_batch;
    int64_t bad_count;
    uint32_t *bad_seen;  /* bit i: original i of the plan was counted */
    mien_status failure; /* stays until the next start */
    char failure_text[2 * WHY_BYTES];
};

static int64_t total_items(const loader *l)
{
    return l->options.plan->total;
}

static int rows_of(const loader *l, int64_t batch)
{
    int64_t left = total_items(l) - batch * l->options.batch;
    return left < l->options.batch ? (int)left : l->options.batch;
}

/* --- a thread's work -------------------------------------------------------------------------------------------- */

static bool is_training(const loader *l)
{
    return l->options.max_bad_share >= 0;
}

static void note_failure(row_note *note, mien_status st, bool is_fatal)
{
    note->status = st;
    note->is_fatal = is_fatal;
    status_text_save(note->why, sizeof(note->why));
}

/* Decodes the first readable picture of the group that follows the item's own, which was not. */
static mien_status read_replacement(const loader *l, picture_reader *reader, int64_t item, int64_t *picture)
{
    const epoch_plan *plan = l->options.plan;
    const picture_source *source = plan->set->source;
    int64_t position = epoch_plan_position(plan, item);
    int g = picture_group(plan->set, *picture);
    int64_t begin = plan->group_begin[g], n = plan->group_begin[g + 1] - begin;
    int64_t allowed = bad_pictures_allowed(plan->items->count, l->options.max_bad_share);
    for (int64_t bad = 1; bad < n; bad++) {
        if (bad > allowed)
            return bad_pictures_too_many(source->what, plan->items->count, l->options.max_bad_share, mien_error());
        int64_t next = plan->items->index[plan->by_group[begin + (position - begin + bad) % n]];
        mien_status st = source->read(source, next, reader);
        if (st == MIEN_OK)
            *picture = next;
        if (st == MIEN_OK || !bad_pictures_may_be(source, st))
            return st;
    }
    return plan->set->group ? mien_fail(MIEN_ERR_FORMAT, "%s: class %s has no readable picture", source->what,
                                        plan->set->group_names[g])
                            : mien_fail(MIEN_ERR_FORMAT, "%s: no readable picture", source->what);
}

/* Decodes the item's picture or, in training, its stand-in; *picture says which. */
static mien_status read_item(const loader *l, picture_reader *reader, row_note *note, int64_t item, int64_t *picture)
{
    const picture_source *source = l->options.plan->set->source;
    mien_status st = source->read(source, *picture, reader);
    if (st == MIEN_OK || !picture_is_bad(st))
        return st;
    if (is_training(l) && !bad_pictures_may_be(source, st))
        return st;
    note_failure(note, st, false);
    return is_training(l) ? read_replacement(l, reader, item, picture) : MIEN_OK;
}

/* A copy is of its original's group, also where another picture of that group stands in. */
static mien_status randaugment_row(const loader *l, picture_reader *reader, int64_t item, int64_t picture, int64_t copy)
{
    const loader_options *o = &l->options;
    bool is_chosen = o->randaugment_of == LOADER_RANDAUGMENT_ALL || copy >= 0;
    if (o->randaugment_of == LOADER_RANDAUGMENT_NONE || !is_chosen)
        return MIEN_OK;
    uint64_t sample = copy >= 0 ? randaugment_copy_id(picture_group(o->plan->set, picture), copy) : (uint64_t)item;
    return image_randaugment(&reader->decoded, &o->randaugment, o->seed, o->is_resampled ? l->epoch : 0, sample,
                             reader->scratch);
}

static mien_status make_row(const loader *l, picture_reader *reader, uint8_t *pixels, row_note *note, int64_t item,
                            int64_t *picture, int64_t copy)
{
    TRY(read_item(l, reader, note, item, picture));
    if (note->status != MIEN_OK && !is_training(l)) {
        memset(pixels, 0, l->picture_bytes);
        return MIEN_OK;
    }
    TRY(randaugment_row(l, reader, item, *picture, copy));
    TRY(picture_fit(reader, image_zoom_side(&l->options.augment, l->options.image_size)));
    TRY(image_random_part(&reader->sized, l->options.image_size, l->options.seed, l->epoch, (uint64_t)item,
                          reader->scratch));
    TRY(image_augment(&reader->sized, &l->options.augment, l->options.seed, l->epoch, (uint64_t)item, reader->scratch));
    memcpy(pixels, reader->sized.pixels, l->picture_bytes);
    return MIEN_OK;
}

static void fill_row(const loader *l, picture_reader *reader, slot *s, int row)
{
    int64_t place = s->batch * l->options.batch + row, copy;
    int64_t item = l->order ? l->order[place] : place;
    int64_t picture = epoch_plan_item(l->options.plan, item, &copy);
    row_note *note = &s->notes[row];
    note->status = MIEN_OK;
    note->is_fatal = false;
    reader->epoch = l->epoch;
    mien_status st = make_row(l, reader, s->images + (size_t)row * l->picture_bytes, note, item, &picture, copy);
    if (st != MIEN_OK)
        note_failure(note, st, true);
    s->is_read[row] = note->status == MIEN_OK || is_training(l);
    s->items[row] = item;
    s->pictures[row] = picture;
    s->is_mirrored[row] = image_is_mirrored(&l->options.augment, l->options.seed, l->epoch, (uint64_t)item);
}

static bool has_work(const loader *l)
{
    return l->next_row < l->end_row && l->next_row / l->options.batch < l->window + l->slot_count;
}

/* Takes the next row, under the lock; the first of a batch claims its slot. */
static slot *take_row(loader *l, int *row)
{
    int64_t batch = l->next_row / l->options.batch;
    slot *s = &l->slots[batch % l->slot_count];
    *row = (int)(l->next_row++ % l->options.batch);
    if (s->batch != batch) {
        s->batch = batch;
        s->missing = rows_of(l, batch);
    }
    l->in_flight++;
    return s;
}

static mien_status work(void *context, int index)
{
    loader *l = context;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->is_stopping && !has_work(l))
            pthread_cond_wait(&l->work_there, &l->lock);
        if (l->is_stopping)
            break;
        int row;
        slot *s = take_row(l, &row);
        pthread_mutex_unlock(&l->lock);
        fill_row(l, &l->readers[index], s, row);
        pthread_mutex_lock(&l->lock);
        l->in_flight--;
        if (--s->missing == 0 || l->in_flight == 0)
            pthread_cond_signal(&l->rows_done);
    }
    pthread_mutex_unlock(&l->lock);
    return MIEN_OK;
}

/* --- creation --------------------------------------------------------------------------------------------------- */

static mien_status check_options(const loader_options *o)
{
    if (o->batch < 1 || o->image_size < 1 || o->image_size > 16384)
        return mien_fail(MIEN_ERR_ARG, "loader: batch %d of size %d (wanted batch 1.., size 1..16384)", o->batch,
                         o->image_size);
    if (o->threads < 0 || o->threads > MAX_THREADS || o->depth < 0 || o->depth > 1024)
        return mien_fail(MIEN_ERR_ARG, "loader: %d threads, depth %d (wanted 0..%d, 0..1024)", o->threads, o->depth,
                         MAX_THREADS);
    if (o->max_bad_share > 1 || o->max_bad_share != o->max_bad_share)
        return mien_fail(MIEN_ERR_ARG, "loader: max_bad_share %g (wanted at most 1)", o->max_bad_share);
    TRY(randaugment_check(&o->randaugment));
    if (o->is_shuffled && o->plan->total < o->batch)
        return mien_fail(MIEN_ERR_ARG, "%s: %" PRId64 " pictures (wanted at least one batch of %d)",
                         o->plan->set->source->what, o->plan->total, o->batch);
    return MIEN_OK;
}

static mien_status slot_create(slot *s, const loader *l)
{
    int batch = l->options.batch;
    s->batch = -1;
    TRY(mem_array_((void **)&s->images, (size_t)batch, l->picture_bytes, 0));
    TRY(mem_alloc(&s->is_read, batch));
    TRY(mem_alloc(&s->items, batch));
    TRY(mem_alloc(&s->pictures, batch));
    TRY(mem_zalloc(&s->is_mirrored, batch));
    return mem_zalloc(&s->notes, batch);
}

static void slot_free(slot *s)
{
    mem_free(s->images);
    mem_free(s->is_read);
    mem_free(s->items);
    mem_free(s->pictures);
    mem_free(s->is_mirrored);
    mem_free(s->notes);
}

mien_status loader_create(loader **out, const loader_options *options)
{
    TRY(check_options(options));
    loader *l;
    TRY(mem_zalloc(&l, 1));
    l->options = *options;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work_there, NULL);
    pthread_cond_init(&l->rows_done, NULL);
    mien_status st;
    int64_t total = options->plan->total;
    l->batches = (options->is_shuffled ? total : total + options->batch - 1) / options->batch;
    l->next_batch = l->batches;
    l->picture_bytes = (size_t)options->image_size * (size_t)options->image_size * 3;
    if (options->is_shuffled)
        TRY_OUT(mem_alloc(&l->order, total));
    TRY_OUT(mem_zalloc(&l->bad_seen, (options->plan->items->count + 31) / 32));
    int slots = (options->depth ? options->depth : DEFAULT_DEPTH) + 1;
    TRY_OUT(mem_zalloc(&l->slots, slots));
    l->slot_count = slots;
    for (int i = 0; i < slots; i++)
        TRY_OUT(slot_create(&l->slots[i], l));
    int threads = options->threads ? options->threads : thread_cores();
    TRY_OUT(mem_zalloc(&l->readers, threads));
    l->thread_count = threads;
    for (int i = 0; i < threads; i++)
        TRY_OUT(picture_reader_init(&l->readers[i]));
    TRY_OUT(thread_group_start(&l->threads, threads, work, l));
    *out = l;
    l = NULL;
out:
    loader_free(l);
    return st;
}

void loader_free(loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->is_stopping = true;
    pthread_cond_broadcast(&l->work_there);
    pthread_mutex_unlock(&l->lock);
    mien_status st = thread_group_join(l->threads);
    assert(st == MIEN_OK); /* `work` notes failures in slots and never fails itself */
    (void)st;
    for (int i = 0; i < l->thread_count; i++)
        picture_reader_clear(&l->readers[i]);
    for (int i = 0; i < l->slot_count; i++)
        slot_free(&l->slots[i]);
    pthread_cond_destroy(&l->work_there);
    pthread_cond_destroy(&l->rows_done);
    pthread_mutex_destroy(&l->lock);
    mem_free(l->order);
    mem_free(l->bad_seen);
    mem_free(l->slots);
    mem_free(l->readers);
    mem_free(l);
}

/* --- the consumer ----------------------------------------------------------------------------------------------- */

int64_t loader_batches(const loader *l)
{
    return l->batches;
}

mien_status loader_start(loader *l, uint32_t epoch, int64_t first)
{
    if (first < 0 || first > l->batches)
        return mien_fail(MIEN_ERR_ARG, "loader: batch %" PRId64 " (wanted 0..%" PRId64 ")", first, l->batches);
    pthread_mutex_lock(&l->lock);
    l->end_row = l->next_row; /* nothing more of the old epoch */
    while (l->in_flight > 0)
        pthread_cond_wait(&l->rows_done, &l->lock);
    for (int i = 0; i < l->slot_count; i++)
        l->slots[i].batch = -1;
    if (l->order) {
        rng r = rng_at(l->options.seed, epoch, 0, RNG_SHUFFLE);
        rng_shuffle(&r, l->order, (uint32_t)total_items(l));
    }
    int64_t rows = l->batches * l->options.batch;
    l->epoch = epoch;
    l->next_row = first * l->options.batch;
    l->end_row = rows < total_items(l) ? rows : total_items(l);
    l->window = first;
    pthread_cond_broadcast(&l->work_there);
    pthread_mutex_unlock(&l->lock);
    l->next_batch = first;
    l->failure = MIEN_OK;
    return MIEN_OK;
}

/* Gives back the batch that the consumer has read, and waits for the next one to be whole. */
static slot *await_batch(loader *l, int64_t batch)
{
    slot *s = &l->slots[batch % l->slot_count];
    pthread_mutex_lock(&l->lock);
    if (l->window != batch) {
        l->window = batch;
        pthread_cond_broadcast(&l->work_there);
    }
    while (s->batch != batch || s->missing > 0)
        pthread_cond_wait(&l->rows_done, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return s;
}

/* Names the first of the unreadable, in the plan's order, behind what the rule says. */
static mien_status fail_too_many(const loader *l, const char *why)
{
    enum { NAMED = 4 };
    const epoch_plan *plan = l->options.plan;
    const picture_source *source = plan->set->source;
    char names[WHY_BYTES / 2] = "", name[PICTURE_NAME_BYTES];
    int named = 0;
    mien_status st = bad_pictures_too_many(source->what, plan->items->count, l->options.max_bad_share, why);
    for (int64_t i = 0; i < plan->items->count && named < NAMED; i++) {
        if (!(l->bad_seen[i / 32] & 1u << (i % 32)) ||
            source->name(source, plan->items->index[i], name, sizeof name) != MIEN_OK)
            continue;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%.100s", named++ ? ", " : "", name);
    }
    return mien_fail(st, "%s; unreadable are %s%s", mien_error(), names, l->bad_count > named ? " .." : "");
}

/* An original of the plan was unreadable: its line, and whether that was one too many. */
static mien_status count_bad(loader *l, int64_t item, const char *why)
{
    const epoch_plan *plan = l->options.plan;
    int64_t original = plan->by_group[epoch_plan_position(plan, item)];
    uint32_t bit = 1u << (original % 32), *word = &l->bad_seen[original / 32];
    if (*word & bit)
        return MIEN_OK;
    *word |= bit;
    if (picture_report(plan->set->source, plan->items->index[original]))
        log_warning("%s", why);
    if (++l->bad_count > bad_pictures_allowed(plan->items->count, l->options.max_bad_share))
        return fail_too_many(l, why);
    return MIEN_OK;
}

static mien_status handle_note(loader *l, const row_note *note, int64_t item)
{
    if (note->status == MIEN_OK)
        return MIEN_OK;
    if (note->is_fatal) {
        status_text_load(note->why);
        return note->status;
    }
    if (is_training(l))
        return count_bad(l, item, note->why);
    if (l->options.on_bad)
        l->options.on_bad(l->options.payload, item, note->why);
    return MIEN_OK;
}

/* Rows past the end of an evaluation. */
static void clear_rows(const loader *l, slot *s, int from)
{
    for (int row = from; row < l->options.batch; row++) {
        s->is_read[row] = false;
        s->items[row] = -1;
        s->pictures[row] = -1;
    }
    memset(s->images + (size_t)from * l->picture_bytes, 0, (size_t)(l->options.batch - from) * l->picture_bytes);
}

mien_status loader_next(loader *l, loader_batch *out)
{
    if (l->failure != MIEN_OK) {
        status_text_load(l->failure_text);
        return l->failure;
    }
    if (l->next_batch >= l->batches) {
        *out = (loader_batch){.index = l->batches};
        return MIEN_OK;
    }
    slot *s = await_batch(l, l->next_batch);
    int count = rows_of(l, l->next_batch);
    for (int row = 0; row < count; row++) {
        l->failure = handle_note(l, &s->notes[row], s->items[row]);
        if (l->failure != MIEN_OK) {
            status_text_save(l->failure_text, sizeof(l->failure_text));
            return l->failure;
        }
    }
    if (count < l->options.batch)
        clear_rows(l, s, count);
    *out = (loader_batch){s->images, s->is_read, s->items, s->pictures, s->is_mirrored, count, l->next_batch++};
    return MIEN_OK;
}
