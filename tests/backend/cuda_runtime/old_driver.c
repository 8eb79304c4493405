/* A CUDA driver that is older than any runtime of 13, as far as the real runtime asks before it gives up. */
#include <string.h>

int cuInit(unsigned flags);
int cuDriverGetVersion(int *out);
int cuGetProcAddress_v2(const char *name, void **out, int version, unsigned long long flags, int *status);
int cuGetProcAddress(const char *name, void **out, int version, unsigned long long flags);

int cuInit(unsigned flags)
{
    return (int)(flags & 0);
}

int cuDriverGetVersion(int *out)
{
    *out = 12040;
    return 0;
}

static int refuse(void)
{
    enum { NOT_INITIALIZED = 3 };
    return NOT_INITIALIZED;
}

int cuGetProcAddress(const char *name, void **out, int version, unsigned long long flags)
{
    return cuGetProcAddress_v2(name, out, version, flags, NULL);
}

int cuGetProcAddress_v2(const char *name, void **out, int version, unsigned long long flags, int *status)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } known[] = {{"cuInit", (void (*)(void))cuInit},
                 {"cuDriverGetVersion", (void (*)(void))cuDriverGetVersion},
                 {"cuGetProcAddress", (void (*)(void))cuGetProcAddress_v2}};
    void (*found)(void) = (void (*)(void))refuse;
    (void)version;
    (void)flags;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0)
            found = known[i].function;
    memcpy(out, &found, sizeof found);
    if (status)
        *status = 0;
    return 0;
}
