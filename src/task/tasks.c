/* The only list of tasks. */
#include "task/task.h"

#include "base/mem.h"
#include "base/str.h"
#include "task/lsd.h"
#include "task/mtl.h"

#include <string.h>

const task_def *const task_all[] = {&task_lsd, &task_mtl, NULL};
const char *const task_later[] = {"identity", NULL};

mien_status task_find(const task_def **out, const char *name)
{
    const char *names[sizeof task_all / sizeof task_all[0]];
    char known[256];
    int count = 0;
    for (; task_all[count]; count++) {
        names[count] = task_all[count]->name;
        if (strcmp(names[count], name) == 0) {
            *out = task_all[count];
            return MIEN_OK;
        }
    }
    str_join_words(known, sizeof known, names, count);
    return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s (wanted %s)", name, known);
}

static mien_status describe_ending(void *context, graph *g, model_io *io, const model_spec *spec, int batch)
{
    task_ending *e = context;
    for (int i = 0; i < TASK_MAX_INPUTS; i++)
        e->inputs[i] = NO_VALUE;
    return e->task->describe(e, g, io, spec, batch);
}

model_ending task_ending_of(task_ending *e)
{
    return (model_ending){describe_ending, e};
}

void task_report_clear(task_report *r)
{
    mem_free(r->items);
    mem_free(r->columns);
    mem_free(r->confusion);
    *r = (task_report){0};
}

const task_score *task_report_find(const task_report *r, const char *name)
{
    for (int i = 0; i < r->score_count; i++)
        if (strcmp(r->scores[i].name, name) == 0)
            return &r->scores[i];
    return NULL;
}
