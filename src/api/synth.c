/* mien_face_pack and mien_synth: the generator's options, checked and handed over. */
#include "synth/synth.h"

#include "api/api.h"
#include "synth/face_model.h"

#include <string.h>

mien_status mien_face_pack(const char *source, const char *out_path)
{
    TRY(api_need(source, "mien_face_pack", "source"));
    TRY(api_need(out_path, "mien_face_pack", "out_path"));
    return face_pack(source, out_path);
}

mien_status mien_synth(const mien_synth_options *given)
{
    mien_synth_options o;
    mien_compute compute;
    TRY(api_need(given, "mien_synth", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_SYNTH, "mien_synth"));
    TRY(api_compute(&compute, o.compute, "mien_synth"));
    TRY(api_need(o.face, "mien_synth", "face"));
    TRY(api_need(o.task, "mien_synth", "task"));
    TRY(api_need(o.out ? o.out : o.sheet, "mien_synth", "out"));
    bool is_mtl = !strcmp(o.task, "mtl");
    if (!is_mtl && strcmp(o.task, "lsd"))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s (wanted lsd or mtl)", o.task);
    const bool is_complete = !o.missing || !strcmp(o.missing, "none");
    if (!is_complete && strcmp(o.missing, "aff-wild2"))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "missing: %.32s (wanted none or aff-wild2)", o.missing);
    progress p = api_progress(&compute);
    return synth_run(&(synth_options){.out = o.out,
                                      .face_path = o.face,
                                      .count = o.count,
                                      .identities = o.identities,
                                      .first_identity = o.first_identity,
                                      .size = o.image_size,
                                      .task = is_mtl ? SYNTH_MTL : SYNTH_LSD,
                                      .missing = is_complete ? SYNTH_COMPLETE : SYNTH_AFF_WILD2,
                                      .seed = o.seed,
                                      .studio = o.is_studio != 0,
                                      .resume = o.is_resumed != 0,
                                      .force = o.is_forced != 0,
                                      .threads = api_threads(&compute),
                                      .sheet = o.sheet},
                     &p);
}
