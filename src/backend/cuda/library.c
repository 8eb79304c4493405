/* Finding cuDNN and cuBLASLt. cuBLASLt first: cuDNN looks for it by name, and takes what is loaded. */
#include "backend/cuda/library.h"
#include "backend/cuda/dl.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- where they lie ----------------------------------------------------------------------------------------------- */
enum { MAX_PATH = 1024 };

static void *open_in(const char *folder, size_t length, const char *below, const char *name)
{
    char path[MAX_PATH];
    int used = snprintf(path, sizeof path, "%.*s%s/%s", (int)length, folder, below, name);
    return used > 0 && used < (int)sizeof path ? dl_open(path) : NULL;
}

/* In each folder of a list, or as wheels lie in it. */
static void *open_in_list(const char *folders, const char *name)
{
    void *library = NULL;
    while (folders && *folders && !library) {
        const size_t length = strcspn(folders, ":");
        if (length > 0)
            library = open_in(folders, length, "", name);
        if (length > 0 && !library)
            library = open_in(folders, length, "/nvidia/*/lib", name);
        folders += length + (folders[length] == ':');
    }
    return library;
}

static void *open_anywhere(const char *name)
{
    const char *environment = getenv("VIRTUAL_ENV"), *cuda = "/usr/local/cuda";
    void *library = open_in_list(getenv("MIEN_CUDA_LIBS"), name);
    if (!library)
        library = dl_open(name);
    if (!library && environment)
        library = open_in(environment, strlen(environment), "/lib/python3*/site-packages/nvidia/*/lib", name);
    if (!library)
        library = open_in(cuda, strlen(cuda), "/lib64", name);
    return library;
}

/* --- what is wanted of them --------------------------------------------------------------------------------------- */
typedef struct {
    const char *name;
    size_t at; /* offset of the pointer in the struct of functions */
} symbol;

static const symbol dnn_symbols[] = {{"cudnnGetVersion", offsetof(dnn_functions, get_version)},
                                     {"cudnnGetErrorString", offsetof(dnn_functions, get_error_string)},
                                     {"cudnnCreate", offsetof(dnn_functions, create)},
                                     {"cudnnDestroy", offsetof(dnn_functions, destroy)},
                                     {"cudnnSetStream", offsetof(dnn_functions, set_stream)},
                                     {"cudnnBackendCreateDescriptor", offsetof(dnn_functions, create_descriptor)},
                                     {"cudnnBackendDestroyDescriptor", offsetof(dnn_functions, destroy_descriptor)},
                                     {"cudnnBackendFinalize", offsetof(dnn_functions, finalize)},
                                     {"cudnnBackendSetAttribute", offsetof(dnn_functions, set_attribute)},
                                     {"cudnnBackendGetAttribute", offsetof(dnn_functions, get_attribute)},
                                     {"cudnnBackendExecute", offsetof(dnn_functions, execute)},
                                     {0}};
static const symbol lt_symbols[] = {
    {"cublasLtGetVersion", offsetof(lt_functions, get_version)},
    {"cublasLtGetStatusString", offsetof(lt_functions, get_status_string)},
    {"cublasLtCreate", offsetof(lt_functions, create)},
    {"cublasLtDestroy", offsetof(lt_functions, destroy)},
    {"cublasLtMatmulDescCreate", offsetof(lt_functions, matmul_desc_create)},
    {"cublasLtMatmulDescDestroy", offsetof(lt_functions, matmul_desc_destroy)},
    {"cublasLtMatmulDescSetAttribute", offsetof(lt_functions, matmul_desc_set_attribute)},
    {"cublasLtMatrixLayoutCreate", offsetof(lt_functions, layout_create)},
    {"cublasLtMatrixLayoutDestroy", offsetof(lt_functions, layout_destroy)},
    {"cublasLtMatrixLayoutSetAttribute", offsetof(lt_functions, layout_set_attribute)},
    {"cublasLtMatmulPreferenceCreate", offsetof(lt_functions, preference_create)},
    {"cublasLtMatmulPreferenceDestroy", offsetof(lt_functions, preference_destroy)},
    {"cublasLtMatmulPreferenceSetAttribute", offsetof(lt_functions, preference_set_attribute)},
    {"cublasLtMatmulAlgoGetHeuristic", offsetof(lt_functions, get_heuristic)},
    {"cublasLtMatmul", offsetof(lt_functions, matmul)},
    {0}};

/* A library: names that it goes by, the best first. */
typedef struct {
    const char *title;
    const char *names[3];
    const symbol *symbols;
    const char *work; /* what it would compute */
} wanted;

static const wanted wanted_dnn = {"cuDNN", {"libcudnn.so.9", "libcudnn_graph.so.9"}, dnn_symbols, "convolutions"};
static const wanted wanted_lt = {"cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"}, lt_symbols, "products"};

