/* Products by cuBLASLt, as the files that are made of them meet them. */
#ifndef BACKEND_CUDA_CUBLAS_INT_H
#define BACKEND_CUDA_CUBLAS_INT_H

#include "backend/cuda/cuda_int.h"

/* Operands of a product's call. */
enum { PRODUCT_LEFT, PRODUCT_RIGHT, PRODUCT_Y, PRODUCT_BIAS, PRODUCT_WORKSPACE, PRODUCT_OPERANDS };

/* A matrix as it lies: rows of `columns` elements, `stride` apart, of each product `batch_stride` apart. */
typedef struct {
    dtype type;
    int64_t alignment; /* bytes that the address of the first is a multiple of */
    int64_t rows, columns, stride, batch_stride;
    bool is_turned; /* the product takes its transpose */
} matrix;

typedef struct {
    matrix left, right, y;
    int64_t batch;
    int epilogue;        /* LT_EPILOGUE_BIAS: of y's columns; LT_EPILOGUE_BGRADB: sums over rows of left, turned */
    int64_t bias_stride; /* from one product's bias to the next's */
} product_plan;

typedef struct {
    cuda_call *call;
    size_t workspace_bytes; /* of PRODUCT_WORKSPACE, which cuda_workspace_at aligns */
} cuda_product;

bool cuda_has_products(const cuda_backend *b);
/* MIEN_ERR_UNSUPPORTED where there is no algorithm. */
MIEN_MUST_USE mien_status cuda_product_create(cuda_product *out, const cuda_backend *b, const product_plan *plan);

#endif
