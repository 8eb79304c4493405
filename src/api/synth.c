/* mien_face_pack and mien_synth: the generator's options, checked and handed over. */
#include "synth/set/synth.h"

#include "api/drawn.h"
#include "synth/face/face_model.h"

#include <stdio.h>
#include <string.h>

mien_status mien_face_pack(const char *source, const char *out_path)
{
    TRY(api_need(source, "mien_face_pack", "source"));
    TRY(api_need(out_path, "mien_face_pack", "out_path"));
    return face_pack(source, out_path);
}

const char *mien_synth_task(int index)
{
    return synth_task_name(index);
}

/* NULL: the first. */
static mien_status find_task(synth_task *out, const char *name)
{
    char known[64] = "";
    for (int i = 0; synth_task_name(i); i++) {
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? " or " : "", synth_task_name(i));
        if (!name || strcmp(name, synth_task_name(i)) == 0) {
            *out = (synth_task)i;
            return MIEN_OK;
        }
    }
    return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s (wanted %s)", name, known);
}

const char *mien_synth_sheet(int index)
{
    return synth_sheet_name(index);
}

/* NULL: the first. */
static mien_status find_sheet(int *out, const char *name)
{
    for (*out = 0; synth_sheet_name(*out); (*out)++)
        if (!name || strcmp(name, synth_sheet_name(*out)) == 0)
            return MIEN_OK;
    return mien_fail(MIEN_ERR_UNSUPPORTED, "sheet_kind: %.32s (wanted a name that mien_synth_sheet gives)", name);
}

/* All that is not about files or threads; to be freed with api_drawn_free, also where it fails. */
static mien_status describe(drawn_set *out, const mien_synth_options *o)
{
    const bool is_complete = !o->missing || !strcmp(o->missing, "none");
    synth_task task;
    int sheet_kind;
    TRY(find_task(&task, o->task));
    TRY(find_sheet(&sheet_kind, o->sheet_kind));
    if (o->scene && o->is_studio)
        return mien_fail(MIEN_ERR_ARG, "is_studio is a scene of its own (wanted no scene beside it)");
    if (!is_complete && strcmp(o->missing, "aff-wild2"))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "missing: %.32s (wanted none or aff-wild2)", o->missing);
    out->options = (synth_options){.face_path = o->face,
                                   .more_faces = o->more_faces,
                                   .more_face_count = o->more_face_count,
                                   .face_share = o->face_share,
                                   .count = o->count,
                                   .identities = o->identities,
                                   .first_identity = o->first_identity,
                                   .size = o->image_size,
                                   .task = task,
                                   .clip = o->clip,
                                   .crowd = o->crowd,
                                   .sheet_kind = sheet_kind,
                                   .missing = is_complete ? SYNTH_COMPLETE : SYNTH_AFF_WILD2,
                                   .seed = o->seed};
    TRY(scene_load(&out->scene, o->is_studio ? "studio" : o->scene, task));
    out->options.scene = out->scene;
    return MIEN_OK;
}

/* What a caller gave, with defaults, and a face model at least. */
static mien_status take_options(mien_synth_options *o, mien_compute *compute, const mien_synth_options *given,
                                const char *call)
{
    TRY(api_need(given, call, "options"));
    TRY(api_options(o, given, MIEN_OPTIONS_SYNTH, call));
    TRY(api_compute(compute, o->compute, call));
    return api_need(o->face, call, "face");
}

mien_status api_drawn_open(drawn_set *out, const mien_synth_options *given, const char *call)
{
    mien_synth_options o;
    mien_compute compute;
    TRY(take_options(&o, &compute, given, call));
    TRY(describe(out, &o));
    out->options.threads = api_threads(&compute);
    return cast_open(&out->cast, &out->options);
}

void api_drawn_free(drawn_set *d)
{
    scene_free(d->scene);
    cast_close(&d->cast);
}

mien_status mien_synth(const mien_synth_options *given)
{
    mien_synth_options o;
    mien_compute compute;
    drawn_set set = {0};
    TRY(take_options(&o, &compute, given, "mien_synth"));
    TRY(api_need(o.out ? o.out : o.sheet ? o.sheet : o.quiz, "mien_synth", "out"));
    progress p = api_progress(&compute);
    mien_status st = describe(&set, &o);
    if (st == MIEN_OK) {
        set.options.out = o.out;
        set.options.sheet = o.sheet;
        set.options.quiz = o.quiz;
        set.options.resume = o.is_resumed != 0;
        set.options.force = o.is_forced != 0;
        set.options.threads = api_threads(&compute);
        st = synth_run(&set.options, &p);
    }
    api_drawn_free(&set);
    return st;
}

mien_status mien_scene_reference(char **out)
{
    TRY(api_need(out, "mien_scene_reference", "out"));
    str text = {0};
    mien_status st = scene_reference(&text);
    if (st != MIEN_OK) {
        str_free(&text);
        return st;
    }
    *out = text.text;
    return MIEN_OK;
}
