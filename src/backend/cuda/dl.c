/* dlopen, and patterns for the folders of Python's wheels, whose names hold versions. */
#include "backend/cuda/dl.h"

#include <dlfcn.h>
#include <glob.h>
#include <string.h>

/* Their own parts find each other by what is loaded, so symbols need not be everyone's. */
static void *open_one(const char *path)
{
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

void *dl_open(const char *path)
{
    void *library = NULL;
    glob_t found = {0};
    if (!strchr(path, '*'))
        return open_one(path);
    if (glob(path, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && !library; i++)
            library = open_one(found.gl_pathv[i]);
    globfree(&found);
    return library;
}

void *dl_symbol(void *library, const char *name)
{
    return dlsym(library, name);
}

void dl_close(void *library)
{
    if (library)
        dlclose(library);
}
