/* A set that a training draws while it trains: "synth:SCENE" where a path would stand. Face n of epoch e is face
 * e count + n of an endless set, people and all, so nobody comes up again; those to select by are the same in every
 * epoch, and nobody of them is trained on: their numbers begin where training's end. */
#include "api/drawn.h"

#include "base/mem.h"
#include "synth/set/set_folder.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#define PREFIX "synth:"
#define SIDE 112 /* pixels, where the recipe says no size */
#define TRAINING_PEOPLE SYNTH_MAX_COUNT
#define FIRST_TO_SELECT TRAINING_PEOPLE

/* One half of a drawn source: what is trained on, or what selects. */
typedef struct {
    picture_maker maker; /* first: a maker that is asked is this */
    synth_options options;
    const head *head;
    pthread_mutex_t lock; /* guards the following */
    drawer **idle;        /* [idle_count] drawers that nobody draws with */
    int idle_count, idle_capacity;
} half;

struct drawn_source {
    drawn_set set;
    half training, selecting;
    char *what;
    uint64_t fingerprint;
};

static int64_t first_number(const half *h, uint32_t epoch)
{
    return h->maker.is_renewed ? (int64_t)epoch * h->maker.count : 0;
}

static mien_status table(const picture_maker *m, uint32_t epoch, str *out)
{
    const half *h = (const half *)m;
    return faces_table(out, &h->options, h->head, first_number(h, epoch), m->count);
}

/* --- drawers ------------------------------------------------------------------------------------------------------ */

/* As many as readers there are at once, whoever they are. */
static mien_status take_drawer(drawer **out, half *h)
{
    *out = NULL;
    pthread_mutex_lock(&h->lock);
    if (h->idle_count)
        *out = h->idle[--h->idle_count];
    pthread_mutex_unlock(&h->lock);
    return *out ? MIEN_OK : drawer_create(out, &h->options, h->head);
}

static mien_status give_back(half *h, drawer *d)
{
    mien_status st = MIEN_OK;
    pthread_mutex_lock(&h->lock);
    if (h->idle_count == h->idle_capacity) {
        const int capacity = h->idle_capacity ? 2 * h->idle_capacity : 4;
        st = mem_resize_bytes((void **)&h->idle, (size_t)h->idle_count * sizeof *h->idle,
                              (size_t)capacity * sizeof *h->idle);
        if (st == MIEN_OK)
            h->idle_capacity = capacity;
    }
    if (st == MIEN_OK)
        h->idle[h->idle_count++] = d;
    pthread_mutex_unlock(&h->lock);
    if (st != MIEN_OK)
        drawer_free(d);
    return st;
}

static mien_status read_face(const picture_maker *m, uint32_t epoch, int64_t index, picture_reader *r)
{
    half *h = (half *)m;
    drawer *d;
    TRY(take_drawer(&d, h));
    mien_status st = drawer_draw(d, first_number(h, epoch) + index);
    if (st == MIEN_OK) {
        const image held = r->decoded; /* its memory is the next picture's */
        r->decoded = d->picture;
        d->picture = held;
    }
    const mien_status kept = give_back(h, d);
    return st != MIEN_OK ? st : kept;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void make_half(half *h, const drawn_source *s, int64_t count, int64_t first_identity, bool is_renewed)
{
    *h = (half){.maker = {.what = s->what,
                          .count = count,
                          .fingerprint = s->fingerprint,
                          .is_renewed = is_renewed,
                          .table = table,
                          .read = read_face},
                .options = s->set.options,
                .head = s->set.cast.heads[0]};
    h->options.identities = TRAINING_PEOPLE;
    h->options.first_identity = first_identity;
    pthread_mutex_init(&h->lock, NULL);
}

static void clear_half(half *h)
{
    for (int i = 0; i < h->idle_count; i++)
        drawer_free(h->idle[i]);
    mem_free(h->idle);
    if (h->maker.what)
        pthread_mutex_destroy(&h->lock);
}

/* Whole people: each class is there as often as another. */
static int64_t whole_people(double count, int classes)
{
    const int64_t people = (int64_t)floor(count / classes + 0.5);
    return (people > 0 ? people : 1) * classes;
}

bool api_is_drawn(const char *path)
{
    return strncmp(path, PREFIX, strlen(PREFIX)) == 0;
}

mien_status api_drawn_source_open(drawn_source **out, const char *path, const char *face, const recipe *r)
{
    drawn_source *s;
    mien_status st;
    mien_synth_options o;
    mien_synth_options_init(&o);
    const char *named = path + strlen(PREFIX);
    o.scene = *named ? named : NULL;
    o.face = face;
    o.task = r->task->name;
    o.seed = r->seed;
    o.image_size = r->image_size ? r->image_size : SIDE;
    o.count = r->data.drawn;
    if (!face)
        return mien_fail(MIEN_ERR_ARG, "%s: no face model to draw with (wanted `face`)", path);
    TRY(mem_zalloc(&s, 1));
    TRY_OUT(mem_strdup(&s->what, path));
    TRY_OUT(api_drawn_open(&s->set, &o, path));
    TRY_OUT(synth_check_set(&s->set.options));
    TRY_OUT(set_fingerprint(&s->fingerprint, &s->set.options, s->set.cast.heads[0]));
    const int classes = (int)synth_row(&s->set.options);
    const double count = (double)r->data.drawn;
    make_half(&s->training, s, whole_people(count, classes), 0, true);
    make_half(&s->selecting, s, whole_people(count * r->data.val_share, classes), FIRST_TO_SELECT, false);
    s->training.maker.validation = r->data.val_share > 0 ? &s->selecting.maker : NULL;
    *out = s;
    s = NULL;
out:
    api_drawn_source_free(s);
    return st;
}

void api_drawn_source_free(drawn_source *s)
{
    if (!s)
        return;
    clear_half(&s->training);
    clear_half(&s->selecting);
    api_drawn_free(&s->set);
    mem_free(s->what);
    mem_free(s);
}

const picture_maker *api_drawn_source_maker(const drawn_source *s, bool is_selecting)
{
    return is_selecting ? &s->selecting.maker : &s->training.maker;
}
