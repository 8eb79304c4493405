/* `auto` is bf16 where the backend computes in it and f32 elsewhere; bf16 that was asked for and is not there is
 * refused, never replaced. */
#include "graph/precision.h"

mien_status precision_resolve(dtype *out, precision_kind asked, const backend *b)
{
    bool has_bf16 = b->computes_bf16(b);
    if (asked == PRECISION_BF16 && !has_bf16)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "precision: this machine does not compute in bf16 (%s; wanted f32)",
                         b->isa(b));
    *out = asked == PRECISION_F32 || !has_bf16 ? DTYPE_F32 : DTYPE_BF16;
    return MIEN_OK;
}
