/* Version, machine and the translation of public options into those of the rooms. */
#include "api/api.h"

#include "backend/cpu/isa.h"
#include "base/mem.h"
#include "base/thread.h"
#include "task/task.h"

#include <string.h>

const char *mien_version(void)
{
    return MIEN_VERSION;
}

const char *mien_isa(void)
{
    isa i;
    return isa_get(&i) == MIEN_OK ? isa_name(i) : "unsupported";
}

const char *mien_architecture(int index)
{
    const architecture *arch = architecture_at(index);
    return arch ? arch->name : NULL;
}

const char *mien_task(int index)
{
    for (int i = 0; i < index; i++)
        if (!task_all[i])
            return NULL;
    return index >= 0 && task_all[index] ? task_all[index]->name : NULL;
}

mien_status api_sources(task_source **out, int *count, const char *path, const mien_source *sources, int source_count,
                        bool is_needed, const char *call, const char *name)
{
    if (source_count < 0 || (source_count && !sources))
        return mien_fail(MIEN_ERR_ARG, "%s: %s: %d of them (wanted an array of that many)", call, name, source_count);
    if (path && source_count)
        return mien_fail(MIEN_ERR_ARG, "%s: %s: %d beside %s (wanted one way or the other)", call, name, source_count,
                         path);
    if (!path && !source_count && is_needed)
        return api_need(NULL, call, "data");
    for (int i = 0; i < source_count; i++)
        if (!sources[i].path)
            return mien_fail(MIEN_ERR_ARG, "%s: %s: one without a path", call, name);
    task_source *copies;
    TRY(mem_alloc(&copies, source_count + 1));
    for (int i = 0; i < source_count; i++)
        copies[i] =
            (task_source){.path = sources[i].path, .images = sources[i].images, .fallback = sources[i].fallback};
    if (path)
        copies[0] = (task_source){.path = path};
    *out = copies;
    *count = path ? 1 : source_count;
    return MIEN_OK;
}

mien_status api_task(const task_def **out, const char *name)
{
    return task_find(out, name ? name : task_all[0]->name);
}

void mien_text_free(char *text)
{
    mem_free(text);
}

mien_status api_need(const void *argument, const char *call, const char *name)
{
    return argument ? MIEN_OK : mien_fail(MIEN_ERR_ARG, "%s: %s: missing", call, name);
}

int api_threads(const mien_compute *compute)
{
    return compute->threads > 0 ? thread_grant(compute->threads) : 0;
}

precision_kind api_precision(const mien_compute *compute)
{
    static const precision_kind kinds[] = {PRECISION_AUTO, PRECISION_F32, PRECISION_BF16};
    return kinds[compute->precision];
}

dtype api_activation_type(const backend *b, const mien_compute *compute)
{
    precision_kind precision = api_precision(compute);
    bool is_bf16 = precision == PRECISION_AUTO ? b->computes_bf16(b) : precision == PRECISION_BF16;
    return is_bf16 ? DTYPE_BF16 : DTYPE_F32;
}

progress api_progress(const mien_compute *compute)
{
    return (progress){.callback = compute->progress, .payload = compute->payload};
}

const char *api_without_path(const char *why, const char *path)
{
    size_t length = strlen(path);
    return !strncmp(why, path, length) && !strncmp(why + length, ": ", 2) ? why + length + 2 : why;
}
