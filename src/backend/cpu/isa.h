/* Which instructions kernels use: the best that the machine has and this build has kernels for, or what the environment
 * variable MIEN_ISA allows (plain, avx2, avx512, avx512_bf16, amx), read once a process. It limits oneDNN as well. */
#ifndef BACKEND_CPU_ISA_H
#define BACKEND_CPU_ISA_H

#include "backend/cpu/kernel/table.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum { ISA_PLAIN, ISA_AVX2, ISA_AVX512, ISA_AVX512_BF16, ISA_AMX, ISA_COUNT } isa;

/* The instruction set in use. Errors: MIEN_ERR_UNSUPPORTED "MIEN_ISA: ..." each time, where the variable asks for what
 * is unknown, not there, or not built. Threads: any. */
MIEN_MUST_USE mien_status isa_get(isa *out);
const char *isa_name(isa i);   /* "avx512_bf16" */
bool isa_computes_bf16(isa i); /* products of bf16 with f32 sums */
/* Our kernels for it, NULL where this build has none (MIEN_ISAS). */
const kernel_table *isa_kernels(isa i);
/* Is oneDNN held below the instruction set in use by a variable of its own? Then dst says how: "found
 * DNNL_MAX_CPU_ISA=SSE41, wanted avx512". */
bool isa_is_kept_from_onednn(char *dst, size_t bytes);

#endif
