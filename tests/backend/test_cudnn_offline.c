/* Our descriptors before the real cuDNN, without a GPU: it plans for one whose properties it is told (9.8 and newer). A
 * handle cannot be had so; whoever would take it is given an H100's properties instead, and nothing is executed. Skips
 * where there is no cuDNN. */
#include "backend/cuda/cuda.h"
#include "backend/cuda/cudnn_abi.h"
#include "backend/cuda/dl.h"
#include "backend/ops_tests.h"

#include <dlfcn.h>
#include <stdio.h>

/* Of cudnn_graph.h, for this test alone. */
enum {
    TYPE_CHAR = 24,
    DEVICEPROP_DESCRIPTOR = 38,
    DEVICEPROP_JSON = 2702,
    HEUR_DEVICEPROP = 204,
    PLAN_DEVICEPROP = 407
};

static const char h100[] =
    "{\"maxGridSize\": [2147483647, 65535, 65535], \"maxBlockSize\": [1024, 1024, 64], \"regsPerBlock\": 65536, "
    "\"multiProcessorCount\": 132, \"smClockRateKHz\": 1980000, \"memClockRateKHz\": 2619000, \"l2CacheSize\": "
    "52428800, "
    "\"warpSize\": 32, \"maxSharedMemoryPerBlock\": 49152, \"maxSharedMemoryPerBlockOptin\": 232448, "
    "\"reservedSharedMemoryPerBlock\": 1024, \"maxRegistersPerSM\": 65536, \"pciDeviceId\": 592445662, "
    "\"maxCtasPerSM\": 32, \"maxThreadsPerBlock\": 1024, \"maxThreadsPerSM\": 2048, \"isTccDriver\": 0, "
    "\"supportCoopLaunch\": 1, \"cudaDeviceId\": 0, \"deviceVer\": 900, \"driverVer\": 13000, "
    "\"totalGlobalMem\": 85017493504, \"deviceName\": \"NVIDIA H100 80GB HBM3\"}";

static void *library;         /* the real one */
static dnn_functions real;    /* its functions */
static dnn_descriptor device; /* the properties */
static int executed, refused;

/* --- what stands before it ---------------------------------------------------------------------------------------- */
static int create(dnn_handle *out)
{
    *out = &library;
    return DNN_STATUS_SUCCESS;
}

static int destroy(dnn_handle handle)
{
    (void)handle;
    return DNN_STATUS_SUCCESS;
}

static int set_stream(dnn_handle handle, const void *stream)
{
    (void)handle;
    (void)stream;
    return DNN_STATUS_SUCCESS;
}

static int set_attribute(dnn_descriptor d, int name, int type, int64_t count, const void *elements)
{
    if (name == DNN_ATTR_OPERATIONGRAPH_HANDLE)
        return DNN_STATUS_SUCCESS;
    int status = DNN_STATUS_SUCCESS;
    if (name == DNN_ATTR_ENGINEHEUR_MODE)
        status = real.set_attribute(d, HEUR_DEVICEPROP, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &device);
    if (name == DNN_ATTR_EXECUTION_PLAN_HANDLE)
        return real.set_attribute(d, PLAN_DEVICEPROP, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &device);
    if (status == DNN_STATUS_SUCCESS)
        status = real.set_attribute(d, name, type, count, elements);
    if (status != DNN_STATUS_SUCCESS) {
        print_error("attribute %d: %s\n", name, real.get_error_string(status));
        refused++;
    }
    return status;
}

/* Only the choice of a plan may be refused. */
static int finalize(dnn_descriptor d)
{
    const int status = real.finalize(d);
    refused += status != DNN_STATUS_SUCCESS && status / 1000 * 1000 == DNN_STATUS_BAD_PARAM;
    return status;
}

static int execute(dnn_handle handle, dnn_descriptor plan, dnn_descriptor pack)
{
    (void)handle;
    executed += plan && pack;
    return DNN_STATUS_SUCCESS;
}

void *dl_open(const char *path)
{
    return strcmp(path, "libcudnn.so.9") == 0 ? library : NULL;
}

