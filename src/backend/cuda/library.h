/* cuDNN and cuBLASLt as they are found when a backend is made: functions, a handle whose work goes into the device's
 * stream, and a version. A library that is not there, or that is too old, is told once, and our own kernels do its
 * work. */
#ifndef BACKEND_CUDA_LIBRARY_H
#define BACKEND_CUDA_LIBRARY_H

#include "backend/cuda/cublas_abi.h"
#include "backend/cuda/cudnn_abi.h"
#include "backend/cuda/device.h"

typedef struct {
    dnn_functions dnn;
    dnn_handle dnn_handle; /* NULL: no cuDNN */
    int dnn_version;       /* 91900 is 9.19.0; 0 where there is none */
    lt_functions lt;
    lt_handle lt_handle; /* NULL: no cuBLASLt */
    int lt_version;      /* 130100 is 13.1.0; 0 where there is none */
    void *dnn_file, *lt_file;
} cuda_libraries;

/* Looks in the folders of MIEN_CUDA_LIBS (separated by ":"; of each, also where Python's wheels lie in it:
 * nvidia/NAME/lib), then where the system does (LD_LIBRARY_PATH), in the virtual environment that is active, and in
 * CUDA's own folder. The device is borrowed. */
MIEN_MUST_USE mien_status cuda_libraries_open(cuda_libraries **out, device *d);
void cuda_libraries_free(cuda_libraries *l); /* NULL is a no-op */

/* The failure of a library's call: MIEN_ERR_UNSUPPORTED where it has no kernel for what was asked, MIEN_ERR_NOMEM, or
 * MIEN_ERR_INTERNAL "cuDNN: WHAT: its words". */
MIEN_MUST_USE mien_status dnn_fail(const cuda_libraries *l, const char *what, int status);
MIEN_MUST_USE mien_status lt_fail(const cuda_libraries *l, const char *what, int status);

#define TRY_DNN(l, what, call)                                                                                         \
    do {                                                                                                               \
        int dnn_status_ = (call);                                                                                      \
        if (dnn_status_ != DNN_STATUS_SUCCESS)                                                                         \
            return dnn_fail((l), (what), dnn_status_);                                                                 \
    } while (0)
#define TRY_LT(l, what, call)                                                                                          \
    do {                                                                                                               \
        int lt_status_ = (call);                                                                                       \
        if (lt_status_ != LT_STATUS_SUCCESS)                                                                           \
            return lt_fail((l), (what), lt_status_);                                                                   \
    } while (0)

#endif
