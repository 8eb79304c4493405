/* mien_export: the options, checked, and the models opened for whoever writes the file. */
#include "infer/export.h"

#include "api/api.h"
#include "base/str.h"

static mien_status check(const char *const *paths, int count, const mien_export_options *o)
{
    TRY(api_need(o->out, "mien_export", "out"));
    TRY(api_need(paths, "mien_export", "paths"));
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_export: count: %d (wanted at least 1)", count);
    if ((int)o->input < MIEN_EXPORT_UINT8 || (int)o->input > MIEN_EXPORT_RAW)
        return mien_fail(MIEN_ERR_ARG, "mien_export: input: %d (wanted a mien_export_input)", (int)o->input);
    if (!str_ends(o->out, ".onnx") && !str_ends(o->out, ".safetensors"))
        return mien_fail(MIEN_ERR_ARG, "%s: cannot tell the format (wanted a name ending in .onnx or .safetensors)",
                         o->out);
    return MIEN_OK;
}

mien_status mien_export(char **out, const char *const *paths, int count, const mien_export_options *given)
{
    static const onnx_form forms[] = {
        [MIEN_EXPORT_UINT8] = ONNX_UINT8, [MIEN_EXPORT_FLOAT] = ONNX_FLOAT, [MIEN_EXPORT_RAW] = ONNX_RAW};
    mien_export_options o;
    TRY(api_need(given, "mien_export", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_EXPORT, "mien_export"));
    TRY(check(paths, count, &o));
    mien_status st;
    ensemble *members = NULL;
    json_t *report = NULL;
    TRY(api_ensemble_open(&members, paths, count, false, NULL, PRECISION_AUTO));
    TRY_OUT(str_ends(o.out, ".onnx") ? export_onnx(&report, members, o.out, forms[o.input])
                                     : export_safetensors(&report, members, o.out));
    if (out)
        TRY_OUT(json_print(out, report));
out:
    json_decref(report);
    ensemble_free(members);
    return st;
}
