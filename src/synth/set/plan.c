/* What a set's faces are, each decided by the options and its number alone: whom it shows, which expression, how the
 * picture is taken and which labels are told. */
#include "synth/set/plan.h"

#include "base/str.h"
#include "synth/set/adorn.h"
#include "synth/set/clip.h"
#include "synth/set/draws.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* The classes a task draws, in turn. */
static const struct {
    const char *name;
    expression_class first;
    int count;
} tasks[] = {
    [SYNTH_LSD] = {"lsd", EXPRESSION_ANGER, 6},
    [SYNTH_MTL] = {"mtl", EXPRESSION_NEUTRAL, 8},
    [SYNTH_IDENTITY] = {"identity", EXPRESSION_NEUTRAL, 8},
};

const char *synth_task_name(int task)
{
    return task >= 0 && (size_t)task < sizeof tasks / sizeof tasks[0] ? tasks[task].name : NULL;
}

rng synth_stream(const synth_options *options, uint32_t epoch, int64_t number)
{
    /* the first identity is part of the name: two sets of one seed with different people share no pose or light either
     */
    return rng_at(options->seed ^ (uint64_t)options->first_identity << 32, epoch, (uint64_t)number, RNG_SYNTH);
}

int64_t synth_people(const synth_options *options)
{
    if (options->identities > 0)
        return options->identities;
    if (options->clip > 0)
        return (options->count / options->clip + 1) / 2;
    int64_t people = options->count / 10;
    if (options->crowd > 0)
        people = options->count < options->crowd ? options->crowd : options->count;
    return people < 1 ? 1 : people;
}

int64_t synth_row(const synth_options *options)
{
    if (options->clip > 0)
        return options->clip;
    if (options->crowd > 0)
        return 1;
    if (options->task == SYNTH_IDENTITY)
        return options->count / synth_people(options);
    return tasks[options->task].count;
}

int synth_face_count(const synth_options *options, int64_t picture)
{
    if (options->crowd <= 0)
        return 1;
    rng r = synth_stream(options, SYNTH_CROWD_EPOCH, picture);
    return 2 + (int)rng_below(&r, (uint32_t)options->crowd - 1);
}

int64_t synth_face_number(const synth_options *options, int64_t picture, int place)
{
    return options->crowd > 0 ? picture * options->crowd + place : picture;
}

int64_t synth_identity(const synth_options *options, int64_t number)
{
    return options->first_identity + number / synth_row(options) % synth_people(options);
}

/* The first head goes to its share of the people, the others share the rest alike. */
static const head *pick_head(const synth_options *options, const head *h, int64_t identity)
{
    int others = 0;
    for (const head *other = h->next; other; other = other->next)
        others++;
    rng r = rng_at(options->seed, SYNTH_HEAD_EPOCH, (uint64_t)identity, RNG_SYNTH);
    float at = rng_float(&r), first = options->face_share > 0 ? options->face_share : 1 / (1 + (float)others);
    if (others == 0 || at < first)
        return h;
    int skipped = (int)((at - first) / (1 - first) * (float)others);
    for (h = h->next; skipped > 0 && h->next; skipped--)
        h = h->next;
    return h;
}

void synth_person(person *out, float *weights, const synth_options *options, const head *h, int64_t identity)
{
    rng r = rng_at(options->seed, SYNTH_PERSON_EPOCH, (uint64_t)identity, RNG_SYNTH);
    person_draw(out, weights, pick_head(options, h, identity)->face, options->scene, &r);
}

/* Faces in a row show one class after another; of clips each shows one. */
static int class_index(const synth_options *options, int64_t number)
{
    int64_t at = options->clip > 0                 ? number / options->clip
                 : options->task == SYNTH_IDENTITY ? number % synth_row(options)
                                                   : number;
    return (int)(at % tasks[options->task].count);
}

