/* The memory that a training or an inference of a network is planned with on a GPU, told without one:
 *     cuda_plan train|infer NETWORK SIZE f32|bf16
 * NETWORK is an architecture, alone or with +smm (train); SIZE 0 its own. Activations grow by the same number of bytes
 * with each picture, so batches of 2 and of 4 tell both what a picture takes and what a program takes besides. Scratch
 * is that of our own kernels: where cuDNN is, it asks for its own. */
#include "backend/cuda/cuda.h"
#include "base/str.h"
#include "bench/bench_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mien_status plan(program_memory *out, int64_t *parameters, int *size, mien_bench_options *o)
{
    mien_status st = MIEN_OK;
    bench_subject s = {0};
    backend *b = NULL;
    TRY(backend_cuda_create(&b, NULL));
    TRY_OUT(bench_subject_create(&s, o, b));
    const model *m = s.is_mtl ? s.mtl.model : s.model;
    *out = program_memory_used(bench_subject_program(&s));
    *parameters = param_store_parameter_count(model_params((model *)m));
    *size = model_spec_of(m)->image_size;
out:
    bench_subject_clear(&s);
    b->free(b);
    return st;
}

static mien_status tell(const char *what, const char *network, int given_size, const char *precision)
{
    char arch[64];
    program_memory used[2];
    int64_t parameters = 0;
    int size = 0;
    mien_compute compute;
    mien_bench_options o;
    mien_compute_init(&compute);
    mien_bench_options_init(&o);
    snprintf(arch, sizeof arch, "%s", network);
    if (str_ends(arch, "+smm")) {
        arch[strlen(arch) - 4] = '\0';
        o.kind = MIEN_BENCH_SMM;
    }
    compute.precision = strcmp(precision, "f32") ? MIEN_PRECISION_BF16 : MIEN_PRECISION_F32;
    o.what = strcmp(what, "infer") ? MIEN_BENCH_TRAIN : MIEN_BENCH_INFER;
    o.arch = arch;
    o.image_size = given_size;
    o.compute = &compute;
    for (int i = 0; i < 2; i++) {
        o.batch = 2 << i;
        TRY(plan(&used[i], &parameters, &size, &o));
    }
    const double picture = ((double)used[1].planned_bytes - (double)used[0].planned_bytes) / 2;
    printf("{\"what\": \"%s\", \"network\": \"%s\", \"size\": %d, \"precision\": \"%s\", \"parameters\": %lld, "
           "\"bytes_a_picture\": %.0f, \"bytes_besides\": %.0f, \"packed_bytes\": %zu}\n",
           what, network, size, precision, (long long)parameters, picture, (double)used[0].planned_bytes - 2 * picture,
           used[0].constant_bytes);
    return MIEN_OK;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "cuda_plan: wrong usage (wanted train|infer NETWORK SIZE f32|bf16)\n");
        return 2;
    }
    if (tell(argv[1], argv[2], atoi(argv[3]), argv[4]) != MIEN_OK) {
        fprintf(stderr, "cuda_plan: %s\n", mien_error());
        return 1;
    }
    return 0;
}
