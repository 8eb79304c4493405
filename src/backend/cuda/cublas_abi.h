/* What of cuBLASLt (12 and 13) we use, as cublasLt.h documents it: no foreign header is needed to build.
 * tests/backend/test_abi_cuda.c holds every value beside the real header's. */
#ifndef BACKEND_CUDA_CUBLAS_ABI_H
#define BACKEND_CUDA_CUBLAS_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef void *lt_handle;     /* cublasLtHandle_t */
typedef void *lt_matmul;     /* cublasLtMatmulDesc_t */
typedef void *lt_layout;     /* cublasLtMatrixLayout_t */
typedef void *lt_preference; /* cublasLtMatmulPreference_t */

/* cublasStatus_t */
enum {
    LT_STATUS_SUCCESS = 0,
    LT_STATUS_ALLOC_FAILED = 3,
    LT_STATUS_INVALID_VALUE = 7,
    LT_STATUS_ARCH_MISMATCH = 8,
    LT_STATUS_NOT_SUPPORTED = 15
};

enum { LT_R_32F = 0, LT_R_16BF = 14 };                                            /* cudaDataType */
enum { LT_COMPUTE_32F = 68, LT_COMPUTE_32F_FAST_TF32 = 77 };                      /* cublasComputeType_t */
enum { LT_OP_N = 0, LT_OP_T = 1 };                                                /* cublasOperation_t */
enum { LT_REDUCTION_SCHEME_NONE = 0, LT_REDUCTION_SCHEME_COMPUTE_TYPE = 2 };      /* cublasLtReductionScheme_t */
enum { LT_EPILOGUE_DEFAULT = 1, LT_EPILOGUE_BIAS = 4, LT_EPILOGUE_BGRADB = 512 }; /* cublasLtEpilogue_t */

/* cublasLtMatmulDescAttributes_t: the type of each, all of 32 bits but the pointer and the stride */
enum {
    LT_MATMUL_DESC_TRANSA = 3,
    LT_MATMUL_DESC_TRANSB = 4,
    LT_MATMUL_DESC_EPILOGUE = 7,
    LT_MATMUL_DESC_BIAS_POINTER = 8,
    LT_MATMUL_DESC_BIAS_BATCH_STRIDE = 10
};
/* cublasLtMatrixLayoutAttribute_t: int32_t, int64_t */
enum { LT_MATRIX_LAYOUT_BATCH_COUNT = 5, LT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6 };
/* cublasLtMatmulPreferenceAttributes_t: uint64_t, uint32_t, and uint32_t each */
enum {
    LT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
    LT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
    LT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
    LT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
    LT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
    LT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8
};

typedef struct {
    uint64_t data[8];
} lt_algorithm; /* cublasLtMatmulAlgo_t */

typedef struct {
    lt_algorithm algorithm;
    size_t workspace_bytes;
    int state; /* LT_STATUS_SUCCESS, or the result says nothing */
    float waves;
    int reserved[4];
} lt_result; /* cublasLtMatmulHeuristicResult_t */

/* Each enumerated type is an int there, and passed as one here. Matrices are by columns. */
typedef struct {
    size_t (*get_version)(void);                  /* cublasLtGetVersion: 130100 is 13.1.0 */
    const char *(*get_status_string)(int status); /* cublasLtGetStatusString */
    int (*create)(lt_handle *handle);             /* cublasLtCreate, and so on */
    int (*destroy)(lt_handle handle);
    int (*matmul_desc_create)(lt_matmul *out, int compute_type, int scale_type);
    int (*matmul_desc_destroy)(lt_matmul desc);
    int (*matmul_desc_set_attribute)(lt_matmul desc, int attribute, const void *value, size_t bytes);
    int (*layout_create)(lt_layout *out, int type, uint64_t rows, uint64_t columns, int64_t stride);
    int (*layout_destroy)(lt_layout layout);
    int (*layout_set_attribute)(lt_layout layout, int attribute, const void *value, size_t bytes);
    int (*preference_create)(lt_preference *out);
    int (*preference_destroy)(lt_preference preference);
    int (*preference_set_attribute)(lt_preference preference, int attribute, const void *value, size_t bytes);
    int (*get_heuristic)(lt_handle handle, lt_matmul desc, lt_layout a, lt_layout b, lt_layout c, lt_layout d,
                         lt_preference preference, int wanted, lt_result *results, int *found);
    int (*matmul)(lt_handle handle, lt_matmul desc, const void *alpha, const void *a, lt_layout a_layout, const void *b,
                  lt_layout b_layout, const void *beta, const void *c, lt_layout c_layout, void *d, lt_layout d_layout,
                  const lt_algorithm *algorithm, void *workspace, size_t workspace_bytes, const void *stream);
} lt_functions;

#endif
