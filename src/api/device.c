/* What devices are called, and which backend computes on each. The only place that names a backend. */
#include "api/api.h"
#include "backend/cpu/cpu.h"
#include "backend/cuda/cuda.h"
#include "graph/precision.h"

#include <string.h>

enum { INDEX_DIGITS = 3 }; /* more GPUs than any machine has */
static const char cuda_name[] = "cuda";

typedef struct {
    bool is_cuda;
    int index;
} device_choice;

static bool read_choice(device_choice *out, const char *name)
{
    const size_t length = sizeof cuda_name - 1;
    *out = (device_choice){false, 0};
    if (!name || strcmp(name, "cpu") == 0)
        return true;
    if (strncmp(name, cuda_name, length) != 0)
        return false;
    out->is_cuda = true;
    name += length;
    if (*name == '\0')
        return true;
    const size_t digits = strspn(name + 1, "0123456789");
    if (*name != ':' || digits < 1 || digits > INDEX_DIGITS || name[1 + digits])
        return false;
    for (size_t i = 1; i <= digits; i++)
        out->index = 10 * out->index + (name[i] - '0');
    return true;
}

mien_status api_check_device(const char *name)
{
    device_choice choice;
    if (!read_choice(&choice, name))
        return mien_fail(MIEN_ERR_ARG, "device: %.32s (wanted cpu, cuda or cuda:N)", name);
    return MIEN_OK;
}

bool api_is_gpu(const char *name)
{
    device_choice choice;
    return read_choice(&choice, name) && choice.is_cuda;
}

mien_status mien_device_check(const char *device)
{
    TRY(api_need(device, "mien_device_check", "device"));
    return api_check_device(device);
}

const char *mien_device(int index)
{
    const char *const names[] = {"cpu", backend_cuda_is_built() ? cuda_name : NULL};
    return index >= 0 && index < 2 ? names[index] : NULL;
}

static mien_status create(backend **out, const mien_compute *c)
{
    device_choice choice;
    (void)read_choice(&choice, c->device); /* api_compute has checked it */
    const cuda_options cuda = {.index = choice.index, .is_loose = c->is_fast, .is_tf32 = c->is_tf32};
    return choice.is_cuda ? backend_cuda_create(out, &cuda)
                          : backend_cpu_create(out, &(cpu_options){.threads = api_threads(c)});
}

mien_status api_backend(backend **out, const mien_compute *c)
{
    backend *b = NULL;
    dtype type;
    TRY(create(&b, c));
    mien_status st = precision_resolve(&type, api_precision(c), b);
    if (st == MIEN_OK)
        *out = b;
    else
        b->free(b);
    return st;
}

void api_backend_free(backend *b)
{
    if (b)
        b->free(b);
}
