/* Shared libraries that are not there: their names are known, and their functions are ours. */
#include "backend/cuda/dl.h"
#include "backend/cuda/emulated_device.h"
#include "backend/cuda/fakes.h"

#include "graph/tensor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fake_setting fake;
fake_count fake_counts;

void fake_die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "fake library: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}

void fake_not_while_capturing(const char *what)
{
    if (emulated_is_capturing())
        fake_die("%s while a run is captured", what);
}

double fake_load(const void *p, int64_t i, bool is_bf16)
{
    return is_bf16 ? (double)bf16_to_f32(((const uint16_t *)p)[i]) : (double)((const float *)p)[i];
}

void fake_store(void *p, int64_t i, double v, bool is_bf16)
{
    if (is_bf16)
        ((uint16_t *)p)[i] = bf16_from_f32((float)v);
    else
        ((float *)p)[i] = (float)v;
}

/* --- the door ----------------------------------------------------------------------------------------------------- */
void *dl_open(const char *path)
{
    const fake_symbol *symbols = NULL;
    if (strcmp(path, "libcudnn.so.9") == 0 && !fake.is_dnn_absent)
        symbols = fake_dnn_symbols;
    if (strcmp(path, "libcublasLt.so.13") == 0 && !fake.is_lt_absent)
        symbols = fake_lt_symbols;
    fake_counts.live += symbols != NULL;
    return (void *)symbols;
}

void *dl_symbol(void *library, const char *name)
{
    void *address = NULL;
    const fake_symbol *s = library;
    while (s->name && strcmp(s->name, name) != 0)
        s++;
    if (s->name && !(fake.missing && strcmp(fake.missing, name) == 0))
        memcpy(&address, &s->function, sizeof address);
    return address;
}

void dl_close(void *library)
{
    fake_counts.live -= library != NULL;
}
