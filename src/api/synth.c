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

mien_status mien_synth(const mien_synth_options *options)
{
    TRY(api_need(options, "mien_synth", "options"));
    TRY(api_need(options->face, "mien_synth", "face"));
    TRY(api_need(options->task, "mien_synth", "task"));
    TRY(api_need(options->out ? options->out : options->sheet, "mien_synth", "out"));
    bool is_mtl = !strcmp(options->task, "mtl");
    if (!is_mtl && strcmp(options->task, "lsd"))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s (wanted lsd or mtl)", options->task);
    const bool is_complete = !options->missing || !strcmp(options->missing, "none");
    if (!is_complete && strcmp(options->missing, "aff-wild2"))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "missing: %.32s (wanted none or aff-wild2)", options->missing);
    progress p = api_progress(&options->compute);
    return synth_run(&(synth_options){.out = options->out,
                                      .face_path = options->face,
                                      .count = options->count,
                                      .identities = options->identities,
                                      .first_identity = options->first_identity,
                                      .size = options->size,
                                      .task = is_mtl ? SYNTH_MTL : SYNTH_LSD,
                                      .missing = is_complete ? SYNTH_COMPLETE : SYNTH_AFF_WILD2,
                                      .seed = options->seed,
                                      .studio = options->is_studio != 0,
                                      .resume = options->is_resumed != 0,
                                      .force = options->is_forced != 0,
                                      .threads = api_threads(&options->compute),
                                      .sheet = options->sheet},
                     &p);
}
