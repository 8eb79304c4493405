/* The decision is made once, under pthread_once, because oneDNN takes its limit before its first use and never again.
 * cpuid tells all but AMX, which the operating system grants: there oneDNN is asked. */
#include "backend/cpu/isa.h"

#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    dnnl_cpu_isa_t limit;        /* for oneDNN; the least it has for plain */
    const kernel_table *kernels; /* NULL where not built; AMX is oneDNN's alone */
} isas[ISA_COUNT] = {
    [ISA_PLAIN] = {"plain", dnnl_cpu_isa_sse41, &kernel_table_plain},
    [ISA_AVX2] = {"avx2", dnnl_cpu_isa_avx2, &kernel_table_avx2},
    [ISA_AVX512] = {"avx512", dnnl_cpu_isa_avx512_core, &kernel_table_avx512},
    [ISA_AVX512_BF16] = {"avx512_bf16", dnnl_cpu_isa_avx512_core_bf16, &kernel_table_avx512_bf16},
    [ISA_AMX] = {"amx", dnnl_cpu_isa_avx512_core_amx, &kernel_table_avx512_bf16},
};

/* Decided once: oneDNN takes its limit before its first use and never again. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct {
    isa chosen;
    mien_status status;
    char text[256];
} decision;

const char *isa_name(isa i)
{
    return isas[i].name;
}

bool isa_computes_bf16(isa i)
{
    return i >= ISA_AVX512_BF16;
}

const kernel_table *isa_kernels(isa i)
{
    return isas[i].kernels;
}

/* All but AMX, by cpuid. */
static isa vector_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return __builtin_cpu_supports("avx512bf16") ? ISA_AVX512_BF16 : ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return ISA_AVX2;
#endif
    return ISA_PLAIN;
}

/* AMX tiles must be granted by the kernel, which cpuid does not tell: oneDNN asks for them, and lowers its own level
 * where they are refused. Asking counts as its first use, after which it takes no limit. */
static bool has_amx(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_amx) == dnnl_cpu_isa_avx512_core_amx;
}

/* "plain, avx2": those that this build has kernels for */
static void built_names(char *dst, size_t bytes)
{
    size_t length = 0;
    for (isa i = ISA_PLAIN; i < ISA_COUNT && length < bytes; i++)
        if (isas[i].kernels)
            length += (size_t)snprintf(dst + length, bytes - length, "%s%s", i ? ", " : "", isas[i].name);
}

static mien_status choose(void)
{
    const char *wish = getenv("MIEN_ISA");
    bool is_limited = wish && *wish;
    isa limit = is_limited ? ISA_PLAIN : ISA_AMX;
    while (is_limited && limit < ISA_COUNT && strcmp(wish, isas[limit].name) != 0)
        limit++;
    if (limit == ISA_COUNT)
        return mien_fail(MIEN_ERR_UNSUPPORTED,
                         "MIEN_ISA: unknown instruction set (found %s, wanted plain, avx2, avx512, avx512_bf16 or amx)",
                         wish);
    if (is_limited && !isas[limit].kernels) {
        char built[64];
        built_names(built, sizeof built);
        return mien_fail(MIEN_ERR_UNSUPPORTED, "MIEN_ISA: this build has no %s (built for %s; CMake's MIEN_ISAS)", wish,
                         built);
    }
    const isa machine = vector_isa();
    isa best = limit < machine ? limit : machine;
    while (!isas[best].kernels)
        best--;
    if ((best < machine || (is_limited && best == limit)) && dnnl_set_max_cpu_isa(isas[best].limit) != dnnl_success)
        return mien_fail(MIEN_ERR_INTERNAL, "MIEN_ISA: oneDNN was in use before its limit was set");
    if (limit == ISA_AMX && best == ISA_AVX512_BF16 && has_amx())
        best = ISA_AMX;
    if (is_limited && best < limit)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "MIEN_ISA: this machine has no %s (found %s)", wish, isas[best].name);
    decision.chosen = best;
    return MIEN_OK;
}

static void decide(void)
{
    decision.status = choose();
    if (decision.status != MIEN_OK)
        status_text_save(decision.text, sizeof decision.text);
}

mien_status isa_get(isa *out)
{
    (void)pthread_once(&once, decide);
    if (decision.status != MIEN_OK) {
        status_text_load(decision.text);
        return decision.status;
    }
    *out = decision.chosen;
    return MIEN_OK;
}

bool isa_is_kept_from_onednn(char *dst, size_t bytes)
{
    static const char *const variables[] = {"ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"}; /* the first one counts */
    isa used = ISA_PLAIN;
    if (isa_get(&used) != MIEN_OK || (dnnl_get_effective_cpu_isa() & isas[used].limit) == isas[used].limit)
        return false;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i]);
        if (value) {
            snprintf(dst, bytes, "found %s=%.24s, wanted %s", variables[i], value, isas[used].name);
            return true;
        }
    }
    return false;
}
