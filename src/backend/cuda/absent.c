/* What stands for the CUDA backend in a build without it. */
#include "backend/cuda/cuda.h"

bool backend_cuda_is_built(void)
{
    return false;
}

mien_status backend_cuda_create(backend **out, const cuda_options *options)
{
    (void)out;
    (void)options;
    return mien_fail(MIEN_ERR_UNSUPPORTED, "device: this build has no CUDA (wanted one made with -DMIEN_CUDA=ON)");
}
