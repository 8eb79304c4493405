/* What a set's faces are, each decided by the options and its number alone: whom it shows, which expression, how the
 * picture is taken and which labels are told. */
#include "synth/set/plan.h"

#include "synth/set/adorn.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#define LOW_INTENSITY 0.55f /* of the six expressions in an LSD set, where a face is to be told from the others */
#define LOW_INTENSITY_MTL 0.30f
#define PERSON_EPOCH 1 /* random streams: (seed, 0, face) for faces, (seed, 1, identity) for people */
#define HEAD_EPOCH 5   /* (seed, 5, identity) for whose head a person has */
#define WORN_EPOCH 4   /* (seed, 4, face) for what faces wear */

/* The classes a task draws, in turn. */
static const struct {
    const char *name;
    expression_class first;
    int count;
    float low;
} tasks[] = {
    [SYNTH_LSD] = {"lsd", EXPRESSION_ANGER, 6, LOW_INTENSITY},
    [SYNTH_MTL] = {"mtl", EXPRESSION_NEUTRAL, 8, LOW_INTENSITY_MTL},
};

const char *synth_task_name(int task)
{
    return task >= 0 && (size_t)task < sizeof tasks / sizeof tasks[0] ? tasks[task].name : NULL;
}

int64_t synth_identity(const synth_options *options, int64_t number)
{
    int64_t people = options->identities;
    if (people <= 0)
        people = options->count >= 10 ? options->count / 10 : 1;
    return options->first_identity + number / tasks[options->task].count % people;
}

/* The first head goes to its share of the people, the others share the rest alike. */
static const head *pick_head(const synth_options *options, const head *h, int64_t identity)
{
    int others = 0;
    for (const head *other = h->next; other; other = other->next)
        others++;
    rng r = rng_at(options->seed, HEAD_EPOCH, (uint64_t)identity, RNG_SYNTH);
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
    rng r = rng_at(options->seed, PERSON_EPOCH, (uint64_t)identity, RNG_SYNTH);
    person_draw(out, weights, pick_head(options, h, identity)->face, &r);
}

static expression_class face_class(const synth_options *options, int64_t number)
{
    return tasks[options->task].first + (expression_class)(number % tasks[options->task].count);
}

void synth_face_draw(synth_face *out, const synth_options *options, const head *h, const person *who, int64_t number)
{
    /* the first identity is part of the name: two sets of one seed with different people share no pose or light either
     */
    rng r = rng_at(options->seed ^ (uint64_t)options->first_identity << 32, 0, (uint64_t)number, RNG_SYNTH);
    out->number = number;
    out->identity = synth_identity(options, number);
    if (options->studio)
        shot_studio(&out->shot, who);
    else
        shot_draw(&out->shot, who, &r);
    rng worn = rng_at(options->seed ^ (uint64_t)options->first_identity << 32, WORN_EPOCH, (uint64_t)number, RNG_SYNTH);
    if (!options->studio)
        occluders_draw(&out->shot.worn, who, face_class(options, number), &worn);
    expression_draw(&out->expression, head_of(h, who->face), face_class(options, number), tasks[options->task].low, 1,
                    &r);
    if (!options->studio)
        out->shot.pitch += out->expression.nod;
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

int synth_class_count(synth_task task)
{
    return tasks[task].count;
}

void synth_class_folder(char dst[SYNTH_FOLDER_BYTES], synth_task task, int index)
{
    snprintf(dst, SYNTH_FOLDER_BYTES, "%s", expression_names[tasks[task].first + (expression_class)index]);
    for (; *dst; dst++)
        *dst = (char)toupper((unsigned char)*dst);
}

void synth_face_name(char *dst, size_t bytes, const synth_options *options, int64_t number)
{
    char folder[SYNTH_FOLDER_BYTES];
    synth_class_folder(folder, options->task, (int)(number % tasks[options->task].count));
    snprintf(dst, bytes, "%s%s%06" PRId64 ".jpg", options->task == SYNTH_LSD ? folder : "",
             options->task == SYNTH_LSD ? "/" : "", number + 1);
}