/* Lower faces of children are small beside their heads: what a level means to their mouths is fewer decimetres. */
static void fit_units(float *units, const person *who)
{
    static const char *const lower[] = {"mouth", "jaw", "nose", "cheek"};
    for (int u = 0; u < UNIT_COUNT; u++)
        for (size_t i = 0; i < sizeof lower / sizeof *lower; i++)
            if (str_starts(unit_names[u], lower[i]))
                units[u] *= who->motion;
}

void synth_face_draw(synth_face *out, const synth_options *options, const head *h, const person *who, int64_t number)
{
    h = head_of(h, who->face);
    *out = (synth_face){.number = number, .identity = synth_identity(options, number)};
    const expression_class c = tasks[options->task].first + (expression_class)class_index(options, number);
    const bool is_clip = options->clip > 0;
    const int64_t own = is_clip ? number / options->clip : number;
    rng r = synth_stream(options, is_clip ? SYNTH_CLIP_EPOCH : SYNTH_FACE_EPOCH, own);
    shot_draw(&out->shot, who, options->scene, &r);
    rng worn = synth_stream(options, SYNTH_WORN_EPOCH, own);
    occluders_draw(&out->shot.worn, who, c, options->scene, &worn);
    expression_draw(&out->expression, h, c, options->scene, &r);
    if (is_clip)
        clip_move(out, h, options->scene, &r, (int)(number % options->clip), options->clip);
    out->shot.pitch += out->expression.nod;
    fit_units(out->expression.units, who);
}

/* Each label is drawn at a rate of its own, again where none was left. Such draws leave it to as many faces as the
 * rate over 1 - (all three missed), .9664: to the shares of s-Aff-Wild2's 142,333 training pictures that have VA
 * (103,917), an expression (90,645) and action units (103,316; spec-details 1.1). */
synth_told synth_labels_told(const synth_options *options, int64_t number)
{
    static const float va_rate = 0.7056f, expression_rate = 0.6155f, au_rate = 0.7015f;
    synth_told told = {true, true, true};
    if (options->missing == SYNTH_COMPLETE)
        return told;
    rng r = rng_at(options->seed ^ (uint64_t)options->first_identity << 32, 0, (uint64_t)number, RNG_MISSING);
    do {
        told.va = rng_float(&r) < va_rate;
        told.expression = rng_float(&r) < expression_rate;
        told.au = rng_float(&r) < au_rate;
    } while (!told.va && !told.expression && !told.au);
    return told;
}

int synth_class_folders(synth_task task)
{
    return task == SYNTH_LSD ? tasks[task].count : 0;
}

void synth_class_folder(char dst[SYNTH_FOLDER_BYTES], synth_task task, int index)
{
    snprintf(dst, SYNTH_FOLDER_BYTES, "%s", expression_names[tasks[task].first + (expression_class)index]);
    for (; *dst; dst++)
        *dst = (char)toupper((unsigned char)*dst);
}

void synth_picture_name(char dst[SYNTH_NAME_BYTES], const synth_options *options, int64_t picture)
{
    int64_t row = synth_row(options);
    char folder[SYNTH_FOLDER_BYTES];
    if (options->clip > 0) {
        snprintf(dst, SYNTH_NAME_BYTES, "clip_%06" PRId64 "/%06" PRId64 ".jpg", picture / row + 1, picture % row + 1);
    } else if (options->task == SYNTH_IDENTITY) {
        snprintf(dst, SYNTH_NAME_BYTES, "%06" PRId64 "/%06" PRId64 ".jpg", synth_identity(options, picture),
                 picture % row + 1);
    } else if (options->task == SYNTH_LSD && options->crowd <= 0) {
        synth_class_folder(folder, options->task, class_index(options, picture));
        snprintf(dst, SYNTH_NAME_BYTES, "%s/%06" PRId64 ".jpg", folder, picture + 1);
    } else {
        snprintf(dst, SYNTH_NAME_BYTES, "%06" PRId64 ".jpg", picture + 1);
    }
}
