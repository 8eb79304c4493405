/* Gradients and their sums never move: nobody outside a step reads them. */
#include "graph/params.h"

enum { VALUES, STATE1, STATE2, MOVED, GRADS = MOVED, SUMS, ARENAS };

static float **part_at(param_memory *m, int which)
{
    float **const all[ARENAS] = {
        [VALUES] = &m->values, [STATE1] = &m->state1, [STATE2] = &m->state2, [GRADS] = &m->grads, [SUMS] = &m->sums};
    return all[which];
}

static size_t part_bytes(const param_memory *m, int which)
{
    return (which == VALUES ? m->count : m->trained_count) * sizeof(float);
}

static mien_status place_part(param_place *place, const param_memory *host, int which)
{
    param_memory from = *host;
    const float *src = *part_at(&from, which);
    float **at = part_at(&place->memory, which);
    const size_t bytes = part_bytes(host, which);
    backend *b = place->owner;
    void *block = NULL;
    if (!src || *at)
        return MIEN_OK;
    TRY(b->alloc(b, &block, bytes));
    *at = block;
    return which < MOVED ? b->upload(b, block, src, bytes) : b->clear(b, block, bytes);
}

mien_status params_place(param_place *place, backend *b, const param_memory *host)
{
    if (place->owner ? place->owner->memory != b->memory : place->memory.values && b->memory)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "parameters are in another memory than that of %s", b->name);
    if (!b->memory) {
        place->memory = *host;
        return MIEN_OK;
    }
    if (!place->owner)
        place->owner = b;
    place->memory.count = host->count;
    place->memory.trained_count = host->trained_count;
    for (int i = 0; i < ARENAS; i++)
        TRY(place_part(place, host, i));
    return MIEN_OK;
}

void params_leave(param_place *place)
{
    for (int i = 0; place->owner && i < ARENAS; i++) {
        float **at = part_at(&place->memory, i);
        if (*at)
            place->owner->dealloc(place->owner, *at);
    }
    *place = (param_place){0};
}

static mien_status move(const param_place *place, const param_memory *host, bool is_up)
{
    param_memory there = place->memory, here = *host;
    backend *b = place->owner;
    for (int i = 0; b && i < MOVED; i++) {
        float *far = *part_at(&there, i), *near = *part_at(&here, i);
        const size_t bytes = part_bytes(host, i);
        if (far)
            TRY(is_up ? b->upload(b, far, near, bytes) : b->download(b, near, far, bytes));
    }
    return MIEN_OK;
}

mien_status params_upload(const param_place *place, const param_memory *host)
{
    return move(place, host, true);
}

mien_status params_download(const param_place *place, const param_memory *host)
{
    return move(place, host, false);
}
