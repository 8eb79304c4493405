/* The memory that a training or an inference of a network takes on a GPU, told without one:
 *     cuda_plan train|infer NETWORK SIZE f32|bf16 BATCH...
 * NETWORK is an architecture, alone or with +smm (train); SIZE 0 its own. A line of JSON for each batch: parameters
 * with their gradients and moments, what activations and scratch are planned with, packed weights, and the most that
 * was taken at once. The device is one that computes nothing and whose memory is never touched. Scratch is that of our
 * own kernels and products: cuDNN asks for its own beside it, the staged batch takes its bytes, and so do the driver
 * and the libraries. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/emulated_device.h"
#include "base/str.h"
#include "bench/bench_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mien_status tell(const mien_bench_options *o, const char *network, const char *what)
{
    mien_status st = MIEN_OK;
    bench_subject s = {0};
    backend *b = NULL;
    backend_room room;
    TRY(backend_cuda_create(&b, NULL));
    TRY_OUT(bench_subject_create(&s, o, b));
    TRY_OUT(b->room(b, &room));
    const model *m = s.is_mtl ? s.mtl.model : s.model;
    const program_memory used = program_memory_used(bench_subject_program(&s));
    printf("{\"what\": \"%s\", \"network\": \"%s\", \"size\": %d, \"precision\": \"%s\", \"batch\": %d, "
           "\"parameters\": %lld, \"planned_bytes\": %zu, \"scratch_bytes\": %zu, \"packed_bytes\": %zu, "
           "\"peak_bytes\": %zu}\n",
           what, network, model_spec_of(m)->image_size, o->compute->precision == MIEN_PRECISION_F32 ? "f32" : "bf16",
           o->batch, (long long)param_store_parameter_count(model_params((model *)m)), used.planned_bytes,
           used.scratch_bytes, used.constant_bytes, room.peak);
out:
    bench_subject_clear(&s);
    b->free(b);
    return st;
}

static mien_status tell_all(int argc, char **argv)
{
    char arch[64];
    mien_compute compute;
    mien_bench_options o;
    mien_compute_init(&compute);
    mien_bench_options_init(&o);
    snprintf(arch, sizeof arch, "%s", argv[2]);
    if (str_ends(arch, "+smm")) {
        arch[strlen(arch) - 4] = '\0';
        o.kind = MIEN_BENCH_SMM;
    }
    compute.precision = strcmp(argv[4], "f32") ? MIEN_PRECISION_BF16 : MIEN_PRECISION_F32;
    o.what = strcmp(argv[1], "infer") ? MIEN_BENCH_TRAIN : MIEN_BENCH_INFER;
    o.arch = arch;
    o.image_size = atoi(argv[3]);
    o.compute = &compute;
    for (int i = 5; i < argc; i++) {
        o.batch = atoi(argv[i]);
        TRY(tell(&o, argv[2], argv[1]));
    }
    return MIEN_OK;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "cuda_plan: wrong usage (wanted train|infer NETWORK SIZE f32|bf16 BATCH...)\n");
        return 2;
    }
    emulated = (emulated_machine){.is_idle = true, .processors = 132};
    if (tell_all(argc, argv) != MIEN_OK) {
        fprintf(stderr, "cuda_plan: %s\n", mien_error());
        return 1;
    }
    return 0;
}