static void tell(const wanted *w, const char *what)
{
    log_notice("%s: %s: kernels of ours compute %s, slower", w->title, what, w->work);
}

/* The first library of w's names that has every function, which are filled in; NULL, and a notice, where none has. */
static void *find(const wanted *w, void *functions)
{
    char missing[160];
    snprintf(missing, sizeof missing, "%s not found (MIEN_CUDA_LIBS may name its folder)", w->names[0]);
    for (int i = 0; w->names[i]; i++) {
        void *file = open_anywhere(w->names[i]);
        const symbol *s = w->symbols;
        for (; file && s->name; s++) {
            void *function = dl_symbol(file, s->name);
            if (!function)
                break;
            memcpy((char *)functions + s->at, &function, sizeof function);
        }
        if (file && !s->name)
            return file;
        if (file)
            snprintf(missing, sizeof missing, "%s has no %s", w->names[i], s->name);
        dl_close(file);
    }
    tell(w, missing);
    return NULL;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */
/* The interface is that of 9.0, and another major version's may differ. */
enum { DNN_OLDEST = 90000, DNN_NEXT = 100000, LT_OLDEST = 120000 };

static void open_dnn(cuda_libraries *l, const device *d)
{
    char what[160];
    l->dnn_file = find(&wanted_dnn, &l->dnn);
    if (!l->dnn_file)
        return;
    const int version = (int)l->dnn.get_version();
    if (version < DNN_OLDEST || version >= DNN_NEXT) {
        snprintf(what, sizeof what, "version not known (found %d, wanted 9)", version);
        tell(&wanted_dnn, what);
        return;
    }
    int status = l->dnn.create(&l->dnn_handle);
    if (status == DNN_STATUS_SUCCESS && (status = l->dnn.set_stream(l->dnn_handle, d->stream)) != DNN_STATUS_SUCCESS) {
        (void)l->dnn.destroy(l->dnn_handle);
        l->dnn_handle = NULL;
    }
    if (status != DNN_STATUS_SUCCESS) {
        l->dnn_handle = NULL;
        snprintf(what, sizeof what, "%s", l->dnn.get_error_string(status));
        tell(&wanted_dnn, what);
        return;
    }
    l->dnn_version = version;
    log_notice("cuDNN %d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

static void open_lt(cuda_libraries *l)
{
    char what[160];
    l->lt_file = find(&wanted_lt, &l->lt);
    if (!l->lt_file)
        return;
    const int version = (int)l->lt.get_version();
    if (version < LT_OLDEST) {
        snprintf(what, sizeof what, "version too old (found %d, wanted %d)", version, LT_OLDEST);
        tell(&wanted_lt, what);
        return;
    }
    const int status = l->lt.create(&l->lt_handle);
    if (status != LT_STATUS_SUCCESS) {
        l->lt_handle = NULL;
        snprintf(what, sizeof what, "%s", l->lt.get_status_string(status));
        tell(&wanted_lt, what);
        return;
    }
    l->lt_version = version;
    log_notice("cuBLASLt %d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

mien_status cuda_libraries_open(cuda_libraries **out, device *d)
{
    cuda_libraries *l = NULL;
    TRY(mem_zalloc(&l, 1));
    open_lt(l);
    open_dnn(l, d);
    *out = l;
    return MIEN_OK;
}

void cuda_libraries_free(cuda_libraries *l)
{
    if (!l)
        return;
    if (l->dnn_handle)
        (void)l->dnn.destroy(l->dnn_handle);
    if (l->lt_handle)
        (void)l->lt.destroy(l->lt_handle);
    dl_close(l->dnn_file);
    dl_close(l->lt_file);
    mem_free(l);
}

/* --- failures ----------------------------------------------------------------------------------------------------- */
mien_status dnn_fail(const cuda_libraries *l, const char *what, int status)
{
    enum { CATEGORY = 1000 };
    mien_status st = MIEN_ERR_INTERNAL;
    if (status / CATEGORY * CATEGORY == DNN_STATUS_NOT_SUPPORTED)
        st = MIEN_ERR_UNSUPPORTED;
    else if (status == DNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED)
        st = MIEN_ERR_NOMEM;
    return mien_fail(st, "cuDNN: %s: %s", what, l->dnn.get_error_string(status));
}

mien_status lt_fail(const cuda_libraries *l, const char *what, int status)
{
    mien_status st = MIEN_ERR_INTERNAL;
    if (status == LT_STATUS_NOT_SUPPORTED || status == LT_STATUS_ARCH_MISMATCH)
        st = MIEN_ERR_UNSUPPORTED;
    else if (status == LT_STATUS_ALLOC_FAILED)
        st = MIEN_ERR_NOMEM;
    return mien_fail(st, "cuBLASLt: %s: %s", what, l->lt.get_status_string(status));
}
