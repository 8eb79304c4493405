/* mien_face_pack and mien_synth: the generator's options, checked and handed over. */
#include "synth/set/synth.h"

#include "api/api.h"
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

mien_status mien_synth(const mien_synth_options *given)
{
    mien_synth_options o;
    mien_compute compute;
    TRY(api_need(given, "mien_synth", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_SYNTH, "mien_synth"));
    TRY(api_compute(&compute, o.compute, "mien_synth"));
    TRY(api_need(o.face, "mien_synth", "face"));
    TRY(api_need(o.out ? o.out : o.sheet ? o.sheet : o.quiz, "mien_synth", "out"));
    synth_task task;
    int sheet_kind;
    TRY(find_task(&task, o.task));
    TRY(find_sheet(&sheet_kind, o.sheet_kind));
    const bool is_complete = !o.missing || !strcmp(o.missing, "none");
    if (!is_complete && strcmp(o.missing, "aff-wild2"))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "missing: %.32s (wanted none or aff-wild2)", o.missing);
    progress p = api_progress(&compute);
    return synth_run(&(synth_options){.out = o.out,
                                      .face_path = o.face,
                                      .more_faces = o.more_faces,
                                      .more_face_count = o.more_face_count,
                                      .face_share = o.face_share,
                                      .count = o.count,
                                      .identities = o.identities,
                                      .first_identity = o.first_identity,
                                      .size = o.image_size,
                                      .task = task,
                                      .clip = o.clip,
                                      .crowd = o.crowd,
                                      .missing = is_complete ? SYNTH_COMPLETE : SYNTH_AFF_WILD2,
                                      .seed = o.seed,
                                      .studio = o.is_studio != 0,
                                      .resume = o.is_resumed != 0,
                                      .force = o.is_forced != 0,
                                      .threads = api_threads(&compute),
                                      .sheet = o.sheet,
                                      .sheet_kind = sheet_kind,
                                      .quiz = o.quiz},
                     &p);
}