void *dl_symbol(void *from, const char *name)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } ours[] = {{"cudnnCreate", (void (*)(void))create},
                {"cudnnDestroy", (void (*)(void))destroy},
                {"cudnnSetStream", (void (*)(void))set_stream},
                {"cudnnBackendSetAttribute", (void (*)(void))set_attribute},
                {"cudnnBackendFinalize", (void (*)(void))finalize},
                {"cudnnBackendExecute", (void (*)(void))execute}};
    void *address = NULL;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(ours[i].name, name) == 0)
            memcpy(&address, &ours[i].function, sizeof address);
    return address ? address : dlsym(from, name);
}

void dl_close(void *from)
{
    (void)from;
}

/* --- the test ----------------------------------------------------------------------------------------------------- */
static int unserved;

static void count_unserved(void *payload, int level, const char *line)
{
    (void)payload;
    (void)level;
    if (strstr(line, "a kernel of ours does it")) {
        print_error("%s\n", line);
        unserved++;
    }
}

static void real_function(void *out, const char *name)
{
    void *address = dlsym(library, name);
    assert_non_null(address);
    memcpy(out, &address, sizeof address);
}

static int open_library(void **state)
{
    enum { OLDEST = 90800 };
    (void)state;
    library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        library = dlopen("/usr/local/cuda/lib64/libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return 0;
    real_function(&real.get_version, "cudnnGetVersion");
    real_function(&real.get_error_string, "cudnnGetErrorString");
    real_function(&real.create_descriptor, "cudnnBackendCreateDescriptor");
    real_function(&real.destroy_descriptor, "cudnnBackendDestroyDescriptor");
    real_function(&real.set_attribute, "cudnnBackendSetAttribute");
    real_function(&real.finalize, "cudnnBackendFinalize");
    if (real.get_version() < OLDEST) {
        library = NULL;
        return 0;
    }
    assert_int_equal(real.create_descriptor(DEVICEPROP_DESCRIPTOR, &device), DNN_STATUS_SUCCESS);
    assert_int_equal(real.set_attribute(device, DEVICEPROP_JSON, TYPE_CHAR, sizeof h100, h100), DNN_STATUS_SUCCESS);
    assert_int_equal(real.finalize(device), DNN_STATUS_SUCCESS);
    return 0;
}

static int close_library(void **state)
{
    (void)state;
    return library ? real.destroy_descriptor(device) : 0;
}

/* Every convolution of one group gets a plan. */
static void prepare_all(dtype type, case_mode mode)
{
    backend *b = NULL;
    assert_ok(backend_cuda_create(&b, NULL));
    for (int i = 0; i < op_case_count(); i++) {
        case_graph c;
        program *p = NULL;
        param_place place = {0};
        if (strcmp(op_case_at(i)->op, "conv2d") != 0 || op_case_at(i)->is_large)
            continue;
        assert_ok(case_graph_build(&c, op_case_at(i), type, mode));
        assert_ok(params_place(&place, b, &c.params));
        assert_ok(program_create(&p, c.g, b, &place.memory));
        c.g = NULL;
        program_free(p);
        params_leave(&place);
        case_graph_free(&c);
    }
    b->free(b);
}

static void offline__convolutions__get_plans(void **state)
{
    (void)state;
    if (!library) {
        print_message("skipped: no cuDNN 9.8 or newer on this machine\n");
        skip();
    }
    mien_set_log(count_unserved, NULL);
    prepare_all(DTYPE_BF16, CASE_TRAINING);
    prepare_all(DTYPE_BF16, CASE_FORWARD);
    prepare_all(DTYPE_F32, CASE_TRAINING);
    mien_set_log(NULL, NULL);
    assert_int_equal(unserved, 0);
    assert_int_equal(refused, 0);
    assert_true(executed > 0);
}

int main(void)
{
    const struct CMUnitTest all[] = {cmocka_unit_test(offline__convolutions__get_plans)};
    return cmocka_run_group_tests(all, open_library, close_library);
}
